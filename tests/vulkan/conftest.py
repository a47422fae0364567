# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Guests on QEMU 11.1 with our daemon as a headless device: blobs, host-visible memory, Venus.

Runs inside the trixie root (scripts/in-trixie), with the harness of tests/vm. Environment:
VHOST_DEVICE_GPU (the daemon, built in the root), VDG_TRIXIE_PROGRAMS (folder of vk_triangle),
VDG_LOGS (folder that keeps the logs).
"""

import os
import re
import sys
from pathlib import Path

import pytest

for name in ("vm", "protocol"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / name))

from harness import guest as guest_module  # noqa: E402
from harness.device import Headless  # noqa: E402
from harness.guest import Guest  # noqa: E402
from harness.kernel import Kernel  # noqa: E402


class Cost:
    """What the guest's programs have left on the host."""

    def __init__(self, guest):
        daemon = guest.device.process.pid
        children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
        assert len(children) == 1, "one session"
        session = Path("/proc", children[0])
        self.fds = len(list((session / "fd").iterdir()))
        self.resident_kib = int(re.search(r"VmRSS:\s+(\d+)",
                                          (session / "status").read_text())[1])
        # What QEMU has mapped into the shared memory region: files of the renderer's, not of its own.
        maps = Path(f"/proc/{guest.process.pid}/maps").read_text()
        self.mappings = len(re.findall(r"vkr-shmem|memory fd|dmabuf|gfxstream", maps))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    kept = os.environ.get("VDG_LOGS")
    path = Path(kept) if kept else tmp_path_factory.mktemp("trixie")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def kernel(folder):
    return Kernel(folder)


@pytest.fixture(scope="session")
def programs():
    return Path(os.environ["VDG_TRIXIE_PROGRAMS"])


def headless_guest(where, kernel, mode, *arguments):
    """A fixture's generator: a guest with what the daemon has in a mode."""
    guest_module.MEMORY = "3G"
    where.mkdir()
    debug = ["--log-level", "debug"] if "VDG_DEBUG" in os.environ else []
    device = Headless(where, mode, [*arguments, *debug])
    guest = Guest(kernel, device, where)
    try:
        device.start()
        guest.start()
        yield guest
        guest.quit()
        device.stop()
    finally:
        guest.kill()
        device.kill()


@pytest.fixture(scope="module")
def venus(folder, kernel):
    """A guest with all that virglrenderer has; its daemon is venus.device."""
    yield from headless_guest(folder / "venus", kernel, "virglrenderer")
