# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What a guest or a front-end can put into the log: no line that looks like the program's own, and few."""

import re
import socket
import struct

import pytest

from frontend import virgl
from frontend.display import Display
from frontend.patience import PATIENCE
from frontend.vhost_user import Request
from frontend.virtio_gpu import require

OF_LISTENER = re.compile(r"^vhost-device-gpu: \w+: (?!session \d+: (?!a front-end))", re.MULTILINE)

NAME = b"x\nvhost-device-gpu: error: forged\x1b[2K\r\x9b\xff\xc2\x9b\xe2\x80\xae"


def log_bytes(daemon):
    daemon.settle()
    with open(daemon.log_path, "rb") as log:
        return log.read()


def test_context_name(running):
    """The library prints it with each complaint about a command stream."""
    daemon = running.daemon("virglrenderer", "--log-level", "debug")
    vm = running.vm(daemon)
    require(vm.gpu.ctx_create(1, name=NAME))
    vm.gpu.submit_3d(1, virgl.create_surface(1, 999, 2))
    vm.user.get_features()
    text = log_bytes(daemon)
    assert b"forged" in text, "the name is not printed, so that nothing was tested"
    for line in text.split(b"\n"):
        assert not line or line.startswith(b"vhost-device-gpu: "), line
        assert not line.startswith(b"vhost-device-gpu: error: forged"), line
        assert all(byte >= 0x20 and byte != 0x7F for byte in line), line
        line.decode()
    assert "\x9b" not in text.decode()


FLOOD = 200
MOST_LINES = 60  # of two or three kinds, where the interval of five seconds may end meanwhile


def display_pair(vm):
    """Our end of a new display socket, which the session has taken."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    vm.user.gpu_set_socket(theirs.fileno())
    theirs.close()
    vm.user.get_features()
    return ours


def wait_hang_up(sock):
    """What was sent before is read away; an end that had unread bytes is a reset."""
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        pass


def replace_display(vm, _daemon):
    with display_pair(vm):
        pass


def spoil_display(vm, _daemon):
    """Until the session hangs up."""
    with display_pair(vm) as ours:
        ours.send(bytes(64))
        wait_hang_up(ours)


def use_display(vm, _daemon):
    display = Display()
    display.give(vm.user)
    display.close()


def send_bad_messages(vm, _daemon):
    assert vm.user.acknowledged(Request.SET_VRING_NUM, struct.pack("=II", 0, 7)) != 0
    assert vm.user.acknowledged(Request.SET_FEATURES, struct.pack("=Q", 1 << 63)) != 0
    assert vm.user.acknowledged(4711) != 0


def ask_for_no_config(vm, _daemon):
    vm.user.send(Request.GET_CONFIG, struct.pack("=III", 200, 200, 0) + bytes(200))
    vm.user.get_reply(Request.GET_CONFIG)


def give_what_is_no_eventfd(vm, _daemon):
    ours, theirs = socket.socketpair()
    for request in (Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR):
        assert vm.user.acknowledged(request, struct.pack("=Q", 1), [theirs.fileno()]) != 0
    ours.close()
    theirs.close()


def spoil_backend_channel(vm, _daemon):
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    vm.user.set_backend_req_fd(theirs.fileno())
    theirs.close()
    ours.send(bytes(64))
    wait_hang_up(ours)
    ours.close()


def come_and_go(_vm, daemon):
    """A session for each."""
    user = daemon.connect()
    user.get_features()
    user.close()


def send_garbage(_vm, daemon):
    """Likewise, and each ends with an error."""
    user = daemon.connect()
    user.send_raw(b"\xff" * 64)
    user.wait_hang_up()
    user.close()


@pytest.mark.parametrize("flood, args", [
    (replace_display, ()), (replace_display, ("--headless",)), (spoil_display, ()),
    (use_display, ()), (send_bad_messages, ()), (ask_for_no_config, ()),
    (give_what_is_no_eventfd, ()), (spoil_backend_channel, ())],
    ids=lambda value: "".join(value) if isinstance(value, tuple) else value.__name__)
def test_flood(running, flood, args):
    """What a front-end can do again and again is a few lines in the log."""
    daemon = running.daemon("null", *args)
    vm = running.vm(daemon)
    before = daemon.log().count("\n")
    for _ in range(FLOOD):
        flood(vm, daemon)
    assert vm.alive()
    assert daemon.log().count("\n") - before <= MOST_LINES


@pytest.mark.parametrize("flood", [come_and_go, send_garbage])
def test_flood_of_sessions(running, flood):
    """The listener's own lines."""
    daemon = running.daemon("null")
    vm = running.vm(daemon)
    before = len(OF_LISTENER.findall(daemon.log()))
    for _ in range(FLOOD):
        flood(vm, daemon)
    assert vm.alive()
    assert len(OF_LISTENER.findall(daemon.log())) - before <= MOST_LINES
