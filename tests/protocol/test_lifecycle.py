# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Front-ends and guests that come, reset, leave and come again."""

import os
import signal

import pytest

from frontend.daemon import fd_count, wait_until
from frontend.display import Display, Kind
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.vhost_user import HangUp
from frontend.virtio_gpu import Resp, require

SIZE = 4 * 64 * 64


def draw_and_check(vm, seed=1):
    """A new resource on scanout 0, compared pixel by pixel."""
    resource = vm.gpu.resource(64, 64)
    resource.draw(random_bytes(seed, SIZE))
    resource.show(0)
    resource.flush(*resource.full)
    picture = vm.shown()
    different = differences(rgb_only(picture.pixels), resource.image.shown(), 64)
    assert not different
    return resource


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
def test_guest_reset(start_vm, packed):
    """Rings from the start, a second display socket; the first is closed under the daemon."""
    vm = start_vm("2d", packed=packed)
    for turn in range(5):
        resource = draw_and_check(vm, turn)
        vm.reset()
        vm.gpu.next_resource = 1
        assert vm.gpu.unref(resource.id).type == Resp.ERR_INVALID_RESOURCE_ID
    draw_and_check(vm)


def test_resets_leave_no_fds(start_vm, drawing_mode):
    """Display sockets, memory and eventfds of 30 guest boots in one session."""
    vm = start_vm(drawing_mode)
    draw_and_check(vm)
    vm.reset()
    draw_and_check(vm)
    before = fd_count(vm.daemon.session_pid())
    for _ in range(30):
        vm.reset()
        draw_and_check(vm)
    wait_until(lambda: fd_count(vm.daemon.session_pid()) <= before, "descriptors closed")


def test_reset_device_forgets_everything(start_vm):
    vm = start_vm("2d")
    resource = draw_and_check(vm)
    vm.reset()
    for response in (vm.gpu.flush(resource.id, *resource.full),
                     vm.gpu.detach_backing(resource.id),
                     vm.gpu.set_scanout(0, resource.id, *resource.full)):
        assert response.type == Resp.ERR_INVALID_RESOURCE_ID
    assert vm.shown() is None


def test_first_display_socket_closed_before_the_second(start_vm):
    """A write to a closed display must not kill (SIGPIPE), nor stop the rings."""
    vm = start_vm("2d")
    resource = draw_and_check(vm)
    vm.display.close()
    for _ in range(20):
        assert vm.gpu.flush(resource.id, *resource.full).type in Resp
    vm.gpu.move_cursor(0, 1, 1)
    assert vm.alive()
    vm.display = Display()
    vm.displays.append(vm.display)
    vm.display.give(vm.user)
    resource.show(0)
    resource.flush(*resource.full)
    picture = vm.shown()
    different = differences(rgb_only(picture.pixels), resource.image.shown(), 64)
    assert not different


def test_second_display_socket_while_the_first_is_open(start_vm):
    """The newest socket counts; scanouts that are set appear on it."""
    vm = start_vm("2d")
    resource = draw_and_check(vm)
    first, vm.display = vm.display, Display()
    vm.displays.append(vm.display)
    vm.display.give(vm.user)
    resource.show(0)
    resource.flush(*resource.full)
    picture = vm.shown()
    different = differences(rgb_only(picture.pixels), resource.image.shown(), 64)
    assert not different
    first.wait_for(lambda: True)
    assert not first.errors


@pytest.mark.parametrize("packed", [False, True], ids=["split", "packed"])
@pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event_idx"])
def test_stop_and_go_on_at_the_base(start_vm, packed, event_idx):
    """GET_VRING_BASE tells where to go on; the ring's memory stays as it is (vmstop, migration)."""
    vm = start_vm("2d", packed=packed, event_idx=event_idx, ring_size=16)
    resource = draw_and_check(vm)
    for turn in range(10):
        for _ in range(turn + 3):
            assert vm.alive()
        bases = vm.stop()
        ring = vm.rings[0]
        if packed:
            position = ring.next_avail | ring.avail_wrap << 15
            assert bases[0] == position | position << 16
        else:
            assert bases[0] == ring.next_avail
        for index, base in enumerate(bases):
            vm.start_ring(index, base)
        resource.draw(random_bytes(turn, SIZE))
        resource.flush(*resource.full)
        different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), 64)
        assert not different


def test_requests_that_wait_while_the_ring_starts(start_vm):
    """What was made available before the start is processed without a further kick."""
    vm = start_vm("2d")
    bases = vm.stop()
    chain = vm.gpu.post(0x0101, bytes(16), kick=False)
    vm.rings[0].publish([chain])
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    assert vm.gpu.result(chain).type == Resp.ERR_INVALID_RESOURCE_ID


def test_disabled_ring_waits(start_vm):
    """SET_VRING_ENABLE 0 pauses a ring; nothing is lost."""
    vm = start_vm("null")
    vm.user.set_vring_enable(0, False)
    chain = vm.gpu.post(0x0101, bytes(16))
    for _ in range(20):
        vm.user.get_features()
        vm.gpu.move_cursor(0, 1, 1)
    assert not vm.rings[0].poll()
    vm.user.set_vring_enable(0, True)
    assert vm.gpu.result(chain).type == Resp.ERR_INVALID_RESOURCE_ID


