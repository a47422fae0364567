# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The VGA flavour: boot messages are visible before the guest's driver loads."""

import pytest

from harness.modetest import connectors, spawn_pattern
from harness.pictures import assert_same, share_of, smpte

# Messages on the VGA text console too, and the driver left to the test.
KERNEL_ARGS = "console=tty0 loglevel=7 vdg.gpu=late"
VGA_TEXT = (170, 170, 170)


def assert_text(picture, size):
    """A text screen: mostly black, some grey."""
    assert picture.size == size
    assert 0.01 < share_of(picture, VGA_TEXT) < 0.4
    assert share_of(picture, (0, 0, 0)) > 0.5


@pytest.mark.main
def test_boot_messages_then_driver(machines):
    guest = machines.guest(machines.device("2d"), vga=True, size=(1024, 768),
                           kernel_args=KERNEL_ARGS)
    assert "[drm]" not in guest.run("dmesg").output
    guest.wait_picture("text-mode", lambda seen: assert_text(seen, (720, 400)))

    guest.run("modprobe virtio_gpu")
    guest.wait_picture("driver", lambda seen: assert_text(seen, (1024, 768)))
    spawn_pattern(guest, [(connectors(guest)[0], "1024x768")])
    wanted = smpte(1024, 768)
    guest.wait_picture("smpte", lambda seen: assert_same(seen, wanted))
    guest.stop()
    # Back in the firmware the card is a VGA again.
    guest.reboot()
    guest.wait_picture("text-again", lambda seen: assert_text(seen, (720, 400)))
