#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Writes the seeds of fuzz-vhost and fuzz-display: good sequences, from which the fuzzer goes astray.

Usage: make-vhost-corpus.py FOLDER    (makes FOLDER/vhost and FOLDER/display)
"""
import pathlib
import struct
import sys

(MESSAGE, RAW, KICK, READ, SHUT_DOWN, MAP, UNMAP, BACKEND_ANSWER, BACKEND_RAW, CONFIG,
 RENAME) = range(11)
SHARED_OBJECT_REMOVE, SHMEM_MAP, SHMEM_UNMAP = 7, 9, 10
MEMORY, EVENT, SOCKET, NULL = range(4)
NEED_REPLY = 8
GPA, UVA = 0x1000, 0x7F0000000000


def message(request, payload=b"", fds=0, kind=MEMORY, flags=0):
    return bytes([MESSAGE, request, flags, kind << 4 | fds, len(payload)]) + payload


def u64(value):
    return struct.pack("<Q", value)


def state(index, value):
    return struct.pack("<II", index, value)


def handshake(protocol=1 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 13 | 1 << 15 | 1 << 22):
    return (message(1) + message(15) + message(16, u64(protocol)) + message(3)
            + message(21, fds=1, kind=SOCKET) + bytes([READ]))


def region(gpa=GPA, uva=UVA, length=0x20000):
    return struct.pack("<QQQQ", gpa, length, uva, 0)


def queue(index, features=1 << 32 | 1 << 30):
    return (message(2, u64(features)) + message(8, state(index, 8)) + message(10, state(index, 0))
            + message(9, struct.pack("<IIQQQQ", index, 0, UVA, UVA + 0x400, UVA + 0x200, 0))
            + message(12, u64(index), 1, EVENT) + message(13, u64(index), 1, EVENT)
            + message(18, state(index, 1)) + bytes([KICK]))


TABLE = message(5, struct.pack("<II", 1, 0) + region(), 1)
VHOST = {
    "handshake": handshake(),
    "queues": handshake() + TABLE + queue(0) + queue(1) + message(11, state(0, 0)),
    "packed": handshake() + TABLE + queue(0, 1 << 32 | 1 << 30 | 1 << 34),
    "memory-slots": handshake() + message(36) + message(37, u64(0) + region(), 1)
    + message(37, u64(0) + region(0x40000, UVA + 0x100000), 1) + queue(0)
    + message(38, u64(0) + region()) + message(38, u64(0) + region(), 1),
    "config": handshake() + message(24, struct.pack("<III", 0, 20, 0) + bytes(20))
    + message(25, struct.pack("<III", 4, 4, 1) + bytes(4), flags=NEED_REPLY) + message(44),
    "reset": handshake() + TABLE + queue(0) + message(34) + queue(0) + message(4)
    + message(33, fds=1, kind=SOCKET),
    "hang-up": handshake() + TABLE + bytes([SHUT_DOWN]),
    "shared-memory": handshake() + bytes([MAP, 1, BACKEND_ANSWER, SHMEM_MAP, 0, UNMAP, 1, MAP, 2,
                                          BACKEND_ANSWER, SHMEM_UNMAP, 1, CONFIG, MAP, 3,
                                          BACKEND_ANSWER, SHMEM_UNMAP, 0]),
    "shared-memory-qemu": bytes([RENAME]) + handshake()
    + bytes([MAP, 1, BACKEND_ANSWER, SHMEM_MAP, 0, BACKEND_ANSWER, SHARED_OBJECT_REMOVE, 0,
             MAP, 2, BACKEND_ANSWER, SHMEM_MAP, 1, BACKEND_ANSWER, SHARED_OBJECT_REMOVE, 1, MAP, 3, SHUT_DOWN]),
    "shared-memory-replaced": handshake() + bytes([MAP, 1, UNMAP, 1])
    + message(21, fds=1, kind=SOCKET) + bytes([MAP, 2, BACKEND_RAW, 4]) + bytes(4)
    + bytes([BACKEND_ANSWER, SHMEM_MAP, 0]),
    # What nobody reads, on both channels
    "full": handshake() + message(44) * 60 + bytes([READ]) * 3,
    "full-backend": handshake() + bytes([MAP, 1]) * 120 + bytes([BACKEND_ANSWER, SHMEM_MAP, 0]) * 8
    + bytes([SHUT_DOWN]),
    "halves": bytes([RAW, 6]) + struct.pack("<IH", 1, 1) + bytes([RAW, 6]) + bytes(6),
}

(ANSWER, RAW_ANSWER, READ_SOME, GET_OUTPUTS, GET_EDID, SCANOUT, UPDATE, SCANOUT_DMABUF,
 UPDATE_DMABUF, CURSOR, CANCEL, SHUT) = range(12)
RECT = bytes([0, 0, 0, 63, 63])


def hook(operation, rect=RECT):
    return bytes([operation]) + rect


READY = bytes([ANSWER, 1, 3])
DISPLAY = {
    "questions": READY + hook(GET_OUTPUTS) + hook(GET_EDID) + bytes([ANSWER, 3, 1, ANSWER, 11, 2]),
    "no-edid": bytes([ANSWER, 1, 0]) + hook(GET_EDID) + bytes([ANSWER, 3, 1]),
    "pixels": READY + hook(SCANOUT) + hook(UPDATE) * 3 + bytes([READ_SOME, 255]) * 4,
    "cancelled": READY + hook(SCANOUT) + hook(UPDATE) * 3 + hook(GET_OUTPUTS)
    + bytes([CANCEL, CANCEL, CANCEL, READ_SOME, 255, ANSWER, 3, 1]),
    "dmabuf": READY + hook(SCANOUT_DMABUF) + hook(UPDATE_DMABUF) + bytes([ANSWER, 10, 0])
    + hook(SCANOUT),
    "cursor": READY + hook(CURSOR) + hook(CURSOR, bytes([0, 1, 0, 3, 3]))
    + hook(CURSOR, bytes([0, 2, 0, 3, 3])),
    "hang-up": READY + hook(GET_OUTPUTS) + bytes([SHUT]),
    "wrong": READY + hook(GET_OUTPUTS) + bytes([RAW_ANSWER, 12]) + struct.pack("<III", 3, 4, 9),
}


def main():
    for name, seeds in (("vhost", VHOST), ("display", DISPLAY)):
        folder = pathlib.Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, data in seeds.items():
            (folder / seed).write_bytes(data)


if __name__ == "__main__":
    main()
