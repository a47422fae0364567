# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What a guest takes of the host is limited, and the session lives on behind the limit."""

import resource
import time

import pytest

from frontend.blob import GUEST, HOST3D, MAPPABLE
from frontend.checks import NO_MEMORY, OK
from frontend.display import Display
from frontend.memory import MIB, Region
from frontend.vhost_user import HangUp
from frontend.virtio_gpu import PAGE, require

CTX = 1


def pages(vm, count):
    """A list of so many pieces of one page."""
    return [(vm.memory.alloc(64), 1)] * count


def make_resources(vm):
    """Four may be there; a fifth may not, until one has gone."""
    for number in range(1, 5):
        yield OK, vm.gpu.create_2d(number, 1, 4, 4)
    yield NO_MEMORY, vm.gpu.create_2d(5, 1, 4, 4)
    yield NO_MEMORY, vm.gpu.create_3d(5, 4, 4)
    yield NO_MEMORY, vm.gpu.create_blob(5, GUEST, 0, 0, 1, pages(vm, 1))
    yield OK, vm.gpu.unref(2)
    yield OK, vm.gpu.create_2d(5, 1, 4, 4)
    yield OK, vm.gpu.unref(5)


def make_contexts(vm):
    for number in range(1, 4):
        yield OK, vm.gpu.ctx_create(number)
    yield NO_MEMORY, vm.gpu.ctx_create(4)
    yield OK, vm.gpu.ctx_destroy(1)
    yield OK, vm.gpu.ctx_create(4)


def make_images(vm):
    """1 MiB is one image of 512 x 512 pixels of 4 bytes."""
    yield OK, vm.gpu.create_2d(1, 1, 512, 512)
    yield NO_MEMORY, vm.gpu.create_2d(2, 1, 1, 1)
    yield NO_MEMORY, vm.gpu.create_3d(2, 1, 1)
    yield NO_MEMORY, vm.gpu.create_blob(2, HOST3D, MAPPABLE, 0, PAGE, ctx_id=CTX)
    yield NO_MEMORY, vm.gpu.attach_backing(1, pages(vm, 1))
    yield OK, vm.gpu.unref(1)
    yield OK, vm.gpu.create_2d(1, 1, 512, 512)
    yield OK, vm.gpu.unref(1)


def make_attachments(vm):
    """All but 2 KiB of 1 MiB is taken; an attachment of a resource to a context is 256 bytes."""
    yield OK, vm.gpu.create_2d(1, 1, 512, 511)
    for ctx_id in range(2, 10):
        yield OK, vm.gpu.ctx_create(ctx_id)
        yield OK, vm.gpu.ctx_attach(ctx_id, 1)
    yield NO_MEMORY, vm.gpu.ctx_attach(CTX, 1)
    yield OK, vm.gpu.ctx_destroy(2)
    yield OK, vm.gpu.ctx_attach(CTX, 1)
    yield OK, vm.gpu.unref(1)


def make_lists(vm):
    yield OK, vm.gpu.create_2d(1, 1, 4, 4)
    yield NO_MEMORY, vm.gpu.attach_backing(1, pages(vm, 9))
    yield NO_MEMORY, vm.gpu.create_blob(2, GUEST, 0, 0, 9, pages(vm, 9))
    yield OK, vm.gpu.attach_backing(1, pages(vm, 8))
    yield OK, vm.gpu.create_blob(2, GUEST, 0, 0, 8, pages(vm, 8))


def make_many_lists(vm):
    yield OK, vm.gpu.create_2d(1, 1, 4, 4)
    yield OK, vm.gpu.attach_backing(1, pages(vm, 5))
    yield NO_MEMORY, vm.gpu.create_blob(2, GUEST, 0, 0, 4, pages(vm, 4))
    yield OK, vm.gpu.create_blob(2, GUEST, 0, 0, 3, pages(vm, 3))
    yield OK, vm.gpu.detach_backing(1)
    yield OK, vm.gpu.attach_backing(1, pages(vm, 5))


def submit_much(vm):
    """Words of 0, which mean nothing to the null mode."""
    yield OK, vm.gpu.submit_3d(CTX, [0] * 1024)
    yield NO_MEMORY, vm.gpu.submit_3d(CTX, [0] * 1025)
    yield OK, vm.gpu.submit_3d(CTX, [0] * 1024)


# Option: its value, and commands with the answers that they have to get.
LIMITS = {
    "--max-resources": ("4", make_resources),
    "--max-contexts": ("3", make_contexts),
    "--max-hostmem": ("1M", make_images),
    "--max-hostmem, attachments": ("1M", make_attachments),
    "--max-backing": ("8", make_lists),
    "--max-total-backing": ("8", make_many_lists),
    "--max-submit": ("4K", submit_much),
}


