# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Cross-domain with guests that lie: errors are answers, and this session and others live on."""

import os
import random
import socket
import struct
import threading

import pytest

from frontend import cross_domain
from frontend.blob import GuestBlob, HostBlob
from frontend.checks import HUGE, OK, PARAMETER
from frontend.cross_domain import (BLOB, CHANNEL_RING, FIRST_READ_PIPE, MAX_IDENTIFIERS,
                                   MESSAGE_ROOM, QUERY_RING, READ_PIPE, WRITE_PIPE, Compositor,
                                   Context, receive_all)
from frontend.daemon import fd_count
from frontend.virtio_gpu import FLAG_FENCE, PAGE, Resp, require
from test_limits import limit_fds, use_messages_with_fds

MAX_PIPES = 64


@pytest.fixture
def compositor(tmp_path):
    compositor = Compositor(tmp_path / "wayland-0")
    yield compositor
    compositor.close()


@pytest.fixture
def daemon(running, compositor):
    return running.daemon("gfxstream", "--capset", "cross-domain", "--channel",
                          f"wayland={compositor.path}")


@pytest.fixture
def vm(running, daemon):
    """The guest that lies. In the end another one, there all the time, talks to the host."""
    bystander = running.vm(daemon, headless=True)
    others = {daemon.session_pid()}
    vm = running.vm(daemon)
    vm.bystander = bystander
    vm.pid, = set(daemon.sessions()) - others
    return vm


@pytest.fixture
def context(vm):
    return Context(vm.gpu, 1)


@pytest.fixture
def host(context, compositor):
    return context.connect(compositor)


@pytest.fixture(autouse=True)
def all_is_well(vm, compositor):
    """After each test: this session, a new context in it, and the other session."""
    yield
    assert vm.alive()
    for gpu in (vm.gpu, vm.bystander.gpu):
        context = Context(gpu, 1000)
        context.connect(compositor).sendall(b"all is well")
        assert context.message().data == b"all is well"


def raw(*fields):
    return struct.pack(f"={len(fields)}I", *fields)


def with_length(command, length, total):
    """A header that says length, in a submission of total bytes."""
    return cross_domain.header(command, length) + bytes(total - cross_domain.HEADER.size)


@pytest.mark.parametrize("command", range(1, 8))
def test_lengths(context, host, check, command):
    """A length of 0 would be walked over for ever; one beyond the end reads what is not there."""
    for length, total in ((0, 8), (0, 800), (1, 8), (7, 8), (9, 8), (400, 399), (0xFFFF, 800)):
        check(f"{length} of {total}", context.submit(with_length(command, length, total)),
              PARAMETER)
    for total in (1, 4, 7):
        check(f"{total} bytes", context.submit(bytes([command] * total)), PARAMETER)
    for length in (10, 13, 353):
        check(f"{length}, and another behind it",
              context.submit(with_length(command, length, 800)), PARAMETER)
    assert not check.wrong, check.wrong


def test_short_commands(context, host, check):
    for command, room in ((cross_domain.INIT, 16), (cross_domain.GET_IMAGE_REQUIREMENTS, 24),
                          (cross_domain.SEND, 352), (cross_domain.WRITE, 24)):
        for length in (8, room - 4, room - 1):
            check(f"{command} of {length}", context.submit(with_length(command, length, length)),
                  PARAMETER)
    assert not check.wrong, check.wrong


def test_unknown_commands(context, host, check):
    """Those of the ring, those of later versions of the library, and any other."""
    for command in (0, cross_domain.RECEIVE, cross_domain.READ, *range(8, 256)):
        for total in (8, 40, 400):
            check(f"{command}", context.submit(with_length(command, total, total)), PARAMETER)
    assert not check.wrong, check.wrong


def test_error_in_the_middle(context, host):
    """What is before the error is carried out, what is behind it is not."""
    stream = (cross_domain.send(b"said") + with_length(99, 8, 8) + cross_domain.send(b"not said"))
    assert context.submit(stream).type == PARAMETER
    require(context.send(b"next"))
    assert receive_all(host, 8) == b"saidnext"


