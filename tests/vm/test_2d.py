# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The 2D device: modes, pattern on one and on two outputs, the console, and format changes."""

import pytest

from harness.modetest import connectors, force_on, spawn_pattern
from harness.pictures import assert_like_reference, assert_same, colours, smpte
from harness.process import wait_until


@pytest.mark.main
def test_modes_contain_what_qemu_was_asked_for(guest_2d):
    first = connectors(guest_2d)[0]
    assert first.status == "connected"
    # QEMU's EDID names it as the preferred one, which the kernel lists first.
    assert first.modes[0] == "1024x768"
    edid = guest_2d.run("wc -c </sys/class/drm/card0-Virtual-1/edid").output
    assert int(edid) >= 128, "the device passed no EDID on"


@pytest.mark.main
def test_pattern_is_exact(guest_2d):
    first = connectors(guest_2d)[0]
    spawn_pattern(guest_2d, [(first, "1024x768")])
    wanted = smpte(1024, 768)
    picture = guest_2d.wait_picture("smpte", lambda seen: assert_same(seen, wanted))
    assert_like_reference(picture, "smpte-1024x768")
    guest_2d.stop()


def test_mode_change_resizes_the_picture(guest_2d):
    first = connectors(guest_2d)[0]
    for mode, size in (("640x480", (640, 480)), ("1920x1080", (1920, 1080))):
        spawn_pattern(guest_2d, [(first, mode)])
        wanted = smpte(*size)
        guest_2d.wait_picture(f"smpte-{mode}", lambda seen, want=wanted: assert_same(seen, want))
        guest_2d.stop()


def test_page_flips_and_cursor(guest_2d):
    """Flips between two buffers, with a moving cursor. The picture must be one of the two."""
    first = connectors(guest_2d)[0]
    spawn_pattern(guest_2d, [(first, "1024x768")], "-v -C")
    wanted = smpte(1024, 768)
    guest_2d.wait_picture("flip-pattern", lambda seen: assert_same(seen, wanted))

    def is_the_other(seen):
        assert seen.size == (1024, 768)
        assert seen != wanted
        assert colours(seen) <= 8
    guest_2d.wait_picture("flip-other", is_the_other)
    wait_until("modetest's rate", 30, lambda: "freq:" in guest_2d.background_output())
    guest_2d.stop()


@pytest.mark.main
def test_two_outputs_show_the_two_halves(guest_2d):
    """modetest lays one buffer twice as wide under both outputs."""
    first, second = connectors(guest_2d)
    force_on(guest_2d, second)
    second = connectors(guest_2d)[1]
    assert "1024x768" in second.modes
    spawn_pattern(guest_2d, [(first, "1024x768"), (second, "1024x768")])
    whole = smpte(2048, 768)
    left, right = whole.crop((0, 0, 1024, 768)), whole.crop((1024, 0, 2048, 768))
    guest_2d.wait_picture("left", lambda seen: assert_same(seen, left))
    guest_2d.wait_picture("right", lambda seen: assert_same(seen, right), head=1)
    guest_2d.stop()


@pytest.mark.main
def test_console_text_appears_and_scrolls(guest_2d):
    """Small damage: the text console writes a character cell at a time."""
    guest_2d.run(r"printf '\033[2J\033[H\033[?25l\033[44m\033[J' >/dev/tty1")

    def is_blue(seen):
        assert seen.getcolors(1) == [(seen.width * seen.height, (0, 0, 170))]
    guest_2d.wait_picture("console-blue", is_blue)
    guest_2d.run(r"printf '\033[41m        \033[44m' >/dev/tty1")

    def has_a_red_corner(seen):
        assert seen.getpixel((0, 0)) == (170, 0, 0)
        assert seen.crop((0, 0, 64, 16)).getcolors(1) == [(64 * 16, (170, 0, 0))]
        assert seen.getpixel((64, 0)) == (0, 0, 170)
    guest_2d.wait_picture("console-red", has_a_red_corner)
    guest_2d.run(r"printf '\033[0m\033[2J\033[H\033[?25h' >/dev/tty1")
