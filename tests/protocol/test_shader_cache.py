# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Compiled shaders: none are kept, or one VM's in a folder of its own."""

import os
import subprocess

import pytest

from frontend import virgl
from frontend.virtio_gpu import BIND_RENDER_TARGET, BIND_SAMPLER_VIEW, require

CTX = 1
SIZE = 64
BOX = (0, 0, 0, SIZE, SIZE, 1)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return home


def start_daemon(running, home, *args):
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    return running.daemon("virglrenderer", *args, environment=environment)


def draw(running, daemon):
    """A guest that has a shader compiled."""
    vm = running.vm(daemon)
    require(vm.gpu.ctx_create(CTX))
    target = vm.gpu.new_id()
    require(vm.gpu.create_3d(target, SIZE, SIZE, 2, bind=BIND_RENDER_TARGET | BIND_SAMPLER_VIEW))
    require(vm.gpu.attach_backing(target, vm.gpu.backing(4 * SIZE * SIZE)))
    require(vm.gpu.ctx_attach(CTX, target))
    require(vm.gpu.submit_3d(CTX, virgl.create_surface(target, target, 2)
                             + virgl.set_framebuffer(target)))
    require(vm.gpu.submit_3d(CTX, virgl.draw_with(virgl.GREEN, SIZE, SIZE)))
    require(vm.gpu.transfer_from_3d(CTX, target, BOX))
    return vm


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_none_is_kept(running, home):
    """Nothing is left in the user's home, so that no other guest finds it."""
    daemon = start_daemon(running, home)
    draw(running, daemon).hang_up()
    daemon.wait_sessions()
    assert list(home.iterdir()) == []


def test_kept_where_the_user_says(running, home, tmp_path):
    cache = tmp_path / "cache"
    daemon = start_daemon(running, home, "--shader-cache", str(cache))
    draw(running, daemon).hang_up()
    daemon.wait_sessions()
    assert files_in(cache)
    assert os.stat(cache).st_mode & 0o777 == 0o700
    assert list(home.iterdir()) == []


def test_one_session_at_a_time(running, home, tmp_path):
    """A second guest gets nothing of the first one's, and leaves nothing there."""
    cache = tmp_path / "cache"
    daemon = start_daemon(running, home, "--shader-cache", str(cache))
    first = running.vm(daemon)
    require(first.gpu.ctx_create(CTX))
    before = files_in(cache)
    draw(running, daemon).hang_up()
    assert files_in(cache) == before
    assert "another session's" in daemon.log()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_folder_that_others_can_write_to(program, tmp_path, mode):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    ended = subprocess.run([program, "-s", tmp_path / "s", "-g", "null", "--shader-cache", cache],
                           capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "nobody else can write to" in ended.stderr


def test_folder_that_cannot_be_made(program, tmp_path):
    ended = subprocess.run([program, "-s", tmp_path / "s", "-g", "null", "--shader-cache",
                            tmp_path / "no" / "such"],
                           capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "cannot use the shader cache" in ended.stderr