def test_commands_before_init(context, check):
    for name, data in (("send", cross_domain.send(b"data")),
                       ("send a pipe", cross_domain.send(b"", [(FIRST_READ_PIPE, READ_PIPE)])),
                       ("query", cross_domain.query(64, 64)),
                       ("write", cross_domain.write(3, b"data"))):
        check(name, context.submit(data), PARAMETER)
    check("poll", context.submit(cross_domain.poll(), ring=CHANNEL_RING), OK)
    assert not check.wrong, check.wrong


def test_send_without_a_channel(context, check):
    require(context.init(kind=0))
    check("send", context.send(b"data"), PARAMETER)
    check("send a pipe", context.send(b"", (FIRST_READ_PIPE, READ_PIPE)), PARAMETER)
    assert not check.wrong, check.wrong


@pytest.mark.parametrize("kind", [0, cross_domain.WAYLAND])
def test_init_twice(context, compositor, kind):
    """A second connection would leave the first one's thread without an end."""
    require(context.init(kind))
    if kind:
        compositor.accept()
    for again in (0, cross_domain.WAYLAND, 2, HUGE):
        assert context.init(again).type == PARAMETER
    require(context.submit(cross_domain.query(64, 64)))


def test_channels_that_are_not_there(context, check):
    for kind in (2, 16, 17, 255, HUGE):
        check(f"channel {kind}", context.init(kind), PARAMETER)
    assert not check.wrong, check.wrong


def test_rings_that_are_none(vm, context, check):
    gpu, good = vm.gpu, context.query_ring.id
    other = Context(gpu, 2)
    require(other.init(kind=0))
    image = other.query(64, 64)
    host_blob = HostBlob(gpu, image.size, ctx=2, blob_id=image.blob_id)
    require(gpu.ctx_attach(1, host_blob.id))
    detached = context.ring().id
    require(gpu.ctx_detach(1, detached))
    gone = context.ring().id
    require(gpu.unref(gone))
    picture = gpu.resource(32, 32).id
    require(gpu.ctx_attach(1, picture))
    shared = other.ring().id
    require(gpu.ctx_attach(1, shared))
    small = context.ring(PAGE - 1, gpu.backing(PAGE)).id
    for name, number in (("0", 0), ("unknown", 999), ("huge", HUGE), ("host blob", host_blob.id),
                         ("another context's", other.query_ring.id), ("both contexts'", shared),
                         ("not attached", GuestBlob(gpu, PAGE).id), ("detached", detached),
                         ("gone", gone), ("picture", picture), ("small", small)):
        check(f"channel ring {name}", context.submit(cross_domain.init(good, number)), PARAMETER)
        if name != "small":
            check(f"query ring {name}", context.submit(cross_domain.init(number, good)), PARAMETER)
        check(f"legacy ring {name}", context.submit(cross_domain.init_legacy(number)), PARAMETER)
    check("query ring without room",
          context.submit(cross_domain.init(context.ring(63, gpu.backing(PAGE)).id, good, 0)),
          PARAMETER)
    assert not check.wrong, check.wrong
    require(context.init(kind=0))


def test_identifiers(vm, context, host, check):
    for count in (MAX_IDENTIFIERS + 1, 64, 0x10000, HUGE):
        check(f"{count} identifiers", context.submit(cross_domain.send(b"", (), count)), PARAMETER)
    for number in (0, 999, HUGE):
        check(f"blob {number}", context.send(b"", (number, BLOB)), PARAMETER)
    check("blob without memory of the host", context.send(b"", (context.query_ring.id, BLOB)),
          PARAMETER)
    check("many of them", context.send(b"", *[(context.query_ring.id, BLOB)] * MAX_IDENTIFIERS),
          PARAMETER)
    for kind in (0, 2, WRITE_PIPE, 5, 255, HUGE):
        check(f"type {kind}", context.send(b"", (1, kind)), PARAMETER)
    for claimed in (5, 0x10000, HUGE - 351, HUGE):
        check(f"{claimed} bytes of 4",
              context.submit(cross_domain.send(b"data", data_len=claimed)), PARAMETER)
    check("two pipes", context.send(b"", (FIRST_READ_PIPE, READ_PIPE),
                                    (FIRST_READ_PIPE + 1, READ_PIPE)), PARAMETER)
    assert not check.wrong, check.wrong
    require(context.send(b"fine"))
    assert receive_all(host, 4) == b"fine"


