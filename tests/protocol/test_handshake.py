# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The start of a connection: features, acknowledgements, configuration space."""

import os
import struct

import pytest

from frontend.display import Kind
from frontend.vhost_user import ProtocolFeature as PF
from frontend.vhost_user import FLAG_NEED_REPLY, VERSION, HangUp, Refused, Request
from frontend.virtio_gpu import Feature
from frontend.vm import WANTED_PROTOCOL

REQUIRED = (Feature.VERSION_1 | Feature.PROTOCOL_FEATURES | Feature.RING_PACKED
            | Feature.RING_EVENT_IDX | Feature.RING_INDIRECT_DESC | Feature.RING_RESET
            | Feature.EDID | Feature.RESOURCE_UUID | Feature.RESOURCE_BLOB)


@pytest.fixture
def user(running):
    return running.connect(running.daemon("null"))


def test_features(running, mode):
    user = running.connect(running.daemon(mode))
    offered = user.get_features()
    assert offered & REQUIRED == REQUIRED
    three_d = Feature.VIRGL | Feature.CONTEXT_INIT
    if mode in ("virglrenderer", "gfxstream"):
        assert offered & three_d == three_d
    if mode == "2d":
        assert not offered & three_d


def test_protocol_features_are_the_documented_set(user):
    assert user.get_protocol_features() == WANTED_PROTOCOL | PF.SHMEM_MAP


@pytest.mark.parametrize("extra", [1 << 2, 1 << 20, 1 << 63])
def test_protocol_features_that_were_not_offered(running, user, extra):
    """They are ignored or end the session; the daemon serves the next one."""
    user.set_protocol_features(WANTED_PROTOCOL | extra)
    user.close()
    assert running.connect(running.daemons[0]).get_features()


def test_sizes_and_slots(user):
    user.set_protocol_features(WANTED_PROTOCOL)
    assert user.get_queue_num() == 2
    assert user.get_max_mem_slots() >= 32


def test_features_that_were_not_offered_are_refused(user):
    user.set_protocol_features(WANTED_PROTOCOL)
    with pytest.raises(Refused):
        user.set_features(user.get_features() | 1 << 63)
    user.set_features(user.get_features())


@pytest.mark.peer
def test_qemu_start(start_vm):
    vm = start_vm("2d")
    assert vm.alive()
    assert vm.shown() is None
    assert not vm.display.of_kind(Kind.UPDATE, Kind.SCANOUT)


def test_every_message_is_acknowledged(running):
    vm = running.vm(running.daemon("null"), start=False)
    assert vm.user.reply_ack
    vm.start()
    vm.user.set_vring_err(0, vm.rings[0].call_fd)
    vm.user.set_vring_err(0, None)
    vm.user.set_config(bytes(4), offset=4)
    assert vm.user.acknowledged(Request.GPU_SET_SOCKET, fds=[vm.display.sock.fileno()]) == 0
    vm.stop()
    vm.user.reset_device()
    vm.user.reset_owner()


def test_no_acknowledgement_without_the_feature(user):
    """need_reply means nothing before REPLY_ACK was negotiated."""
    user.set_protocol_features(WANTED_PROTOCOL & ~PF.REPLY_ACK)
    user.send(Request.SET_OWNER, flags=VERSION | FLAG_NEED_REPLY)
    assert user.get_features()


def test_set_protocol_features_is_acknowledged(user):
    user.set_protocol_features(WANTED_PROTOCOL)
    assert user.acknowledged(Request.SET_PROTOCOL_FEATURES, struct.pack("=Q", WANTED_PROTOCOL)) == 0


@pytest.mark.parametrize("number", [0, 6, 19, 27, 31, 35, 45, 46, 1000, 0xFFFFFFFF])
def test_unknown_message(running, user, number):
    """A failure is acknowledged, or the session ends; the daemon serves on in both cases."""
    user.set_protocol_features(WANTED_PROTOCOL)
    user.send(number, bytes(8), flags=VERSION | FLAG_NEED_REPLY)
    try:
        payload = user.get_reply(number)
    except HangUp:
        pass
    else:
        assert len(payload) != 8 or struct.unpack("=Q", payload) != (0,)
        assert user.get_features()
    assert running.connect(running.daemons[0]).get_features()


@pytest.mark.parametrize("mode", ["null", "2d"])
def test_config_of_any_size(running, mode):
    """QEMU asks for as many bytes as its own structure has: 16, 20, or more one day."""
    user = running.connect(running.daemon(mode))
    user.set_protocol_features(WANTED_PROTOCOL)
    whole = user.get_config(256)
    events_read, events_clear, scanouts, capsets = struct.unpack_from("=IIII", whole)
    assert (events_read, events_clear, capsets) == (0, 0, 0)
    assert 1 <= scanouts <= 16
    assert not any(whole[20:]), "zero beyond what is known"
    for size in (*range(0, 41), 64, 128, 255, 256):
        assert user.get_config(size) == whole[:size]
    for offset in (1, 4, 8, 12, 15, 16, 20, 24, 255, 256):
        for size in (0, 1, 4, 256 - offset):
            if offset + size <= 256:
                assert user.get_config(size, offset) == whole[offset:offset + size]


def test_blob_alignment_where_the_config_has_the_field(running):
    """The feature is offered once the front-end has shown that its structure has 20 bytes."""
    user = running.connect(running.daemon("2d"))
    user.set_protocol_features(WANTED_PROTOCOL)
    blob_alignment = 1 << 5
    assert not user.get_features() & blob_alignment
    user.get_config(16)
    assert not user.get_features() & blob_alignment
    alignment, = struct.unpack_from("=I", user.get_config(20), 16)
    assert alignment == os.sysconf("SC_PAGESIZE")
    assert user.get_features() & blob_alignment


@pytest.mark.parametrize("offset,size", [(0, 257), (256, 1), (0xFFFFFFFF, 2), (200, 100),
                                         (0, 0xFFFFFFFF)])
def test_config_beyond_the_limit(running, user, offset, size):
    """QEMU's limit is 256. An error is an answer without content, or the session's end; zeros of
    the length that was asked for are fine as long as that is within the limit."""
    user.set_protocol_features(WANTED_PROTOCOL)
    user.send(Request.GET_CONFIG, struct.pack("=III", offset, size, 0) + bytes(min(size, 512)))
    try:
        answer = user.get_reply(Request.GET_CONFIG)
        assert len(answer) <= 12 or size <= 256 and answer[12:] == bytes(size)
    except HangUp:
        pass
    else:
        assert user.get_features()
    assert running.connect(running.daemons[0]).get_features()


def test_set_config(user):
    """A driver clears events; all other fields are read-only."""
    user.set_protocol_features(WANTED_PROTOCOL)
    before = user.get_config(24)
    user.set_config(struct.pack("=I", 1), offset=4)
    for offset, data in ((8, bytes(4)), (0, b"\xff" * 24), (250, bytes(20)), (0, b"")):
        try:
            user.set_config(data, offset)
        except Refused:
            pass
    assert user.get_config(24) == before
