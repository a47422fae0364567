# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Large pictures are not copied into the display socket: their pages are lent to it.

So a reader who is slow reads what is in those pages by then. Here it reads only as far as the test
lets it, and as soon as the daemon says that the guest may draw again, the guest does.
"""

import os
import struct
import threading

import pytest

from frontend.daemon import wait_until
from frontend.display import RECT, Display, Kind
from frontend.patience import PATIENCE
from frontend.pixels import B8G8R8X8, R8G8B8A8, differences, random_bytes, rgb_only
from frontend.virtio_gpu import Cmd, Resp, require

WIDTH, HEIGHT = 1920, 1080
FRAME = 4 * WIDTH * HEIGHT
FULL = 0, 0, WIDTH, HEIGHT
STEP = 64 << 10
# How far the reader gets: a socket is full behind it, the same in the middle, and all is sent.
PLACES = {"begin": 1000, "middle": FRAME // 2, "end": FRAME - (600 << 10)}


class SlowDisplay(Display):
    """Reads no further into pictures than it is told, counted in bytes of all of them together."""

    def __init__(self):
        self.taken, self.allowed = 0, 0
        self.turn = threading.Condition()
        super().__init__()

    def read_to(self, count):
        """Return when so many have been read."""
        with self.turn:
            self.allowed = count
            self.turn.notify_all()
            assert self.turn.wait_for(lambda: self.taken >= count, PATIENCE)

    def read_on(self):
        """From now on as fast as it can."""
        with self.turn:
            self.allowed = float("inf")
            self.turn.notify_all()

    def close(self):
        self.read_on()
        super().close()

    def _receive(self, size, fds):
        data = b""
        if size <= STEP:
            return super()._receive(size, fds)
        while len(data) < size:
            with self.turn:
                self.turn.wait_for(lambda: self.taken < self.allowed)
                part = min(size - len(data), self.allowed - self.taken, 1 << 20)
            data += super()._receive(part, fds)
            with self.turn:
                self.taken += part
                self.turn.notify_all()
        return data


@pytest.fixture
def vm(start_vm):
    return start_vm("2d", display=SlowDisplay())


def frame(number, length=FRAME):
    return random_bytes(number, length)


def shown_resource(vm, fmt=B8G8R8X8):
    resource = vm.gpu.resource(WIDTH, HEIGHT, fmt)
    resource.show(0)
    return resource


def post_frame(vm, resource, data, area=FULL):
    """New content, and the two commands that show it in one kick. Returns both."""
    resource.fill(data)
    rect = struct.pack("=IIII", *area)
    offset = 4 * (area[1] * WIDTH + area[0])
    chains = [
        vm.gpu.post(Cmd.TRANSFER_TO_HOST_2D, rect + struct.pack("=QII", offset, resource.id, 0),
                    kick=False),
        vm.gpu.post(Cmd.RESOURCE_FLUSH, rect + struct.pack("=II", resource.id, 0), kick=False)]
    vm.rings[0].submit(*chains)
    resource.image.transfer(data, offset, *area)
    return chains


def is_answered(vm, chain):
    """Whether it is, after the main loop had its turns."""
    vm.user.get_features()
    vm.user.get_features()
    vm.rings[0].poll()
    return chain.done


def half_shown(vm, resource, place):
    """A frame of which the reader has this much. Returns the frame and its flush."""
    data = frame(1)
    transfer, flush = post_frame(vm, resource, data)
    vm.display.read_to(place)
    assert vm.gpu.result(transfer).ok, "it does not wait for its flush"
    assert not is_answered(vm, flush), "the pages are still lent"
    return data, flush


def assert_updates(vm, *frames, area=FULL):
    """The display gets these pictures, as they were when they were flushed."""
    vm.display.read_on()
    vm.display.wait_event(Kind.UPDATE, len(frames))
    updates = vm.display.of_kind(Kind.UPDATE)
    assert [update.values for update in updates] == [(0, *area)] * len(frames)
    for number, (update, expected) in enumerate(zip(updates, frames)):
        assert len(update.data) == 4 * area[2] * area[3]
        different = differences(rgb_only(update.data), rgb_only(expected), area[2])
        assert not different, f"frame {number}: {different}"


def pipes(pid):
    """Names of the pipes that a process has open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
    return {name for name in found if name.startswith("pipe:")}


@pytest.mark.parametrize("fmt", [B8G8R8X8, R8G8B8A8], ids=["as it is", "converted"])
@pytest.mark.parametrize("area", [FULL, (100, 50, 1700, 1000), (3, 0, 900, 1080)],
                         ids=["full", "long lines", "short lines"])
