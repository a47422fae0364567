# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""OpenGL through virgl: a clear that is drawn, shown, and read back, encoded by hand."""

import pytest

from frontend import virgl
from frontend.display import Kind
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.virtio_gpu import (BIND_RENDER_TARGET, BIND_SAMPLER_VIEW, BIND_SCANOUT, FLAG_FENCE,
                                 Resp, require)

CTX = 1
WIDTH, HEIGHT = 128, 96
FULL = (0, 0, WIDTH, HEIGHT)
BOX = (0, 0, 0, WIDTH, HEIGHT, 1)
SCANOUT_BIND = BIND_RENDER_TARGET | BIND_SAMPLER_VIEW | BIND_SCANOUT
Y_0_TOP = 1


@pytest.fixture
def vm(start_vm):
    vm = start_vm("virglrenderer")
    require(vm.gpu.ctx_create(CTX))
    return vm


class Target:
    """A render target with backing, attached to the context and bound as framebuffer."""

    def __init__(self, gpu, width=WIDTH, height=HEIGHT, fmt=2, flags=0, ctx=CTX):
        self.gpu, self.id, self.ctx = gpu, gpu.new_id(), ctx
        self.width, self.height = width, height
        require(gpu.create_3d(self.id, width, height, fmt, bind=SCANOUT_BIND, flags=flags))
        self.entries = gpu.backing(4 * width * height, (5000, 4096))
        require(gpu.attach_backing(self.id, self.entries))
        require(gpu.ctx_attach(ctx, self.id))
        self.words = virgl.create_surface(self.id, self.id, fmt) + virgl.set_framebuffer(self.id)
        require(gpu.submit_3d(ctx, self.words))

    def clear(self, red, green, blue, **options):
        return require(self.gpu.submit_3d(self.ctx, virgl.clear(red, green, blue), **options))

    def contents(self):
        return b"".join(self.gpu.memory.read(gpa, length) for gpa, length in self.entries)

    def write(self, data):
        view = memoryview(data)
        for gpa, length in self.entries:
            self.gpu.memory.write(gpa, view[:length])
            view = view[length:]


@pytest.fixture
def target(vm):
    return Target(vm.gpu)


def solid(red, green, blue, count=WIDTH * HEIGHT):
    return bytes((blue, green, red, 0)) * count


def assert_shows(vm, expected, width=WIDTH):
    """The scanout's pixels, through UPDATE messages."""
    picture = vm.shown()
    if picture.dmabuf:
        pytest.skip("pixels go as a dma-buf here")
    different = differences(rgb_only(picture.pixels), expected, width)
    assert not different


COLORS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (0.2, 0.4, 0.6)]


@pytest.mark.parametrize("color", COLORS)
def test_clear_is_shown(vm, target, color):
    target.clear(*color)
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    require(vm.gpu.flush(target.id, *FULL))
    assert_shows(vm, solid(*(round(255 * c) for c in color)))


def test_clear_after_clear(vm, target):
    """Each flush shows what was submitted before it."""
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    for turn in range(30):
        color = COLORS[turn % len(COLORS)]
        target.clear(*color)
        require(vm.gpu.flush(target.id, *FULL))
        assert_shows(vm, solid(*(round(255 * c) for c in color)))


def test_only_the_damage_is_sent(vm, target):
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    target.clear(1, 0, 0)
    require(vm.gpu.flush(target.id, *FULL))
    assert_shows(vm, solid(255, 0, 0))
    target.clear(0, 1, 0)
    vm.display.forget()
    require(vm.gpu.flush(target.id, 10, 20, 30, 40))
    vm.sync()
    update, = vm.display.of_kind(Kind.UPDATE)
    assert update.values == (0, 10, 20, 30, 40)
    assert rgb_only(update.data) == solid(0, 255, 0, 1200)


