# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What README says is true: messages that it quotes are ones that the program can print, what it says
to install is what scripts/lib/packages.sh installs, and libvirt finds the program where it is put."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
# Of QEMU, the guest's kernel and Mesa, or no message at all.
NOT_OURS = ("requires kvm", "Failed to map memory", "features: -virgl", "llvmpipe", "Failed to connect",
            "+virgl", "vulkaninfo", "out of memory")
SHORTEST_PIECE = 4


def quoted_messages():
    rows = re.findall(r"^\| (.+?) \|", README.split("## When it does not work")[1], re.M)[2:]
    quotes = [quote for row in rows for quote in re.findall(r"`([^`]+)`", row)]
    return [quote for quote in quotes if not any(word in quote for word in NOT_OURS)]


def literal_pieces():
    """The parts of all string literals of src/ that stand between conversions."""
    pieces = set()
    for path in (ROOT / "src").rglob("*.[ch]"):
        for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', path.read_text()):
            pieces.update(re.split(r"%[-#0-9.*]*(?:l|z|h)*[a-zA-Z]", literal))
    return {piece for piece in pieces if len(piece.strip()) >= SHORTEST_PIECE}


@pytest.mark.parametrize("message", quoted_messages())
def test_message_can_be_printed(message):
    """Most of its letters come out of literals of the sources; what is left is what they fill in."""
    pieces = literal_pieces()
    for part in message.split("…"):
        if any(part.strip() in piece for piece in pieces):
            continue
        left = part
        for piece in sorted(pieces, key=len, reverse=True):
            left = left.replace(piece, "")
        assert len(left.strip()) <= len(part) / 2, f"{part!r}: no literal has {left!r}"


def test_there_are_messages():
    assert len(quoted_messages()) >= 3


def test_packages_are_those_of_the_scripts():
    (command,) = re.findall(r"sudo apt install ((?:.|\\\n)+?)\n    meson", README)
    named = set(command.replace("\\\n", " ").split())
    lists = (ROOT / "scripts/lib/packages.sh").read_text()
    build = set(re.search(r"BUILD_PACKAGES=\(([^)]*)\)", lists).group(1).split())
    guest = set(re.search(r"GUEST_PACKAGES=\(([^)]*)\)", lists).group(1).split())
    assert named <= build | guest
    # What the build needs beyond them comes along with these.
    assert build - named <= {"libepoxy-dev", "libegl-dev", "libgbm-dev"}
    assert {"libegl1", "libegl-mesa0", "libgl1", "libgl1-mesa-dri"} <= named


@pytest.mark.parametrize("prefix, folder", [("/usr", "usr/share/qemu/vhost-user"),
                                            ("/usr/local", "etc/qemu/vhost-user")])
def test_libvirt_finds_the_program(tmp_path, prefix, folder):
    """libvirt looks below /usr and /etc, whatever the prefix."""
    build = tmp_path / "build"
    subprocess.run(["meson", "setup", build, ROOT, f"--prefix={prefix}"], check=True,
                   stdout=subprocess.DEVNULL)
    installed = subprocess.run(["meson", "introspect", "--installed", build], check=True,
                               capture_output=True, text=True).stdout
    assert f'"/{folder}/40-vhost-device-gpu.json"' in installed
    assert f'"{prefix}/bin/vhost-device-gpu"' in (
        build / "data/40-vhost-device-gpu.json").read_text()
