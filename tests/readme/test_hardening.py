# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What is installed was built as meson.build says: position independent, its tables read-only from the
start, with checks of the stack and of copies."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PROGRAM = pathlib.Path(os.environ.get("VHOST_DEVICE_GPU", BUILD / "src/vhost-device-gpu"))
# These are not to be seen in a program; every compiler that knows them has to be given them.
FLAGS = ("-fcf-protection", "-fstack-clash-protection", "-fstack-protector-strong",
         "-ftrivial-auto-var-init=zero")


def readelf(path, *options):
    return subprocess.run(["readelf", "-W", *options, path], check=True, capture_output=True,
                          text=True).stdout


def build_folder():
    return next((folder for folder in PROGRAM.parents if (folder / "build.ninja").exists()), None)


def build_options():
    folder = build_folder()
    if not folder:
        pytest.skip("not built here")
    found = subprocess.run(["meson", "introspect", "--buildoptions", folder], check=True,
                           capture_output=True, text=True).stdout
    return {option["name"]: option["value"] for option in json.loads(found)}


def elf_files():
    modules = sorted(PROGRAM.parent.glob("renderer/virgl/*.so"))
    return [PROGRAM, *modules]


@pytest.mark.parametrize("path", elf_files(), ids=lambda path: path.name)
def test_tables_are_read_only(path):
    segments, dynamic = readelf(path, "-l"), readelf(path, "-d")
    assert "GNU_RELRO" in segments
    assert "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*\bNOW\b", dynamic)


@pytest.mark.parametrize("path", elf_files(), ids=lambda path: path.name)
def test_nothing_is_writable_and_code(path):
    rows = re.findall(r"^\s+(\w+) .* ([R ][W ][E ]) +0x\w+$", readelf(path, "-l"), re.M)
    assert ("GNU_STACK", "RW ") in rows
    assert not [row for row in rows if "W" in row[1] and "E" in row[1]]


def test_program_is_position_independent():
    assert re.search(r"Type:\s+DYN", readelf(PROGRAM, "-h"))
    assert re.search(r"FLAGS_1.*\bPIE\b", readelf(PROGRAM, "-d"))


def test_stack_is_checked():
    assert "__stack_chk_fail" in readelf(PROGRAM, "--dyn-syms")


def test_copies_are_checked():
    options = build_options()
    if options["optimization"] in ("0", "plain") or options["b_sanitize"] != "none":
        pytest.skip("only with optimization, and without sanitizers, which check more")
    assert re.search(r"__(memcpy|snprintf|read|fprintf)\w*_chk", readelf(PROGRAM, "--dyn-syms"))


def test_compiler_was_given_what_it_knows(tmp_path):
    build_options()
    commands = json.loads((build_folder() / "compile_commands.json").read_text())
    command = next(c["command"] for c in commands if c["file"].endswith("src/virtq/chain.c"))
    words = command.split()
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    for flag in FLAGS:
        compiler = [words[0] if words[0] != "ccache" else words[1], "-Werror", flag, "-c", source,
                    "-o", tmp_path / "empty.o"]
        if subprocess.run(compiler, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            assert flag in words
