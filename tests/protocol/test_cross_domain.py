# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Cross-domain: a guest that talks to a socket of the host, here a compositor of ours.

Guests that lie are in test_cross_domain_hostile.py.
"""

import fcntl
import mmap
import os
import socket
import struct

import pytest

from frontend import cross_domain
from frontend.blob import MAPPABLE, SHAREABLE, HostBlob
from frontend.cross_domain import (BLOB, CAPSET, CHANNEL_RING, FIRST_READ_PIPE, MESSAGE_ROOM,
                                   QUERY_RING, READ, READ_PIPE, RECEIVE, WRITE_PIPE, Compositor,
                                   Context, receive_all)
from frontend.daemon import wait_until
from frontend.memory import MIB, GuestMemory, Region
from frontend.pixels import random_bytes
from frontend.shmem import MAP, SharedRegion
from frontend.virtio_gpu import FLAG_FENCE, PAGE, Resp, require

SCATTERED = (300, 52, 4000, 1)  # lengths of pieces that follow nowhere


@pytest.fixture
def compositor(tmp_path):
    compositor = Compositor(tmp_path / "wayland-0")
    yield compositor
    compositor.close()


@pytest.fixture
def vm(start_vm, compositor):
    return start_vm("gfxstream", "--channel", f"wayland={compositor.path}", region=SharedRegion())


@pytest.fixture
def context(vm):
    return Context(vm.gpu, 1)


@pytest.fixture
def host(context, compositor):
    """The host's end of the context's channel."""
    return context.connect(compositor)


def capset(vm):
    """The fields of cross-domain's capset: version, channels, dma-bufs, GPU memory."""
    count, = struct.unpack_from("=I", vm.user.get_config(16), 12)
    infos = [require(vm.gpu.get_capset_info(i), Resp.OK_CAPSET_INFO).unpack("=3I")
             for i in range(count)]
    (_, version, size), = [info for info in infos if info[0] == CAPSET]
    assert (version, size) == (0, 16)
    return require(vm.gpu.get_capset(CAPSET, version, size), Resp.OK_CAPSET).unpack("=4I")


def test_capset(vm):
    """Version 1 is that of WRITE; channel type 1 is bit 1; the host has no GPU's allocator here."""
    assert capset(vm)[:2] == (1, 1 << cross_domain.WAYLAND)


def test_capset_without_a_channel(start_vm):
    """The guest can tell that there is nobody to talk to."""
    vm = start_vm("gfxstream")
    assert capset(vm)[:2] == (1, 0)
    assert not Context(vm.gpu, 1).init().ok
    assert vm.alive()


def test_init(context, compositor):
    """Without a channel nothing connects."""
    require(context.init(kind=0))
    compositor.listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        compositor.accept()


def test_init_legacy(vm, context, compositor):
    """The older form has one ring for both."""
    ring = context.channel_ring
    require(context.submit(cross_domain.init_legacy(ring.id)))
    host = compositor.accept()
    host.sendall(b"good morning")
    assert context.message().data == b"good morning"
    require(context.submit(cross_domain.query(64, 64)))
    assert cross_domain.Requirements.parse(ring.contents()).size == 4 * 64 * 64
    assert vm.alive()


def test_guest_sends(context, host):
    for data in (b"wl_display", b"", b"12345", random_bytes(1, 60000)):
        require(context.send(data))
        assert receive_all(host, len(data)) == data


def test_commands_in_one_submission(context, host):
    """They are carried out in order, and each begins where the one before it ends."""
    parts = [random_bytes(seed, 4 * (seed + 1)) for seed in range(10)]
    stream = b"".join(cross_domain.send(part) + cross_domain.poll() for part in parts)
    require(context.submit(stream))
    expected = b"".join(parts)
    assert receive_all(host, len(expected)) == expected


def test_guest_receives(context, host):
    chain = context.poll(fence=77)
    require(context.submit(cross_domain.poll(), ring=QUERY_RING))
    assert not chain.done, "there was nothing to tell yet"
    host.sendall(b"an event")
    message = context.message(chain)
    assert (message.command, message.data, message.identifiers) == (RECEIVE, b"an event", [])


def test_long_messages_come_in_parts(context, host):
    """A message fills the ring's page at most."""
    data = random_bytes(3, 5 * MESSAGE_ROOM + 7)
    host.sendall(data)
    first = context.message()
    assert len(first.data) <= MESSAGE_ROOM
    rest, _ = context.receive(len(data) - len(first.data))
    assert first.data + rest == data


