# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What ends mappings without the guest's asking, and what may come in the middle of one."""

import os
import signal
import struct

import pytest

from frontend.blob import HostBlob
from frontend.checks import OK, PARAMETER, UNSPEC
from frontend.daemon import fd_count, wait_until
from frontend.display import Display
from frontend.shmem import MAP, UNMAP, SharedRegion
from frontend.vhost_user import FLAG_REPLY, HEADER, VERSION
from frontend.vhost_user import ProtocolFeature as PF
from frontend.virtio_gpu import PAGE, Cmd, Resp, require
from frontend.vm import WANTED_PROTOCOL, Vm

CTX = 1
MAPPED = Resp.OK_MAP_INFO


@pytest.fixture
def vm(start_vm):
    vm = start_vm("null", region=SharedRegion())
    require(vm.gpu.ctx_create(CTX))
    return vm


@pytest.fixture
def gpu(vm):
    return vm.gpu


@pytest.fixture
def region(vm):
    return vm.region


def post(gpu, cmd, blob, offset=0):
    body = struct.pack("=IIQ", blob.id, 0, offset)
    return gpu.post(cmd, body[:8] if cmd == Cmd.RESOURCE_UNMAP_BLOB else body, room=8)


def mapped_blobs(gpu, count=5, ctx=CTX):
    blobs = [HostBlob(gpu, 2 * PAGE, ctx) for _ in range(count)]
    for i, blob in enumerate(blobs):
        blob.map((3 * i + 100 * ctx) * PAGE)
    return blobs


def fresh(vm):
    """After a reset: the whole region is free."""
    require(vm.gpu.ctx_create(CTX))
    blob = HostBlob(vm.gpu)
    blob.map(0)
    assert vm.region.ranges() == [(0, PAGE)]


def test_reset_device(vm, gpu, region):
    mapped_blobs(gpu)
    vm.reset()
    region.wait_empty()
    fresh(vm)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("cmd", [Cmd.RESOURCE_MAP_BLOB, Cmd.RESOURCE_UNMAP_BLOB])
def test_reset_while_a_request_is_outstanding(vm, gpu, region, cmd, refused):
    """The reset waits for nothing; late answers are for nobody."""
    mapped_blobs(gpu, 2)
    blob = HostBlob(gpu)
    if cmd == Cmd.RESOURCE_UNMAP_BLOB:
        blob.map(0)
    before = len(region.events)
    region.hold()
    post(gpu, cmd, blob)
    region.wait_until(lambda: len(region.events) > before, "the request")
    vm.reset()
    if refused:
        region.refuse()
        if cmd == Cmd.RESOURCE_MAP_BLOB:
            region.refuse()  # the unmap of what was not mapped
    region.release()
    if refused and cmd == Cmd.RESOURCE_UNMAP_BLOB:
        region.wait_until(lambda: region.ranges() == [(0, PAGE)], "the other mappings to go")
        region.at(0).close()
        del region.mappings[0]
    region.wait_empty()
    fresh(vm)


@pytest.mark.parametrize("cmd", [Cmd.RESOURCE_MAP_BLOB, Cmd.RESOURCE_UNMAP_BLOB])
def test_get_vring_base_while_a_request_is_outstanding(vm, gpu, region, cmd):
    """The command ends with an error, and the base is behind it; nothing stays mapped by it."""
    blob, other = HostBlob(gpu), HostBlob(gpu)
    other.map(8 * PAGE)
    if cmd == Cmd.RESOURCE_UNMAP_BLOB:
        blob.map(0)
    before = len(region.events)
    region.hold()
    chain = post(gpu, cmd, blob)
    region.wait_until(lambda: len(region.events) > before, "the request")
    vm.user.set_vring_enable(0, False)
    base = vm.user.get_vring_base(0)
    assert gpu.result(chain).type == UNSPEC
    vm.start_ring(0, base)
    region.release()
    region.wait_until(lambda: region.ranges() == [(8 * PAGE, PAGE)], "the blob to be unmapped")
    blob.map(0)
    assert region.ranges() == [(0, PAGE), (8 * PAGE, PAGE)]
    assert vm.alive()


def test_new_display_while_a_request_is_outstanding(vm, gpu, region):
    """Whether the map goes on or ends with an error: the answer tells the truth."""
    blob = HostBlob(gpu)
    region.hold()
    chain = post(gpu, Cmd.RESOURCE_MAP_BLOB, blob)
    region.wait(MAP)
    old, vm.display = vm.display, Display()
    vm.displays.append(vm.display)
    vm.display.give(vm.user)
    old.close()
    region.release()
    if gpu.result(chain).type == MAPPED:
        assert region.ranges() == [(0, PAGE)]
        blob.unmap()
    region.wait_empty()
    blob.map(0)


def test_memory_table_while_a_request_is_outstanding(vm, gpu, region):
    """The answer goes to where the guest's buffer is now."""
    blob = HostBlob(gpu)
    region.hold()
    chain = post(gpu, Cmd.RESOURCE_MAP_BLOB, blob)
    region.wait(MAP)
    vm.user.set_mem_table(vm.memory.regions)
    region.release()
    require(gpu.result(chain), MAPPED)
    assert region.ranges() == [(0, PAGE)]


