# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A virglrenderer before 1.0.1 writes where a shader's text says. Guests do not reach it unless the
user takes the risk, and then they break their session and nothing else.

1.0.1 and later refuse the same texts, and need no option.
"""

import json
import os
import re
import struct
import subprocess

import pytest

from frontend import virgl
from frontend.daemon import Daemon, NotBuilt, build_environment, wait_until, why_not
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import Cmd, Feature, require
from frontend.vm import Vm
from test_sandbox import status

OPTION = "--unsafe-old-virglrenderer"
VIRGL, VIRGL2 = 1, 2
FIRST_SOUND = (1, 8, 9)  # the file's version; the release is 1.0.1
LIBRARY = re.compile(r"/(libvirglrenderer\.so\.([\d.]+))$", re.MULTILINE)
# Stage, what follows the declaration of an input, a system value that the stage has
KINDS = {"VERT": (virgl.VERTEX, "", "VERTEXID"),
         "FRAG": (virgl.FRAGMENT, ", GENERIC[66]", "SAMPLEID")}

# What tgsi_scan_shader() indexes with a number from the text, and numbers for it: one in range, and
# some that are not. Registers have 16 bits, arrays 10.
SHADERS = {
    "input": ("DCL IN[{n}]{generic}", (0, 80, 50114)),
    "range of inputs": ("DCL IN[{n}]{generic}", ("0..3", "70..90")),
    "inputs over the stack": ("\n".join(f"DCL IN[{{n}}{i}]{{generic}}" for i in range(6)),
                              ("", 5011)),
    "output": ("DCL OUT[{n}], GENERIC[66]", (0, 80, 50114)),
    "range of outputs": ("DCL OUT[{n}], GENERIC[0]", ("0..3", "70..90")),
    "system value": ("DCL SV[{n}], {value}", (0, 80, 50114)),
    "constant buffer": ("DCL CONST[{n}][0..3]", (1, 32, 5000)),
    "array of inputs": ("DCL IN[0..3], ARRAY({n}){generic}", (1, 80, 900)),
    "array of outputs": ("DCL OUT[0..3], ARRAY({n}), GENERIC[66]", (1, 80, 900)),
    "operand": ("DCL IN[0]{generic}\nDCL TEMP[0]\n  0: MOV TEMP[0], IN[{n}]\n  1: END",
                (0, 80, 30000)),
    "sampler": ("DCL TEMP[0]\nDCL SAMP[0]\n  0: TEX TEMP[0], TEMP[0], SAMP[{n}], 2D\n  1: END",
                (0, 32, 30000)),
    "sampler of samples": ("DCL TEMP[0]\nDCL SAMP[0]\n"
                           "  0: TXF TEMP[0], TEMP[0], SAMP[{n}], 2D_MSAA\n  1: END",
                           (0, 32, 30000)),
}


@pytest.fixture(scope="module")
def library(program, tmp_path_factory):
    """The file that a session loads, whether it is an old one, and what the daemon said of it."""
    try:
        daemon = Daemon(program, tmp_path_factory.mktemp("library"), "virglrenderer")
    except NotBuilt as error:
        assert "virglrenderer" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", ""), error
        pytest.skip(str(error))
    vm = Vm(daemon.connect())
    vm.handshake()
    vm.start()
    with open(f"/proc/{daemon.session_pid()}/maps", encoding="utf-8") as maps:
        name, version = LIBRARY.search(maps.read()).groups()
    vm.close()
    daemon.finish()
    return name, tuple(map(int, version.split("."))) < FIRST_SOUND, daemon.log()


def capabilities(program, *args):
    done = subprocess.run([program, "--print-capabilities", *args], check=True, capture_output=True,
                          text=True, env=build_environment(program))
    return json.loads(done.stdout)["features"]


def capset_ids(vm):
    count = int.from_bytes(vm.user.get_config(16)[12:16], "little")
    return [vm.gpu.get_capset_info(index).unpack("=II")[0] for index in range(count)]


def test_only_an_old_library_needs_the_option(running, library, tmp_path):
    name, is_old, log = library
    assert ("virgl" in capabilities(running.program)) == (not is_old)
    assert "virgl" in capabilities(running.program, OPTION)
    line = why_not([running.program, "-s", tmp_path / "s", "-c", "virgl2"],
                   build_environment(running.program))
    if is_old:
        assert name in line and OPTION in line and "1.0.1" in line
    else:
        assert line is None
    # With the option the log names the risk.
    assert (f"({OPTION})" in log) == is_old


@pytest.mark.parametrize("with_fd", [False, True])
def test_old_library_is_out_of_reach(running, library, with_fd):
    """By default no guest reaches its parser."""
    if not library[1]:
        pytest.skip("this library is not old")
    daemon = running.daemon(None, with_fd=with_fd)
    running.expect_running = not with_fd
    vm = running.vm(daemon)
    assert daemon.log().count(OPTION) == 1
    assert not {VIRGL, VIRGL2}.intersection(capset_ids(vm))
    for capset in (VIRGL, VIRGL2):
        assert not vm.gpu.ctx_create(1, capset).ok
    if "mode gfxstream" not in daemon.log():  # its contexts without a capset are its own
        assert not vm.gpu.ctx_create(1).ok
    assert not vm.gpu.submit_3d(1, shader("input", 50114)).ok
    assert vm.alive()


def test_session_comes_to_the_same_verdict(running, library, tmp_path):
    """With --fd and a mode no probe runs before the session."""
    name, is_old = library[:2]
    daemon = Daemon(running.program, tmp_path, None, ("--virgl", "-c", "virgl2"), with_fd=True)
    try:
        if is_old:
            # The session starts at the first byte.
            running.connect(daemon).send_raw(bytes(1))
            assert daemon.wait_exit() == 1
            assert name in daemon.log() and OPTION in daemon.log()
        else:
            assert running.connect(daemon).get_features() & Feature.VIRGL
    finally:
        daemon.kill()


def shader(name, number, kind="FRAG"):
    stage, generic, value = KINDS[kind]
    text = SHADERS[name][0].format(n=number, generic=generic, value=value)
    return virgl.create_shader(1, stage, f"{kind}\n{text}\n")


def submit(vm, daemon, session, words):
    """The answer, or None where the session ended."""
    data = struct.pack(f"={len(words)}I", *words)
    chain = vm.gpu.post(Cmd.SUBMIT_3D, struct.pack("=II", len(data), 0) + data, ctx_id=1)
    wait_until(lambda: vm.rings[0].poll() or chain.done or session not in daemon.sessions(),
               "an answer, or the session's end")
    return vm.gpu.result(chain) if chain.done else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SHADERS)
def test_far_registers(running, library, name, kind):
    """A new library refuses, and the session goes on. With an old one the session may die, but it
    was in the sandbox, and its neighbour and the listener notice nothing."""
    is_old = library[1]
    daemon = running.daemon("virglrenderer")
    daemon.may_crash = is_old
    victim = running.vm(daemon)
    session = daemon.session_pid()
    assert (status(session)["Seccomp"], status(session)["NoNewPrivs"]) == ("2", "1")
    neighbour = running.vm(daemon)
    near, *far = SHADERS[name][1]
    require(victim.gpu.ctx_create(1))
    require(victim.gpu.submit_3d(1, shader(name, near, kind)))
    for number in far:
        if session not in daemon.sessions():
            break
        require(victim.gpu.ctx_destroy(1))
        require(victim.gpu.ctx_create(1))
        answer = submit(victim, daemon, session, shader(name, number, kind))
        if not is_old:
            assert answer and not answer.ok
            assert victim.alive()
    resource = neighbour.gpu.resource(64, 64)
    resource.show(0)
    resource.draw(random_bytes(1, 4 * 64 * 64))
    resource.flush(*resource.full)
    assert not differences(rgb_only(neighbour.shown().pixels), resource.image.shown(), 64)
    assert daemon.alive()
