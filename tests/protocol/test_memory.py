# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The guest's memory: tables replaced, regions added and removed, while resources have backing."""

import os
import struct

import pytest

from frontend.blob import GuestBlob, Layout
from frontend.memory import DEFAULT_UVA, GuestMemory, MIB, Region
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.vhost_user import HangUp, Refused
from frontend.virtio_gpu import Cmd, Resp, rect, require

SIZE = 4 * 64 * 64


def assert_flush_shows(vm, resource, data):
    """Transfer and flush new content; it must arrive."""
    resource.draw(data)
    resource.flush(*resource.full)
    different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), resource.width)
    assert not different


@pytest.fixture(params=["2d", "virglrenderer"])
def vm(request, start_vm):
    return start_vm(request.param, memory=GuestMemory((16 * MIB, 16 * MIB)))


@pytest.fixture
def resource(vm):
    """Scattered backing in the second region; the rings are in the first."""
    resource = vm.gpu.resource(64, 64, entries=vm.gpu.backing(SIZE, (1000, 4096), region=1))
    resource.show(0)
    return resource


@pytest.mark.peer
def test_offset_in_the_file(start_vm):
    vm = start_vm("2d", memory=GuestMemory((8 * MIB,), fd_offset=3 * MIB))
    resource = vm.gpu.resource(64, 64)
    resource.show(0)
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))


def test_table_replaced_with_backing_attached(vm, resource):
    """QEMU sends the table again whenever the guest's map changes, with rings running."""
    for seed in range(20):
        assert_flush_shows(vm, resource, random_bytes(seed, SIZE))
        vm.user.set_mem_table(vm.memory.regions)


def test_table_moves_in_the_front_ends_address_space(vm, resource):
    """The same guest-physical memory at other user addresses and in another order."""
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))
    vm.memory.regions[1].uva += 0x10_0000_0000
    vm.user.set_mem_table(list(reversed(vm.memory.regions)))
    assert_flush_shows(vm, resource, random_bytes(2, SIZE))


def test_table_without_the_backing(vm, resource):
    """Backing that went away: an error or old pixels, no crash; it works when it is back."""
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))
    vm.user.set_mem_table(vm.memory.regions[:1])
    assert not vm.gpu.transfer_2d(resource.id, *resource.full).ok
    assert vm.alive()
    vm.user.set_mem_table(vm.memory.regions)
    assert_flush_shows(vm, resource, random_bytes(2, SIZE))


def test_replaced_by_other_memory(vm, resource):
    """The same guest-physical addresses, another file: the new content counts."""
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))
    old = vm.memory.regions[1]
    vm.memory.regions[1] = Region(old.gpa, old.size, old.uva)
    vm.user.set_mem_table(vm.memory.regions)
    assert_flush_shows(vm, resource, random_bytes(2, SIZE))
    old.close()


def test_regions_added_and_removed(vm, resource):
    top = vm.memory.regions[-1]
    for turn in range(10):
        region = vm.memory.add(Region(top.end + 64 * MIB, 4 * MIB, DEFAULT_UVA + (1 << 40)))
        vm.user.add_mem_reg(region)
        other = vm.gpu.resource(64, 64, entries=vm.gpu.backing(SIZE, region=2))
        other.show(0)
        assert_flush_shows(vm, other, random_bytes(turn, SIZE))
        assert vm.gpu.unref(other.id).ok
        vm.user.rem_mem_reg(region, with_fd=turn % 2)
        vm.memory.regions.pop().close()
        resource.show(0)
        assert_flush_shows(vm, resource, random_bytes(turn, SIZE))


def test_region_removed_with_backing_in_it(vm, resource):
    region = vm.memory.regions[1]
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))
    vm.user.rem_mem_reg(region)
    assert not vm.gpu.transfer_2d(resource.id, *resource.full).ok
    response = vm.gpu.attach_backing(vm.gpu.resource(8, 8).id + 100, [(region.gpa, 4096)])
    assert response.type == Resp.ERR_INVALID_RESOURCE_ID
    vm.user.add_mem_reg(region)
    assert_flush_shows(vm, resource, random_bytes(2, SIZE))


def hot_plug(vm, turn):
    """A region that was not there before, somewhere else in the front-end each time."""
    region = vm.memory.add(Region(vm.memory.regions[1].end + 64 * MIB, 4 * MIB,
                                  DEFAULT_UVA + (turn + 2 << 40)))
    vm.user.add_mem_reg(region)
    return region


def assert_blob_shows(vm, blob, seed):
    data = random_bytes(seed, blob.size)
    blob.write(data)
    blob.flush(0, 0, 64, 64)
    different = differences(rgb_only(vm.shown(1).pixels), Layout(64, 64).shown(data), 64)
    assert not different


