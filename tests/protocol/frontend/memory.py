# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Guest memory: regions of guest-physical addresses, each in a memfd, and an allocator.

Guest-physical addresses, the front-end's addresses and file offsets of a region differ on
purpose, so that a back-end that mixes them up reads the wrong place.
"""

import fcntl
import mmap
import os
import struct

MIB = 1 << 20
DEFAULT_GPA = 0x1000_0000
DEFAULT_UVA = 0x7F12_0000_0000


class Region:
    """size bytes at guest-physical gpa, known to the front-end as uva, at fd_offset of a memfd."""

    def __init__(self, gpa, size, uva, fd_offset=0, sealed=False):
        """sealed: the file cannot shrink, which udmabuf asks for and QEMU does by default."""
        self.gpa, self.size, self.uva, self.fd_offset = gpa, size, uva, fd_offset
        self.fd = os.memfd_create("guest-memory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, fd_offset + size)
        if sealed:
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        self.map = mmap.mmap(self.fd, size, offset=fd_offset)
        self.halfwords = memoryview(self.map).cast("H")
        self.used_len = 0

    @property
    def end(self):
        return self.gpa + self.size

    def describe(self):
        """The region as it stands in SET_MEM_TABLE and ADD_MEM_REG."""
        return struct.pack("=QQQQ", self.gpa, self.size, self.uva, self.fd_offset)

    def close(self):
        self.halfwords.release()
        self.map.close()
        os.close(self.fd)


class GuestMemory:
    """The regions of one guest. Addresses that it takes and returns are guest-physical."""

    def __init__(self, sizes=(64 * MIB,), gap=0, fd_offset=0, sealed=False):
        """One region per size; gap bytes of nothing lie between two regions."""
        self.regions = []
        self._free = {}
        gpa, uva = DEFAULT_GPA, DEFAULT_UVA
        for size in sizes:
            self.add(Region(gpa, size, uva, fd_offset, sealed))
            gpa += size + gap
            uva += size + 0x1000_0000

    def add(self, region):
        self.regions.append(region)
        return region

    def close(self):
        for region in self.regions:
            region.close()
        self.regions = []

    def find(self, gpa):
        for region in self.regions:
            if region.gpa <= gpa < region.end:
                return region
        raise ValueError(f"no guest memory at {gpa:#x}")

    def uva(self, gpa):
        region = self.find(gpa)
        return region.uva + gpa - region.gpa

    def alloc(self, length, align=16, region=0):
        """Reserve length bytes of a region. Returns their address."""
        reusable = self._free.get((region, length, align))
        if reusable:
            return reusable.pop()
        where = self.regions[region]
        start = -(-where.used_len // align) * align
        if start + length > where.size:
            raise MemoryError(f"region {region} has no {length} bytes left")
        where.used_len = start + length
        return where.gpa + start

    def free(self, gpa, length, align=16, region=0):
        self._free.setdefault((region, length, align), []).append(gpa)

    def write(self, gpa, data):
        view = memoryview(data).cast("B")
        while len(view):
            region = self.find(gpa)
            start = gpa - region.gpa
            count = min(len(view), region.size - start)
            region.map[start:start + count] = view[:count]
            view = view[count:]
            gpa += count

    def read(self, gpa, length):
        parts = []
        while length:
            region = self.find(gpa)
            start = gpa - region.gpa
            count = min(length, region.size - start)
            parts.append(region.map[start:start + count])
            gpa += count
            length -= count
        return b"".join(parts)

    def write_u16(self, gpa, value):
        """One aligned 16-bit store, as a driver's index update needs it."""
        region = self.find(gpa)
        region.halfwords[(gpa - region.gpa) // 2] = value & 0xFFFF

    def read_u16(self, gpa):
        region = self.find(gpa)
        return region.halfwords[(gpa - region.gpa) // 2]
