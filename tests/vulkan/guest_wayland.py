#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A Wayland client in a guest whose compositor is the host's: virtio-gpu's cross-domain context.

    guest_wayland.py WIDTH HEIGHT SECONDS

Connects through the kernel's virtio_gpu driver, shows a full-screen picture of four colours out of a
blob that both sides share, says "shown" when the compositor has released its first frame callback,
and stays for SECONDS. What proxies such as sommelier do, without the proxy: none is a package.
linux/virtgpu_drm.h.
"""

import ctypes
import fcntl
import mmap
import os
import select
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "protocol"))

from frontend import cross_domain  # noqa: E402
from frontend.cross_domain import CHANNEL_RING, QUERY_RING  # noqa: E402

USE_LINEAR, USE_SW_WRITE = 1 << 4, 1 << 11
BLOB_GUEST, BLOB_HOST3D = 1, 2
USE_MAPPABLE, USE_SHAREABLE = 1, 2
EVENT_FENCE_SIGNALED = 0x90000000
LIMIT = 60

COLOURS = (0xffff0000, 0xff00ff00, 0xff0000ff, 0xffffff00)


def iowr(number, size):
    return 3 << 30 | size << 16 | ord("d") << 8 | 0x40 + number


class Gpu:
    """A context of /dev/dri/renderD128, and memory for it."""

    def __init__(self):
        self.fd = os.open("/dev/dri/renderD128", os.O_RDWR | os.O_CLOEXEC)
        params = (ctypes.c_uint64 * 6)(1, cross_domain.CAPSET, 2, 2, 3, 1 << CHANNEL_RING)
        self.ioctl(0x0b, "<IIQ", 3, 0, ctypes.addressof(params))

    def ioctl(self, number, form, *values):
        data = bytearray(struct.pack(form, *values))
        fcntl.ioctl(self.fd, iowr(number, len(data)), data)
        return struct.unpack(form, data)

    def blob(self, mem, flags, size, blob_id=0):
        """(handle, resource id, mapping)"""
        answer = self.ioctl(0x0a, "<IIIIQIIQQ", mem, flags, 0, 0, size, 0, 0, 0, blob_id)
        handle, resource = answer[2:4]
        offset = self.ioctl(0x01, "<QII", 0, handle, 0)[0]
        return handle, resource, mmap.mmap(self.fd, size, offset=offset)

    def submit(self, command, ring, handles=(), wants_fence=False):
        """The fence as a descriptor, where it is wanted."""
        text = ctypes.create_string_buffer(command, len(command))
        objects = (ctypes.c_uint32 * max(1, len(handles)))(*handles)
        flags = 4 | (2 if wants_fence else 0)
        answer = self.ioctl(0x02, "<IIQQIiIIIIQQ", flags, len(command), ctypes.addressof(text),
                            ctypes.addressof(objects), len(handles), -1, ring, 0, 0, 0, 0, 0)
        return answer[5]


def wait_readable(fd, what):
    ready, _, _ = select.select([fd], [], [], LIMIT)
    if not ready:
        sys.exit(f"{what}: nothing within {LIMIT} s")


class Channel:
    """The compositor's socket, as a cross-domain context has it."""

    def __init__(self, gpu):
        self.gpu = gpu
        self.query_handle, query, self.query = gpu.blob(BLOB_GUEST, USE_MAPPABLE, 4096)
        self.ring_handle, ring, self.ring = gpu.blob(BLOB_GUEST, USE_MAPPABLE, 4096)
        gpu.submit(cross_domain.init(query, ring), QUERY_RING,
                   [self.query_handle, self.ring_handle])
        self.poll()

    def poll(self):
        """Ask for one message: the fence of this ring is its arrival."""
        self.gpu.submit(cross_domain.poll(), CHANNEL_RING, [self.ring_handle])

    def send(self, data, blobs=()):
        identifiers = [(resource, cross_domain.BLOB) for resource in blobs]
        self.gpu.submit(cross_domain.send(data, identifiers), QUERY_RING)

    def receive(self):
        wait_readable(self.gpu.fd, "the compositor")
        kind = struct.unpack_from("<I", os.read(self.gpu.fd, 4096))[0]
        assert kind == EVENT_FENCE_SIGNALED, hex(kind)
        message = cross_domain.Message.parse(self.ring)
        assert message.command == cross_domain.RECEIVE, message
        self.poll()
        return message.data

    def image(self, width, height):
        """(resource id, stride, mapping) of an image that the host allocates."""
        fence = self.gpu.submit(
            cross_domain.query(width, height, flags=USE_LINEAR | USE_SW_WRITE), QUERY_RING,
            [self.query_handle], wants_fence=True)
        wait_readable(fence, "the image's layout")
        os.close(fence)
        layout = cross_domain.Requirements.parse(self.query)
        _, resource, pixels = self.gpu.blob(BLOB_HOST3D, USE_MAPPABLE | USE_SHAREABLE,
                                            -(-layout.size // 4096) * 4096, layout.blob_id)
        return resource, layout.strides[0], pixels


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


def text(value):
    data = value.encode() + b"\0"
    return words(len(data)) + data + bytes(-len(data) % 4)


class Wayland:
    """Just enough of the protocol. Ids are given out in order; 1 is wl_display."""

    def __init__(self, channel):
        self.channel = channel
        self.next_id = 2
        self.pending = b""
        self.globals = {}

    def new(self):
        self.next_id += 1
        return self.next_id - 1

    def request(self, sender, opcode, arguments=b"", blobs=()):
        self.channel.send(words(sender, (8 + len(arguments)) << 16 | opcode) + arguments, blobs)

    def event(self):
        """(sender, opcode, arguments) of the next one."""
        while len(self.pending) < 8 or len(self.pending) < self.size():
            self.pending += self.channel.receive()
        sender, opcode = struct.unpack_from("<II", self.pending)
        size = self.size()
        arguments, self.pending = self.pending[8:size], self.pending[size:]
        if sender == 1 and opcode & 0xffff == 0:
            sys.exit(f"the compositor refuses: {arguments}")
        return sender, opcode & 0xffff, arguments

    def size(self):
        return struct.unpack_from("<I", self.pending, 4)[0] >> 16

    def wait(self, sender, opcode, handle=None):
        """Passes other events to handle, and returns the arguments of this one."""
        while True:
            who, what, arguments = self.event()
            if (who, what) == (sender, opcode):
                return arguments
            if handle:
                handle(who, what, arguments)

    def find_globals(self):
        registry, callback = self.new(), self.new()
        self.request(1, 1, words(registry))
        self.request(1, 0, words(callback))

        def note(who, what, arguments):
            if (who, what) == (registry, 0):
                name, length = struct.unpack_from("<II", arguments)
                self.globals[arguments[8:8 + length - 1].decode()] = name
        self.wait(callback, 0, note)
        return registry

    def bind(self, registry, interface, version=1):
        new = self.new()
        self.request(registry, 0, words(self.globals[interface]) + text(interface)
                     + words(version, new))
        return new


def draw(pixels, stride, width, height):
    for y in range(height):
        row = y * 2 // height * 2
        left, right = (struct.pack("<I", COLOURS[row + i]) for i in (0, 1))
        line = left * (width // 2) + right * (width - width // 2)
        pixels[y * stride:y * stride + 4 * width] = line


def show(width, height):
    wayland = Wayland(Channel(Gpu()))
    registry = wayland.find_globals()
    print("globals:", *sorted(wayland.globals))
    compositor = wayland.bind(registry, "wl_compositor")
    shm = wayland.bind(registry, "wl_shm")
    base = wayland.bind(registry, "xdg_wm_base")
    surface, xdg_surface, toplevel = wayland.new(), wayland.new(), wayland.new()
    wayland.request(compositor, 0, words(surface))
    wayland.request(base, 2, words(xdg_surface, surface))
    wayland.request(xdg_surface, 1, words(toplevel))
    wayland.request(toplevel, 11, words(0))  # set_fullscreen on any output
    wayland.request(surface, 6)
    serial = wayland.wait(xdg_surface, 0)
    wayland.request(xdg_surface, 4, serial)

    resource, stride, pixels = wayland.channel.image(width, height)
    draw(pixels, stride, width, height)
    pool, buffer, frame = wayland.new(), wayland.new(), wayland.new()
    wayland.request(shm, 0, words(pool, stride * height), [resource])
    wayland.request(pool, 0, words(buffer, 0, width, height, stride, 1))
    wayland.request(surface, 1, words(buffer, 0, 0))
    wayland.request(surface, 2, words(0, 0, width, height))
    wayland.request(surface, 3, words(frame))
    wayland.request(surface, 6)

    def answer_ping(who, what, arguments):
        if (who, what) == (base, 0):
            wayland.request(base, 3, arguments)
    wayland.wait(frame, 0, answer_ping)
    return wayland


def main():
    width, height, seconds = (int(word) for word in sys.argv[1:])
    wayland = show(width, height)
    print("shown", flush=True)
    time.sleep(seconds)
    del wayland


if __name__ == "__main__":
    main()
