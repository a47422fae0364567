# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Fixtures of the protocol tests.

Environment: VHOST_DEVICE_GPU is the program; VHOST_DEVICE_GPU_REQUIRE lists modes that must not
be skipped (comma separated). With --peer the program is QEMU's vhost-user-gpu instead: that is how
the front-end itself is checked.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from frontend.checks import Checker  # noqa: E402
from frontend.daemon import Daemon, NotBuilt  # noqa: E402
from frontend.vm import Vm  # noqa: E402

DRAWING_MODES = ("2d", "virglrenderer", "gfxstream")
MODES = ("null", *DRAWING_MODES)


def pytest_addoption(parser):
    parser.addoption("--peer", help="path of QEMU's vhost-user-gpu, to check the front-end")


def pytest_configure(config):
    config.addinivalue_line("markers", "peer: QEMU's own back-end passes this test too")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--peer"):
        skip = pytest.mark.skip(reason="not for QEMU's back-end")
        for item in items:
            if not item.get_closest_marker("peer"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def program(pytestconfig):
    path = pytestconfig.getoption("--peer") or os.environ.get("VHOST_DEVICE_GPU")
    if not path:
        pytest.exit("VHOST_DEVICE_GPU does not name the program to test", returncode=2)
    if not os.access(path, os.X_OK):
        pytest.exit(f"{path} cannot be run", returncode=2)
    return os.path.abspath(path)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    setattr(item, "report_" + report.when, report)


class Running:
    """Everything that one test has started."""

    def __init__(self, program, directory, peer):
        self.program, self.directory, self.peer = program, directory, peer
        self.daemons, self.vms, self.users = [], [], []
        self.expect_running = True

    def daemon(self, mode, *args, with_fd=False, prepare=None, environment=None, risk=True):
        where = self.directory / f"daemon{len(self.daemons)}"
        where.mkdir()
        try:
            daemon = Daemon(self.program, where, mode, args, with_fd, self.peer, prepare,
                            environment, risk)
        except NotBuilt as error:
            assert mode not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(","), error
            pytest.skip(f"mode {mode}: {str(error).splitlines()[-1]}")
        self.daemons.append(daemon)
        return daemon

    def connect(self, daemon):
        user = daemon.connect()
        self.users.append(user)
        return user

    def vm(self, daemon, start=True, **options):
        """A front-end of the daemon, with a running guest if start."""
        vm = Vm(self.connect(daemon), **options)
        self.vms.append(vm)
        vm.handshake()
        return vm.start() if start else vm

    def end(self, failed):
        errors = [error for vm in self.vms for display in vm.displays for error in display.errors]
        errors += [error for vm in self.vms if vm.region for error in vm.region.errors]
        for vm in self.vms:
            vm.close()
        for user in self.users:
            user.close()
        for daemon in self.daemons:
            if failed:
                daemon.kill()
                print(daemon.log()[-4000:])
                daemon.check_log()
            else:
                daemon.finish(self.expect_running)
        if self.peer:  # its UPDATE leaves the flags uninitialised
            errors = [error for error in errors if "with flags" not in error]
        assert failed or not errors, errors


@pytest.fixture
def running(request, program, tmp_path):
    started = Running(program, tmp_path, bool(request.config.getoption("--peer")))
    yield started
    report = getattr(request.node, "report_call", None)
    started.end(failed=report is None or not report.passed)


@pytest.fixture
def start_vm(running):
    """start_vm(mode, *program arguments, **Vm options): a daemon and a guest that uses it."""
    def start(mode, *args, **options):
        vm = running.vm(running.daemon(mode, *args), **options)
        vm.daemon = running.daemons[-1]
        return vm
    return start


def one_mode(request):
    if request.config.getoption("--peer") and request.param != "2d":
        pytest.skip("the peer has one mode")
    return request.param


@pytest.fixture(params=MODES)
def mode(request):
    return one_mode(request)


@pytest.fixture(params=DRAWING_MODES)
def drawing_mode(request):
    """A mode that shows pixels."""
    return one_mode(request)


@pytest.fixture
def check():
    """Collects wrong answers; end with check.done(vm)."""
    return Checker()
