# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Fixtures: guests that tests share, guests of a test's own, time limits, logs of failures.

Environment: VHOST_DEVICE_GPU (the program; build/src/vhost-device-gpu without it),
VDG_VM_DEVICE (daemon, c-peer, in-process), VDG_ACCEL (tcg, kvm; found out otherwise),
VDG_KERNEL (image), VDG_LOGS (folder that keeps the logs).
"""

import os
import signal
from pathlib import Path

import pytest

from harness.device import Daemon, Unsupported, device_kind, make_device
from harness.guest import Guest
from harness.kernel import Kernel

LOG_TAIL = 4000
DEFAULT_LIMIT = 120


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): time limit of the test, boot included")
    config.addinivalue_line("markers", "main: runs with the sanitizer build too")


# QEMU dies of them now and then where a guest under TCG with threads resets (10.0.2) or maps its PCI devices
# (7.2): its processors look at a memory map that another thread has just replaced.
QEMU_FAULTS = ("iotlb_to_section: Assertion", "msix_table_mmio_write: Assertion")


def excuse_qemu(report, call):
    """A test that QEMU's own fault ended has shown nothing: it counts as skipped, and says so."""
    text = str(call.excinfo.value) if report.failed and call.excinfo else ""
    for fault in QEMU_FAULTS:
        if fault in text:
            report.outcome = "skipped"
            report.longrepr = (__file__, 0, f"Skipped: QEMU died of its own fault ({fault})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    failed = report.failed
    excuse_qemu(report, call)
    if failed:
        item.stash[FAILED] = True
        for guest in item.stash.get(USED, []):
            for path in guest.logs():
                if path.exists():
                    tail = path.read_text(errors="replace")[-LOG_TAIL:]
                    report.sections.append((f"end of {path}", tail))
    return report


FAILED = pytest.StashKey()
USED = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A time limit for set-up, test and teardown together."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT

    def expired(_signal, _frame):
        raise TimeoutError(f"{item.name}: time limit of {seconds} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


class Machines:
    """Makes devices and guests in numbered folders, and ends them all."""

    def __init__(self, kernel, folder):
        self.kernel = kernel
        self.folder = folder
        self.devices = []
        self.guests = []

    def _new_folder(self, name):
        number = 1 + len(list(self.folder.iterdir()))
        folder = self.folder / f"{number:02}-{name}"
        folder.mkdir()
        return folder

    def device(self, mode, *extra_args):
        """A started device; skips the test where a peer chosen for comparison has no such mode."""
        try:
            device = make_device(self._new_folder(f"device-{mode}"), mode, extra_args)
        except Unsupported as reason:
            pytest.skip(str(reason))
        self.devices.append(device)
        device.start()
        return device

    def guest(self, device, wait=True, **options):
        """A started guest; options are Guest's."""
        guest = Guest(self.kernel, device, self._new_folder("guest"), **options)
        self.guests.append(guest)
        guest.start(wait)
        return guest

    def kill_all(self):
        for started in self.guests + self.devices:
            started.kill()
        self.guests.clear()
        self.devices.clear()

    def finish(self):
        """End all in the orderly way; what does not end so is an error."""
        try:
            for guest in self.guests:
                if guest.healthy():
                    guest.quit()
            for device in self.devices:
                device.stop()
        finally:
            self.kill_all()


@pytest.fixture(scope="session", name="logs")
def fixture_logs(tmp_path_factory):
    if "VDG_LOGS" not in os.environ:
        return tmp_path_factory.mktemp("vm")
    folder = Path(os.environ["VDG_LOGS"]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session", name="kernel")
def fixture_kernel(tmp_path_factory):
    if device_kind() == "daemon" and not os.access(Daemon.program(), os.X_OK):
        pytest.exit(f"no program to test: {Daemon.program()}", returncode=2)
    return Kernel(tmp_path_factory.mktemp("kernel"))


@pytest.fixture(name="machines")
def fixture_machines(request, kernel, logs):
    """Machines of the test's own, gone when it ends."""
    machines = Machines(kernel, logs)
    request.node.stash[USED] = machines.guests_seen = []
    original = machines.guest

    def guest(*args, **options):
        started = original(*args, **options)
        machines.guests_seen.append(started)
        return started

    machines.guest = guest
    try:
        yield machines
        if FAILED not in request.node.stash:
            for started in machines.guests:
                check_after_test(started)
            machines.finish()
    finally:
        machines.kill_all()


class Shared:
    """One guest for many tests. A test that fails takes it down, the next one boots afresh."""

    def __init__(self, kernel, logs, mode, **options):
        self.machines = Machines(kernel, logs)
        self.mode = mode
        self.options = options

    def get(self):
        if not self.machines.guests or not self.machines.guests[0].healthy():
            self.machines.kill_all()
            self.machines.guest(self.machines.device(self.mode), **self.options)
        return self.machines.guests[0]


def check_after_test(guest):
    """What must hold after every test, whatever it was about."""
    guest.device.check()
    if guest.healthy():
        errors = guest.kernel_errors()
        assert not errors, "the guest's kernel complained:\n" + "\n".join(errors)


def lend(request, shared):
    """A generator for a fixture that lends a shared guest to one test."""
    guest = shared.get()
    request.node.stash[USED] = [guest]
    yield guest
    try:
        assert FAILED not in request.node.stash
        check_after_test(guest)
    except BaseException as error:
        shared.machines.kill_all()
        if FAILED not in request.node.stash:
            raise error


@pytest.fixture(scope="session", name="shared_2d")
def fixture_shared_2d(kernel, logs):
    shared = Shared(kernel, logs, "2d", outputs=2, size=(1024, 768))
    yield shared
    shared.machines.finish()


@pytest.fixture(scope="session", name="shared_virgl")
def fixture_shared_virgl(kernel, logs):
    shared = Shared(kernel, logs, "virglrenderer", size=(800, 600))
    yield shared
    shared.machines.finish()


@pytest.fixture(scope="session", name="shared_gfxstream")
def fixture_shared_gfxstream(kernel, logs):
    shared = Shared(kernel, logs, "gfxstream", size=(800, 600))
    yield shared
    shared.machines.finish()


@pytest.fixture(name="guest_2d")
def fixture_guest_2d(request, shared_2d):
    yield from lend(request, shared_2d)


@pytest.fixture(name="guest_virgl")
def fixture_guest_virgl(request, shared_virgl):
    yield from lend(request, shared_virgl)


@pytest.fixture(name="guest_gfxstream")
def fixture_guest_gfxstream(request, shared_gfxstream):
    yield from lend(request, shared_gfxstream)
