# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Pixel formats of virtio-gpu, and the reference picture for what the display shows."""

import random

# Order of the bytes in memory, as the format's name in the specification spells them.
FORMATS = {1: "BGRA", 2: "BGRX", 3: "ARGB", 4: "XRGB", 67: "RGBA", 68: "XBGR", 121: "ABGR",
           134: "RGBX"}
B8G8R8A8, B8G8R8X8, A8R8G8B8, R8G8B8A8 = 1, 2, 3, 67


def random_bytes(seed, length):
    return random.Random(seed).randbytes(length)


def to_bgra(fmt, data, opaque=b"\xff"):
    """Pixels of any format as bytes B, G, R, A; opaque stands in for an X."""
    order = FORMATS[fmt]
    result = bytearray(len(data))
    for target, channel in enumerate("BGRA"):
        if channel in order:
            result[target::4] = data[order.index(channel)::4]
        else:
            result[target::4] = opaque * (len(data) // 4)
    return bytes(result)


def rgb_only(data):
    """Pixels of x8r8g8b8 with the undefined byte cleared."""
    result = bytearray(data)
    result[3::4] = bytes(len(data) // 4)
    return bytes(result)


class Image:
    """What the device holds of a 2D resource: rows without padding, four bytes a pixel."""

    def __init__(self, width, height, fmt=B8G8R8X8):
        self.width, self.height, self.format = width, height, fmt
        self.data = bytearray(4 * width * height)

    def transfer(self, backing, offset, x, y, w, h):
        """TRANSFER_TO_HOST_2D: rows lie a full image row apart, from offset on."""
        for row in range(h):
            source = offset + 4 * self.width * row
            target = 4 * ((y + row) * self.width + x)
            self.data[target:target + 4 * w] = backing[source:source + 4 * w]

    def crop(self, x, y, w, h):
        rows = (4 * ((y + row) * self.width + x) for row in range(h))
        return b"".join(bytes(self.data[start:start + 4 * w]) for start in rows)

    def shown(self, x=0, y=0, w=None, h=None):
        """A part of the image as a display sees it."""
        part = self.crop(x, y, w or self.width, h or self.height)
        return rgb_only(to_bgra(self.format, part))


def differences(actual, expected, width):
    """Text about how two pictures differ; empty if they do not."""
    if actual == expected:
        return ""
    if len(actual) != len(expected):
        return f"{len(actual)} bytes, not {len(expected)}"
    wrong = [i for i in range(0, len(actual), 4) if actual[i:i + 4] != expected[i:i + 4]]
    first = wrong[0]
    return (f"{len(wrong)} pixels differ, first at {(first // 4 % width, first // 4 // width)}: "
            f"{actual[first:first + 4].hex()} not {expected[first:first + 4].hex()}")
