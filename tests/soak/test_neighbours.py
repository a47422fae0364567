# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Two guests of one daemon, one of them hostile: the other's pictures stay right and never stand still.

How much slower they are is a figure, and no reason to fail: on a machine with two processors the
hostile front-end itself takes some of them.
"""

import statistics
import time

import pytest

from frontend.pixels import differences, random_bytes, rgb_only
from test_faults import SEED, play

WIDTH, HEIGHT = 640, 480
FRAMES = 60  # of one stretch


def draw_frames(vm, resource):
    """One stretch of frames, each checked. Returns frames in a second."""
    began = time.monotonic()
    for turn in range(FRAMES):
        resource.fill(random_bytes(turn, 4 * WIDTH))  # the first line
        resource.transfer(*resource.full)
        resource.flush(*resource.full)
    rate = FRAMES / (time.monotonic() - began)
    assert not differences(rgb_only(vm.shown().pixels), resource.image.shown(), WIDTH)
    vm.display.forget()
    return rate


@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_hostile_neighbour(running, mode, tmp_path, length, figures):
    daemon = running.daemon(mode)
    vm = running.vm(daemon)
    resource = vm.gpu.resource(WIDTH, HEIGHT)
    resource.show(0)
    draw_frames(vm, resource)
    ratios, stretches = [], length(3, 20)
    with open(tmp_path / "player.log", "ab") as log:
        for turn in range(stretches):
            alone = draw_frames(vm, resource)
            player = play("hostile", daemon, SEED + turn, log)
            try:
                time.sleep(0.5)
                ratios.append(draw_frames(vm, resource) / alone)
                assert player.poll() is None, (tmp_path / "player.log").read_text()[-3000:]
            finally:
                player.kill()
                player.wait()
                player.stdout.close()
            daemon.wait_sessions(1)
    figures(f"beside a hostile guest {100 * statistics.median(ratios):.0f} % of the frames "
            f"({stretches} pairs, {100 * min(ratios):.0f} to {100 * max(ratios):.0f} %)")
    assert vm.alive()