def test_context_goes(vm, gpu, region):
    """With it go the mappings of its blobs, but for those that another context uses."""
    require(gpu.ctx_create(2))
    first, second = mapped_blobs(gpu, 3), mapped_blobs(gpu, 2, ctx=2)
    for blob in (*first, second[0]):
        require(gpu.ctx_attach(CTX, blob.id))
    for blob in (first[0], *second):
        require(gpu.ctx_attach(2, blob.id))
    stay = {(100 * PAGE, 2 * PAGE), (200 * PAGE, 2 * PAGE), (203 * PAGE, 2 * PAGE)}
    require(gpu.ctx_destroy(CTX))
    region.wait_until(lambda: set(region.ranges()) == stay, f"only {stay}")
    require(gpu.ctx_create(CTX))
    first[1].map(0)
    first[1].unmap()
    # A driver that does not know unmaps what it had mapped: done already, but only once.
    assert [gpu.unmap_blob(first[2].id).type for _ in range(2)] == [OK, PARAMETER]
    assert gpu.unmap_blob(first[1].id).type == PARAMETER
    first[0].unmap()
    require(gpu.ctx_destroy(2))
    region.wait_empty()
    assert vm.alive()


def test_context_of_blobs_that_are_not_attached(gpu, region):
    """As above; a blob need not be attached to the context that made it."""
    require(gpu.ctx_create(2))
    mapped_blobs(gpu)
    kept = mapped_blobs(gpu, 1, ctx=2)[0]
    require(gpu.ctx_destroy(CTX))
    region.wait_until(lambda: region.ranges() == [(200 * PAGE, 2 * PAGE)], "the other one only")
    kept.unmap()


def test_no_back_end_channel(start_vm, check):
    """SHMEM_MAP was negotiated, SET_BACKEND_REQ_FD never came."""
    region = SharedRegion()
    region.give = lambda user: None
    vm = start_vm("null", region=region)
    require(vm.gpu.ctx_create(CTX))
    blob = HostBlob(vm.gpu)
    for _ in range(3):
        check("map", vm.gpu.map_blob(blob.id, 0), UNSPEC)
        check("unmap", vm.gpu.unmap_blob(blob.id), PARAMETER)
    blob.unref()
    check.done(vm)


@pytest.mark.parametrize("missing", [PF.SHMEM_MAP, PF.REPLY_ACK])
def test_feature_that_was_not_negotiated(running, check, missing):
    """The channel is there; without an answer nobody would know what is mapped."""
    user, region = running.connect(running.daemon("null")), SharedRegion()
    vm = Vm(user)
    running.vms.append(vm)
    vm.handshake()
    user.set_protocol_features((WANTED_PROTOCOL | PF.SHMEM_MAP) & ~missing)
    region.give(user)
    vm.start()
    require(vm.gpu.ctx_create(CTX))
    check("map", vm.gpu.map_blob(HostBlob(vm.gpu).id, 0), UNSPEC)
    assert not region.events
    region.close()
    check.done(vm)


def replace_region(vm):
    """A new channel; the old region's mappings are the front-end's affair."""
    old, vm.region = vm.region, SharedRegion()
    assert not old.errors
    vm.give_region()


def test_channel_ends(vm, gpu, region, check):
    """Nothing can be mapped then; what was, is forgotten with the blob; a new channel serves."""
    blob, other = mapped_blobs(gpu, 2)
    region.close()
    wait_until(lambda: not gpu.map_blob(HostBlob(gpu).id, 0).ok, "maps fail")
    check("unmap", gpu.unmap_blob(blob.id), OK, UNSPEC)
    other.unref()
    check("works otherwise", gpu.create_2d(300, 1, 16, 16), OK)
    replace_region(vm)
    again = HostBlob(gpu, 2 * PAGE)
    again.map(103 * PAGE)
    assert vm.region.ranges() == [(103 * PAGE, 2 * PAGE)]
    check.done(vm)


@pytest.mark.parametrize("cmd", [Cmd.RESOURCE_MAP_BLOB, Cmd.RESOURCE_UNMAP_BLOB])
def test_channel_ends_in_the_middle(vm, gpu, region, cmd):
    """The command that waits ends with an error, and the queue goes on."""
    blob = HostBlob(gpu)
    if cmd == Cmd.RESOURCE_UNMAP_BLOB:
        blob.map(0)
    before = len(region.events)
    region.hold()
    chain = post(gpu, cmd, blob)
    behind = [post(gpu, Cmd.RESOURCE_MAP_BLOB, HostBlobToBe(gpu)) for _ in range(3)]
    region.wait_until(lambda: len(region.events) > before, "the request")
    region.close()
    assert gpu.result(chain).type == UNSPEC
    for waiting in behind:
        assert not gpu.result(waiting).ok
    blob.unref()
    replace_region(vm)
    HostBlob(gpu).map(0)
    assert vm.alive()


class HostBlobToBe:
    """An id without a blob."""

    def __init__(self, gpu):
        self.id = gpu.new_id()


