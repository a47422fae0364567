#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Writes the seeds of fuzz-gpu: good sequences of commands, from which the fuzzer goes astray.

Usage: make-gpu-corpus.py FOLDER
"""
import pathlib
import struct
import sys

CONTROL, CURSOR, RESET, CANCEL, MEMORY_TABLE, ANSWER = range(6)


def record(operation, data):
    data += bytes(-len(data) % 4)
    return bytes([operation, len(data) // 4]) + data


def command(number, body=b"", ctx=0, flags=0, ring=0):
    header = struct.pack("<IIQIB3x", number, flags, 5, ctx, ring)
    return record(CURSOR if number >= 0x300 else CONTROL, header + body)


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


def entry(address, length):
    return struct.pack("<QII", address, length, 0)


def answer(refuse=False):
    # The length byte's lowest bit says how the front-end answers.
    return bytes([ANSWER, 1]) + bytes(4) if refuse else bytes([ANSWER, 0])


def picture(number=1, fmt=1):
    return (command(0x101, words(number, fmt, 32, 16))
            + command(0x106, words(number, 2) + entry(0, 1024) + entry(0x3000, 1024))
            + command(0x105, words(0, 0, 32, 16) + struct.pack("<Q", 0) + words(number, 0))
            + command(0x103, words(0, 0, 32, 16, 0, number))
            + command(0x104, words(4, 4, 8, 8, number, 0)))


def guest_blob(number=2):
    return (command(0x10c, words(number, 1, 3, 2) + struct.pack("<QQ", 0, 8192)
                    + entry(0x1000, 4096) + entry(0x8000, 4096))
            + command(0x10d, words(0, 0, 16, 16, 1, number, 16, 16, 2, 0)
                      + words(64, 0, 0, 0, 0, 0, 0, 0))
            + command(0x104, words(0, 0, 16, 16, number, 0)))


def host_blob(number=3):
    return (command(0x200, words(0, 0) + bytes(64), ctx=1)
            + command(0x10c, words(number, 2, 1, 0) + struct.pack("<QQ", 7, 8192), ctx=1)
            + command(0x202, words(number, 0), ctx=1)
            + command(0x208, words(number, 0) + struct.pack("<Q", 4096)) + answer())


SEEDS = {
    "picture": b"\0" + picture() + command(0x300, words(0, 3, 4, 0, 1, 1, 1, 0))
    + command(0x301, words(0, 5, 6, 0, 1, 0, 0, 0)) + command(0x102, words(1, 0)),
    "formats": b"\0" + b"".join(picture(i + 1, f)
                                for i, f in enumerate((2, 3, 4, 67, 68, 121, 134))),
    "guest-blob": b"\0" + guest_blob() + picture() + bytes([MEMORY_TABLE, 1]) + bytes(4)
    + command(0x104, words(0, 0, 16, 16, 2, 0)) + bytes([RESET, 0]),
    "host-blob": b"\1" + host_blob() + command(0x209, words(3, 0)) + answer()
    + command(0x102, words(3, 0)),
    "host-blob-reset": b"\1" + host_blob() + host_blob(4) + bytes([CANCEL, 0]) + bytes([RESET, 0])
    + answer() + answer(True) + host_blob(),
    "three-d": b"\1" + host_blob() + command(0x204, words(5, 2, 1, 2, 8, 8, 1, 1, 0, 0, 0, 0))
    + command(0x202, words(5, 0), ctx=1) + command(0x106, words(5, 1) + entry(0, 256))
    + command(0x205, words(0, 0, 0, 8, 8, 1) + struct.pack("<Q", 0) + words(5, 0, 32, 0), ctx=1)
    + command(0x207, words(8, 0, 1, 2), ctx=1, flags=3, ring=1) + command(0x201, ctx=1),
    "information": b"\0" + command(0x100) + command(0x10a, words(0, 0)) + command(0x108, words(0, 0))
    + command(0x109, words(1, 1)) + picture() + command(0x10b, words(1, 0)),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / name).write_bytes(data)


main()
