# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Transfers that made virglrenderer read or answer with memory that is not the guest's.

The daemon runs with MALLOC_PERTURB_, so that memory that nobody wrote holds a byte that is known.
"""

import pytest

from frontend import virgl
from frontend.blob import HOST3D
from frontend.memory import MIB, GuestMemory
from frontend.pixels import random_bytes
from frontend.virtio_gpu import Resp, require

CTX = 1
BUFFER, TEXTURE_1D, TEXTURE_2D, TEXTURE_3D, CUBE, RECT, ARRAY_1D, ARRAY_2D, CUBE_ARRAY = range(9)
BIND_DEPTH, BIND_TARGET, BIND_SAMPLER = 1 << 0, 1 << 1, 1 << 3
PERTURB = 0x5A
UNWRITTEN = bytes([PERTURB ^ 0xFF]) * 8
FORMATS = range(1, 320)
# width, height, depth, layers of a small one of each target
SHAPES = {TEXTURE_1D: (16, 1, 1, 1), TEXTURE_2D: (16, 16, 1, 1), TEXTURE_3D: (16, 16, 4, 1),
          CUBE: (16, 16, 1, 6), RECT: (16, 16, 1, 1), ARRAY_1D: (16, 1, 1, 4),
          ARRAY_2D: (16, 16, 1, 4), CUBE_ARRAY: (16, 16, 1, 6)}


@pytest.fixture
def vm(monkeypatch, start_vm):
    monkeypatch.setenv("MALLOC_PERTURB_", str(PERTURB))
    vm = start_vm("virglrenderer", memory=GuestMemory((96 * MIB,)), indirect=True)
    require(vm.gpu.ctx_create(CTX))
    return vm


@pytest.mark.parametrize("target, depth, layers", [(TEXTURE_3D, 128, 1), (ARRAY_2D, 1, 128)])
def test_layers_that_wrap(vm, target, depth, layers):
    """stride x lines x (layers - 1) is 2^32: the library saw a transfer of one layer, and read on."""
    stride, lines = 1 << 20, 64
    require(vm.gpu.create_3d(1, 1, lines, 1, target, BIND_SAMPLER, depth, layers))
    require(vm.gpu.attach_backing(1, vm.gpu.backing(stride * lines)))
    for transfer in (vm.gpu.transfer_to_3d, vm.gpu.transfer_from_3d):
        answer = transfer(0, 1, (0, 0, 0, 1, lines, 65), stride=stride)
        assert answer.type == Resp.ERR_INVALID_PARAMETER
    assert vm.alive()


def scattered(vm, length):
    """A backing of two pieces that do not touch."""
    start = vm.memory.alloc(length + 8192)
    return [(start, 100), (start + 4096, length - 100)]


def read(vm, entries):
    return b"".join(vm.memory.read(gpa, length) for gpa, length in entries)


def create_readable(vm, number, fmt, target, samples):
    width, height, depth, layers = SHAPES[target]
    for bind in (BIND_SAMPLER, BIND_TARGET | BIND_SAMPLER, BIND_DEPTH | BIND_SAMPLER):
        if vm.gpu.create_3d(number, width, height, fmt, target, bind, depth, layers,
                            nr_samples=samples).ok:
            return True
    return False


@pytest.mark.parametrize("samples, targets", [(0, tuple(SHAPES)), (4, (TEXTURE_2D, ARRAY_2D))])
def test_nothing_unwritten_is_read(vm, samples, targets):
    """Each format of each target: what is answered with OK was written by somebody."""
    entries = scattered(vm, 32768)
    number, answered, wrong = 0, 0, []
    for fmt in FORMATS:
        for target in targets:
            number += 1
            if not create_readable(vm, number, fmt, target, samples):
                continue
            require(vm.gpu.attach_backing(number, entries))
            width, height = SHAPES[target][:2]
            for gpa, length in entries:
                vm.memory.write(gpa, bytes(length))
            answer = vm.gpu.transfer_from_3d(0, number, (0, 0, 0, width, height, 1))
            if UNWRITTEN in read(vm, entries):
                wrong.append((fmt, target))
            answered += answer.ok
            require(vm.gpu.unref(number))
    assert not wrong
    assert (answered > 500) == (samples == 0)
    assert vm.alive()


@pytest.mark.parametrize("piece", (64, 4096))
def test_many_pieces(vm, piece):
    """What goes through memory of ours arrives as what goes straight: whole, in part, and back."""
    size = 1024
    start = vm.memory.alloc(2 * 4 * size * size)
    entries = [(start + 2 * offset, piece) for offset in range(0, 4 * size * size, piece)]
    data = random_bytes(1, 4 * size * size)
    require(vm.gpu.create_3d(1, size, size, 1, TEXTURE_2D, BIND_SAMPLER))
    require(vm.gpu.attach_backing(1, entries))
    for i, (gpa, length) in enumerate(entries):
        vm.memory.write(gpa, data[i * piece:i * piece + length])
    require(vm.gpu.transfer_to_3d(0, 1, (0, 0, 0, size, size, 1), stride=4 * size))
    for gpa, length in entries:
        vm.memory.write(gpa, bytes(length))
    require(vm.gpu.transfer_from_3d(0, 1, (0, 0, 0, size, size, 1), stride=4 * size))
    assert read(vm, entries) == data
    # A part leaves what is around it as it was.
    for gpa, length in entries:
        vm.memory.write(gpa, b"\x77" * length)
    box, offset = (100, 10, 0, 500, 1000, 1), 4 * (10 * size + 100)
    require(vm.gpu.transfer_from_3d(0, 1, box, offset, stride=4 * size))
    want = bytearray(b"\x77" * len(data))
    for y in range(10, 1010):
        begin = 4 * (y * size + 100)
        want[begin:begin + 2000] = data[begin:begin + 2000]
    assert read(vm, entries) == bytes(want)


def test_more_than_is_copied_at_once(vm):
    """80 MiB in pieces of 4 KiB goes in two parts; the whole picture is there."""
    width, height = 4096, 5120
    start = vm.memory.alloc(4 * width * height)
    # Pages in reverse, so that none follows another.
    pages = [start + offset for offset in range(0, 4 * width * height, 4096)]
    entries = [(page, 4096) for page in reversed(pages)]
    require(vm.gpu.create_3d(1, width, height, 1, TEXTURE_2D, BIND_SAMPLER))
    require(vm.gpu.attach_backing(1, entries))
    line = random_bytes(3, 4 * width)
    for y in (0, 4095, 4096, height - 1):
        for i in range(4):
            vm.memory.write(entries[4 * y + i][0], line[4096 * i:4096 * (i + 1)])
    require(vm.gpu.transfer_to_3d(0, 1, (0, 0, 0, width, height, 1), stride=4 * width))
    for y in (0, 4095, 4096, height - 1):
        vm.memory.write(entries[4 * y][0], bytes(4096))
    require(vm.gpu.transfer_from_3d(0, 1, (0, 0, 0, width, height, 1), stride=4 * width))
    for y in (0, 4095, 4096, height - 1):
        assert read(vm, entries[4 * y:4 * y + 4]) == line, y


def test_one_byte_pieces(vm):
    """2^20 pieces times 8,192 lines took 4.9 s of the library's looking for its place."""
    pieces = [(vm.memory.alloc(64), 1)] * (1 << 20)
    require(vm.gpu.create_3d(1, 16, 8192, 1, TEXTURE_2D, BIND_SAMPLER))
    require(vm.gpu.attach_backing(1, pieces))
    require(vm.gpu.transfer_to_3d(0, 1, (0, 0, 0, 16, 8192, 1), stride=64))
    assert vm.alive()


