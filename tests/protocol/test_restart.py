# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Queues that stop and start: a guest reset that nobody announces, and QEMU's stop and cont."""

import pytest

from frontend.display import Display
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import Resp

SIZE = 4 * 64 * 64


def show(vm, seed):
    resource = vm.gpu.resource(64, 64)
    resource.draw(random_bytes(seed, SIZE))
    resource.show(0)
    resource.flush(*resource.full)
    return resource


def new_display(vm):
    """Prepare another display socket. Returns the old one."""
    old = vm.display
    vm.display = Display()
    vm.displays.append(vm.display)
    return old


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
def test_driver_begins_anew_without_a_reset(start_vm, packed):
    """QEMU before 8.2 never sends RESET_DEVICE: the rings just start from the beginning."""
    vm = start_vm("2d", packed=packed)
    for turn in range(3):
        resource = show(vm, turn)
        assert not differences(rgb_only(vm.shown().pixels), resource.image.shown(), 64)
        vm.stop()
        for ring in vm.rings:
            ring.start(ring.first_base())
        old = new_display(vm)
        vm.start()
        old.close()
        vm.gpu.next_resource = 1
        assert vm.gpu.unref(resource.id).type == Resp.ERR_INVALID_RESOURCE_ID


def test_stop_and_cont_with_a_new_display(start_vm, drawing_mode):
    """The guest knows of nothing: what it shows appears on the new display by itself."""
    vm = start_vm(drawing_mode)
    resource = show(vm, 1)
    bases = vm.stop()
    new_display(vm).close()
    vm.display.give(vm.user)
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    # Nothing that the guest does says when: the device asks the display what it is first.
    vm.display.wait_for(lambda: vm.display.picture(0) and not differences(
        rgb_only(vm.display.picture(0).pixels), resource.image.shown(), 64), "the picture again")
    resource.draw(random_bytes(2, SIZE))
    resource.flush(*resource.full)
    assert not differences(rgb_only(vm.shown().pixels), resource.image.shown(), 64)
