# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A monitor for a guest's kernel, as it takes one with drm.edid_firmware.

QEMU's own monitor has modes of up to 5120x2160, and some programs take the largest. This one has
1024x768, which is preferred, and the mode that is asked for. (Linux' virtio_gpu knows no other
preferred mode than that and the size of QEMU's window.) VESA's E-EDID 1.4: a header of 54 bytes,
four descriptors of 18 bytes, no extension, a checksum.
"""

PREFERRED = (1024, 768)
BLANK = (160, 40)  # columns and rows beside the picture
REFRESH = 60  # Hz
HEADER = b"\0\xff\xff\xff\xff\xff\xff\0"
MAKER = bytes([0x59, 0x27, 0, 0, 0, 0, 0, 0, 1, 36, 1, 4])  # "VIG", of 2026, EDID 1.4
PANEL = bytes([0xa5, 52, 29, 120, 2])  # digital, 52 cm by 29 cm, gamma 2.2, the first mode preferred
COLOURS = bytes(10)
NO_OTHER_MODES = bytes(3) + b"\1\1" * 8
NO_DESCRIPTOR = bytes([0, 0, 0, 0x10]) + bytes(14)
SYNC = bytes([48, 32, 3 << 4 | 6, 0])  # front porch and width, columns; the same in rows
POSITIVE = 0x1e  # digital separate sync, both positive


def make_timing(width, height):
    """A detailed timing descriptor."""
    columns, rows = BLANK
    clock = (width + columns) * (height + rows) * REFRESH // 10000
    return (clock.to_bytes(2, "little")
            + bytes([width & 255, columns & 255, width >> 8 << 4 | columns >> 8])
            + bytes([height & 255, rows & 255, height >> 8 << 4 | rows >> 8])
            + SYNC + bytes(5) + bytes([POSITIVE]))


def make_edid(width, height):
    block = (HEADER + MAKER + PANEL + COLOURS + NO_OTHER_MODES + make_timing(*PREFERRED)
             + make_timing(width, height) + 2 * NO_DESCRIPTOR + bytes(1))
    return block + bytes([-sum(block) & 255])