@pytest.mark.parametrize("case", LIMITS)
def test_limit_of_an_option(running, check, case):
    """Out of memory for the guest, one line with the option's name in the log, and it goes on."""
    option = case.partition(",")[0]
    value, commands = LIMITS[case]
    daemon = running.daemon("null", option, value)
    vm = running.vm(daemon)
    if option != "--max-contexts":
        require(vm.gpu.ctx_create(CTX))
    for number, (wanted, answer) in enumerate(commands(vm)):
        check(f"command {number}", answer, wanted)
    check.done(vm)
    assert f"its limit ({option})" in daemon.log()
    others = {other.partition(",")[0] for other in LIMITS} - {option}
    assert not any(f"({other})" in daemon.log() for other in others)


def test_limit_reached_often(running, check):
    """A guest cannot fill the log, and what else is in it does not hide the line."""
    daemon = running.daemon("null", "--max-resources", "1")
    vm = running.vm(daemon)
    for _ in range(100):
        vm.gpu.unref(99)
    require(vm.gpu.create_2d(1, 1, 4, 4))
    for _ in range(1000):
        check("create", vm.gpu.create_2d(2, 1, 4, 4), NO_MEMORY)
    require(vm.gpu.unref(1))
    check.done(vm)
    lines = daemon.log().count("--max-resources")
    assert 1 <= lines <= 100, "at most 10 lines in 5 s"


def limit_fds(soft, hard):
    """For Daemon's prepare."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def create_until_refused(gpu, most):
    """Host blobs, which keep a descriptor each. Returns their number, and the last answer."""
    for number in range(1, most + 1):
        answer = gpu.create_blob(number, HOST3D, MAPPABLE, 0, PAGE, ctx_id=CTX)
        if not answer.ok:
            return number - 1, answer
    return most, answer


def use_messages_with_fds(vm):
    """Everything that brings descriptors, as at a memory hot-plug and a guest's reboot."""
    region = Region(1 << 40, MIB, 1 << 44)
    vm.user.add_mem_reg(region)
    vm.user.rem_mem_reg(region)
    region.close()
    for index, ring in enumerate(vm.rings):
        vm.user.set_vring_call(index, ring.call_fd)
        vm.user.set_vring_kick(index, ring.kick_fd)
    display = Display()
    vm.displays.append(display)
    display.give(vm.user)
    vm.user.get_features()


def test_descriptors_of_blobs(running, check):
    """Out of memory comes before the last descriptor is gone, and goes when blobs do."""
    vm = running.vm(running.daemon("null", prepare=limit_fds(256, 256)))
    require(vm.gpu.ctx_create(CTX))
    count, answer = create_until_refused(vm.gpu, 300)
    check(f"blob {count + 1}", answer, NO_MEMORY)
    assert count > 100
    use_messages_with_fds(vm)
    for number in range(1, count + 1):
        check("unref", vm.gpu.unref(number), OK)
    again, answer = create_until_refused(vm.gpu, 100)
    check("and again", answer, OK)
    assert again == 100
    check.done(vm)


def test_soft_limit_is_raised(running, check):
    """What a shell allows is for programs that use select()."""
    vm = running.vm(running.daemon("null", prepare=limit_fds(256, 4096)))
    require(vm.gpu.ctx_create(CTX))
    check("1,000 blobs", create_until_refused(vm.gpu, 1000)[1], OK)
    check.done(vm)


def test_silent_connection(running):
    """It waits for a while, and not for ever; who talks, and came before it, is not hung up on."""
    daemon = running.daemon("null", "--max-sessions", "2", "--handshake-timeout", "1")
    user = running.connect(daemon)
    assert user.get_features()
    silent = running.connect(daemon)
    silent.wait_hang_up()
    assert user.get_features()
    assert running.connect(daemon).get_features()


def test_silent_connections(running):
    """They take no places of sessions; where there are too many, the oldest goes for a new one."""
    daemon = running.daemon("null", "--max-sessions", "2", "--handshake-timeout", "0")
    first = running.connect(daemon)
    assert first.get_features()
    silent = [running.connect(daemon) for _ in range(64)]
    second = running.connect(daemon)
    assert second.get_features()
    silent[0].wait_hang_up()
    # The others are still there; who speaks has a session where there is a place for one.
    with pytest.raises(HangUp):
        silent[1].get_features()
    second.close()
    daemon.wait_sessions(1)
    assert silent[2].get_features()
    assert first.get_features()


def test_half_a_message(running):
    """One byte does not hold a session for ever either."""
    daemon = running.daemon("null", "--max-sessions", "1", "--handshake-timeout", "1")
    user = running.connect(daemon)
    user.send_raw(b"\x01")
    user.wait_hang_up()
    daemon.wait_sessions(0)
    assert "no message within 1 s" in daemon.log()
    assert running.vm(daemon).alive()


def wake_ups(pid):
    """How often the main thread has slept."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return next(line for line in status if line.startswith("voluntary"))


def test_heard_front_end(start_vm):
    """Once its queues run nothing is timed: a clock costs each wait, and a wake-up at its end."""
    vm = start_vm("null", "--handshake-timeout", "1")
    require(vm.gpu.ctx_create(CTX))
    time.sleep(0.2)
    pid = vm.daemon.session_pid()
    before = wake_ups(pid)
    time.sleep(1.2)
    assert wake_ups(pid) == before
