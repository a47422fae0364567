# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The few virgl commands that the tests encode by hand (virglrenderer's virgl_protocol.h).

A command is a header word (command, object type << 8, length in words << 16) and its words.
"""

import struct

CREATE_OBJECT, SET_FRAMEBUFFER_STATE, CLEAR = 1, 5, 7
OBJECT_SURFACE = 8
CLEAR_COLOR = 1 << 2
NOP = 0


def command(number, words, object_type=0):
    return [number | object_type << 8 | len(words) << 16, *words]


def create_surface(handle, resource, fmt, level=0):
    return command(CREATE_OBJECT, [handle, resource, fmt, level, 0], OBJECT_SURFACE)


def set_framebuffer(color_surface):
    """One colour buffer, no depth buffer."""
    return command(SET_FRAMEBUFFER_STATE, [1, 0, color_surface])


def clear(red, green, blue, alpha=1.0):
    color = struct.unpack("=4I", struct.pack("=4f", red, green, blue, alpha))
    return command(CLEAR, [CLEAR_COLOR, *color, 0, 0, 0])


def nop(words=0):
    return command(NOP, [0] * words)