def test_read_back(vm, target):
    target.clear(0.2, 0.4, 0.6)
    require(vm.gpu.transfer_from_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    assert rgb_only(target.contents()) == solid(51, 102, 153)


def test_read_back_of_a_part(vm, target):
    """Rows land at the stride from the offset; what is around stays."""
    target.clear(1, 1, 1)
    target.write(bytes(4 * WIDTH * HEIGHT))
    x, y, w, h = 8, 16, 24, 10
    offset = 4 * (y * WIDTH + x)
    require(vm.gpu.transfer_from_3d(CTX, target.id, (x, y, 0, w, h, 1), offset, stride=4 * WIDTH))
    expected = bytearray(4 * WIDTH * HEIGHT)
    for row in range(y, y + h):
        start = 4 * (row * WIDTH + x)
        expected[start:start + 4 * w] = solid(255, 255, 255, w)
    different = differences(rgb_only(target.contents()), bytes(expected), WIDTH)
    assert not different


def test_upload_and_read_back(vm, target):
    data = rgb_only(random_bytes(1, 4 * WIDTH * HEIGHT))
    target.write(data)
    require(vm.gpu.transfer_to_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    target.write(bytes(len(data)))
    require(vm.gpu.transfer_from_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    different = differences(rgb_only(target.contents()), data, WIDTH)
    assert not different


@pytest.mark.parametrize("flags", [0, Y_0_TOP])
def test_upload_is_shown(vm, flags):
    """What is first in a transfer is the top of the picture, however the texture is stored."""
    target = Target(vm.gpu, flags=flags)
    data = rgb_only(random_bytes(2, 4 * WIDTH * HEIGHT))
    target.write(data)
    require(vm.gpu.transfer_to_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    require(vm.gpu.flush(target.id, *FULL))
    assert_shows(vm, data)


@pytest.mark.parametrize("flags", [0, Y_0_TOP])
@pytest.mark.parametrize("area", [(0, 0, 64, 48), (64, 48, 64, 48), (16, 32, 100, 50)])
def test_part_of_a_resource_on_a_scanout(vm, area, flags):
    target = Target(vm.gpu, flags=flags)
    data = rgb_only(random_bytes(3, 4 * WIDTH * HEIGHT))
    target.write(data)
    require(vm.gpu.transfer_to_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    require(vm.gpu.set_scanout(0, target.id, *area))
    require(vm.gpu.flush(target.id, *FULL))
    x, y, w, h = area
    rows = [data[4 * ((y + i) * WIDTH + x):4 * ((y + i) * WIDTH + x + w)] for i in range(h)]
    assert_shows(vm, b"".join(rows), w)


@pytest.mark.parametrize("fmt", [1, 2, 67, 134])
def test_formats(vm, fmt):
    """Red stays red, whatever the order of channels in the host's texture."""
    target = Target(vm.gpu, fmt=fmt)
    target.clear(1.0, 0.4, 0.0)
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    require(vm.gpu.flush(target.id, *FULL))
    assert_shows(vm, solid(255, 102, 0))


def test_two_contexts(vm):
    """Each draws into its own target."""
    require(vm.gpu.ctx_create(2))
    first, second = Target(vm.gpu, ctx=1), Target(vm.gpu, ctx=2)
    for turn in range(10):
        first.clear(1, 0, 0)
        second.clear(0, 0, 1)
        shown, color = ((first, (255, 0, 0)), (second, (0, 0, 255)))[turn % 2]
        require(vm.gpu.set_scanout(0, shown.id, *FULL))
        require(vm.gpu.flush(shown.id, *FULL))
        assert_shows(vm, solid(*color))


def test_resource_of_another_context(vm, target):
    """Without CTX_ATTACH_RESOURCE a context cannot draw into it."""
    target.clear(1, 0, 0)
    require(vm.gpu.ctx_create(2))
    vm.gpu.submit_3d(2, virgl.create_surface(5, target.id, 2) + virgl.set_framebuffer(5))
    vm.gpu.submit_3d(2, virgl.clear(0, 1, 0))
    require(vm.gpu.transfer_from_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    assert rgb_only(target.contents()) == solid(255, 0, 0)


def test_thousand_submits(vm, target):
    for turn in range(1000):
        target.clear(turn % 256 / 255, 0, 0, flags=FLAG_FENCE, fence_id=turn + 1)
    require(vm.gpu.transfer_from_3d(CTX, target.id, BOX, stride=4 * WIDTH))
    assert rgb_only(target.contents()) == solid(999 % 256, 0, 0)


def test_target_goes_while_it_is_shown(vm, target):
    target.clear(1, 0, 0)
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    require(vm.gpu.flush(target.id, *FULL))
    assert vm.shown()
    require(vm.gpu.unref(target.id))
    assert vm.shown() is None
    assert vm.gpu.submit_3d(CTX, virgl.clear(0, 1, 0)).type in Resp
    assert vm.alive()


def test_context_goes_while_its_target_is_shown(vm, target):
    target.clear(0, 0, 1)
    require(vm.gpu.set_scanout(0, target.id, *FULL))
    require(vm.gpu.ctx_destroy(CTX))
    require(vm.gpu.flush(target.id, *FULL))
    assert_shows(vm, solid(0, 0, 255))


def test_guest_reset(vm):
    """Contexts and textures go, ids are free, drawing works again."""
    for color in COLORS:
        target = Target(vm.gpu)
        target.clear(*color)
        require(vm.gpu.set_scanout(0, target.id, *FULL))
        require(vm.gpu.flush(target.id, *FULL))
        assert_shows(vm, solid(*(round(255 * c) for c in color)))
        vm.reset()
        vm.gpu.next_resource = 1
        require(vm.gpu.ctx_create(CTX))


def test_memory_table_replaced(vm, target):
    """Backing is resolved again; the renderer sees the new addresses."""
    for turn in range(5):
        vm.user.set_mem_table(vm.memory.regions)
        target.clear(turn / 5, 1, 0)
        require(vm.gpu.transfer_from_3d(CTX, target.id, BOX, stride=4 * WIDTH))
        assert rgb_only(target.contents()) == solid(round(255 * turn / 5), 255, 0)


def test_cursor_from_a_3d_resource(vm):
    """Linux' virgl driver makes its cursor as a 3D resource."""
    target = Target(vm.gpu, 64, 64, fmt=1, flags=Y_0_TOP)
    data = random_bytes(4, 4 * 64 * 64)
    target.write(data)
    require(vm.gpu.transfer_to_3d(CTX, target.id, (0, 0, 0, 64, 64, 1), stride=256))
    vm.gpu.update_cursor(0, target.id, 1, 2, 3, 4)
    update = vm.display.wait_event(Kind.CURSOR_UPDATE)
    assert update.values == (0, 1, 2, 3, 4)
    different = differences(update.data, data, 64)
    assert not different


def test_several_guests_at_once(running):
    """One process each: neither contexts nor textures are shared."""
    daemon = running.daemon("virglrenderer")
    colors = COLORS[:2]
    vms = [running.vm(daemon) for _ in colors]
    for vm, color in zip(vms, colors):
        require(vm.gpu.ctx_create(CTX))
        target = Target(vm.gpu)
        target.clear(*color)
        require(vm.gpu.set_scanout(0, target.id, *FULL))
        require(vm.gpu.flush(target.id, *FULL))
    for vm, color in zip(vms, colors):
        assert_shows(vm, solid(*(round(255 * c) for c in color)))
