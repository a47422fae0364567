# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""dma-bufs as a display sees them: the message that brings one, and its pixels."""

import fcntl
import mmap
import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass

from .display import Kind
from .pixels import rgb_only, to_bgra

FOURCC = {1: b"AR24", 2: b"XR24", 3: b"BA24", 4: b"BX24", 67: b"AB24", 68: b"RX24", 121: b"RA24",
          134: b"XB24"}
LINEAR = 0
SCANOUT_KINDS = (Kind.DMABUF_SCANOUT, Kind.DMABUF_SCANOUT2)
IOCTL_SYNC = 0x40086200  # DMA_BUF_IOCTL_SYNC
SYNC_READ, SYNC_END = 1, 4


def have_udmabuf():
    return os.access("/dev/udmabuf", os.R_OK | os.W_OK)


@dataclass
class Shown:
    """DMABUF_SCANOUT or DMABUF_SCANOUT2; fd is borrowed from the display."""
    fd: int
    scanout: int
    x: int
    y: int
    width: int
    height: int
    fd_width: int
    fd_height: int
    stride: int
    flags: int
    fourcc: bytes
    modifier: int

    @property
    def area(self):
        return self.x, self.y, self.width, self.height

    def pixels(self, area=None):
        """An area of the dma-buf as x8r8g8b8, read where it lies."""
        fmt = next(number for number, name in FOURCC.items() if name == self.fourcc)
        x, y, w, h = area or self.area
        with reading(self.fd) as memory:
            starts = ((y + row) * self.stride + 4 * x for row in range(h))
            data = b"".join(memory[start:start + 4 * w] for start in starts)
        return rgb_only(to_bgra(fmt, data))


def last_shown(display, scanout=0):
    """What a scanout shows as a dma-buf; None where it shows pixels, or nothing."""
    events = [event for event in display.of_kind(*SCANOUT_KINDS, Kind.SCANOUT)
              if event.values[0] == scanout]
    if not events or events[-1].kind == Kind.SCANOUT or not events[-1].fds:
        return None
    *numbers, fourcc, modifier = events[-1].values
    return Shown(events[-1].fds[0], *numbers, struct.pack("=i", fourcc), modifier)


@contextmanager
def reading(fd):
    """The bytes of a dma-buf, between the calls that make them coherent."""
    with mmap.mmap(fd, os.lseek(fd, 0, os.SEEK_END), prot=mmap.PROT_READ) as memory:
        fcntl.ioctl(fd, IOCTL_SYNC, struct.pack("=Q", SYNC_READ))
        try:
            yield memory
        finally:
            fcntl.ioctl(fd, IOCTL_SYNC, struct.pack("=Q", SYNC_READ | SYNC_END))
