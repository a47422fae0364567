# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Every 2D command in every mode: its success, and each error with the code of the specification
(where that leaves it open, the code that QEMU's in-process device answers)."""

import struct

import pytest

from frontend.checks import (HUGE, NO_MEMORY, NO_RESOURCE, NO_SCANOUT, OK, PARAMETER, UNSPEC)
from frontend.display import edid_answer
from frontend.memory import DEFAULT_GPA, MIB
from frontend.pixels import FORMATS
from frontend.virtio_gpu import Cmd, Resp, require


@pytest.fixture
def vm(start_vm, mode):
    return start_vm(mode)


@pytest.fixture
def gpu(vm):
    return vm.gpu


def test_get_display_info(vm, gpu, check):
    vm.display.modes = [(1024, 768), None, (640, 480)]
    response = require(gpu.get_display_info(), Resp.OK_DISPLAY_INFO)
    assert response.used_len == 24 + 16 * 24
    modes = list(struct.iter_unpack("=6I", response.body))
    assert modes[0] == (0, 0, 1024, 768, 1, 0)
    assert modes[2] == (0, 0, 640, 480, 1, 0)
    assert not any(mode[4] for i, mode in enumerate(modes) if i not in (0, 2))
    check.done(vm)


def test_get_edid(vm, gpu, check):
    for scanout in (0, 3, 15):
        response = require(gpu.get_edid(scanout), Resp.OK_EDID)
        assert response.used_len == 24 + 8 + 1024
        assert response.body == edid_answer(scanout)[24:]
    for scanout in (16, HUGE):
        check(f"scanout {scanout}", gpu.get_edid(scanout), PARAMETER, NO_SCANOUT)
    check.done(vm)


def test_create_2d(vm, gpu, check):
    for fmt in FORMATS:
        check(f"format {fmt}", gpu.create_2d(fmt, fmt, 64, 64), OK)
    check("largest id", gpu.create_2d(HUGE, 1, 64, 64), OK)
    check("id 0", gpu.create_2d(0, 1, 64, 64), NO_RESOURCE)
    check("id twice", gpu.create_2d(1, 1, 64, 64), NO_RESOURCE)
    for fmt in (0, 5, 66, 120, 135, 255, HUGE):
        check(f"format {fmt}", gpu.create_2d(500, fmt, 64, 64), PARAMETER)
    for w, h in ((0, 64), (64, 0), (0, 0)):
        check(f"{w}x{h}", gpu.create_2d(500, 1, w, h), PARAMETER)
    for w, h in ((HUGE, HUGE), (HUGE, 1), (1, HUGE), (65536, 65536), (0x40000000, 4),
                 (0x80000000, 0x80000000)):
        check(f"{w}x{h}", gpu.create_2d(500, 1, w, h), NO_MEMORY, PARAMETER)
    check("nothing was left behind", gpu.create_2d(500, 1, 64, 64), OK)
    check.done(vm)


def test_unref(vm, gpu, check):
    for _ in range(3):
        require(gpu.create_2d(7, 1, 64, 64))
        check("unref", gpu.unref(7), OK)
        check("unref twice", gpu.unref(7), NO_RESOURCE)
    for resource in (0, 8, HUGE):
        check(f"id {resource}", gpu.unref(resource), NO_RESOURCE)
    check.done(vm)


def test_set_scanout(vm, gpu, check):
    require(gpu.create_2d(1, 2, 100, 80))
    for area in ((0, 0, 100, 80), (36, 16, 64, 64), (84, 64, 16, 16)):
        check(f"area {area}", gpu.set_scanout(0, 1, *area), OK)
    for scanout in (16, 17, HUGE):
        check(f"scanout {scanout}", gpu.set_scanout(scanout, 1, 0, 0, 100, 80), NO_SCANOUT)
        check(f"scanout {scanout} off", gpu.set_scanout(scanout, 0, 0, 0, 0, 0), NO_SCANOUT)
    for resource in (2, HUGE):
        check(f"resource {resource}", gpu.set_scanout(0, resource, 0, 0, 16, 16), NO_RESOURCE)
    for area in BAD_RECTS:
        check(f"area {area}", gpu.set_scanout(0, 1, *area), PARAMETER)
    check("off", gpu.set_scanout(0, 0, 0, 0, 0, 0), OK)
    check("off again, with a rectangle", gpu.set_scanout(0, 0, 5, 5, 1000, 1000), OK)
    check.done(vm)


# Not inside of 100x80; sums that overflow 32 bits among them.
BAD_RECTS = [(0, 0, 101, 80), (0, 0, 100, 81), (100, 0, 16, 80), (0, 80, 100, 16),
             (90, 0, 20, 80), (HUGE, 0, 2, 80), (0, HUGE, 100, 2), (1, 0, HUGE, 80),
             (0, 1, 100, HUGE), (HUGE, HUGE, HUGE, HUGE), (0x80000000, 0, 0x80000000, 80)]


def test_flush(vm, gpu, check):
    resource = gpu.resource(100, 80)
    check("not shown anywhere", gpu.flush(resource.id, 0, 0, 100, 80), OK)
    resource.show(0)
    check("all", gpu.flush(resource.id, 0, 0, 100, 80), OK)
    check("one pixel", gpu.flush(resource.id, 99, 79, 1, 1), OK)
    for number in (0, 77, HUGE):
        check(f"resource {number}", gpu.flush(number, 0, 0, 16, 16), NO_RESOURCE)
    for area in BAD_RECTS:
        check(f"area {area}", gpu.flush(resource.id, *area), PARAMETER)
    check.done(vm)


def test_transfer(vm, gpu, check):
    resource = gpu.resource(100, 80)
    check("all", gpu.transfer_2d(resource.id, 0, 0, 100, 80), OK)
    check("last pixel", gpu.transfer_2d(resource.id, 99, 79, 1, 1, 4 * (79 * 100 + 99)), OK)
    for number in (0, 77, HUGE):
        check(f"resource {number}", gpu.transfer_2d(number, 0, 0, 1, 1), NO_RESOURCE)
    for area in BAD_RECTS:
        check(f"area {area}", gpu.transfer_2d(resource.id, *area), PARAMETER)
    for offset in (4 * 100 * 80, 2**63, 2**64 - 4, 2**64 - 1, 4 * 100 * 80 - 3):
        check(f"offset {offset}", gpu.transfer_2d(resource.id, 0, 0, 1, 1, offset), PARAMETER,
              UNSPEC)
    check.done(vm)


def test_transfer_without_enough_backing(vm, gpu, check):
    """QEMU copies what there is; an error is as good. Nothing beyond the backing is read."""
    require(gpu.create_2d(1, 2, 100, 80))
    check("no backing", gpu.transfer_2d(1, 0, 0, 100, 80), UNSPEC, PARAMETER)
    require(gpu.attach_backing(1, gpu.backing(1000)))
    check("short backing", gpu.transfer_2d(1, 0, 0, 100, 80), OK, UNSPEC, PARAMETER)
    check("what there is", gpu.transfer_2d(1, 0, 0, 100, 2), OK)
    check("behind it", gpu.transfer_2d(1, 0, 70, 100, 1, 28000), OK, UNSPEC, PARAMETER)
    require(gpu.detach_backing(1))
    check("detached", gpu.transfer_2d(1, 0, 0, 100, 2), UNSPEC, PARAMETER)
    check.done(vm)


def test_attach_backing(vm, gpu, check):
    require(gpu.create_2d(1, 2, 64, 64))
    good = gpu.backing(16384, (4096,))
    for number in (0, 77, HUGE):
        check(f"resource {number}", gpu.attach_backing(number, good), NO_RESOURCE)
    top = DEFAULT_GPA + 64 * MIB
    outside = {"nowhere": (1 << 46, 4096), "null": (0, 4096), "over the end": (top - 4095, 4096),
               "behind the end": (top, 4096), "before the start": (DEFAULT_GPA - 1, 4096),
               "overflow": (2**64 - 4096, 8192), "4 GiB": (DEFAULT_GPA, HUGE)}
    for name, entry in outside.items():
        check(name, gpu.attach_backing(1, [entry]), UNSPEC, PARAMETER)
        check(name + ", last", gpu.attach_backing(1, good + [entry]), UNSPEC, PARAMETER)
    check("good", gpu.attach_backing(1, good), OK)
    check("twice", gpu.attach_backing(1, good), UNSPEC)
    check("detach", gpu.detach_backing(1), OK)
    check("again", gpu.attach_backing(1, good), OK)
    check.done(vm)


def test_attach_backing_with_wrong_counts(vm, gpu, check):
    """Entries that the command does not carry; 2^30 of them would be 16 GiB."""
    require(gpu.create_2d(1, 2, 64, 64))
    entries = gpu.backing(16384, (4096,))
    for count in (5, 1000, 16384, 1 << 20, 1 << 28, 1 << 30, 1 << 31, HUGE):
        check(f"{count} entries", gpu.attach_backing(1, entries, count), UNSPEC, PARAMETER,
              NO_MEMORY)
    check("fewer than sent", gpu.attach_backing(1, entries, 4 - 1), OK)
    require(gpu.detach_backing(1))
    check("entries of length 0", gpu.attach_backing(1, [(entries[0][0], 0)] + entries), OK, UNSPEC,
          PARAMETER)
    check.done(vm)


def test_attach_backing_of_many_entries(vm, gpu, check):
    """16384 entries are what QEMU allows; drivers rely on it."""
    require(gpu.create_2d(1, 2, 64, 64))
    entries = [(DEFAULT_GPA + MIB + 64 * i, 1) for i in range(16384)]
    check("16384 entries", gpu.attach_backing(1, entries), OK)
    check.done(vm)


def test_detach_backing(vm, gpu, check):
    require(gpu.create_2d(1, 2, 64, 64))
    for number in (0, 77, HUGE):
        check(f"resource {number}", gpu.detach_backing(number), NO_RESOURCE)
    check("nothing attached", gpu.detach_backing(1), UNSPEC, PARAMETER, OK)
    check.done(vm)


def test_assign_uuid(vm, gpu, check):
    for number in (1, 2):
        require(gpu.create_2d(number, 2, 64, 64))
    first, again, second = (require(gpu.assign_uuid(n), Resp.OK_RESOURCE_UUID) for n in (1, 1, 2))
    assert first.used_len == 24 + 16
    assert first.body == again.body and any(first.body)
    assert first.body != second.body
    for number in (0, 77, HUGE):
        check(f"resource {number}", gpu.assign_uuid(number), NO_RESOURCE)
    check.done(vm)


def test_unknown_commands(vm, gpu, check):
    known = set(Cmd)
    for number in (0, 1, 0xFF, *range(0x100, 0x110), *range(0x200, 0x210), *range(0x302, 0x305),
                   0x1100, 0x1200, 0x7FFFFFFF, HUGE):
        if number not in known:
            check(f"command {number:#x}", gpu.command(number, bytes(64)), UNSPEC)
    check.done(vm)


def test_short_requests(vm, gpu, check):
    """Each command without its last byte, and with its header only."""
    sizes = {Cmd.RESOURCE_CREATE_2D: 16, Cmd.RESOURCE_UNREF: 8, Cmd.SET_SCANOUT: 24,
             Cmd.RESOURCE_FLUSH: 24, Cmd.TRANSFER_TO_HOST_2D: 32, Cmd.RESOURCE_ATTACH_BACKING: 8,
             Cmd.RESOURCE_DETACH_BACKING: 8, Cmd.GET_EDID: 8, Cmd.RESOURCE_ASSIGN_UUID: 8}
    for cmd, size in sizes.items():
        for length in (0, 4, size - 1):
            check(f"{cmd.name} with {length} of {size} bytes",
                  gpu.command(cmd, bytes(length), room=1100), UNSPEC, PARAMETER)
    check.done(vm)


def test_surplus_bytes_are_ignored(vm, gpu, check):
    check("create", gpu.command(Cmd.RESOURCE_CREATE_2D, struct.pack("=IIII", 1, 1, 16, 16)
                                + bytes(1000)), OK)
    check("unref", gpu.command(Cmd.RESOURCE_UNREF, struct.pack("=II", 1, 0) + bytes(3)), OK)
    check.done(vm)


def test_many_resources(vm, gpu, check):
    """Thousands of resources, removed in another order, and all ids free again."""
    for number in range(1, 2001):
        check(f"create {number}", gpu.create_2d(number, 1, 16, 16), OK)
    for number in [*range(2, 2001, 2), *range(1, 2001, 2)]:
        check(f"unref {number}", gpu.unref(number), OK)
    check.done(vm)


def test_host_memory_limit(start_vm, check):
    """--max-hostmem bounds what one guest takes; what is freed can be used again."""
    vm = start_vm("2d", "--max-hostmem", "16M")
    for _ in range(3):
        made = []
        for number in range(1, 20):
            response = vm.gpu.create_2d(number, 1, 512, 1024)
            if not response.ok:
                check("over the limit", response, NO_MEMORY)
                break
            made.append(number)
        assert 4 <= len(made) <= 8, f"{len(made)} images of 2 MiB in 16 MiB"
        for number in made:
            check("unref", vm.gpu.unref(number), OK)
    check.done(vm)