def test_one_ring_only(start_vm):
    """The control ring works before the cursor ring is set up."""
    vm = start_vm("null", start=False)
    vm.user.set_features(vm.features)
    vm.user.set_mem_table(vm.memory.regions)
    vm.display.give(vm.user)
    vm.start_ring(0)
    assert vm.alive()


def test_hang_up_and_the_next(running):
    """QEMU goes away at any time, another one comes to the same socket."""
    daemon = running.daemon("2d")
    for turn in range(10):
        vm = running.vm(daemon)
        resource = draw_and_check(vm, turn)
        if turn % 2:
            vm.gpu.post(0x0104, bytes(24))
        vm.hang_up()
        assert resource
        daemon.wait_sessions(0)


def test_hang_up_without_a_word(running):
    daemon = running.daemon("null")
    for _ in range(10):
        running.connect(daemon).close()
    assert running.connect(daemon).get_features()


def test_several_at_once(running):
    """Guests of one daemon see their own resources and pictures only."""
    daemon = running.daemon("2d")
    vms = [running.vm(daemon) for _ in range(4)]
    daemon.wait_sessions(4)
    resources = []
    for seed, vm in enumerate(vms):
        resources.append(draw_and_check(vm, seed))
    assert {resource.id for resource in resources} == {1}
    for vm, resource in zip(vms, resources):
        different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), 64)
        assert not different
    for vm in vms[:2]:
        vm.hang_up()
    daemon.wait_sessions(2)
    draw_and_check(vms[3], 9)


def test_session_that_crashes_takes_nothing_along(running):
    daemon = running.daemon("2d")
    victim = running.vm(daemon)
    pid = daemon.session_pid()
    other = running.vm(daemon)
    os.kill(pid, signal.SIGKILL)
    victim.user.wait_hang_up()
    draw_and_check(other)
    draw_and_check(running.vm(daemon))


def test_once(running):
    """--once: the program ends after its first front-end, and takes the socket along."""
    daemon = running.daemon("2d", "--once")
    vm = running.vm(daemon)
    draw_and_check(vm)
    running.expect_running = False
    vm.hang_up()
    assert daemon.wait_exit() == 0


def test_max_sessions(running):
    """One front-end more than allowed is turned away; there is room again when one leaves."""
    daemon = running.daemon("null", "--max-sessions", "2")
    vms = [running.vm(daemon, headless=True) for _ in range(2)]
    with pytest.raises(HangUp):
        running.connect(daemon).get_features()
    assert all(vm.alive() for vm in vms)
    vms[0].hang_up()
    daemon.wait_sessions(1)
    assert running.vm(daemon, headless=True).alive()


def test_inherited_socket(running):
    """--fd, as libvirt starts it: the process is the session and ends with it."""
    daemon = running.daemon("2d", with_fd=True)
    vm = running.vm(daemon)
    draw_and_check(vm)
    running.expect_running = False
    vm.hang_up()
    assert daemon.wait_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_daemon_and_sessions(running, number):
    daemon = running.daemon("2d")
    vm = running.vm(daemon)
    draw_and_check(vm)
    running.expect_running = False
    sessions = daemon.sessions()
    daemon.process.send_signal(number)
    vm.user.wait_hang_up()
    assert daemon.wait_exit() == 0
    for pid in sessions:
        wait_until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), f"session {pid} ends")
    assert not os.path.exists(daemon.socket_path)


def test_headless_needs_no_display_socket(start_vm):
    """Generic vhost-user front-ends never send one."""
    vm = start_vm("2d", "--headless", headless=True)
    resource = vm.gpu.resource(64, 64)
    resource.draw(random_bytes(1, SIZE))
    resource.show(0)
    resource.flush(*resource.full)
    info = require(vm.gpu.get_display_info(), Resp.OK_DISPLAY_INFO)
    _, _, width, height, enabled, _ = info.unpack("=6I")
    assert enabled and width and height
    edid = require(vm.gpu.get_edid(0), Resp.OK_EDID)
    assert edid.unpack("=I")[0] >= 128
    assert edid.body[8:16] == b"\x00\xff\xff\xff\xff\xff\xff\x00"
    assert sum(edid.body[8:136]) % 256 == 0


def test_display_socket_without_display_option(start_vm):
    """A headless daemon takes the socket of a front-end that has one, and shows nothing."""
    vm = start_vm("2d", "--headless")
    resource = vm.gpu.resource(64, 64)
    resource.show(0)
    resource.flush(*resource.full)
    assert vm.alive()
    assert not vm.display.of_kind(Kind.UPDATE)


def test_rings_reset_one_by_one(start_vm):
    """VIRTIO_F_RING_RESET reaches a back-end as GET_VRING_BASE and a fresh start of one ring."""
    vm = start_vm("2d")
    resource = draw_and_check(vm)
    for _ in range(5):
        vm.user.set_vring_enable(0, False)
        vm.user.get_vring_base(0)
        vm.rings[0].start()
        vm.start_ring(0)
        resource.flush(*resource.full)
    assert vm.alive()
