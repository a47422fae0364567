# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The monitor that bench/guests gives a guest says what it should, as a kernel reads it."""

import importlib.util
import pathlib

import pytest

PATH = pathlib.Path(__file__).parents[1] / "vm/harness/edid.py"
SPEC = importlib.util.spec_from_file_location("edid", PATH)
edid = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(edid)


def read_timing(data):
    """Width, height, and Hz, of a detailed timing descriptor (E-EDID 1.4, table 3.21)."""
    width, columns = (data[2 + i] | (data[4] >> shift & 15) << 8 for i, shift in ((0, 4), (1, 0)))
    height, rows = (data[5 + i] | (data[7] >> shift & 15) << 8 for i, shift in ((0, 4), (1, 0)))
    clock = int.from_bytes(data[:2], "little") * 10000
    return width, height, clock / (width + columns) / (height + rows)


@pytest.mark.parametrize("size", [(1024, 768), (1280, 800), (1920, 1080), (3840, 2160)])
def test_monitor(size):
    block = edid.make_edid(*size)
    assert len(block) == 128 and block[:8] == b"\0\xff\xff\xff\xff\xff\xff\0" and sum(block) % 256 == 0
    timings = [read_timing(block[54:72]), read_timing(block[72:90])]
    assert [timing[:2] for timing in timings] == [(1024, 768), size]
    assert all(59.9 < timing[2] <= 60 for timing in timings)
