# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Cross-domain: a guest's client of a socket of the host, and the host's program behind it.

The protocol is rutabaga_gfx's, as src/renderer/rutabaga/cross_domain.h spells it. All rings are
blobs of the guest's memory; the device leaves an answer at their start.
"""

import os
import socket
import struct
from dataclasses import dataclass, field

from .blob import GuestBlob
from .patience import PATIENCE
from .virtio_gpu import FLAG_FENCE, FLAG_INFO_RING_IDX, PAGE, Cmd, require

CAPSET = 5
WAYLAND = 1  # a type of channels
QUERY_RING, CHANNEL_RING = 0, 1  # timelines
INIT, GET_IMAGE_REQUIREMENTS, POLL, SEND, RECEIVE, READ, WRITE = range(1, 8)
BLOB, READ_PIPE, WRITE_PIPE = 1, 3, 4  # types of identifiers
MAX_IDENTIFIERS = 28
FIRST_READ_PIPE = 0x80000001  # the library counts on from here, and the guest has to guess

HEADER = struct.Struct("=BBHI")
MESSAGE = struct.Struct(f"=BBHI2I{3 * MAX_IDENTIFIERS}I")  # SEND and RECEIVE
DATA = struct.Struct("=BBHI4I")  # READ and WRITE
REQUIREMENTS = struct.Struct("=4I4IQQIIii")
MESSAGE_ROOM = PAGE - MESSAGE.size  # most that one RECEIVE brings


def fourcc(name):
    return int.from_bytes(name.encode(), "little")


def header(command, length):
    return HEADER.pack(command, 0, length, 0)


def init(query, channel, kind=WAYLAND):
    return header(INIT, 20) + struct.pack("=3I", query, channel, kind)


def init_legacy(ring, kind=WAYLAND):
    return header(INIT, 16) + struct.pack("=2I", ring, kind)


def poll():
    return header(POLL, HEADER.size)


def query(width, height, name="XR24", flags=0):
    return header(GET_IMAGE_REQUIREMENTS, 24) + struct.pack("=4I", width, height, fourcc(name),
                                                            flags)


def send(data=b"", identifiers=(), count=None, data_len=None):
    """identifiers are (id, type). count and data_len are what the command claims."""
    numbers = [number for number, _ in identifiers] + [0] * MAX_IDENTIFIERS
    kinds = [kind for _, kind in identifiers] + [0] * MAX_IDENTIFIERS
    return MESSAGE.pack(SEND, 0, MESSAGE.size + len(data), 0,
                        len(identifiers) if count is None else count,
                        len(data) if data_len is None else data_len,
                        *numbers[:MAX_IDENTIFIERS], *kinds[:MAX_IDENTIFIERS],
                        *[0] * MAX_IDENTIFIERS) + data


def write(pipe, data=b"", hang_up=False, data_len=None):
    return DATA.pack(WRITE, 0, DATA.size + len(data), 0, pipe, hang_up,
                     len(data) if data_len is None else data_len, 0) + data


@dataclass
class Message:
    """What came through the channel: RECEIVE, or READ of a pipe."""
    command: int
    data: bytes
    identifiers: list = field(default_factory=list)  # (id, type, size)
    pipe: int = 0
    hang_up: bool = False

    @classmethod
    def parse(cls, ring):
        command = ring[0]
        if command == READ:
            _, _, _, _, pipe, hang_up, length, _ = DATA.unpack_from(ring)
            return cls(command, ring[DATA.size:DATA.size + length], [], pipe, bool(hang_up))
        values = MESSAGE.unpack_from(ring)
        count, length = values[4:6]
        columns = [values[6 + i * MAX_IDENTIFIERS:][:count] for i in range(3)]
        return cls(command, ring[MESSAGE.size:MESSAGE.size + length],
                   list(zip(*columns)))


@dataclass
class Requirements:
    """The answer to GET_IMAGE_REQUIREMENTS."""
    strides: tuple
    offsets: tuple
    modifier: int
    size: int
    blob_id: int
    map_info: int

    @classmethod
    def parse(cls, ring):
        values = REQUIREMENTS.unpack_from(ring)
        return cls(values[:4], values[4:8], *values[8:12])


class Context:
    """A context of cross-domain, with its two rings."""

    def __init__(self, gpu, number, ring_size=PAGE, entries=(None, None)):
        self.gpu, self.id = gpu, number
        require(gpu.ctx_create(number, CAPSET))
        self.query_ring, self.channel_ring = (self.ring(ring_size, pages) for pages in entries)

    def ring(self, size=PAGE, entries=None):
        """A blob of guest memory that the context has."""
        blob = GuestBlob(self.gpu, size, entries)
        require(self.gpu.ctx_attach(self.id, blob.id))
        return blob

    def post(self, data, ring=None, fence=0, **options):
        """Commands; ring is the timeline of their fence, None for no fence."""
        flags = 0 if ring is None else FLAG_FENCE | FLAG_INFO_RING_IDX
        return self.gpu.post(Cmd.SUBMIT_3D, struct.pack("=II", len(data), 0) + data,
                             ctx_id=self.id, flags=flags, fence_id=fence, ring_idx=ring or 0,
                             **options)

    def submit(self, data, **options):
        return self.gpu.result(self.post(data, **options))

    def init(self, kind=WAYLAND):
        return self.submit(init(self.query_ring.id, self.channel_ring.id, kind))

    def connect(self, compositor):
        """INIT with a channel. Returns the host's end of it."""
        require(self.init())
        return compositor.accept()

    def send(self, data=b"", *identifiers):
        return self.submit(send(data, identifiers))

    def write(self, pipe, data=b"", hang_up=False):
        return self.submit(write(pipe, data, hang_up))

    def poll(self, fence=1):
        """Ask for the next message, which message() waits for."""
        return self.post(poll(), ring=CHANNEL_RING, fence=fence)

    def message(self, chain=None):
        """The next message of the channel."""
        require(self.gpu.result(chain or self.poll()))
        return Message.parse(self.channel_ring.contents())

    def receive(self, length):
        """The next bytes of the channel, which may come in parts, and their identifiers."""
        data, identifiers = b"", []
        while len(data) < length:
            message = self.message()
            assert message.command == RECEIVE
            data += message.data
            identifiers += message.identifiers
        return data, identifiers

    def query(self, *image):
        require(self.submit(query(*image)))
        return Requirements.parse(self.query_ring.contents())


class Compositor:
    """The host's program: a listening socket."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.settimeout(PATIENCE)
        self.listener.bind(self.path)
        self.listener.listen()
        self.connections = []

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE)
        self.connections.append(connection)
        return connection

    def close(self):
        for connection in self.connections:
            connection.close()
        self.listener.close()


def receive_all(connection, length):
    """Exactly so many bytes."""
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        assert part, f"the end after {len(data)} of {length} bytes"
        data += part
    return data
