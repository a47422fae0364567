#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Writes the seeds of fuzz-virtq: rings of both layouts that a driver could have written, and steps of
the device over them, from which the fuzzer goes astray.

Usage: make-virtq-corpus.py FOLDER    (makes FOLDER/virtq)
"""
import pathlib
import struct
import sys

SIZE = 8
AVAIL_AT, USED_AT, TABLE_AT, IMAGE_LEN = 0x100, 0x140, 0x200, 0x3FC
DATA_AT, SECOND_REGION = 0x400, 0x4000
NEXT, WRITE, INDIRECT, AVAIL, USED = 1, 2, 4, 0x80, 0x8000
PACKED, EVENT_IDX, NO_INDIRECT = 1, 2, 4  # of the first byte
WRAPPED = 0x80008000  # where a packed ring starts

POP, PUSH, COPY, NOTIFY, KICKS_ON, KICKS_OFF, POKE, TOGGLE, RESTART = 0, 2, 3, 4, 5, 6, 7, 8, 9


def seed(choice, image, steps, base=0, size=SIZE):
    image += bytes(IMAGE_LEN - len(image))
    return bytes([choice, size - 1]) + struct.pack("<I", base) + bytes([IMAGE_LEN // 4]) + image + steps


def place(parts):
    image = bytearray(IMAGE_LEN)
    for at, data in parts.items():
        image[at:at + len(data)] = data
    return bytes(image)


def desc(addr, length, flags=0, following=0):
    return struct.pack("<QIHH", addr, length, flags, following)


def packed_desc(addr, length, number, flags=0, wrap=True):
    return struct.pack("<QIHH", addr, length, number, flags | (AVAIL if wrap else USED))


def split(descs, heads, event=0, table=b""):
    avail = struct.pack(f"<HH{SIZE}HH", 0, len(heads), *heads, *[0] * (SIZE - len(heads)), event)
    return place({0: b"".join(descs), AVAIL_AT: avail, TABLE_AT: table})


def packed(descs, event=(0, 0), table=b""):
    return place({0: b"".join(descs), AVAIL_AT: struct.pack("<HH", *event), TABLE_AT: table})


def step(number, *values):
    return bytes([number, *values])


COPY_ALL = step(COPY, 0, 0, 0)
SERVE = step(POP) + COPY_ALL + step(PUSH, 0, 16, 0) + step(NOTIFY)


def poke(at, value):
    return step(POKE, at & 0xFF, at >> 8, value)


CHAIN = [desc(DATA_AT, 64, NEXT, 1), desc(DATA_AT + 64, 64, NEXT | WRITE, 2),
         desc(SECOND_REGION - 16, 64, WRITE)]
TABLE = b"".join([desc(DATA_AT, 64, NEXT, 1), desc(DATA_AT + 64, 32, WRITE)])
PACKED_CHAIN = [packed_desc(DATA_AT, 64, 0, NEXT), packed_desc(DATA_AT + 64, 64, 7, WRITE),
                packed_desc(SECOND_REGION - 16, 64, 3, WRITE)]
PACKED_TABLE = b"".join([desc(DATA_AT, 64), desc(DATA_AT + 64, 32, WRITE)])

SEEDS = {
    "split": seed(0, split(CHAIN, [0]), step(KICKS_OFF) + SERVE + step(KICKS_ON) + step(POP)),
    "split-two": seed(0, split(CHAIN + [desc(DATA_AT, 8)], [0, 3]),
                      step(POP) * 2 + step(PUSH, 1, 0, 0) + step(PUSH, 0, 8, 0) + step(NOTIFY)),
    "split-event-idx": seed(EVENT_IDX, split(CHAIN, [0, 0, 0], event=1),
                            step(KICKS_ON) + SERVE * 3 + step(KICKS_OFF)),
    "split-indirect": seed(0, split([desc(TABLE_AT, len(TABLE), INDIRECT)], [0, 0], table=TABLE), SERVE * 2),
    "split-indirect-refused": seed(
        NO_INDIRECT, split([desc(TABLE_AT, len(TABLE), INDIRECT)], [0], table=TABLE), step(POP)),
    "split-indirect-twice": seed(0, split([desc(TABLE_AT, 16, INDIRECT)], [0],
                                          table=desc(TABLE_AT, 16, INDIRECT)), step(POP)),
    "split-indirect-odd": seed(0, split([desc(TABLE_AT, 17, INDIRECT)], [0]), step(POP)),
    "split-indirect-next": seed(0, split([desc(TABLE_AT, 16, INDIRECT | NEXT, 1)], [0]), step(POP)),
    "split-loop": seed(0, split([desc(DATA_AT, 0, NEXT, 0)], [0]), step(POP) + step(RESTART, 0, 7, 0, 0, 0, 0)),
    "split-backwards": seed(0, split([desc(DATA_AT, 8, WRITE | NEXT, 1), desc(DATA_AT, 8)], [0]), step(POP)),
    "split-outside": seed(0, split([desc(1 << 40, 8)], [0]), step(POP)),
    "split-4g": seed(0, split([desc(0, 0xFFFFFFFF, NEXT, 0)], [0]), step(POP)),
    "split-head": seed(0, split(CHAIN, [99]), step(POP)),
    "split-jump": seed(0, split(CHAIN, [0]), poke(AVAIL_AT + 3, 0x40) + step(POP)),
    "split-base": seed(0, split(CHAIN, [0]), poke(AVAIL_AT + 2, 0) + poke(AVAIL_AT + 3, 0) + SERVE, base=0xFFFF),
    "split-odd-size": seed(0, split(CHAIN, [0]), step(POP), size=7),
    "split-memory-goes": seed(0, split(CHAIN, [0]), step(POP) + step(TOGGLE) + COPY_ALL
                              + step(COPY, 100, 0, 0) + step(TOGGLE) + COPY_ALL + step(PUSH, 0, 1, 0)),
    "packed": seed(PACKED, packed(PACKED_CHAIN), step(KICKS_OFF) + SERVE * 2 + step(KICKS_ON), WRAPPED),
    "packed-event-idx": seed(PACKED | EVENT_IDX, packed(PACKED_CHAIN, (0x8001, 2)),
                             step(KICKS_ON) + SERVE * 2, WRAPPED),
    "packed-disabled": seed(PACKED, packed(PACKED_CHAIN, (0, 1)), SERVE * 2, WRAPPED),
    "packed-wraps": seed(PACKED, packed(
        [packed_desc(DATA_AT, 8, i) for i in range(SIZE)]),
        SERVE * SIZE + b"".join(poke(i * 16 + 14, 0) + poke(i * 16 + 15, 0x80) for i in range(2))
        + SERVE * 2, WRAPPED),
    "packed-indirect": seed(PACKED, packed([packed_desc(TABLE_AT, len(PACKED_TABLE), 5, INDIRECT)],
                                           table=PACKED_TABLE), SERVE, WRAPPED),
    "packed-indirect-twice": seed(PACKED, packed([packed_desc(TABLE_AT, 16, 5, INDIRECT)],
                                                 table=desc(TABLE_AT, 16, INDIRECT)), SERVE, WRAPPED),
    "packed-indirect-refused": seed(PACKED | NO_INDIRECT, packed(
        [packed_desc(TABLE_AT, 16, 5, INDIRECT)]), SERVE, WRAPPED),
    "packed-endless": seed(PACKED, packed([packed_desc(DATA_AT, 8, i, NEXT) for i in range(SIZE)]),
                           step(POP), WRAPPED),
    "packed-other-wrap": seed(PACKED, packed([packed_desc(DATA_AT, 8, 1, 0, False)]), SERVE, 0x8000),
    "packed-out-of-order": seed(PACKED, packed(PACKED_CHAIN + [packed_desc(DATA_AT, 8, 9)]),
                                step(POP) * 3 + step(PUSH, 1, 1, 0) + step(PUSH, 0, 1, 0) + step(NOTIFY)
                                + step(RESTART, 1, 7, 4, 0x80, 4, 0x80), WRAPPED),
    "packed-base": seed(PACKED, packed(PACKED_CHAIN), step(POP), 0x00ff00ff),
}


def main():
    folder = pathlib.Path(sys.argv[1]) / "virtq"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / name).write_bytes(data)


main()
