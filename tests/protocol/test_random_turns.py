# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Long work in any order, and whatever the front-end does in the middle of it.

The device may refuse any of the commands. It answers each, and it is alive in the end.
"""

import random
import struct

import pytest

from frontend.memory import MIB, GuestMemory
from frontend.display import Display
from frontend.virtio_gpu import MEM_ENTRY, PAGE, Cmd, rect

STEPS = 60
SIDE = 4096
LEN = 4 * SIDE * SIDE
MOST_ENTRIES = 1 << 20
STREAM_LEN = 4 * MIB
CTX = 1
IMAGES, TEXTURES, SMALL, BLOB = (1, 2), (3, 4), 11, 12
STRIDE = 4 * SIDE
BOX = (0, 0, 0, SIDE, SIDE, 1)


class Guest:
    """Posts commands that take long, and short ones that they need."""

    def __init__(self, vm, pages, rng):
        self.vm, self.rng = vm, rng
        self.few = MEM_ENTRY.pack(pages, LEN, 0)
        self.many = MEM_ENTRY.pack(pages, PAGE, 0) * (LEN // PAGE)
        self.most = MEM_ENTRY.pack(pages, PAGE, 0) * MOST_ENTRIES
        self.all = [
            lambda: self.create_image(rng.choice(IMAGES)),
            lambda: self.create_texture(rng.choice(TEXTURES)),
            lambda: [self.post(Cmd.RESOURCE_CREATE_2D, "=IIII", SMALL, 2, 64, 64)],
            lambda: [self.attach(SMALL, self.most)],
            lambda: [self.post(Cmd.RESOURCE_DETACH_BACKING, "=II", SMALL, 0)],
            self.create_blob,
            lambda: [self.post(Cmd.RESOURCE_UNREF, "=II", self.any(), 0)],
            lambda: [self.post(Cmd.RESOURCE_FLUSH, "=6I", *BOX[:2], SIDE, SIDE, self.any(), 0)],
            lambda: [self.post(Cmd.SET_SCANOUT, "=6I", 0, 0, SIDE, SIDE, rng.randrange(6), self.any())],
            lambda: [self.post(Cmd.SET_SCANOUT, "=6I", 0, 0, 0, 0, rng.randrange(6), 0)],
            lambda: [self.transfer(rng.choice(IMAGES))],
            lambda: [self.transfer_3d(Cmd.TRANSFER_TO_HOST_3D)],
            lambda: [self.transfer_3d(Cmd.TRANSFER_FROM_HOST_3D)],
            lambda: [self.post(Cmd.CTX_CREATE, "=II64s", 1, 0, b"x", ctx_id=CTX)],
            lambda: [self.post(Cmd.CTX_DESTROY, "=", ctx_id=CTX)],
            lambda: [self.post(Cmd.CTX_ATTACH_RESOURCE, "=II", self.any(), 0, ctx_id=CTX)],
            lambda: [self.post(Cmd.CTX_DETACH_RESOURCE, "=II", self.any(), 0, ctx_id=CTX)],
            lambda: [self.post(Cmd.SUBMIT_3D, "=II", STREAM_LEN, 0, tail=bytes(STREAM_LEN), ctx_id=CTX)],
        ]

    def any(self):
        return self.rng.choice((*IMAGES, *TEXTURES, SMALL, BLOB))

    def post(self, cmd, layout, *values, tail=b"", ctx_id=0):
        body = struct.pack(layout, *values) + tail
        return self.vm.gpu.post(cmd, body, ctx_id=ctx_id, kick=False)

    def attach(self, number, entries):
        count = len(entries) // MEM_ENTRY.size
        return self.post(Cmd.RESOURCE_ATTACH_BACKING, "=II", number, count, tail=entries)

    def create_image(self, number):
        return [self.post(Cmd.RESOURCE_CREATE_2D, "=IIII", number, 2, SIDE, SIDE),
                self.attach(number, self.few), self.transfer(number)]

    def create_texture(self, number):
        return [self.post(Cmd.RESOURCE_CREATE_3D, "=12I", number, 2, 2, 10, SIDE, SIDE, 1, 1, 0, 0, 0, 0),
                self.attach(number, self.many)]

    def create_blob(self):
        return [self.post(Cmd.RESOURCE_CREATE_BLOB, "=IIIIQQ", BLOB, 1, 2, MOST_ENTRIES, 0,
                          MOST_ENTRIES * PAGE, tail=self.most)]

    def transfer(self, number):
        body = rect(0, 0, SIDE, SIDE) + struct.pack("=QII", 0, number, 0)
        return self.vm.gpu.post(Cmd.TRANSFER_TO_HOST_2D, body, kick=False)

    def transfer_3d(self, cmd):
        number = self.rng.choice((*IMAGES, *TEXTURES))
        return self.post(cmd, "=6IQIIII", *BOX, 0, number, 0, STRIDE, 0)

    def some(self):
        return [chain for _ in range(self.rng.randrange(1, 6)) for chain in self.rng.choice(self.all)()]


class FrontEnd:
    """What a VMM does at any time."""

    def __init__(self, vm, region, rng):
        self.vm, self.region, self.rng = vm, region, rng
        self.has_region = True
        self.all = [self.restart, self.restart, self.set_table, self.toggle_region, self.toggle_region,
                    self.new_display, lambda: vm.display.close(), vm.user.get_features,
                    lambda: vm.gpu.move_cursor(0, 1, 1), lambda: vm.gpu.update_cursor(0, IMAGES[0])]

    def restart(self):
        for index, base in enumerate(self.vm.stop()):
            self.vm.start_ring(index, base)

    def set_table(self):
        self.vm.user.set_mem_table(self.vm.memory.regions)
        self.has_region = True

    def toggle_region(self):
        if self.has_region:
            self.vm.user.rem_mem_reg(self.region)
        else:
            self.vm.user.add_mem_reg(self.region)
        self.has_region = not self.has_region

    def new_display(self):
        old, self.vm.display = self.vm.display, Display()
        self.vm.displays.append(self.vm.display)
        self.vm.display.give(self.vm.user)
        if self.rng.random() < 0.5:
            old.close()

    def reset(self):
        self.vm.reset()
        self.has_region = True

    def some(self):
        for _ in range(self.rng.randrange(4)):
            for _ in range(self.rng.randrange(3)):
                self.vm.user.get_features()
            self.rng.choice(self.all)()


@pytest.mark.parametrize("seed", range(3))
def test_anything(start_vm, mode, seed):
    rng = random.Random(seed)
    memory = GuestMemory((160 * MIB, LEN))
    vm = start_vm(mode, "--poll-us", "0", memory=memory, indirect=True)
    guest = Guest(vm, memory.alloc(LEN, PAGE, region=1), rng)
    front_end = FrontEnd(vm, memory.regions[1], rng)
    for _ in range(STEPS):
        chains = guest.some()
        vm.rings[0].submit(*chains)
        front_end.some()
        if rng.random() < 0.1:
            front_end.reset()
            continue
        for chain in chains:
            vm.gpu.result(chain)
    assert vm.alive()
