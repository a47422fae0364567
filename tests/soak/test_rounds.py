# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The same thing very often: what a session and the listener have stays what it was in the 10th round."""

import pytest

from frontend import virgl
from frontend.pixels import random_bytes, rgb_only
from frontend.virtio_gpu import BIND_RENDER_TARGET, BIND_SCANOUT, FLAG_FENCE, require
from usage import assert_flat, usage

SIDE = 64
EARLY = 10
CTX = 1


@pytest.fixture(params=["2d", "virglrenderer"])
def vm(request, start_vm):
    return start_vm(request.param)


def rounds(vm, count, one_round):
    """Does a round as often as that. Returns the session's usage in the 10th one, and in the end."""
    pid, early = vm.daemon.session_pid(), None
    for turn in range(1, count + 1):
        one_round(turn)
        if turn % 64 == 0 or turn == EARLY:
            vm.display.forget()
        if turn == EARLY:
            vm.sync()
            early = usage(pid)
    vm.sync()
    return early, usage(pid)


def test_pictures(vm, length, figures):
    """Create, attach, show, transfer, flush, unref; from time to time the picture is looked at."""
    entries = vm.gpu.backing(4 * SIDE * SIDE)
    pixels = random_bytes(1, 4 * SIDE * SIDE)
    vm.memory.write(entries[0][0], pixels)
    count = length(2000, 100_000)

    def one_round(turn):
        number = turn % 1000 + 1
        require(vm.gpu.create_2d(number, 2, SIDE, SIDE))
        require(vm.gpu.attach_backing(number, entries))
        require(vm.gpu.set_scanout(0, number, 0, 0, SIDE, SIDE))
        require(vm.gpu.transfer_2d(number, 0, 0, SIDE, SIDE))
        require(vm.gpu.flush(number, 0, 0, SIDE, SIDE))
        if turn % 500 == 0:
            assert rgb_only(vm.shown().pixels) == rgb_only(pixels)
        require(vm.gpu.unref(number))

    early, late = rounds(vm, count, one_round)
    figures(f"{count} rounds: {early}, then {late}")
    assert_flat(vm.daemon.session_pid(), early, late)


def test_contexts(start_vm, length, figures):
    """A context, a target, a clear that is fenced and read back, and the end of all three."""
    vm = start_vm("virglrenderer")
    entries = vm.gpu.backing(4 * SIDE * SIDE)
    count = length(50, 1000)

    def one_round(turn):
        shade = turn % 256
        require(vm.gpu.ctx_create(CTX))
        require(vm.gpu.create_3d(CTX, SIDE, SIDE, bind=BIND_RENDER_TARGET | BIND_SCANOUT))
        require(vm.gpu.attach_backing(CTX, entries))
        require(vm.gpu.ctx_attach(CTX, CTX))
        words = virgl.create_surface(1, CTX, 2) + virgl.set_framebuffer(1)
        require(vm.gpu.submit_3d(CTX, words + virgl.clear(shade / 255, 0, 0), flags=FLAG_FENCE,
                                 fence_id=turn))
        require(vm.gpu.transfer_from_3d(CTX, CTX, (0, 0, 0, SIDE, SIDE, 1), stride=4 * SIDE))
        assert vm.memory.read(entries[0][0], 3) == bytes((0, 0, shade))
        require(vm.gpu.unref(CTX))
        require(vm.gpu.ctx_destroy(CTX))

    early, late = rounds(vm, count, one_round)
    figures(f"{count} contexts: {early}, then {late}")
    assert_flat(vm.daemon.session_pid(), early, late)


@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_reconnects(running, mode, length, figures):
    """Front-ends one after the other. Each session is fresh, so it is the listener that is looked at."""
    daemon = running.daemon(mode)
    count, early = length(20, 200), None
    for turn in range(1, count + 1):
        vm = running.vm(daemon)
        require(vm.gpu.create_2d(1, 2, SIDE, SIDE))
        vm.close()
        running.vms.remove(vm)
        daemon.wait_sessions(0)
        if turn == EARLY:
            early = usage(daemon.pid)
    late = usage(daemon.pid)
    figures(f"{count} reconnects, listener: {early}, then {late}")
    assert_flat(daemon.pid, early, late)
