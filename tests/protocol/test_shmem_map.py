# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""RESOURCE_MAP_BLOB and RESOURCE_UNMAP_BLOB: host blobs in the guest's view of host memory."""

import struct

import pytest

from frontend.blob import (CROSS_DEVICE, HOST3D_GUEST, MAPPABLE, SHAREABLE, GuestBlob, HostBlob,
                           Layout)
from frontend.checks import HUGE, NO_RESOURCE, OK, PARAMETER, UNSPEC
from frontend.memory import MIB
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.shmem import MAP, UNMAP, SharedRegion
from frontend.virtio_gpu import FLAG_FENCE, PAGE, Cmd, Resp, require

CTX = 1
SIZE = 256 * MIB
MAPPED = Resp.OK_MAP_INFO
CACHED = 1
LAYOUT = Layout(100, 75, 2, stride=416, offset=16)


@pytest.fixture
def vm(start_vm):
    vm = start_vm("null", "--hostmem", "256M", region=SharedRegion())
    require(vm.gpu.ctx_create(CTX))
    return vm


@pytest.fixture
def gpu(vm):
    return vm.gpu


@pytest.fixture
def region(vm):
    return vm.region


def post_map(gpu, blob, offset, **options):
    return gpu.post(Cmd.RESOURCE_MAP_BLOB, struct.pack("=IIQ", blob.id, 0, offset), room=8,
                    **options)


def post_unmap(gpu, blob):
    return gpu.post(Cmd.RESOURCE_UNMAP_BLOB, struct.pack("=II", blob.id, 0))


@pytest.mark.parametrize("mode", ["null", "2d"])
def test_config(running, mode):
    """Shared memory region 1 and no other, as large as the option says."""
    for text, size in (("4G", 4 << 30), ("1M", MIB), ("1T", 1 << 40)):
        vm = running.vm(running.daemon(mode, "--hostmem", text), region=SharedRegion())
        count, sizes = vm.user.get_shmem_config()
        assert (count, sizes[1]) == (1, size)
        assert not any(sizes[:1] + sizes[2:])


def test_config_by_default(running):
    vm = running.vm(running.daemon("null"), region=SharedRegion())
    assert vm.region.size == 4 << 30


def test_config_without_region(running):
    """Nothing is offered; a front-end that asks hears of no region."""
    vm = running.vm(running.daemon("null", "--hostmem", "0"))
    assert not vm.user.get_protocol_features() & 1 << 22
    count, sizes = vm.user.get_shmem_config()
    assert count == 0 and not any(sizes)
    require(vm.gpu.ctx_create(CTX))
    assert vm.gpu.map_blob(HostBlob(vm.gpu).id, 0).type in (UNSPEC, PARAMETER)


def test_request(gpu, region):
    blob = HostBlob(gpu, 5000)
    assert blob.map(3 * PAGE) == CACHED
    event, = region.of(MAP)
    assert (event.shmid, event.fd_offset, event.offset, event.length, event.flags) == (
        1, 0, 3 * PAGE, 2 * PAGE, 1)
    blob.unmap()
    event, = region.of(UNMAP)
    assert (event.shmid, event.offset, event.length) == (1, 3 * PAGE, 2 * PAGE)
    assert not region.ranges()


