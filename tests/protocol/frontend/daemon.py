# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Start, observe and stop the program under test: a daemon, or one session with --fd."""

import functools
import os
import pathlib
import re
import socket
import subprocess
import time

from .vhost_user import VhostUser
from .patience import PATIENCE

SANITIZER = re.compile(r"ERROR: \w*Sanitizer|runtime error:|WARNING: ThreadSanitizer")
LEAKS = re.compile(r"ERROR: LeakSanitizer.*?^SUMMARY: [^\n]*$", re.DOTALL | re.MULTILINE)
OWN_FRAME = re.compile(r" in \w+ (?:\S*/)?src/(?!libsanitizer)\S+\.c:")
# Of what a session prints, but for lines of ours.
LINE_START = re.compile(r"^vhost-device-gpu: warning: session \d+: ", re.MULTILINE)
NOT_STARTED = re.compile("has no mode|no renderer starts|not built|built without|does not start"
                         "|cannot start")
START_LIMIT = 1.5 * PATIENCE
VIRGL_RISK = pathlib.Path(__file__).resolve().parents[3] / "scripts/lib/virgl-risk"


class NotBuilt(Exception):
    """The program was built without this mode, or the host cannot start it."""


class StartError(Exception):
    """The program ended instead of serving."""


def wait_until(condition, what, timeout=PATIENCE):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.005)


def stat_fields(pid):
    """What /proc says behind its name: the state, the parent, and so on; as if dead if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return ["X", "0"]


def state(pid):
    return stat_fields(pid)[0]


def children(pid):
    """Direct children of a process that are not zombies."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = stat_fields(name)
        if int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(name))
    return found


def render_servers(session):
    """Of Venus; a keeper is beside each, which ends it if need be."""
    return [pid for pid in children(session) if command(pid) != "keeper"]


def command(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as name:
        return name.read().strip()


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def build_environment(program):
    """A program that is not installed is told where its modules are."""
    modules = os.path.join(os.path.dirname(os.path.realpath(program)), "renderer", "modules")
    if not os.path.isdir(modules):
        return None
    return {"VHOST_DEVICE_GPU_LIBDIR": modules, **os.environ}


@functools.cache
def risk_args(program, mode):
    """What a daemon needs to have OpenGL with an old virglrenderer. None is given with a newer one."""
    if mode != "virglrenderer":
        return ()
    return tuple(subprocess.run([VIRGL_RISK, program], check=True, capture_output=True, text=True,
                                env=build_environment(program)).stdout.split())


def why_not(command, environment=None):
    """Why a daemon does not start, as its last line says it; nothing where it listens."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, env=environment) as process:
        line = "it said nothing"
        for line in process.stderr:
            if "listening on" in line:
                process.terminate()
                return None
        return line.strip()


def why_mode_not(program, folder, mode, *args):
    """The same of a mode with these arguments; its socket is made in folder."""
    return why_not([program, "-s", os.path.join(folder, "try.sock"), "-g", mode,
                    *risk_args(program, mode), *args], build_environment(program))


class Daemon:
    """One running program. `peer` means QEMU's own back-end: one front-end and no modes."""

    def __init__(self, program, directory, mode=None, args=(), with_fd=False, peer=False,
                 prepare=None, environment=None, risk=True):
        """prepare is called in the new process before the program starts: limits, umask. Without
        risk an old virglrenderer is not used."""
        self.program, self.peer, self.mode = os.fspath(program), peer, mode
        self.socket_path = os.path.join(directory, "gpu.sock")
        self.log_path = os.path.join(directory, "stderr.log")
        self.session_socket = None
        self.may_crash = False
        self.prepare, self.environment = prepare, environment or {}
        self.process = None
        command = [self.program]
        if mode and not peer:
            command += ["--gpu-mode", mode, *(risk_args(self.program, mode) if risk else ())]
        command += args
        if with_fd:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            self.session_socket = ours
            self._spawn([*command, "--fd", str(theirs.fileno())], [theirs.fileno()])
            theirs.close()
        else:
            self._spawn([*command, "-s", self.socket_path], [])
            self._wait_socket()

    def _spawn(self, command, fds):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, pass_fds=fds,
                                            preexec_fn=self.prepare,
                                            env={**(build_environment(self.program)
                                                    or os.environ), **self.environment})

    def _wait_socket(self):
        deadline = time.monotonic() + START_LIMIT
        while not os.path.exists(self.socket_path):
            if self.process.poll() is not None:
                self._raise_start_error()
            if time.monotonic() > deadline:
                self.process.kill()
                raise StartError(f"no socket after {START_LIMIT} s: {self.log()}")
            time.sleep(0.005)

    def _raise_start_error(self):
        text = self.log()
        if NOT_STARTED.search(text):
            raise NotBuilt(text.strip())
        raise StartError(f"status {self.process.returncode}: {text}")

    @property
    def pid(self):
        return self.process.pid

    def settle(self):
        """What sessions have printed so far is in the log: their lines wake the process that writes
        them, and it sleeps when it has read them all."""
        wait_until(lambda: state(self.pid) not in "RD", "the log is written")

    def log(self):
        self.settle()
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_log(self, text):
        """The listener speaks of a session's end after that."""
        wait_until(lambda: text in self.log(), f"the log says '{text}'")

    def alive(self):
        return self.process.poll() is None

    def connect(self, timeout=PATIENCE):
        """A front-end's connection. The path may exist a moment before someone listens."""
        if self.session_socket:
            user, self.session_socket = VhostUser(self.session_socket, timeout), None
            return user
        deadline = time.monotonic() + START_LIMIT
        while True:
            try:
                return VhostUser.connect(self.socket_path, timeout)
            except ConnectionRefusedError:
                if time.monotonic() > deadline or not self.alive():
                    raise
                time.sleep(0.005)

    def sessions(self):
        return children(self.pid)

    def session_pid(self):
        """The process that serves the only front-end."""
        if self.peer:
            return self.pid
        wait_until(lambda: len(self.sessions()) == 1, "one session")
        return self.sessions()[0]

    def wait_sessions(self, count=0):
        wait_until(lambda: len(self.sessions()) == count, f"{count} sessions")
        self.settle()

    def wait_exit(self, timeout=PATIENCE):
        return self.process.wait(timeout)

    def check_log(self):
        """No sanitizer report. Leaks count where the program's own code is on the stack: GL drivers
        leave a little behind, in modules that are unloaded by then."""
        text = LINE_START.sub("", self.log())
        text = LEAKS.sub(lambda found: found[0] if OWN_FRAME.search(found[0]) else "", text)
        found = None if self.may_crash else SANITIZER.search(text)
        assert not found, f"sanitizer report:\n{text[found.start():][:6000]}"

    def kill(self):
        """Unconditional end, by pid; used when a test failed."""
        victims = self.sessions()
        if self.alive():
            self.process.kill()
        self.process.wait()
        for pid in victims:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def finish(self, expect_running=True):
        """All front-ends have left: the daemon must be there, alone, and end when it is told to."""
        if self.session_socket:
            self.session_socket.close()
        try:
            if self.peer:
                return
            if expect_running:
                assert self.alive(), f"the daemon ended: {self.log()[-3000:]}"
                self.wait_sessions(0)
                self.process.terminate()
            status = self.wait_exit()
            assert status == 0, f"exit status {status}: {self.log()[-3000:]}"
            assert not os.path.exists(self.socket_path), "the socket was left behind"
        finally:
            self.kill()
            self.check_log()
