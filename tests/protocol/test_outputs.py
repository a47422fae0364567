# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Outputs of a device whose front-end has no display, and their changes at run time."""

import os
import stat
import struct

import pytest

from frontend.control import Control
from frontend.virtio_gpu import Resp
from frontend.vhost_user import BackendChannel, BackendRequest

EVENT_DISPLAY = 1
EVENTS_READ, EVENTS_CLEAR = 0, 4


@pytest.fixture
def vm(start_vm, tmp_path):
    vm = start_vm("null", "--outputs", "1280x800,1920x1080+off", "--control", str(tmp_path),
                  headless=True)
    vm.channel = BackendChannel()
    vm.channel.give(vm.user)
    vm.control_path = tmp_path / f"session-{vm.daemon.session_pid()}.sock"
    vm.control = Control(vm.control_path)
    yield vm
    vm.control.close()
    vm.channel.close()


def modes(vm):
    answer = vm.gpu.get_display_info()
    assert answer.type == Resp.OK_DISPLAY_INFO
    return [(w, h, enabled) for _, _, w, h, enabled, _ in struct.iter_unpack("=6I", answer.body)]


def preferred_size(vm, scanout):
    body = vm.gpu.get_edid(scanout).body[8:]
    return (body[56] | (body[58] & 0xF0) << 4, body[59] | (body[61] & 0xF0) << 4)


def config_word(vm, offset):
    return struct.unpack("=I", vm.user.get_config(4, offset))[0]


def wait_for_change(vm):
    message = vm.channel.receive()
    assert message.request == BackendRequest.CONFIG_CHANGE_MSG
    vm.channel.reply(message)


def test_initial_outputs(vm):
    assert modes(vm)[:3] == [(1280, 800, 1), (1920, 1080, 0), (0, 0, 0)]
    assert config_word(vm, 8) == 2
    assert config_word(vm, EVENTS_READ) == 0
    assert preferred_size(vm, 1) == (1920, 1080)


def test_default_is_one_output(start_vm):
    vm = start_vm("null", headless=True)
    assert modes(vm)[:2] == [(1280, 800, 1), (0, 0, 0)]
    assert config_word(vm, 8) == 1


def test_change_reaches_the_driver(vm):
    """What a driver does: it sees the event, asks again, and clears it."""
    assert vm.control.ask("output 1 1600x900") == ["ok"]
    wait_for_change(vm)
    assert config_word(vm, EVENTS_READ) == EVENT_DISPLAY
    assert modes(vm)[:2] == [(1280, 800, 1), (1600, 900, 1)]
    assert preferred_size(vm, 1) == (1600, 900)
    vm.user.set_config(struct.pack("=I", EVENT_DISPLAY), EVENTS_CLEAR)
    assert config_word(vm, EVENTS_READ) == 0
    assert vm.control.ask("output 1 off") == ["ok"]
    wait_for_change(vm)
    assert config_word(vm, EVENTS_READ) == EVENT_DISPLAY
    assert modes(vm)[1] == (1600, 900, 0)


def test_only_what_was_written_is_cleared(vm):
    vm.control.ask("output 0 640x480")
    wait_for_change(vm)
    vm.user.set_config(struct.pack("=I", 2), EVENTS_CLEAR)
    vm.user.set_config(struct.pack("=I", EVENT_DISPLAY), EVENTS_READ)
    assert config_word(vm, EVENTS_READ) == EVENT_DISPLAY


def test_reset_forgets_the_event(vm):
    vm.control.ask("output 0 640x480")
    wait_for_change(vm)
    vm.reset()
    assert config_word(vm, EVENTS_READ) == 0
    assert modes(vm)[0] == (640, 480, 1)


def test_list(vm):
    assert vm.control.ask("outputs") == ["output 0 1280x800", "output 1 1920x1080+off", "ok"]
    vm.control.ask("output 0 off")
    assert vm.control.ask("outputs")[0] == "output 0 1280x800+off"


@pytest.mark.parametrize("line", [
    "", "output", "output 0", "output 2 640x480", "output -1 640x480", "output x 640x480",
    "output 0 640", "output 0 0x480", "output 0 640x16385", "output 0 640x480+on",
    "output 0 640x480 now", "outputs now", "output 0  640x480",
])
def test_what_is_no_command(vm, line):
    (answer,) = vm.control.ask(line)
    assert answer.startswith("error: ")
    assert vm.control.ask("outputs")[0] == "output 0 1280x800"


def test_lines_in_pieces_and_together(vm):
    for byte in b"outputs\n":
        vm.control.send(bytes([byte]))
    assert vm.control.read_line() == "output 0 1280x800"
    assert [vm.control.read_line() for _ in range(2)][-1] == "ok"
    vm.control.send(b"output 0 off\noutput 1 off\n")
    assert [vm.control.read_line() for _ in range(2)] == ["ok", "ok"]


def test_endless_line_is_hung_up_on(vm):
    vm.control.send(b"x" * 1000)
    try:
        assert vm.control.read_line() is None
    except ConnectionResetError:
        pass
    other = Control(vm.control_path)
    assert other.ask("outputs")[-1] == "ok"
    other.close()
    assert vm.alive()


def test_socket_is_the_users_and_goes(vm, running):
    assert stat.S_IMODE(os.stat(vm.control_path).st_mode) == 0o600
    vm.hang_up()
    vm.daemon.wait_sessions(0)
    assert not vm.control_path.exists()
