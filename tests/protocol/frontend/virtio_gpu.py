# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Driver of virtio-gpu (virtio specification, "GPU Device"; linux/virtio_gpu.h).

Gpu has a method for each command; it waits for the answer and returns it as a Response. post()
and result() are the two halves, for commands in flight.
"""

import enum
import struct
from dataclasses import dataclass

from .pixels import B8G8R8X8, Image
from .ring import Chain
from .patience import PATIENCE


class Cmd(enum.IntEnum):
    GET_DISPLAY_INFO = 0x0100
    RESOURCE_CREATE_2D = 0x0101
    RESOURCE_UNREF = 0x0102
    SET_SCANOUT = 0x0103
    RESOURCE_FLUSH = 0x0104
    TRANSFER_TO_HOST_2D = 0x0105
    RESOURCE_ATTACH_BACKING = 0x0106
    RESOURCE_DETACH_BACKING = 0x0107
    GET_CAPSET_INFO = 0x0108
    GET_CAPSET = 0x0109
    GET_EDID = 0x010A
    RESOURCE_ASSIGN_UUID = 0x010B
    RESOURCE_CREATE_BLOB = 0x010C
    SET_SCANOUT_BLOB = 0x010D
    CTX_CREATE = 0x0200
    CTX_DESTROY = 0x0201
    CTX_ATTACH_RESOURCE = 0x0202
    CTX_DETACH_RESOURCE = 0x0203
    RESOURCE_CREATE_3D = 0x0204
    TRANSFER_TO_HOST_3D = 0x0205
    TRANSFER_FROM_HOST_3D = 0x0206
    SUBMIT_3D = 0x0207
    RESOURCE_MAP_BLOB = 0x0208
    RESOURCE_UNMAP_BLOB = 0x0209
    UPDATE_CURSOR = 0x0300
    MOVE_CURSOR = 0x0301


class Resp(enum.IntEnum):
    OK_NODATA = 0x1100
    OK_DISPLAY_INFO = 0x1101
    OK_CAPSET_INFO = 0x1102
    OK_CAPSET = 0x1103
    OK_EDID = 0x1104
    OK_RESOURCE_UUID = 0x1105
    OK_MAP_INFO = 0x1106
    ERR_UNSPEC = 0x1200
    ERR_OUT_OF_MEMORY = 0x1201
    ERR_INVALID_SCANOUT_ID = 0x1202
    ERR_INVALID_RESOURCE_ID = 0x1203
    ERR_INVALID_CONTEXT_ID = 0x1204
    ERR_INVALID_PARAMETER = 0x1205


class Feature(enum.IntFlag):
    VIRGL = 1 << 0
    EDID = 1 << 1
    RESOURCE_UUID = 1 << 2
    RESOURCE_BLOB = 1 << 3
    CONTEXT_INIT = 1 << 4
    RING_INDIRECT_DESC = 1 << 28
    RING_EVENT_IDX = 1 << 29
    PROTOCOL_FEATURES = 1 << 30
    VERSION_1 = 1 << 32
    RING_PACKED = 1 << 34
    RING_RESET = 1 << 40


class Blobs(enum.IntFlag):
    """blob_mem and blob_flags of RESOURCE_CREATE_BLOB."""
    MEM_GUEST = 1
    MEM_HOST3D = 2
    MEM_HOST3D_GUEST = 3
    USE_MAPPABLE = 1
    USE_SHAREABLE = 2
    USE_CROSS_DEVICE = 4


FLAG_FENCE = 1 << 0
FLAG_INFO_RING_IDX = 1 << 1
HEADER = struct.Struct("=IIQIB3x")
MEM_ENTRY = struct.Struct("=QII")
CURSOR = struct.Struct("=IIIIIIII")
MAX_SCANOUTS = 16
PAGE = 4096
CAPSET_VIRGL, CAPSET_VIRGL2 = 1, 2
TEXTURE_2D = 2
BIND_RENDER_TARGET, BIND_SAMPLER_VIEW, BIND_SCANOUT = 1 << 1, 1 << 3, 1 << 18


@dataclass
class Response:
    type: int
    flags: int = 0
    fence_id: int = 0
    ctx_id: int = 0
    ring_idx: int = 0
    body: bytes = b""
    used_len: int = 0

    def __post_init__(self):
        if self.type in Resp.__members__.values():
            self.type = Resp(self.type)

    @property
    def ok(self):
        return 0x1100 <= self.type < 0x1200

    def unpack(self, layout):
        return struct.unpack_from(layout, self.body)


def rect(x, y, w, h):
    return struct.pack("=IIII", x, y, w, h)


def entries_bytes(entries):
    return b"".join(MEM_ENTRY.pack(gpa, length, 0) for gpa, length in entries)


def _room(length):
    """Buffers come in powers of two, so that they can be used again."""
    return max(64, 1 << (length - 1).bit_length())


class Gpu:
    """The driver. control and cursor are rings, memory is the guest's."""

    def __init__(self, memory, control, cursor, indirect=False):
        self.memory, self.control, self.cursor = memory, control, cursor
        self.indirect = indirect
        self.next_resource = 1

    # Commands in general

    def post(self, cmd, body=b"", *, room=0, flags=0, fence_id=0, ctx_id=0, ring_idx=0, ring=None,
             kick=True, split=()):
        """Send a command without waiting. room is the answer's length after its header.

        split has the lengths of the readable buffers but the last; None for room: no answer buffer.
        """
        request = HEADER.pack(cmd, flags, fence_id, ctx_id, ring_idx) + body
        address = self.memory.alloc(_room(len(request)))
        self.memory.write(address, request)
        readable, start = [], 0
        for length in split:
            readable.append((address + start, length))
            start += length
        readable.append((address + start, len(request) - start))
        writable = []
        if room is not None:
            answer = self.memory.alloc(_room(HEADER.size + room))
            self.memory.write(answer, bytes(HEADER.size))
            writable.append((answer, HEADER.size + room))
        chain = Chain(readable, writable, self.indirect)
        chain.request = (address, len(request))
        chain.ring = ring or self.control
        if kick:
            chain.ring.submit(chain)
        return chain

    def result(self, chain, timeout=PATIENCE):
        """Wait for a command and read its answer (None if it has no buffer for one)."""
        if not chain.done:
            chain.ring.wait(chain, timeout=timeout)
        address, length = chain.request
        self.memory.free(address, _room(length))
        if not chain.buffers[-1][2]:
            return None
        answer, room, _ = chain.buffers[-1]
        used_len = min(chain.used_len, room)
        data = self.memory.read(answer, max(used_len, HEADER.size))
        self.memory.free(answer, _room(room))
        return Response(*HEADER.unpack_from(data), data[HEADER.size:], chain.used_len)

    def command(self, cmd, body=b"", timeout=PATIENCE, **options):
        return self.result(self.post(cmd, body, **options), timeout)

    # Display

    def get_display_info(self, **options):
        return self.command(Cmd.GET_DISPLAY_INFO, room=MAX_SCANOUTS * 24, **options)

    def get_edid(self, scanout, **options):
        return self.command(Cmd.GET_EDID, struct.pack("=II", scanout, 0), room=8 + 1024, **options)

    def set_scanout(self, scanout, resource, x, y, w, h, **options):
        body = rect(x, y, w, h) + struct.pack("=II", scanout, resource)
        return self.command(Cmd.SET_SCANOUT, body, **options)

    def flush(self, resource, x, y, w, h, **options):
        body = rect(x, y, w, h) + struct.pack("=II", resource, 0)
        return self.command(Cmd.RESOURCE_FLUSH, body, **options)

    # Resources

    def new_id(self):
        self.next_resource += 1
        return self.next_resource - 1

    def create_2d(self, resource, fmt, w, h, **options):
        body = struct.pack("=IIII", resource, fmt, w, h)
        return self.command(Cmd.RESOURCE_CREATE_2D, body, **options)

    def unref(self, resource, **options):
        return self.command(Cmd.RESOURCE_UNREF, struct.pack("=II", resource, 0), **options)

    def attach_backing(self, resource, entries, count=None, **options):
        """count is what the command claims, if not the number of entries."""
        body = struct.pack("=II", resource, len(entries) if count is None else count)
        return self.command(Cmd.RESOURCE_ATTACH_BACKING, body + entries_bytes(entries), **options)

    def detach_backing(self, resource, **options):
        return self.command(Cmd.RESOURCE_DETACH_BACKING, struct.pack("=II", resource, 0), **options)

    def transfer_2d(self, resource, x, y, w, h, offset=0, **options):
        body = rect(x, y, w, h) + struct.pack("=QII", offset, resource, 0)
        return self.command(Cmd.TRANSFER_TO_HOST_2D, body, **options)

    def assign_uuid(self, resource, **options):
        return self.command(Cmd.RESOURCE_ASSIGN_UUID, struct.pack("=II", resource, 0), room=16,
                            **options)

    # Blobs

    def create_blob(self, resource, mem, flags, blob_id, size, entries=(), count=None, **options):
        """count is what the command claims, if not the number of entries."""
        body = struct.pack("=IIIIQQ", resource, mem, flags,
                           len(entries) if count is None else count, blob_id, size)
        return self.command(Cmd.RESOURCE_CREATE_BLOB, body + entries_bytes(entries), **options)

    def set_scanout_blob(self, scanout, resource, layout, area=None, strides=(0, 0, 0),
                         offsets=(0, 0, 0), **options):
        """layout is a blob.Layout; strides and offsets are those of planes 1 to 3."""
        body = rect(*(area or layout.full)) + struct.pack(
            "=6I4I4I", scanout, resource, layout.width, layout.height, layout.format, 0,
            layout.pitch, *strides, layout.offset, *offsets)
        return self.command(Cmd.SET_SCANOUT_BLOB, body, **options)

    def map_blob(self, resource, offset, room=8, **options):
        body = struct.pack("=IIQ", resource, 0, offset)
        return self.command(Cmd.RESOURCE_MAP_BLOB, body, room=room, **options)

    def unmap_blob(self, resource, **options):
        return self.command(Cmd.RESOURCE_UNMAP_BLOB, struct.pack("=II", resource, 0), **options)

    # Capability sets and contexts

    def get_capset_info(self, index, **options):
        return self.command(Cmd.GET_CAPSET_INFO, struct.pack("=II", index, 0), room=16, **options)

    def get_capset(self, capset, version, room, **options):
        return self.command(Cmd.GET_CAPSET, struct.pack("=II", capset, version), room=room,
                            **options)

    def ctx_create(self, ctx, context_init=0, name=b"test", nlen=None, **options):
        body = struct.pack("=II64s", len(name) if nlen is None else nlen, context_init, name)
        return self.command(Cmd.CTX_CREATE, body, ctx_id=ctx, **options)

    def ctx_destroy(self, ctx, **options):
        return self.command(Cmd.CTX_DESTROY, ctx_id=ctx, **options)

    def ctx_attach(self, ctx, resource, **options):
        return self.command(Cmd.CTX_ATTACH_RESOURCE, struct.pack("=II", resource, 0), ctx_id=ctx,
                            **options)

    def ctx_detach(self, ctx, resource, **options):
        return self.command(Cmd.CTX_DETACH_RESOURCE, struct.pack("=II", resource, 0), ctx_id=ctx,
                            **options)

    # 3D

    def create_3d(self, resource, w, h, fmt=B8G8R8X8, target=TEXTURE_2D,
                  bind=BIND_RENDER_TARGET | BIND_SAMPLER_VIEW, depth=1, array_size=1, last_level=0,
                  nr_samples=0, flags=0, **options):
        body = struct.pack("=12I", resource, target, fmt, bind, w, h, depth, array_size,
                           last_level, nr_samples, flags, 0)
        return self.command(Cmd.RESOURCE_CREATE_3D, body, **options)

    def _transfer_3d(self, cmd, ctx, resource, box, offset, level, stride, layer_stride, options):
        body = struct.pack("=6IQIIII", *box, offset, resource, level, stride, layer_stride)
        return self.command(cmd, body, ctx_id=ctx, **options)

    def transfer_to_3d(self, ctx, resource, box, offset=0, level=0, stride=0, layer_stride=0,
                       **options):
        return self._transfer_3d(Cmd.TRANSFER_TO_HOST_3D, ctx, resource, box, offset, level,
                                 stride, layer_stride, options)

    def transfer_from_3d(self, ctx, resource, box, offset=0, level=0, stride=0, layer_stride=0,
                         **options):
        return self._transfer_3d(Cmd.TRANSFER_FROM_HOST_3D, ctx, resource, box, offset, level,
                                 stride, layer_stride, options)

    def submit_3d(self, ctx, words, size=None, **options):
        """size is what the command claims, if not the length of the words."""
        data = struct.pack(f"={len(words)}I", *words)
        body = struct.pack("=II", len(data) if size is None else size, 0) + data
        return self.command(Cmd.SUBMIT_3D, body, ctx_id=ctx, **options)

    # Cursor

    def update_cursor(self, scanout, resource, x=0, y=0, hot_x=0, hot_y=0, room=None):
        body = CURSOR.pack(scanout, x, y, 0, resource, hot_x, hot_y, 0)
        return self.command(Cmd.UPDATE_CURSOR, body, ring=self.cursor, room=room)

    def move_cursor(self, scanout, x, y, resource=0, room=None):
        body = CURSOR.pack(scanout, x, y, 0, resource, 0, 0, 0)
        return self.command(Cmd.MOVE_CURSOR, body, ring=self.cursor, room=room)

    # Helpers of several commands

    def backing(self, length, sizes=(), region=0):
        """Guest memory of length bytes as entries; sizes (repeated) makes it scattered."""
        if not sizes:
            return [(self.memory.alloc(length, PAGE, region), length)]
        entries, i = [], 0
        while length:
            part = min(sizes[i % len(sizes)], length)
            address = self.memory.alloc(part + 64, 1, region)
            entries.append((address, part))
            length -= part
            i += 1
        return entries

    def resource(self, width, height, fmt=B8G8R8X8, entries=None):
        """A 2D resource with backing, known as a Resource."""
        resource = Resource(self, self.new_id(), width, height, fmt)
        require(self.create_2d(resource.id, fmt, width, height))
        resource.attach(entries or self.backing(4 * width * height))
        return resource


