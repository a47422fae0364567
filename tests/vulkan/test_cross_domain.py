# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A Wayland client in a real guest on the host's weston, through cross-domain on QEMU 11.1."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import headless_guest
from harness.process import Process, wait_until
from PIL import Image

SIZE = (640, 480)
CLIENT = Path(__file__).with_name("guest_wayland.py")
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


class Weston:
    """The host's compositor, without a screen; any client may take a screenshot."""

    def __init__(self, folder):
        self.folder = folder
        # The path of a socket has room for 107 bytes.
        self.runtime = Path(tempfile.mkdtemp(prefix="vdg-wl-"))
        self.socket = self.runtime / "host"
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime),
                            "WAYLAND_DISPLAY": "host", "XDG_PICTURES_DIR": str(folder)}
        self.process = Process("weston", [
            "weston", "--backend=headless", "--renderer=pixman", "--shell=kiosk", "--no-config",
            "--socket=host", "--debug", f"--width={SIZE[0]}", f"--height={SIZE[1]}",
            "--idle-time=0"], folder / "weston.log", env=self.environment)
        wait_until("weston's socket", 30, self.socket.exists)

    def screenshot(self):
        for path in self.folder.glob("*.png"):
            path.unlink()
        subprocess.run(["weston-screenshooter"], cwd=self.folder, env=self.environment,
                       timeout=30, check=True)
        with Image.open(next(self.folder.glob("*.png"))) as picture:
            return picture.convert("RGB")


@pytest.fixture(scope="module", name="weston")
def fixture_weston(folder):
    where = folder / "weston"
    where.mkdir()
    weston = Weston(where)
    yield weston
    weston.process.kill()


@pytest.fixture(scope="module", name="guest")
def fixture_guest(folder, kernel, weston):
    yield from headless_guest(folder / "cross-domain", kernel, "gfxstream", "--capset",
                              "cross-domain", "--channel", f"wayland={weston.socket}")


def assert_four_colours(picture):
    assert picture.size == SIZE
    half = (SIZE[0] // 2, SIZE[1] // 2)
    for box, colour in (((0, 0), RED), ((half[0], 0), GREEN), ((0, half[1]), BLUE), (half, YELLOW)):
        part = picture.crop((*box, box[0] + half[0], box[1] + half[1]))
        assert part.getcolors(1) == [(half[0] * half[1], colour)], (box, part.getcolors(4))


def test_driver_has_the_capset(guest):
    log = guest.run("dmesg | grep -i '\\[drm\\]'").output
    for feature in ("+resource_blob", "+host_visible", "+context_init"):
        assert feature in log, log
    assert re.search(r"number of cap sets: 1\b", log), log


def test_host_shows_what_the_guest_draws(guest, weston):
    """The guest's pixels, drawn into memory that it shares with the host, on the host's screen."""
    guest.spawn(f"python3 -u {CLIENT} {SIZE[0]} {SIZE[1]} 1000")
    wait_until("the picture", 60, lambda: "shown" in guest.background_output()
               or not guest.run("pgrep -f guest_wayland", check=False).output)
    output = guest.background_output()
    assert "shown" in output, output
    assert "xdg_wm_base" in output, output
    assert_four_colours(weston.screenshot())
    guest.stop()


def test_second_client_after_the_first(guest, weston):
    """The first one's window went with its context."""
    output = guest.run(f"python3 -u {CLIENT} {SIZE[0]} {SIZE[1]} 0", limit=60).output
    assert "shown" in output, output
    assert "*ERROR*" not in guest.run("dmesg").output
    wait_until("the window's end", 30, lambda: weston.screenshot().getcolors(1))
