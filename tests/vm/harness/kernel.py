# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What every guest of a run shares: the kernel, its initramfs, and how to accelerate it."""

import os
import subprocess
from pathlib import Path

GUEST_FOLDER = Path(__file__).resolve().parents[1] / "guest"


class Kernel:
    """A kernel with its initramfs in folder. Built once per run."""

    def __init__(self, folder):
        self.initramfs = folder / "initramfs"
        given = [os.environ["VDG_KERNEL"]] if "VDG_KERNEL" in os.environ else []
        self.image = self._output_of("mkinitramfs", self.initramfs, *given)
        self.accel_args = self._output_of("accel", self.image, self.initramfs).split()

    @staticmethod
    def _output_of(script, *args):
        done = subprocess.run([GUEST_FOLDER / script, *args], check=True,
                              stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def qemu_args(self, command_line):
        return ["-kernel", self.image, "-initrd", self.initramfs, "-append", command_line]