class Resource:
    """A resource with backing, and the picture that the device should have of it."""

    def __init__(self, gpu, number, width, height, fmt):
        self.gpu, self.id = gpu, number
        self.width, self.height, self.format = width, height, fmt
        self.image = Image(width, height, fmt)
        self.entries = []

    @property
    def full(self):
        return 0, 0, self.width, self.height

    def attach(self, entries):
        self.entries = entries
        require(self.gpu.attach_backing(self.id, entries))

    def fill(self, data):
        """Write data to the backing, from its start."""
        view = memoryview(data)
        for gpa, length in self.entries:
            self.gpu.memory.write(gpa, view[:length])
            view = view[length:]

    def contents(self):
        return b"".join(self.gpu.memory.read(gpa, length) for gpa, length in self.entries)

    def transfer(self, x, y, w, h, offset=0):
        require(self.gpu.transfer_2d(self.id, x, y, w, h, offset))
        self.image.transfer(self.contents(), offset, x, y, w, h)

    def draw(self, data):
        """New content for all of the image, on the device's side too."""
        self.fill(data)
        self.transfer(*self.full)

    def flush(self, x, y, w, h):
        require(self.gpu.flush(self.id, x, y, w, h))

    def show(self, scanout, *area):
        require(self.gpu.set_scanout(scanout, self.id, *(area or self.full)))


def require(response, kind=Resp.OK_NODATA):
    """The response, which must be of the given type."""
    assert response.type == kind, f"{response.type!r}, not {kind!r}"
    return response
