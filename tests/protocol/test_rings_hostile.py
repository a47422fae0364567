# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Rings that a broken or hostile driver made. The device may stop the queue; the session answers
vhost-user messages, the queue works again after a reset, and the daemon serves others."""

import itertools
import os
import select
import struct

import pytest

from frontend.memory import MIB, GuestMemory
from frontend.patience import PATIENCE
from frontend.ring import DESC, INDIRECT, NEXT, PACKED_AVAIL, PACKED_USED, WRITE, RingTimeout
from frontend.vhost_user import BackendChannel, BackendRequest, Status
from frontend.virtio_gpu import Cmd, HEADER, Resp, require

NOWHERE = 0x7FFF_FFFF_0000
SETTLE_ROUNDS = 20
LAYOUTS = list(itertools.product(("split", "packed"), ("", "event"), ("", "indirect")))


def watch_errors(vm):
    vm.error_fd = os.eventfd(0, os.EFD_NONBLOCK)
    vm.user.set_vring_err(0, vm.error_fd)
    return vm


@pytest.fixture(params=LAYOUTS, ids=lambda names: "-".join(filter(None, names)))
def vm(request, start_vm):
    layout, event, indirect = request.param
    vm = watch_errors(start_vm("2d", ring_size=16, packed=layout == "packed",
                               event_idx=bool(event), indirect=bool(indirect)))
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
    assert not vm.user.get_status() & Status.NEEDS_RESET
    assert vm.alive()
    assert vm.gpu.get_display_info().type == Resp.OK_DISPLAY_INFO


def assert_broken(vm):
    """The front-end hears of it, the device needs a reset, and the session lives."""
    assert select.select([vm.error_fd], [], [], 20)[0], "no error was signalled"
    assert vm.user.get_status() & Status.NEEDS_RESET
    assert "queue 0 is broken by the guest" in vm.daemon.log()
    assert_recovers(vm)


def assert_used(vm, length=None):
    """The raw chain is used, and the device goes on."""
    ring = vm.rings[0]
    assert ring.wait_notification(PATIENCE), "the chain is not used"
    assert not vm.user.get_status() & Status.NEEDS_RESET
    if ring.packed:
        _, used_len, _, _ = DESC.unpack(vm.memory.read(ring.desc, 16))
    else:
        (_, used_len), = ring.raw_used()
    assert length is None or used_len == length
    assert_recovers(vm)


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
    assert_broken(vm)


def test_self_loop(vm, room):
    publish(vm, [(room["request"], 24, NEXT, 0)])
    assert_broken(vm)


def test_chain_longer_than_the_ring(vm, room):
    publish(vm, [(room["request"], 1, NEXT, (i + 1) % 16) for i in range(16)])
    assert_broken(vm)


@pytest.mark.parametrize("address,length", [
    (NOWHERE, 24), (0, 24), (2**64 - 16, 24), (2**64 - 16, 16), (0x1000_0000 + (64 << 20) - 8, 24),
    (0x1000_0000, 0xFFFFFFFF)])
@pytest.mark.parametrize("writable", [False, True], ids=["request", "answer"])
def test_address_outside_of_memory(vm, room, address, length, writable):
    if writable:
        publish(vm, [(room["request"], 24, NEXT, 1), (address, length, WRITE, 0)])
    else:
        publish(vm, [(address, length, NEXT, 1), (room["answer"], 1024, WRITE, 0)])
    assert_broken(vm)


def test_zero_length_buffers(vm, room):
    publish(vm, [(room["request"], 0, NEXT, 1), (room["request"], 24, NEXT, 2),
                 (room["answer"], 0, NEXT | WRITE, 3), (room["answer"], 1024, WRITE, 0)])
    assert_used(vm, HEADER.size + 16 * 24)


def test_nothing_but_a_zero_length_buffer(vm, room):
    publish(vm, [(room["request"], 0, 0, 0)])
    assert_used(vm, 0)


def test_writable_before_readable(vm, room):
    publish(vm, [(room["answer"], 1024, WRITE | NEXT, 1), (room["request"], 24, 0, 0)])
    assert_broken(vm)


def test_writable_only(vm, room):
    publish(vm, [(room["answer"], 1024, WRITE, 0)])
    assert_recovers(vm)


@pytest.mark.parametrize("length", [0, 1, 15, 17, 16 * 100000, 0xFFFFFFF0])
def test_indirect_table_of_bad_length(vm, room, length):
    publish(vm, [(room["request"], length, INDIRECT, 0)])
    if length > 17 and not vm.packed and vm.indirect:
        assert_used(vm, 0)  # its first entry is empty, and the last one of the chain
    else:
        assert_broken(vm)


def test_indirect_table_outside_of_memory(vm):
    publish(vm, [(NOWHERE, 32, INDIRECT, 0)])
    assert_broken(vm)


def test_indirect_in_indirect(vm, room):
    inner = table(vm, [(room["request"], 24, 0, 0)])
    publish(vm, [(table(vm, [(inner, 16, INDIRECT, 0)]), 16, INDIRECT, 0)])
    assert_broken(vm)


def test_indirect_with_next(vm, room):
    inner = table(vm, [(room["request"], 24, NEXT, 1), (room["answer"], 1024, WRITE, 0)])
    publish(vm, [(inner, 32, INDIRECT | NEXT, 1), (room["answer"], 1024, WRITE, 0)])
    assert_broken(vm)


def test_indirect_without_the_feature(start_vm):
    vm = watch_errors(start_vm("null", ring_size=16))
    address = vm.memory.alloc(64)
    inner = table(vm, [(address, 24, 0, 0)])
    publish(vm, [(inner, 16, INDIRECT, 0)])
    assert_broken(vm)


@pytest.mark.parametrize("following", [2, 255, 0xFFFF, 0])
def test_indirect_table_that_leads_astray(vm, room, following):
    inner = table(vm, [(room["request"], 24, NEXT, following), (room["answer"], 64, WRITE, 0)])
    publish(vm, [(inner, 32, INDIRECT, 0)])
    assert_recovers(vm)


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("head,advance", [(16, 1), (0xFFFF, 1), (0, 17), (0, 0x8000), (0, 0xFFFF)])
def test_split_ring_indices(start_vm, head, advance, event_idx):
    """A head beyond the table, an index that jumps by more than the ring holds."""
    vm = watch_errors(start_vm("null", ring_size=16, event_idx=event_idx))
    address = vm.memory.alloc(64)
    vm.rings[0].write_desc(0, address, 24, 0)
    vm.rings[0].publish_raw(head, advance)
    assert_broken(vm)


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


def break_ring(vm):
    publish(vm, [(NOWHERE, 24, 0, 0)])
    assert select.select([vm.error_fd], [], [], 20)[0], "no error was signalled"
    settle(vm)


def test_ring_alone_is_set_up_again(vm):
    """As with RING_RESET: the queue begins anew, and nothing else does."""
    require(vm.gpu.create_2d(1, 1, 4, 4))
    break_ring(vm)
    vm.user.get_vring_base(0)
    assert not vm.user.get_status() & Status.NEEDS_RESET
    vm.rings[0].start(vm.rings[0].first_base())
    vm.start_ring(0)
    assert vm.alive()
    require(vm.gpu.unref(1))


def test_reset_by_status(vm):
    """A front-end that says it with the device status alone."""
    break_ring(vm)
    vm.user.set_status(0)
    assert vm.user.get_status() == 0
    for index, ring in enumerate(vm.rings):
        ring.start(ring.first_base())
        vm.start_ring(index)
    assert vm.alive()


def test_broken_again(vm):
    """Each time it is told, and each reset helps."""
    for _ in range(5):
        os.eventfd_write(vm.error_fd, 1)
        os.eventfd_read(vm.error_fd)
        break_ring(vm)
        vm.reset()
        vm.user.set_vring_err(0, vm.error_fd)
        assert vm.alive()


def test_broken_ring_that_starts_where_it_stood(vm):
    """A VM that is stopped and goes on: what is in the ring still breaks it, and it still lives."""
    break_ring(vm)
    os.eventfd_read(vm.error_fd)
    bases = vm.stop()
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    assert select.select([vm.error_fd], [], [], 20)[0], "no error was signalled"
    assert_recovers(vm)


def test_what_is_in_flight_is_answered(vm):
    """Chains before the broken one in the same batch."""
    before = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=16 * 24, kick=False)
    vm.rings[0].publish([before])
    if vm.packed:
        publish(vm, [(NOWHERE, 24, 0, 0)])
    else:
        vm.rings[0].write_desc(0, NOWHERE, 24, 0)
        vm.rings[0].publish_raw(0)
    assert vm.gpu.result(before).type == Resp.OK_DISPLAY_INFO
    assert_broken(vm)


def test_driver_hears_of_it(start_vm):
    """The configuration changed: a driver that then looks at the status sees that it has to reset."""
    vm = watch_errors(start_vm("null", ring_size=16))
    channel = BackendChannel()
    channel.give(vm.user)
    break_ring(vm)
    message = channel.receive()
    assert message.request == BackendRequest.CONFIG_CHANGE_MSG
    channel.close()
    assert_recovers(vm)


def test_cursor_ring(vm):
    """The other ring of the device goes on, and the reset brings back both."""
    ring = vm.rings[1]
    error_fd = os.eventfd(0, os.EFD_NONBLOCK)
    vm.user.set_vring_err(1, error_fd)
    if ring.packed:
        ring.publish_raw([(NOWHERE, 24, 0, 5)])
    else:
        ring.write_desc(0, NOWHERE, 24, 0)
        ring.publish_raw(0)
    assert select.select([error_fd], [], [], 20)[0], "no error was signalled"
    os.close(error_fd)
    assert vm.user.get_status() & Status.NEEDS_RESET
    assert vm.alive()
    vm.reset()
    assert vm.user.get_status() == (Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK
                                    | Status.FEATURES_OK)
    vm.gpu.move_cursor(0, 1, 1)
    assert vm.alive()


@pytest.mark.parametrize("gap", [0, 4096])
@pytest.mark.parametrize("layout", ["split", "packed"])
def test_buffer_across_regions(start_vm, layout, gap):
    """Of neighbouring regions: one buffer. With something between them: none."""
    vm = watch_errors(start_vm("null", ring_size=16, packed=layout == "packed",
                               memory=GuestMemory((16 * MIB, 16 * MIB), gap=gap)))
    request = vm.memory.regions[0].end - 10
    answer = vm.memory.alloc(1024)
    data = HEADER.pack(Cmd.GET_DISPLAY_INFO, 0, 0, 0, 0)
    vm.memory.write(request, data[:10])
    vm.memory.write(vm.memory.regions[1].gpa, data[10:])
    publish(vm, [(request, 24, NEXT, 1), (answer, 1024, WRITE, 0)])
    if gap:
        assert_broken(vm)
    else:
        assert vm.rings[0].wait_notification(PATIENCE)
        kind, = struct.unpack("=I", vm.memory.read(answer, 4))
        assert kind == Resp.OK_DISPLAY_INFO
        assert_recovers(vm)


def packed_vm(start_vm, event_idx):
    return watch_errors(start_vm("null", ring_size=16, packed=True, event_idx=event_idx))


def write_request(vm):
    request, answer = vm.memory.alloc(64), vm.memory.alloc(1024)
    vm.memory.write(request, HEADER.pack(Cmd.GET_DISPLAY_INFO, 0, 0, 0, 0))
    return request, answer


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("flags", [0, PACKED_USED, PACKED_AVAIL | PACKED_USED])
def test_wrap_bits_of_a_head(start_vm, event_idx, flags):
    """Of another lap, or as if used: not available, which is no fault. It waits for the right ones."""
    vm = packed_vm(start_vm, event_idx)
    ring = vm.rings[0]
    request, answer = write_request(vm)
    ring.write_desc(1, answer, 1024, WRITE | PACKED_AVAIL, 5)
    ring.write_desc(0, request, 24, NEXT | flags, 5)
    ring.kick()
    settle(vm)
    assert not vm.user.get_status() & Status.NEEDS_RESET
    assert vm.memory.read(answer, 4) == bytes(4)
    vm.memory.write_u16(ring.desc + 14, NEXT | PACKED_AVAIL)
    ring.kick()
    assert_used(vm, HEADER.size + 16 * 24)


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("flags", [0, PACKED_USED, PACKED_AVAIL | PACKED_USED])
def test_wrap_bits_inside_of_a_chain(start_vm, event_idx, flags):
    """A chain goes on in what is not available."""
    vm = packed_vm(start_vm, event_idx)
    ring = vm.rings[0]
    request, answer = write_request(vm)
    ring.write_desc(1, answer, 1024, WRITE | flags, 5)
    ring.write_desc(0, request, 24, NEXT | PACKED_AVAIL, 5)
    ring.kick()
    assert_broken(vm)


@pytest.mark.parametrize("event_idx", [False, True])
def test_wrap_bits_behind_the_end(start_vm, event_idx):
    """A chain over the end of the ring whose second half keeps the bits of the first."""
    vm = packed_vm(start_vm, event_idx)
    ring = vm.rings[0]
    for _ in range(15):
        chain = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=None)
        ring.wait(chain)
    request, answer = write_request(vm)
    assert ring.next_avail == 15
    ring.write_desc(0, answer, 1024, WRITE | PACKED_AVAIL, 5)
    ring.write_desc(15, request, 24, NEXT | PACKED_AVAIL, 5)
    ring.kick()
    assert_broken(vm)


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
