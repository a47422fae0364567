# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Things that happen while a command waits for the display."""

import struct

import pytest

from frontend.display import Display, Kind, edid_answer
from frontend.memory import DEFAULT_UVA, GuestMemory, MIB, Region
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import Cmd, Resp, require


@pytest.fixture
def vm(start_vm):
    return start_vm("2d", memory=GuestMemory((16 * MIB, 16 * MIB)))


@pytest.fixture
def waiting(vm):
    """GET_EDID, which the display does not answer yet."""
    vm.display.hold(Kind.GET_EDID)
    chain = vm.gpu.post(Cmd.GET_EDID, bytes(8), room=1032)
    vm.display.wait_event(Kind.GET_EDID)
    return chain


def test_memory_table_is_replaced(vm, waiting):
    """The answer goes to where the guest's buffer is now."""
    vm.user.set_mem_table(vm.memory.regions)
    vm.display.release()
    assert vm.gpu.result(waiting).body == edid_answer(0)[24:]
    assert vm.alive()


def test_regions_come_and_go(vm, waiting):
    region = Region(1 << 40, MIB, DEFAULT_UVA + (1 << 42))
    for _ in range(5):
        vm.user.add_mem_reg(region)
        vm.user.rem_mem_reg(region)
    region.close()
    vm.user.rem_mem_reg(vm.memory.regions[1])
    vm.display.release()
    assert vm.gpu.result(waiting).body == edid_answer(0)[24:]


def test_memory_of_the_answer_is_gone(vm):
    """The buffer for the answer is removed under a command: no crash, and a reset mends it."""
    vm.display.hold(Kind.GET_EDID)
    chain = vm.gpu.post(Cmd.GET_EDID, bytes(8), room=1032, kick=False)
    _, length, flags = chain.buffers[-1]
    chain.buffers[-1] = (vm.memory.alloc(length, region=1), length, flags)
    vm.rings[0].submit(chain)
    vm.display.wait_event(Kind.GET_EDID)
    vm.user.rem_mem_reg(vm.memory.regions[1])
    vm.display.release()
    vm.sync()
    vm.reset()
    assert vm.alive()


def test_ring_memory_is_gone(vm, waiting):
    """All memory is removed with rings running and a command waiting."""
    for region in vm.memory.regions:
        vm.user.rem_mem_reg(region)
    for ring in vm.rings:
        ring.kick()
    vm.display.release()
    assert vm.user.get_features()
    vm.reset()
    assert vm.alive()
    assert not waiting.done


def test_many_commands_behind(vm, waiting):
    """A queue full of commands that each ask the display are answered in their order."""
    chains = [vm.gpu.post(Cmd.GET_EDID, struct.pack("=II", i % 16, 0), room=1032)
              for i in range(100)]
    vm.display.release()
    assert vm.gpu.result(waiting).ok
    for i, chain in enumerate(chains):
        assert vm.gpu.result(chain).body == edid_answer(i % 16)[24:]
    orders = [chain.order for chain in (waiting, *chains)]
    assert orders == sorted(orders)


def test_disabled_ring(vm, waiting):
    """SET_VRING_ENABLE 0 and 1 around an outstanding answer."""
    vm.user.set_vring_enable(0, False)
    vm.display.release()
    vm.user.set_vring_enable(0, True)
    assert vm.gpu.result(waiting).type in Resp
    assert vm.alive()


def test_another_display(vm, waiting):
    """A new display socket: the command ends, and the next one asks the new display."""
    old, vm.display = vm.display, Display(modes=[(1600, 1200)])
    vm.displays.append(vm.display)
    vm.display.give(vm.user)
    assert vm.gpu.result(waiting).type in Resp
    old.release()
    info = require(vm.gpu.get_display_info(), Resp.OK_DISPLAY_INFO)
    assert info.unpack("=4I")[2:] == (1600, 1200)


def flush_without_reader(vm, count):
    """count flushes of 4 MB each that nobody reads yet. Returns the resource and the chains."""
    resource = vm.gpu.resource(1024, 1024)
    resource.draw(random_bytes(1, 4 << 20))
    resource.show(0)
    vm.sync()
    vm.display.pause_reading()
    vm.gpu.move_cursor(0, 1, 1)
    body = struct.pack("=IIIIII", 0, 0, 1024, 1024, resource.id, 0)
    flushes = [vm.gpu.post(Cmd.RESOURCE_FLUSH, body) for _ in range(count)]
    for _ in range(20):
        vm.user.get_features()
    return resource, flushes


def test_resource_goes_behind_a_flush_that_waits(vm):
    """Update half sent, then UNREF in the queue behind it: the update ends, then the scanout."""
    resource, flushes = flush_without_reader(vm, 4)
    unref = vm.gpu.post(Cmd.RESOURCE_UNREF, struct.pack("=II", resource.id, 0))
    vm.display.resume_reading()
    for chain in (*flushes, unref):
        assert vm.gpu.result(chain).ok
    vm.sync()
    updates = vm.display.of_kind(Kind.UPDATE)
    assert len(updates) == 4
    assert vm.display.picture() is None
    different = differences(rgb_only(updates[-1].data), resource.image.shown(), 1024)
    assert not different


def test_reset_in_the_middle_of_an_update(vm):
    """What is half sent is sent to its end: the display that stays sees whole messages."""
    flush_without_reader(vm, 1)
    vm.stop()
    vm.user.reset_device()
    for index, ring in enumerate(vm.rings):
        ring.start()
        vm.start_ring(index)
    vm.display.resume_reading()
    resource = vm.gpu.resource(64, 64)
    resource.draw(random_bytes(2, 4 * 64 * 64))
    resource.show(1)
    resource.flush(*resource.full)
    different = differences(rgb_only(vm.shown(1).pixels), resource.image.shown(), 64)
    assert not different
