# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Vulkan in a real guest through gfxstream: Mesa's driver, QEMU 11.1, our daemon, lavapipe.

Skipped where the daemon was built without gfxstream, which no distribution packages.
"""

import re

import pytest
from conftest import Cost, headless_guest
from frontend.daemon import why_not
from harness.device import Headless

CAPSETS = ["--capset", "gfxstream-vulkan,cross-domain"]
# gfxstream only: neither Venus nor the guest's own lavapipe must stand in for it.
GFXSTREAM = "export VK_DRIVER_FILES=$(ls /usr/share/vulkan/icd.d/gfxstream_vk_icd*.json);"


@pytest.fixture(scope="module", name="guest")
def fixture_guest(folder, kernel):
    device = Headless(folder, "gfxstream", CAPSETS)
    reason = why_not(device.command(), device.environment())
    if reason:
        pytest.skip(reason)
    yield from headless_guest(folder / "gfxstream", kernel, "gfxstream", *CAPSETS)


def test_driver_has_the_capsets(guest):
    log = guest.run("dmesg | grep -i '\\[drm\\]'").output
    for feature in ("+resource_blob", "+host_visible", "+context_init"):
        assert feature in log, log
    assert re.search(r"cap set \d: id 3\b", log), log
    assert re.search(r"cap set \d: id 5\b", log), log


def test_vulkaninfo_names_gfxstream(guest):
    """All of it: each extension that is listed is asked about, and gfxstream must know it."""
    summary = guest.run(f"{GFXSTREAM} vulkaninfo --summary", limit=60).output
    assert re.search(r"deviceType\s*= PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU", summary), summary
    assert "llvmpipe" in summary, summary
    whole = guest.run(f"{GFXSTREAM} vulkaninfo", limit=60).output
    assert "VkPhysicalDeviceMemoryProperties:" in whole, whole[-2000:]


def test_triangle(guest, programs):
    """Renders off-screen, reads back, and checks every pixel itself."""
    output = guest.run(f"{GFXSTREAM} {programs}/vk_triangle", limit=60).output
    assert "triangle: 0 of" in output, output


def test_two_at_a_time(guest, programs):
    output = guest.run(f"{GFXSTREAM} {programs}/vk_triangle & {programs}/vk_triangle & wait $!;"
                       f" {programs}/vk_triangle", limit=120).output
    assert output.count("triangle: 0 of") >= 2, output


def test_rounds_leave_nothing(guest, programs):
    """Allocate, map, write, read back, unmap, free: no mapping and no memory stays behind."""
    guest.run(f"{GFXSTREAM} {programs}/vk_triangle --rounds 50", limit=120)
    before = Cost(guest)
    guest.run(f"{GFXSTREAM} {programs}/vk_triangle --rounds 500", limit=240)
    after = Cost(guest)
    assert after.fds <= before.fds
    assert after.resident_kib < before.resident_kib + 16384
    assert after.mappings == before.mappings


def test_no_errors_in_the_kernel_log(guest):
    assert "*ERROR*" not in guest.run("dmesg").output
