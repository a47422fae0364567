# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Messages that no sane front-end sends. The session may end; the daemon and other sessions may
not, and no file descriptor may stay open."""

import os
import select
import socket
import struct
import time

import pytest

from frontend.daemon import fd_count, wait_until
from frontend.vhost_user import FLAG_NEED_REPLY, FLAG_REPLY, HEADER, VERSION
from frontend.vhost_user import BackendChannel, HangUp, ProtocolError, Refused, Request
from frontend.vm import WANTED_PROTOCOL

FD_REQUESTS = (Request.SET_MEM_TABLE, Request.ADD_MEM_REG, Request.SET_VRING_KICK,
               Request.SET_VRING_CALL, Request.SET_VRING_ERR, Request.SET_BACKEND_REQ_FD,
               Request.GPU_SET_SOCKET, Request.SET_LOG_BASE, Request.SET_LOG_FD)
PLAIN_REQUESTS = (Request.SET_OWNER, Request.SET_FEATURES, Request.SET_VRING_NUM,
                  Request.SET_VRING_ADDR, Request.SET_VRING_ENABLE, Request.RESET_DEVICE)


@pytest.fixture
def daemon(running):
    return running.daemon("null")


@pytest.fixture
def bystander(running, daemon):
    """Another guest on the same daemon, checked at the end of each test."""
    vm = running.vm(daemon, headless=True)
    yield vm
    assert vm.alive()


@pytest.fixture
def user(running, daemon, bystander):
    user = running.connect(daemon)
    user.set_protocol_features(WANTED_PROTOCOL)
    return user


def tolerate(action, *arguments, **options):
    """Run something that the back-end may accept, refuse, or answer by hanging up."""
    try:
        action(*arguments, **options)
    except (HangUp, Refused, ProtocolError):
        pass


def many_fds(count):
    return [os.memfd_create("unwanted", os.MFD_CLOEXEC) for _ in range(count)]


def close_all(fds):
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("length", [1, 4, 11, 12, 15])
def test_partial_message_then_silence_then_hang_up(daemon, user, length):
    """Half a message blocks nobody else; the session ends when its front-end does."""
    message = HEADER.pack(Request.SET_FEATURES, VERSION, 8) + bytes(8)
    user.send_raw(message[:length])
    user.close()
    daemon.wait_sessions(1)


def test_message_in_single_bytes(user):
    message = HEADER.pack(Request.GET_FEATURES, VERSION, 0)
    for i in range(len(message)):
        user.send_raw(message[i:i + 1])
    assert struct.unpack("=Q", user.get_reply(Request.GET_FEATURES, 8))[0]


def test_many_messages_in_one_write(user):
    """More answers than a socket buffer holds, and nobody reads them for a while."""
    count = 20000
    request = HEADER.pack(Request.GET_FEATURES, VERSION, 0)
    user.sock.setblocking(False)
    data = memoryview(request * count)
    answers = bytearray()
    deadline = time.monotonic() + 20
    while len(answers) < count * 20:
        assert time.monotonic() < deadline, f"{len(answers)} of {count * 20} bytes"
        if data:
            try:
                data = data[user.sock.send(data):]
                continue
            except BlockingIOError:
                pass
        try:
            answers += user.sock.recv(1 << 16)
        except BlockingIOError:
            time.sleep(0.001)
    assert answers == answers[:20] * count


@pytest.mark.parametrize("size", [257, 4096, 1 << 16, 1 << 24, 1 << 31, 0xFFFFFFFF])
def test_oversized(user, size):
    """A size that no message has ends the session at once, without a wait for the bytes."""
    user.send_raw(HEADER.pack(Request.SET_FEATURES, VERSION | FLAG_NEED_REPLY, size))
    tolerate(user.send_raw, bytes(min(size, 4096)))
    tolerate(user.send, Request.GET_FEATURES)
    tolerate(user.receive)


def test_wrong_sizes(running, daemon, user):
    """Each message too short and too long by a byte: refused or the end, never accepted."""
    sizes = {Request.SET_FEATURES: 8, Request.SET_VRING_NUM: 8, Request.SET_VRING_ADDR: 40,
             Request.SET_VRING_BASE: 8, Request.GET_VRING_BASE: 8, Request.SET_VRING_ENABLE: 8,
             Request.SET_VRING_KICK: 8, Request.SET_MEM_TABLE: 8, Request.ADD_MEM_REG: 40,
             Request.REM_MEM_REG: 40, Request.GET_CONFIG: 12, Request.SET_CONFIG: 12}
    for request, right in sizes.items():
        for size in (0, right - 1):
            user = running.connect(daemon)
            user.set_protocol_features(WANTED_PROTOCOL)
            user.send(request, bytes(size), flags=VERSION | FLAG_NEED_REPLY)
            try:
                answer = user.receive()
            except HangUp:
                pass
            else:
                assert answer.payload != bytes(8), f"{request!r} of {size} bytes was accepted"
                assert user.get_features()
            user.close()


@pytest.mark.parametrize("flags", [0, 2, 3, VERSION | FLAG_REPLY, 0xFFFFFFFF])
def test_wrong_flags(user, flags):
    user.send(Request.GET_FEATURES, flags=flags)
    tolerate(user.receive)


@pytest.mark.parametrize("request_number", FD_REQUESTS)
def test_missing_fd(user, request_number):
    payload = {Request.SET_MEM_TABLE: struct.pack("=IIQQQQ", 1, 0, 0, 4096, 0, 0),
               Request.ADD_MEM_REG: struct.pack("=QQQQQ", 0, 0, 4096, 0, 0)}
    user.send(request_number, payload.get(request_number, bytes(8)),
              flags=VERSION | FLAG_NEED_REPLY)
    try:
        assert user.get_reply(request_number, 8) != bytes(8)
    except HangUp:
        pass


def test_too_many_fds_never_leak(running, daemon, bystander):
    """200 rounds of messages with fds that nobody wants."""
    user = running.connect(daemon)
    user.set_protocol_features(WANTED_PROTOCOL)
    assert user.get_features(), "the session is up, with all its own descriptors"
    daemon.wait_sessions(2)
    other = fd_total(daemon)
    fds = many_fds(8)
    for turn in range(200):
        request = (*PLAIN_REQUESTS, *FD_REQUESTS)[turn % (len(PLAIN_REQUESTS) + len(FD_REQUESTS))]
        size = 40 if request == Request.SET_VRING_ADDR else 0 if turn % 3 else 8
        try:
            user.send(request, bytes(size), fds[:1 + turn % 8], VERSION | FLAG_NEED_REPLY)
            user.receive()
        except HangUp:
            user.close()
            user = running.connect(daemon)
            user.set_protocol_features(WANTED_PROTOCOL)
    close_all(fds)
    assert user.get_features()
    daemon.wait_sessions(2)
    kept = len(("kick", "call", "err", "back-end channel"))  # of what was sent, these may be in use
    assert fd_total(daemon) <= other + kept, "descriptors stay open"


def fd_total(daemon):
    return sum(fd_count(pid) for pid in daemon.sessions())


def test_repeated_fds_never_leak(running, daemon):
    """Kick, call, error fds and memory tables replaced 200 times in one session."""
    vm = running.vm(daemon)
    vm.sync()
    session = daemon.session_pid()
    before = fd_count(session)
    for _ in range(200):
        for index, ring in enumerate(vm.rings):
            vm.user.set_vring_kick(index, ring.kick_fd)
            vm.user.set_vring_call(index, ring.call_fd)
            vm.user.set_vring_err(index, ring.call_fd)
            vm.user.set_vring_err(index, None)
        vm.user.set_mem_table(vm.memory.regions)
    assert vm.alive()
    assert fd_count(session) <= before


def test_sessions_leave_no_fds_in_the_listener(running, daemon):
    vm = running.vm(daemon)
    vm.hang_up()
    daemon.wait_sessions(0)
    before = fd_count(daemon.pid)
    for _ in range(20):
        user = running.connect(daemon)
        assert user.get_features()
        user.close()
    daemon.wait_sessions(0)
    wait_until(lambda: fd_count(daemon.pid) <= before, "fds of the listener are closed")


MEMORY_CASES = {
    "no regions": (0, []),
    "more regions than fds": (2, [(0, 4096, 0, 0)] * 2),
    "count beyond the message": (0xFFFFFFFF, [(0, 4096, 0, 0)]),
    "size zero": (1, [(0, 0, 0, 0)]),
    "address overflow": (1, [(2**64 - 4096, 8192, 0, 0)]),
    "offset overflow": (1, [(0, 4096, 0, 2**64 - 4096)]),
    "huge size": (1, [(0, 2**63, 0, 0)]),
    "beyond the file": (1, [(0, 1 << 40, 0, 0)]),
    "odd offset": (1, [(0, 4096, 0, 123)]),
}


@pytest.mark.parametrize("case", MEMORY_CASES)
def test_bad_memory_table(user, case):
    count, regions = MEMORY_CASES[case]
    fd = many_fds(1)
    os.ftruncate(fd[0], 8192)
    payload = struct.pack("=II", count, 0) + b"".join(struct.pack("=QQQQ", *r) for r in regions)
    tolerate(user.tell, Request.SET_MEM_TABLE, payload, fd)
    for region in regions[:1]:
        tolerate(user.tell, Request.ADD_MEM_REG, struct.pack("=QQQQQ", 0, *region), fd)
    close_all(fd)


RING_CASES = {
    "index": (Request.SET_VRING_NUM, struct.pack("=II", 2, 64)),
    "huge index": (Request.SET_VRING_BASE, struct.pack("=II", 0xFFFFFFFF, 0)),
    "size zero": (Request.SET_VRING_NUM, struct.pack("=II", 0, 0)),
    "size 65536": (Request.SET_VRING_NUM, struct.pack("=II", 0, 65536)),
    "address index": (Request.SET_VRING_ADDR, struct.pack("=IIQQQQ", 99, 0, 0, 0, 0, 0)),
    "enable index": (Request.SET_VRING_ENABLE, struct.pack("=II", 7, 1)),
    "kick index": (Request.SET_VRING_KICK, struct.pack("=Q", 0xFF)),
}


@pytest.mark.parametrize("case", RING_CASES)
def test_bad_ring_set_up(user, case):
    request, payload = RING_CASES[case]
    fds = many_fds(1) if request == Request.SET_VRING_KICK else []
    try:
        assert user.acknowledged(request, payload, fds) != 0
    except HangUp:
        pass
    close_all(fds)


def test_ring_outside_of_memory(running, daemon):
    """Addresses that are no guest memory: refused, or the ring does not start."""
    vm = running.vm(daemon, start=False, headless=True)
    vm.user.set_features(vm.features)
    vm.user.set_mem_table(vm.memory.regions)
    vm.user.set_vring_num(0, 64)
    tolerate(vm.user.set_vring_addr, 0, 0x1000, 0x2000, 0x3000)
    tolerate(vm.user.set_vring_kick, 0, vm.rings[0].kick_fd)
    tolerate(vm.user.set_vring_enable, 0, True)
    vm.rings[0].kick()
    tolerate(vm.user.get_features)


def odd_fd(kind):
    """A descriptor that is no eventfd and no socket, and what to close at the end."""
    if kind == "zero":
        fd = os.open("/dev/zero", os.O_RDWR | os.O_CLOEXEC)
        return fd, [fd]
    if kind == "socket":
        ours, theirs = socket.socketpair()
        return ours.detach(), [theirs.detach()]
    if kind == "semaphore":
        fd = os.eventfd(1 << 31, os.EFD_SEMAPHORE)
        return fd, [fd]
    if kind == "epoll":
        inner = os.eventfd(1)
        epoll = select.epoll()
        epoll.register(inner, select.EPOLLIN)
        fd = os.dup(epoll.fileno())
        epoll.close()
        return fd, [fd, inner]
    if kind == "file":
        fd = os.memfd_create("odd", os.MFD_CLOEXEC)
        return fd, [fd]
    reader, writer = os.pipe()
    if kind == "closed pipe":
        os.close(writer)
        return reader, [reader]
    return (reader, [reader, writer]) if kind == "reader" else (writer, [reader, writer])


NO_EVENTFDS = ("file", "closed pipe", "reader", "writer", "zero", "socket")
ENDLESS = ("semaphore", "epoll")  # anonymous like an eventfd, but readable for ever


@pytest.mark.parametrize("request_number, kind", [
    *((request, kind) for request in (Request.SET_VRING_KICK, Request.SET_VRING_CALL,
                                      Request.SET_VRING_ERR) for kind in NO_EVENTFDS),
    *((Request.SET_VRING_KICK, kind) for kind in ENDLESS)])
def test_vring_fd_that_is_no_eventfd(running, daemon, bystander, request_number, kind):
    """Refused; who asks for no answer is told by the end of the session, and the log. One of these as
    a kick kept a core busy."""
    vm = running.vm(daemon)
    fd, to_close = odd_fd(kind)
    payload = struct.pack("=Q", 0)
    assert vm.user.acknowledged(request_number, payload, [fd]) != 0
    assert vm.alive()
    vm.user.send(request_number, payload, [fd])
    vm.user.wait_hang_up()
    close_all(to_close)
    daemon.wait_log("ended with status 1")
    assert "no eventfd" in daemon.log()
    assert f"{request_number.name} failed" in daemon.log()


@pytest.mark.parametrize("kind", [*NO_EVENTFDS, *ENDLESS])
def test_odd_fds(running, daemon, bystander, kind):
    """Files and pipes in place of eventfds and sockets: no crash, no write that blocks, no spin."""
    vm = running.vm(daemon)
    fd, to_close = odd_fd(kind)
    tolerate(vm.user.set_vring_kick, 0, fd)
    tolerate(vm.user.set_vring_call, 0, fd)
    tolerate(vm.user.set_vring_err, 0, fd)
    tolerate(vm.user.set_backend_req_fd, fd)
    tolerate(vm.user.gpu_set_socket, fd)
    tolerate(vm.user.set_vring_enable, 0, True)
    for _ in range(20):
        tolerate(vm.user.get_features)
    close_all(to_close)
    tolerate(vm.user.get_features)


def test_call_fd_that_is_full(running, daemon):
    """An eventfd at its limit would block a careless writer for ever."""
    vm = running.vm(daemon)
    os.eventfd_write(vm.rings[0].call_fd, 2**64 - 2)
    chain = vm.gpu.post(0x0100, room=384)
    vm.rings[0].spin(chain, vm.user.get_features)
    assert vm.alive()


def test_ring_without_notifications(running, daemon):
    """SET_VRING_CALL without an fd: a driver that polls."""
    vm = running.vm(daemon)
    vm.user.set_vring_call(0, None)
    chain = vm.gpu.post(0x0100, room=384)
    vm.rings[0].spin(chain, vm.user.get_features)
    vm.user.set_vring_call(0, vm.rings[0].call_fd)
    assert vm.alive()


def test_fds_in_the_middle_of_a_message(user):
    """Ancillary data that comes with a later part of a message belongs to that message."""
    fd = os.eventfd(0)
    message = HEADER.pack(Request.SET_VRING_CALL, VERSION | FLAG_NEED_REPLY, 8) + bytes(8)
    user.send_raw(message[:12])
    user.send_raw(message[12:], [fd])
    tolerate(user.get_reply, Request.SET_VRING_CALL, 8)
    os.close(fd)


def test_back_end_channel_that_hangs_up(running, daemon):
    vm = running.vm(daemon)
    channel = BackendChannel()
    channel.give(vm.user)
    channel.close()
    assert vm.alive()
    second = BackendChannel()
    second.give(vm.user)
    second.sock.sendall(b"\xff" * 100)
    tolerate(vm.alive)
    second.close()


def test_get_vring_base_of_no_ring(user):
    user.send(Request.GET_VRING_BASE, struct.pack("=II", 5, 0))
    tolerate(user.receive)


def test_random_bytes(running, daemon, bystander):
    for seed in range(30):
        user = running.connect(daemon)
        tolerate(user.send_raw, struct.pack("=III", seed + 1, VERSION | FLAG_NEED_REPLY, seed * 4)
                 + os.urandom(seed * 4))
        user.close()
    daemon.wait_sessions(1)
