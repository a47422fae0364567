# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Front-end side of the vhost-user socket (QEMU's vhost-user document).

VhostUser sends every message that QEMU 7.2 to 11.1 can send to a GPU back-end. The methods are
strict about answers; send_raw() is for messages that no sane front-end sends.
"""

import array
import enum
import os
import socket
import struct
from dataclasses import dataclass, field

from .patience import PATIENCE

VERSION = 0x1
FLAG_REPLY = 0x4
FLAG_NEED_REPLY = 0x8
VRING_NOFD = 0x100
HEADER = struct.Struct("=III")
CONFIG_HEADER = struct.Struct("=III")
MAX_FDS = 16


class Request(enum.IntEnum):
    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_LOG_BASE = 6
    SET_LOG_FD = 7
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SET_BACKEND_REQ_FD = 21
    GET_CONFIG = 24
    SET_CONFIG = 25
    GET_INFLIGHT_FD = 31
    GPU_SET_SOCKET = 33
    RESET_DEVICE = 34
    GET_MAX_MEM_SLOTS = 36
    ADD_MEM_REG = 37
    REM_MEM_REG = 38
    SET_STATUS = 39
    GET_STATUS = 40
    GET_SHMEM_CONFIG = 44


class BackendRequest(enum.IntEnum):
    CONFIG_CHANGE_MSG = 2
    SHARED_OBJECT_REMOVE = 7
    SHMEM_MAP = 9
    SHMEM_UNMAP = 10


class ProtocolFeature(enum.IntFlag):
    MQ = 1 << 0
    REPLY_ACK = 1 << 3
    BACKEND_REQ = 1 << 5
    CONFIG = 1 << 9
    BACKEND_SEND_FD = 1 << 10
    RESET_DEVICE = 1 << 13
    CONFIGURE_MEM_SLOTS = 1 << 15
    STATUS = 1 << 16
    SHMEM_MAP = 1 << 22


class Status(enum.IntFlag):
    """The device status of the virtio specification."""
    ACKNOWLEDGE = 1
    DRIVER = 2
    DRIVER_OK = 4
    FEATURES_OK = 8
    NEEDS_RESET = 64


class HangUp(Exception):
    """The back-end closed the socket."""


class ProtocolError(Exception):
    """The back-end answered with something that QEMU would refuse."""


class Refused(Exception):
    """The back-end acknowledged a message with an error."""


@dataclass
class Message:
    request: int
    flags: int
    payload: bytes
    fds: list = field(default_factory=list)

    def close_fds(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def receive_exactly(sock, length, fds):
    """Read length bytes; file descriptors that come along are appended to fds."""
    data = bytearray()
    while len(data) < length:
        try:
            part, ancillary, _, _ = sock.recvmsg(length - len(data), MAX_FDS * 4)
        except ConnectionResetError as error:
            raise HangUp("connection reset") from error
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(content[:len(content) - len(content) % received.itemsize])
                fds.extend(received)
        if not part:
            raise HangUp(f"end of stream after {len(data)} of {length} bytes")
        data += part
    return bytes(data)


def receive_message(sock, limit=1 << 20):
    """Read one vhost-user message."""
    fds = []
    request, flags, size = HEADER.unpack(receive_exactly(sock, HEADER.size, fds))
    if size > limit:
        raise ProtocolError(f"message {request} announces {size} bytes")
    return Message(request, flags, receive_exactly(sock, size, fds), fds)


class VhostUser:
    """One connection to a back-end. Owns its socket."""

    def __init__(self, sock, timeout=PATIENCE):
        self.sock = sock
        self.sock.settimeout(timeout)
        self.reply_ack = False

    @classmethod
    def connect(cls, path, timeout=PATIENCE):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(os.fspath(path))
        except OSError:
            sock.close()
            raise
        return cls(sock, timeout)

    def close(self):
        self.sock.close()

    # Transport

    def send_raw(self, data, fds=()):
        """Send bytes as they are, with fds as ancillary data of the first one."""
        try:
            sent = socket.send_fds(self.sock, [data], list(fds)) if fds else self.sock.send(data)
            if sent < len(data):
                self.sock.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise HangUp("the back-end is gone") from error

    def send(self, request, payload=b"", fds=(), flags=VERSION):
        self.send_raw(HEADER.pack(request, flags, len(payload)) + payload, fds)

    def receive(self):
        return receive_message(self.sock)

    def wait_hang_up(self):
        """Read until the back-end closes the socket."""
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            pass

    def get_reply(self, request, size=None):
        """Read the answer to request and check what QEMU checks. Returns its payload."""
        message = self.receive()
        message.close_fds()
        if message.request != request:
            raise ProtocolError(f"answer to {message.request}, not to {request}")
        if message.flags != VERSION | FLAG_REPLY:
            raise ProtocolError(f"flags {message.flags:#x} in the answer to {request}")
        if size is not None and len(message.payload) != size:
            raise ProtocolError(f"{len(message.payload)} bytes answer {request}, not {size}")
        return message.payload

    def ask(self, request, payload=b"", size=None):
        self.send(request, payload)
        return self.get_reply(request, size)

    def ask_u64(self, request):
        return struct.unpack("=Q", self.ask(request, size=8))[0]

    def acknowledged(self, request, payload=b"", fds=()):
        """Send with the need_reply flag; returns the u64 of the acknowledgement."""
        self.send(request, payload, fds, VERSION | FLAG_NEED_REPLY)
        return struct.unpack("=Q", self.get_reply(request, 8))[0]

    def tell(self, request, payload=b"", fds=()):
        """Send a message without an answer of its own; waits for the acknowledgement if it can."""
        if not self.reply_ack:
            self.send(request, payload, fds)
        elif self.acknowledged(request, payload, fds) != 0:
            raise Refused(f"{request!r} was refused")

    # Features

    def get_features(self):
        return self.ask_u64(Request.GET_FEATURES)

    def set_features(self, features):
        self.tell(Request.SET_FEATURES, struct.pack("=Q", features))

    def get_protocol_features(self):
        return self.ask_u64(Request.GET_PROTOCOL_FEATURES)

    def set_protocol_features(self, features):
        self.send(Request.SET_PROTOCOL_FEATURES, struct.pack("=Q", features))
        self.reply_ack = bool(features & ProtocolFeature.REPLY_ACK)

    def set_owner(self):
        self.tell(Request.SET_OWNER)

    def reset_owner(self):
        self.tell(Request.RESET_OWNER)

    def reset_device(self):
        self.tell(Request.RESET_DEVICE)

    # Guest memory

    def set_mem_table(self, regions):
        payload = struct.pack("=II", len(regions), 0) + b"".join(r.describe() for r in regions)
        self.tell(Request.SET_MEM_TABLE, payload, [r.fd for r in regions])

    def get_max_mem_slots(self):
        return self.ask_u64(Request.GET_MAX_MEM_SLOTS)

    def add_mem_reg(self, region):
        self.tell(Request.ADD_MEM_REG, struct.pack("=Q", 0) + region.describe(), [region.fd])

    def rem_mem_reg(self, region, with_fd=False):
        """QEMU sends no fd here; the document allows older front-ends to send one."""
        fds = [region.fd] if with_fd else []
        self.tell(Request.REM_MEM_REG, struct.pack("=Q", 0) + region.describe(), fds)

    # Rings

    def get_queue_num(self):
        return self.ask_u64(Request.GET_QUEUE_NUM)

    def set_vring_num(self, index, num):
        self.tell(Request.SET_VRING_NUM, struct.pack("=II", index, num))

    def set_vring_addr(self, index, desc_uva, used_uva, avail_uva, flags=0, log=0):
        self.tell(Request.SET_VRING_ADDR,
                  struct.pack("=IIQQQQ", index, flags, desc_uva, used_uva, avail_uva, log))

    def set_vring_base(self, index, base):
        self.tell(Request.SET_VRING_BASE, struct.pack("=II", index, base))

    def get_vring_base(self, index):
        payload = self.ask(Request.GET_VRING_BASE, struct.pack("=II", index, 0), 8)
        answered, base = struct.unpack("=II", payload)
        if answered != index:
            raise ProtocolError(f"base of ring {answered}, not of {index}")
        return base

    def _set_vring_fd(self, request, index, fd):
        value = index if fd is not None else index | VRING_NOFD
        self.tell(request, struct.pack("=Q", value), [] if fd is None else [fd])

    def set_vring_kick(self, index, fd):
        self._set_vring_fd(Request.SET_VRING_KICK, index, fd)

    def set_vring_call(self, index, fd):
        self._set_vring_fd(Request.SET_VRING_CALL, index, fd)

    def set_vring_err(self, index, fd):
        self._set_vring_fd(Request.SET_VRING_ERR, index, fd)

    def set_vring_enable(self, index, enable):
        self.tell(Request.SET_VRING_ENABLE, struct.pack("=II", index, int(enable)))

    # Device

    def get_config(self, size, offset=0, flags=0):
        """The answer repeats offset and flags and has exactly the size that was asked for."""
        payload = self.ask(Request.GET_CONFIG, CONFIG_HEADER.pack(offset, size, flags)
                           + bytes(size), CONFIG_HEADER.size + size)
        answer = CONFIG_HEADER.unpack_from(payload)
        if answer[:2] != (offset, size):
            raise ProtocolError(f"config header {answer}, not {(offset, size, flags)}")
        return payload[CONFIG_HEADER.size:]

    def set_config(self, data, offset=0, flags=0):
        self.tell(Request.SET_CONFIG, CONFIG_HEADER.pack(offset, len(data), flags) + data)

    def set_status(self, status):
        self.tell(Request.SET_STATUS, struct.pack("=Q", status))

    def get_status(self):
        return self.ask_u64(Request.GET_STATUS)

    def set_backend_req_fd(self, fd):
        self.tell(Request.SET_BACKEND_REQ_FD, fds=[fd])

    def gpu_set_socket(self, fd):
        """QEMU never asks for an acknowledgement here."""
        self.send(Request.GPU_SET_SOCKET, fds=[fd])

    def get_shmem_config(self):
        payload = self.ask(Request.GET_SHMEM_CONFIG, size=8 + 256 * 8)
        count, _, *sizes = struct.unpack("=II256Q", payload)
        return count, sizes


class BackendChannel:
    """Server side of the channel on which the back-end sends requests (SHMEM_MAP, SHMEM_UNMAP)."""

    MAP = struct.Struct("=B7xQQQQ")

    def __init__(self, timeout=PATIENCE):
        self.sock, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.mappings = {}

    def give(self, vhost_user):
        """Hand the other end to the back-end."""
        vhost_user.set_backend_req_fd(self.peer.fileno())
        self.peer.close()

    def close(self):
        self.sock.close()
        self.peer.close()

    def receive(self):
        return receive_message(self.sock)

    def reply(self, message, result=0):
        if message.flags & FLAG_NEED_REPLY:
            self.sock.sendall(HEADER.pack(message.request, VERSION | FLAG_REPLY, 8)
                              + struct.pack("=Q", result))

    def apply(self, message):
        """Do to the table of mappings what message asks for. Returns 0 or 1 (refused)."""
        shmid, fd_offset, offset, length, flags = self.MAP.unpack(message.payload)
        message.close_fds()
        key = (shmid, offset)
        if message.request == BackendRequest.SHMEM_UNMAP:
            return 0 if self.mappings.pop(key, None) else 1
        overlap = any(s == shmid and o < offset + length and offset < o + entry[0]
                      for (s, o), entry in self.mappings.items())
        if overlap or message.request != BackendRequest.SHMEM_MAP:
            return 1
        self.mappings[key] = (length, fd_offset, flags)
        return 0