STAGING = 1000
STREAM_TRANSFERS = {
    "TRANSFER3D": lambda reads, number, box, **more: virgl.transfer_3d(
        number, box, virgl.FROM_HOST if reads else virgl.TO_HOST, **more),
    "COPY_TRANSFER3D": lambda reads, number, box, **more: virgl.copy_transfer_3d(
        number, box, STAGING, reads, **more),
}


@pytest.fixture(params=STREAM_TRANSFERS.values(), ids=STREAM_TRANSFERS.keys())
def stream_transfer(request, vm):
    """A transfer's words, for a guest that has a staging buffer."""
    vm.staging = scattered(vm, 1 << 16)
    require(vm.gpu.create_3d(STAGING, 1 << 16, 1, 64, BUFFER, 1 << 19))
    require(vm.gpu.attach_backing(STAGING, vm.staging))
    require(vm.gpu.ctx_attach(CTX, STAGING))
    return request.param


def attach_texture(vm, number):
    require(vm.gpu.attach_backing(number, vm.staging))
    require(vm.gpu.ctx_attach(CTX, number))


def test_stream_transfers_both_ways(vm, stream_transfer):
    """What drivers do goes through."""
    size, box = 32, (0, 0, 0, 32, 32, 1)
    data = random_bytes(5, 4 * size * size)
    require(vm.gpu.create_3d(1, size, size, 1, TEXTURE_2D, BIND_SAMPLER))
    attach_texture(vm, 1)
    (first, first_len), (second, _) = vm.staging
    vm.memory.write(first, data[:first_len])
    vm.memory.write(second, data[first_len:])
    require(vm.gpu.submit_3d(CTX, stream_transfer(False, 1, box, stride=4 * size)))
    for gpa, length in vm.staging:
        vm.memory.write(gpa, bytes(length))
    require(vm.gpu.submit_3d(CTX, stream_transfer(True, 1, box, stride=4 * size)))
    vm.sync()
    assert read(vm, vm.staging)[:len(data)] == data