def test_blob_of_another_context(vm, context, host):
    """A blob that the context does not have cannot be given to the host."""
    other = Context(vm.gpu, 2)
    require(other.init(kind=0))
    image = other.query(64, 64)
    blob = HostBlob(vm.gpu, image.size, ctx=2, blob_id=image.blob_id)
    assert context.send(b"", (blob.id, BLOB)).type == PARAMETER
    require(vm.gpu.ctx_attach(1, blob.id))
    require(vm.gpu.unref(blob.id))
    assert context.send(b"", (blob.id, BLOB)).type == PARAMETER


def test_write_to_what_is_no_pipe(context, host, check):
    fd = os.memfd_create("keymap")
    os.write(fd, b"keys")
    socket.send_fds(host, [b"fd"], [fd])
    os.close(fd)
    (keymap, _, _), = context.message().identifiers
    for number in (0, 1, 5, FIRST_READ_PIPE, HUGE, keymap):
        check(f"write to {number}", context.write(number, b"data"), PARAMETER)
    for claimed in (5, HUGE - 23, HUGE):
        check(f"{claimed} bytes of 4",
              context.submit(cross_domain.write(keymap, b"data", data_len=claimed)), PARAMETER)
    assert not check.wrong, check.wrong


def test_too_many_pipes(vm, context, host):
    """Whose number the guest guesses right or wrong: both cost a descriptor."""
    before = fd_count(vm.pid)
    for number in range(FIRST_READ_PIPE, FIRST_READ_PIPE + MAX_PIPES):
        if number % 2:
            require(context.send(b"ok", (number, READ_PIPE)))
            _, fds, _, _ = socket.recv_fds(host, 2, 1)
            os.close(fds[0])
        else:
            assert context.send(b"", (7, READ_PIPE)).type == PARAMETER
    for number in range(FIRST_READ_PIPE + MAX_PIPES, FIRST_READ_PIPE + 200):
        assert context.send(b"", (number, READ_PIPE)).type == PARAMETER
    assert fd_count(vm.pid) <= before + MAX_PIPES
    require(context.send(b"data"))
    assert receive_all(host, 4) == b"data"
    require(vm.gpu.ctx_destroy(1))
    assert fd_count(vm.pid) < before


def test_descriptors_of_channels(running, compositor):
    """A channel has several, a pipe two; what messages of the front-end need is left."""
    daemon = running.daemon("gfxstream", "--channel", f"wayland={compositor.path}",
                            prepare=limit_fds(256, 256))
    vm = running.vm(daemon)
    contexts = [Context(vm.gpu, number) for number in range(1, 101)]
    connected = 0
    while contexts[connected].init().ok:
        compositor.accept()
        contexts[connected].send(b"", (FIRST_READ_PIPE, READ_PIPE))
        connected += 1
    assert 10 < connected < 50
    assert contexts[0].send(b"", (FIRST_READ_PIPE + 1, READ_PIPE)).type == PARAMETER
    # FD_RESERVE, but for the last channel and its pipe.
    assert fd_count(daemon.session_pid()) < 256 - 64 + 16
    use_messages_with_fds(vm)
    for number in range(1, connected + 1):
        require(vm.gpu.ctx_destroy(number))
    require(contexts[-1].init())
    compositor.accept()
    assert vm.alive()


def test_blobs_of_nothing(vm, context, host, check):
    """Ids that the host never gave, images of another size, contexts that have none."""
    image = context.query(64, 64)
    gpu = vm.gpu
    for number in (0, 1, 2, 3, 99, FIRST_READ_PIPE, HUGE, 1 << 32, (1 << 64) - 1,
                   image.blob_id + 2):
        check(f"blob {number:#x}", gpu.create_blob(900, 2, 1, number, PAGE, ctx_id=1), PARAMETER)
    for size in (1, image.size - PAGE, image.size + PAGE, 1 << 40, (1 << 64) - PAGE):
        check(f"{size} bytes", gpu.create_blob(900, 2, 1, image.blob_id, size, ctx_id=1),
              PARAMETER, Resp.ERR_OUT_OF_MEMORY)
    Context(gpu, 2)
    check("another context's", gpu.create_blob(900, 2, 1, image.blob_id, image.size, ctx_id=2),
          PARAMETER)
    check("no context's", gpu.create_blob(900, 2, 1, image.blob_id, image.size), PARAMETER,
          Resp.ERR_INVALID_CONTEXT_ID)
    check("of both kinds", gpu.create_blob(900, 3, 1, image.blob_id, image.size,
                                           gpu.backing(image.size), ctx_id=1), PARAMETER)
    assert not check.wrong, check.wrong


