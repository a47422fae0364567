# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The sandbox as it is seen from outside: what a live session has given up, in each mode."""

import ctypes
import errno
import os
import platform
import re
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from frontend.daemon import children, render_servers
from frontend.patience import PATIENCE

NOBODY = 65534
NO_CAPABILITIES = "0" * 16
ANNOUNCED = re.compile(r"(info|warning): sandbox: (.*)")


def status(pid, thread=None):
    path = Path(f"/proc/{pid}/task/{thread}/status" if thread else f"/proc/{pid}/status")
    lines = (line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {name: value.strip() for name, value in lines}


def all_threads(pid):
    return [status(pid, thread) for thread in os.listdir(f"/proc/{pid}/task")]


def announced(daemon):
    """The one line at the start: what is active."""
    (level, text), = ANNOUNCED.findall(daemon.log())
    return level, text


def check_confined(pid, text, is_root):
    """Every thread of the process: what the line says is active is."""
    threads = all_threads(pid)
    assert threads
    for thread in threads:
        assert thread["NoNewPrivs"] == "1"
        if "a filter of system calls" in text.split("missing")[0]:
            assert thread["Seccomp"] == "2", thread["Name"]
        if "no capabilities" in text.split("missing")[0]:
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert thread[name] == NO_CAPABILITIES, name
            if is_root:
                assert thread["CapBnd"] == NO_CAPABILITIES
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


def test_session(start_vm, mode):
    vm = start_vm(mode)
    level, text = announced(vm.daemon)
    assert level == ("warning" if "missing" in text else "info")
    assert text.startswith("no new privileges")
    check_confined(vm.daemon.session_pid(), text, os.geteuid() == 0)


def test_one_session(running):
    """With --fd there is a session, too, and the process that was started supervises it."""
    daemon = running.daemon("null", with_fd=True)
    running.vm(daemon)
    assert status(daemon.pid)["NoNewPrivs"] == "1"
    check_confined(daemon.session_pid(), announced(daemon)[1], os.geteuid() == 0)
    running.expect_running = False


def test_listener(start_vm):
    vm = start_vm("null")
    assert status(vm.daemon.pid)["NoNewPrivs"] == "1"
    assert status(vm.daemon.pid)["Seccomp"] == "0"


def test_off(start_vm):
    vm = start_vm("2d", "--sandbox=off")
    assert announced(vm.daemon) == ("warning", "off")
    now, before = status(vm.daemon.session_pid()), status("self")
    for name in ("NoNewPrivs", "Seccomp", "CapEff", "CapBnd"):
        assert now[name] == before[name]


def test_log(start_vm):
    """Nothing is refused, but there is a filter that logs."""
    vm = start_vm("2d", "--sandbox", "log")
    level, text = announced(vm.daemon)
    assert level == "warning" and text.startswith("refuses nothing")
    now, before = status(vm.daemon.session_pid()), status("self")
    assert now["CapEff"] == before["CapEff"]
    if "missing" not in text:
        assert now["Seccomp"] == "2"
    assert vm.alive()


LANDLOCK_CREATE, LANDLOCK_ENTER = 444, 446
SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine())


