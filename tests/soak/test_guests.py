# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Real guests in QEMU: many boots of one, and QEMUs that are killed at moments that a seed chooses."""

import os
import random
import time

import pytest

from harness.modetest import connectors, spawn_pattern
from harness.pictures import assert_same, smpte
from harness.process import wait_until
from usage import assert_flat, usage

SEED = 20261125
SETTLED = 3  # boots, where there are fewer than 10 of them
EARLY = 10

pytestmark = pytest.mark.guest


def sessions(device):
    pid = device.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [int(word) for word in children.read().split()]


def show(guest):
    """A picture that is exact, and what the session has while it is shown."""
    spawn_pattern(guest, [(connectors(guest)[0], "640x480")])
    wanted = smpte(640, 480)
    guest.wait_picture("smpte", lambda seen: assert_same(seen, wanted))
    (session,) = sessions(guest.device)
    now = usage(session)
    guest.stop()
    return session, now


@pytest.mark.parametrize("mode", ["2d", "virglrenderer"])
def test_reboots(machines, mode, length, figures):
    """The guest boots again and again in one QEMU, and so in one session."""
    guest = machines.guest(machines.device(mode))
    count, early = length(SETTLED, 50), None
    session, late = show(guest)
    for turn in range(1, count + 1):
        guest.reboot()
        now_session, late = show(guest)
        assert now_session == session
        if turn == (EARLY if count > EARLY else 1):
            early = late
    figures(f"{count} reboots: {early}, then {late}")
    # Which of its pictures the guest has just then is for the guest to know, which of those that
    # are gone OpenGL's driver still has is for the driver. What is lent goes back at once, and so may be
    # missing in the first figure. (14 reboots: 92.6 MiB after 3, 94.9 at the end.)
    pictures = {"2d": 2, "virglrenderer": 8}[mode]
    assert_flat(session, early, late, pictures * 4 * 640 * 480)


def test_qemu_is_killed(machines, length, figures):
    """SIGKILL while it starts, boots or draws: the session ends, and the next guest is served."""
    device, rng = machines.device("2d"), random.Random(SEED)
    count = length(3, 30)
    for _ in range(count):
        guest = machines.guest(device, wait=False)
        time.sleep(rng.random() * 8)
        guest.kill()
        wait_until("the end of the session", 20, lambda: not sessions(device))
    show(machines.guest(device))
    figures(f"QEMU was killed {count} times, listener: {usage(device.process.pid)}")
    assert os.path.exists(device.socket_path)
