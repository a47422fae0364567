# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Guests and front-ends that come and go while the daemon stays."""

from pathlib import Path

import pytest

from harness.device import device_kind
from harness.modetest import connectors, spawn_pattern
from harness.pictures import assert_same, smpte
from harness.process import wait_until

only_daemon = pytest.mark.skipif(
    device_kind() != "daemon", reason="the peer serves one front-end in its life")


def show_and_check(guest, mode="640x480"):
    """The pattern appears, exact, and goes away."""
    size = tuple(int(word) for word in mode.split("x"))
    spawn_pattern(guest, [(connectors(guest)[0], mode)])
    wanted = smpte(*size)
    guest.wait_picture(f"smpte-{mode}", lambda seen: assert_same(seen, wanted))
    guest.stop()


def keep_busy(guest):
    """Page flips as fast as the device answers, so that what comes next finds it at work."""
    spawn_pattern(guest, [(connectors(guest)[0], "1024x768")], "-v")
    wait_until("flips", 20, lambda: "freq:" in guest.background_output())


def sessions(device):
    """The daemon's child processes."""
    pid = device.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.main
@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_guest_reboots_under_load(machines, mode):
    guest = machines.guest(machines.device(mode))
    keep_busy(guest)
    guest.reboot()
    show_and_check(guest)
    guest.reboot()
    show_and_check(guest)


def test_driver_unbinds_and_binds(machines):
    """The guest resets the device without a reboot."""
    guest = machines.guest(machines.device("2d"))
    show_and_check(guest)
    guest.run("""
        echo 0 >/sys/class/vtconsole/vtcon1/bind
        cd /sys/bus/virtio/drivers/virtio_gpu
        name=$(ls -d virtio*)
        echo "$name" >unbind
        [ ! -e /sys/class/drm/card0 ]
        echo "$name" >bind
        [ -e /sys/class/drm/card0 ]
    """)
    show_and_check(guest)


@only_daemon
def test_stopped_and_continued(machines):
    """What the guest made stays, and QEMU, which sets the device status, finds it as it was."""
    device = machines.device("2d", "--log-level", "debug")
    guest = machines.guest(device)
    spawn_pattern(guest, [(connectors(guest)[0], "640x480")])
    wanted = smpte(640, 480)
    guest.wait_picture("before", lambda seen: assert_same(seen, wanted))
    for turn in range(3):
        guest.qmp.cmd("stop")
        guest.qmp.cmd("cont")
        guest.wait_picture(f"after-{turn}", lambda seen: assert_same(seen, wanted))
    guest.stop()
    show_and_check(guest, "800x600")
    assert "SET_STATUS" in (device.folder / "daemon.log").read_text()


@only_daemon
@pytest.mark.main
def test_qemu_killed_and_another_comes(machines):
    device = machines.device("2d")
    first = machines.guest(device)
    keep_busy(first)
    assert len(sessions(device)) == 1
    first.kill()
    wait_until("end of the killed QEMU's session", 10, lambda: not sessions(device))
    second = machines.guest(device)
    show_and_check(second)
    second.quit()
    wait_until("end of the second session", 10, lambda: not sessions(device))


@only_daemon
@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_two_guests_at_once(machines, mode):
    device = machines.device(mode)
    first = machines.guest(device, wait=False)
    second = machines.guest(device, wait=False)
    first.wait_ready()
    second.wait_ready()
    assert len(sessions(device)) == 2
    keep_busy(first)
    show_and_check(second, "800x600")
    first.kill()
    show_and_check(second, "640x480")
