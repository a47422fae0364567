# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Resources of the virgl renderer of all kinds: what is written comes back."""

import pytest

from frontend import virgl
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import Resp, require

CTX = 1
BUFFER, TEXTURE_1D, TEXTURE_2D, TEXTURE_3D, CUBE, ARRAY_2D = 0, 1, 2, 3, 4, 7
BIND_VERTEX, BIND_SAMPLER, BIND_TARGET = 1 << 4, 1 << 3, 1 << 1
R8_UNORM, B5G6R5 = 64, 7
SUBMIT_LEN = 1 << 20


@pytest.fixture
def vm(start_vm):
    vm = start_vm("virglrenderer", indirect=True)
    require(vm.gpu.ctx_create(CTX))
    return vm


def round_trip(vm, number, length, box, sizes=(4096, 777), **options):
    """Upload random bytes, clear the backing, read them back."""
    entries = vm.gpu.backing(length, sizes)
    require(vm.gpu.attach_backing(number, entries))
    require(vm.gpu.ctx_attach(CTX, number))
    data = random_bytes(number, length)
    view = memoryview(data)
    for gpa, part in entries:
        vm.memory.write(gpa, view[:part])
        view = view[part:]
    require(vm.gpu.transfer_to_3d(CTX, number, box, **options))
    for gpa, part in entries:
        vm.memory.write(gpa, bytes(part))
    require(vm.gpu.transfer_from_3d(CTX, number, box, **options))
    assert b"".join(vm.memory.read(gpa, part) for gpa, part in entries) == data


def test_buffer(vm):
    require(vm.gpu.create_3d(1, 100000, 1, R8_UNORM, BUFFER, BIND_VERTEX))
    round_trip(vm, 1, 100000, (0, 0, 0, 100000, 1, 1))


def test_texture_1d(vm):
    require(vm.gpu.create_3d(1, 256, 1, 1, TEXTURE_1D, BIND_SAMPLER))
    round_trip(vm, 1, 1024, (0, 0, 0, 256, 1, 1))


LAYERED = pytest.mark.parametrize("sizes", [(), (4096, 777)], ids=["one entry", "scattered"])


@LAYERED
def test_texture_3d(vm, sizes):
    """All layers come back, and nothing that was in the host's memory before."""
    require(vm.gpu.create_3d(1, 16, 16, 1, TEXTURE_3D, BIND_SAMPLER, depth=8))
    round_trip(vm, 1, 16 * 16 * 8 * 4, (0, 0, 0, 16, 16, 8), sizes, stride=64,
               layer_stride=1024)


@LAYERED
def test_texture_array(vm, sizes):
    require(vm.gpu.create_3d(1, 16, 16, 1, ARRAY_2D, BIND_SAMPLER, array_size=5))
    round_trip(vm, 1, 16 * 16 * 5 * 4, (0, 0, 0, 16, 16, 5), sizes, stride=64,
               layer_stride=1024)


def test_cube(vm):
    require(vm.gpu.create_3d(1, 16, 16, 1, CUBE, BIND_SAMPLER, array_size=6))
    round_trip(vm, 1, 1024, (0, 0, 3, 16, 16, 1), stride=64, layer_stride=1024)


@pytest.mark.parametrize("level", [0, 1, 3])
def test_level(vm, level):
    side = 64 >> level
    require(vm.gpu.create_3d(1, 64, 64, 1, TEXTURE_2D, BIND_SAMPLER, last_level=6))
    round_trip(vm, 1, 4 * side * side, (0, 0, 0, side, side, 1), level=level, stride=4 * side)


def test_2d_resource_as_render_target(vm):
    """Guests import dumb buffers into GL: RESOURCE_CREATE_2D is the renderer's too."""
    resource = vm.gpu.resource(64, 64)
    resource.draw(random_bytes(1, 4 * 64 * 64))
    resource.show(0)
    require(vm.gpu.ctx_attach(CTX, resource.id))
    require(vm.gpu.submit_3d(CTX, virgl.create_surface(9, resource.id, 2)
                             + virgl.set_framebuffer(9) + virgl.clear(1, 0, 0)))
    resource.flush(*resource.full)
    assert rgb_only(vm.shown().pixels) == bytes((0, 0, 255, 0)) * 64 * 64


def test_2d_resource_read_back(vm):
    """What a 2D transfer brought in, a 3D transfer reads."""
    resource = vm.gpu.resource(64, 64)
    data = random_bytes(1, 4 * 64 * 64)
    resource.draw(data)
    require(vm.gpu.ctx_attach(CTX, resource.id))
    resource.fill(bytes(len(data)))
    require(vm.gpu.transfer_from_3d(CTX, resource.id, (0, 0, 0, 64, 64, 1), stride=256))
    different = differences(rgb_only(resource.contents()), rgb_only(data), 64)
    assert not different


