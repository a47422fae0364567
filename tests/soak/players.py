#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Front-ends that are processes of their own, so that they can be killed, or be as bad as they like.

Usage: players.py drawing|hostile SOCKET SEED    (until it is killed)
"""

import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "protocol"))

from frontend.ring import NEXT, RingTimeout, WRITE  # noqa: E402
from frontend.vhost_user import HangUp, ProtocolError, Refused, VhostUser  # noqa: E402
from frontend.virtio_gpu import Cmd  # noqa: E402
from frontend.vm import Vm  # noqa: E402

SIDE = 256
COMMANDS = 200  # of one hostile connection


def connect(path):
    vm = Vm(VhostUser.connect(path, 20))
    vm.handshake()
    return vm.start()


def draw(path, rng):
    """Frames, cursors and resources that come and go, always with several commands in flight."""
    vm = connect(path)
    resource = vm.gpu.resource(SIDE, SIDE)
    resource.fill(rng.randbytes(4 * SIDE * SIDE))
    resource.show(0)
    while True:
        other = vm.gpu.resource(64, 64)
        area = words(0, 0, SIDE, SIDE)
        chains = [vm.gpu.post(Cmd.TRANSFER_TO_HOST_2D, area + words(0, 0, resource.id, 0)),
                  vm.gpu.post(Cmd.RESOURCE_FLUSH, area + words(resource.id, 0))]
        vm.gpu.move_cursor(0, rng.randrange(SIDE), rng.randrange(SIDE))
        for chain in chains:
            assert vm.gpu.result(chain).ok
        assert vm.gpu.unref(other.id).ok
        for gpa, length in other.entries:
            vm.memory.free(gpa, length)
        vm.display.forget()


def words(*values):
    return b"".join(value.to_bytes(4, "little") for value in values)


def random_command(vm, rng):
    """A number that may mean a command, and bytes that may be its arguments."""
    cmd = rng.choice([*Cmd, rng.randrange(1 << 32)])
    small = [rng.choice([0, 1, 2, 3, 64, 0xFFFFFFFF, rng.randrange(1 << 32)]) for _ in range(16)]
    body = words(*small)[:rng.randrange(65)]
    vm.gpu.post(cmd if cmd < 0x300 or cmd > 0x301 else Cmd.GET_EDID, body,
                room=rng.choice([None, 0, 16, 1024]), flags=rng.randrange(4),
                ctx_id=rng.randrange(3), ring_idx=rng.randrange(3))


def loop_ring(vm, rng):
    """A chain that leads back to itself, or nowhere."""
    ring = vm.rings[0]
    address = vm.memory.alloc(64)
    where = rng.choice([address, 0x7FFFFFFF0000, (1 << 64) - 16])
    for slot in range(2):
        ring.write_desc(slot, where, rng.choice([0, 24, 0xFFFFFFFF]),
                        NEXT | rng.choice([0, WRITE]), 1 - slot)
    ring.publish_raw(rng.choice([0, 0, 0xFFFF]), rng.choice([1, 1, 0x4000]))
    vm.user.get_features()


def harass(path, rng):
    """One connection: commands, then a ring that loops, then one more start or none."""
    vm = connect(path)
    try:
        for _ in range(rng.randrange(COMMANDS)):
            random_command(vm, rng)
            if vm.rings[0].free_slots < 8:
                break
        loop_ring(vm, rng)
        if rng.random() < 0.5:
            vm.reset()
    finally:
        vm.close()


def main():
    what, path, seed = sys.argv[1:]
    rng = random.Random(int(seed))
    print("ready", flush=True)
    if what == "drawing":
        draw(path, rng)
    while True:
        try:
            harass(path, rng)
        except (OSError, RingTimeout, AssertionError, HangUp, ProtocolError, Refused) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