def refuse_calls(*numbers):
    """As some containers do: these calls are not permitted. Runs before the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = [(0x20, 0, 0, 0)]  # the call's number
    for number in numbers:
        words += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno.EPERM)]
    words.append((0x06, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *word) for word in words))
    program = struct.pack("@HP", len(words), ctypes.addressof(code))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, a filter


needs_numbers = pytest.mark.skipif(not SECCOMP, reason="numbers of calls")


@needs_numbers
def test_refusing_container(running):
    """A warning, and the rest holds."""
    daemon = running.daemon("2d", prepare=lambda: refuse_calls(LANDLOCK_CREATE, SECCOMP))
    vm = running.vm(daemon)
    level, text = announced(daemon)
    assert level == "warning"
    assert "Landlock (Operation not permitted)" in text
    assert "a filter of system calls (" in text.split("missing")[1]
    check_confined(daemon.session_pid(), text, os.geteuid() == 0)
    assert vm.alive()
    assert len(ANNOUNCED.findall(daemon.log())) == 1, "it is said once, not for each session"


def is_built_in(daemon):
    return "not in this build" not in daemon.log()


@needs_numbers
def test_refusing_container_venus(running):
    """What is not there was announced, so that the render server goes on without it too."""
    daemon = running.daemon("virglrenderer", prepare=lambda: refuse_calls(LANDLOCK_CREATE, SECCOMP))
    vm = running.vm(daemon)
    if not children(daemon.session_pid()):
        assert "venus" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
        pytest.skip("this host does not start Venus")
    vm.gpu.ctx_create(1, 4)
    assert vm.alive()


def test_required(start_vm, mode):
    """With all parts it is as on; which are not built in is said."""
    vm = start_vm(mode, "--sandbox=required")
    level, text = announced(vm.daemon)
    assert level == ("info" if is_built_in(vm.daemon) else "warning")
    assert "Landlock" in text.split("missing")[0]
    check_confined(vm.daemon.session_pid(), text, os.geteuid() == 0)


@needs_numbers
@pytest.mark.parametrize("with_fd", [False, True])
@pytest.mark.parametrize("call, name", [
    (LANDLOCK_CREATE, "Landlock"), (LANDLOCK_ENTER, "Landlock"),
    (SECCOMP, "a filter of system calls")])
def test_required_part_is_missing(program, tmp_path, call, name, with_fd):
    """Nobody is served: one line says what is missing, and what to do."""
    ours, theirs = socket.socketpair()
    path = tmp_path / "gpu.sock"
    place = ["--fd", str(theirs.fileno())] if with_fd else ["-s", path]
    result = subprocess.run([program, *place, "-g", "null", "--sandbox=required"], text=True,
                            capture_output=True, timeout=PATIENCE, pass_fds=[theirs.fileno()],
                            preexec_fn=lambda: refuse_calls(call))
    theirs.close()
    line, = result.stderr.splitlines()
    if call == SECCOMP and "not in this build" in result.stderr:
        pytest.skip("there is no filter in this build")
    assert result.returncode == 1
    assert name in line and "--sandbox=required" in line and "--sandbox=on" in line
    assert not path.exists()
    assert ours.recv(1) == b""
    ours.close()


def test_other_word(program):
    result = subprocess.run([program, "-s", "/nonexistent/s", "--sandbox=maybe"], text=True,
                            capture_output=True, timeout=PATIENCE)
    assert result.returncode == 2
    assert "'maybe'" in result.stderr and "on, off, log, required" in result.stderr


@pytest.fixture
def open_folder():
    """A folder that everybody may write to."""
    folder = Path(tempfile.mkdtemp(prefix="vdg-sandbox-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_ordinary_user(open_folder, running, mode):
    program = Path(running.program)
    if not all(folder.stat().st_mode & 0o001 for folder in (program, *program.parents)):
        pytest.skip("the program is where others may not go")

    def become_nobody():
        os.chown(open_folder / "daemon0", NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    running.directory = open_folder
    daemon = running.daemon(mode, "--control", str(open_folder), prepare=become_nobody,
                            environment={"HOME": "/nonexistent"})
    vm = running.vm(daemon)
    assert vm.alive()
    session = daemon.session_pid()
    assert status(session)["Uid"].split() == [str(NOBODY)] * 4
    check_confined(session, announced(daemon)[1], False)


def test_control_socket_goes(start_vm, tmp_path):
    """It is made between the two stages, and removed behind both."""
    vm = start_vm("2d", "--control", str(tmp_path))
    name = tmp_path / f"session-{vm.daemon.session_pid()}.sock"
    assert name.exists()
    vm.hang_up()
    vm.daemon.wait_sessions()
    assert not name.exists()


@pytest.mark.parametrize("word", ["on", "required"])
def test_render_server(start_vm, word):
    """Venus' server, and a context's process, which carries out the guest's commands."""
    vm = start_vm("virglrenderer", "--sandbox", word)
    session = vm.daemon.session_pid()
    servers = render_servers(session)
    if not servers:
        assert "venus" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
        pytest.skip("this host does not start Venus")
    server, = servers
    vm.gpu.ctx_create(1, 4)
    worker, = children(server)
    text = announced(vm.daemon)[1]
    for pid in (server, worker):
        check_confined(pid, text, os.geteuid() == 0)
        # Its own two, and the one that ends exec.
        assert int(status(pid)["Seccomp_filters"]) == 3
