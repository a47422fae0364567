# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A guest's shader that does not end: it holds the renderer, but not the session for ever."""

import select
import signal
import struct
import time

import pytest

from frontend import virgl
from frontend.daemon import wait_until
from frontend.vhost_user import Request
from frontend.virtio_gpu import BIND_RENDER_TARGET, BIND_SAMPLER_VIEW, Cmd, require

CTX = 1
SIZE = 256
BOX = (0, 0, 0, SIZE, SIZE, 1)
# From the wish to end to the end of the process. It is 3 s on an idle machine; where nobody looks
# after the session, it is never.
LIMIT = 10.0


@pytest.fixture
def start(running):
    """A guest with a render target, of a session by itself (--fd) or of a daemon's."""
    def start_guest(with_fd, environment=None):
        vm = running.vm(running.daemon("virglrenderer", with_fd=with_fd, environment=environment))
        vm.daemon = running.daemons[-1]
        require(vm.gpu.ctx_create(CTX))
        vm.target = vm.gpu.new_id()
        vm.entries = vm.gpu.backing(4 * SIZE * SIZE)
        require(vm.gpu.create_3d(vm.target, SIZE, SIZE, 2,
                                 bind=BIND_RENDER_TARGET | BIND_SAMPLER_VIEW))
        require(vm.gpu.attach_backing(vm.target, vm.entries))
        require(vm.gpu.ctx_attach(CTX, vm.target))
        require(vm.gpu.submit_3d(CTX, virgl.create_surface(vm.target, vm.target, 2)
                                 + virgl.set_framebuffer(vm.target)))
        return vm
    return start_guest


def test_draw_that_ends(start):
    """What the other test does, with a shader that ends."""
    vm = start(False)
    require(vm.gpu.submit_3d(CTX, virgl.draw_with(virgl.GREEN, SIZE, SIZE)))
    require(vm.gpu.transfer_from_3d(CTX, vm.target, BOX))
    (address, length), = vm.entries
    assert vm.gpu.memory.read(address, length) == bytes((0, 255, 0, 255)) * SIZE * SIZE


def answers(vm):
    """Does the session answer within half a second?"""
    vm.user.send(Request.GET_FEATURES)
    if not select.select([vm.user.sock], [], [], 0.5)[0]:
        return False
    vm.user.get_reply(Request.GET_FEATURES)
    return True


def make_busy(vm):
    """The main thread of the session is at work on the last command, and waits for the GPU, when this
    returns."""
    require(vm.gpu.submit_3d(CTX, virgl.draw_with(virgl.BUSY, SIZE, SIZE, times=100)))
    body = struct.pack("=6IQIIII", *BOX, 0, vm.target, 0, 0, 0)
    vm.gpu.post(Cmd.TRANSFER_FROM_HOST_3D, body, ctx_id=CTX)
    wait_until(lambda: not answers(vm), "a session that is busy")


def end_time(wait):
    started = time.monotonic()
    wait()
    return time.monotonic() - started


@pytest.mark.parametrize("with_fd", [True, False], ids=["fd", "listener"])
@pytest.mark.parametrize("how", ["hang-up", "SIGTERM"])
def test_busy_renderer(start, running, with_fd, how):
    vm = start(with_fd)
    running.expect_running = False
    make_busy(vm)
    if how == "hang-up":
        vm.hang_up()
    else:
        vm.daemon.process.send_signal(signal.SIGTERM)
    if how == "hang-up" and not with_fd:
        took = end_time(vm.daemon.wait_sessions)
        vm.daemon.process.send_signal(signal.SIGTERM)
    else:
        took = end_time(vm.daemon.wait_exit)
    assert took < LIMIT
    vm.daemon.process.wait(20)
    running.daemons.remove(vm.daemon)
    vm.daemon.kill()
    vm.daemon.check_log()
