# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""2D resources: every pixel that reaches the display is compared with a reference picture."""

import random

import pytest

from frontend.display import Kind
from frontend.memory import GuestMemory, MIB
from frontend.pixels import B8G8R8A8, B8G8R8X8, FORMATS, differences, random_bytes, rgb_only
from frontend.virtio_gpu import PAGE, require


def assert_shown(vm, resource, scanout=0, area=None):
    """The whole scanout shows the resource (or the area of it that was put there)."""
    picture = vm.shown(scanout)
    assert picture is not None, f"scanout {scanout} shows nothing"
    x, y, w, h = area or resource.full
    assert (picture.width, picture.height) == (w, h)
    expected = resource.image.shown(x, y, w, h)
    different = differences(rgb_only(picture.pixels), expected, w)
    assert not different


@pytest.mark.parametrize("fmt", [
    pytest.param(fmt, marks=pytest.mark.peer if fmt in (B8G8R8A8, B8G8R8X8) else ())
    for fmt in FORMATS])
def test_formats(start_vm, drawing_mode, fmt):
    """The peer sends updates in the resource's own format, hence only two of them from it."""
    vm = start_vm(drawing_mode)
    resource = vm.gpu.resource(50, 37, fmt)
    resource.draw(random_bytes(fmt, 4 * 50 * 37))
    resource.show(0)
    resource.flush(*resource.full)
    assert_shown(vm, resource)


@pytest.mark.peer
@pytest.mark.parametrize("width,height", [(16, 16), (17, 16), (640, 480), (1366, 768), (3840, 16)])
def test_sizes(start_vm, drawing_mode, width, height):
    vm = start_vm(drawing_mode)
    resource = vm.gpu.resource(width, height)
    resource.draw(random_bytes(width, 4 * width * height))
    resource.show(0)
    resource.flush(*resource.full)
    assert_shown(vm, resource)


def random_rect(rng, width, height):
    x, y = rng.randrange(width), rng.randrange(height)
    return x, y, rng.randint(1, width - x), rng.randint(1, height - y)


@pytest.mark.peer
@pytest.mark.parametrize("sizes", [(), (1, 3, 7), (PAGE,), (13, PAGE + 1, 2, 999), (199,)])
def test_random_transfers(start_vm, drawing_mode, sizes):
    """Rectangles anywhere, out of backing that may be in odd pieces."""
    width, height = 61, 47
    vm = start_vm(drawing_mode)
    resource = vm.gpu.resource(width, height, entries=vm.gpu.backing(4 * width * height, sizes))
    resource.draw(random_bytes(1, 4 * width * height))
    resource.show(0)
    rng = random.Random(len(sizes))
    for step in range(40):
        x, y, w, h = random_rect(rng, width, height)
        resource.fill(random_bytes(step, 4 * width * height))
        resource.transfer(x, y, w, h, 4 * (y * width + x))
        resource.flush(*resource.full)
        assert_shown(vm, resource)


@pytest.mark.peer
def test_offset_is_independent_of_the_rectangle(start_vm, drawing_mode):
    """The source starts at the offset, wherever the rectangle lies."""
    width, height = 64, 32
    vm = start_vm(drawing_mode)
    entries = vm.gpu.backing(4 * width * height + 4096)
    resource = vm.gpu.resource(width, height, entries=entries)
    resource.draw(random_bytes(2, 4 * width * height + 4096))
    resource.show(0)
    for offset, area in ((0, (8, 8, 20, 10)), (4 * 7, (0, 31, 50, 1)), (400, (0, 0, 64, 32)),
                         (4096, (0, 0, 64, 32)), (4 * 64 * 31, (63, 0, 1, 1))):
        resource.transfer(*area, offset)
        resource.flush(*resource.full)
        assert_shown(vm, resource)


@pytest.mark.peer
def test_flush_sends_the_damaged_rectangle_only(start_vm, drawing_mode):
    vm = start_vm(drawing_mode)
    resource = vm.gpu.resource(200, 100)
    resource.show(0)
    vm.sync()
    for area in ((0, 0, 200, 100), (5, 7, 11, 13), (199, 99, 1, 1), (0, 50, 200, 1)):
        resource.draw(random_bytes(area[2], 4 * 200 * 100))
        vm.display.forget()
        resource.flush(*area)
        vm.sync()
        updates = vm.display.of_kind(Kind.UPDATE)
        assert [update.values for update in updates] == [(0, *area)]
        expected = resource.image.shown(*area)
        different = differences(rgb_only(updates[0].data), expected, area[2])
        assert not different


@pytest.mark.peer
def test_unflushed_content_is_not_shown(start_vm, drawing_mode):
    vm = start_vm(drawing_mode)
    resource = vm.gpu.resource(32, 32)
    resource.draw(random_bytes(3, 4096))
    resource.show(0)
    resource.flush(*resource.full)
    vm.sync()
    before = bytes(vm.display.picture().pixels)
    resource.draw(random_bytes(4, 4096))
    vm.sync()
    assert bytes(vm.display.picture().pixels) == before


@pytest.mark.peer
def test_backing_may_go_after_the_transfer(start_vm, drawing_mode):
    """What the host has does not need the guest's pages any longer."""
    vm = start_vm(drawing_mode)
    resource = vm.gpu.resource(40, 40)
    resource.draw(random_bytes(5, 6400))
    require(vm.gpu.detach_backing(resource.id))
    resource.fill(bytes(6400))
    resource.show(0)
    resource.flush(*resource.full)
    assert_shown(vm, resource)
    resource.attach(vm.gpu.backing(6400, (PAGE,)))
    resource.draw(random_bytes(6, 6400))
    resource.flush(*resource.full)
    assert_shown(vm, resource)


def test_backing_across_two_regions(start_vm, drawing_mode):
    """One entry that begins in a memory region and ends in the next."""
    vm = start_vm(drawing_mode, memory=GuestMemory((8 * MIB, 8 * MIB)))
    length = 4 * 128 * 64
    boundary = vm.memory.regions[1].gpa
    vm.memory.regions[1].used_len = length
    entries = [(boundary - 8192, 8192 + 100), (boundary + 4096, length - 8192 - 100)]
    resource = vm.gpu.resource(128, 64, entries=entries)
    resource.draw(random_bytes(7, length))
    resource.show(0)
    resource.flush(*resource.full)
    assert_shown(vm, resource)
