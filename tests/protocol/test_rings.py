# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Rings of all layouts and sizes under load."""

import itertools

import pytest

from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import Cmd, Feature, Resp

LAYOUTS = list(itertools.product((False, True), repeat=3))
FLUSH_OF_NOTHING = bytes(16) + b"\x09\0\0\0" + bytes(4)


def layout_name(layout):
    packed, indirect, event_idx = layout
    return "-".join(("packed" if packed else "split", *["indirect"] * indirect,
                     *["event_idx"] * event_idx))


@pytest.fixture(params=LAYOUTS, ids=layout_name)
def layout(request):
    packed, indirect, event_idx = request.param
    return {"packed": packed, "indirect": indirect, "event_idx": event_idx}


def batch(vm, count):
    """As many commands as fit, up to count; not published yet."""
    chains = []
    room = vm.gpu.control.free_slots
    while len(chains) < count:
        chain = vm.gpu.post(Cmd.RESOURCE_FLUSH, FLUSH_OF_NOTHING, kick=False)
        room -= vm.gpu.control.slots_needed(chain)
        if room < 0:
            vm.memory.free(chain.request[0], 64)
            break
        chains.append(chain)
    return chains


@pytest.mark.peer
@pytest.mark.parametrize("size", [4, 64, 256, 1024])
def test_thousand_commands(start_vm, pytestconfig, layout, size):
    """Many times around a small ring, singly and in batches; each answer belongs to its command."""
    if pytestconfig.getoption("--peer") and layout["packed"]:
        pytest.skip("the peer has no packed rings")
    vm = start_vm("2d", ring_size=size, **layout)
    done = 0
    for step in itertools.count():
        chains = batch(vm, 1 + step * 7 % 40)
        vm.gpu.control.submit(*chains)
        for chain in chains:
            response = vm.gpu.result(chain)
            assert (response.type, response.used_len) == (Resp.ERR_INVALID_RESOURCE_ID, 24)
        done += len(chains)
        if done >= 1000:
            break


@pytest.mark.parametrize("size", [3, 5, 7, 100, 1000])
def test_packed_rings_of_odd_sizes(start_vm, size):
    """Packed rings need not be a power of two."""
    vm = start_vm("null", packed=True, ring_size=size)
    for _ in range(50):
        chains = batch(vm, size)
        vm.gpu.control.submit(*chains)
        for chain in chains:
            assert vm.gpu.result(chain).type == Resp.ERR_INVALID_RESOURCE_ID


def test_pixels_through_every_layout(start_vm, layout):
    vm = start_vm("2d", ring_size=16, **layout)
    resource = vm.gpu.resource(64, 64)
    resource.show(0)
    for seed in range(20):
        resource.draw(random_bytes(seed, 4 * 64 * 64))
        resource.flush(*resource.full)
        different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), 64)
        assert not different


def test_one_notification_for_a_batch(start_vm, layout):
    vm = start_vm("null", ring_size=128, **layout)
    ring = vm.gpu.control
    for _ in range(20):
        chains = batch(vm, 60)
        before = ring.notifications
        ring.submit(*chains)
        ring.wait(*chains)
        for chain in chains:
            vm.gpu.result(chain)
        vm.user.get_features()
        ring.poll()
        assert ring.notifications - before == 1


def test_no_notification_when_not_wanted(start_vm, layout):
    vm = start_vm("null", ring_size=128, **layout)
    ring = vm.gpu.control
    vm.alive()
    vm.user.get_features()  # the last answer's notification has been sent
    ring.poll()
    ring.disable_notifications()
    before = ring.notifications
    chains = batch(vm, 20)
    ring.publish(chains)
    ring.kick()
    for chain in chains:
        ring.spin(chain, vm.user.get_features)
    vm.user.get_features()
    assert not ring.wait_notification(0)
    assert ring.notifications == before
    ring.poll()
    assert vm.alive()


def test_request_in_many_buffers(start_vm, layout):
    """A command may be cut anywhere: headers and entries do not align with descriptors."""
    vm = start_vm("2d", ring_size=64, **layout)
    resource = vm.gpu.new_id()
    assert vm.gpu.create_2d(resource, 2, 32, 32, split=(1, 2, 3, 5, 7, 11)).ok
    entries = vm.gpu.backing(4096, (100, 200, 5))
    assert vm.gpu.attach_backing(resource, entries, split=(23, 1, 9, 16, 40)).ok
    assert vm.gpu.transfer_2d(resource, 0, 0, 32, 32, split=(20, 20)).ok


def test_answer_in_many_buffers(start_vm, layout):
    """The answer is scattered over device-writable buffers of any length."""
    vm = start_vm("2d", ring_size=64, **layout)
    chain = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=384, kick=False)
    answer, length, flags = chain.buffers.pop()
    parts = [1, 3, 20, 10, 100, length - 134]
    for part in parts:
        chain.buffers.append((answer, part, flags))
        answer += part
    vm.gpu.control.submit(chain)
    vm.gpu.control.wait(chain)
    assert chain.used_len == 24 + 384
    data = b"".join(vm.memory.read(gpa, part) for gpa, part, flags in chain.buffers if flags)
    assert int.from_bytes(data[:4], "little") == Resp.OK_DISPLAY_INFO
    assert data[24 + 8:24 + 16] == (1024).to_bytes(4, "little") + (768).to_bytes(4, "little")


def test_backing_of_many_entries(start_vm):
    """A full-HD resource in single pages: 2025 entries in one command."""
    vm = start_vm("2d", indirect=True)
    resource = vm.gpu.resource(1920, 1080, entries=vm.gpu.backing(1920 * 1080 * 4, (4096,)))
    resource.draw(random_bytes(1, 1920 * 1080 * 4))
    resource.show(0)
    resource.flush(100, 100, 200, 200)
    update = vm.display.wait_event(8)
    different = differences(rgb_only(update.data), resource.image.shown(100, 100, 200, 200), 200)
    assert not different


def test_cursor_ring_is_independent(start_vm, layout):
    """Both rings busy at once; neither waits for the other."""
    vm = start_vm("2d", ring_size=32, cursor_size=16, **layout)
    for turn in range(50):
        chains = batch(vm, 8)
        vm.gpu.control.submit(*chains)
        vm.gpu.move_cursor(0, turn, turn)
        for chain in chains:
            assert vm.gpu.result(chain).type == Resp.ERR_INVALID_RESOURCE_ID


def test_features_of_the_ring_are_per_session(start_vm, running):
    """A packed guest beside a split one on one daemon."""
    packed = start_vm("null", packed=True, event_idx=True)
    split = running.vm(running.daemons[0])
    assert packed.features & Feature.RING_PACKED
    assert not split.features & Feature.RING_PACKED
    for _ in range(20):
        assert packed.alive() and split.alive()
