# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""gfxstream itself: its images, their transfers, blobs, and what crashed it.

Needs a rutabaga_gfx_ffi that was built with gfxstream (0.1.85; no package has it); skipped elsewhere.
VHOST_DEVICE_GPU_REQUIRE with gfxstream-vulkan or gfxstream-gles in it makes it a failure.
"""

import os
import struct

import pytest

from frontend.blob import HOST3D, MAPPABLE, HostBlob, Layout
from frontend.checks import HUGE, NO_RESOURCE, OK, PARAMETER, UNSPEC
from frontend.daemon import fd_count, why_mode_not
from frontend.pixels import differences, random_bytes, rgb_only, to_bgra
from frontend.shmem import SharedRegion
from frontend.virtio_gpu import (BIND_RENDER_TARGET, BIND_SAMPLER_VIEW, BIND_SCANOUT, FLAG_FENCE,
                                 PAGE, Resp, require)

CTX = 1
IDS = {"gfxstream-vulkan": 3, "gfxstream-gles": 8}
BIND = BIND_RENDER_TARGET | BIND_SAMPLER_VIEW | BIND_SCANOUT
WIDTH, HEIGHT = 96, 80
FULL = (0, 0, WIDTH, HEIGHT)
BOX = (0, 0, 0, WIDTH, HEIGHT, 1)
CONTEXT_CREATE, RESOURCE_CREATE_3D, PLACEHOLDER_VK = 0x1001, 0xa003, 0xf002
RING_LEN = 12288 + 1048576


def must_have(name):
    return name in os.environ.get("VHOST_DEVICE_GPU_REQUIRE", "").split(",")


@pytest.fixture(params=IDS, scope="module", name="capset")
def fixture_capset(request, program, tmp_path_factory):
    """A capset of gfxstream's that starts here."""
    problem = why_mode_not(program, tmp_path_factory.mktemp("try"), "gfxstream", "-c",
                           request.param)
    if problem:
        assert not must_have(request.param), problem
        pytest.skip(f"{request.param}: {problem}")
    return request.param


@pytest.fixture(name="vm")
def fixture_vm(start_vm, capset):
    """A guest with one of gfxstream's capsets and a context of it."""
    vm = start_vm("gfxstream", "--capset", capset, region=SharedRegion())
    vm.capset = IDS[capset]
    require(vm.gpu.ctx_create(CTX, vm.capset))
    return vm


class Picture:
    """A 3D resource with backing."""

    def __init__(self, gpu, width=WIDTH, height=HEIGHT, fmt=1, sizes=(5000, 4096), length=None):
        self.gpu, self.id = gpu, gpu.new_id()
        self.width, self.height, self.format = width, height, fmt
        require(gpu.create_3d(self.id, width, height, fmt, bind=BIND))
        self.entries = gpu.backing(4 * width * height if length is None else length, sizes)
        require(gpu.attach_backing(self.id, self.entries))
        require(gpu.ctx_attach(CTX, self.id))

    def write(self, data):
        view = memoryview(data)
        for gpa, length in self.entries:
            self.gpu.memory.write(gpa, view[:length])
            view = view[length:]

    def contents(self):
        return b"".join(self.gpu.memory.read(gpa, length) for gpa, length in self.entries)

    def to_host(self, box=BOX, **options):
        return self.gpu.transfer_to_3d(CTX, self.id, box, **options)

    def from_host(self, box=BOX, **options):
        return self.gpu.transfer_from_3d(CTX, self.id, box, **options)


def assert_shows(vm, expected, width=WIDTH):
    picture = vm.shown()
    different = differences(rgb_only(picture.pixels), rgb_only(expected), width)
    assert not different


def test_capset(vm):
    info = require(vm.gpu.get_capset_info(0), Resp.OK_CAPSET_INFO)
    number, version, size = info.unpack("=3I")
    assert number == vm.capset
    capset = require(vm.gpu.get_capset(number, version, size), Resp.OK_CAPSET)
    assert any(capset.body)


@pytest.mark.parametrize("fmt", [1, 2, 67, 134])
def test_written_image_is_shown_and_read_back(vm, fmt):
    picture = Picture(vm.gpu, fmt=fmt)
    data = random_bytes(fmt, 4 * WIDTH * HEIGHT)
    # Of formats without alpha the byte in its place means nothing.
    picture.write(rgb_only(data))
    require(picture.to_host())
    require(vm.gpu.set_scanout(0, picture.id, *FULL))
    require(vm.gpu.flush(picture.id, *FULL))
    assert_shows(vm, to_bgra(fmt, rgb_only(data)))
    picture.write(bytes(4 * WIDTH * HEIGHT))
    require(picture.from_host())
    assert rgb_only(picture.contents()) == rgb_only(data)


