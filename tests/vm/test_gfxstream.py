# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The display in the mode gfxstream, with what of Rutabaga the host has: cross-domain at least.

QEMU's vhost-user-gpu-pci passes neither blobs nor contexts with a capset on: a screen is what a guest
gets from it. What else there is needs QEMU 11.1's generic device (tests/vulkan).
"""

import re

import pytest

from harness.modetest import connectors, spawn_pattern
from harness.pictures import assert_same, smpte
from harness.process import wait_until


@pytest.mark.main
def test_driver_sees_the_capsets(guest_gfxstream):
    text = guest_gfxstream.run("dmesg").output
    assert "+virgl" in text
    assert re.search(r"number of cap sets: [1-9]", text)


@pytest.mark.main
def test_pattern_is_exact(guest_gfxstream):
    first = connectors(guest_gfxstream)[0]
    assert first.modes[0] == "800x600"
    spawn_pattern(guest_gfxstream, [(first, "800x600")])
    wanted = smpte(800, 600)
    guest_gfxstream.wait_picture("smpte", lambda seen: assert_same(seen, wanted))
    guest_gfxstream.stop()


def test_page_flips_and_cursor(guest_gfxstream):
    """Flips between two buffers, with a moving cursor: the second one is seen as well."""
    first = connectors(guest_gfxstream)[0]
    spawn_pattern(guest_gfxstream, [(first, "800x600")], "-v -C")
    wanted = smpte(800, 600)
    guest_gfxstream.wait_picture("flip-pattern", lambda seen: assert_same(seen, wanted))

    def is_the_other(seen):
        assert seen.size == (800, 600)
        assert seen != wanted
    guest_gfxstream.wait_picture("flip-other", is_the_other)
    wait_until("modetest's rate", 30, lambda: "freq:" in guest_gfxstream.background_output())
    guest_gfxstream.stop()


def test_reboot(guest_gfxstream):
    guest_gfxstream.reboot()
    first = connectors(guest_gfxstream)[0]
    spawn_pattern(guest_gfxstream, [(first, "800x600")])
    wanted = smpte(800, 600)
    guest_gfxstream.wait_picture("smpte-again", lambda seen: assert_same(seen, wanted))
    guest_gfxstream.stop()
