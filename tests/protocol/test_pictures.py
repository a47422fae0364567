# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Which resources are pictures: only lines of pixels can be scanned out or be a cursor.

A buffer of width 4096 with a format of 4 bytes was read as 4096 pixels: four times what it has.
"""

import pytest

from frontend.virtio_gpu import Resp, require

BUFFER, TEXTURE_1D, TEXTURE_2D, TEXTURE_3D, CUBE, RECT, ARRAY_1D, ARRAY_2D = range(8)
BIND_VERTEX, BIND_SAMPLER, BIND_TARGET = 1 << 4, 1 << 3, 1 << 1
B8G8R8A8, B5G6R5 = 1, 7

# (target, what create_3d needs besides)
NO_PICTURES = {
    "buffer": (BUFFER, dict(w=4096, h=1, bind=BIND_VERTEX)),
    "1d": (TEXTURE_1D, dict(w=64, h=1, bind=BIND_SAMPLER)),
    "3d": (TEXTURE_3D, dict(w=64, h=64, depth=2, bind=BIND_SAMPLER)),
    "cube": (CUBE, dict(w=64, h=64, array_size=6, bind=BIND_SAMPLER)),
    "1d array": (ARRAY_1D, dict(w=64, h=1, array_size=2, bind=BIND_SAMPLER)),
    "2d array": (ARRAY_2D, dict(w=64, h=64, array_size=2, bind=BIND_SAMPLER)),
    "multisampled": (TEXTURE_2D, dict(w=64, h=64, nr_samples=4, bind=BIND_TARGET)),
}


@pytest.fixture(params=("null", "virglrenderer"))
def vm(request, start_vm):
    return start_vm(request.param)


def create(vm, number, target, fmt=B8G8R8A8, w=64, h=64, **options):
    require(vm.gpu.create_3d(number, w, h, fmt, target, **options))


@pytest.mark.parametrize("name", NO_PICTURES)
def test_not_scanned_out(vm, name):
    target, options = NO_PICTURES[name]
    create(vm, 1, target, **options)
    answer = vm.gpu.set_scanout(0, 1, 0, 0, options["w"], options["h"])
    assert answer.type == Resp.ERR_INVALID_PARAMETER
    require(vm.gpu.flush(1, 0, 0, options["w"], options["h"]))
    assert vm.shown() is None
    assert vm.alive()


@pytest.mark.parametrize("name", NO_PICTURES)
def test_no_cursor(vm, name):
    target, options = NO_PICTURES[name]
    options = {**options, "w": min(options["w"], 64)}
    create(vm, 1, target, **options)
    assert vm.gpu.update_cursor(0, 1, room=24).type == Resp.ERR_INVALID_PARAMETER
    assert vm.alive()


def test_texture_is_a_picture(vm):
    create(vm, 1, TEXTURE_2D, bind=BIND_TARGET)
    require(vm.gpu.set_scanout(0, 1, 0, 0, 64, 64))
    require(vm.gpu.flush(1, 0, 0, 64, 64))
    require(vm.gpu.update_cursor(0, 1, room=24))
    picture = vm.shown()
    assert (picture.width, picture.height) == (64, 64)


def test_cursor_of_two_bytes_a_pixel(vm):
    """It can be shown, but the cursor's pixels have 4 bytes."""
    create(vm, 1, TEXTURE_2D, fmt=B5G6R5, bind=BIND_TARGET)
    require(vm.gpu.set_scanout(0, 1, 0, 0, 64, 64))
    require(vm.gpu.flush(1, 0, 0, 64, 64))
    assert vm.gpu.update_cursor(0, 1, room=24).type == Resp.ERR_INVALID_PARAMETER
    assert vm.alive()