def test_pages_are_not_taken_from_rings(vm, context, host):
    """A guest blob keeps its pages for its life."""
    assert not vm.gpu.detach_backing(context.channel_ring.id).ok
    assert not vm.gpu.attach_backing(context.channel_ring.id, vm.gpu.backing(PAGE)).ok
    host.sendall(b"still there")
    assert context.message().data == b"still there"


@pytest.mark.parametrize("act", ["unref", "detach"])
@pytest.mark.parametrize("is_polled", [False, True])
def test_ring_goes_while_the_channel_lives(vm, context, host, act, is_polled):
    """The message has nowhere to go, and the poll ends with the context at the latest."""
    chains = [context.poll()] if is_polled else []
    if act == "unref":
        require(vm.gpu.unref(context.channel_ring.id))
        require(vm.gpu.unref(context.query_ring.id))
    else:
        require(vm.gpu.ctx_detach(1, context.channel_ring.id))
        require(vm.gpu.ctx_detach(1, context.query_ring.id))
    host.sendall(b"into the void")
    chains.append(context.poll(2))
    assert not context.submit(cross_domain.query(64, 64)).ok
    assert vm.alive()
    require(vm.gpu.ctx_destroy(1))
    for chain in chains:
        require(vm.gpu.result(chain))


def test_ring_of_two_contexts(vm, context, host, compositor):
    """It is the first one's; what the second does to it is no harm to the first."""
    other = Context(vm.gpu, 2)
    require(vm.gpu.ctx_attach(2, context.channel_ring.id))
    require(vm.gpu.ctx_detach(2, context.channel_ring.id))
    require(vm.gpu.ctx_attach(2, context.channel_ring.id))
    require(vm.gpu.ctx_destroy(2))
    host.sendall(b"still mine")
    assert context.message().data == b"still mine"


def test_messages_while_contexts_come_and_go(vm, compositor):
    """The channel's thread is in the middle of it when the end comes."""
    for turn in range(30):
        context = Context(vm.gpu, 1)
        host = context.connect(compositor)
        chains = [context.poll(fence) for fence in range(3)]
        host.sendall(bytes(3 * MESSAGE_ROOM))
        if turn % 3 == 0:
            require(vm.gpu.unref(context.channel_ring.id))
        require(vm.gpu.ctx_destroy(1))
        for chain in chains:
            require(vm.gpu.result(chain))
        if turn % 3 == 1:
            require(vm.gpu.unref(context.channel_ring.id))


def test_descriptors_that_the_library_does_not_know(vm, context, host, compositor):
    """0.1.3 gives the channel up for the end of a pipe that is read, and for a socket."""
    reader, writer = os.pipe()
    socket.send_fds(host, [b"odd"], [reader])
    os.close(reader)
    os.close(writer)
    chain = context.poll()
    assert vm.alive()
    require(vm.gpu.ctx_destroy(1))
    require(vm.gpu.result(chain))


def test_many_queries(context):
    """More than a guest has use for at once; each has an id of its own."""
    require(context.init(kind=0))
    ids = {context.query(64, 64).blob_id for _ in range(300)}
    assert len(ids) == 300
    stream = cross_domain.query(64, 64) * 2000
    require(context.submit(stream))


def swallow(host):
    """Read whatever comes, until the end."""
    try:
        while True:
            data, fds, _, _ = socket.recv_fds(host, 65536, MAX_IDENTIFIERS)
            for fd in fds:
                os.close(fd)
            if not data:
                return
    except OSError:
        pass


