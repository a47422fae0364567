# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The GPU under test, three ways: our daemon, QEMU's own daemon, QEMU's in-process device.

VDG_VM_DEVICE chooses (daemon, c-peer, in-process); the tests are the same for all, so that a
failure can be told apart from one of the guest or of QEMU. What a peer cannot do at all raises
Unsupported, which the tests report as skipped; our daemon never raises it.
"""

import os
import re
import subprocess
from pathlib import Path

from .process import HarnessError, Process, wait_until

C_PEER = "/usr/lib/qemu/vhost-user-gpu"
REPOSITORY = Path(__file__).resolve().parents[3]
# What in the daemon's log fails a test whatever its pixels were.
BAD_LINE = re.compile(
    r"AddressSanitizer(?!.*leaked)|runtime error:|GLib.*CRITICAL|session \d+ died of signal")
# GL drivers leak a little when they are unloaded; a leak counts when its stack names our source.
OUR_FRAME = re.compile(r"\bsrc/(?!libsanitizer)\w+/[\w-]+\.c:\d+")


def complaint_in(log):
    """The first complaint of a sanitizer or of GLib in a log, None when there is none."""
    for line in log.splitlines():
        if BAD_LINE.search(line):
            return line
    for block in log.split("\n\n"):
        if re.match(r"(Direct|Indirect) leak", block) and OUR_FRAME.search(block):
            return block
    return None


class Unsupported(Exception):
    """The peer chosen with VDG_VM_DEVICE has no such mode."""


class Daemon:
    """Our daemon, listening on a socket in folder. mode is the value of --gpu-mode."""

    name = "vhost-device-gpu"

    def __init__(self, folder, mode, extra_args=()):
        self.folder = folder
        self.mode = mode
        self.extra_args = list(extra_args)
        self.socket_path = folder / "gpu.sock"
        self.process = None

    @staticmethod
    def program():
        return Path(os.environ.get("VHOST_DEVICE_GPU", REPOSITORY / "build/src/vhost-device-gpu"))

    def risk_args(self):
        """What the daemon needs to have OpenGL with an old virglrenderer, as Debian 12's is."""
        if self.mode != "virglrenderer":
            return []
        return subprocess.run([REPOSITORY / "scripts/lib/virgl-risk", self.program()], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.split()

    def command(self):
        return [self.program(), "-s", self.socket_path, "-g", self.mode, *self.risk_args(),
                *self.extra_args]

    def environment(self):
        """A program that is not installed is told where its modules are."""
        modules = self.program().resolve().parent / "renderer" / "modules"
        if not modules.is_dir():
            return None
        return {"VHOST_DEVICE_GPU_LIBDIR": str(modules), **os.environ}

    def start(self):
        self.process = Process(self.name, self.command(), self.folder / "daemon.log",
                               env=self.environment())
        wait_until("daemon's socket", 20, self._listening)

    def _listening(self):
        self.process.check_alive()
        return self.socket_path.exists()

    def display_args(self):
        return ["-display", "none"]

    def device_args(self, vga, properties):
        model = "vhost-user-vga" if vga else "vhost-user-gpu-pci"
        return ["-chardev", f"socket,id=gpu-chardev,path={self.socket_path}",
                "-device", ",".join([model, "chardev=gpu-chardev", "id=gpu", *properties])]

    def check(self):
        """Raise HarnessError when the daemon died or wrote what it never should."""
        self.process.check_alive()
        self._check_log()

    def _check_log(self):
        complaint = complaint_in(self.process.log_text())
        if complaint:
            raise HarnessError(f"{self.name} wrote: {complaint}")

    def stop(self):
        """End the daemon as a user would and check that it leaves nothing behind."""
        if not self.process:
            return
        status = self.process.stop()
        self._check_log()
        if status != 0:
            raise HarnessError(f"{self.name} left with status {status} at SIGTERM")
        if self.socket_path.exists():
            raise HarnessError(f"{self.name} left its socket behind")

    def kill(self):
        if self.process:
            self.process.kill()

    def logs(self):
        return [self.folder / "daemon.log"]


class Headless(Daemon):
    """Our daemon on QEMU's generic vhost-user device: no display, but shared memory."""

    def command(self):
        return [*super().command(), "--headless"]

    def device_args(self, vga, properties):
        del vga, properties
        return ["-chardev", f"socket,id=gpu-chardev,path={self.socket_path}",
                "-device", "vhost-user-test-device-pci,chardev=gpu-chardev,virtio-id=16,"
                "num_vqs=2,vq_size=256,config_size=16"]


class CPeer(Daemon):
    """QEMU's daemon. It serves one front-end and leaves with it."""

    name = "QEMU's vhost-user-gpu"

    def __init__(self, folder, mode, extra_args=()):
        super().__init__(folder, mode, extra_args)
        if mode != "2d":
            raise Unsupported("QEMU's vhost-user-gpu does virgl only with a render node")

    def command(self):
        return [C_PEER, "-s", self.socket_path]

    def stop(self):
        self.kill()
        self.socket_path.unlink(missing_ok=True)

    def check(self):
        self._check_log()


class InProcess:
    """The device inside QEMU. Its virgl can be looked at only where there is a render node."""

    name = "QEMU's virtio-gpu"

    def __init__(self, folder, mode, extra_args=()):
        del folder, extra_args
        if mode == "gfxstream":
            raise Unsupported("QEMU's own device with Rutabaga is not in Debian's QEMU")
        self.virgl = mode == "virglrenderer"
        if self.virgl and not list(Path("/dev/dri").glob("renderD*")):
            raise Unsupported("virgl in QEMU needs a render node for egl-headless")

    def start(self):
        pass

    def display_args(self):
        return ["-display", "egl-headless" if self.virgl else "none"]

    def device_args(self, vga, properties):
        model = {
            (False, False): "virtio-gpu-pci", (True, False): "virtio-vga",
            (False, True): "virtio-gpu-gl-pci", (True, True): "virtio-vga-gl",
        }[vga, self.virgl]
        return ["-device", ",".join([model, "id=gpu", *properties])]

    def check(self):
        pass

    def stop(self):
        pass

    def kill(self):
        pass

    def logs(self):
        return []


class InQemu:
    """The device of QEMU itself, with GL from an X server in memory: the host has no GPU."""

    def __init__(self, venus, folder):
        self.options = ["blob=on", "hostmem=1G", "venus=on"] if venus else []
        self.folder = folder
        self.server = None

    def start(self):
        ours, theirs = os.pipe()
        command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "2560x1600x24"]
        self.server = Process("Xvfb", command, self.folder / "xvfb.log", pass_fds=[theirs])
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            os.environ["DISPLAY"] = ":" + pipe.readline().strip()

    def stop(self):
        if self.server:
            self.server.kill()

    def display_args(self):
        return ["-display", "gtk,gl=on"]

    def device_args(self, _vga, properties):
        device = ["virtio-gpu-gl-pci", "id=gpu", *self.options, *properties]
        return ["-device", ",".join(device)]

    def logs(self):
        return [self.folder / "xvfb.log"]


KINDS = {"daemon": Daemon, "c-peer": CPeer, "in-process": InProcess}


def device_kind():
    kind = os.environ.get("VDG_VM_DEVICE", "daemon")
    if kind not in KINDS:
        raise HarnessError(f"VDG_VM_DEVICE={kind}: known are {', '.join(KINDS)}")
    return kind


def make_device(folder, mode, extra_args=()):
    return KINDS[device_kind()](folder, mode, extra_args)
