# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""QEMU 11.1 answers SHMEM_MAP before the memory is there: the guest hears of it only afterwards."""

import pytest

from frontend.blob import HostBlob
from frontend.checks import UNSPEC
from frontend.shmem import MAP, UNMAP, QemuRegion
from frontend.virtio_gpu import Resp, require
from test_shmem_map import CTX, post_map

PLACE = 1 << 20


@pytest.fixture
def vm(start_vm):
    vm = start_vm("null", "--hostmem", "256M", region=QemuRegion())
    require(vm.gpu.ctx_create(CTX))
    return vm


def test_answer_waits_for_the_memory(vm):
    blob = HostBlob(vm.gpu, 8192, CTX)
    vm.region.hold()
    waiting = post_map(vm.gpu, blob, PLACE)
    vm.region.wait(MAP)
    vm.region.wait_until(lambda: vm.region.barriers == 1, "the barrier")
    # The map itself is answered. Its command is not: nothing is there yet.
    assert vm.user.get_features()
    vm.rings[0].poll()
    assert not waiting.done
    assert vm.region.ranges() == []
    vm.region.release()
    assert vm.gpu.result(waiting).type == Resp.OK_MAP_INFO
    assert vm.region.ranges() == [(PLACE, 8192)]


def test_refused(vm):
    blob = HostBlob(vm.gpu, 8192, CTX)
    vm.region.refuse()
    assert vm.gpu.result(post_map(vm.gpu, blob, PLACE)).type == UNSPEC
    assert vm.gpu.result(post_map(vm.gpu, blob, PLACE)).type == Resp.OK_MAP_INFO
    assert vm.region.ranges() == [(PLACE, 8192)]


def test_reset_in_the_middle(vm):
    blob = HostBlob(vm.gpu, 8192, CTX)
    vm.region.hold()
    post_map(vm.gpu, blob, PLACE)
    vm.region.wait_until(lambda: vm.region.barriers == 1, "the barrier")
    vm.stop()
    vm.user.reset_device()
    vm.region.release()
    vm.region.wait(UNMAP)
    vm.region.wait_empty()