@pytest.mark.parametrize("seed", range(4))
def test_random_streams(vm, context, host, seed):
    """Commands that are nearly right, one behind the other."""
    dice = random.Random(seed)
    image = context.query(64, 64)
    blob = HostBlob(vm.gpu, image.size, blob_id=image.blob_id)
    require(vm.gpu.ctx_attach(1, blob.id))
    reader = threading.Thread(target=swallow, args=(host,), daemon=True)
    reader.start()
    samples = (lambda: cross_domain.send(dice.randbytes(dice.randrange(64)), [(blob.id, BLOB)]),
               lambda: cross_domain.send(b"", [(FIRST_READ_PIPE, READ_PIPE)]),
               lambda: cross_domain.query(dice.randrange(1 << 16), dice.randrange(1 << 16)),
               lambda: cross_domain.write(dice.randrange(8), dice.randbytes(dice.randrange(64))),
               lambda: cross_domain.init(context.query_ring.id, context.channel_ring.id),
               cross_domain.poll)
    for _ in range(500):
        stream = bytearray(b"".join(dice.choice(samples)() for _ in range(dice.randint(1, 4))))
        for _ in range(dice.randrange(6)):
            stream[dice.randrange(len(stream))] = dice.choice((0, 1, 2, 8, 0x7f, 0xff))
        assert context.submit(bytes(stream)).type in Resp
    require(vm.gpu.ctx_destroy(1))
    reader.join()


def test_fences_of_odd_rings(context, host):
    """A ring index that there is no ring for is done at once, or no fence at all."""
    for ring in (2, 62, 63, 64, 255):
        require(context.submit(cross_domain.poll(), ring=ring, fence=9))
    require(context.submit(cross_domain.poll(), ring=QUERY_RING, fence=9))


# What cross-domain alone has not


def test_no_images_of_3d(vm, context, check):
    """There is no GPU behind it."""
    gpu = vm.gpu
    check("3D", gpu.create_3d(900, 64, 64), PARAMETER)
    check("buffer", gpu.create_3d(900, 64, 1, fmt=64, target=0), PARAMETER)
    picture = gpu.resource(64, 64)
    require(gpu.ctx_attach(1, picture.id))
    for act in (gpu.transfer_to_3d, gpu.transfer_from_3d):
        for number in (picture.id, context.query_ring.id):
            response = act(1, number, (0, 0, 0, 64, 64, 1))
            check(f"transfer of {number}", response, PARAMETER, Resp.ERR_UNSPEC)
        check("transfer of nothing", act(1, 900, (0, 0, 0, 64, 64, 1)),
              Resp.ERR_INVALID_RESOURCE_ID)
    check.done(vm)


def test_contexts_of_other_capsets(vm, check):
    for capset in (1, 2, 3, 4, 6, 8, 9, 63, 255):
        check(f"capset {capset}", vm.gpu.ctx_create(900, capset), PARAMETER)
        check(f"capset {capset}", vm.gpu.get_capset(capset, 0, 64), PARAMETER)
    for index in (1, 2, HUGE):
        answer = vm.gpu.get_capset_info(index)
        assert answer.type == PARAMETER or answer.unpack("=3I") == (0, 0, 0)
    check("version", vm.gpu.get_capset(cross_domain.CAPSET, 1, 64), PARAMETER)
    for ctx in (0, 900, HUGE):
        check(f"context {ctx}", vm.gpu.submit_3d(ctx, [3, 0]), Resp.ERR_INVALID_CONTEXT_ID)
    require(vm.gpu.ctx_create(900))
    check("its default", vm.gpu.submit_3d(900, struct.unpack("=2I", cross_domain.poll())), OK)
    check.done(vm)


def test_fences_without_a_ring(vm, context, host):
    """The global timeline keeps its order, and waits for no channel."""
    context.poll()
    chains = [context.gpu.post(0x0100, room=16 * 24, flags=FLAG_FENCE, fence_id=fence)
              for fence in range(1, 50)]
    answers = [vm.gpu.result(chain) for chain in chains]
    assert [answer.fence_id for answer in answers] == list(range(1, 50))
    assert [chain.order for chain in chains] == sorted(chain.order for chain in chains)
