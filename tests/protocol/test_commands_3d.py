# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""3D commands: capability sets, contexts, resources, and every error of theirs."""

import struct

import pytest

from frontend import virgl
from frontend.checks import (HUGE, NO_CONTEXT, NO_MEMORY, NO_RESOURCE, OK, PARAMETER, UNSPEC)
from frontend.virtio_gpu import CAPSET_VIRGL, CAPSET_VIRGL2, Cmd, Resp, require

BOX = (0, 0, 0, 64, 64, 1)


@pytest.fixture
def vm(start_vm):
    return start_vm("virglrenderer")


@pytest.fixture
def gpu(vm):
    return vm.gpu


def test_3d_commands_of_a_2d_device(start_vm, check):
    """Without VIRGL they are unknown commands."""
    vm = start_vm("2d")
    for cmd in (Cmd.GET_CAPSET_INFO, Cmd.GET_CAPSET, Cmd.CTX_CREATE, Cmd.CTX_DESTROY,
                Cmd.CTX_ATTACH_RESOURCE, Cmd.CTX_DETACH_RESOURCE, Cmd.RESOURCE_CREATE_3D,
                Cmd.TRANSFER_TO_HOST_3D, Cmd.TRANSFER_FROM_HOST_3D, Cmd.SUBMIT_3D):
        check(cmd.name, vm.gpu.command(cmd, bytes(72), ctx_id=1, room=16), UNSPEC, PARAMETER)
    check.done(vm)


def capsets(vm):
    """What the device lists, as {id: (version, size)}."""
    count, = struct.unpack_from("=I", vm.user.get_config(16), 12)
    found = {}
    for index in range(count):
        response = require(vm.gpu.get_capset_info(index), Resp.OK_CAPSET_INFO)
        assert response.used_len == 24 + 16
        number, version, size, _ = response.unpack("=4I")
        found[number] = version, size
    assert len(found) == count, "ids are unique"
    return found


def test_capsets(vm, gpu, check):
    found = capsets(vm)
    assert {CAPSET_VIRGL, CAPSET_VIRGL2} <= set(found)
    for number, (version, size) in found.items():
        assert size > 0
        response = require(gpu.get_capset(number, version, size), Resp.OK_CAPSET)
        assert response.used_len == 24 + size
        assert any(response.body)
    for index in (len(found), HUGE):
        response = gpu.get_capset_info(index)
        assert response.type == PARAMETER or response.unpack("=3I") == (0, 0, 0)
    for number in (0, 63, 64, 200, HUGE):
        check(f"capset {number}", gpu.get_capset(number, 0, 1000), PARAMETER)
    check("too new a version", gpu.get_capset(CAPSET_VIRGL2, 1000, 4096), PARAMETER,
          Resp.OK_CAPSET)
    check.done(vm)


@pytest.mark.parametrize("wanted,numbers", [("virgl", {1}), ("virgl2", {2}),
                                            ("virgl,virgl2", {1, 2})])
def test_only_the_capsets_that_were_asked_for(start_vm, wanted, numbers):
    vm = start_vm("virglrenderer", "--capset", wanted)
    assert set(capsets(vm)) == numbers
    for number in {1, 2} - numbers:
        assert vm.gpu.get_capset(number, 1, 4096).type == PARAMETER
        assert not vm.gpu.ctx_create(1, number).ok
    for number in numbers:
        assert vm.gpu.get_capset(number, 1, 4096).type == Resp.OK_CAPSET


def test_contexts(vm, gpu, check):
    for ctx in (1, 2, 1000, HUGE):
        check(f"create {ctx}", gpu.ctx_create(ctx), OK)
    check("0", gpu.ctx_create(0), NO_CONTEXT, PARAMETER)
    check("twice", gpu.ctx_create(1), NO_CONTEXT, PARAMETER)
    check("destroy", gpu.ctx_destroy(1), OK)
    for ctx in (0, 1, 77):
        check(f"destroy {ctx}", gpu.ctx_destroy(ctx), NO_CONTEXT)
    check("again", gpu.ctx_create(1), OK)
    check("name that is too long", gpu.ctx_create(5, nlen=65), OK, PARAMETER)
    check("name without an end", gpu.ctx_create(6, name=b"x" * 64), OK)
    check("huge name length", gpu.ctx_create(7, nlen=HUGE), OK, PARAMETER)
    check.done(vm)


