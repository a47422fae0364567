# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Rings that a broken or hostile driver made. The device may stop the queue; the session answers
vhost-user messages, the queue works again after a reset, and the daemon serves others."""

import os
import select
import struct

import pytest

from frontend.ring import DESC, INDIRECT, NEXT, WRITE, RingTimeout
from frontend.virtio_gpu import Cmd, HEADER, Resp

NOWHERE = 0x7FFF_FFFF_0000
SETTLE_ROUNDS = 20


@pytest.fixture(params=["split", "packed"])
def vm(request, start_vm):
    vm = start_vm("2d", ring_size=16, packed=request.param == "packed", indirect=True)
    vm.error_fd = os.eventfd(0, os.EFD_NONBLOCK)
    vm.user.set_vring_err(0, vm.error_fd)
    yield vm
    os.close(vm.error_fd)


@pytest.fixture
def room(vm):
    """Buffers for raw descriptors: a valid request, and space for its answer."""
    request = vm.memory.alloc(64)
    vm.memory.write(request, HEADER.pack(Cmd.GET_DISPLAY_INFO, 0, 0, 0, 0))
    return {"request": request, "answer": vm.memory.alloc(1024)}


def publish(vm, descriptors):
    """Make descriptors (address, length, flags, next) available as one chain, as they are."""
    ring = vm.rings[0]
    if ring.packed:
        ring.publish_raw([(gpa, length, flags, 5) for gpa, length, flags, _ in descriptors])
    else:
        for slot, descriptor in enumerate(descriptors):
            ring.write_desc(slot, *descriptor)
        ring.publish_raw(0)


def settle(vm):
    """The device has looked at the ring when it answers messages and the other ring."""
    for _ in range(SETTLE_ROUNDS):
        vm.user.get_features()
        vm.gpu.move_cursor(0, 1, 1)


def assert_recovers(vm):
    """Session alive; after the guest's reset everything works."""
    settle(vm)
    vm.reset()
    assert vm.alive()
    assert vm.gpu.get_display_info().type == Resp.OK_DISPLAY_INFO


def table(vm, entries):
    """An indirect table of (address, length, flags, next)."""
    address = vm.memory.alloc(16 * len(entries))
    for i, (gpa, length, flags, following) in enumerate(entries):
        words = (0, flags) if vm.packed else (flags, following)
        vm.memory.write(address + 16 * i, DESC.pack(gpa, length, *words))
    return address


def test_loop(vm, room):
    """Chains that lead back to themselves (split), or never end (packed)."""
    request = room["request"]
    publish(vm, [(request, 24, NEXT, 1), (request, 24, NEXT, 0)])
    assert_recovers(vm)


def test_self_loop(vm, room):
    publish(vm, [(room["request"], 24, NEXT, 0)])
    assert_recovers(vm)


def test_chain_longer_than_the_ring(vm, room):
    publish(vm, [(room["request"], 1, NEXT, (i + 1) % 16) for i in range(16)])
    assert_recovers(vm)


@pytest.mark.parametrize("address,length", [
    (NOWHERE, 24), (0, 24), (2**64 - 16, 24), (2**64 - 16, 16), (0x1000_0000 + (64 << 20) - 8, 24),
    (0x1000_0000, 0xFFFFFFFF)])
@pytest.mark.parametrize("writable", [False, True], ids=["request", "answer"])
def test_address_outside_of_memory(vm, room, address, length, writable):
    if writable:
        publish(vm, [(room["request"], 24, NEXT, 1), (address, length, WRITE, 0)])
    else:
        publish(vm, [(address, length, NEXT, 1), (room["answer"], 1024, WRITE, 0)])
    assert_recovers(vm)


def test_zero_length_buffers(vm, room):
    publish(vm, [(room["request"], 0, NEXT, 1), (room["request"], 24, NEXT, 2),
                 (room["answer"], 0, NEXT | WRITE, 3), (room["answer"], 1024, WRITE, 0)])
    assert_recovers(vm)


def test_nothing_but_a_zero_length_buffer(vm, room):
    publish(vm, [(room["request"], 0, 0, 0)])
    assert_recovers(vm)


def test_writable_before_readable(vm, room):
    publish(vm, [(room["answer"], 1024, WRITE | NEXT, 1), (room["request"], 24, 0, 0)])
    assert_recovers(vm)


def test_writable_only(vm, room):
    publish(vm, [(room["answer"], 1024, WRITE, 0)])
    assert_recovers(vm)


@pytest.mark.parametrize("length", [0, 1, 15, 17, 16 * 100000, 0xFFFFFFF0])
def test_indirect_table_of_bad_length(vm, room, length):
    publish(vm, [(room["request"], length, INDIRECT, 0)])
    assert_recovers(vm)


def test_indirect_table_outside_of_memory(vm):
    publish(vm, [(NOWHERE, 32, INDIRECT, 0)])
    assert_recovers(vm)


def test_indirect_in_indirect(vm, room):
    inner = table(vm, [(room["request"], 24, 0, 0)])
    publish(vm, [(table(vm, [(inner, 16, INDIRECT, 0)]), 16, INDIRECT, 0)])
    assert_recovers(vm)


def test_indirect_with_next(vm, room):
    inner = table(vm, [(room["request"], 24, NEXT, 1), (room["answer"], 1024, WRITE, 0)])
    publish(vm, [(inner, 32, INDIRECT | NEXT, 1), (room["answer"], 1024, WRITE, 0)])
    assert_recovers(vm)