def test_part_is_written_and_the_rest_stays(vm):
    """gfxstream moves images whole: what is around the box in the backing must not go along."""
    picture = Picture(vm.gpu)
    first = random_bytes(1, 4 * WIDTH * HEIGHT)
    picture.write(first)
    require(picture.to_host())
    second = random_bytes(2, 4 * WIDTH * HEIGHT)
    picture.write(second)
    x, y, w, h = 8, 16, 40, 24
    require(picture.to_host((x, y, 0, w, h, 1), offset=4 * (y * WIDTH + x), stride=4 * WIDTH))
    require(vm.gpu.set_scanout(0, picture.id, *FULL))
    require(vm.gpu.flush(picture.id, *FULL))
    expected = bytearray(first)
    for row in range(y, y + h):
        start = 4 * (row * WIDTH + x)
        expected[start:start + 4 * w] = second[start:start + 4 * w]
    assert_shows(vm, bytes(expected))


def test_part_is_read_and_the_rest_stays(vm):
    picture = Picture(vm.gpu)
    drawn, others = (random_bytes(seed, 4 * WIDTH * HEIGHT) for seed in (1, 2))
    picture.write(drawn)
    require(picture.to_host())
    picture.write(others)
    x, y, w, h = 8, 16, 40, 24
    require(picture.from_host((x, y, 0, w, h, 1), offset=4 * (y * WIDTH + x), stride=4 * WIDTH))
    expected = bytearray(others)
    for row in range(y, y + h):
        start = 4 * (row * WIDTH + x)
        expected[start:start + 4 * w] = drawn[start:start + 4 * w]
    assert picture.contents() == bytes(expected)


def test_image_without_backing_is_shown(vm):
    """A read without backing crashed gfxstream; the display gets the pixels all the same."""
    picture = Picture(vm.gpu)
    data = random_bytes(3, 4 * WIDTH * HEIGHT)
    picture.write(data)
    require(picture.to_host())
    require(vm.gpu.detach_backing(picture.id))
    require(vm.gpu.set_scanout(0, picture.id, *FULL))
    require(vm.gpu.flush(picture.id, *FULL))
    assert_shows(vm, data)
    assert vm.alive()


@pytest.mark.parametrize("length", [PAGE, 4 * WIDTH * HEIGHT - 4])
def test_short_backing(vm, length):
    picture = Picture(vm.gpu, length=length)
    assert picture.to_host().type == PARAMETER
    assert picture.from_host().type == PARAMETER
    assert picture.to_host((0, 0, 0, 1, 1, 1)).type == PARAMETER
    require(vm.gpu.set_scanout(0, picture.id, *FULL))
    require(vm.gpu.flush(picture.id, *FULL))
    assert vm.alive()


def test_no_backing(vm):
    number = vm.gpu.new_id()
    require(vm.gpu.create_3d(number, WIDTH, HEIGHT, 1, bind=BIND))
    require(vm.gpu.ctx_attach(CTX, number))
    assert vm.gpu.transfer_to_3d(CTX, number, BOX).type == UNSPEC
    assert vm.gpu.transfer_from_3d(CTX, number, BOX).type == UNSPEC
    assert vm.alive()


@pytest.mark.parametrize("size", [(8192, 8192), (16384, 4096), (65536, 65536), (HUGE, 1)])
def test_large_images(vm, size):
    """More than 128 MiB in one transfer ended the process."""
    number = vm.gpu.new_id()
    created = vm.gpu.create_3d(number, *size, 1, bind=BIND)
    assert created.type != OK
    box = (0, 0, 0, *size, 1)
    assert vm.gpu.transfer_to_3d(CTX, number, box).type == NO_RESOURCE
    assert vm.gpu.transfer_from_3d(CTX, number, box).type == NO_RESOURCE
    assert vm.alive()


@pytest.mark.parametrize("box", [(0, 0, 0, WIDTH + 1, HEIGHT, 1), (0, 0, 0, WIDTH, HEIGHT + 1, 1),
                                 (1, 0, 0, WIDTH, 1, 1), (HUGE, 0, 0, 2, 1, 1), (0, 0, 1, 1, 1, 1),
                                 (0, 0, 0, 1, 1, 2), (0, 0, 0, 0, 1, 1), (0, 0, 0, 1, HUGE, 1)])
def test_boxes_outside(vm, box):
    picture = Picture(vm.gpu)
    assert picture.to_host(box).type == PARAMETER
    assert picture.from_host(box).type == PARAMETER
    assert vm.alive()


@pytest.mark.parametrize("fmt", [0, 3, 5, 121, 200, 999, HUGE])
def test_formats_that_gfxstream_takes_for_others(vm, fmt):
    assert vm.gpu.create_3d(vm.gpu.new_id(), WIDTH, HEIGHT, fmt, bind=BIND).type != OK
    assert vm.alive()


