# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""make_venv of scripts/lib/python.sh: what a failed pip leaves is not taken for an environment."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAKE_VENV = """
set -euo pipefail
. "$1/scripts/lib/common.sh"
ROOT=$2
. "$1/scripts/lib/python.sh"
PYTHON_PACKAGES=(./no-such-package)
make_venv
"""


def make_venv(directory):
    return subprocess.run(["bash", "-c", MAKE_VENV, "test", ROOT, directory], check=False,
                          capture_output=True).returncode


def test_failed_pip_leaves_nothing(tmp_path):
    (tmp_path / "build").mkdir()
    assert make_venv(tmp_path) != 0
    assert list((tmp_path / "build").iterdir()) == []


def test_rest_of_an_interrupted_run_is_removed(tmp_path):
    program = tmp_path / "build/venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    assert make_venv(tmp_path) != 0
    assert not program.exists()
