# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""--poll-us: the rings are looked at for a while after each command, and then the process sleeps."""

import itertools
import os
import time

import pytest

from frontend import virgl
from frontend.daemon import wait_until
from frontend.patience import PATIENCE
from frontend.virtio_gpu import FLAG_FENCE, Cmd, Resp, require

LAYOUTS = list(itertools.product((False, True), repeat=2))
SECOND = ("--poll-us", "1000000")


def layout_name(layout):
    packed, event_idx = layout
    return "-".join(("packed" if packed else "split", *["event_idx"] * event_idx))


@pytest.fixture(params=LAYOUTS, ids=layout_name)
def layout(request):
    packed, event_idx = request.param
    return {"packed": packed, "event_idx": event_idx}


def unref_unkicked(vm):
    """Make a command available, and say nothing of it."""
    chain = vm.gpu.post(Cmd.RESOURCE_UNREF, bytes(8), kick=False)
    chain.ring.publish([chain])
    return chain


def unref(vm):
    assert vm.gpu.unref(99).type == Resp.ERR_INVALID_RESOURCE_ID


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_kicks(start_vm, layout):
    """Commands are answered that nobody kicks for, one after the other."""
    vm = start_vm("null", *SECOND, **layout)
    deadline = time.monotonic() + PATIENCE
    in_a_row = 0
    unref(vm)
    while in_a_row < 20:
        assert time.monotonic() < deadline, f"{in_a_row} commands were answered without a kick"
        chain = unref_unkicked(vm)
        # Where this process did not run for a second, the device may be asleep already.
        asleep = vm.gpu.control.wants_kick()
        if asleep:
            vm.gpu.control.kick()
        in_a_row = 0 if asleep else in_a_row + 1
        assert vm.gpu.result(chain).type == Resp.ERR_INVALID_RESOURCE_ID


def test_no_kick_is_asked_for(start_vm, layout):
    """The driver is told that it need not kick."""
    vm = start_vm("null", *SECOND, **layout)
    control = vm.gpu.control

    def spared():
        unref(vm)
        before = control.kicks
        unref(vm)
        return control.kicks == before

    wait_until(spared, "a command without a kick")


@pytest.mark.parametrize("poll_us", ["1000", "auto", "0"])
def test_asleep(start_vm, layout, poll_us):
    """After the time is over kicks are asked for again, and none is missed; no CPU is used."""
    vm = start_vm("null", "--poll-us", poll_us, **layout)
    for i in range(10):
        # Several in a row, so that it is worth while.
        for _ in range(10 * i):
            unref(vm)
        wait_until(vm.gpu.control.wants_kick, "a device that sleeps")
    pid = vm.daemon.session_pid()
    before = cpu_seconds(pid)
    time.sleep(1)
    # One that does not sleep uses as much as it gets, which is a second on a CPU of its own.
    assert cpu_seconds(pid) - before < 0.1
    unref(vm)


def test_cursor_queue(start_vm):
    """Both queues are looked at, whichever had work."""
    vm = start_vm("null", *SECOND)

    def spared():
        unref(vm)
        before = vm.gpu.cursor.kicks
        vm.gpu.move_cursor(0, 1, 1)
        return vm.gpu.cursor.kicks == before

    wait_until(spared, "a cursor command without a kick")


@pytest.mark.parametrize("poll_us", ["1", "50", "1000000"])
def test_fences(start_vm, poll_us):
    """What waits for the renderer is answered, polled for or not, and while polling comes to its end."""
    vm = start_vm("virglrenderer", "--poll-us", poll_us)
    require(vm.gpu.ctx_create(1))
    for fence in range(1, 301):
        response = vm.gpu.submit_3d(1, virgl.nop(), flags=FLAG_FENCE, fence_id=fence)
        assert (response.type, response.fence_id) == (Resp.OK_NODATA, fence)


def test_stop_while_polling(start_vm):
    """GET_VRING_BASE, a new memory table and a hang-up come through while the rings are polled."""
    vm = start_vm("2d", *SECOND)
    for _ in range(3):
        unref(vm)
        bases = vm.stop()
        for index, base in enumerate(bases):
            vm.start_ring(index, base)
        unref(vm)
        vm.user.set_mem_table(vm.memory.regions)
        assert vm.alive()
