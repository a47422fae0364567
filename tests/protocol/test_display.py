# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The display socket from its worst side: answers that come late or never, a reader that stops,
hang-ups in between. Nothing that the daemon does waits for any of it."""

import socket
import struct

import pytest

from frontend.display import FLAG_REPLY, HEADER, Display, Feature, Kind, edid_answer
from frontend.patience import PATIENCE
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.ring import RingTimeout
from frontend.virtio_gpu import Cmd, Resp, require


@pytest.fixture
def vm(start_vm):
    return start_vm("2d")


def assert_responsive(vm):
    """vhost-user messages are answered whatever the display does."""
    vm.user.get_features()
    vm.user.get_config(16)
    vm.user.set_vring_call(0, vm.rings[0].call_fd)


def test_handshake(vm):
    vm.display.wait_event(Kind.SET_PROTOCOL_FEATURES)
    vm.sync()
    kinds = [event.kind for event in vm.display.events]
    assert kinds[:2] == [Kind.GET_PROTOCOL_FEATURES, Kind.SET_PROTOCOL_FEATURES]
    assert kinds.count(Kind.SET_PROTOCOL_FEATURES) == 1
    assert vm.display.negotiated & Feature.EDID


@pytest.mark.parametrize("features", [0, Feature.EDID, Feature.DMABUF2, (1 << 64) - 1])
def test_display_with_other_features(start_vm, features):
    """Without EDID the daemon makes one or answers an error, and never asks for it."""
    vm = start_vm("2d", display=Display(features=features))
    vm.display.wait_event(Kind.SET_PROTOCOL_FEATURES)
    response = vm.gpu.get_edid(0)
    if features & Feature.EDID:
        assert response.body == edid_answer(0)[24:]
    else:
        assert response.type in (Resp.OK_EDID, Resp.ERR_UNSPEC)
        assert not vm.display.of_kind(Kind.GET_EDID)
    assert not vm.display.negotiated & ~(Feature.EDID | Feature.DMABUF2)


@pytest.mark.parametrize("cmd,kind,room", [(Cmd.GET_DISPLAY_INFO, Kind.GET_DISPLAY_INFO, 384),
                                           (Cmd.GET_EDID, Kind.GET_EDID, 1032)])
def test_late_answer(vm, cmd, kind, room):
    """The control queue waits behind the command, cursor queue and messages go on."""
    vm.display.hold(kind)
    waiting = vm.gpu.post(cmd, bytes(8), room=room)
    behind = vm.gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=IIII", 1, 2, 16, 16))
    vm.display.wait_event(kind)
    for turn in range(50):
        vm.gpu.move_cursor(0, turn, turn)
        assert_responsive(vm)
    vm.sync()
    vm.rings[0].poll()
    assert not waiting.done
    vm.display.release()
    assert vm.gpu.result(waiting).ok
    assert vm.gpu.result(behind).ok
    assert waiting.order < behind.order


def test_late_handshake(start_vm):
    """Features that are answered late: messages are answered at once, commands in the end."""
    display = Display()
    display.hold(Kind.GET_PROTOCOL_FEATURES)
    vm = start_vm("2d", display=display)
    display.wait_event(Kind.GET_PROTOCOL_FEATURES)
    chain = vm.gpu.post(Cmd.GET_EDID, bytes(8), room=1032)
    for _ in range(20):
        assert_responsive(vm)
    display.release()
    assert vm.gpu.result(chain).body == edid_answer(0)[24:]


def test_ring_base_while_an_answer_is_outstanding(vm):
    """QEMU stops the rings from the thread that would answer: the command ends with an error."""
    vm.display.hold(Kind.GET_DISPLAY_INFO)
    waiting = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=384)
    vm.display.wait_event(Kind.GET_DISPLAY_INFO)
    bases = vm.stop()
    vm.rings[0].poll()
    assert waiting.done, "what is in flight comes back before the ring stops"
    assert vm.gpu.result(waiting).type == Resp.ERR_UNSPEC
    assert bases[0] == vm.rings[0].next_avail
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    vm.display.modes = [(1600, 1200)]
    chain = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=384)
    vm.display.wait_event(Kind.GET_DISPLAY_INFO, 2)
    vm.display.release()
    info = require(vm.gpu.result(chain), Resp.OK_DISPLAY_INFO)
    assert info.unpack("=4I")[2:] == (1600, 1200), "a late answer belongs to the command before"


def test_reset_while_an_answer_is_outstanding(vm):
    vm.display.hold(Kind.GET_EDID)
    vm.gpu.post(Cmd.GET_EDID, bytes(8), room=1032)
    vm.display.wait_event(Kind.GET_EDID)
    vm.reset()
    assert vm.gpu.get_edid(1).body == edid_answer(1)[24:]


def test_display_hangs_up_while_an_answer_is_outstanding(vm):
    vm.display.hold(Kind.GET_DISPLAY_INFO)
    waiting = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=384)
    vm.display.wait_event(Kind.GET_DISPLAY_INFO)
    vm.display.close()
    assert vm.gpu.result(waiting).type == Resp.ERR_UNSPEC
    assert vm.alive()


def test_display_hangs_up_before_the_handshake(start_vm):
    display = Display()
    display.hold(Kind.GET_PROTOCOL_FEATURES)
    vm = start_vm("2d", display=display)
    display.wait_event(Kind.GET_PROTOCOL_FEATURES)
    display.close()
    assert vm.alive()


def test_front_end_leaves_while_an_answer_is_outstanding(vm):
    vm.display.hold(Kind.GET_DISPLAY_INFO)
    vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=384)
    vm.display.wait_event(Kind.GET_DISPLAY_INFO)
    vm.hang_up()
    vm.daemon.wait_sessions(0)


def full_socket(vm):
    """Stop reading and flush until a flush waits. Returns that flush and the resource."""
    resource = vm.gpu.resource(1024, 768)
    resource.draw(random_bytes(1, 4 * 1024 * 768))
    resource.show(0)
    vm.sync()
    vm.display.pause_reading()
    vm.gpu.move_cursor(0, 1, 1)
    body = struct.pack("=IIIIII", 0, 0, 1024, 768, resource.id, 0)
    for _ in range(64):
        chain = vm.gpu.post(Cmd.RESOURCE_FLUSH, body)
        try:
            vm.rings[0].wait(chain, timeout=0.5)
        except RingTimeout:
            return chain, resource
    pytest.fail("200 MB of updates do not fill the socket: they pile up in the daemon")


def test_display_that_does_not_read(vm):
    """The flush waits for room in the socket, nothing else does."""
    chain, resource = full_socket(vm)
    for _ in range(50):
        assert_responsive(vm)
    vm.display.resume_reading()
    assert vm.gpu.result(chain).ok
    resource.draw(random_bytes(2, 4 * 1024 * 768))
    resource.flush(*resource.full)
    different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), 1024)
    assert not different


def moves_of(vm):
    """Positions on scanout 0; a move that names no resource may come as hidden."""
    moves = vm.display.of_kind(Kind.CURSOR_POS, Kind.CURSOR_POS_HIDE)
    return [event.values for event in moves if event.values[0] == 0]


def test_cursor_while_the_display_does_not_read(vm):
    """The cursor queue is used up; positions may be dropped, the last one arrives."""
    chain, _ = full_socket(vm)
    for turn in range(200):
        vm.gpu.move_cursor(0, turn, turn)
    vm.display.resume_reading()
    assert vm.gpu.result(chain).ok
    vm.sync()
    assert moves_of(vm)[-1] == (0, 199, 199)


def test_rings_stop_while_the_display_does_not_read(vm):
    chain, resource = full_socket(vm)
    bases = vm.stop()
    vm.rings[0].poll()
    assert chain.done
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    vm.display.resume_reading()
    resource.flush(*resource.full)
    different = differences(rgb_only(vm.shown().pixels), resource.image.shown(), 1024)
    assert not different


def test_reset_while_the_display_does_not_read(vm):
    full_socket(vm)
    vm.reset()
    assert vm.alive()
    resource = vm.gpu.resource(64, 64)
    resource.show(0)
    resource.flush(*resource.full)
    assert vm.shown()


def test_front_end_leaves_while_the_display_does_not_read(vm):
    full_socket(vm)
    vm.user.close()
    vm.daemon.wait_sessions(0)


def test_display_hangs_up_while_it_does_not_read(vm):
    chain, _ = full_socket(vm)
    vm.display.close()
    assert vm.gpu.result(chain).type in Resp
    assert vm.alive()


HOSTILE = {
    "wrong request": HEADER.pack(Kind.GET_EDID, FLAG_REPLY, 408) + bytes(408),
    "no reply flag": HEADER.pack(Kind.GET_DISPLAY_INFO, 0, 408) + bytes(408),
    "too short": HEADER.pack(Kind.GET_DISPLAY_INFO, FLAG_REPLY, 8) + bytes(8),
    "too long": HEADER.pack(Kind.GET_DISPLAY_INFO, FLAG_REPLY, 1 << 30) + bytes(4096),
    "half a header": b"\x03\x00\x00",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_wrong_answers(vm, case):
    """A display that breaks the protocol is given up; the guest goes on without."""
    vm.display.hold(Kind.GET_DISPLAY_INFO)
    waiting = vm.gpu.post(Cmd.GET_DISPLAY_INFO, room=384)
    vm.display.wait_event(Kind.GET_DISPLAY_INFO)
    vm.display.sock.sendall(HOSTILE[case])
    if case == "half a header":
        vm.display.close()
    assert vm.gpu.result(waiting).type in Resp
    assert vm.alive()


def test_answer_that_nobody_asked_for(vm):
    vm.sync()
    vm.display.sock.sendall(HEADER.pack(Kind.DMABUF_UPDATE, FLAG_REPLY, 0))
    assert vm.alive()
    assert vm.gpu.get_display_info().type in (Resp.OK_DISPLAY_INFO, Resp.ERR_UNSPEC)


def test_display_info_is_not_trusted(start_vm):
    """Absurd modes pass through or are mended; the answer has its size."""
    vm = start_vm("2d", display=Display(modes=[(0xFFFFFFFF, 0xFFFFFFFF)] * 16))
    response = require(vm.gpu.get_display_info(), Resp.OK_DISPLAY_INFO)
    assert response.used_len == 24 + 384
    assert vm.alive()


def test_fence_on_a_late_answer(vm):
    vm.display.hold(Kind.GET_EDID)
    waiting = vm.gpu.post(Cmd.GET_EDID, bytes(8), room=1032, flags=1, fence_id=42)
    vm.display.wait_event(Kind.GET_EDID)
    vm.display.release()
    response = require(vm.gpu.result(waiting), Resp.OK_EDID)
    assert (response.flags, response.fence_id) == (1, 42)


def unread_display(vm):
    """Our end of a display socket that the session has, unread."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    vm.user.gpu_set_socket(theirs.fileno())
    theirs.close()
    vm.user.get_features()
    return ours


def is_refused(sock):
    """The session says something first on a socket that it takes."""
    return not sock.recv(1, socket.MSG_PEEK)


def test_unread_sockets_are_counted(start_vm):
    """What was sent and not read is the kernel's memory, in our name: eight, and no more."""
    vm = start_vm("null")
    vm.display.close()
    first = [unread_display(vm) for _ in range(8)]
    assert not any(is_refused(sock) for sock in first)
    refused = unread_display(vm)
    assert is_refused(refused)
    # One that is read, or closed, makes room; the end is seen behind what was sent.
    while first[0].recv(4096):
        pass
    assert not is_refused(unread_display(vm))
    first[1].close()
    again = Display()
    vm.displays.append(again)
    again.give(vm.user)
    again.wait_event(Kind.GET_PROTOCOL_FEATURES)
    assert vm.alive()
    for sock in (*first, refused):
        sock.close()
