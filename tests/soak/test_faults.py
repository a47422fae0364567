# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Parties that die or stand still, at moments that a seed chooses: the daemon serves on."""

import pathlib
import random
import select
import struct
import subprocess
import sys
import time

import pytest

from frontend.display import Kind
from frontend.patience import PATIENCE
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.ring import RingTimeout
from frontend.virtio_gpu import Cmd, Resp, require
from usage import assert_flat, usage

PLAYERS = pathlib.Path(__file__).with_name("players.py")
SEED = 20261125
EARLY = 10


def play(what, daemon, seed, log):
    """A front-end that is a process of its own, and is about to connect."""
    player = subprocess.Popen([sys.executable, "-B", PLAYERS, what, daemon.socket_path, str(seed)],
                              stdout=subprocess.PIPE, stderr=log)
    assert select.select([player.stdout], [], [], PATIENCE)[0], "the player does not start"
    return player


@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_frontend_is_killed(running, mode, tmp_path, length, figures):
    """SIGKILL while it connects, draws, or waits: its session ends, and the next one is served."""
    daemon, rng = running.daemon(mode), random.Random(SEED)
    count, early = length(20, 200), None
    with open(tmp_path / "player.log", "ab") as log:
        for turn in range(1, count + 1):
            player = play("drawing", daemon, turn, log)
            time.sleep(rng.random() * rng.choice([0.02, 0.2]))
            player.kill()
            player.wait()
            player.stdout.close()
            daemon.wait_sessions(0)
            if turn == EARLY:
                early = usage(daemon.pid)
    late = usage(daemon.pid)
    figures(f"{count} front-ends were killed, listener: {early}, then {late}")
    assert "Error" not in (tmp_path / "player.log").read_text()
    assert running.vm(daemon).alive()
    assert_flat(daemon.pid, early, late)


def responsive(vm):
    """The control socket and the cursor queue answer. Returns how long the socket took, seconds."""
    before = time.monotonic()
    vm.user.get_features()
    taken = time.monotonic() - before
    vm.gpu.move_cursor(0, 1, 1)
    return taken


@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_display_stands_still(start_vm, mode, length, figures):
    """A front-end that does not read its display: what it is owed does not pile up, and it is served.

    A flush that finds the socket full waits, and the control queue behind it. The guest puts all
    into the queue that it holds, resets, and begins again.
    """
    vm = start_vm(mode)
    width, height = 1024, 768
    body = struct.pack("=IIII", 0, 0, width, height)
    early, slowest, count = None, 0, length(40, 300)
    for turn in range(1, count + 1):
        resource = vm.gpu.resource(width, height)
        resource.draw(bytes(4 * width * height))
        resource.show(0)
        vm.display.pause_reading()
        vm.gpu.move_cursor(0, 1, 1)
        while vm.rings[0].free_slots >= 2:
            vm.gpu.post(Cmd.RESOURCE_FLUSH, body + struct.pack("=II", resource.id, 0))
        slowest = max(slowest, *(responsive(vm) for _ in range(20)))
        # Stopped, all of them are answered, and the next display begins afresh.
        vm.reset()
        for gpa, room in resource.entries:
            vm.memory.free(gpa, room, 4096)
        if turn == EARLY:
            early = usage(vm.daemon.session_pid())
    late = usage(vm.daemon.session_pid())
    figures(f"{count} displays that stand still: {early}, then {late}; "
            f"the control socket answers within {1000 * slowest:.1f} ms")
    # llvmpipe keeps up to ten of the pictures that were freed last, at any time.
    kept = 10 if mode == "virglrenderer" else 0
    assert_flat(vm.daemon.session_pid(), early, late, kept * 4 * width * height)


def test_display_goes_on_where_it_stood(start_vm):
    """Nothing is lost: the flush that waited is shown, and what came behind it."""
    vm = start_vm("2d")
    resource = vm.gpu.resource(1024, 768)
    resource.draw(random_bytes(1, 4 * 1024 * 768))
    resource.show(0)
    vm.sync()
    vm.display.pause_reading()
    vm.gpu.move_cursor(0, 1, 1)
    body = struct.pack("=IIIIII", 0, 0, 1024, 768, resource.id, 0)
    chains = [vm.gpu.post(Cmd.RESOURCE_FLUSH, body) for _ in range(64)]
    for _ in range(20):
        responsive(vm)
    vm.display.resume_reading()
    assert all(vm.gpu.result(chain).ok for chain in chains)
    resource.draw(random_bytes(2, 4 * 1024 * 768))
    resource.flush(*resource.full)
    assert not differences(rgb_only(vm.shown().pixels), resource.image.shown(), 1024)
