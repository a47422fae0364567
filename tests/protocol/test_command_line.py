# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The program around the protocol: its options, its socket, and how it refuses."""

import json
import os
import re
import socket
import subprocess

import pytest

from frontend.daemon import wait_until, why_mode_not
from frontend.vhost_user import VhostUser


@pytest.fixture
def run(program, tmp_path):
    """Run the program to its end in an empty directory. Returns the finished process."""
    def start(*args):
        return subprocess.run([program, *map(str, args)], cwd=tmp_path, capture_output=True,
                              text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    return start


def assert_refused(result, *words):
    """A non-zero status and one clear line."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert result.returncode not in (0, None) and result.returncode > 0, result
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0], lines[0]


def test_help_and_version(run):
    for option in ("-h", "--help"):
        result = run(option)
        assert result.returncode == 0
        for name in ("--socket-path", "--gpu-mode", "--capset", "--fd", "--once"):
            assert name in result.stdout
    assert run("-V").stdout == run("--version").stdout
    assert any(character.isdigit() for character in run("--version").stdout)


def test_limits_are_documented(run):
    """docs/security.md has a row for each limit, with its default."""
    group = run("--help").stdout.partition("Limits of one guest:")[2].partition("\n\n")[0]
    limits = re.findall(r"(--\S+) .*\[(\w+)\]$", group, re.MULTILINE)
    assert len(limits) >= 9
    path = os.path.join(os.path.dirname(__file__), "../../docs/security.md")
    with open(path, encoding="utf-8") as text:
        rows = dict(re.findall(r"^\| `(--\S+)` \| (\w+)", text.read(), re.MULTILINE))
    assert rows == dict(limits)


def test_print_capabilities(run):
    """What libvirt reads before it starts the program; the array is required."""
    result = run("--print-capabilities")
    assert result.returncode == 0
    capabilities = json.loads(result.stdout)
    assert capabilities["type"] == "gpu"
    assert isinstance(capabilities["features"], list)
    if not os.path.isdir("/dev/dri"):
        assert "render-node" not in capabilities["features"]


REFUSALS = {
    "no socket": ((), ()),
    "unknown option": (("-s", "s", "--what"), ("what",)),
    "unknown mode": (("-s", "s", "-g", "opengl"), ("opengl", "virglrenderer", "2d", "null")),
    "unknown capset": (("-s", "s", "-g", "virglrenderer", "-c", "virgl3"), ("virgl3", "virgl2")),
    "capset of another mode": (("-s", "s", "-g", "2d", "-c", "virgl"), ("virgl",)),
    "bad boolean": (("-s", "s", "--use-egl=maybe"), ("maybe",)),
    "bad number": (("-s", "s", "--max-sessions", "many"), ("many",)),
    "negative number": (("-s", "s", "--max-sessions", "-1"), ("-1",)),
    "bad size": (("-s", "s", "--max-hostmem", "12Q"), ("12Q",)),
    "bad fd": (("--fd", "999"), ("999",)),
    "fd that is no socket": (("--fd", "0"), ()),
    "two transports": (("--fd", "0", "-s", "s"), ()),
    "missing value": (("-s",), ()),
    "stray word": (("-s", "s", "stray"), ("stray",)),
    "socket in no directory": (("-s", "none/s", "-g", "null"), ("none/s",)),
    "socket path too long": (("-s", "x" * 200, "-g", "null"), ()),
    "render node that is not there": (("-s", "s", "-g", "virglrenderer", "--gpu-device",
                                       "/nonexistent"), ("/nonexistent",)),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(run, tmp_path, case):
    args, words = REFUSALS[case]
    assert_refused(run(*args), *words)
    assert os.listdir(tmp_path) == [], "nothing is left behind"


# What is said to the mode gfxstream, on a library that has cross-domain only.
GFXSTREAM_REFUSALS = {
    "unknown capset": (("-c", "magma"), ("magma", "cross-domain")),
    "capset of another mode": (("-c", "venus"), ("venus", "virglrenderer")),
    "gles without gles": (("-c", "gfxstream-gles", "--use-gles=false"), ("--use-gles",)),
    "channel without a type": (("--channel", "/run/w"), ("TYPE=PATH", "/run/w")),
    "channel of no type": (("--channel", "way=/run/w"), ("TYPE=PATH", "wayland")),
    "channel without a path": (("--channel", "wayland="), ("no path",)),
    "channel twice": (("--channel", "wayland=/a", "--channel", "wayland=/b"), ("twice",)),
    "channel path too long": (("--channel", "wayland=/" + "x" * 107), ("no path",)),
    "channel without its capset": (("-c", "gfxstream-vulkan", "--channel", "wayland=/a"),
                                   ("cross-domain",)),
    "a GPU of choice": (("--gpu-device", "/dev/null"), ("--gpu-device",)),
}


@pytest.fixture
def has_gfxstream(running):
    """The mode is built, or the test is skipped."""
    running.daemon("gfxstream")


@pytest.fixture
def lacks_gfxstream(has_gfxstream, program, tmp_path):
    """The library was built without gfxstream, as 0.1.3 of the crates registry is."""
    for capset in ("gfxstream-vulkan", "gfxstream-gles"):
        if not why_mode_not(program, tmp_path, "gfxstream", "-c", capset):
            pytest.skip(f"{capset} starts here")


@pytest.mark.parametrize("args", [("-c", "gfxstream-gles"), ("-c", "cross-domain,gfxstream-gles")])
def test_capset_that_the_library_lacks(lacks_gfxstream, run, args):
    assert_refused(run("-s", "s", "-g", "gfxstream", *args), "no renderer starts: gfxstream")


@pytest.mark.parametrize("case", GFXSTREAM_REFUSALS)
def test_gfxstream_refusals(has_gfxstream, run, case):
    args, words = GFXSTREAM_REFUSALS[case]
    assert_refused(run("-s", "s", "-g", "gfxstream", *args), *words)


def test_gfxstream_vulkan_is_not_there(lacks_gfxstream, run):
    """Asked for by name, it has to be there. What is missing first may be the host's Vulkan."""
    assert_refused(run("-s", "s", "-c", "gfxstream-vulkan"), "no renderer starts: gfxstream")


def test_gfxstream_falls_back(lacks_gfxstream, running):
    """Not asked for by name, it is cross-domain that starts, and the log says what did not."""
    daemon = running.daemon("gfxstream")
    assert running.connect(daemon).get_features()
    lines = [line for line in daemon.log().splitlines() if "mode gfxstream" in line]
    assert len(lines) == 1 and "not all of gfxstream starts: " in lines[0]


def test_channel_decides_the_mode(has_gfxstream, running, tmp_path):
    daemon = running.daemon(None, "--channel", f"wayland={tmp_path / 'w'}")
    assert running.connect(daemon).get_features()
    assert "mode gfxstream" in daemon.log()


def test_socket_in_use(running, run):
    """A live socket is not taken away."""
    daemon = running.daemon("null")
    assert_refused(run("-s", daemon.socket_path, "-g", "null"), daemon.socket_path)
    assert running.connect(daemon).get_features()


def test_path_that_is_no_socket(run, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    assert_refused(run("-s", path, "-g", "null"), str(path))
    assert path.read_text() == "data"


def test_stale_socket_is_replaced(running, program, tmp_path):
    """What a killed daemon left behind."""
    path = tmp_path / "daemon0" / "gpu.sock"
    path.parent.mkdir()
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(path))
    stale.close()
    process = subprocess.Popen([program, "-s", path, "-g", "null"], stderr=subprocess.DEVNULL)
    try:
        def served():
            try:
                user = VhostUser.connect(path)
            except OSError:
                return False
            return bool(user.get_features()) and user.close() is None
        wait_until(served, "the new daemon serves")
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert not path.exists()


@pytest.mark.parametrize("args", [("--use-egl", "true"), ("--use-egl=true", "--use-glx=false"),
                                  ("--use-surfaceless", "true", "--use-gles", "false"),
                                  ("--log-level", "debug"), ("--max-hostmem", "1G"),
                                  ("--max-sessions=3",)])
def test_spellings(running, args):
    """Booleans with = or as the next word, as the scripts of the older daemon have them."""
    assert running.connect(running.daemon("null", *args)).get_features()


def test_mode_is_chosen_and_told(running):
    """Without -g the best mode that starts is used, and a line says which."""
    daemon = running.daemon(None)
    assert running.connect(daemon).get_features()
    assert any(mode in daemon.log() for mode in ("virglrenderer", "2d", "null"))


def test_virgl_option(running, run):
    """--virgl means -g virglrenderer."""
    if "virgl" not in json.loads(run("--print-capabilities").stdout)["features"]:
        pytest.skip("virglrenderer does not start here")
    user = running.connect(running.daemon(None, "--virgl"))
    assert user.get_features() & 1
