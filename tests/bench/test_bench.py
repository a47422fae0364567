# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""vhost-user-gpu-bench, from its command line: what it says, and that what is wrong fails.

Environment: VHOST_DEVICE_GPU is the daemon, VHOST_USER_GPU_BENCH the bench. No time is looked at.
"""

import json
import os
import pathlib
import subprocess
import xml.etree.ElementTree

import pytest

DAEMON = os.path.abspath(os.environ["VHOST_DEVICE_GPU"])
BENCH = os.path.abspath(os.environ["VHOST_USER_GPU_BENCH"])
QEMU = pathlib.Path("/usr/lib/qemu/vhost-user-gpu")
LIMIT = 300  # seconds


@pytest.fixture
def bench(tmp_path):
    """Runs it with short times. Nothing is left behind, whatever the outcome."""
    folder = tmp_path / "tmp"
    folder.mkdir()

    def run(*arguments):
        done = subprocess.run([BENCH, "--rounds", "2", "--seconds", "0.05", *arguments], check=False,
                              env={**os.environ, "TMPDIR": str(folder)}, timeout=LIMIT,
                              capture_output=True, text=True)
        assert not list(folder.iterdir()), "files are left"
        return done

    return run


def mode(name):
    return f"{DAEMON} --gpu-mode {name} --socket-path {{socket}}"


def only(*items):
    return [word for item in items for word in ("--only", item)]


def check(done, status):
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_reports(bench, tmp_path):
    """Text, JSON and SVG of two daemons have the same items, values and reasons."""
    items = ["round-trip", "round-trip-busy-polling", "queue-flush", "resources",
             "frames-1280x800-pages", "damage-1280x800", "cursor-in-frames", "memory-idle", "cpu-at-rest", "four-guests", "submit-small"]
    done = check(bench(*only(*items), "--name", "one", "--name", "two", "--json", tmp_path / "r.json",
                       "--svg", tmp_path / "r.svg", mode("2d"), mode("2d")), 0)
    report = json.loads((tmp_path / "r.json").read_text())
    assert [daemon["name"] for daemon in report["daemons"]] == ["one", "two"]
    assert {work["name"] for work in report["works"]} == set(items)
    for work in report["works"]:
        for name, cell in work["daemons"].items():
            if work["name"] == "submit-small":
                assert cell == {"status": "unavailable", "reason": "it offers no VIRGL"}
                continue
            assert cell["status"] == "ok" and len(cell["samples"]) == 2
            assert cell["low_quartile"] <= cell["median"] <= cell["high_quartile"]
            if work["name"] == "cpu-at-rest":
                continue
            assert cell["median"] > 0 and cell["ratio_to_first"] > 0
            if "limit" in work:
                assert cell["share_of_limit"] > 0
            if name == "one":
                assert cell["ratio_to_first"] == 1
    assert {"two eventfd wake-ups", "memcpy of a frame, 1280x800"} <= {
        limit["name"] for limit in report["limits"]}
    for item in items:
        assert f"\n{item} " in done.stdout
    assert "- submit-small, one: it offers no VIRGL" in done.stdout
    plot = xml.etree.ElementTree.parse(tmp_path / "r.svg").getroot()
    texts = {element.text for element in plot.iter() if element.text}
    assert {"one", "two", *items} <= texts


@pytest.mark.parametrize("item", ["frames-1280x800", "damage-1280x800-pages", "start-first-frame",
                                  "four-guests"])
def test_wrong_pixels_fail(bench, item):
    """The null mode carries everything out and shows black: as fast as wrong."""
    done = check(bench(*only(item), mode("null")), 1)
    assert done.stderr.count("\n") == 1 and "wrong pixel" in done.stderr


def test_items_that_show_nothing_pass_in_null_mode(bench):
    check(bench(*only("round-trip", "queue-flush*", "resources", "*blobs", "create-10000"),
                mode("null")), 0)


@pytest.fixture
def cells(bench, tmp_path):
    """Runs items against one daemon, none of which may fail: what the JSON says of each."""
    def run(daemon, *items):
        done = check(bench(*only(*items), "--name", "it", "--json", tmp_path / "r.json", daemon), 0)
        works = json.loads((tmp_path / "r.json").read_text())["works"]
        found = {work["name"]: work["daemons"]["it"] for work in works}
        for name, cell in found.items():
            if "note" in cell:
                assert f"* {name}, it: {cell['note']}" in done.stdout
        return found

    return run


def test_limit_on_contexts_is_noted(cells):
    """As many as there are take turns, and the report says how many."""
    found = cells(f"{mode('null')} --max-contexts 3", "turns-*")
    assert {name: (cell["status"], cell.get("note")) for name, cell in found.items()} == {
        "turns-of-1-context": ("ok", None), "turns-of-500-contexts": ("ok", "it gives a guest 3 contexts")}


def test_blobs_say_whose_memory_they_are(cells):
    cell = cells(mode("null"), "blobs")["blobs"]
    assert (cell["status"], cell["note"]) == ("ok", "memory of a context that is not Venus")
    assert cells(mode("2d"), "blobs")["blobs"]["reason"] == "it offers no VIRGL"


@pytest.mark.parametrize("item", ["guest-blobs", "frames-1920x1080-blob", "damage-1920x1080-blob"])
def test_blobs_of_the_guest(cells, item):
    assert cells(mode("2d"), item)[item]["status"] == "ok"


@pytest.mark.parametrize("option, reason", [("--headless", "it shows no pixels"), ("--max-hostmem 1M", "is answered")])
def test_daemon_that_shows_nothing_or_refuses(cells, option, reason):
    """It cannot do it, which is no failure: a display for dma-bufs alone is like that."""
    for name, cell in cells(f"{mode('2d')} {option}", "start-first-frame", "frames-1280x800").items():
        assert cell["status"] == "unavailable" and reason in cell["reason"], name


@pytest.mark.parametrize("item", ["round-trip", "round-trip-busy-polling"])
def test_daemon_that_dies_fails(bench, item):
    """Within the time of a run: nothing waits for a daemon that is gone."""
    done = check(bench(*only(item), "--seconds", "20", f"timeout -s KILL 1 {mode('2d')}"), 1)
    assert f"{item}, " in done.stderr


def test_both_sides_look_at_the_rings(bench):
    check(bench(*only("round-trip*"), mode("null"), f"{mode('null')} --poll-us 1000"), 0)


STALLS = ["stall-attach", "stall-guest-blobs", "stall-stop", "stall-table-of-resources",
          "stall-reset-of-entries", "stall-2d-cursors", "stall-display-of-16-2d"]


def test_stalls(cells):
    """The longest wait, and how long all of it took."""
    for name, cell in cells(mode("2d"), *STALLS).items():
        assert cell["status"] == "ok" and cell["median"] > 0, name
        assert cell["note"].startswith("the work took "), name


def test_stalls_of_contexts(cells):
    """As many contexts as there are; and a stream that may be refused."""
    items = ["stall-context-destroys", "stall-reset-of-contexts", "stall-submit-unknown"]
    found = cells(f"{mode('null')} --max-contexts 9", *items)
    assert {name: cell["status"] for name, cell in found.items()} == dict.fromkeys(items, "ok")


@pytest.mark.parametrize("item", ["stall-2d-transfer-pages", "stall-from-host-3d"])
def test_stalls_look_at_pixels(bench, item):
    done = check(bench(*only(item), mode("null")), 1)
    assert "wrong pixel" in done.stderr


def test_daemon_that_refuses_to_stall(cells):
    cell = cells(f"{mode('2d')} --max-backing 1000", "stall-attaches")["stall-attaches"]
    assert cell == {"status": "unavailable", "reason": "command 0x0106 is answered 0x1201"}


@pytest.mark.parametrize("command", ["false {socket}", "/nowhere/at-all {socket}"])
def test_daemon_that_does_not_start_fails(bench, command):
    done = check(bench(*only("round-trip"), command), 1)
    assert "it does not start" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["daemon"], ["'{socket}"], ["--rounds", "0", "d {socket}"],
                                       ["--only", "nothing*", "d {socket}"], ["--seconds", "nan", "d {socket}"]])
def test_wrong_arguments(bench, arguments):
    done = check(bench(*arguments), 2)
    assert done.stderr.count("\n") == 1 and not done.stdout


def test_list(bench):
    names = [line.split()[0] for line in check(bench("--list"), 0).stdout.splitlines()]
    assert len(set(names)) == len(names) and {"round-trip", "virgl-frames-1920x1080"} <= set(names)
    some = check(bench("--list", "--only", "frames-*"), 0).stdout.splitlines()
    assert 0 < len(some) < len(names)
    assert "stall-attaches" in names


@pytest.mark.skipif(not QEMU.exists(), reason="QEMU's vhost-user-gpu is not installed")
@pytest.mark.parametrize("options", [[], ["--no-event-idx"]])
def test_qemus_daemon(bench, tmp_path, options):
    """It serves one front-end, and has no GL without a GPU."""
    items = ["round-trip", "frames-1280x800", "damage-1280x800-pages", "cursor-in-frames",
             "memory-2d", "four-guests"]
    check(bench(*only(*items), *options, "--json", tmp_path / "r.json", f"{QEMU} -s {{socket}}"), 0)
    works = json.loads((tmp_path / "r.json").read_text())["works"]
    status = {work["name"]: work["daemons"]["vhost-user-gpu"]["status"] for work in works}
    assert status.pop("four-guests") == "unavailable"
    assert set(status.values()) == {"ok"}
