# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What command streams make inside of the renderer is counted by nobody there: the session as a
whole has a limit, and ends when it takes more. Its neighbours and the listener do not."""

import select
import struct

import pytest

from frontend import virgl
from frontend.patience import PATIENCE
from frontend.virtio_gpu import BIND_SAMPLER_VIEW, TEXTURE_2D, Cmd, require

CTX = 1
# Of a session that does nothing; sanitizers take as much again, and more.
ENOUGH = "512M"
SIDE = 4096
MOST = 1000


def sub_contexts(number):
    """A GL context of the host each: about 2.5 MiB."""
    return [*virgl.create_sub_context(number)]


def resources(number):
    """64 MiB each, made by a command of the stream, and drawn to so that it is really there."""
    return [*virgl.create_pipe_resource(number, TEXTURE_2D, 1, BIND_SAMPLER_VIEW | 2, SIDE, SIDE)]


def answered(vm, chain):
    """Or did the session end before?"""
    ring = vm.rings[0]
    while not chain.done:
        ready, _, _ = select.select([ring.call_fd, vm.user.sock], [], [], PATIENCE)
        assert ready, "neither an answer nor an end"
        if vm.user.sock in ready:
            vm.user.wait_hang_up()
            return False
        ring.poll()
    return True


def eat(vm, commands):
    """Until the session ends. Returns how many commands it took."""
    number = 1
    while number < MOST:
        words = commands(number)
        body = struct.pack(f"=II{len(words)}I", 4 * len(words), 0, *words)
        if not answered(vm, vm.gpu.post(Cmd.SUBMIT_3D, body, ctx_id=CTX)):
            break
        number += 1
    return number


@pytest.mark.parametrize("commands", [sub_contexts, resources])
def test_memory_of_streams(running, commands):
    daemon = running.daemon("virglrenderer", "--max-memory", ENOUGH)
    bystander = running.vm(daemon, headless=True)
    vm = running.vm(daemon, headless=True)
    require(vm.gpu.ctx_create(CTX))
    assert eat(vm, commands) < MOST
    daemon.wait_log("ended with status 1")
    assert "more than --max-memory allows" in daemon.log()
    assert bystander.alive()
    assert running.connect(daemon).get_features()
