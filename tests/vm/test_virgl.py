# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""OpenGL in the guest through Mesa's virgl driver: kmscube, glmark2, weston."""

import re

import pytest

from harness.modetest import connectors, spawn_pattern
from harness.pictures import assert_same, bounding_box, colours, share_of, smpte
from harness.process import wait_until

KMSCUBE_GREY = (127, 127, 127)
WESTON_CONFIG = """
[core]
idle-time=0
[shell]
background-color=0xff336699
panel-position=none
locking=false
animation=none
startup-animation=none
"""
# Up to version 10 weston opens a console itself, since 11 a seat manager has to.
WESTON = """
options="--backend=drm-backend.so --config=/tmp/weston.ini --continue-without-input
    --log=/run/vdg/weston.log"
if weston --help | grep -q -e --tty; then
    weston --tty=2 $options
else
    seatd-launch -- weston $options
fi
"""
WESTON_BACKGROUND = (0x33, 0x66, 0x99)


def assert_cube(picture):
    """A cube of many colours around the middle, on kmscube's grey."""
    assert share_of(picture, KMSCUBE_GREY) > 0.4, "no grey background"
    box = bounding_box(picture, KMSCUBE_GREY)
    assert box, "nothing on the background"
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    assert abs(middle_x - picture.width / 2) < picture.width * 0.1
    assert abs(middle_y - picture.height / 2) < picture.height * 0.1
    assert min(box[2] - box[0], box[3] - box[1]) > picture.height * 0.3
    # The faces are shaded between the colours of their corners.
    assert colours(picture.crop(box)) > 1000


@pytest.mark.main
def test_driver_has_3d(guest_virgl):
    text = guest_virgl.run("dmesg").output
    assert "+virgl" in text
    assert re.search(r"number of cap sets: [1-9]", text)


@pytest.mark.main
def test_pattern_is_exact(guest_virgl):
    """The same pattern as in 2D, but the buffer is the 3D renderer's."""
    first = connectors(guest_virgl)[0]
    assert first.modes[0] == "800x600"
    spawn_pattern(guest_virgl, [(first, "800x600")])
    wanted = smpte(800, 600)
    guest_virgl.wait_picture("smpte", lambda seen: assert_same(seen, wanted))
    guest_virgl.stop()


@pytest.mark.main
def test_kmscube(guest_virgl):
    guest_virgl.spawn("stdbuf -oL kmscube")
    first = guest_virgl.wait_picture("cube", assert_cube, limit=40)

    def is_cube_that_moved(seen):
        assert_cube(seen)
        assert seen != first
    guest_virgl.wait_picture("cube-moved", is_cube_that_moved)
    guest_virgl.stop()
    assert re.search(r"renderer: *\"?virgl", guest_virgl.background_output())


def assert_scores(output, scenes):
    assert re.search(r"GL_RENDERER: *virgl", output), output
    for scene in scenes:
        assert re.search(rf"\[{scene}\].*FPS: *[1-9]", output), output
    assert re.search(r"glmark2 Score: *[1-9]", output), output
    print("\n".join(output.splitlines()[-6:]))


@pytest.mark.limit(180)
def test_glmark2_off_screen(guest_virgl):
    assert_scores(guest_virgl.run(
        "glmark2-es2-drm --off-screen -s 320x240 -b build:duration=2 -b texture:duration=2"
        " -b shading:duration=2", limit=120).output, ["build", "texture", "shading"])


@pytest.mark.limit(180)
def test_glmark2_on_the_largest_mode(guest_virgl):
    """glmark2 takes the largest mode. (Its default has alpha, which the primary plane has not.)"""
    command = "stdbuf -oL glmark2-es2-drm --visual-config alpha=0 -b build:duration=4"
    guest_virgl.spawn(command)

    def is_a_horse(seen):
        assert seen.width > 1920
        assert colours(seen) > 100
    guest_virgl.wait_picture("glmark2", is_a_horse, limit=60)
    wait_until("glmark2's score", 90, lambda: "Score" in guest_virgl.background_output())
    guest_virgl.stop()
    assert_scores(guest_virgl.background_output(), ["build"])


@pytest.mark.limit(180)
def test_weston(guest_virgl):
    """A compositor with the GL renderer and a client that draws with EGL."""
    guest_virgl.run(f"cat >/tmp/weston.ini <<'END'\n{WESTON_CONFIG}END")
    guest_virgl.spawn(WESTON)

    def is_plain(seen):
        assert share_of(seen, WESTON_BACKGROUND) > 0.95
    guest_virgl.wait_picture("weston", is_plain, limit=60)
    guest_virgl.run("cd $XDG_RUNTIME_DIR; export WAYLAND_DISPLAY=$(ls -d wayland-? | head -1)\n"
                    "weston-simple-egl >/run/vdg/client.log 2>&1 &")

    def has_a_triangle(seen):
        assert 0.3 < share_of(seen, WESTON_BACKGROUND) < 0.95
        assert colours(seen) > 500
    guest_virgl.wait_picture("weston-egl", has_a_triangle, limit=40)
    guest_virgl.stop()
    log = (guest_virgl.jobs / "weston.log").read_text()
    assert re.search(r"GL renderer: *virgl", log), log