def test_ring_blob_is_the_same_memory_on_both_sides(vm):
    """The blob that a guest's driver makes its ring of: mapped, and shown as a picture."""
    layout = Layout(100, 75, 2, stride=416, offset=16)
    blob = HostBlob(vm.gpu, 16 * PAGE, ctx=CTX)
    require(vm.gpu.ctx_attach(CTX, blob.id))
    assert blob.map(4 * PAGE) in (1, 2, 3)
    memory = vm.region.at(4 * PAGE)
    memory[:layout.size] = random_bytes(4, layout.size)
    assert bytes(memory[:layout.size]) == random_bytes(4, layout.size)
    blob.unmap()
    blob.unref()
    vm.region.wait_empty()
    assert vm.alive()


def create_image_command(blob_id, width=WIDTH, height=HEIGHT, fmt=1, target=2):
    return struct.unpack("=14I", struct.pack("=12IQ", RESOURCE_CREATE_3D, target, fmt, BIND, width,
                                             height, 1, 1, 0, 0, 0, 0, blob_id))


def test_blob_of_an_image_is_shown(vm):
    """As a compositor's buffers are made: announced in a command, then a blob with that id."""
    if vm.capset != IDS["gfxstream-vulkan"]:
        pytest.skip("gfxstream gives images of OpenGL ES no memory that can be given out")
    require(vm.gpu.submit_3d(CTX, create_image_command(7)))
    blob = HostBlob(vm.gpu, 4 * WIDTH * HEIGHT, ctx=CTX, blob_id=7, flags=0)
    require(vm.gpu.ctx_attach(CTX, blob.id))
    layout = Layout(WIDTH, HEIGHT, 1)
    blob.show(0, layout)
    blob.flush(*layout.full)
    picture = vm.shown()
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert vm.alive()


@pytest.mark.parametrize("command", [
    create_image_command(0), create_image_command(1 << 32), create_image_command(9, 8192, 8192),
    create_image_command(9, 0, 1), create_image_command(9, fmt=999), [0], [0xffff], [0x1001],
    [CONTEXT_CREATE, 0x7777], [RESOURCE_CREATE_3D]], ids=lambda words: str(words[:1]))
def test_bad_commands(vm, command):
    assert vm.gpu.submit_3d(CTX, command).type != OK
    assert vm.alive()


def test_blob_that_nobody_announced(vm):
    for blob_id in (5, 1 << 40, HUGE):
        answer = vm.gpu.create_blob(vm.gpu.new_id(), HOST3D, MAPPABLE, blob_id, PAGE, ctx_id=CTX)
        assert answer.type != OK
    assert vm.alive()


def test_stream_on_a_small_ring(vm):
    """gfxstream takes its ring's size for granted."""
    blob = HostBlob(vm.gpu, PAGE, ctx=CTX)
    require(vm.gpu.ctx_attach(CTX, blob.id))
    assert vm.gpu.submit_3d(CTX, [CONTEXT_CREATE, blob.id]).type != OK
    assert vm.alive()


def test_stream_twice_on_one_ring(vm):
    blob = HostBlob(vm.gpu, RING_LEN, ctx=CTX)
    require(vm.gpu.ctx_attach(CTX, blob.id))
    require(vm.gpu.submit_3d(CTX, [CONTEXT_CREATE, blob.id]))
    assert vm.gpu.submit_3d(CTX, [CONTEXT_CREATE, blob.id]).type != OK
    require(vm.gpu.ctx_destroy(CTX))
    assert vm.alive()


def test_fences(vm):
    for ring in (None, 0, 1):
        options = {} if ring is None else {"flags": FLAG_FENCE | 2, "ring_idx": ring}
        options = options or {"flags": FLAG_FENCE}
        require(vm.gpu.submit_3d(CTX, [PLACEHOLDER_VK, 0], fence_id=5, **options))
    assert vm.alive()


def test_rounds_leave_nothing(vm):
    pid, counts = vm.daemon.session_pid(), []
    for turn in range(60):
        picture = Picture(vm.gpu)
        picture.write(random_bytes(turn, 4 * WIDTH * HEIGHT))
        require(picture.to_host())
        require(vm.gpu.unref(picture.id))
        blob = HostBlob(vm.gpu, 4 * PAGE, ctx=CTX)
        blob.map(turn % 7 * 16 * PAGE)
        if turn % 2:
            blob.unmap()
        blob.unref()
        if turn in (20, 59):
            assert vm.alive()
            counts.append(fd_count(pid))
    vm.region.wait_empty()
    assert counts[0] == counts[1]


def test_reset_and_again(vm):
    picture = Picture(vm.gpu)
    require(vm.gpu.set_scanout(0, picture.id, *FULL))
    vm.reset()
    require(vm.gpu.ctx_create(CTX, vm.capset))
    data = random_bytes(8, 4 * WIDTH * HEIGHT)
    picture = Picture(vm.gpu)
    picture.write(data)
    require(picture.to_host())
    require(vm.gpu.set_scanout(0, picture.id, *FULL))
    require(vm.gpu.flush(picture.id, *FULL))
    assert_shows(vm, data)