def test_hot_plug_under_backing(vm, resource):
    """An image and a blob in memory that is unplugged and plugged again under them, in between with
    another file: what is shown is always what stands in the memory of now."""
    hot_plug(vm, 0)
    entries = vm.gpu.backing(SIZE, (1000, 4096), region=2)
    there = vm.gpu.resource(64, 64, entries=entries)
    there.show(0)
    blob = GuestBlob(vm.gpu, SIZE, vm.gpu.backing(SIZE, region=2))
    blob.show(1, Layout(64, 64))
    for turn in range(1, 6):
        assert_flush_shows(vm, there, random_bytes(turn, SIZE))
        assert_blob_shows(vm, blob, turn)
        gone = vm.memory.regions.pop()
        vm.user.rem_mem_reg(gone, with_fd=turn % 2)
        gone.close()
        assert not vm.gpu.transfer_2d(there.id, *there.full).ok
        # What stayed works on meanwhile.
        resource.show(0)
        assert_flush_shows(vm, resource, random_bytes(turn + 10, SIZE))
        hot_plug(vm, turn)
        there.show(0)
    assert vm.gpu.unref(there.id).ok and vm.gpu.unref(blob.id).ok


def test_started_with_single_regions_only(start_vm):
    """QEMU uses ADD_MEM_REG instead of a table where the back-end can."""
    vm = start_vm("2d", start=False)
    vm.user.set_features(vm.features)
    for region in vm.memory.regions:
        vm.user.add_mem_reg(region)
    vm.display.give(vm.user)
    for index in range(2):
        vm.start_ring(index)
    resource = vm.gpu.resource(64, 64)
    resource.show(0)
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))


def test_unknown_region_is_not_removed(vm, resource):
    region = Region(1 << 40, 4096, 1 << 41)
    with pytest.raises(Refused):
        vm.user.rem_mem_reg(region)
    region.close()
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))


def test_overlapping_region_is_refused(vm, resource):
    region = Region(vm.memory.regions[0].gpa + MIB, MIB, 1 << 41)
    with pytest.raises((Refused, HangUp)):
        vm.user.add_mem_reg(region)
    region.close()
    assert_flush_shows(vm, resource, random_bytes(1, SIZE))


def test_as_many_regions_as_slots(start_vm):
    vm = start_vm("null", start=False, headless=True)
    slots = min(vm.user.get_max_mem_slots(), 64)
    vm.user.set_features(vm.features)
    top = vm.memory.regions[0].end
    vm.user.add_mem_reg(vm.memory.regions[0])
    for i in range(slots - 1):
        region = Region(top + i * MIB, 65536, DEFAULT_UVA + (1 << 41) + i * MIB)
        vm.user.add_mem_reg(vm.memory.add(region))
    for index in range(2):
        vm.start_ring(index)
    last = vm.memory.regions[-1]
    assert vm.gpu.create_2d(1, 2, 16, 16).ok
    assert vm.gpu.attach_backing(1, [(last.gpa, 1024)]).ok


def post_transfer_2d(vm):
    resource = vm.gpu.resource(64, 64, entries=vm.gpu.backing(SIZE, region=1))
    yield
    vm.gpu.post(Cmd.TRANSFER_TO_HOST_2D, rect(*resource.full) + struct.pack("=QII", 0, resource.id, 0))


def post_transfer_3d(vm):
    require(vm.gpu.create_3d(1, 64, 64))
    require(vm.gpu.attach_backing(1, vm.gpu.backing(SIZE, region=1)))
    yield
    vm.gpu.post(Cmd.TRANSFER_TO_HOST_3D,
                struct.pack("=6IQIIII", 0, 0, 0, 64, 64, 1, 0, 1, 0, 0, 0))


def post_flush_of_blob(vm):
    blob = GuestBlob(vm.gpu, SIZE, vm.gpu.backing(SIZE, region=1))
    blob.show(0, Layout(64, 64))
    yield
    vm.gpu.post(Cmd.RESOURCE_FLUSH, rect(0, 0, 64, 64) + struct.pack("=II", blob.id, 0))


def only_kick(vm):
    yield
    vm.rings[0].kick()


# What is used: mode, region whose file ends, and what makes use of it.
SHRUNK = {
    "backing": ("2d", 1, post_transfer_2d),
    "backing-virgl": ("virglrenderer", 1, post_transfer_2d),
    "backing-3d": ("virglrenderer", 1, post_transfer_3d),
    "blob": ("2d", 1, post_flush_of_blob),
    "ring": ("null", 0, only_kick),
}


@pytest.mark.parametrize("case", SHRUNK)
def test_file_that_shrinks(running, case):
    """An access behind the end of a file raises SIGBUS. The session ends, and says why; nothing
    else does."""
    mode, region, use = SHRUNK[case]
    daemon = running.daemon(mode)
    bystander = running.vm(daemon, headless=True)
    vm = running.vm(daemon, memory=GuestMemory((16 * MIB, 16 * MIB)))
    steps = use(vm)
    next(steps)
    os.ftruncate(vm.memory.regions[region].fd, 0)
    next(steps, None)
    vm.user.wait_hang_up()
    daemon.wait_log("ended with status 1")
    assert "became shorter while it was in use" in daemon.log()
    assert bystander.alive()
    assert running.connect(daemon).get_features()


def test_inherited_connection(running):
    """The same with --fd: the exit status says it."""
    daemon = running.daemon("2d", with_fd=True)
    vm = running.vm(daemon, headless=True, memory=GuestMemory((16 * MIB, 16 * MIB)))
    os.ftruncate(vm.memory.regions[0].fd, 0)
    vm.rings[0].kick()
    vm.user.wait_hang_up()
    assert daemon.wait_exit() == 1
    assert "the file of the guest's memory became shorter" in daemon.log()
    running.daemons.remove(daemon)
    daemon.kill()
    daemon.check_log()
