# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""RESOURCE_CREATE_BLOB, and what other commands make of a blob."""

import struct

import pytest

from frontend.blob import (CROSS_DEVICE, GUEST, HOST3D, HOST3D_GUEST, MAPPABLE, SHAREABLE,
                           GuestBlob, HostBlob)
from frontend.checks import (HUGE, NO_CONTEXT, NO_MEMORY, NO_RESOURCE, OK, PARAMETER, UNSPEC)
from frontend.display import Kind
from frontend.memory import DEFAULT_GPA, MIB
from frontend.pixels import random_bytes
from frontend.virtio_gpu import PAGE, Cmd, Resp, rect, require

CTX = 1
SIZE = 4 * PAGE


@pytest.fixture
def vm(start_vm, mode):
    return start_vm(mode)


@pytest.fixture
def gpu(vm):
    return vm.gpu


@pytest.fixture
def host_vm(start_vm):
    """A mode that has host blobs of its own, and a context."""
    vm = start_vm("null")
    require(vm.gpu.ctx_create(CTX))
    return vm


def pages(gpu, count=4):
    return gpu.backing(count * PAGE, (PAGE,))


def test_guest_blob(vm, gpu, check):
    for number, flags in enumerate(range(8), 1):
        check(f"flags {flags}", gpu.create_blob(number, GUEST, flags, 0, SIZE, pages(gpu)), OK)
    check("largest id", gpu.create_blob(HUGE, GUEST, 0, 0, SIZE, pages(gpu)), OK)
    check("blob_id means nothing", gpu.create_blob(20, GUEST, 0, 2**64 - 1, SIZE, pages(gpu)), OK)
    check("more pages than bytes", gpu.create_blob(21, GUEST, 0, 0, PAGE, pages(gpu)), OK)
    check("no whole pages", gpu.create_blob(22, GUEST, 0, 0, 4999, gpu.backing(5000, (7, 999))), OK)
    check("some context", gpu.create_blob(23, GUEST, 0, 0, SIZE, pages(gpu), ctx_id=77), OK)
    for number in (*range(1, 9), HUGE, 20, 21, 22, 23):
        check(f"unref {number}", gpu.unref(number), OK)
    check.done(vm)


def test_errors(vm, gpu, check):
    good = pages(gpu)
    for mem in (0, 4, 5, 0x80000001, HUGE):
        check(f"memory {mem}", gpu.create_blob(1, mem, 0, 0, SIZE, good), PARAMETER)
    for flags in (8, 16, 1 << 31, HUGE):
        check(f"flags {flags:#x}", gpu.create_blob(1, GUEST, flags, 0, SIZE, good), PARAMETER)
    for size in (0, SIZE + 1, 2**32, 2**63, 2**64 - 1):
        check(f"size {size}", gpu.create_blob(1, GUEST, 0, 0, size, good), PARAMETER)
    check("no pages", gpu.create_blob(1, GUEST, 0, 0, SIZE), PARAMETER)
    check("id 0", gpu.create_blob(0, GUEST, 0, 0, SIZE, good), NO_RESOURCE)
    require(gpu.create_blob(1, GUEST, 0, 0, SIZE, good))
    check("id twice", gpu.create_blob(1, GUEST, 0, 0, SIZE, good), NO_RESOURCE)
    check("id of a blob", gpu.create_2d(1, 1, 16, 16), NO_RESOURCE)
    require(gpu.create_2d(2, 1, 16, 16))
    check("id of an image", gpu.create_blob(2, GUEST, 0, 0, SIZE, good), NO_RESOURCE)
    check.done(vm)


def test_lists_that_lie(vm, gpu, check):
    good, top = pages(gpu), DEFAULT_GPA + 64 * MIB
    for count in (5, 1000, 1 << 20, 1 << 28, 1 << 30, 1 << 31, HUGE):
        check(f"{count} entries", gpu.create_blob(1, GUEST, 0, 0, SIZE, good, count), PARAMETER,
              NO_MEMORY)
    check("one entry less", gpu.create_blob(1, GUEST, 0, 0, SIZE, good, 3), PARAMETER)
    outside = {"nowhere": (1 << 46, PAGE), "null": (0, PAGE), "over the end": (top - 1, PAGE),
               "before the start": (DEFAULT_GPA - 1, PAGE), "overflow": (2**64 - PAGE, 2 * PAGE),
               "4 GiB": (DEFAULT_GPA, HUGE), "length 0": (good[0][0], 0)}
    for name, entry in outside.items():
        for entries in ([entry], good + [entry], [entry] + good):
            check(f"{name} among {len(entries)}",
                  gpu.create_blob(1, GUEST, 0, 0, PAGE, entries), PARAMETER)
    check("id is free", gpu.create_blob(1, GUEST, 0, 0, SIZE, good), OK)
    check.done(vm)