@pytest.mark.parametrize("samples, target, formats", [
    (4, TEXTURE_2D, FORMATS), (4, ARRAY_2D, FORMATS),
    (0, TEXTURE_3D, range(16, 24)), (0, CUBE, range(16, 24))])
def test_stream_reads_nothing_unwritten(vm, stream_transfer, samples, target, formats):
    """Multisampled textures, and depth of 3D and cube textures, in each format."""
    width, height = SHAPES[target][:2]
    tried, wrong = 0, []
    for number, fmt in enumerate(formats, 1):
        if not create_readable(vm, number, fmt, target, samples):
            continue
        tried += 1
        attach_texture(vm, number)
        if not vm.gpu.submit_3d(CTX, stream_transfer(True, number, (0, 0, 0, width, height, 1))).ok:
            # A context that met an error does nothing any more.
            require(vm.gpu.ctx_destroy(CTX))
            require(vm.gpu.ctx_create(CTX))
            require(vm.gpu.ctx_attach(CTX, STAGING))
        if UNWRITTEN in read(vm, vm.staging):
            wrong.append(fmt)
            for gpa, length in vm.staging:
                vm.memory.write(gpa, bytes(length))
        require(vm.gpu.unref(number))
    assert not wrong
    assert tried > 0 or target == TEXTURE_3D
    assert vm.alive()


def test_stream_layers_that_wrap(vm, stream_transfer):
    """As test_layers_that_wrap; and what follows in the stream is carried out."""
    stride, lines = 1 << 20, 64
    require(vm.gpu.create_3d(1, 1, lines, 1, TEXTURE_3D, BIND_SAMPLER, 128, 1))
    require(vm.gpu.create_3d(2, 16, 16, 2, TEXTURE_2D, BIND_TARGET | BIND_SAMPLER))
    attach_texture(vm, 1)
    attach_texture(vm, 2)
    for reads in (False, True):
        require(vm.gpu.submit_3d(CTX, [
            *stream_transfer(reads, 1, (0, 0, 0, 1, lines, 65), stride=stride),
            *virgl.create_surface(2 + reads, 2, 2), *virgl.set_framebuffer(2 + reads),
            *virgl.clear(0, 1, 0)]))
    require(vm.gpu.transfer_from_3d(CTX, 2, (0, 0, 0, 16, 16, 1)))
    assert read(vm, vm.staging)[:1024] == bytes((0, 255, 0, 255)) * 256
    assert "is left out" in vm.daemon.log()