def test_context_init(vm, gpu, check):
    check("virgl", gpu.ctx_create(1, CAPSET_VIRGL), OK)
    check("virgl2", gpu.ctx_create(2, CAPSET_VIRGL2), OK)
    infos = (gpu.get_capset_info(i) for i in range(8))
    offered = {info.unpack("=I")[0] for info in infos if info.type == Resp.OK_CAPSET_INFO}
    for number in {3, 4, 5, 6, 63, 255} - offered:
        check(f"capset {number}", gpu.ctx_create(10 + number, number), PARAMETER, UNSPEC)
    check("reserved bits", gpu.ctx_create(3, 0x100 | CAPSET_VIRGL2), OK, PARAMETER, UNSPEC)
    check.done(vm)


def test_many_contexts(vm, gpu, check):
    for turn in range(3):
        for ctx in range(1, 33):
            check(f"create {ctx}, turn {turn}", gpu.ctx_create(ctx), OK)
        for ctx in range(1, 33):
            check(f"destroy {ctx}, turn {turn}", gpu.ctx_destroy(ctx), OK)
    check.done(vm)


def test_create_3d(vm, gpu, check):
    check("2D texture", gpu.create_3d(1, 64, 64), OK)
    check("id 0", gpu.create_3d(0, 64, 64), NO_RESOURCE)
    check("id twice", gpu.create_3d(1, 64, 64), NO_RESOURCE)
    check("id of a 2D resource", gpu.create_2d(1, 2, 64, 64), NO_RESOURCE)
    check("unknown target", gpu.create_3d(5, 64, 64, target=99), PARAMETER, UNSPEC)
    check("unknown format", gpu.create_3d(5, 64, 64, fmt=100000), PARAMETER, UNSPEC)
    for w, h in ((HUGE, HUGE), (1 << 20, 1 << 20), (HUGE, 1), (0x80000000, 0x80000000)):
        check(f"{w}x{h}", gpu.create_3d(5, w, h), PARAMETER, UNSPEC, NO_MEMORY)
    check("levels", gpu.create_3d(5, 64, 64, last_level=HUGE), PARAMETER, UNSPEC, NO_MEMORY)
    check("samples", gpu.create_3d(5, 64, 64, nr_samples=HUGE), PARAMETER, UNSPEC, NO_MEMORY)
    check("layers", gpu.create_3d(5, 64, 64, array_size=HUGE), PARAMETER, UNSPEC, NO_MEMORY)
    check("unref", gpu.unref(1), OK)
    check("again", gpu.create_3d(1, 64, 64), OK)
    check.done(vm)


def test_context_resources(vm, gpu, check):
    require(gpu.ctx_create(1))
    require(gpu.create_3d(1, 64, 64))
    check("attach", gpu.ctx_attach(1, 1), OK)
    check("attach twice", gpu.ctx_attach(1, 1), OK, PARAMETER, NO_RESOURCE, UNSPEC)
    check("detach", gpu.ctx_detach(1, 1), OK)
    check("detach twice", gpu.ctx_detach(1, 1), OK, PARAMETER, NO_RESOURCE, UNSPEC)
    for act, name in ((gpu.ctx_attach, "attach"), (gpu.ctx_detach, "detach")):
        for number in (0, 77, HUGE):
            check(f"{name} resource {number}", act(1, number), NO_RESOURCE)
        for ctx in (0, 2, HUGE):
            check(f"{name} to context {ctx}", act(ctx, 1), NO_CONTEXT)
    check.done(vm)


def test_resource_outlives_context_and_back(vm, gpu, check):
    """Either may go first, with the other attached."""
    for turn in range(10):
        require(gpu.ctx_create(1))
        require(gpu.create_3d(1, 64, 64))
        require(gpu.attach_backing(1, gpu.backing(16384)))
        require(gpu.ctx_attach(1, 1))
        removals = [gpu.unref, gpu.ctx_destroy]
        for remove in removals if turn % 2 else reversed(removals):
            check(f"turn {turn}", remove(1), OK)
    check.done(vm)


def test_submit_errors(vm, gpu, check):
    require(gpu.ctx_create(1))
    check("nothing", gpu.submit_3d(1, []), OK)
    check("nop", gpu.submit_3d(1, virgl.nop()), OK)
    for ctx in (0, 2, HUGE):
        check(f"context {ctx}", gpu.submit_3d(ctx, virgl.nop()), NO_CONTEXT)
    for size in (8, 4096, 1 << 20, 1 << 30, HUGE, HUGE - 3):
        check(f"size {size} of 4", gpu.submit_3d(1, virgl.nop(), size), PARAMETER, NO_MEMORY)
    check("half of it", gpu.submit_3d(1, virgl.nop() * 2, 4), OK)
    check("odd size", gpu.submit_3d(1, virgl.nop() * 2, 5), OK, PARAMETER)
    check.done(vm)