def test_request_that_is_cut_off(vm, gpu, check):
    body = struct.pack("=IIIIQQ", 1, GUEST, 0, 0, 0, SIZE)
    for length in (0, 8, len(body) - 1):
        check(f"create, {length} bytes", gpu.command(Cmd.RESOURCE_CREATE_BLOB, body[:length]),
              PARAMETER, UNSPEC)
        check(f"scanout, {length} bytes", gpu.command(Cmd.SET_SCANOUT_BLOB, bytes(length)),
              PARAMETER, UNSPEC)
    for length in (0, 8, 15):
        check(f"map, {length} bytes", gpu.command(Cmd.RESOURCE_MAP_BLOB, bytes(length), room=8),
              PARAMETER, UNSPEC)
    for length in (0, 7):
        check(f"unmap, {length} bytes", gpu.command(Cmd.RESOURCE_UNMAP_BLOB, bytes(length)),
              PARAMETER, UNSPEC)
    check.done(vm)


def test_mode_without_host_blobs(start_vm, check):
    vm = start_vm("2d")
    for mem in (HOST3D, HOST3D_GUEST):
        check(f"memory {mem}", vm.gpu.create_blob(1, mem, MAPPABLE, 0, SIZE), PARAMETER, UNSPEC)
        check(f"memory {mem}, pages",
              vm.gpu.create_blob(1, mem, MAPPABLE, 0, SIZE, pages(vm.gpu)), PARAMETER, UNSPEC)
    check.done(vm)


def test_host_blob(host_vm, check):
    gpu = host_vm.gpu
    for flags in range(8):
        check(f"flags {flags}", gpu.create_blob(1 + flags, HOST3D, flags, 0, 5000, ctx_id=CTX), OK)
        check(f"flags {flags}, pages", gpu.create_blob(11 + flags, HOST3D_GUEST, flags, 0, SIZE,
                                                       pages(gpu), ctx_id=CTX), OK)
    for mem in (HOST3D, HOST3D_GUEST):
        entries = pages(gpu) if mem == HOST3D_GUEST else ()
        for ctx in (0, 2, HUGE):
            check(f"context {ctx}", gpu.create_blob(30, mem, 0, 0, SIZE, entries, ctx_id=ctx),
                  NO_CONTEXT)
        check("flags", gpu.create_blob(30, mem, 8, 0, SIZE, entries, ctx_id=CTX), PARAMETER)
        check("size 0", gpu.create_blob(30, mem, 0, 0, 0, entries, ctx_id=CTX), PARAMETER)
    check("pages for host memory", gpu.create_blob(30, HOST3D, 0, 0, SIZE, pages(gpu), ctx_id=CTX),
          PARAMETER)
    check("a count for host memory", gpu.create_blob(30, HOST3D, 0, 0, SIZE, (), 1, ctx_id=CTX),
          PARAMETER)
    check("no pages", gpu.create_blob(30, HOST3D_GUEST, 0, 0, SIZE, ctx_id=CTX), PARAMETER)
    check("too few", gpu.create_blob(30, HOST3D_GUEST, 0, 0, SIZE + 1, pages(gpu), ctx_id=CTX),
          PARAMETER)
    require(gpu.ctx_destroy(CTX))
    check("context is gone", gpu.create_blob(30, HOST3D, 0, 0, SIZE, ctx_id=CTX), NO_CONTEXT)
    check.done(host_vm)


def test_host_memory_limit(start_vm, check):
    """--max-hostmem bounds what one guest takes; what is freed can be used again."""
    vm = start_vm("null", "--max-hostmem", "16M")
    gpu = vm.gpu
    require(gpu.ctx_create(CTX))
    for size in (16 * MIB + 1, 2**40, 2**63, 2**64 - PAGE, 2**64 - 1):
        check(f"size {size}", gpu.create_blob(1, HOST3D, 0, 0, size, ctx_id=CTX), NO_MEMORY)
    for _ in range(3):
        for number in (1, 2, 3):
            check("5 MiB", gpu.create_blob(number, HOST3D, 0, 0, 5 * MIB, ctx_id=CTX), OK)
        check("20 MiB", gpu.create_blob(4, HOST3D, 0, 0, 5 * MIB, ctx_id=CTX), NO_MEMORY)
        for number in (1, 2, 3):
            check("unref", gpu.unref(number), OK)
    entries = gpu.backing(20 * MIB, (PAGE,))
    check("guest memory is the guest's", gpu.create_blob(1, GUEST, 0, 0, 20 * MIB, entries), OK)
    check.done(vm)