# What RESOURCE_CREATE_3D refuses, or what cannot be read back: target, format, size, depth, samples.
BAD_RESOURCES = {
    "too many pixels": (TEXTURE_2D, 31, 1 << 15, 1 << 15, 1, 0),
    "size that wraps": (TEXTURE_3D, 1, 1 << 16, 1 << 16, 1 << 16, 0),
    "buffer of 2 GiB": (BUFFER, 64, 1 << 31, 1, 1, 0),
    "multisampled": (TEXTURE_2D, 1, 16, 16, 1, 4),
    "depth in 3D": (TEXTURE_3D, 16, 16, 16, 4, 0),
}


@pytest.mark.parametrize("case", BAD_RESOURCES)
def test_stream_makes_no_bad_resource(vm, case):
    """They would be unknown here, and read by the library as a whole with sizes of 32 bits."""
    target, fmt, width, height, depth, samples = BAD_RESOURCES[case]
    require(vm.gpu.create_3d(2, 16, 16, 2, TEXTURE_2D, BIND_TARGET | BIND_SAMPLER))
    require(vm.gpu.attach_backing(2, scattered(vm, 1024)))
    require(vm.gpu.ctx_attach(CTX, 2))
    require(vm.gpu.submit_3d(CTX, [
        *virgl.create_pipe_resource(7, target, fmt, BIND_SAMPLER, width, height, depth, samples),
        *virgl.create_surface(2, 2, 2), *virgl.set_framebuffer(2), *virgl.clear(0, 1, 0)]))
    assert not vm.gpu.create_blob(3, HOST3D, 0, 7, 4096, ctx_id=CTX).ok
    assert "PIPE_RESOURCE_CREATE in a command stream is left out" in vm.daemon.log()
    assert vm.alive()


def test_stream_makes_a_buffer(vm):
    """What drivers do: a buffer, and a blob of it."""
    require(vm.gpu.submit_3d(CTX, virgl.create_pipe_resource(7, BUFFER, 64, 1 << 19, 4096, 1)))
    assert "is left out" not in vm.daemon.log()
    assert vm.alive()


def header(number, length, kind=0):
    return number | kind << 8 | length << 16


# What it is, and what the log says of it
LEFT_OUT = {
    "unknown": ([header(200, 3), 1, 2, 3], "command 200 (object type 0), which is not in the list"),
    "unknown object": ([header(1, 1, 77), 1], "command 1 (object type 77), which is not in the list"),
    "wrong length": ([header(2, 2, 1), 1, 1], "BIND_OBJECT in a command stream is left out"),
    "answer without backing": ([header(50, 1), 2], "GET_MEMORY_INFO in a command stream is left out"),
    "marker": ([header(51, 2), 0x7fffffff, 0], "SEND_STRING_MARKER in a command stream is left out"),
    "debug flags": ([header(41, 2), 0x6c6c61, 0], "SET_DEBUG_FLAGS in a command stream is left out"),
    "video": ([header(53, 8)] + [1] * 8, "CREATE_VIDEO_CODEC in a command stream is left out"),
    "endless blit": ([header(16, 21), 0x10f, 0, 0, 2, 0, 2, 0, 0, 0, 8, 8, 0x7fffffff,
                      2, 0, 2, 0, 0, 0, 8, 8, 0x7fffffff], "BLIT in a command stream is left out"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_command_is_left_out(vm, case):
    """The commands around it are carried out, and the context has met no error."""
    command, line = LEFT_OUT[case]
    require(vm.gpu.create_3d(2, 16, 16, 2, TEXTURE_2D, BIND_TARGET | BIND_SAMPLER))
    require(vm.gpu.ctx_attach(CTX, 2))
    for colour in ((0, 1, 0), (1, 0, 0)):
        require(vm.gpu.submit_3d(CTX, [
            *virgl.create_surface(2, 2, 2), *command, *virgl.set_framebuffer(2), *command,
            *virgl.clear(*colour)]))
    assert vm.daemon.log().count(line) == (1 if case.startswith("unknown") else 4)
    entries = scattered(vm, 1024)
    require(vm.gpu.attach_backing(2, entries))
    require(vm.gpu.transfer_from_3d(CTX, 2, (0, 0, 0, 16, 16, 1)))
    assert read(vm, entries) == bytes((0, 0, 255, 255)) * 256
    assert vm.alive()
