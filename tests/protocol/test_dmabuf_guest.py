# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Guest blobs that go to the display as dma-bufs of the guest's own pages (udmabuf).

Where the host has no /dev/udmabuf, the tests of it are skipped: tests/vulkan/testhost runs them.
"""

import os
import struct

import pytest

from frontend.blob import GuestBlob, Layout
from frontend.daemon import fd_count, wait_until
from frontend.display import Display, Feature, Kind
from frontend.dmabuf import FOURCC, LINEAR, have_udmabuf, last_shown
from frontend.memory import MIB, GuestMemory
from frontend.pixels import FORMATS, differences, random_bytes, rgb_only
from frontend.virtio_gpu import PAGE, Cmd, require

LAYOUT = Layout(100, 75, 2, stride=480)


@pytest.fixture
def udmabuf():
    if not have_udmabuf():
        assert "udmabuf" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
        pytest.skip("this host has no /dev/udmabuf that can be used")


@pytest.fixture
def vm(start_vm, udmabuf):
    return start_vm("2d", memory=sealed())


def sealed():
    """As QEMU's memory-backend-memfd; two regions that follow each other."""
    return GuestMemory((16 * MIB, 16 * MIB), fd_offset=2 * PAGE, sealed=True)


def scattered(vm, size):
    """Pages in reverse order, of both regions by turns."""
    pages = [(vm.memory.alloc(PAGE, PAGE, i % 2), PAGE) for i in range(-(-size // PAGE))]
    return pages[::-1]


def drawn(vm, layout=LAYOUT, seed=1, entries=None):
    blob = GuestBlob(vm.gpu, layout.size, entries or scattered(vm, layout.size))
    blob.write(random_bytes(seed, layout.size))
    return blob


def assert_dmabuf(vm, blob, layout, area=None, scanout=0):
    vm.sync()
    shown = last_shown(vm.display, scanout)
    assert shown, f"no dma-buf; seen: {vm.display.events}"
    different = differences(shown.pixels(), layout.shown(blob.contents(), area), shown.width)
    assert not different
    return shown


def assert_pixels(vm, blob, layout):
    """By UPDATE messages."""
    picture = vm.shown()
    assert picture is not None and not picture.dmabuf
    different = differences(rgb_only(picture.pixels), layout.shown(blob.contents()), layout.width)
    assert not different


@pytest.mark.parametrize("fmt", FORMATS)
def test_message_and_pixels(vm, fmt):
    layout = Layout(100, 75, fmt, stride=480)
    blob = drawn(vm, layout)
    blob.show(0, layout)
    blob.flush(*layout.full)
    shown = assert_dmabuf(vm, blob, layout)
    assert vm.display.of_kind(Kind.DMABUF_SCANOUT2) and not vm.display.of_kind(Kind.DMABUF_SCANOUT)
    assert (shown.area, shown.fd_width, shown.fd_height) == (layout.full, 100, 75)
    assert (shown.stride, shown.flags, shown.modifier) == (480, 0, LINEAR)
    assert shown.fourcc == FOURCC[fmt]
    assert [e.values for e in vm.display.of_kind(Kind.DMABUF_UPDATE)] == [(0, 0, 0, 100, 75)]
    assert not vm.display.of_kind(Kind.UPDATE)


def test_other_modes(start_vm, udmabuf, mode):
    """Whatever draws, a guest blob's pages are the guest's."""
    vm = start_vm(mode, memory=sealed())
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    blob.flush(*LAYOUT.full)
    assert_dmabuf(vm, blob, LAYOUT)


def test_display_without_modifiers(start_vm, udmabuf):
    vm = start_vm("2d", memory=sealed(), display=Display(features=Feature.EDID))
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    assert_dmabuf(vm, blob, LAYOUT)
    assert vm.display.of_kind(Kind.DMABUF_SCANOUT) and not vm.display.of_kind(Kind.DMABUF_SCANOUT2)


def test_no_pixel_is_copied(vm):
    """What the guest writes is in the dma-buf, without a command."""
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    for seed in range(3):
        blob.write(random_bytes(seed, LAYOUT.size))
        assert_dmabuf(vm, blob, LAYOUT)
    assert len(vm.display.of_kind(Kind.DMABUF_SCANOUT2)) == 1


def test_part_of_the_picture(vm):
    blob, area = drawn(vm), (20, 10, 64, 32)
    blob.show(0, LAYOUT, area)
    blob.flush(0, 0, 30, 20)
    shown = assert_dmabuf(vm, blob, LAYOUT, area)
    assert (shown.area, shown.fd_width, shown.fd_height) == (area, 100, 75)
    assert vm.display.of_kind(Kind.DMABUF_UPDATE)[-1].values == (0, 0, 0, 10, 10)


def test_flush_waits_for_the_answer(vm):
    """Back-pressure: the flush and what is behind it wait; the rest of the device does not."""
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    vm.display.hold(Kind.DMABUF_UPDATE)
    flush = vm.gpu.post(Cmd.RESOURCE_FLUSH, struct.pack("=6I", 0, 0, 100, 75, blob.id, 0))
    behind = vm.gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=4I", 500, 1, 16, 16))
    vm.display.wait_event(Kind.DMABUF_UPDATE)
    vm.user.get_features()
    vm.sync()
    vm.rings[0].poll()
    assert not flush.done and not behind.done
    vm.display.release()
    assert vm.gpu.result(flush).ok and vm.gpu.result(behind).ok
    assert flush.order < behind.order


@pytest.mark.parametrize("what", ["display", "table", "reset"])
def test_what_ends_a_waiting_flush(vm, what):
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    vm.display.hold(Kind.DMABUF_UPDATE)
    flush = vm.gpu.post(Cmd.RESOURCE_FLUSH, struct.pack("=6I", 0, 0, 100, 75, blob.id, 0))
    behind = vm.gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=4I", 500, 1, 16, 16))
    vm.display.wait_event(Kind.DMABUF_UPDATE)
    if what == "display":
        old, vm.display = vm.display, Display()
        vm.displays.append(vm.display)
        vm.display.give(vm.user)
        old.close()
    elif what == "table":
        vm.user.set_mem_table(vm.memory.regions)
    else:
        vm.reset()
        assert vm.alive()
        return
    vm.gpu.result(flush)
    assert vm.gpu.result(behind).ok
    if what == "display":
        assert_dmabuf(vm, blob, LAYOUT)
    assert vm.alive()


def test_two_scanouts(vm):
    blob = drawn(vm)
    parts = {0: (0, 0, 50, 75), 1: (50, 0, 50, 75)}
    for scanout, area in parts.items():
        blob.show(scanout, LAYOUT, area)
    blob.flush(*LAYOUT.full)
    for scanout, area in parts.items():
        assert_dmabuf(vm, blob, LAYOUT, area, scanout)
    assert {e.values[0] for e in vm.display.of_kind(Kind.DMABUF_UPDATE)} == {0, 1}


def test_to_pixels_and_back(start_vm, udmabuf):
    """The dma-buf is given back before pixels come, as QEMU wants it."""
    vm = start_vm("2d", memory=sealed())
    blob, plain = drawn(vm), vm.gpu.resource(100, 75)
    plain.draw(random_bytes(5, 4 * 100 * 75))
    for _ in range(3):
        blob.show(0, LAYOUT)
        blob.flush(*LAYOUT.full)
        assert_dmabuf(vm, blob, LAYOUT)
        plain.show(0)
        plain.flush(*plain.full)
        picture = vm.shown()
        assert not picture.dmabuf
        assert not differences(rgb_only(picture.pixels), plain.image.shown(), 100)
    releases = [e for e in vm.display.of_kind(Kind.DMABUF_SCANOUT) if not e.fds]
    assert len(releases) == 3


def test_unref_while_shown(vm):
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    blob.flush(*LAYOUT.full)
    expected = LAYOUT.shown(blob.contents())
    require(vm.gpu.unref(blob.id))
    vm.sync()
    assert vm.display.picture() is None
    # The display keeps its descriptor as long as it likes.
    event = vm.display.of_kind(Kind.DMABUF_SCANOUT2)[0]
    assert event.fds
    vm.display.events = [event]
    assert last_shown(vm.display).pixels() == expected


def test_memory_table_is_sent_again(vm):
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    vm.user.set_mem_table(vm.memory.regions)
    blob.write(random_bytes(9, LAYOUT.size))
    blob.flush(*LAYOUT.full)
    assert_dmabuf(vm, blob, LAYOUT)


def test_memory_is_replaced(vm):
    """Other memory at the same guest addresses: the display is not left with the old pages."""
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    other = sealed()
    try:
        for old, new in zip(vm.memory.regions, other.regions):
            new.map[:] = old.map[:]
        vm.user.set_mem_table(other.regions)
        vm.memory.regions, other.regions = other.regions, vm.memory.regions
        blob.write(random_bytes(9, LAYOUT.size))
        blob.flush(*LAYOUT.full)
        assert_dmabuf(vm, blob, LAYOUT)
    finally:
        other.close()


FALL_BACKS = {
    "offset": dict(layout=Layout(100, 75, 2, offset=PAGE)),
    "not whole pages": dict(sizes=(5000, 3000)),
    "not sealed": dict(seal=False),
    "not wanted": dict(args=("--use-dmabuf=false",)),
}


@pytest.mark.parametrize("case", FALL_BACKS)
def test_pixels_where_a_dmabuf_cannot_be(start_vm, udmabuf, case):
    options = {"layout": LAYOUT, "sizes": (), "seal": True, "args": (), **FALL_BACKS[case]}
    layout = options["layout"]
    memory = GuestMemory((16 * MIB, 16 * MIB), sealed=options["seal"])
    vm = start_vm("2d", *options["args"], memory=memory)
    blob = drawn(vm, layout, entries=options["sizes"] and vm.gpu.backing(layout.size,
                                                                        options["sizes"]))
    blob.show(0, layout)
    blob.flush(*layout.full)
    assert_pixels(vm, blob, layout)
    assert not vm.display.of_kind(Kind.DMABUF_SCANOUT2)


def test_more_parts_than_the_kernel_takes(start_vm, udmabuf):
    vm = start_vm("2d", memory=sealed())
    layout = Layout(1024, 1100)
    blob = drawn(vm, layout)
    assert len(blob.entries) > 1024
    blob.show(0, layout)
    blob.flush(*layout.full)
    assert_pixels(vm, blob, layout)


def test_rounds_leave_no_descriptor(vm):
    pid = vm.daemon.session_pid()
    counts = []
    for turn in range(50):
        blob = drawn(vm, seed=turn)
        blob.show(turn % 3, LAYOUT)
        blob.flush(*LAYOUT.full)
        require(vm.gpu.unref(blob.id))
        if turn in (4, 49):
            vm.sync()
            counts.append(fd_count(pid))
        vm.display.forget()
    assert counts[0] == counts[1]


def test_reset_gives_everything_back(vm):
    before = fd_count(vm.daemon.session_pid())
    for scanout in range(4):
        drawn(vm, seed=scanout).show(scanout, LAYOUT)
    vm.reset()
    assert vm.alive()
    wait_until(lambda: fd_count(vm.daemon.session_pid()) <= before, "descriptors closed")