def test_uuid(vm, gpu, check):
    first, second = (GuestBlob(gpu, SIZE, flags=CROSS_DEVICE) for _ in range(2))
    answers = [require(gpu.assign_uuid(blob.id), Resp.OK_RESOURCE_UUID).body
               for blob in (first, first, second)]
    assert answers[0] == answers[1] and any(answers[0]) and answers[0] != answers[2]
    check.done(vm)


def test_backing_is_for_life(vm, gpu, check):
    blob = GuestBlob(gpu, SIZE)
    check("detach", gpu.detach_backing(blob.id), PARAMETER, UNSPEC)
    check("attach", gpu.attach_backing(blob.id, pages(gpu)), PARAMETER, UNSPEC)
    check("unref", gpu.unref(blob.id), OK)
    check.done(vm)


def test_set_scanout_is_not_for_blobs(vm, gpu, check):
    blob = GuestBlob(gpu, SIZE)
    check("set scanout", gpu.set_scanout(0, blob.id, 0, 0, 16, 16), PARAMETER)
    check("flush of what is not shown", gpu.flush(blob.id, 0, 0, 16, 16), OK)
    vm.sync()
    assert not vm.display.of_kind(Kind.SCANOUT, Kind.UPDATE)
    check.done(vm)


def test_transfer_of_a_blob_does_nothing(vm, gpu, check):
    """Linux sends one for each dumb buffer, and those are guest blobs in a device without 3D."""
    blob = GuestBlob(gpu, SIZE)
    data = random_bytes(1, SIZE)
    blob.write(data)
    for area in ((0, 0, 16, 16), (0, 0, HUGE, HUGE), (5, 5, 0, 0)):
        check(f"area {area}", gpu.transfer_2d(blob.id, *area, offset=2**63), OK)
    assert blob.contents() == data
    check.done(vm)


def test_contexts(host_vm, check):
    gpu = host_vm.gpu
    blob = HostBlob(gpu)
    require(gpu.ctx_create(2))
    for ctx in (CTX, 2):
        check(f"attach to {ctx}", gpu.ctx_attach(ctx, blob.id), OK)
        check(f"attach to {ctx} again", gpu.ctx_attach(ctx, blob.id), OK)
    check("detach", gpu.ctx_detach(2, blob.id), OK)
    check("destroy", gpu.ctx_destroy(CTX), OK)
    check("a blob outlives its context", gpu.assign_uuid(blob.id), Resp.OK_RESOURCE_UUID)
    check("unref", gpu.unref(blob.id), OK)
    check.done(host_vm)


def test_cursor(vm, gpu):
    """What Linux uses where its buffers are blobs: 64 x 64 pixels from the blob's start."""
    blob = GuestBlob(gpu, 64 * 64 * 4, gpu.backing(64 * 64 * 4, (5000, 4096, 33)))
    data = random_bytes(3, 64 * 64 * 4)
    blob.write(data)
    assert gpu.update_cursor(0, blob.id, 10, 20, 3, 4, room=0).type == Resp.OK_NODATA
    event = vm.display.wait_event(Kind.CURSOR_UPDATE)
    assert event.values == (0, 10, 20, 3, 4)
    assert event.data == data


def test_blob_too_small_for_a_cursor(vm, gpu, check):
    blob = GuestBlob(gpu, 64 * 64 * 4 - 1)
    check("cursor", gpu.update_cursor(0, blob.id, room=0), PARAMETER)
    check.done(vm)


def test_many_blobs(start_vm, check):
    """Created and removed in another order; nothing is left behind."""
    vm = start_vm("null")
    gpu = vm.gpu
    require(gpu.ctx_create(CTX))
    entries = pages(gpu)
    for turn in range(3):
        for number in range(1, 301):
            host = number % 2
            check("create", gpu.create_blob(number, HOST3D if host else GUEST, SHAREABLE, 0, SIZE,
                                            () if host else entries, ctx_id=CTX), OK)
        for number in (*range(2, 301, 2), *range(1, 301, 2)):
            check(f"unref in turn {turn}", gpu.unref(number), OK)
    check.done(vm)


def test_without_a_shared_memory_region(vm, gpu, check):
    """SHMEM_MAP was not negotiated: nothing can be mapped, all else works."""
    blob = GuestBlob(gpu, SIZE, flags=MAPPABLE)
    check("map", gpu.map_blob(blob.id, 0), UNSPEC, PARAMETER)
    check("unmap", gpu.unmap_blob(blob.id), UNSPEC, PARAMETER)
    check("map of nothing", gpu.map_blob(99, 0), NO_RESOURCE)
    check("scanout of nothing", gpu.command(Cmd.SET_SCANOUT_BLOB, rect(0, 0, 1, 1)
                                            + struct.pack("=II", 0, 99) + bytes(48)), NO_RESOURCE)
    check.done(vm)