def test_answer(gpu):
    answer = gpu.map_blob(HostBlob(gpu).id, 0)
    assert (answer.type, answer.used_len, answer.unpack("=II")) == (MAPPED, 24 + 8, (CACHED, 0))


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 3 * MIB + 5])
def test_sizes(gpu, region, size):
    """Whole pages are mapped, and all of them can be written."""
    blob = HostBlob(gpu, size)
    blob.map(0)
    memory = region.at(0)
    assert len(memory) == -(-size // PAGE) * PAGE
    memory[:] = random_bytes(1, len(memory))
    blob.unmap()


def test_same_memory_on_both_sides(vm, gpu, region):
    """What the guest writes through the region is what the device shows."""
    blob = HostBlob(gpu, LAYOUT.size)
    blob.map(SIZE - 64 * PAGE)
    memory = region.at(SIZE - 64 * PAGE)
    assert bytes(memory) == bytes(len(memory))
    blob.show(0, LAYOUT)
    for seed in range(3):
        memory[:LAYOUT.size] = random_bytes(seed, LAYOUT.size)
        blob.flush(*LAYOUT.full)
        shown = rgb_only(vm.shown().pixels)
        different = differences(shown, LAYOUT.shown(memory[:LAYOUT.size]), LAYOUT.width)
        assert not different
    contents = bytes(memory)
    blob.unmap()
    blob.flush(*LAYOUT.full)
    assert rgb_only(vm.shown().pixels) == shown
    blob.map(PAGE)
    assert bytes(region.at(PAGE)) == contents


def test_host3d_guest(gpu, region):
    number = gpu.new_id()
    require(gpu.create_blob(number, HOST3D_GUEST, MAPPABLE, 0, 2 * PAGE, gpu.backing(2 * PAGE),
                            ctx_id=CTX))
    require(gpu.map_blob(number, 0), MAPPED)
    assert region.ranges() == [(0, 2 * PAGE)]


def test_errors(vm, gpu, region, check):
    blob = HostBlob(gpu, 2 * PAGE)
    for offset in (1, PAGE - 1, PAGE + 8, HUGE):
        check(f"offset {offset}", gpu.map_blob(blob.id, offset), PARAMETER)
    for offset in (SIZE - PAGE, SIZE, SIZE + PAGE, 1 << 40, 2**63, 2**64 - PAGE, 2**64 - 2 * PAGE):
        check(f"offset {offset:#x}", gpu.map_blob(blob.id, offset), PARAMETER)
    for number in (0, 99, HUGE):
        check(f"map {number}", gpu.map_blob(number, 0), NO_RESOURCE)
        check(f"unmap {number}", gpu.unmap_blob(number), NO_RESOURCE)
    guest = GuestBlob(gpu, PAGE, flags=MAPPABLE)
    check("guest blob", gpu.map_blob(guest.id, 0), PARAMETER)
    for flags in (0, SHAREABLE, SHAREABLE | CROSS_DEVICE):
        other = HostBlob(gpu, flags=flags)
        check(f"flags {flags}", gpu.map_blob(other.id, 0), PARAMETER)
    require(gpu.create_2d(50, 1, 64, 64))
    check("image", gpu.map_blob(50, 0), PARAMETER)
    for number in (blob.id, guest.id, 50):
        check("unmap of what is not mapped", gpu.unmap_blob(number), PARAMETER)
    assert not region.events
    large = HostBlob(gpu, SIZE + 1)
    check("larger than the region", gpu.map_blob(large.id, 0), PARAMETER)
    check("at the end", gpu.map_blob(blob.id, SIZE - 2 * PAGE), MAPPED)
    check("twice", gpu.map_blob(blob.id, 0), PARAMETER)
    check("twice at the same place", gpu.map_blob(blob.id, SIZE - 2 * PAGE), PARAMETER)
    check("unmap", gpu.unmap_blob(blob.id), OK)
    check("unmap twice", gpu.unmap_blob(blob.id), PARAMETER)
    check("all of the region", gpu.map_blob(HostBlob(gpu, SIZE).id, 0), MAPPED)
    assert region.ranges() == [(0, SIZE)]
    check.done(vm)


def test_overlaps(vm, gpu, region, check):
    first, last = HostBlob(gpu, 4 * PAGE), HostBlob(gpu, 4 * PAGE)
    first.map(8 * PAGE)
    last.map(16 * PAGE)
    small, same, big = (HostBlob(gpu, pages * PAGE) for pages in (1, 4, 16))
    for blob, page in ((small, 8), (small, 9), (small, 11), (small, 16), (small, 19), (same, 5),
                       (same, 7), (same, 8), (same, 9), (same, 11), (same, 13), (same, 15),
                       (same, 16), (same, 19), (big, 0), (big, 4), (big, 8), (big, 10), (big, 19)):
        check(f"{blob.size // PAGE} at {page}", gpu.map_blob(blob.id, page * PAGE), PARAMETER)
    assert len(region.of(MAP)) == 2, "the front-end is not asked"
    for blob, page in ((same, 4), (small, 12)):
        check(f"{blob.size // PAGE} beside at {page}", gpu.map_blob(blob.id, page * PAGE), MAPPED)
    check("behind", gpu.map_blob(big.id, 20 * PAGE), MAPPED)
    check("in the gap", gpu.map_blob(HostBlob(gpu, 3 * PAGE).id, 13 * PAGE), MAPPED)
    first.unmap()
    check("where one was", gpu.map_blob(HostBlob(gpu, 5 * PAGE).id, 8 * PAGE), PARAMETER)
    check("just where one was", gpu.map_blob(HostBlob(gpu, 4 * PAGE).id, 8 * PAGE), MAPPED)
    check.done(vm)


def test_control_queue_waits(vm, gpu, region):
    """Until the front-end has mapped; the rest of the device goes on."""
    blob = HostBlob(gpu)
    region.hold()
    mapped = post_map(gpu, blob, 0)
    behind = gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=4I", 500, 1, 16, 16))
    region.wait(MAP)
    vm.user.get_config(16)
    vm.sync()
    vm.rings[0].poll()
    assert not mapped.done and not behind.done
    region.release()
    require(gpu.result(mapped), MAPPED)
    assert gpu.result(behind).ok
    assert mapped.order < behind.order
    region.hold()
    unmapped = post_unmap(gpu, blob)
    region.wait(UNMAP)
    vm.sync()
    vm.rings[0].poll()
    assert not unmapped.done
    region.release()
    assert gpu.result(unmapped).type == OK
    assert not region.ranges()


def test_fence(gpu, region):
    """It signals behind the map, and the answer is whole."""
    region.hold()
    chain = post_map(gpu, HostBlob(gpu), 0, flags=FLAG_FENCE, fence_id=7)
    region.wait(MAP)
    region.release()
    answer = require(gpu.result(chain), MAPPED)
    assert (answer.flags, answer.fence_id, answer.unpack("=I")) == (FLAG_FENCE, 7, (CACHED,))


def test_refused(vm, gpu, region, check):
    """The table says what is true: what was not mapped can be mapped, and the other way round."""
    blob, other = HostBlob(gpu), HostBlob(gpu)
    for _ in range(3):
        region.refuse()
        check("map", gpu.map_blob(blob.id, 0), UNSPEC)
        check("unmap", gpu.unmap_blob(blob.id), PARAMETER)
    check("another there", gpu.map_blob(other.id, 0), MAPPED)
    check("elsewhere", gpu.map_blob(blob.id, PAGE), MAPPED)
    region.refuse()
    check("unmap", gpu.unmap_blob(blob.id), UNSPEC)
    check("still mapped", gpu.map_blob(blob.id, 4 * PAGE), PARAMETER)
    check("range is in use", gpu.map_blob(HostBlob(gpu).id, PAGE), PARAMETER)
    check("unmap again", gpu.unmap_blob(blob.id), OK)
    assert region.ranges() == [(0, PAGE)]
    check.done(vm)


def test_range_can_be_used_again_at_once(vm, gpu, region):
    """Also by commands that are sent before the unmap is answered."""
    blobs = [HostBlob(gpu) for _ in range(8)]
    chains = []
    for turn in range(40):
        blob = blobs[turn % 8]
        chains += [post_map(gpu, blob, 0), post_unmap(gpu, blob)]
    for chain in chains:
        assert gpu.result(chain).ok
    assert not region.ranges() and len(region.of(MAP)) == 40
    assert vm.alive()


def test_answer_does_not_fit(vm, gpu, region, check):
    """No room for the caching mode: the guest hears of a failure, so nothing stays mapped."""
    blob = HostBlob(gpu)
    for room in (0, 4, 7):
        check(f"room {room}", gpu.map_blob(blob.id, 0, room=room), UNSPEC)
        region.wait_empty()
    check("with room", gpu.map_blob(blob.id, 0), MAPPED)
    check.done(vm)


def test_no_answer_buffer(gpu, region):
    """The guest cannot hear anything: no crash, and the table stays right."""
    blob = HostBlob(gpu)
    assert gpu.map_blob(blob.id, 0, room=None) is None
    region.wait_empty()
    blob.map(0)


def test_unref_unmaps(gpu, region):
    blob = HostBlob(gpu)
    blob.map(PAGE)
    blob.unref()
    region.wait_empty()
    again = HostBlob(gpu)
    again.map(PAGE)
    assert region.ranges() == [(PAGE, PAGE)]


def test_unref_does_not_wait(vm, gpu, region):
    blob, other = HostBlob(gpu), HostBlob(gpu)
    blob.map(0)
    region.hold()
    blob.unref()
    mapped = post_map(gpu, other, 0)
    region.wait(MAP, 2)
    assert [event.request for event in region.events] == [MAP, UNMAP, MAP]
    region.release()
    require(gpu.result(mapped), MAPPED)
    assert region.ranges() == [(0, PAGE)]
    assert vm.alive()


def test_scanout_of_a_mapped_blob_goes(vm, gpu, region):
    blob = HostBlob(gpu, LAYOUT.size)
    blob.map(0)
    blob.show(0, LAYOUT)
    blob.flush(*LAYOUT.full)
    blob.unref()
    region.wait_empty()
    vm.sync()
    assert vm.display.picture() is None


def test_many_mappings(vm, gpu, region, check):
    """Filled from both ends, checked in the middle, emptied in another order."""
    blobs = [HostBlob(gpu) for _ in range(300)]
    places = [2 * i * PAGE if i % 2 else SIZE - 2 * (i + 1) * PAGE for i in range(300)]
    for blob, place in zip(blobs, places):
        blob.map(place)
    assert region.ranges() == sorted((place, PAGE) for place in places)
    big = HostBlob(gpu, 3 * PAGE)
    for place in places[1::20]:
        check(f"over {place:#x}", gpu.map_blob(big.id, place - PAGE), PARAMETER)
    for blob in blobs[::3] + blobs[1::3] + blobs[2::3]:
        blob.unmap()
    assert not region.ranges()
    check.done(vm)
