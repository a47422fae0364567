# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""One virtual machine: QEMU, its monitor, and the agent inside the guest.

The guest's root is the host's own, read-only, with a tmpfs on top (see guest/init). The agent
speaks lines over a virtio-serial port; job scripts and their output go through a shared
folder. Every wait has a limit.
"""

import itertools
import re
import shutil
import socket
import tempfile
import time
from collections import namedtuple
from pathlib import Path

from PIL import Image
from qemu.qmp.legacy import QEMUMonitorProtocol

from .process import HarnessError, Process, wait_until

BOOT_SECONDS = 90
MEMORY = "1G"

Result = namedtuple("Result", "status output")


class Guest:
    """A guest with a Device (device.py), which outlives it and may serve another one later.

    outputs: scanouts of the device; size: (width, height) that QEMU asks the guest to use;
    vga: the device is also the VGA card; kernel_args: appended to the kernel's command line.
    """

    def __init__(self, kernel, device, folder, *, outputs=1, size=None, vga=False,
                 kernel_args=""):
        self.kernel = kernel
        self.device = device
        self.folder = folder
        self.outputs = outputs
        self.size = size
        self.vga = vga
        self.kernel_args = kernel_args
        self.process = None
        self.qmp = None
        self.agent = None
        self.lines = b""
        self.names = itertools.count()
        self.jobs = folder / "jobs"
        self.jobs.mkdir()
        # Socket paths have room for 107 bytes: the logs' folder may be deeper than that.
        self.sockets = Path(tempfile.mkdtemp(prefix="vdg-"))

    # -- life ------------------------------------------------------------------------------

    def start(self, wait=True):
        """Start QEMU; with wait, return only when the agent in the guest is ready."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.sockets / "agent"))
        listener.listen(1)
        listener.settimeout(20)
        self.qmp = QEMUMonitorProtocol(str(self.sockets / "qmp"), server=True)
        self.process = Process("QEMU", self.qemu_command(), self.folder / "qemu.log")
        try:
            self.agent = listener.accept()[0]
            self.qmp.accept(20)
        except Exception as error:
            self.process.check_alive()
            raise HarnessError("QEMU does not connect to the harness") from error
        finally:
            listener.close()
        if wait:
            self.wait_ready()

    def qemu_command(self):
        append = f"console=ttyS0 quiet panic=-1 {self.kernel_args}"
        properties = []
        if self.outputs != 1:
            properties.append(f"max_outputs={self.outputs}")
        if self.size:
            properties += [f"xres={self.size[0]}", f"yres={self.size[1]}"]
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-vga", "none",
            "-machine", "q35,memory-backend=mem",
            "-object", f"memory-backend-memfd,id=mem,size={MEMORY},share=on",
            "-m", MEMORY, "-smp", "2", *self.kernel.accel_args,
            *self.kernel.qemu_args(append),
            "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,"
            "multidevs=remap",
            "-virtfs", f"local,path={self.jobs},mount_tag=jobs,security_model=none",
            "-serial", f"file:{self.folder}/console.log",
            "-chardev", f"socket,id=agent,path={self.sockets}/agent",
            "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=agent,name=vdg.agent",
            "-chardev", f"socket,id=qmp,path={self.sockets}/qmp",
            "-mon", "chardev=qmp,mode=control",
            *self.device.display_args(),
            *self.device.device_args(self.vga, properties),
        ]

    def wait_ready(self, limit=BOOT_SECONDS):
        line = self._read_line(limit)
        if line != "ready":
            raise HarnessError(f"guest said {line!r} instead of ready")

    def reboot(self):
        """The guest reboots; QEMU and the daemon stay. Returns when it is up again."""
        self._send("reboot")
        self.wait_ready()

    def quit(self):
        """End QEMU in the orderly way."""
        self.qmp.cmd("quit")
        self.process.wait(20)
        self.close()

    def kill(self):
        """End QEMU in the disorderly way (SIGKILL)."""
        if self.process:
            self.process.kill()
        self.close()

    def close(self):
        """Release what the harness holds; safe to call more than once."""
        if self.qmp:
            try:
                self.qmp.close()
            except Exception:  # pylint: disable=broad-except
                pass  # the peer is gone, and that was the wish
            self.qmp = None
        if self.agent:
            self.agent.close()
            self.agent = None
        shutil.rmtree(self.sockets, ignore_errors=True)

    def healthy(self):
        return self.process is not None and self.process.alive() and self.agent is not None

    # -- the agent -------------------------------------------------------------------------

    def run(self, script, limit=30, check=True):
        """Run a shell script in the guest. Returns Result; a failure raises if check is set."""
        name = f"job{next(self.names)}"
        (self.jobs / f"{name}.sh").write_text(script + "\n")
        self._send(f"run {name} {limit}")
        words = self._read_line(limit + 10).split()
        if words[:2] != ["done", name]:
            raise HarnessError(f"guest said {words} instead of done {name}")
        output = (self.jobs / f"{name}.out").read_text(errors="replace")
        result = Result(int(words[2]), output)
        if check and result.status != 0:
            raise HarnessError(f"in the guest, status {result.status} of:\n{script}\n{output}")
        return result

    def spawn(self, command):
        """Run a program in the guest's background, its stdin open, output in background.out.

        One at a time: stop() ends it.
        """
        self.run(f"""
            cut -d' ' -f5 /proc/$$/stat >/run/background.group
            rm -f /run/background.in
            mkfifo /run/background.in
            $BB sleep 100000 >/run/background.in &
            {{ {command.strip()}
            }} </run/background.in >/run/vdg/background.out 2>&1 &
        """)

    def background_output(self):
        path = self.jobs / "background.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        """End what spawn() started and wait until it is gone."""
        self.run("""
            group=$(cat /run/background.group)
            kill -TERM "-$group"
            for try in 1 2 3 4 5 6 7 8 9 10; do
                kill -0 "-$group" 2>/dev/null || exit 0
                sleep 0.3
            done
            kill -KILL "-$group"
        """)

    def _send(self, line):
        self.agent.sendall((line + "\n").encode())

    def _read_line(self, limit):
        end = time.monotonic() + limit
        while b"\n" not in self.lines:
            self.process.check_alive()
            left = end - time.monotonic()
            if left <= 0:
                raise HarnessError(f"guest silent for {limit} s; its console ends with:\n"
                                   + self.console()[-3000:])
            self.agent.settimeout(min(left, 0.5))
            try:
                data = self.agent.recv(4096)
            except socket.timeout:
                continue
            if not data:
                self.process.wait(5)
                self.process.check_alive()
            self.lines += data
        line, _, self.lines = self.lines.partition(b"\n")
        return line.decode(errors="replace").strip()

    # -- what can be seen ------------------------------------------------------------------

    def console(self):
        path = self.folder / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_console(self, text, limit):
        def seen():
            self.process.check_alive()
            return text in self.console()
        wait_until(f"{text!r} on the console", limit, seen)

    def screenshot(self, name, head=0):
        """QEMU's picture of an output, kept as NAME.png in the folder. Returns an RGB Image."""
        path = self.folder / f"{name}.ppm"
        self.qmp.cmd("screendump", filename=str(path), device="gpu", head=head)
        with Image.open(path) as picture:
            picture = picture.convert("RGB")
        path.unlink()
        picture.save(self.folder / f"{name}.png")
        return picture

    def wait_picture(self, name, accept, limit=20, head=0):
        """Take screenshots until accept(picture) raises no AssertionError; return the last."""
        end = time.monotonic() + limit
        while True:
            picture = self.screenshot(name, head)
            try:
                accept(picture)
                return picture
            except AssertionError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.3)

    def kernel_errors(self):
        """Lines of the guest's kernel log that blame the display driver, once each."""
        text = self.run("dmesg; dmesg -C").output
        bad = re.compile(r"\*ERROR\*|virtio_gpu.*(fail|timeout|timed out)|WARNING:|BUG:|Oops")
        return [line for line in text.splitlines() if bad.search(line)]

    def logs(self):
        return [self.folder / name for name in ("qemu.log", "console.log")] + self.device.logs()
