# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A picture of more than 32 MiB comes as several updates: QEMU allocates each message, and the
allocator never keeps memory of that size."""

import struct

import pytest

from frontend.display import HEADER, RECT, Kind
from frontend.memory import MIB
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import Cmd, require, rect

WIDTH, HEIGHT = 5120, 2160
LARGEST = 32 * MIB


@pytest.fixture
def vm(start_vm):
    return start_vm("2d")


@pytest.fixture
def screen(vm):
    """A resource of the whole scanout, with pixels in its backing only."""
    resource = vm.gpu.resource(WIDTH, HEIGHT)
    resource.fill(random_bytes(1, 4 * WIDTH * HEIGHT))
    resource.show(0)
    vm.sync()
    return resource


def updates(vm):
    return [event.values for event in vm.display.of_kind(Kind.UPDATE)]


def assert_rows_of(bands, x, y, w, h):
    """Whole rows in messages that are not too large, from top to bottom, nothing left out."""
    assert len(bands) > 1
    below = y
    for scanout, band_x, band_y, band_w, band_h in bands:
        assert (scanout, band_x, band_y, band_w) == (0, x, below, w)
        assert HEADER.size + RECT.size + 4 * band_w * band_h < LARGEST
        below += band_h
    assert below == y + h


def assert_shown(vm, resource):
    different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), WIDTH)
    assert not different


def test_transfer_and_flush(vm, screen):
    """In two kicks, and in one, where lines are sent as they are transferred."""
    screen.transfer(*screen.full)
    screen.flush(*screen.full)
    assert_shown(vm, screen)
    assert_rows_of(updates(vm), *screen.full)
    vm.display.forget()

    screen.fill(random_bytes(2, 4 * WIDTH * HEIGHT))
    chains = [vm.gpu.post(Cmd.TRANSFER_TO_HOST_2D, rect(*screen.full) +
                          struct.pack("=QII", 0, screen.id, 0), kick=False),
              vm.gpu.post(Cmd.RESOURCE_FLUSH, rect(*screen.full) +
                          struct.pack("=II", screen.id, 0), kick=False)]
    vm.rings[0].submit(*chains)
    for chain in chains:
        require(vm.gpu.result(chain))
    screen.image.transfer(screen.contents(), 0, *screen.full)
    assert_shown(vm, screen)
    assert_rows_of(updates(vm), *screen.full)


def test_part(vm, screen):
    """Rows that are cut out of longer ones; and 4K, which needs no parts."""
    area = 8, 4, WIDTH - 16, HEIGHT - 8
    screen.transfer(*screen.full)
    screen.flush(*area)
    vm.sync()
    assert_rows_of(updates(vm), *area)
    vm.display.forget()
    screen.flush(0, 0, 3840, 2160)
    vm.sync()
    assert updates(vm) == [(0, 0, 0, 3840, 2160)]
    picture, wanted = rgb_only(vm.shown().pixels), screen.image.shown()
    for y in (0, 3, 4, 1000, HEIGHT - 5):
        row = slice(4 * WIDTH * y + 32, 4 * (WIDTH * y + 3840))
        assert picture[row] == wanted[row]


def test_rings_stop_in_the_middle(vm, screen):
    """What was begun comes to its end as it was, the rest does not come, and nothing is mixed up."""
    screen.transfer(*screen.full)
    vm.display.pause_reading()  # after the next message
    chain = vm.gpu.post(Cmd.RESOURCE_FLUSH, rect(*screen.full) + struct.pack("=II", screen.id, 0))
    vm.display.wait_event(Kind.UPDATE)
    bases = vm.stop()
    vm.rings[0].poll()
    assert chain.done
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    before = screen.image.shown()
    screen.draw(bytes(4 * WIDTH * HEIGHT))
    vm.display.resume_reading()
    picture = rgb_only(vm.shown().pixels)
    end = max(y + h for _, _, y, _, h in updates(vm))
    assert end < HEIGHT
    assert picture[:4 * WIDTH * end] == before[:4 * WIDTH * end]
    screen.flush(*screen.full)
    assert_shown(vm, screen)
