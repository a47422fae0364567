#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Writes the seeds of fuzz-gpu, fuzz-virgl and fuzz-rutabaga: good sequences of commands, from which
the fuzzer goes astray. Those of fuzz-virgl that begin with "mesa" are made of tests/streams.

Usage: make-gpu-corpus.py FOLDER    (makes FOLDER/gpu, FOLDER/virgl and FOLDER/rutabaga)
"""
import gzip
import pathlib
import struct
import sys

(CONTROL, CURSOR, RESET, CANCEL, MEMORY_TABLE, ANSWER, HOST, DISPLAY,
 ANSWER_DISPLAY) = range(9)
OPERATIONS = 9
FENCED, RINGED = 1, 3  # flags: a fence on the global timeline, on the ring's


def record(operation, data=b""):
    data += bytes(-len(data) % 4)
    return bytes([operation, len(data) // 4]) + data


def command(number, body=b"", ctx=0, flags=0, ring=0):
    header = struct.pack("<IIQIB3x", number, flags, 5, ctx, ring)
    return record(CURSOR if number >= 0x300 else CONTROL, header + body)


def announcing(request):
    # It says that another one follows.
    return bytes([request[0] + OPERATIONS]) + request[1:]


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


def entry(address, length):
    return struct.pack("<QII", address, length, 0)


def detail(operation, byte):
    # Where the byte of the length is all that counts, as many words follow.
    return bytes([operation, byte]) + bytes(4 * byte)


def answer(refuse=False):
    return detail(ANSWER, refuse)


def host(what):
    return record(HOST, bytes([what]))


def display(what):
    return record(DISPLAY, bytes([what]))


def backing(number, *entries):
    return command(0x106, words(number, len(entries)) + b"".join(entry(*e) for e in entries))


def picture(number=1, fmt=1):
    return (command(0x101, words(number, fmt, 32, 16))
            + backing(number, (0, 1024), (0x3000, 1024))
            + command(0x105, words(0, 0, 32, 16) + struct.pack("<Q", 0) + words(number, 0))
            + command(0x103, words(0, 0, 32, 16, 0, number))
            + command(0x104, words(4, 4, 8, 8, number, 0)))


def large_picture(number=1, fmt=1):
    # Just so large that its transfer is put off.
    return (command(0x101, words(number, fmt, 256, 256)) + backing(number, (0, 0x21004), (0x21004, 0x1effc))
            + command(0x103, words(0, 0, 256, 256, 0, number)))


def put_off(number=1):
    return announcing(command(0x105, words(0, 0, 256, 256, 0, 0, number, 0)))


def large_flush(number=1):
    return flush(number, 0, 0, 256, 256)


def blob(number, mem, flags, blob_id, size, *entries, ctx=0):
    return command(0x10c, words(number, mem, flags, len(entries))
                   + struct.pack("<QQ", blob_id, size) + b"".join(entry(*e) for e in entries), ctx=ctx)


def show_blob(number, fmt=2, stride=64):
    return command(0x10d, words(0, 0, 16, 16, 1, number, 16, 16, fmt, 0)
                   + words(stride, 0, 0, 0, 0, 0, 0, 0))


def flush(number, *rect):
    return command(0x104, words(*(rect or (0, 0, 16, 16)), number, 0))


def guest_blob(number=2):
    return (blob(number, 1, 3, 0, 8192, (0x1000, 4096), (0x8000, 4096))
            + show_blob(number) + flush(number))


def context(number=1, capset=0):
    return command(0x200, words(0, capset) + bytes(64), ctx=number)


def attach(resource, ctx=1):
    return command(0x202, words(resource, 0), ctx=ctx)


def host_blob(number=3):
    return (context() + blob(number, 2, 1, 7, 8192, ctx=1) + attach(number)
            + command(0x208, words(number, 0) + struct.pack("<Q", 4096)) + answer())


def create_3d(number, target, fmt, width, height=1, depth=1, array=1, levels=0, samples=0):
    return command(0x204, words(number, target, fmt, 2, width, height, depth, array, levels, samples,
                                0, 0))


def transfer(number, box, offset=0, level=0, stride=0, layer=0, read=False, ctx=1):
    return command(0x206 if read else 0x205, words(*box) + struct.pack("<Q", offset)
                   + words(number, level, stride, layer), ctx=ctx)


def submit(stream, ctx=1, flags=0, ring=0):
    return command(0x207, words(len(stream), 0) + stream, ctx=ctx, flags=flags, ring=ring)


COMMON = {
    "picture": picture() + command(0x300, words(0, 3, 4, 0, 1, 1, 1, 0))
    + command(0x301, words(0, 5, 6, 0, 1, 0, 0, 0)) + command(0x102, words(1, 0)),
    "guest-blob": guest_blob() + picture() + detail(MEMORY_TABLE, 1)
    + flush(2) + bytes([RESET, 0]),
    "information": command(0x100) + command(0x10a, words(0, 0)) + command(0x108, words(0, 0))
    + command(0x109, words(1, 1)) + picture() + command(0x10b, words(1, 0)),
    "displays": picture() + display(1) + detail(ANSWER_DISPLAY, 0) + flush(1, 0, 0, 8, 8)
    + detail(ANSWER_DISPLAY, 0) + command(0x100) + detail(ANSWER_DISPLAY, 0)
    + command(0x10a, words(0, 0)) + detail(ANSWER_DISPLAY, 1) + display(2) + display(0x10)
    + flush(1, 0, 0, 8, 8) + display(1) + display(4) + display(1) + display(4)
    + command(0x10a, words(0, 0)) + detail(ANSWER_DISPLAY, 0),
}

GPU = {name: b"\0" + data for name, data in COMMON.items()} | {
    "put-off": b"\0" + large_picture() + put_off() + large_flush()
    + put_off() + announcing(command(0x103, words(0, 64, 200, 100, 0, 1))) + flush(1, 8, 8, 100, 200)
    + put_off() + put_off() + command(0x104, words(0, 0, 300, 1, 1, 0))
    + put_off() + command(0x104, words(0, 0, 256, 256, 1, 0), flags=FENCED) + put_off() + command(0x102, words(1, 0))
    + large_picture(2, 134) + put_off(2) + large_flush(2),
    "put-off-ends": b"\0" + large_picture() + put_off() + detail(MEMORY_TABLE, 3) + put_off() + bytes([CANCEL, 0])
    + put_off() + command(0x300, words(0, 3, 4, 0, 1, 1, 1, 0)) + put_off() + command(0x107, words(1, 0)) + put_off()
    + backing(1, (0, 0x40000)) + put_off() + display(1) + detail(ANSWER_DISPLAY, 0) + put_off() + large_flush()
    + detail(ANSWER_DISPLAY, 0) + display(0x20) + put_off() + announcing(large_flush()) + put_off()
    + detail(ANSWER_DISPLAY, 0) + put_off() + bytes([RESET, 0]) + large_picture() + put_off(),
    "formats": b"\0" + b"".join(picture(i + 1, f)
                                for i, f in enumerate((2, 3, 4, 67, 68, 121, 134))),
    "host-blob": b"\1" + host_blob() + command(0x209, words(3, 0)) + answer()
    + command(0x102, words(3, 0)),
    "host-blob-reset": b"\1" + host_blob() + host_blob(4) + bytes([CANCEL, 0]) + bytes([RESET, 0])
    + answer() + answer(True) + host_blob(),
    "three-d": b"\1" + host_blob() + create_3d(5, 2, 1, 8, 8) + attach(5)
    + backing(5, (0, 256)) + transfer(5, (0, 0, 0, 8, 8, 1), stride=32)
    + submit(words(1, 2), flags=RINGED, ring=1) + command(0x201, ctx=1),
    "maps": b"\1" + host_blob() + blob(4, 2, 1, 8, 4096, ctx=1)
    + command(0x208, words(4, 0) + struct.pack("<Q", 0x8000)) + answer(True)
    + command(0x208, words(4, 0) + struct.pack("<Q", 0x8000)) + answer()
    + command(0x209, words(4, 0)) + command(0x201, ctx=1) + answer() + answer(),
    "blob-dmabuf": b"\1" + host_blob() + show_blob(3) + flush(3) + display(9) + flush(3)
    + detail(ANSWER_DISPLAY, 0) + detail(ANSWER_DISPLAY, 0),
    "halves": b"\0" + detail(MEMORY_TABLE, 3) + command(0x101, words(1, 1, 64, 64))
    + backing(1, (0x1E000, 16384)) + command(0x105, words(0, 0, 64, 64, 0, 0, 1, 0))
    + detail(MEMORY_TABLE, 0) + command(0x105, words(0, 0, 64, 64, 0, 0, 1, 0))
    + detail(MEMORY_TABLE, 3) + command(0x107, words(1, 0)) + command(0x102, words(1, 0)),
    "unlike": b"\0" + command(0x208, words(1, 0, 0, 0)) + command(0x110) + command(0)
    + command(0x302) + record(CONTROL, b"\1"),
}

# Streams of the mode virglrenderer (virgl_protocol.h)
NOP, INLINE_WRITE, TRANSFER3D, COPY_TRANSFER3D = 0, 9, 43, 45
BUFFER, TEXTURE_2D, TEXTURE_3D, CUBE, ARRAY_2D, CUBE_ARRAY = 0, 2, 3, 4, 7, 8
R8, RGBA8, BGRA8, Z24S8, FLOAT4, DXT1 = 64, 67, 1, 19, 31, 105


def stream(number, *values):
    return words(number | len(values) << 16, *values)


def inline_write(resource, box, data, level=0, stride=0, layer=0):
    return stream(INLINE_WRITE, resource, level, 0, stride, layer, *box, *data)


def transfer3d(resource, box, offset=0, direction=1, level=0, stride=0, layer=0):
    return stream(TRANSFER3D, resource, level, 0, stride, layer, *box, offset, direction)


def copy_transfer(resource, box, source, offset=0, flags=0, level=0, stride=0, layer=0):
    return stream(COPY_TRANSFER3D, resource, level, 0, stride, layer, *box, source, offset, flags)


def texture(number, fmt=RGBA8, target=TEXTURE_2D, size=(16, 16), length=4096, **more):
    return create_3d(number, target, fmt, *size, **more) + backing(number, (0, length)) + attach(number)


BOX = (0, 0, 0, 16, 16, 1)
VIRGL = COMMON | {
    "texture": context(1, 2) + texture(5) + transfer(5, BOX) + transfer(5, BOX, read=True, stride=64)
    + transfer(5, BOX, ctx=0) + host(1) + command(0x103, words(0, 0, 16, 16, 0, 5)) + flush(5)
    + display(9) + flush(5) + detail(ANSWER_DISPLAY, 0) + command(0x107, words(5, 0))
    + command(0x203, words(5, 0), ctx=1) + command(0x102, words(5, 0)),
    "layers": context() + texture(5, target=ARRAY_2D, array=4, size=(8, 8))
    + transfer(5, (0, 0, 0, 8, 8, 4), stride=32, layer=256)
    + transfer(5, (0, 0, 0, 8, 8, 4), stride=32, layer=256, read=True)
    + texture(6, target=TEXTURE_3D, size=(8, 8, 4)) + transfer(6, (0, 0, 0, 8, 8, 4))
    + transfer(6, (0, 0, 1, 8, 8, 2), stride=32, layer=256, read=True),
    "levels": context() + texture(5, levels=4) + transfer(5, (0, 0, 0, 8, 8, 1), level=1)
    + transfer(5, (0, 0, 0, 1, 1, 1), level=4, read=True),
    "kinds": context() + texture(5, fmt=Z24S8, target=CUBE, array=6)
    + transfer(5, BOX, read=True, stride=64) + texture(6, fmt=DXT1) + transfer(6, BOX)
    + transfer(6, BOX, read=True, stride=32) + texture(7, fmt=FLOAT4) + transfer(7, BOX, stride=256)
    + texture(8, samples=4) + transfer(8, BOX, read=True, stride=64) + texture(9, fmt=136)
    + transfer(9, BOX, read=True, stride=64) + texture(10, target=CUBE_ARRAY, array=12),
    "buffer": context() + texture(5, fmt=R8, target=BUFFER, size=(4096,))
    + transfer(5, (0, 0, 0, 4096, 1, 1)) + transfer(5, (8, 0, 0, 64, 1, 1), offset=8, read=True)
    + texture(6, fmt=27, target=BUFFER, size=(4096,)) + transfer(6, (0, 0, 0, 64, 1, 1), read=True),
    "large": context() + create_3d(5, BUFFER, R8, 0x7fffffff) + create_3d(6, TEXTURE_2D, BGRA8, 16384, 64)
    + backing(6, *((0, 0x20000) for _ in range(32))) + attach(6)
    + transfer(6, (0, 0, 0, 16384, 64, 1)) + transfer(6, (0, 0, 0, 16384, 1, 1), offset=0xffff0000),
    "many-pieces": context() + create_3d(5, TEXTURE_2D, R8, 1, 65536, array=2)
    + backing(5, *((i * 4096, 2048) for i in range(30))) + attach(5)
    + transfer(5, (0, 0, 0, 1, 60000, 1), stride=1) + transfer(5, (0, 0, 0, 1, 60000, 1)),
    "stream": context() + texture(5) + submit(
        stream(NOP, 1) + inline_write(5, (0, 0, 0, 2, 2, 1), (1, 2, 3, 4)) + transfer3d(5, BOX)
        + transfer3d(5, BOX, direction=2, stride=64) + stream(22, 5), flags=FENCED) + host(1),
    "copy": context() + texture(5) + texture(6, fmt=R8, target=BUFFER, size=(4096,))
    + submit(copy_transfer(5, BOX, 6) + copy_transfer(5, BOX, 6, flags=2, stride=64, offset=16))
    + submit(copy_transfer(5, (0, 0, 0, 16, 16, 1), 6, offset=0xfffff000)),
    "stream-wrong": context() + texture(5) + submit(
        transfer3d(5, (0, 0, 0, 16, 16, 1), offset=0xffffff00, stride=0x10000000) + stream(3, 4))
    + submit(inline_write(5, (0x7fffffff, 0, 0, 2, 2, 1), (1, 2))) + submit(words(TRANSFER3D | 40 << 16)),
    # 15 lines, or 3 layers, of so many bytes are a few bytes in 32 bits.
    "wraps": context() + texture(5) + transfer(5, BOX, stride=286331154)
    + transfer(5, BOX, stride=286331154, read=True) + transfer(5, BOX, offset=0xffffffc0)
    + submit(transfer3d(5, BOX, stride=286331154))
    + submit(transfer3d(5, BOX, stride=286331154, direction=2))
    + submit(copy_transfer(5, BOX, 5, stride=286331154))
    + submit(inline_write(5, BOX, range(64), stride=286331154))
    + texture(6, target=ARRAY_2D, array=4, size=(8, 8))
    + transfer(6, (0, 0, 0, 8, 8, 4), stride=32, layer=1431655766)
    + texture(7, fmt=27, target=BUFFER, size=(4096,), length=16384)
    + transfer(7, (0, 0, 0, 256, 1, 1), read=True),
    "venus": context(1, 4) + blob(3, 2, 1, 0, 8192, ctx=1) + attach(3)
    + command(0x208, words(3, 0) + struct.pack("<Q", 0)) + answer()
    + blob(4, 2, 1, 1, 8192, ctx=1) + attach(4) + context(2, 4) + attach(4, 2) + attach(3, 2)
    + submit(words(1, 2), flags=RINGED, ring=1) + host(1) + host(0x10) + flush(3),
    "opaque": context(1, 4) + blob(3, 2, 1, 2, 8192, ctx=1) + attach(3)
    + command(0x208, words(3, 0) + struct.pack("<Q", 0)) + answer() + blob(4, 2, 1, 6, 8192, ctx=1)
    + command(0x208, words(4, 0) + struct.pack("<Q", 0x4000)) + answer(),
    "blob-texture": context() + submit(stream(48, 2, FLOAT4, 8, 64, 8, 1, 1, 0, 0, 0, 8)) + blob(3, 3, 1, 8, 8192, (0, 8192), ctx=1) + attach(3)
    + transfer(3, (0, 0, 0, 64, 2, 1), stride=1024) + transfer(3, (0, 0, 0, 64, 2, 1), stride=1024, read=True)
    + transfer(3, (0, 0, 0, 64, 2, 1)) + show_blob(3) + flush(3),
    "failures": context() + host(4) + create_3d(5, 2, 1, 8, 8) + texture(5, size=(8, 8)) + host(8)
    + transfer(5, (0, 0, 0, 8, 8, 1), read=True, stride=32) + host(4) + submit(stream(NOP), flags=FENCED)
    + host(2) + submit(stream(NOP), flags=FENCED) + host(0x20),
}

# Cross-domain's commands, and gfxstream's
INIT, REQUIREMENTS, POLL, SEND, WRITE = 1, 2, 3, 4, 7
CROSS, VULKAN = 5, 3


def cross(number, body=b""):
    return struct.pack("<BBHI", number, 0, 8 + len(body), 0) + body


def send(identifiers=(), data=b""):
    body = words(len(identifiers), len(data))
    for place in range(3):
        column = [i[place] for i in identifiers]
        body += words(*column, *[0] * (28 - len(column)))
    return cross(SEND, body + data)


def rings(ctx=1):
    return (context(ctx, CROSS) + blob(10, 1, 1, 0, 4096, (0, 4096)) + attach(10, ctx)
            + blob(11, 1, 1, 0, 8192, (0x2000, 4096), (0x8000, 4096)) + attach(11, ctx)
            + submit(cross(INIT, words(10, 11, 1)), ctx))


def announce(blob_id, fmt=1, width=64, height=64):
    return submit(words(0xa003, 2, fmt, 2, width, height, 1, 1, 0, 0, 0, 0) + struct.pack("<Q", blob_id))


RUTABAGA = {name: b"\0" + data for name, data in COMMON.items()} | {
    "channel": b"\0" + rings() + submit(cross(POLL), flags=RINGED, ring=1) + host(1)
    + submit(send([(1, 1, 4)], b"abcd") + cross(WRITE, words(1, 0, 4, 0) + b"data"))
    + submit(cross(POLL), flags=RINGED, ring=1) + detail(MEMORY_TABLE, 0) + host(1)
    + command(0x201, ctx=1),
    "query": b"\0" + rings() + submit(cross(REQUIREMENTS, words(64, 64, 0x34325258, 0)), flags=RINGED)
    + blob(3, 2, 1, 2, 16384, ctx=1) + attach(3) + command(0x208, words(3, 0, 0, 0)) + answer()
    + show_blob(3) + flush(3),
    "pipes": b"\0" + rings() + submit(send([(1, 3, 0)] * 20)) * 4
    + submit(cross(POLL), flags=RINGED, ring=1) + host(9) + submit(send([(1, 3, 0)])),
    "init": b"\0" + context(1, CROSS) + blob(10, 1, 1, 0, 4096, (0, 4096)) + attach(10)
    + host(4) + submit(cross(INIT, words(10, 1))) + submit(cross(INIT, words(10, 1)))
    + submit(cross(INIT, words(10, 10, 1) + bytes(16))) + submit(cross(11, words(1))) + submit(cross(13, bytes(20)))
    + context(2, CROSS) + submit(cross(INIT, words(10, 10, 0) + bytes(16)), 2) + attach(10, 2)
    + submit(cross(INIT, words(10, 10, 0) + bytes(16)), 2),
    "lengths": b"\0" + rings() + submit(cross(POLL) + cross(POLL)) + submit(words(3, 0))
    + submit(struct.pack("<BBHI", POLL, 0, 0xffff, 0)) + submit(cross(SEND, bytes(40)))
    + submit(cross(WRITE, words(1, 0, 100, 0))) + submit(cross(99)),
    "lie": b"\0" + rings() + submit(cross(POLL), flags=RINGED, ring=1) + host(0x11)
    + submit(cross(POLL), flags=RINGED, ring=1) + host(0x19) + command(0x102, words(11, 0)),
    "image": b"\1" + context(1, VULKAN) + create_3d(5, 2, RGBA8, 16, 16) + attach(5)
    + backing(5, (0, 512), (0x1000, 512)) + transfer(5, BOX) + transfer(5, (0, 0, 0, 8, 8, 1))
    + transfer(5, BOX, read=True) + command(0x103, words(0, 0, 16, 16, 0, 5)) + flush(5)
    + command(0x107, words(5, 0)) + flush(5) + transfer(5, BOX),
    "image-short": b"\1" + context(1, VULKAN) + create_3d(5, 2, BGRA8, 64, 64) + backing(5, (0, 4096))
    + transfer(5, (0, 0, 0, 4, 4, 1)) + command(0x103, words(0, 0, 64, 64, 0, 5)) + flush(5, 1, 1, 8, 8)
    + create_3d(6, 0, R8, 4096) + backing(6, (0, 4096)) + transfer(6, (0, 0, 0, 64, 1, 1))
    + create_3d(7, 2, 163, 64, 64) + create_3d(8, 2, 9, 64, 64),
    "announced": b"\1" + context(1, VULKAN) + announce(3) + blob(3, 2, 1, 3, 16384, ctx=1)
    + announce(2) + blob(4, 2, 1, 2, 16384, ctx=1) + attach(4) + show_blob(4) + flush(4)
    + show_blob(4, fmt=1, stride=256) + flush(4) + announce(0) + announce(8, fmt=9),
    "ring": b"\1" + context(1, VULKAN) + blob(3, 2, 1, 0, 2 << 20, ctx=1) + attach(3)
    + submit(words(0x1001, 3), flags=RINGED, ring=1) + submit(words(0x1001, 3)) + submit(words(0x1002, 3))
    + host(2) + command(0x203, words(3, 0), ctx=1) + attach(3) + submit(words(0x1001, 3))
    + submit(words(0x9000)) + submit(words(0xa000) + bytes(80)) + command(0x201, ctx=1),
    "both": b"\1" + context(1, VULKAN) + context(2, CROSS) + blob(10, 1, 1, 0, 65536 * 2, (0, 65536), (0x10000, 65536))
    + attach(10, 2) + attach(10, 1) + submit(cross(INIT, words(10, 10, 1)), 2)
    + submit(cross(POLL), 2, flags=RINGED, ring=1) + submit(words(0xf002), 1, flags=FENCED) + host(3),
}


def commands_of(recording):
    """Each kind of command once: its words, and the resources that it may name."""
    data = gzip.decompress(recording.read_bytes())
    values = struct.unpack(f"<{len(data) // 4}I", data)
    resources, seen, at = {}, set(), 0
    while at < len(values):
        kind, length = values[at:at + 2]
        body = values[at + 2:at + 2 + length]
        at += 2 + length
        if kind == 1:
            resources[body[0]] = body[1:]
        elif kind == 2:
            resources.pop(body[0], None)
        while kind == 3 and body:
            one, body = body[:1 + (body[0] >> 16)], body[1 + (body[0] >> 16):]
            if one[0] & 0xffff not in seen and len(one) < 100:
                seen.add(one[0] & 0xffff)
                yield one, {i: resources[i] for i in one[1:] if i in resources}


def resource_of(number, args):
    target, fmt, bind, width, height, depth, array, levels, samples, length = args
    return (command(0x204, words(number, target, fmt, bind, width, height, depth, array, levels, samples,
                                 0, 0)) + backing(number, (0, max(length, 64))) + attach(number))


def mesa(recording):
    """Some commands a seed, with what they name."""
    parts, made, text = [], {}, b""
    for one, named in commands_of(recording):
        if len(text) + 4 * len(one) > 960 or len({**made, **named}) > 16:
            parts.append((made, text))
            made, text = {}, b""
        made, text = {**made, **named}, text + words(*one)
    for i, (made, text) in enumerate(parts + [(made, text)]):
        setup = b"".join(resource_of(number, args) for number, args in made.items())
        yield f"{recording.stem}-{i}", context(1, 2) + setup + submit(text)


for _recording in sorted((pathlib.Path(__file__).parent.parent / "streams").glob("mesa-*.gz")):
    VIRGL |= dict(mesa(_recording))


def main():
    for name, seeds in (("gpu", GPU), ("virgl", VIRGL), ("rutabaga", RUTABAGA)):
        folder = pathlib.Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, data in seeds.items():
            (folder / seed).write_bytes(data)


main()
