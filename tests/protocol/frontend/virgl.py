# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The few virgl commands that the tests encode by hand (virglrenderer's virgl_protocol.h).

A command is a header word (command, object type << 8, length in words << 16) and its words.
"""

import struct

CREATE_OBJECT, BIND_OBJECT, SET_VIEWPORT_STATE, SET_FRAMEBUFFER_STATE, CLEAR = 1, 2, 4, 5, 7
DRAW_VBO, BIND_SHADER = 8, 31
OBJECT_BLEND, OBJECT_RASTERIZER, OBJECT_DSA, OBJECT_SHADER, OBJECT_ELEMENTS = 1, 2, 3, 4, 5
OBJECT_SURFACE = 8
VERTEX, FRAGMENT = 0, 1
TRIANGLES = 4
CLEAR_COLOR = 1 << 2
NOP = 0
CREATE_SUB_CTX = 29
TRANSFER3D, COPY_TRANSFER3D = 43, 45
PIPE_RESOURCE_CREATE = 48
TO_HOST, FROM_HOST = 1, 2
COPY_READ_FROM_HOST = 1 << 1


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


def transfer_3d(resource, box, direction, offset=0, stride=0, layer_stride=0):
    """A transfer between a resource and its backing, in the stream."""
    return command(TRANSFER3D, [resource, 0, 0, stride, layer_stride, *box, offset, direction])


def copy_transfer_3d(resource, box, staging, reads, offset=0, stride=0, layer_stride=0):
    """The same with the backing of another resource."""
    return command(COPY_TRANSFER3D, [resource, 0, 0, stride, layer_stride, *box, staging, offset,
                                     COPY_READ_FROM_HOST if reads else 0])


def create_sub_context(number):
    return command(CREATE_SUB_CTX, [number])


def create_pipe_resource(blob_id, target, fmt, bind, width, height, depth=1, samples=0):
    """A resource that only the stream knows, until a blob of this id is made of it."""
    return command(PIPE_RESOURCE_CREATE,
                   [target, fmt, bind, width, height, depth, 1, 0, samples, 0, blob_id])


def create_shader(handle, kind, text):
    """text is TGSI."""
    data = text.encode() + b"\0"
    words = struct.unpack(f"={(len(data) + 3) // 4}I", data + bytes(-len(data) % 4))
    tokens = 300
    return command(CREATE_OBJECT, [handle, kind, len(data), tokens, 0, *words], OBJECT_SHADER)


def bind_shader(handle, kind):
    return command(BIND_SHADER, [handle, kind])


def create_state(kind, handle, words):
    """A state object, made and bound."""
    return [*command(CREATE_OBJECT, [handle, *words], kind), *command(BIND_OBJECT, [handle], kind)]


def set_viewport(width, height):
    floats = (width / 2, height / 2, 0.5, width / 2, height / 2, 0.5)
    return command(SET_VIEWPORT_STATE, [0, *struct.unpack("=6I", struct.pack("=6f", *floats))])


def draw(count):
    """Triangles out of nothing: the shader makes them from the vertices' numbers."""
    return command(DRAW_VBO, [0, count, TRIANGLES, 0, 1, 0, 0, 0, 0, 0, count - 1, 0])


WHOLE_SCREEN = """VERT
DCL SV[0], VERTEXID
DCL OUT[0], POSITION
DCL TEMP[0]
IMM[0] UINT32 {1, 2, 0, 0}
IMM[1] FLT32 {4.0, -1.0, 0.0, 1.0}
  0: AND TEMP[0].xy, SV[0].xxxx, IMM[0].xyyy
  1: U2F TEMP[0].xy, TEMP[0].xyyy
  2: MUL TEMP[0].y, TEMP[0].yyyy, IMM[1].wwww
  3: MAD OUT[0].xy, TEMP[0].xyyy, IMM[1].xxxx, IMM[1].yyyy
  4: MOV OUT[0].zw, IMM[1].zzzw
  5: END
"""

GREEN = """FRAG
DCL OUT[0], COLOR
IMM[0] FLT32 {0.0, 1.0, 0.0, 1.0}
  0: MOV OUT[0], IMM[0]
  1: END
"""

# llvmpipe ends a loop after 65535 rounds, which takes seconds for a screen.
BUSY = """FRAG
DCL OUT[0], COLOR
DCL TEMP[0..1]
IMM[0] FLT32 {0.5, 1.5, 9.0, 1.0}
  0: MOV TEMP[0], IMM[0]
  1: BGNLOOP
  2: SIN TEMP[0].x, TEMP[0].xxxx
  3: ADD TEMP[0].y, TEMP[0].yyyy, TEMP[0].xxxx
  4: SGT TEMP[1].x, TEMP[0].xxxx, IMM[0].zzzz
  5: IF TEMP[1].xxxx
  6: BRK
  7: ENDIF
  8: ENDLOOP
  9: MOV OUT[0], TEMP[0]
 10: END
"""


def draw_with(shader, width, height, times=1, first_handle=100):
    """The whole of the framebuffer that is set, drawn by a fragment shader."""
    rasterizer = [1 << 1 | 1 << 29, *struct.unpack("=I", struct.pack("=f", 1.0)), 0, 0, 0, 0, 0, 0]
    blend = [0, 0, 0xF << 27, 0, 0, 0, 0, 0, 0, 0]
    handle = first_handle
    return [*create_shader(handle, VERTEX, WHOLE_SCREEN), *bind_shader(handle, VERTEX),
            *create_shader(handle + 1, FRAGMENT, shader), *bind_shader(handle + 1, FRAGMENT),
            *create_state(OBJECT_RASTERIZER, handle + 2, rasterizer),
            *create_state(OBJECT_BLEND, handle + 3, blend),
            *create_state(OBJECT_DSA, handle + 4, [0, 0, 0, 0]),
            *create_state(OBJECT_ELEMENTS, handle + 5, []),
            *set_viewport(width, height), *(draw(3) * times)]
