# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Outputs of a headless device that come, change and go while a real guest runs."""

import pytest
from harness.device import Headless
from frontend.control import Control
from harness.guest import Guest

EVENTS = "/tmp/drm-events"


@pytest.fixture
def guest(folder, kernel, tmp_path):
    where = folder / "outputs"
    where.mkdir()
    device = Headless(where, "2d", ["--outputs", "1280x800,1920x1080+off", "--control", tmp_path])
    guest = Guest(kernel, device, where)
    try:
        device.start()
        guest.start()
        (path,) = tmp_path.glob("session-*.sock")
        guest.control = Control(path)
        yield guest
        guest.control.close()
        guest.quit()
        device.stop()
    finally:
        guest.kill()
        device.kill()


def connector(guest, number):
    """Its status, and the first of its modes, as the guest's kernel has them."""
    words = guest.run(f"cd /sys/class/drm/card*-Virtual-{number} && cat status && head -n 1 modes"
                      ).output.split()
    return tuple(words)


def look_until(guest, number, want):
    """Look at the connector, as a compositor does after an event, until it is as wanted."""
    line = " ".join(want)
    guest.run(f"""
        cd /sys/class/drm/card*-Virtual-{number}
        until [ "$(echo $(cat status) $(head -n 1 modes))" = "{line}" ]; do
            sleep 0.1
            echo detect >status
        done""", limit=60)
    assert connector(guest, number) == want


def wait_for_events(guest, count):
    guest.run(f"until [ $(grep -c HOTPLUG=1 {EVENTS}) -ge {count} ]; do sleep 0.1; done", limit=60)


def test_outputs_come_change_and_go(guest):
    assert connector(guest, 1) == ("connected", "1280x800")
    assert connector(guest, 2) == ("disconnected",)
    guest.run(f"setsid udevadm monitor --kernel --property --subsystem-match=drm >{EVENTS} 2>&1"
              f" </dev/null & until grep -q KERNEL {EVENTS}; do sleep 0.1; done")
    for count, size, want in (
            (1, "1024x768", ("connected", "1024x768")),
            (2, "1600x900", ("connected", "1600x900")),
            (3, "off", ("disconnected",))):
        assert guest.control.ask(f"output 1 {size}") == ["ok"]
        wait_for_events(guest, count)
        look_until(guest, 2, want)
    assert connector(guest, 1) == ("connected", "1280x800")
    assert "*ERROR*" not in guest.run("dmesg").output
