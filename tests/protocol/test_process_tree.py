# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A session has nothing of the daemon's but its connection and its log pipe, and leaves no process
behind, however it ends. tests/unit/test-sessions.c does what a session does that was taken over."""

import fcntl
import os
import signal
import stat
import termios

import pytest

from frontend.daemon import children, render_servers, wait_until

BOTH = pytest.mark.parametrize("with_fd", [False, True], ids=["listener", "fd"])


def descriptors(pid):
    """Their numbers, and what they are."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


def terminal_of(pid):
    """Its controlling terminal's number, 0 for none."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
        return int(text.read().rpartition(")")[2].split()[4])


@pytest.fixture
def terminal():
    """Its descriptor; a daemon that has it ends with it."""
    master, slave = os.openpty()
    yield slave
    os.close(slave)
    os.close(master)


@BOTH
@pytest.mark.parametrize("mode", ["null", "2d", "virglrenderer"])
def test_descriptors(terminal, running, mode, with_fd):
    """Of a daemon that was started in a terminal, with a file as its log."""
    def enter_terminal():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        os.dup2(terminal, 0)

    daemon = running.daemon(mode, with_fd=with_fd, prepare=enter_terminal)
    vm = running.vm(daemon)
    assert vm.alive()
    session = daemon.session_pid()
    ours, theirs = descriptors(daemon.pid), descriptors(session)
    assert ours[0] == os.ttyname(terminal) and ours[2] == daemon.log_path
    assert terminal_of(daemon.pid) != 0
    assert theirs[0] == "/dev/null"
    assert theirs[1] == theirs[2] and theirs[2].startswith("socket:")
    assert terminal_of(session) == 0
    shared = set(theirs.values()).intersection(ours.values())
    assert all(name.startswith("anon_inode:") for name in shared), shared
    assert not stat.S_ISREG(os.stat(f"/proc/{session}/fd/2").st_mode)
    if with_fd:
        vm.hang_up()
        running.expect_running = False
        assert daemon.wait_exit() == 0


def test_silent_connection(running):
    """With --fd: a front-end that leaves without a word is no error, and costs no session."""
    daemon = running.daemon("2d", with_fd=True)
    running.connect(daemon).close()
    running.expect_running = False
    assert daemon.wait_exit() == 0
    assert "a front-end connected" not in daemon.log()


def test_session_that_is_killed(running):
    """With --fd: what was started lives as long as it takes to say so."""
    daemon = running.daemon("2d", with_fd=True)
    vm = running.vm(daemon)
    pid = daemon.session_pid()
    os.kill(pid, signal.SIGKILL)
    vm.user.wait_hang_up()
    assert daemon.wait_exit() == 1
    assert f"session {pid} died of signal 9" in daemon.log()
    running.daemons.remove(daemon)
    daemon.kill()
    daemon.check_log()


@BOTH
@pytest.mark.parametrize("how", ["hang-up", "SIGTERM", "SIGKILL", "SIGKILL of all"])
def test_render_server_ends(running, with_fd, how):
    """With the processes that it has started."""
    daemon = running.daemon("virglrenderer", with_fd=with_fd)
    vm = running.vm(daemon)
    session = daemon.session_pid()
    servers = render_servers(session)
    if not servers:
        assert "venus" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
        pytest.skip("this host does not start Venus")
    vm.gpu.ctx_create(1, 4)
    tree = {session, *children(session), *children(servers[0])}
    assert len(tree) == 4
    if how == "hang-up":
        vm.hang_up()
    elif how == "SIGTERM":
        daemon.process.send_signal(signal.SIGTERM)
    elif how == "SIGKILL":
        os.kill(session, signal.SIGKILL)
    else:
        daemon.process.kill()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in tree), "all of it ends")
    if with_fd or how in ("SIGTERM", "SIGKILL of all"):
        assert daemon.wait_exit() == {"SIGKILL": 1, "SIGKILL of all": -9}.get(how, 0)
        running.daemons.remove(daemon)
        daemon.kill()
        daemon.check_log()
