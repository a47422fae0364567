# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Resources of virgl that go to the display as dma-bufs, where the host's GL exports them.

llvmpipe does where there is /dev/udmabuf (tests/vulkan/testhost).
"""

import glob
import os
import struct

import pytest

from frontend import virgl
from frontend.display import Display, Kind
from frontend.dmabuf import last_shown
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import (BIND_RENDER_TARGET, BIND_SAMPLER_VIEW, BIND_SCANOUT, Cmd, require)

CTX, WIDTH, HEIGHT = 1, 128, 96
FULL = (0, 0, WIDTH, HEIGHT)
BIND = BIND_RENDER_TARGET | BIND_SAMPLER_VIEW | BIND_SCANOUT
NODES = sorted(glob.glob("/dev/dri/renderD*"))


@pytest.fixture
def vm(start_vm):
    return with_context(start_vm("virglrenderer"))


def with_context(vm):
    require(vm.gpu.ctx_create(CTX))
    return vm


class Target:
    """A render target with backing, bound as framebuffer, shown on scanout 0."""

    def __init__(self, vm, fmt=2, area=FULL):
        self.gpu, self.id = vm.gpu, vm.gpu.new_id()
        require(self.gpu.create_3d(self.id, WIDTH, HEIGHT, fmt, bind=BIND))
        self.entries = self.gpu.backing(4 * WIDTH * HEIGHT)
        require(self.gpu.attach_backing(self.id, self.entries))
        require(self.gpu.ctx_attach(CTX, self.id))
        words = virgl.create_surface(self.id, self.id, fmt) + virgl.set_framebuffer(self.id)
        require(self.gpu.submit_3d(CTX, words))
        require(self.gpu.set_scanout(0, self.id, *area))
        vm.sync()
        if last_shown(vm.display) is None:
            assert "dmabuf" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
            pytest.skip("this host's GL exports no dma-buf")

    def clear(self, red, green, blue):
        """Without a fence: a flush shows what was submitted before it."""
        require(self.gpu.submit_3d(CTX, virgl.clear(red, green, blue)))

    def draw(self, data):
        self.gpu.memory.write(self.entries[0][0], data)
        box = (0, 0, 0, WIDTH, HEIGHT, 1)
        require(self.gpu.transfer_to_3d(CTX, self.id, box, stride=4 * WIDTH))

    def flush(self):
        require(self.gpu.flush(self.id, *FULL))


def assert_shows(vm, expected, width=WIDTH):
    vm.sync()
    different = differences(last_shown(vm.display).pixels(), expected, width)
    assert not different


@pytest.mark.parametrize("node", ["surfaceless", *NODES])
def test_clear(start_vm, node):
    args = () if node == "surfaceless" else ("--render-node", node)
    vm = with_context(start_vm("virglrenderer", *args))
    target = Target(vm)
    for color in ((1, 0, 0), (0, 1, 0), (0.2, 0.4, 0.6)):
        target.clear(*color)
        target.flush()
        red, green, blue = (round(255 * c) for c in color)
        assert_shows(vm, bytes((blue, green, red, 0)) * (WIDTH * HEIGHT))
    assert not vm.display.of_kind(Kind.UPDATE)


def test_every_pixel(vm):
    for fmt in (1, 2):
        target = Target(vm, fmt)
        for seed in range(3):
            data = random_bytes(seed, 4 * WIDTH * HEIGHT)
            target.draw(data)
            target.flush()
            assert_shows(vm, rgb_only(data))


def test_part_of_the_resource(vm):
    target = Target(vm, area=(32, 16, 64, 48))
    data = random_bytes(1, 4 * WIDTH * HEIGHT)
    target.draw(data)
    target.flush()
    rows = (4 * ((16 + row) * WIDTH + 32) for row in range(48))
    assert_shows(vm, rgb_only(b"".join(data[start:start + 256] for start in rows)), 64)
    assert vm.display.of_kind(Kind.DMABUF_UPDATE)[-1].values == (0, 0, 0, 64, 48)


def test_flush_waits_for_the_answer(vm):
    target = Target(vm)
    vm.display.hold(Kind.DMABUF_UPDATE)
    flush = vm.gpu.post(Cmd.RESOURCE_FLUSH, struct.pack("=6I", *FULL, target.id, 0))
    vm.display.wait_event(Kind.DMABUF_UPDATE)
    vm.sync()
    vm.rings[0].poll()
    assert not flush.done
    vm.display.release()
    assert vm.gpu.result(flush).ok


def test_many_clears(vm):
    """The last one of many is what is shown, each time."""
    target = Target(vm)
    for turn in range(17):
        for i in range(10):
            target.clear(1, i / 10, turn / 17)
        target.clear(0, 1, turn / 17)
        target.flush()
        with_blue = bytes((15 * turn, 255, 0, 0))
        assert_shows(vm, with_blue * (WIDTH * HEIGHT))


@pytest.mark.parametrize("what", ["table", "reset", "display", "ring"])
def test_interrupted_flush(vm, what):
    """In the middle of a flush, at no chosen point: it is answered, and all goes on."""
    target = Target(vm)
    for _ in range(5):
        target.clear(1, 0, 0)
        flush = vm.gpu.post(Cmd.RESOURCE_FLUSH, struct.pack("=6I", *FULL, target.id, 0))
        if what == "table":
            vm.user.set_mem_table(vm.memory.regions)
        elif what == "display":
            old, vm.display = vm.display, Display()
            vm.displays.append(vm.display)
            vm.display.give(vm.user)
            old.close()
        elif what == "ring":
            vm.user.set_vring_enable(0, False)
            vm.start_ring(0, vm.user.get_vring_base(0))
        else:
            vm.reset()
            with_context(vm)
            target = Target(vm)
            continue
        vm.gpu.result(flush)
    target.clear(0, 0, 1)
    target.flush()
    assert_shows(vm, bytes((255, 0, 0, 0)) * (WIDTH * HEIGHT))


def test_not_wanted(start_vm):
    vm = with_context(start_vm("virglrenderer", "--use-dmabuf=false"))
    require(vm.gpu.create_3d(1, WIDTH, HEIGHT, 2, bind=BIND))
    require(vm.gpu.set_scanout(0, 1, *FULL))
    require(vm.gpu.flush(1, *FULL))
    picture = vm.shown()
    assert picture and not picture.dmabuf
    assert not vm.display.of_kind(Kind.DMABUF_SCANOUT, Kind.DMABUF_SCANOUT2)
