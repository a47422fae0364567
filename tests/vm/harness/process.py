# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Child processes that never outlive the tests, with their output in a file."""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class HarnessError(Exception):
    """What was started did not do what the tests build on."""


def wait_until(what, limit, condition, interval=0.02):
    """Return the first true value of condition(), or raise HarnessError after limit seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise HarnessError(f"{what}: not within {limit} s")
        time.sleep(interval)


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program in a process group of its own, its output appended to a log file."""

    def __init__(self, name, argv, log_path, env=None, pass_fds=()):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log_path = log_path
        with open(log_path, "ab") as log:
            log.write(("$ " + " ".join(self.argv) + "\n").encode())
            log.flush()
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=env, pass_fds=pass_fds, start_new_session=True,
                preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def check_alive(self):
        if not self.alive():
            raise HarnessError(f"{self.name} ended with status {self.popen.returncode}:\n"
                               + self.log_text()[-4000:])

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def wait(self, limit):
        """Wait for the end and return the exit status; HarnessError when it takes longer."""
        try:
            return self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"{self.name} still runs after {limit} s") from None

    def stop(self, limit=10):
        """SIGTERM, and SIGKILL for the group when it does not obey. Returns the exit status."""
        if self.alive():
            self.popen.terminate()
        try:
            return self.wait(limit)
        except HarnessError:
            self.kill()
            raise

    def kill(self):
        """SIGKILL for the program and for whatever it started."""
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
