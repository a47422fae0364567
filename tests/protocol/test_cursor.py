# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The cursor queue: shapes, positions, hiding."""

import pytest

from frontend.display import CURSOR_SIZE, Kind
from frontend.pixels import B8G8R8A8, FORMATS, random_bytes, to_bgra
from frontend.virtio_gpu import CURSOR, Cmd, require

BLANK = bytes(4 * CURSOR_SIZE * CURSOR_SIZE)


@pytest.fixture
def vm(start_vm, drawing_mode):
    return start_vm(drawing_mode)


def shape(vm, width, height, fmt=B8G8R8A8, seed=1):
    resource = vm.gpu.resource(width, height, fmt)
    resource.draw(random_bytes(seed, 4 * width * height))
    return resource


def padded(resource):
    """The cursor message's picture: the shape in the upper left corner, transparent around it."""
    rows = to_bgra(resource.format, bytes(resource.image.data))
    step = 4 * resource.width
    lines = [rows[i:i + step].ljust(4 * CURSOR_SIZE, b"\0") for i in range(0, len(rows), step)]
    return b"".join(lines).ljust(len(BLANK), b"\0")


def updates(vm):
    vm.sync()
    return vm.display.of_kind(Kind.CURSOR_UPDATE)


@pytest.mark.peer
def test_update(vm):
    resource = shape(vm, 64, 64)
    vm.gpu.update_cursor(0, resource.id, 100, 200, 3, 4)
    update, = updates(vm)
    assert update.values == (0, 100, 200, 3, 4)
    assert update.data == padded(resource)


@pytest.mark.parametrize("fmt", FORMATS)
def test_formats(vm, fmt):
    """Alpha where the format has it, opaque where it has not."""
    resource = shape(vm, 64, 64, fmt)
    vm.gpu.update_cursor(0, resource.id)
    update, = updates(vm)
    assert update.data == padded(resource)


@pytest.mark.parametrize("width,height", [(1, 1), (16, 16), (32, 48), (63, 64), (64, 1), (24, 24)])
def test_smaller_than_64(vm, width, height):
    resource = shape(vm, width, height)
    vm.gpu.update_cursor(2, resource.id, 5, 6, 1, 1)
    update, = updates(vm)
    assert update.values == (2, 5, 6, 1, 1)
    assert update.data == padded(resource)


@pytest.mark.parametrize("width,height", [(65, 64), (64, 65), (128, 128), (1000, 2)])
def test_larger_than_64(vm, width, height):
    """Out of specification: nothing is shown, or the upper left part; nothing breaks."""
    resource = shape(vm, width, height)
    vm.gpu.update_cursor(0, resource.id)
    for update in updates(vm):
        assert len(update.data) == len(BLANK)
    assert vm.alive()


@pytest.mark.peer
def test_move(vm):
    resource = shape(vm, 64, 64)
    vm.gpu.update_cursor(1, resource.id, 1, 2)
    vm.sync()
    vm.display.forget()
    for x, y in ((10, 20), (0, 0), (4000, 3000), (0xFFFFFFF8, 0xFFFFFFFF)):
        vm.gpu.move_cursor(1, x, y, resource.id)
    vm.sync()
    moves = [e.values for e in vm.display.of_kind(Kind.CURSOR_POS) if e.values[0] == 1]
    assert moves == [(1, 10, 20), (1, 0, 0), (1, 4000, 3000), (1, 0xFFFFFFF8, 0xFFFFFFFF)]
    assert not vm.display.of_kind(Kind.CURSOR_UPDATE)


def test_hide(vm):
    resource = shape(vm, 64, 64)
    vm.gpu.update_cursor(0, resource.id, 7, 8)
    vm.gpu.update_cursor(0, 0, 7, 8)
    vm.sync()
    hidden = [e.values for e in vm.display.of_kind(Kind.CURSOR_POS_HIDE) if e.values[0] == 0]
    assert hidden == [(0, 7, 8)]
    vm.gpu.update_cursor(0, resource.id, 9, 9)
    assert len(updates(vm)) == 2


@pytest.mark.peer
@pytest.mark.parametrize("number", [99, 0xFFFFFFFF])
def test_unknown_resource(vm, number):
    vm.gpu.update_cursor(0, number)
    assert not any(update.data != BLANK for update in updates(vm))
    assert vm.alive()


def test_unknown_scanout(vm):
    """The display's checks fail if a number from 16 on reaches it."""
    resource = shape(vm, 64, 64)
    for scanout in (16, 255, 0xFFFFFFFF):
        vm.gpu.update_cursor(scanout, resource.id)
        vm.gpu.move_cursor(scanout, 1, 1)
        vm.gpu.update_cursor(scanout, 0)
    assert not updates(vm)
    assert vm.alive()


def test_new_content_needs_an_update(vm):
    resource = shape(vm, 64, 64)
    vm.gpu.update_cursor(0, resource.id)
    resource.draw(random_bytes(2, 64 * 64 * 4))
    assert len(updates(vm)) == 1
    vm.gpu.update_cursor(0, resource.id)
    assert updates(vm)[1].data == padded(resource)


def test_shape_outlives_its_resource(vm):
    """The display keeps the picture; moving after the unref is fine."""
    resource = shape(vm, 64, 64)
    vm.gpu.update_cursor(0, resource.id)
    require(vm.gpu.unref(resource.id))
    vm.gpu.move_cursor(0, 3, 3, resource.id)
    assert len(updates(vm)) == 1
    assert vm.alive()


def test_cursor_of_every_scanout(vm):
    resources = [shape(vm, 64, 64, seed=i) for i in range(8)]
    for scanout, resource in enumerate(resources):
        vm.gpu.update_cursor(scanout, resource.id, scanout, scanout)
    for update, resource in zip(updates(vm), resources, strict=True):
        assert update.data == padded(resource)


def test_malformed_requests(vm):
    """Short, unknown and misplaced commands on the cursor queue; each is used."""
    ring = vm.rings[1]
    for cmd, body in ((Cmd.UPDATE_CURSOR, b""), (Cmd.UPDATE_CURSOR, bytes(31)), (0x302, bytes(32)),
                      (Cmd.MOVE_CURSOR, bytes(8)), (Cmd.RESOURCE_CREATE_2D, bytes(16)), (0, b"")):
        vm.gpu.result(vm.gpu.post(cmd, body, ring=ring, room=None))
        response = vm.gpu.result(vm.gpu.post(cmd, body, ring=ring))
        assert response.used_len in (0, 24)
    assert vm.alive()


def test_cursor_commands_on_the_control_queue(vm):
    """QEMU takes them only from the cursor queue, Linux sends them only there."""
    for cmd in (Cmd.UPDATE_CURSOR, Cmd.MOVE_CURSOR):
        response = vm.gpu.command(cmd, CURSOR.pack(0, 1, 1, 0, 0, 0, 0, 0))
        assert not response.ok
    assert vm.alive()


def test_answer_buffer_on_the_cursor_queue(vm):
    """Drivers give none, but the specification allows one."""
    resource = shape(vm, 64, 64)
    response = vm.gpu.update_cursor(0, resource.id, room=0)
    assert response.used_len in (0, 24)
    if response.used_len:
        require(response)
    assert len(updates(vm)) == 1


def test_thousand_moves(vm):
    resource = shape(vm, 64, 64)
    vm.gpu.update_cursor(0, resource.id)
    for i in range(1000):
        vm.gpu.move_cursor(0, i, i, resource.id)
    vm.sync()
    moves = [e.values[1] for e in vm.display.of_kind(Kind.CURSOR_POS) if e.values[0] == 0]
    assert moves == list(range(1000))
