# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What command streams make inside of the renderer is counted by nobody there: the session as a
whole has a limit, and ends when it takes more. Its neighbours and the listener do not."""

import os
import re
import select
import struct

import pytest

from frontend import virgl
from frontend.daemon import wait_until, why_mode_not
from frontend.memory import MIB
from frontend.patience import PATIENCE
from frontend.virtio_gpu import BIND_SAMPLER_VIEW, TEXTURE_2D, Cmd, Resp, require

CTX = 1
# Of a session that does nothing; sanitizers take as much again, and more.
ENOUGH = "512M"
SIDE = 4096
CAPSET_VENUS = 4
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


def eat(vm, post):
    """Until the session ends. Returns how many commands it took."""
    number = 1
    while number < MOST and answered(vm, post(number)):
        number += 1
    return number


def assert_ends_alone(running, daemon, bystander, option):
    daemon.wait_log("ended with status 1")
    assert f"than --{option} allows" in daemon.log()
    assert bystander.alive()
    assert running.connect(daemon).get_features()


@pytest.mark.parametrize("commands", [sub_contexts, resources])
def test_memory_of_streams(running, commands):
    daemon = running.daemon("virglrenderer", "--max-memory", ENOUGH)
    bystander = running.vm(daemon, headless=True)
    vm = running.vm(daemon, headless=True)
    require(vm.gpu.ctx_create(CTX))

    def post(number):
        words = commands(number)
        body = struct.pack(f"=II{len(words)}I", 4 * len(words), 0, *words)
        return vm.gpu.post(Cmd.SUBMIT_3D, body, ctx_id=CTX)

    assert eat(vm, post) < MOST
    assert_ends_alone(running, daemon, bystander, "max-memory")


def memory_len(pid):
    """As the daemon counts it."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        found = re.findall(r"^(?:RssAnon|VmSwap):\s+(\d+) kB", status.read(), re.MULTILINE)
    return sum(map(int, found)) * 1024


def test_guest_is_told_before(running):
    """Above 7/8 of the limit a guest gets nothing new, and the session lives."""
    limit = 512 * MIB
    daemon = running.daemon("virglrenderer", "--max-memory", str(limit))
    vm = running.vm(daemon, headless=True)
    pid = daemon.session_pid()
    require(vm.gpu.ctx_create(CTX))
    require(vm.gpu.create_2d(1, 1, 4, 4))
    number = 1
    while memory_len(pid) < limit * 29 / 32:
        require(vm.gpu.submit_3d(CTX, virgl.create_pipe_resource(
            number, TEXTURE_2D, 1, BIND_SAMPLER_VIEW | 2, 1024, 1024)))
        number += 1

    def is_refused():
        answer = vm.gpu.ctx_create(CTX + 1)
        if answer.ok:
            require(vm.gpu.ctx_destroy(CTX + 1))
        return answer.type == Resp.ERR_OUT_OF_MEMORY

    wait_until(is_refused, "out of memory")
    assert vm.gpu.create_2d(2, 1, 4, 4).type == Resp.ERR_OUT_OF_MEMORY
    assert "CTX_CREATE: resource 0" in daemon.log() and "its limit (--max-memory)" in daemon.log()
    require(vm.gpu.unref(1))
    require(vm.gpu.ctx_destroy(CTX))
    assert vm.user.get_features()


def start_venus(running, tmp_path, *args):
    """Asked for by name: what it allocates need not be mappable here."""
    arguments = ["--capset", "venus", *args]
    problem = why_mode_not(running.program, tmp_path, "virglrenderer", *arguments)
    if problem:
        assert "venus" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
        pytest.skip(f"this host does not start Venus: {problem}")
    return running.daemon("virglrenderer", *arguments)


def test_workers_of_the_render_server(running, tmp_path):
    """Each Vulkan context is a process, a grandchild of the session, and a thread here."""
    daemon = start_venus(running, tmp_path, "--max-tasks", "64")
    bystander = running.vm(daemon, headless=True)
    vm = running.vm(daemon, headless=True)
    for number in range(1, 61):
        body = struct.pack("=II64s", 4, CAPSET_VENUS, b"test")
        if not answered(vm, vm.gpu.post(Cmd.CTX_CREATE, body, ctx_id=number)):
            break
    vm.user.wait_hang_up()
    assert_ends_alone(running, daemon, bystander, "max-tasks")
