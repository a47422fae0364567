# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Vulkan in a real guest: Mesa's Venus driver, QEMU 11.1, our daemon, lavapipe on the host."""

import re

from conftest import Cost

# Venus only: the guest's own lavapipe must not stand in for it.
VENUS = "export VK_DRIVER_FILES=$(ls /usr/share/vulkan/icd.d/virtio_icd*.json);"


def test_driver_has_everything(venus):
    log = venus.run("dmesg | grep -i '\\[drm\\]'").output
    for feature in ("+virgl", "+edid", "+resource_blob", "+host_visible", "+context_init"):
        assert feature in log, log
    assert re.search(r"Host memory window: 0x[0-9a-f]+ \+0x100000000", log), log
    assert "*ERROR*" not in log, log


def test_vulkaninfo_names_venus(venus):
    summary = venus.run(f"{VENUS} vulkaninfo --summary", limit=60).output
    assert re.search(r"deviceName\s*= Virtio-GPU Venus \(llvmpipe", summary), summary
    assert "driverName         = venus" in summary, summary


def test_triangle(venus, programs):
    """Renders off-screen, reads back, and checks every pixel itself."""
    output = venus.run(f"{VENUS} {programs}/vk_triangle", limit=60).output
    assert "Venus" in output, output


def test_vkmark_runs_to_its_end(venus):
    output = venus.run(f"{VENUS} MESA_VK_WSI_DEBUG=sw vkmark --winsys headless -s 320x240"
                       " -b vertex:duration=2 -b shading:duration=2", limit=120).output
    assert re.search(r"vkmark Score: [1-9]", output), output
    assert "Venus" in output, output


def test_zink_draws_opengl(venus, programs):
    """OpenGL on Vulkan on Venus; zink takes a device that calls itself a CPU only if told to."""
    output = venus.run(f"{VENUS} LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=zink"
                       f" {programs}/gl_triangle", limit=60).output
    assert re.search(r"renderer: zink.*Venus", output), output
    assert "triangle: right" in output, output


def test_opengl_and_vulkan_side_by_side(venus, programs):
    """virgl's context and Venus' in one guest at a time."""
    output = venus.run(f"{programs}/gl_triangle & {VENUS} {programs}/vk_triangle; wait $!; "
                       f"{programs}/gl_triangle", limit=60).output
    assert "renderer: virgl" in output, output
    assert output.count("triangle: right") >= 2, output


def test_thousand_rounds_leave_nothing(venus, programs):
    """Allocate, map, write, read back, unmap, free: no mapping and no memory stays behind."""
    venus.run(f"{VENUS} {programs}/vk_triangle --rounds 50", limit=120)
    before = Cost(venus)
    venus.run(f"{VENUS} {programs}/vk_triangle --rounds 1000", limit=240)
    after = Cost(venus)
    assert after.fds <= before.fds
    assert after.resident_kib < before.resident_kib + 16384
    assert after.mappings == before.mappings


def test_no_errors_in_the_kernel_log(venus):
    log = venus.run("dmesg").output
    assert "*ERROR*" not in log, log