def test_indirect_without_the_feature(start_vm):
    vm = start_vm("null", ring_size=16)
    address = vm.memory.alloc(64)
    inner = table(vm, [(address, 24, 0, 0)])
    publish(vm, [(inner, 16, INDIRECT, 0)])
    assert_recovers(vm)


@pytest.mark.parametrize("following", [2, 255, 0xFFFF, 0])
def test_indirect_table_that_leads_astray(vm, room, following):
    inner = table(vm, [(room["request"], 24, NEXT, following), (room["answer"], 64, WRITE, 0)])
    publish(vm, [(inner, 32, INDIRECT, 0)])
    assert_recovers(vm)


@pytest.mark.parametrize("head,advance", [(16, 1), (0xFFFF, 1), (0, 17), (0, 0x8000), (0, 0xFFFF)])
def test_split_ring_indices(start_vm, head, advance):
    """A head beyond the table, an index that jumps by more than the ring holds."""
    vm = start_vm("null", ring_size=16)
    address = vm.memory.alloc(64)
    vm.rings[0].write_desc(0, address, 24, 0)
    vm.rings[0].publish_raw(head, advance)
    assert_recovers(vm)


def test_same_head_twice(start_vm):
    """One descriptor made available twice in a batch: two answers or a stop, never a crash."""
    vm = start_vm("null", ring_size=16)
    ring = vm.rings[0]
    address = vm.memory.alloc(64)
    vm.memory.write(address, HEADER.pack(Cmd.GET_DISPLAY_INFO, 0, 0, 0, 0))
    ring.write_desc(0, address, 24, NEXT, 1)
    ring.write_desc(1, vm.memory.alloc(1024), 1024, WRITE)
    for slot in range(4):
        vm.memory.write_u16(ring.avail + 4 + 2 * slot, 0)
    ring.next_avail = 4
    vm.memory.write_u16(ring.avail + 2, 4)
    ring.kick()
    assert_recovers(vm)


def test_error_eventfd_tells(vm):
    """SET_VRING_ERR: the front-end hears of a broken ring."""
    publish(vm, [(NOWHERE, 24, 0, 0)])
    assert select.select([vm.error_fd], [], [], 20)[0], "no error was signalled"
    assert_recovers(vm)


@pytest.mark.parametrize("room_len", [None, 0, 1, 23])
def test_answer_does_not_fit(vm, room_len):
    """Too little or no room for the header: used with what was written, and the device goes on."""
    room = None if room_len is None else room_len - HEADER.size
    chain = vm.gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=IIII", 1, 2, 16, 16), room=room)
    try:
        vm.rings[0].wait(chain, timeout=5)
    except RingTimeout:
        assert_recovers(vm)
    else:
        assert chain.used_len <= (room_len or 0)
        assert vm.alive()


@pytest.mark.parametrize("cmd", [Cmd.GET_DISPLAY_INFO, Cmd.GET_EDID])
def test_answer_fits_in_part(vm, cmd):
    """Room for the header only: no byte is written behind it."""
    chain = vm.gpu.post(cmd, bytes(8), room=0, kick=False)
    guard = chain.buffers[-1][0] + HEADER.size
    vm.memory.write(guard, b"\xA5" * 40)
    vm.rings[0].submit(chain)
    vm.rings[0].wait(chain)
    assert chain.used_len <= HEADER.size
    assert vm.memory.read(guard, 40) == b"\xA5" * 40
    assert vm.alive()


@pytest.mark.parametrize("length", [0, 1, 8, 23])
def test_short_request(vm, length):
    """Less than a header: an error, and the device goes on."""
    chain = vm.gpu.post(Cmd.GET_DISPLAY_INFO, kick=False)
    gpa, _, flags = chain.buffers[0]
    chain.buffers[0] = (gpa, length, flags)
    vm.rings[0].submit(chain)
    try:
        vm.rings[0].wait(chain, timeout=5)
    except RingTimeout:
        assert_recovers(vm)
    else:
        kind, = struct.unpack("=I", vm.memory.read(chain.buffers[1][0], 4))
        assert chain.used_len == 0 or kind >= Resp.ERR_UNSPEC
        assert vm.alive()


def test_kicks_without_requests(vm):
    for _ in range(1000):
        vm.rings[0].kick()
        vm.rings[1].kick()
    assert vm.alive()


def test_ring_memory_of_garbage(vm):
    """Random bytes everywhere in the control ring, again and again."""
    ring = vm.rings[0]
    for _ in range(20):
        vm.memory.write(ring.desc, os.urandom(16 * 16))
        if not ring.packed:
            vm.memory.write(ring.avail, os.urandom(38))
        ring.kick()
        settle_once = vm.user.get_features()
        assert settle_once
    assert_recovers(vm)


def test_log_is_not_flooded(start_vm):
    """A guest cannot fill the host's disk with messages about its errors."""
    vm = start_vm("null")
    for _ in range(3000):
        vm.gpu.unref(99)
        vm.gpu.command(0x999)
    vm.hang_up()
    vm.daemon.wait_sessions(0)
    assert len(vm.daemon.log().splitlines()) < 300


def test_neighbour_is_not_disturbed(running):
    """A ring that breaks stops its own guest only."""
    daemon = running.daemon("null")
    victim = running.vm(daemon, ring_size=16)
    other = running.vm(daemon)
    publish(victim, [(NOWHERE, 24, 0, 0)])
    assert other.alive()
    settle(victim)
    assert other.alive()