def test_guest_draws_at_once(vm, area, fmt):
    """The next frame is drawn while the reader is in the last lines of the one before."""
    resource = shown_resource(vm, fmt)
    length = RECT.size + 4 * area[2] * area[3]
    frames = []
    for number in range(4):
        transfer, flush = post_frame(vm, resource, frame(number), area)
        frames.append(resource.image.shown(*area))
        for place in range(number * length + 1, (number + 1) * length, STEP):
            vm.display.read_to(place)
            if is_answered(vm, flush):
                break
        require(vm.gpu.result(transfer))
        require(vm.gpu.result(flush))
        assert transfer.order < flush.order
    assert_updates(vm, *frames, area=area)


def test_pages_are_lent(vm):
    """A pipe is how pages come into a socket; small pictures need none."""
    pid = vm.daemon.session_pid()
    before = pipes(pid)
    small = vm.gpu.resource(64, 64)
    small.show(0)
    small.flush(*small.full)
    assert pipes(pid) == before
    resource = shown_resource(vm)
    _, flush = half_shown(vm, resource, PLACES["middle"])
    assert len(pipes(pid) - before) == 1
    vm.display.read_on()
    assert vm.gpu.result(flush).ok


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_rings_stop(vm, place):
    """The flush ends with an error, the picture comes to its end as it was."""
    resource = shown_resource(vm)
    data, flush = half_shown(vm, resource, place)
    bases = vm.stop()
    vm.rings[0].poll()
    assert flush.done
    assert vm.gpu.result(flush).type == Resp.ERR_UNSPEC
    for index, base in enumerate(bases):
        vm.start_ring(index, base)
    resource.draw(frame(2))
    assert_updates(vm, data)
    resource.flush(*resource.full)
    assert_updates(vm, data, frame(2))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_memory_table_changes(vm, place):
    """The guest need not wait any longer; it draws while the old picture is read."""
    resource = shown_resource(vm)
    data, flush = half_shown(vm, resource, place)
    vm.user.set_mem_table(vm.memory.regions)
    require(vm.gpu.result(flush))
    _, flush = post_frame(vm, resource, frame(2))
    assert not is_answered(vm, flush)
    assert_updates(vm, data, frame(2))
    require(vm.gpu.result(flush))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_reset(vm, place):
    """The resource is gone, and its pages are still read."""
    resource = shown_resource(vm)
    data, _ = half_shown(vm, resource, place)
    vm.stop()
    vm.user.reset_device()
    assert_updates(vm, data)
    vm.reset(display=SlowDisplay())
    resource = shown_resource(vm)
    post_frame(vm, resource, frame(2))
    assert_updates(vm, frame(2))


def test_reset_with_a_new_display(vm):
    """The old one gets no more than was in the socket, and never half a message of the next."""
    old = vm.display
    half_shown(vm, shown_resource(vm), PLACES["middle"])
    vm.reset(display=SlowDisplay())
    assert not old.errors
    assert not old.of_kind(Kind.UPDATE)
    post_frame(vm, shown_resource(vm), frame(2))
    assert_updates(vm, frame(2))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_commands_behind_it(vm, place):
    """What would take the picture away waits for its reader."""
    resource = shown_resource(vm)
    other = vm.gpu.resource(WIDTH, HEIGHT)
    data, flush = half_shown(vm, resource, place)
    behind = [vm.gpu.post(Cmd.SET_SCANOUT, struct.pack("=6I", *FULL, 0, other.id)),
              vm.gpu.post(Cmd.RESOURCE_UNREF, struct.pack("=II", resource.id, 0))]
    resource.fill(bytes(FRAME))
    assert not is_answered(vm, behind[-1])
    vm.display.read_on()
    for chain in (flush, *behind):
        require(vm.gpu.result(chain))
    post_frame(vm, other, frame(2))
    assert_updates(vm, data, frame(2))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_display_hangs_up(vm, place):
    """The guest is answered, and goes on without."""
    pid = vm.daemon.session_pid()
    before = pipes(pid)
    resource = shown_resource(vm)
    _, flush = half_shown(vm, resource, place)
    vm.display.close()
    assert vm.gpu.result(flush).type in Resp
    resource.draw(frame(2))
    resource.flush(*resource.full)
    assert vm.alive()
    wait_until(lambda: pipes(pid) == before, "the pipe is closed")


def test_front_end_leaves(vm):
    half_shown(vm, shown_resource(vm), PLACES["middle"])
    vm.hang_up()
    vm.daemon.wait_sessions(0)
