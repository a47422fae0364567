# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Soak: the same thing very often, and faults at moments that a seed chooses.

Environment: as of tests/protocol and tests/vm, whose fixtures are used here. VDG_SOAK=full has the full
lengths, hours of it; without it each test is short. VDG_SOAK_REPORT names a file to which the
figures are appended.
"""

import importlib.util
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "protocol"), str(TESTS / "vm"), str(TESTS / "soak")]


def load(name):
    """The conftest of another suite as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"{name}_conftest", TESTS / name / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROTOCOL, VM = load("protocol"), load("vm")
program, running, start_vm = PROTOCOL.program, PROTOCOL.running, PROTOCOL.start_vm
fixture_logs, fixture_kernel, fixture_machines = (
    VM.fixture_logs, VM.fixture_kernel, VM.fixture_machines)


def pytest_addoption(parser):
    PROTOCOL.pytest_addoption(parser)


def pytest_configure(config):
    config.addinivalue_line("markers", "guest: boots a guest in QEMU")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, "report_" + report.when, report)
    if report.failed:
        item.stash[VM.FAILED] = True
    VM.excuse_qemu(report, call)
    return report


@pytest.fixture
def length():
    """length(short, full): how often."""
    return lambda short, full: full if os.environ.get("VDG_SOAK") == "full" else short


@pytest.fixture
def figures(request):
    """figures(text): a line of what was measured."""
    def say(text):
        line = f"{request.node.name}: {text}"
        print(line)
        if "VDG_SOAK_REPORT" in os.environ:
            with open(os.environ["VDG_SOAK_REPORT"], "a", encoding="utf-8") as report:
                report.write(line + "\n")
    return say
