# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The listener has nothing of what its sessions draw with, whether one runs or not."""

import os

# What renderers load, or bring along.
RENDERERS = ("libvirglrenderer.so", "librutabaga_gfx_ffi.so", "libgfxstream_backend.so", "libepoxy.so",
             "libEGL.so", "libGL.so", "libOpenGL.so", "libGLX.so", "libgbm.so", "libdrm.so",
             "libvulkan.so", "libX11.so", "libwayland-client.so")
OWN_LIBRARY = {"virglrenderer": "libvirglrenderer.so", "gfxstream": "librutabaga_gfx_ffi.so"}


def libraries(pid):
    """What a process has loaded, without versions."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        paths = [line.split(maxsplit=5)[5] for line in maps if line.count("/")]
    names = {os.path.basename(path.rstrip("\n")) for path in paths}
    return {name.partition(".so")[0] + ".so" for name in names if ".so" in name}


def test_renderers_are_loaded_by_sessions(running, mode):
    daemon = running.daemon(mode)
    daemon.wait_log("listening on")
    assert not libraries(daemon.pid).intersection(RENDERERS)
    vm = running.vm(daemon)
    assert vm.alive()
    in_session = libraries(daemon.session_pid())
    if mode in OWN_LIBRARY:
        assert OWN_LIBRARY[mode] in in_session
    assert not libraries(daemon.pid).intersection(RENDERERS)
