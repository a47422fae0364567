# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""How many pieces of guest memory all resources may have: the front-end waits for SET_MEM_TABLE
until each has been looked up again."""

import pytest

from frontend.memory import MIB, GuestMemory
from frontend.virtio_gpu import Resp, require

ENTRIES_OF_ONE = 1 << 20
ENTRIES_OF_ALL = 4 << 20


@pytest.fixture
def vm(start_vm):
    return start_vm("null", memory=GuestMemory((64 * MIB,)), indirect=True)


def test_entries_of_all_lists(vm):
    """60 lists of 2^20 entries made SET_MEM_TABLE take a second."""
    entries = [(vm.memory.alloc(4096), 1)] * ENTRIES_OF_ONE
    allowed = ENTRIES_OF_ALL // ENTRIES_OF_ONE
    for number in range(1, allowed + 2):
        require(vm.gpu.create_2d(number, 2, 512, 512))
    for number in range(1, allowed + 1):
        require(vm.gpu.attach_backing(number, entries))
    assert vm.gpu.attach_backing(allowed + 1, entries).type == Resp.ERR_OUT_OF_MEMORY
    vm.user.set_mem_table(vm.memory.regions)
    assert vm.alive()
    require(vm.gpu.detach_backing(1))
    require(vm.gpu.attach_backing(allowed + 1, entries))
    require(vm.gpu.unref(2))
    require(vm.gpu.attach_backing(1, entries))
    assert vm.gpu.create_blob(99, 1, 1, 0, 4096, [(entries[0][0], 4096)]).type \
        == Resp.ERR_OUT_OF_MEMORY
    assert vm.alive()