def test_2d_transfer_to_a_3d_resource(vm):
    """QEMU allows it."""
    require(vm.gpu.create_3d(1, 64, 64, 2))
    entries = vm.gpu.backing(16384)
    require(vm.gpu.attach_backing(1, entries))
    data = random_bytes(3, 16384)
    vm.memory.write(entries[0][0], data)
    require(vm.gpu.transfer_2d(1, 0, 0, 64, 64))
    require(vm.gpu.set_scanout(0, 1, 0, 0, 64, 64))
    require(vm.gpu.flush(1, 0, 0, 64, 64))
    different = differences(rgb_only(vm.shown().pixels), rgb_only(data), 64)
    assert not different


@pytest.mark.parametrize("target,fmt,bind", [(BUFFER, R8_UNORM, BIND_VERTEX),
                                             (TEXTURE_3D, 1, BIND_SAMPLER),
                                             (TEXTURE_2D, B5G6R5, BIND_TARGET)])
def test_odd_resources_on_a_scanout(vm, target, fmt, bind):
    """Shown or refused; the session lives, and what reaches the display is well formed."""
    height = 1 if target == BUFFER else 64
    require(vm.gpu.create_3d(1, 64, height, fmt, target, bind))
    assert vm.gpu.set_scanout(0, 1, 0, 0, 64, height).type in Resp
    assert vm.gpu.flush(1, 0, 0, 64, height).type in Resp
    assert vm.alive()


@pytest.mark.parametrize("split", [(), (32, 1, 4095, 70001)])
def test_large_submit(vm, split):
    """A megabyte in one stream, in one buffer and in pieces."""
    words = virgl.nop(65534) * (SUBMIT_LEN // 4 // 65535)
    require(vm.gpu.submit_3d(CTX, words, split=split))


def test_many_textures(vm):
    """Created, used and removed, with ids that come again."""
    for turn in range(200):
        require(vm.gpu.create_3d(5, 64, 64, 1))
        require(vm.gpu.ctx_attach(CTX, 5))
        surface = virgl.create_surface(100 + turn, 5, 1)
        require(vm.gpu.submit_3d(CTX, surface + virgl.set_framebuffer(100 + turn)
                                 + virgl.clear(0, 1, 0)))
        require(vm.gpu.ctx_detach(CTX, 5))
        require(vm.gpu.unref(5))
    assert vm.alive()


RGBA8, RGBA32F = 67, 31


@pytest.mark.parametrize("fmt, is_made", [(RGBA8, True), (RGBA32F, False)])
def test_largest_texture(start_vm, fmt, is_made):
    """The host's OpenGL offers guests 16384 x 16384 (piglit's fbo-maxsize makes one). With 16 bytes a
    pixel it is 4 GiB, which the library counts as 0."""
    vm = start_vm("virglrenderer")
    size = 1 << 14
    answer = vm.gpu.create_3d(1, size, size, fmt, bind=BIND_TARGET | BIND_SAMPLER)
    assert answer.ok == is_made, answer
    if is_made:
        data = random_bytes(4, 4 * 64)
        entries = vm.gpu.backing(len(data))
        (address, _), = entries
        require(vm.gpu.attach_backing(1, entries))
        box = (size - 64, size - 1, 0, 64, 1, 1)
        vm.memory.write(address, data)
        require(vm.gpu.transfer_to_3d(0, 1, box))
        vm.memory.write(address, bytes(len(data)))
        require(vm.gpu.transfer_from_3d(0, 1, box))
        assert vm.memory.read(address, len(data)) == data
    assert vm.alive()


def test_large_buffer_at_once(start_vm):
    """300 MiB in one transfer: of a buffer of bytes, a byte is a byte."""
    vm = start_vm("virglrenderer", indirect=True)
    piece, count = 1 << 20, 300
    start = vm.memory.alloc(2 * piece)
    data = random_bytes(6, 2 * piece)
    vm.memory.write(start, data)
    require(vm.gpu.create_3d(1, piece * count, 1, R8_UNORM, BUFFER, BIND_VERTEX))
    # Not one behind the other, so that they stay pieces.
    require(vm.gpu.attach_backing(1, [(start + piece, piece), (start, piece)] * (count // 2)))
    require(vm.gpu.transfer_to_3d(0, 1, (0, 0, 0, piece * count, 1, 1)))
    vm.memory.write(start, bytes(2 * piece))
    require(vm.gpu.transfer_from_3d(0, 1, (0, 0, 0, 2 * piece, 1, 1)))
    assert vm.memory.read(start + piece, piece) == data[piece:]
    assert vm.memory.read(start, piece) == data[:piece]
