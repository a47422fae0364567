# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""README's section "By hand" builds and starts the daemon on a Debian that has nothing else."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent


def is_debian():
    release = pathlib.Path("/etc/os-release")
    return release.exists() and "\nID=debian\n" in "\n" + release.read_text()


@pytest.mark.skipif(os.getuid() != 0, reason="needs to be root, for debootstrap and chroot")
@pytest.mark.skipif(not is_debian(), reason="makes the root from Debian's archive")
@pytest.mark.skipif(not shutil.which("debootstrap"), reason="debootstrap is not installed")
def test_commands_work_on_a_bare_debian():
    done = subprocess.run([HERE / "bare-root"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    # What draws is found, with no more than README installs; by default only where it is safe.
    modes = re.findall(r"mode (\w+) is the best that starts here; (.*)", done.stdout)
    assert modes[-1][0] == "virglrenderer" and "EGL" in modes[-1][1], done.stdout[-2000:]
    if len(modes) > 1:
        assert modes[0][0] == "2d" and "--unsafe-old-virglrenderer" in modes[0][1]