def test_channel_is_replaced_in_the_middle(vm, gpu, region):
    blob = HostBlob(gpu)
    region.hold()
    chain = post(gpu, Cmd.RESOURCE_MAP_BLOB, blob)
    region.wait(MAP)
    replace_region(vm)
    assert not gpu.result(chain).ok
    region.close()
    blob.map(0)
    assert vm.region.ranges() == [(0, PAGE)]


ANSWERS = {
    "not asked for": (MAP, 8, 0, FLAG_REPLY),
    "of another request": (UNMAP, 8, 0, FLAG_REPLY),
    "short": (MAP, 4, 0, FLAG_REPLY),
    "long": (MAP, 16, 0, FLAG_REPLY),
    "huge": (MAP, 0xFFFFFFFF, 0, FLAG_REPLY),
    "no answer": (MAP, 8, 0, 0),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_wrong_answers(vm, gpu, region, case):
    """The channel ends, the session goes on."""
    request, size, _, flags = ANSWERS[case]
    chain = None
    if case != "not asked for":
        region.hold()
        chain = post(gpu, Cmd.RESOURCE_MAP_BLOB, HostBlob(gpu))
        region.wait(MAP)
    region.channel.sock.sendall(HEADER.pack(request, VERSION | flags, size) + bytes(min(size, 64)))
    region.wait_closed()
    if chain:
        assert gpu.result(chain).type == UNSPEC
    assert not gpu.map_blob(HostBlob(gpu).id, 0).ok
    assert vm.alive()


def test_channel_that_does_not_read(vm, gpu, region):
    """Commands fill the socket: the device neither blocks nor loses order."""
    blobs = mapped_blobs(gpu, 40)
    region.hold()
    for blob in blobs:
        blob.unref()
    vm.user.get_features()
    vm.sync()
    region.release()
    region.wait_empty()
    assert vm.alive()


def test_hang_up(running, vm, gpu, region):
    """The session ends and asks for nothing more than it must; the next front-end is served."""
    mapped_blobs(gpu)
    vm.hang_up()
    vm.daemon.wait_sessions(0)
    region.wait_empty()
    other = running.vm(vm.daemon, region=SharedRegion())
    require(other.gpu.ctx_create(CTX))
    HostBlob(other.gpu).map(0)
    other.hang_up()
    other.region.wait_empty()


def test_hang_up_in_the_middle(vm, gpu, region):
    mapped_blobs(gpu)
    region.hold()
    post(gpu, Cmd.RESOURCE_MAP_BLOB, HostBlob(gpu))
    region.wait(MAP, 6)
    vm.hang_up()
    vm.daemon.wait_sessions(0)
    region.release()
    region.wait_empty()


def test_everything_hangs_up(vm, gpu, region):
    mapped_blobs(gpu)
    region.close()
    vm.hang_up()
    vm.daemon.wait_sessions(0)


@pytest.mark.parametrize("outstanding", [False, True])
def test_signal(vm, gpu, region, outstanding):
    """A session that is told to end gives back what it has mapped."""
    mapped_blobs(gpu)
    if outstanding:
        region.hold()
        post(gpu, Cmd.RESOURCE_MAP_BLOB, HostBlob(gpu))
        region.wait(MAP, 6)
    os.kill(vm.daemon.session_pid(), signal.SIGTERM)
    region.wait_closed()
    region.release()
    region.wait_empty()
    vm.daemon.wait_sessions(0)


def is_sanitized(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        return "libasan" in maps.read()


def rss(pid):
    """Bytes of memory that are the process's own."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(1024 * int(line.split()[1]) for line in status
                    if line.startswith("RssAnon:"))


def map_count(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        return sum("null-blob" in line for line in maps)


def test_rounds_leave_nothing(vm, gpu, region):
    """1000 rounds of create, map, write, show, unmap (every other one) and unref."""
    pid, sizes = vm.daemon.session_pid(), []
    for turn in range(1000):
        blob = HostBlob(gpu, 4 * PAGE)
        offset = turn % 7 * 16 * PAGE
        blob.map(offset)
        region.at(offset)[:8] = struct.pack("=Q", turn)
        if turn % 2:
            blob.unmap()
        blob.unref()
        if turn in (200, 999):
            assert vm.alive()
            sizes.append((fd_count(pid), map_count(pid), rss(pid)))
    region.wait_empty()
    assert len(region.of(MAP)) == len(region.of(UNMAP)) == 1000
    assert sizes[0][:2] == sizes[1][:2]
    # AddressSanitizer keeps what was freed, to recognise its use.
    if not is_sanitized(pid):
        assert sizes[1][2] < sizes[0][2] + (1 << 20), sizes


def test_resets_leave_nothing(vm, gpu, region):
    pid, counts = vm.daemon.session_pid(), []
    for turn in range(30):
        mapped_blobs(gpu)
        vm.reset()
        region.wait_empty()
        require(gpu.ctx_create(CTX))
        if turn in (5, 29):
            counts.append((fd_count(pid), map_count(pid)))
    assert counts[0][1] == counts[1][1]
    wait_until(lambda: fd_count(pid) <= counts[0][0], "descriptors closed")
