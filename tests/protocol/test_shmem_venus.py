# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Host blobs of a Vulkan context: the memory that Mesa's Venus driver puts its rings into.

A blob with id 0 needs no Vulkan object: the render server makes plain shared memory.
"""

import os
import struct

import pytest

from frontend.blob import HostBlob, Layout
from frontend.checks import OK, PARAMETER
from frontend.daemon import fd_count
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.shmem import MAP, SharedRegion
from frontend.virtio_gpu import PAGE, Cmd, Resp, require

CTX = 1
CAPSET_VENUS = 4
LAYOUT = Layout(100, 75, 2, stride=416, offset=16)


def has_venus(vm):
    count, = struct.unpack_from("=I", vm.user.get_config(16), 12)
    infos = (require(vm.gpu.get_capset_info(i), Resp.OK_CAPSET_INFO) for i in range(count))
    return any(info.unpack("=I")[0] == CAPSET_VENUS for info in infos)


@pytest.fixture
def vm(start_vm):
    vm = start_vm("virglrenderer", region=SharedRegion())
    if not has_venus(vm):
        assert "venus" not in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")
        pytest.skip("this host does not start Venus")
    require(vm.gpu.ctx_create(CTX, CAPSET_VENUS))
    return vm


def test_same_memory_on_both_sides(vm):
    """A length that is no multiple of a page; the display shows what the guest writes."""
    blob = HostBlob(vm.gpu, LAYOUT.size)
    require(vm.gpu.ctx_attach(CTX, blob.id))
    assert blob.map(4 * PAGE) in (1, 2, 3)
    memory = vm.region.at(4 * PAGE)
    blob.show(0, LAYOUT)
    for seed in range(3):
        memory[:LAYOUT.size] = random_bytes(seed, LAYOUT.size)
        blob.flush(*LAYOUT.full)
        shown = rgb_only(vm.shown().pixels)
        different = differences(shown, LAYOUT.shown(memory[:LAYOUT.size]), LAYOUT.width)
        assert not different
    blob.unmap()
    assert not vm.region.ranges()
    blob.unref()
    assert vm.alive()


def test_context_goes(vm):
    blobs = [HostBlob(vm.gpu, 2 * PAGE) for _ in range(3)]
    for i, blob in enumerate(blobs):
        require(vm.gpu.ctx_attach(CTX, blob.id))
        blob.map(4 * i * PAGE)
    require(vm.gpu.ctx_destroy(CTX))
    vm.region.wait_empty()
    assert [vm.gpu.unmap_blob(blobs[0].id).type for _ in range(2)] == [OK, PARAMETER]
    require(vm.gpu.ctx_create(CTX, CAPSET_VENUS))
    HostBlob(vm.gpu).map(0)
    assert vm.region.ranges() == [(0, PAGE)]


def test_reset_while_a_map_is_outstanding(vm):
    blob = HostBlob(vm.gpu)
    vm.region.hold()
    vm.gpu.post(Cmd.RESOURCE_MAP_BLOB, struct.pack("=IIQ", blob.id, 0, 0), room=8)
    vm.region.wait(MAP)
    vm.reset()
    vm.region.release()
    vm.region.wait_empty()
    require(vm.gpu.ctx_create(CTX, CAPSET_VENUS))
    HostBlob(vm.gpu).map(0)


def test_rounds_leave_nothing(vm):
    pid, counts = vm.daemon.session_pid(), []
    for turn in range(100):
        blob = HostBlob(vm.gpu, 4 * PAGE)
        require(vm.gpu.ctx_attach(CTX, blob.id))
        blob.map(turn % 7 * 16 * PAGE)
        if turn % 2:
            blob.unmap()
        blob.unref()
        if turn in (20, 99):
            assert vm.alive()
            counts.append(fd_count(pid))
    vm.region.wait_empty()
    assert counts[0] == counts[1]
