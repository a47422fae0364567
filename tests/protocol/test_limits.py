# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What a guest takes of the host is limited, and the session lives on behind the limit."""

import resource

from frontend.blob import HOST3D, MAPPABLE
from frontend.checks import NO_MEMORY, OK
from frontend.display import Display
from frontend.memory import MIB, Region
from frontend.virtio_gpu import PAGE, require

CTX = 1


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
    """It holds one of two places for a while, and not for ever; who talks, and came before it, is not
    hung up on."""
    daemon = running.daemon("null", "--max-sessions", "2", "--handshake-timeout", "1")
    user = running.connect(daemon)
    assert user.get_features()
    silent = running.connect(daemon)
    silent.wait_hang_up()
    assert user.get_features()
    assert running.connect(daemon).get_features()


def test_half_a_message(running):
    """One byte does not hold a session for ever either."""
    daemon = running.daemon("null", "--max-sessions", "1", "--handshake-timeout", "1")
    user = running.connect(daemon)
    user.send_raw(b"\x01")
    user.wait_hang_up()
    daemon.wait_sessions(0)
    assert "no message within 1 s" in daemon.log()
    assert running.vm(daemon).alive()
