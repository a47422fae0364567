# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Blob resources, and the pictures that are made of their bytes."""

from dataclasses import dataclass

from .pixels import rgb_only, to_bgra
from .virtio_gpu import PAGE, Blobs, Resp, require

GUEST, HOST3D, HOST3D_GUEST = Blobs.MEM_GUEST, Blobs.MEM_HOST3D, Blobs.MEM_HOST3D_GUEST
MAPPABLE, SHAREABLE, CROSS_DEVICE = (Blobs.USE_MAPPABLE, Blobs.USE_SHAREABLE,
                                     Blobs.USE_CROSS_DEVICE)


@dataclass(frozen=True)
class Layout:
    """How SET_SCANOUT_BLOB makes a picture of a blob's bytes."""
    width: int
    height: int
    format: int = 2
    stride: int = 0
    offset: int = 0

    @property
    def pitch(self):
        return self.stride or 4 * self.width

    @property
    def full(self):
        return 0, 0, self.width, self.height

    @property
    def size(self):
        """Bytes of a blob that just holds the picture."""
        return self.offset + self.pitch * (self.height - 1) + 4 * self.width

    def shown(self, contents, area=None):
        """What a display shows of an area, for a blob of these contents."""
        x, y, w, h = area or self.full
        rows = (self.offset + (y + row) * self.pitch + 4 * x for row in range(h))
        pixels = b"".join(contents[start:start + 4 * w] for start in rows)
        return rgb_only(to_bgra(self.format, pixels))


class GuestBlob:
    """A blob of guest pages. entries are (address, length); by default one run of whole pages."""

    def __init__(self, gpu, size, entries=None, mem=GUEST, flags=SHAREABLE, ctx=0):
        self.gpu, self.id, self.size = gpu, gpu.new_id(), size
        self.entries = entries or gpu.backing(-(-size // PAGE) * PAGE)
        require(gpu.create_blob(self.id, mem, flags, 0, size, self.entries, ctx_id=ctx))

    def write(self, data):
        """From the start on."""
        view = memoryview(data)
        for gpa, length in self.entries:
            self.gpu.memory.write(gpa, view[:length])
            view = view[length:]

    def contents(self):
        return b"".join(self.gpu.memory.read(gpa, length) for gpa, length in self.entries)

    def show(self, scanout, layout, area=None):
        require(self.gpu.set_scanout_blob(scanout, self.id, layout, area))

    def flush(self, *area):
        require(self.gpu.flush(self.id, *area))


class HostBlob:
    """A blob of the renderer's memory, of a context that exists."""

    def __init__(self, gpu, size=PAGE, ctx=1, flags=MAPPABLE, blob_id=0):
        self.gpu, self.id, self.size = gpu, gpu.new_id(), size
        require(gpu.create_blob(self.id, HOST3D, flags, blob_id, size, ctx_id=ctx))

    def map(self, offset):
        """Returns the caching mode."""
        answer = require(self.gpu.map_blob(self.id, offset), Resp.OK_MAP_INFO)
        info, _ = answer.unpack("=II")
        return info

    def unmap(self):
        require(self.gpu.unmap_blob(self.id))

    def unref(self):
        require(self.gpu.unref(self.id))

    def show(self, scanout, layout, area=None):
        require(self.gpu.set_scanout_blob(scanout, self.id, layout, area))

    def flush(self, *area):
        require(self.gpu.flush(self.id, *area))