def test_submit_garbage(vm, gpu):
    """A renderer's error may be told or not; the device, and other contexts, live."""
    streams = {"unknown command": [0xFF], "length beyond the end": [7 | 200 << 16],
               "surface of nothing": virgl.create_surface(1, 99, 2),
               "framebuffer of nothing": virgl.set_framebuffer(99),
               "clear without framebuffer": virgl.clear(1, 0, 0),
               "all ones": [HUGE] * 100, "zero object": virgl.command(1, [0] * 5, 8)}
    require(gpu.ctx_create(100))
    for ctx, (name, words) in enumerate(streams.items(), 1):
        require(gpu.ctx_create(ctx))
        assert gpu.submit_3d(ctx, words).type in Resp, name
        assert gpu.submit_3d(100, virgl.nop()).ok, name
        require(gpu.ctx_destroy(ctx))
    assert vm.alive()


@pytest.mark.parametrize("direction", ["to", "from"])
def test_transfer_errors(vm, gpu, check, direction):
    """Each case has a context of its own: virglrenderer gives one up after such an error."""
    act = gpu.transfer_to_3d if direction == "to" else gpu.transfer_from_3d
    contexts = iter(range(1, 100))

    def fresh():
        ctx = next(contexts)
        require(gpu.ctx_create(ctx))
        require(gpu.ctx_attach(ctx, 1))
        return ctx

    require(gpu.create_3d(1, 64, 64))
    check("no backing", act(fresh(), 1, BOX), UNSPEC, PARAMETER)
    require(gpu.attach_backing(1, gpu.backing(16384)))
    good = fresh()
    check("all of it", act(good, 1, BOX), OK)
    for number in (0, 77, HUGE):
        check(f"resource {number}", act(good, number, BOX), NO_RESOURCE)
    check("unknown context", act(999, 1, BOX), NO_CONTEXT)
    for box in ((0, 0, 0, 65, 64, 1), (64, 0, 0, 1, 1, 1), (0, 0, 1, 64, 64, 1),
                (HUGE, 0, 0, 2, 1, 1), (0, 0, 0, HUGE, HUGE, 1), (1, 1, 0, HUGE, HUGE, HUGE)):
        check(f"box {box}", act(fresh(), 1, box), PARAMETER, UNSPEC)
    for level in (5, HUGE):
        check(f"level {level}", act(fresh(), 1, BOX, level=level), PARAMETER, UNSPEC)
    for offset in (4, 16384, 2**32, 2**63, 2**64 - 4):
        check(f"offset {offset}", act(fresh(), 1, BOX, offset), PARAMETER, UNSPEC)
    check("stride", act(fresh(), 1, BOX, stride=HUGE), PARAMETER, UNSPEC)
    check("other contexts go on", act(good, 1, BOX), OK)
    check.done(vm)


def test_short_3d_requests(vm, gpu, check):
    require(gpu.ctx_create(1))
    sizes = {Cmd.GET_CAPSET_INFO: 8, Cmd.GET_CAPSET: 8, Cmd.CTX_CREATE: 72,
             Cmd.CTX_ATTACH_RESOURCE: 8, Cmd.CTX_DETACH_RESOURCE: 8, Cmd.RESOURCE_CREATE_3D: 48,
             Cmd.TRANSFER_TO_HOST_3D: 48, Cmd.TRANSFER_FROM_HOST_3D: 48, Cmd.SUBMIT_3D: 8}
    for cmd, size in sizes.items():
        for length in (0, size - 1):
            check(f"{cmd.name} with {length} of {size} bytes",
                  gpu.command(cmd, bytes(length), ctx_id=1, room=100), UNSPEC, PARAMETER)
    check.done(vm)


def test_null_mode_checks_3d_as_well(start_vm, check):
    """The template renderer has no contexts of its own, but the device's tables are there."""
    vm = start_vm("null")
    for response in (vm.gpu.ctx_create(0), vm.gpu.ctx_destroy(5), vm.gpu.submit_3d(5, [0]),
                     vm.gpu.create_3d(0, 64, 64), vm.gpu.ctx_attach(5, 5)):
        check("error", response, UNSPEC, PARAMETER, NO_CONTEXT, NO_RESOURCE)
    check.done(vm)
