# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Scanouts: parts of resources, several outputs, resources that go while they are shown."""

import random

import pytest

from frontend.display import Kind
from frontend.pixels import FORMATS, differences, random_bytes, rgb_only
from frontend.virtio_gpu import MAX_SCANOUTS, require

SIZE = 4 * 64 * 64


@pytest.fixture
def vm(start_vm, drawing_mode):
    return start_vm(drawing_mode)


def drawn(vm, width=64, height=64, fmt=2, seed=0):
    resource = vm.gpu.resource(width, height, fmt)
    resource.draw(random_bytes(seed, 4 * width * height))
    return resource


def assert_picture(vm, scanout, resource, area):
    picture = vm.display.picture(scanout)
    assert (picture.width, picture.height) == area[2:]
    different = differences(rgb_only(picture.pixels), resource.image.shown(*area), area[2])
    assert not different, f"scanout {scanout}: {different}"


def test_part_of_a_resource(vm):
    """A scanout's origin lies in the resource; updates are relative to the scanout.

    The peer sends the resource's coordinates here, which only fit scanouts at 0, 0.
    """
    resource = drawn(vm, 200, 150)
    for area in ((0, 0, 200, 150), (40, 30, 100, 90), (184, 134, 16, 16), (0, 149 - 31, 200, 32)):
        resource.show(0, *area)
        resource.flush(*resource.full)
        vm.sync()
        assert_picture(vm, 0, resource, area)


def test_flush_is_clipped_to_the_scanout(vm):
    resource = drawn(vm, 200, 150)
    area = (50, 40, 100, 60)
    resource.show(0, *area)
    resource.flush(*resource.full)
    vm.sync()
    rng = random.Random(1)
    for seed in range(30):
        x, y = rng.randrange(200), rng.randrange(150)
        w, h = rng.randint(1, 200 - x), rng.randint(1, 150 - y)
        vm.sync()
        before = bytearray(vm.display.picture().pixels)
        vm.display.forget()
        resource.draw(random_bytes(seed, 4 * 200 * 150))
        resource.flush(x, y, w, h)
        vm.sync()
        left, top = max(x, 50), max(y, 40)
        right, bottom = min(x + w, 150), min(y + h, 100)
        updates = [update.values for update in vm.display.of_kind(Kind.UPDATE)]
        if right <= left or bottom <= top:
            assert not updates
            assert vm.display.picture().pixels == before
        else:
            assert updates == [(0, left - 50, top - 40, right - left, bottom - top)]
            data = vm.display.of_kind(Kind.UPDATE)[0].data
            expected = resource.image.shown(left, top, right - left, bottom - top)
            different = differences(rgb_only(data), expected, right - left)
            assert not different


def test_one_resource_on_two_scanouts(vm):
    """One flush reaches both, each with its own part."""
    resource = drawn(vm, 128, 64)
    parts = {0: (0, 0, 64, 64), 1: (64, 0, 64, 64), 2: (32, 16, 64, 32)}
    for scanout, area in parts.items():
        resource.show(scanout, *area)
    for seed in range(5):
        resource.draw(random_bytes(seed, 4 * 128 * 64))
        resource.flush(*resource.full)
        vm.sync()
        for scanout, area in parts.items():
            assert_picture(vm, scanout, resource, area)


@pytest.mark.peer
def test_all_scanouts(vm):
    resources = [drawn(vm, 64, 16 + i, 2, i) for i in range(MAX_SCANOUTS)]
    for scanout, resource in enumerate(resources):
        resource.show(scanout)
        resource.flush(*resource.full)
    vm.sync()
    for scanout, resource in enumerate(resources):
        assert_picture(vm, scanout, resource, resource.full)
    require(vm.gpu.set_scanout(7, 0, 0, 0, 0, 0))
    vm.sync()
    assert sorted(vm.display.pictures) == [i for i in range(MAX_SCANOUTS) if i != 7]


@pytest.mark.peer
def test_disabled_by_resource_zero(vm):
    resource = drawn(vm)
    resource.show(0)
    resource.flush(*resource.full)
    require(vm.gpu.set_scanout(0, 0, 0, 0, 0, 0))
    resource.flush(*resource.full)
    vm.sync()
    assert vm.display.picture(0) is None
    scanouts = vm.display.of_kind(Kind.SCANOUT)
    assert scanouts[-1].values == (0, 0, 0)
    resource.show(0)
    resource.flush(*resource.full)
    vm.sync()
    assert_picture(vm, 0, resource, resource.full)


@pytest.mark.peer
def test_unref_while_shown(vm):
    """The scanout goes dark; others stay."""
    first, second = drawn(vm, seed=1), drawn(vm, seed=2)
    first.show(0)
    first.show(3)
    second.show(1)
    for resource in (first, second):
        resource.flush(*resource.full)
    require(vm.gpu.unref(first.id))
    vm.sync()
    assert vm.display.picture(0) is None
    assert vm.display.picture(3) is None
    assert_picture(vm, 1, second, second.full)
    assert not vm.gpu.flush(first.id, *first.full).ok


@pytest.mark.peer
def test_page_flips(vm):
    """Two resources in turn, as compositors do; a flush of the hidden one shows nothing."""
    pair = [drawn(vm, seed=1), drawn(vm, seed=2)]
    for turn in range(20):
        shown, hidden = pair[turn % 2], pair[1 - turn % 2]
        shown.draw(random_bytes(turn, SIZE))
        shown.show(0)
        shown.flush(*shown.full)
        hidden.flush(*hidden.full)
        vm.sync()
        assert_picture(vm, 0, shown, shown.full)


@pytest.mark.peer
def test_size_changes(vm):
    for width, height in ((640, 480), (800, 600), (64, 64), (1024, 768)):
        resource = drawn(vm, width, height)
        resource.show(0)
        resource.flush(*resource.full)
        vm.sync()
        assert_picture(vm, 0, resource, resource.full)
        assert vm.display.of_kind(Kind.SCANOUT)[-1].values == (0, width, height)


@pytest.mark.parametrize("fmt", FORMATS)
def test_part_in_every_format(vm, fmt):
    resource = drawn(vm, 61, 53, fmt)
    area = (7, 9, 40, 30)
    resource.show(0, *area)
    resource.flush(10, 12, 20, 20)
    resource.flush(*resource.full)
    vm.sync()
    assert_picture(vm, 0, resource, area)


@pytest.mark.peer
def test_nothing_before_the_first_scanout(vm):
    """QEMU crashes on an UPDATE without a SCANOUT."""
    resource = drawn(vm)
    resource.flush(*resource.full)
    vm.sync()
    assert not vm.display.of_kind(Kind.UPDATE, Kind.SCANOUT, Kind.DMABUF_UPDATE)


def test_failed_set_scanout_changes_nothing(vm):
    resource = drawn(vm)
    resource.show(0)
    resource.flush(*resource.full)
    for number, area in ((99, (0, 0, 64, 64)), (resource.id, (0, 0, 65, 64))):
        assert not vm.gpu.set_scanout(0, number, *area).ok
    resource.draw(random_bytes(5, SIZE))
    resource.flush(*resource.full)
    vm.sync()
    assert_picture(vm, 0, resource, resource.full)


def test_large_picture(vm):
    """4K: 33 MB through a socket buffer of a few hundred KB."""
    resource = vm.gpu.resource(3840, 2160)
    resource.draw(random_bytes(1, 1 << 20).ljust(4 * 3840 * 2160, b"\x5A"))
    resource.show(0)
    resource.flush(*resource.full)
    vm.sync()
    assert_picture(vm, 0, resource, resource.full)
