# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""How a session ends that its front-end or its renderer ruined: with one line that says why. The
listener, the next front-end and the other sessions notice nothing."""

import os
import pathlib
import platform
import random
import re
import signal
import struct

import pytest

from frontend.daemon import wait_until
from frontend.memory import DEFAULT_GPA, DEFAULT_UVA, MIB
from frontend.pixels import differences, random_bytes, rgb_only
from frontend.vhost_user import FLAG_NEED_REPLY, HEADER, VERSION
from frontend.vhost_user import HangUp, Request, receive_message
from frontend.virtio_gpu import Cmd
from frontend.vm import WANTED_PROTOCOL

TABLE = struct.Struct("=II")
REGION = struct.Struct("=QQQQ")


def region(index=0, size=MIB, gpa=None, uva=None, offset=0):
    """As it stands in a message. Regions of different indices do not touch."""
    return REGION.pack(DEFAULT_GPA + index * 16 * MIB if gpa is None else gpa, size,
                       DEFAULT_UVA + index * 16 * MIB if uva is None else uva, offset)


def table(*regions, count=None):
    return TABLE.pack(len(regions) if count is None else count, 0) + b"".join(regions)


def single(wanted):
    return struct.pack("=Q", 0) + wanted


def message(request, payload=b"", size=None, flags=VERSION):
    return HEADER.pack(request, flags, len(payload) if size is None else size) + payload


TABLE_MESSAGE = message(Request.SET_MEM_TABLE, table(region()))
SET_FEATURES = message(Request.SET_FEATURES, struct.pack("=Q", 1 << 32))

# What is sent, how many descriptors of 2 MiB files go along, and what the line says. Each is sent
# after a table of one region, and then the front-end leaves.
ENDS = {
    "nine regions": (message(Request.SET_MEM_TABLE, table(*map(region, range(9)))), 9,
                     "more than 8 descriptors in a message"),
    "nine regions, eight descriptors": (
        message(Request.SET_MEM_TABLE, table(*map(region, range(9)))), 8, "SET_MEM_TABLE failed"),
    "a descriptor too few": (message(Request.SET_MEM_TABLE, table(region(0), region(1))), 1,
                             "SET_MEM_TABLE failed"),
    "a descriptor too many": (TABLE_MESSAGE, 2, "SET_MEM_TABLE failed"),
    "no descriptor": (TABLE_MESSAGE, 0, "SET_MEM_TABLE failed"),
    "a count that lies": (message(Request.SET_MEM_TABLE, table(region(), count=2)), 2,
                          "SET_MEM_TABLE failed"),
    "a huge count": (message(Request.SET_MEM_TABLE, table(region(), count=0xFFFFFFFF)), 1,
                     "SET_MEM_TABLE failed"),
    "overlap": (message(Request.SET_MEM_TABLE, table(
        region(0), region(1, gpa=DEFAULT_GPA + 4096))), 2, "SET_MEM_TABLE failed"),
    "overlap in the front-end": (message(Request.SET_MEM_TABLE, table(
        region(0), region(1, uva=DEFAULT_UVA))), 2, "SET_MEM_TABLE failed"),
    "empty region": (message(Request.SET_MEM_TABLE, table(region(size=0))), 1,
                     "SET_MEM_TABLE failed"),
    "region behind its file": (message(Request.SET_MEM_TABLE, table(region(size=4 * MIB))), 1,
                               "SET_MEM_TABLE failed"),
    "region around the end of addresses": (message(Request.SET_MEM_TABLE, table(
        region(gpa=2**64 - 4096))), 1, "SET_MEM_TABLE failed"),
    "added over another": (message(Request.ADD_MEM_REG, single(region())), 1,
                           "ADD_MEM_REG failed"),
    "added without a descriptor": (message(Request.ADD_MEM_REG, single(region(1))), 0,
                                   "ADD_MEM_REG failed"),
    "added with two": (message(Request.ADD_MEM_REG, single(region(1))), 2, "ADD_MEM_REG failed"),
    "removed twice": (message(Request.REM_MEM_REG, single(region())) * 2, 0,
                      "REM_MEM_REG failed"),
    "cut in its header": (SET_FEATURES[:7], 0, "in the middle of a message"),
    "cut behind its header": (SET_FEATURES[:12], 0, "in the middle of a message"),
    "cut in its payload": (SET_FEATURES[:-1], 0, "in the middle of a message"),
    "cut with descriptors": (TABLE_MESSAGE[:20], 1, "in the middle of a message"),
    "a size too small": (message(Request.SET_FEATURES, struct.pack("=Q", 1 << 32), size=4), 0,
                         "SET_FEATURES failed"),
    "a size too large": (message(Request.SET_FEATURES, bytes(8), size=16)
                         + message(Request.GET_FEATURES), 0, "SET_FEATURES failed"),
    "a huge size": (message(Request.SET_FEATURES, bytes(8), size=0xFFFFFFFF), 0,
                    "not a vhost-user message"),
    "another version": (message(Request.GET_FEATURES, flags=2), 0, "not a vhost-user message"),
    "features that were not offered": (message(Request.SET_FEATURES, b"\xff" * 8), 0,
                                       "SET_FEATURES failed"),
    "a ring that is not there": (message(Request.GET_VRING_BASE, struct.pack("=II", 7, 0)), 0,
                                 "GET_VRING_BASE failed"),
}


def make_fds(count):
    fds = [os.memfd_create("region", os.MFD_CLOEXEC) for _ in range(count)]
    for fd in fds:
        os.ftruncate(fd, 2 * MIB)
    return fds


def send_with_fds(user, data, count):
    fds = make_fds(count)
    try:
        user.send_raw(data, fds)
    except HangUp:
        pass
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("case", ENDS)
def test_line_says_why(running, case):
    data, fd_count, why = ENDS[case]
    daemon = running.daemon("null")
    bystander = running.vm(daemon, headless=True)
    user = running.connect(daemon)
    user.set_protocol_features(WANTED_PROTOCOL)
    send_with_fds(user, TABLE_MESSAGE, 1)
    assert user.get_features()
    send_with_fds(user, data, fd_count)
    user.close()
    daemon.wait_log("ended with status 1")
    ends = [line for line in daemon.log().splitlines() if "connection ends" in line]
    assert len(ends) == 1 and why in ends[0], ends
    assert bystander.alive()
    assert running.vm(daemon, headless=True).alive()


def test_no_regions(running):
    """A table of none takes all memory away; the session goes on with the next one."""
    vm = running.vm(running.daemon("null"), headless=True)
    vm.user.set_mem_table([])
    assert vm.user.get_features()
    vm.user.set_mem_table(vm.memory.regions)
    assert vm.alive()


ANY_ORDER = {
    Request.GET_FEATURES: b"", Request.SET_FEATURES: struct.pack("=Q", 1 << 32 | 1 << 30),
    Request.SET_OWNER: b"", Request.RESET_OWNER: b"", Request.RESET_DEVICE: b"",
    Request.GET_PROTOCOL_FEATURES: b"", Request.GET_QUEUE_NUM: b"",
    Request.GET_MAX_MEM_SLOTS: b"", Request.GET_SHMEM_CONFIG: b"", Request.GET_STATUS: b"",
    Request.SET_STATUS: struct.pack("=Q", 7), Request.SET_MEM_TABLE: table(region()),
    Request.ADD_MEM_REG: single(region(1)), Request.REM_MEM_REG: single(region()),
    Request.SET_VRING_NUM: struct.pack("=II", 0, 16),
    Request.SET_VRING_BASE: struct.pack("=II", 0, 3),
    Request.GET_VRING_BASE: struct.pack("=II", 0, 0),
    Request.SET_VRING_ENABLE: struct.pack("=II", 0, 1),
    Request.SET_VRING_ADDR: struct.pack("=IIQQQQ", 0, 0, DEFAULT_UVA, DEFAULT_UVA + 0x1000,
                                        DEFAULT_UVA + 0x2000, 0),
    Request.SET_VRING_KICK: struct.pack("=Q", 0), Request.SET_VRING_CALL: struct.pack("=Q", 0),
    Request.SET_VRING_ERR: struct.pack("=Q", 0), Request.GET_CONFIG: struct.pack("=III", 0, 16, 0),
    Request.SET_CONFIG: struct.pack("=III4x", 4, 4, 0),
}
MEMORY_FDS = (Request.SET_MEM_TABLE, Request.ADD_MEM_REG)
EVENT_FDS = (Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR)


def send_any(user, request):
    fds = make_fds(1) if request in MEMORY_FDS else []
    if request in EVENT_FDS:
        fds = [os.eventfd(1)]
    try:
        user.send(request, ANY_ORDER[request], fds, VERSION | FLAG_NEED_REPLY)
        receive_message(user.sock)
    finally:
        for fd in fds:
            os.close(fd)


@pytest.mark.parametrize("seed", range(10))
def test_any_order(running, seed):
    """Good messages, each answered or the end, with a line; a ring may start in memory of zeros."""
    daemon = running.daemon("null")
    bystander = running.vm(daemon, headless=True)
    source = random.Random(seed)
    user = running.connect(daemon)
    user.set_protocol_features(WANTED_PROTOCOL)
    ends = 0
    for _ in range(300):
        try:
            send_any(user, source.choice(list(ANY_ORDER)))
        except HangUp:
            ends += 1
            user = running.connect(daemon)
            user.set_protocol_features(WANTED_PROTOCOL)
    assert user.get_features()
    wait_until(lambda: daemon.log().count("connection ends") == ends, "a line for each end")
    assert daemon.log().count("died") == 0
    assert bystander.alive()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGKILL])
@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_renderer_that_crashes(running, mode, number):
    """Its session dies, and the log says of what; a neighbour draws on, and the next one is served."""
    daemon = running.daemon(mode)
    daemon.may_crash = True  # a sanitizer has a handler for some, and ends the session itself
    victim = running.vm(daemon)
    pid = daemon.session_pid()
    neighbour = running.vm(daemon)
    resource = neighbour.gpu.resource(64, 64)
    resource.show(0)
    assert_shows(neighbour, resource, 1)
    victim.gpu.post(Cmd.GET_DISPLAY_INFO, room=16 * 24)
    os.kill(pid, number)
    victim.user.wait_hang_up()
    wait_until(lambda: re.search(fr"session {pid} (died of signal {int(number)} |ended with status)",
                                 daemon.log()), "the listener says so")
    assert_shows(neighbour, resource, 2)
    other = running.vm(daemon)
    resource = other.gpu.resource(64, 64)
    resource.show(0)
    assert_shows(other, resource, 3)
    daemon.wait_sessions(2)


def assert_shows(vm, resource, seed):
    resource.draw(random_bytes(seed, 4 * 64 * 64))
    resource.flush(*resource.full)
    assert not differences(rgb_only(vm.shown().pixels), resource.image.shown(), 64)


def in_write(pid):
    """Is the main thread in write()? Calls have a number, which is another one on other machines."""
    number = {"x86_64": "1", "aarch64": "64"}[platform.machine()]
    return pathlib.Path(f"/proc/{pid}/syscall").read_text("ascii").split()[0] == number


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="numbers of calls")
@pytest.mark.parametrize("how", ["hang-up", "SIGTERM"])
def test_blocked_by_its_front_end(running, how):
    """O_NONBLOCK of a call eventfd is shared. A front-end that clears it and fills the counter has a
    session that waits, but not beyond its end."""
    daemon = running.daemon("null")
    vm = running.vm(daemon)
    call_fd = vm.rings[0].call_fd
    os.set_blocking(call_fd, True)
    os.eventfd_write(call_fd, 0xFFFFFFFFFFFFFFFE)
    vm.gpu.post(Cmd.GET_DISPLAY_INFO)
    pid = daemon.session_pid()
    wait_until(lambda: in_write(pid), "a session that waits")
    other = running.vm(daemon)
    assert other.alive()
    if how == "hang-up":
        vm.hang_up()
    else:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the session")
    assert other.alive()
    assert "is ended by force" in daemon.log()