def test_conversation(context, host):
    for turn in range(100):
        question, answer = random_bytes(turn, 12), random_bytes(1000 + turn, 1 + turn * 30)
        require(context.send(question))
        assert receive_all(host, 12) == question
        host.sendall(answer)
        assert context.receive(len(answer)) == (answer, [])


# Descriptors from the host


def memfd(data, read_only):
    """A file of shared memory; read_only: sealed, and given out without the right to write."""
    fd = os.memfd_create("keymap", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if not read_only:
        return fd
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    os.close(fd)
    return reader


@pytest.mark.parametrize("size", [1, PAGE, 3 * PAGE + 100])
@pytest.mark.parametrize("read_only", [False, True])
def test_memory_of_the_host(vm, context, host, size, read_only):
    """A keymap: the guest learns its length and makes a blob of whole pages of it."""
    data = random_bytes(size, size)
    fd = memfd(data, read_only)
    socket.send_fds(host, [b"keymap"], [fd])
    os.close(fd)
    message = context.message()
    (number, kind, length), = message.identifiers
    assert (message.data, kind, length) == (b"keymap", BLOB, size)
    blob = HostBlob(vm.gpu, -(-size // PAGE) * PAGE, blob_id=number)
    require(vm.gpu.ctx_attach(1, blob.id))
    assert blob.map(2 * PAGE) == 1, "cached"
    event, = vm.region.of(MAP)
    # A library newer than 0.1.3 lets a guest write to what the host's program can write to.
    assert event.flags == 0 or not read_only, "another program's memory is not written to"
    assert vm.region.at(2 * PAGE)[:size] == data
    blob.unmap()
    blob.unref()
    assert not vm.gpu.create_blob(99, 2, MAPPABLE, number, PAGE, ctx_id=1).ok, "it is gone"


def test_blob_beyond_the_file(vm, context, host):
    """The guest may say what it likes of the length: no page without memory is mapped."""
    fd = memfd(b"x" * PAGE, False)
    socket.send_fds(host, [b"fd"], [fd])
    os.close(fd)
    (number, _, _), = context.message().identifiers
    blob = HostBlob(vm.gpu, 2 * PAGE, blob_id=number)
    assert not vm.gpu.map_blob(blob.id, 0).ok
    assert not vm.region.of(MAP)
    assert vm.alive()


def test_many_descriptors_at_once(vm, context, host):
    """As many as a message can have."""
    fds = [memfd(bytes([i]) * 10, False) for i in range(cross_domain.MAX_IDENTIFIERS)]
    socket.send_fds(host, [b"all of them"], fds)
    for fd in fds:
        os.close(fd)
    identifiers = context.message().identifiers
    assert len({number for number, _, _ in identifiers}) == len(fds)
    for i, (number, kind, length) in enumerate(identifiers):
        assert (kind, length) == (BLOB, 10)
        HostBlob(vm.gpu, PAGE, blob_id=number).map(i * PAGE)
        assert vm.region.at(i * PAGE)[:] == bytes([i]) * 10


def receive_write_pipe(context, host):
    """The host gives a pipe to write to. Returns what the guest calls it, and the end to read."""
    reader, writer = os.pipe()
    socket.send_fds(host, [b"paste here"], [writer])
    os.close(writer)
    (number, kind, _), = context.message().identifiers
    assert kind == WRITE_PIPE
    return number, os.fdopen(reader, "rb")


def test_guest_writes_to_a_pipe(context, host):
    """Lengths of any kind; with the last part the pipe is closed."""
    number, reader = receive_write_pipe(context, host)
    parts = [b"a", b"bc", b"def", random_bytes(4, 10001)]
    for part in parts:
        require(context.write(number, part))
    require(context.write(number, b"the end", hang_up=True))
    with reader:
        assert reader.read() == b"".join(parts) + b"the end"
    assert not context.write(number, b"more").ok


def test_pipe_that_nobody_reads(vm, context, host):
    number, reader = receive_write_pipe(context, host)
    reader.close()
    assert not context.write(number, b"lost").ok
    assert vm.alive()


# Descriptors from the guest


def ask_for_pipe(context, host, number=FIRST_READ_PIPE):
    """The guest makes a pipe, which the host gets the end of that can be written to."""
    require(context.send(b"copy", (number, READ_PIPE)))
    data, fds, _, _ = socket.recv_fds(host, 4, 4)
    assert (data, len(fds)) == (b"copy", 1)
    return fds[0]


def test_guest_reads_from_a_pipe(context, host):
    writer = ask_for_pipe(context, host)
    os.write(writer, b"selection")
    message = context.message()
    assert (message.command, message.pipe, message.hang_up, message.data) == (
        READ, FIRST_READ_PIPE, False, b"selection")
    os.close(writer)
    message = context.message()
    assert (message.command, message.pipe, message.hang_up, message.data) == (
        READ, FIRST_READ_PIPE, True, b"")
    host.sendall(b"and events go on")
    assert context.message().data == b"and events go on"


def test_pipe_is_asked_for_while_a_poll_waits(context, host):
    """The thread that waits for the channel learns of the pipe."""
    chain = context.poll()
    writer = ask_for_pipe(context, host)
    os.write(writer, b"now")
    assert context.message(chain).data == b"now"
    os.close(writer)
    assert context.message().hang_up


def test_long_read_comes_in_parts(context, host):
    """None is longer than the guest's ring."""
    data = random_bytes(5, 3 * PAGE)
    writer = ask_for_pipe(context, host)
    os.write(writer, data)
    os.close(writer)
    found, message = b"", context.message()
    while not message.hang_up:
        found += message.data
        message = context.message()
    assert found == data


def test_pipes_that_were_closed_do_not_count(context, host):
    """The library keeps a pipe until its end was read; more than a guest may have open."""
    for number in range(FIRST_READ_PIPE, FIRST_READ_PIPE + 100):
        os.close(ask_for_pipe(context, host, number))
        message = context.message()
        assert (message.pipe, message.hang_up) == (number, True)


@pytest.mark.parametrize("name,size", [("XR24", 4 * 120 * 50), ("NV12", 120 * 50 * 3 // 2)])
def test_image(vm, context, host, name, size):
    """A buffer that the guest draws on and the host shows: both see the same memory."""
    found = context.query(120, 50, name)
    assert found.size == -(-size // PAGE) * PAGE
    assert found.strides[0] == (480 if name == "XR24" else 120)
    assert (found.offsets[0], found.map_info) == (0, 1)
    blob = HostBlob(vm.gpu, found.size, flags=MAPPABLE | SHAREABLE, blob_id=found.blob_id)
    require(vm.gpu.ctx_attach(1, blob.id))
    blob.map(0)
    drawn = random_bytes(6, found.size)
    vm.region.at(0)[:] = drawn
    require(context.send(b"buf", (blob.id, BLOB)))
    _, (fd,), _, _ = socket.recv_fds(host, 3, 4)
    with mmap.mmap(fd, found.size) as memory:
        os.close(fd)
        assert memory[:] == drawn
        memory[:8] = b"released"
    assert vm.region.at(0)[:8] == b"released"


def test_images_of_the_same_requirements(vm, context, host):
    """They are asked for once, and blobs are made of them again and again."""
    found = context.query(64, 64)
    blobs = [HostBlob(vm.gpu, found.size, blob_id=found.blob_id) for _ in range(3)]
    for i, blob in enumerate(blobs):
        blob.map(i * found.size)
        vm.region.at(i * found.size)[:4] = bytes([i] * 4)
    assert [vm.region.at(i * found.size)[0] for i in range(3)] == [0, 1, 2]
    assert host.send(b"x") == 1


def test_image_that_is_not_possible(vm, context):
    require(context.init(kind=0))
    for image in ((0xFFFFFFFF, 1), (70000, 70000), (64, 64, "ABCD"), (0xFFFFFFFF, 0xFFFFFFFF)):
        assert context.submit(cross_domain.query(*image)).type == Resp.ERR_INVALID_PARAMETER
    assert context.query(64, 64).size == 4 * 64 * 64
    assert vm.alive()


# Fences


def test_fences(vm, context, host):
    """What does not wait for the channel is done when it was carried out."""
    for ring in (QUERY_RING, 2, 63):
        answer = require(context.submit(cross_domain.send(b"abcd"), ring=ring, fence=5))
        assert (answer.fence_id, answer.ring_idx, answer.ctx_id) == (5, ring, 1)
    answer = require(context.gpu.submit_3d(1, struct.unpack("=2I", cross_domain.poll()),
                                           flags=FLAG_FENCE, fence_id=6))
    assert answer.fence_id == 6
    assert receive_all(host, 12) == b"abcd" * 3


def test_fence_of_a_channel_that_is_not_there(context):
    require(context.submit(cross_domain.poll(), ring=CHANNEL_RING))
    require(context.init(kind=0))
    require(context.submit(cross_domain.poll(), ring=CHANNEL_RING))


def test_poll_holds_nothing_up(vm, context, host):
    """The device, the context's other commands, and fences off the channel go on."""
    chain = context.poll()
    assert vm.alive()
    require(context.send(b"ping"))
    require(vm.gpu.create_2d(50, 2, 8, 8, flags=FLAG_FENCE, fence_id=3))
    assert receive_all(host, 4) == b"ping"
    assert not chain.done
    host.sendall(b"pong")
    assert context.message(chain).data == b"pong"


# Ends, and other beginnings


def test_context_ends_while_a_poll_waits(vm, context, host):
    chain = context.poll()
    require(vm.gpu.ctx_destroy(1))
    require(vm.gpu.result(chain))
    assert host.recv(1) == b"", "the channel is closed"
    assert vm.alive()


def test_several_polls_wait(vm, context, host):
    """One message for each, and the end for what is left."""
    chains = [context.poll(fence) for fence in range(1, 6)]
    host.sendall(b"one")
    assert context.message(chains[0]).data == b"one"
    host.sendall(b"two")
    assert context.message(chains[1]).data == b"two"
    require(vm.gpu.ctx_destroy(1))
    for chain in chains[2:]:
        require(vm.gpu.result(chain))


def test_host_hangs_up(vm, context, host, compositor):
    """The library may tell the guest or let its poll wait: the context ends, another begins."""
    chain = context.poll()
    host.close()
    wait_until(lambda: not context.send(b"anybody?").ok, "sending fails")
    assert vm.alive()
    require(vm.gpu.ctx_destroy(1))
    require(vm.gpu.result(chain))
    again = Context(vm.gpu, 1)
    again.connect(compositor).sendall(b"welcome back")
    assert again.message().data == b"welcome back"


def test_compositor_is_not_there(start_vm, tmp_path):
    """INIT fails, and the context hears of it; one that is made later finds the compositor."""
    path = tmp_path / "wayland-0"
    vm = start_vm("gfxstream", "--channel", f"wayland={path}")
    early = Context(vm.gpu, 1)
    for _ in range(2):
        assert early.init().type == Resp.ERR_INVALID_PARAMETER
    assert not early.send(b"hello").ok
    require(early.submit(cross_domain.poll(), ring=CHANNEL_RING))
    compositor = Compositor(path)
    late = Context(vm.gpu, 2)
    late.connect(compositor).sendall(b"here I am")
    assert late.message().data == b"here I am"
    require(early.init(kind=0))
    compositor.close()


def test_two_contexts(vm, context, host, compositor):
    """Each has a connection, and hears of its own messages only."""
    other = Context(vm.gpu, 2)
    other_host = other.connect(compositor)
    chains = [context.poll(), other.poll()]
    require(context.send(b"from 1"))
    require(other.send(b"from 2"))
    assert receive_all(host, 6) == b"from 1"
    assert receive_all(other_host, 6) == b"from 2"
    other_host.sendall(b"to 2")
    assert other.message(chains[1]).data == b"to 2"
    assert not chains[0].done
    require(vm.gpu.ctx_destroy(2))
    host.sendall(b"to 1")
    assert context.message(chains[0]).data == b"to 1"


def test_two_sessions(running, compositor):
    daemon = running.daemon("gfxstream", "--channel", f"wayland={compositor.path}")
    contexts = [Context(running.vm(daemon).gpu, 1) for _ in range(2)]
    hosts = [context.connect(compositor) for context in contexts]
    for context, host in zip(contexts, hosts):
        host.sendall(struct.pack("=I", context.channel_ring.id))
        assert context.message().data == struct.pack("=I", context.channel_ring.id)


def test_reset(vm, compositor):
    """Contexts go, with their polls; the guest starts over."""
    for turn in range(3):
        context = Context(vm.gpu, 1)
        host = context.connect(compositor)
        context.poll()
        vm.reset()
        assert host.recv(1) == b""
    context = Context(vm.gpu, 1)
    context.connect(compositor).sendall(b"hello")
    assert context.message().data == b"hello"


# The guest's memory


def test_rings_of_scattered_pages(vm, compositor):
    entries = [vm.gpu.backing(PAGE, SCATTERED) for _ in range(2)]
    context = Context(vm.gpu, 1, PAGE, entries)
    host = context.connect(compositor)
    data = random_bytes(7, MESSAGE_ROOM)
    host.sendall(data)
    assert context.receive(len(data))[0] == data
    assert context.query(100, 10).size == PAGE


def test_nothing_is_written_behind_the_message(vm, context, host):
    """A message is as long as its data; what the guest keeps behind it stays."""
    context.channel_ring.write(b"\xee" * PAGE)
    host.sendall(b"short")
    context.message()
    assert context.channel_ring.contents()[cross_domain.MESSAGE.size + 5:] == b"\xee" * (
        PAGE - cross_domain.MESSAGE.size - 5)


def test_memory_table_changes_while_a_poll_waits(start_vm, compositor):
    """The message goes to where the guest's page is when it comes."""
    vm = start_vm("gfxstream", "--channel", f"wayland={compositor.path}",
                  memory=GuestMemory((16 * MIB, 16 * MIB)))
    pages = [vm.gpu.backing(PAGE, region=1) for _ in range(2)]
    context = Context(vm.gpu, 1, PAGE, pages)
    host = context.connect(compositor)
    chain = context.poll()
    old = vm.memory.regions[1]
    vm.memory.regions[1] = Region(old.gpa, old.size, old.uva)
    vm.user.set_mem_table(vm.memory.regions)
    old.close()
    host.sendall(b"to the new memory")
    assert context.message(chain).data == b"to the new memory"


def test_memory_is_gone_when_a_message_comes(start_vm, compositor):
    """The message is lost, nothing else; the next one finds the memory that is back."""
    vm = start_vm("gfxstream", "--channel", f"wayland={compositor.path}",
                  memory=GuestMemory((16 * MIB, 16 * MIB)))
    pages = [vm.gpu.backing(PAGE, region=1) for _ in range(2)]
    context = Context(vm.gpu, 1, PAGE, pages)
    host = context.connect(compositor)
    chain = context.poll()
    vm.user.set_mem_table(vm.memory.regions[:1])
    host.sendall(b"lost")
    require(vm.gpu.result(chain))
    assert context.channel_ring.contents() == bytes(PAGE)
    vm.user.set_mem_table(vm.memory.regions)
    host.sendall(b"found")
    assert context.message().data == b"found"
    assert vm.alive()


def test_ring_of_a_context_that_ended(vm, context, host, compositor):
    """The guest keeps the blob, and the next context uses it."""
    host.sendall(b"first")
    assert context.message().data == b"first"
    require(vm.gpu.ctx_destroy(1))
    other = Context(vm.gpu, 2)
    require(vm.gpu.ctx_attach(2, context.channel_ring.id))
    other.channel_ring = context.channel_ring
    other.connect(compositor).sendall(b"second")
    assert other.message().data == b"second"


def test_ring_goes_from_context_to_context(vm, context, host, compositor):
    """Detached from one, it is as new for the next."""
    host.sendall(b"first")
    assert context.message().data == b"first"
    other = Context(vm.gpu, 2)
    require(vm.gpu.ctx_detach(1, context.channel_ring.id))
    require(vm.gpu.ctx_attach(2, context.channel_ring.id))
    other.channel_ring = context.channel_ring
    other.connect(compositor).sendall(b"second")
    assert other.message().data == b"second"


# A host that is slow


def test_compositor_that_does_not_read(running, compositor):
    """It stops the guest that talks to it until it reads, and no other; nothing is lost."""
    daemon = running.daemon("gfxstream", "--channel", f"wayland={compositor.path}")
    vm, bystander = (running.vm(daemon) for _ in range(2))
    context = Context(vm.gpu, 1)
    host = context.connect(compositor)
    data = random_bytes(8, 60000)
    chains = [context.post(cross_domain.send(data)) for _ in range(20)]
    assert bystander.alive()
    assert not chains[-1].done, "more than a socket takes"
    for chain in chains:
        assert receive_all(host, len(data)) == data
    for chain in chains:
        require(vm.gpu.result(chain))
    assert vm.alive()


def test_front_end_leaves_while_the_compositor_does_not_read(running, compositor):
    """The session ends, if late: WATCHDOG_LIMIT_MS."""
    daemon = running.daemon("gfxstream", "--channel", f"wayland={compositor.path}")
    vm = running.vm(daemon)
    context = Context(vm.gpu, 1)
    context.connect(compositor)
    for _ in range(20):
        context.post(cross_domain.send(bytes(60000)))
    vm.hang_up()
    daemon.wait_sessions(0)
