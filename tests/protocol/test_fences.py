# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Fences: what an answer repeats of its request, and when it comes."""

import struct

import pytest

from frontend import virgl
from frontend.virtio_gpu import FLAG_FENCE, FLAG_INFO_RING_IDX, Cmd, Resp, require

CREATE = struct.pack("=IIII", 1, 2, 16, 16)


def test_fence_is_repeated(start_vm, mode):
    vm = start_vm(mode)
    for fence in (1, 2, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1, 5):
        for cmd, body in ((Cmd.RESOURCE_CREATE_2D, CREATE), (Cmd.RESOURCE_UNREF, CREATE[:8]),
                          (Cmd.RESOURCE_UNREF, CREATE[:8]), (0x999, b"")):
            response = vm.gpu.command(cmd, body, flags=FLAG_FENCE, fence_id=fence)
            assert response.flags & FLAG_FENCE
            assert response.fence_id == fence


def test_no_fence_no_flags(start_vm, mode):
    """Without the flag the answer's fence fields are zero."""
    vm = start_vm(mode)
    response = vm.gpu.command(Cmd.RESOURCE_CREATE_2D, CREATE, fence_id=77)
    assert (response.type, response.flags, response.fence_id) == (Resp.OK_NODATA, 0, 0)


def test_fenced_answers_with_data(start_vm, mode):
    vm = start_vm(mode)
    response = vm.gpu.get_display_info(flags=FLAG_FENCE, fence_id=9)
    assert (response.type, response.fence_id) == (Resp.OK_DISPLAY_INFO, 9)
    response = vm.gpu.get_edid(0, flags=FLAG_FENCE, fence_id=10)
    assert (response.type, response.fence_id) == (Resp.OK_EDID, 10)


def test_fences_of_one_timeline_keep_their_order(start_vm, mode):
    vm = start_vm(mode)
    chains = [vm.gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=IIII", i, 2, 16, 16),
                          flags=FLAG_FENCE, fence_id=i) for i in range(1, 101)]
    responses = [vm.gpu.result(chain) for chain in chains]
    assert [r.fence_id for r in responses] == list(range(1, 101))
    assert all(r.ok for r in responses)
    assert [c.order for c in chains] == sorted(c.order for c in chains)


@pytest.fixture
def vm(start_vm):
    """A virgl guest with two contexts."""
    vm = start_vm("virglrenderer")
    for ctx in (1, 2):
        require(vm.gpu.ctx_create(ctx))
    return vm


def test_context_is_repeated(vm):
    response = vm.gpu.submit_3d(2, virgl.nop(), flags=FLAG_FENCE, fence_id=3)
    assert (response.type, response.ctx_id, response.fence_id) == (Resp.OK_NODATA, 2, 3)


@pytest.mark.parametrize("ring", [0, 1, 63])
def test_ring_index_is_repeated(vm, ring):
    response = vm.gpu.submit_3d(1, virgl.nop(), flags=FLAG_FENCE | FLAG_INFO_RING_IDX, fence_id=4,
                                ring_idx=ring)
    if ring == 0:
        require(response)
    assert response.flags & FLAG_FENCE
    if response.ok:
        assert response.flags & FLAG_INFO_RING_IDX
    assert (response.ctx_id, response.fence_id) == (1, 4)
    assert response.ring_idx == ring or not response.ok


def test_ring_index_of_no_context(vm):
    """A context that does not exist has no timelines."""
    response = vm.gpu.submit_3d(99, virgl.nop(), flags=FLAG_FENCE | FLAG_INFO_RING_IDX, fence_id=4)
    assert response.type == Resp.ERR_INVALID_CONTEXT_ID


def test_timelines_complete_all(vm):
    """Fences of the global timeline and of both contexts, mixed and all in flight."""
    chains = []
    for i in range(60):
        flags = FLAG_FENCE | (FLAG_INFO_RING_IDX if i % 3 else 0)
        chains.append(vm.gpu.post(Cmd.SUBMIT_3D, struct.pack("=III", 4, 0, *virgl.nop()),
                                  flags=flags, fence_id=1000 + i, ctx_id=1 + i % 2))
    timelines = {}
    for i, chain in enumerate(chains):
        response = require(vm.gpu.result(chain))
        assert response.fence_id == 1000 + i
        key = 0 if not i % 3 else 1 + i % 2
        timelines.setdefault(key, []).append(chain.order)
    for orders in timelines.values():
        assert orders == sorted(orders), "a timeline's fences keep their order"


def test_thousand_fenced_submits(vm):
    for start in range(0, 1000, 50):
        chains = [vm.gpu.post(Cmd.SUBMIT_3D, struct.pack("=III", 4, 0, *virgl.nop()),
                              flags=FLAG_FENCE, fence_id=start + i + 1, ctx_id=1)
                  for i in range(50)]
        for i, chain in enumerate(chains):
            assert require(vm.gpu.result(chain)).fence_id == start + i + 1


def test_unfenced_answers_overtake_fenced_ones_or_not(vm):
    """An answer without a fence never waits for another command's fence for ever."""
    fenced = vm.gpu.post(Cmd.SUBMIT_3D, struct.pack("=III", 4, 0, *virgl.nop()), flags=FLAG_FENCE,
                         fence_id=1, ctx_id=1)
    assert vm.alive()
    require(vm.gpu.result(fenced))


def test_context_destroyed_with_fences_pending(vm):
    chains = [vm.gpu.post(Cmd.SUBMIT_3D, struct.pack("=III", 4, 0, *virgl.nop()),
                          flags=FLAG_FENCE | FLAG_INFO_RING_IDX, fence_id=i + 1, ctx_id=2)
              for i in range(20)]
    destroyed = vm.gpu.post(Cmd.CTX_DESTROY, ctx_id=2)
    for chain in (*chains, destroyed):
        assert vm.gpu.result(chain).type in Resp
    assert vm.alive()


def test_ring_stopped_with_fences_pending(vm):
    for i in range(20):
        vm.gpu.post(Cmd.SUBMIT_3D, struct.pack("=III", 4, 0, *virgl.nop()), flags=FLAG_FENCE,
                    fence_id=i + 1, ctx_id=1)
    vm.reset()
    assert vm.alive()
