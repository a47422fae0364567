# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Long work is cut: the front-end's messages are answered while it goes on, and it can be stopped.

No time is measured. One kick brings a short command and the long work. Once the short command is
answered the device is at work, and a device that does not cut it answers no message before the work
is done. If the front-end does not run for a while, it may miss that it was cut, so it gets TRIES.
"""

import struct

import pytest

from frontend.daemon import fd_count
from frontend.display import Display, Kind
from frontend.memory import MIB, GuestMemory
from frontend.pixels import random_bytes, rgb_only
from frontend.virtio_gpu import (MEM_ENTRY, PAGE, Cmd, Resp, rect, require)

READ_AT_ONCE = 32  # messages that the device reads before it looks at the rings again
TRIES = 5
MOST_ENTRIES = 1 << 20
PICTURE = 8192  # side of an image whose backing is 256 MiB
PAGES = 64 * MIB
NUMBER, NOBODY = 1, 0x7FFFFFFF
CTX = 1


@pytest.fixture
def make_vm(start_vm):
    def make(mode, *args, **options):
        options.setdefault("memory", GuestMemory((256 * MIB,)))
        return start_vm(mode, "--poll-us", "0", *args, **options)
    return make


def pages(vm):
    """Memory that a backing names as often as it has to."""
    if not hasattr(vm, "pages"):
        vm.pages = vm.memory.alloc(PAGES, PAGE)
    return vm.pages


def repeated(vm, count, length):
    """The bytes of a list whose entries are all of one place."""
    return MEM_ENTRY.pack(pages(vm), length, 0) * count


def post_list(vm, cmd, body, entries):
    """A command with a list of pages behind it."""
    return vm.gpu.post(cmd, body + entries, kick=False)


def post_attach(vm, number, entries):
    body = struct.pack("=II", number, len(entries) // MEM_ENTRY.size)
    return post_list(vm, Cmd.RESOURCE_ATTACH_BACKING, body, entries)


def run(vm, *chains):
    vm.rings[0].submit(*chains)
    return [require(vm.gpu.result(chain)) for chain in chains]


def create_large(vm, number=NUMBER, side=PICTURE, entry=PAGES):
    """A 2D image of side * side pixels with backing."""
    require(vm.gpu.create_2d(number, 2, side, side))
    length = 4 * side * side
    run(vm, post_attach(vm, number, repeated(vm, max(length // entry, 1), min(entry, length))))


def post_transfer(vm, number=NUMBER, side=PICTURE):
    body = rect(0, 0, side, side) + struct.pack("=QII", 0, number, 0)
    return vm.gpu.post(Cmd.TRANSFER_TO_HOST_2D, body, kick=False)


def post_transfer_3d(vm, cmd, box, stride=0, number=NUMBER):
    body = struct.pack("=6IQIIII", *box, 0, number, 0, stride, 0)
    return vm.gpu.post(cmd, body, kick=False)


def begin(vm, *chains):
    """Kick, and return when the device is at work: does it answer a message before it is done?"""
    first = vm.gpu.post(Cmd.RESOURCE_UNREF, struct.pack("=II", NOBODY, 0), kick=False)
    vm.rings[0].submit(first, *chains)
    while not first.done:
        vm.rings[0].poll()
    vm.gpu.result(first)
    vm.user.get_features()
    vm.rings[0].poll()
    return not all(chain.done for chain in chains)


def assert_cut(vm, post, undo=None, tries=TRIES):
    """post() gives the chains of long work; undo() makes it possible once more."""
    for _ in range(tries):
        chains = post()
        is_cut = begin(vm, *chains)
        for chain in chains:
            require(vm.gpu.result(chain))
        if is_cut:
            return
        if undo:
            undo()
    pytest.fail("it was never interrupted")


# Each class of work

@pytest.mark.parametrize("entry", [PAGE, PAGES], ids=["pages", "large"])
def test_transfer_2d(make_vm, drawing_mode, entry):
    """64 MiB, which take longer than a turn. That is not much: more tries."""
    vm = make_vm(drawing_mode)
    create_large(vm, side=4096, entry=entry)
    assert_cut(vm, lambda: [post_transfer(vm, side=4096)], tries=10 * TRIES)


def test_batch_of_transfers(make_vm, drawing_mode):
    """Each of them is shorter than a turn may be."""
    vm = make_vm(drawing_mode)
    create_large(vm, side=512)
    assert_cut(vm, lambda: [post_transfer(vm, side=512) for _ in range(100)])


@pytest.mark.parametrize("length", [1, PAGE])
def test_attach_backing(make_vm, mode, length):
    vm = make_vm(mode)
    require(vm.gpu.create_2d(NUMBER, 2, 64, 64))
    entries = repeated(vm, MOST_ENTRIES, length)
    assert_cut(vm, lambda: [post_attach(vm, NUMBER, entries)],
               lambda: require(vm.gpu.detach_backing(NUMBER)))
    require(vm.gpu.transfer_2d(NUMBER, 0, 0, 64, 64))


def test_batch_of_attaches(make_vm):
    vm = make_vm("null", indirect=True)
    require(vm.gpu.create_2d(NUMBER, 2, 64, 64))
    entries = repeated(vm, 1 << 14, PAGE)

    def post():
        detach = struct.pack("=II", NUMBER, 0)
        return [chain for _ in range(40) for chain in
                (post_attach(vm, NUMBER, entries),
                 vm.gpu.post(Cmd.RESOURCE_DETACH_BACKING, detach, kick=False))]

    assert_cut(vm, post)


def test_guest_blob(make_vm, mode):
    vm = make_vm(mode)
    entries = repeated(vm, MOST_ENTRIES, PAGE)
    body = struct.pack("=IIIIQQ", NUMBER, 1, 2, MOST_ENTRIES, 0, MOST_ENTRIES * PAGE)
    assert_cut(vm, lambda: [post_list(vm, Cmd.RESOURCE_CREATE_BLOB, body, entries)],
               lambda: require(vm.gpu.unref(NUMBER)))


def create_texture(vm, width=PICTURE, height=PICTURE, length=4 * PICTURE * PICTURE, entry=PAGES):
    require(vm.gpu.create_3d(NUMBER, width, height))
    run(vm, post_attach(vm, NUMBER, repeated(vm, length // entry, entry)))


TO_AND_FROM = pytest.mark.parametrize(
    "cmd", [Cmd.TRANSFER_TO_HOST_3D, Cmd.TRANSFER_FROM_HOST_3D], ids=["to", "from"])


@TO_AND_FROM
@pytest.mark.parametrize("entry", [PAGE, PAGES], ids=["pages", "large"])
def test_transfer_3d(make_vm, cmd, entry):
    vm = make_vm("virglrenderer")
    create_texture(vm, entry=entry)
    box = (0, 0, 0, PICTURE, PICTURE, 1)
    assert_cut(vm, lambda: [post_transfer_3d(vm, cmd, box, 4 * PICTURE)])


@TO_AND_FROM
def test_transfer_3d_with_gaps(make_vm, cmd):
    """4,096 pixels over 1 GiB of backing."""
    vm = make_vm("virglrenderer")
    create_texture(vm, 1, 4096, 1 << 30, PAGE)
    box = (0, 0, 0, 1, 4096, 1)
    assert_cut(vm, lambda: [post_transfer_3d(vm, cmd, box, 1 << 18) for _ in range(100)])


def test_batch_of_transfers_3d(make_vm):
    vm = make_vm("virglrenderer")
    create_texture(vm, 512, 512, MIB, MIB)
    assert_cut(vm, lambda: [post_transfer_3d(vm, Cmd.TRANSFER_TO_HOST_3D, (0, 0, 0, 512, 512, 1))
                            for _ in range(100)])


def test_context_attach(make_vm):
    """A 2D image becomes a texture."""
    vm = make_vm("virglrenderer")
    require(vm.gpu.ctx_create(CTX))
    create_large(vm)
    run(vm, post_transfer(vm))
    number = struct.pack("=II", NUMBER, 0)

    def again():
        require(vm.gpu.unref(NUMBER))
        create_large(vm)
        run(vm, post_transfer(vm))

    assert_cut(vm, lambda: [vm.gpu.post(Cmd.CTX_ATTACH_RESOURCE, number, ctx_id=CTX, kick=False)],
               again)


def test_submit(make_vm):
    vm = make_vm("virglrenderer")
    require(vm.gpu.ctx_create(CTX))
    stream = bytes(16 * MIB)
    body = struct.pack("=II", len(stream), 0) + stream
    assert_cut(vm, lambda: [vm.gpu.post(Cmd.SUBMIT_3D, body, ctx_id=CTX, kick=False)])


def test_memory_table(make_vm):
    """The guest's commands wait until its pages are found again, the front-end does not."""
    vm = make_vm("null", "--max-total-backing", str(8 * MOST_ENTRIES))
    entries = repeated(vm, MOST_ENTRIES, PAGE)
    for number in range(1, 9):
        require(vm.gpu.create_2d(number, 2, 64, 64))
        run(vm, post_attach(vm, number, entries))
    for _ in range(TRIES):
        vm.user.set_mem_table(vm.memory.regions)
        chain = post_transfer(vm, 4, 64)
        vm.rings[0].submit(chain)
        messages = 0
        while not chain.done:
            vm.user.get_features()
            vm.rings[0].poll()
            messages += 1
        require(vm.gpu.result(chain))
        if messages > READ_AT_ONCE:
            return
    pytest.fail("the table was never taken before the pages were found")


def new_display(vm):
    vm.display = Display()
    vm.displays.append(vm.display)
    return vm.display


def test_display_that_comes(make_vm):
    """It is shown 16 textures, one after the other, and the guest's commands wait."""
    vm = make_vm("virglrenderer")
    create_texture(vm, 512, 512, MIB, MIB)
    data = random_bytes(1, MIB)
    vm.memory.write(pages(vm), data)
    run(vm, post_transfer_3d(vm, Cmd.TRANSFER_TO_HOST_3D, (0, 0, 0, 512, 512, 1), 2048))
    for output in range(16):
        require(vm.gpu.set_scanout(output, NUMBER, 0, 0, 512, 512))
    new_display(vm).give(vm.user)
    vm.display.wait_event(Kind.UPDATE, 16)
    assert sorted(event.values[0] for event in vm.display.of_kind(Kind.UPDATE)) == list(range(16))
    assert all(rgb_only(vm.shown(output).pixels) == rgb_only(data) for output in range(16))


# In the middle of work

def restart(vm):
    for index, base in enumerate(vm.stop()):
        vm.start_ring(index, base)


def in_the_middle(vm, post, act, undo=None):
    """Does act() while the work of post() goes on. Returns the chains."""
    for _ in range(TRIES):
        chains = post()
        if begin(vm, *chains):
            act()
            return chains
        for chain in chains:
            require(vm.gpu.result(chain))
        if undo:
            undo()
    return pytest.fail("it was never interrupted")


def stop_in_the_middle(vm, post, undo):
    """Returns the answer to what was interrupted: it may have been done just before."""
    (chain,) = in_the_middle(vm, post, lambda: restart(vm), undo)
    vm.rings[0].poll()
    assert chain.done
    answer = vm.gpu.result(chain).type
    if answer == Resp.OK_NODATA and undo:
        undo()
    return answer


def assert_picture(vm, side):
    """The first and the last lines of what the pages hold."""
    require(vm.gpu.set_scanout(0, NUMBER, 0, side - 64, side, 64))
    require(vm.gpu.flush(NUMBER, 0, side - 64, side, 64))
    bottom = rgb_only(vm.shown().pixels)
    require(vm.gpu.set_scanout(0, NUMBER, 0, 0, side, 64))
    require(vm.gpu.flush(NUMBER, 0, 0, side, 64))
    top = rgb_only(vm.shown().pixels)
    lines = 4 * side * 64
    assert top == rgb_only(vm.memory.read(pages(vm), lines))
    assert bottom == rgb_only(vm.memory.read(pages(vm) + PAGES - lines, lines))


def draw_pages(vm, seed):
    for place in (0, PAGES - 4 * PICTURE * 64):
        vm.memory.write(pages(vm) + place, random_bytes(seed + place, 4 * PICTURE * 64))


def test_right_pixels(make_vm, drawing_mode):
    """After work that was cut all of it is there."""
    vm = make_vm(drawing_mode)
    create_large(vm)
    draw_pages(vm, 1)
    assert_cut(vm, lambda: [post_transfer(vm)])
    assert_picture(vm, PICTURE)


def test_right_pixels_from_host(make_vm):
    vm = make_vm("virglrenderer")
    create_texture(vm, 4096, 4096, PAGES, PAGE * 16)
    box = (0, 0, 0, 4096, 4096, 1)
    data = random_bytes(1, 16 * PAGE)
    vm.memory.write(pages(vm), data)
    run(vm, post_transfer_3d(vm, Cmd.TRANSFER_TO_HOST_3D, box))
    vm.memory.write(pages(vm), bytes(16 * PAGE))
    assert_cut(vm, lambda: [post_transfer_3d(vm, Cmd.TRANSFER_FROM_HOST_3D, box)])
    assert vm.memory.read(pages(vm), 16 * PAGE) == data


def test_right_pixels_in_a_context(make_vm):
    """An image that became a texture in parts has all of its pixels, read back in parts."""
    vm = make_vm("virglrenderer")
    require(vm.gpu.ctx_create(CTX))
    create_large(vm)
    draw_pages(vm, 3)
    run(vm, post_transfer(vm))
    require(vm.gpu.ctx_attach(CTX, NUMBER))
    assert_picture(vm, PICTURE)


def long_works(vm, name):
    """What to post, what makes it possible again, and what has to be there."""
    if name == "transfer":
        create_large(vm)
        return lambda: [post_transfer(vm)], None
    if name == "to-host":
        create_texture(vm)
        box = (0, 0, 0, PICTURE, PICTURE, 1)
        return lambda: [post_transfer_3d(vm, Cmd.TRANSFER_TO_HOST_3D, box)], None
    if name == "from-host":
        create_texture(vm)
        box = (0, 0, 0, PICTURE, PICTURE, 1)
        return lambda: [post_transfer_3d(vm, Cmd.TRANSFER_FROM_HOST_3D, box, 4 * PICTURE)], None
    if name == "attach":
        require(vm.gpu.create_2d(NUMBER, 2, 64, 64))
        entries = repeated(vm, MOST_ENTRIES, PAGE)
        return (lambda: [post_attach(vm, NUMBER, entries)],
                lambda: require(vm.gpu.detach_backing(NUMBER)))
    if name == "blob":
        entries = repeated(vm, MOST_ENTRIES, PAGE)
        body = struct.pack("=IIIIQQ", NUMBER, 1, 2, MOST_ENTRIES, 0, MOST_ENTRIES * PAGE)
        return (lambda: [post_list(vm, Cmd.RESOURCE_CREATE_BLOB, body, entries)],
                lambda: require(vm.gpu.unref(NUMBER)))
    if name == "submit":
        require(vm.gpu.ctx_create(CTX))
        body = struct.pack("=II", 16 * MIB, 0) + bytes(16 * MIB)
        return lambda: [vm.gpu.post(Cmd.SUBMIT_3D, body, ctx_id=CTX, kick=False)], None
    assert name == "flush"
    create_texture(vm)
    require(vm.gpu.set_scanout(0, NUMBER, 0, 0, PICTURE, PICTURE))
    body = rect(0, 0, PICTURE, PICTURE) + struct.pack("=II", NUMBER, 0)
    return lambda: [vm.gpu.post(Cmd.RESOURCE_FLUSH, body, kick=False)], None


WORKS = pytest.mark.parametrize("name", ["transfer", "to-host", "from-host", "attach", "blob",
                                         "submit", "flush"])


@WORKS
def test_stop(make_vm, name):
    """What is cancelled is answered with an error, and can be done again. Nothing is kept of it."""
    vm = make_vm("virglrenderer")
    post, undo = long_works(vm, name)
    answers = [stop_in_the_middle(vm, post, undo)]
    before = fd_count(vm.daemon.session_pid())
    answers += [stop_in_the_middle(vm, post, undo) for _ in range(TRIES)]
    assert Resp.ERR_UNSPEC in answers
    assert set(answers) <= {Resp.ERR_UNSPEC, Resp.OK_NODATA}
    assert fd_count(vm.daemon.session_pid()) <= before
    run(vm, *post())
    assert vm.alive()


@WORKS
def test_reset(make_vm, name):
    vm = make_vm("virglrenderer")
    post, undo = long_works(vm, name)
    in_the_middle(vm, post, vm.reset, undo)
    assert vm.gpu.unref(NUMBER).type == Resp.ERR_INVALID_RESOURCE_ID
    require(vm.gpu.create_2d(NUMBER, 2, 64, 64))
    assert vm.alive()


@WORKS
def test_hang_up(make_vm, name):
    vm = make_vm("virglrenderer")
    post, undo = long_works(vm, name)
    in_the_middle(vm, post, vm.hang_up, undo)
    vm.daemon.wait_sessions(0)


@WORKS
def test_memory_table_in_the_middle(make_vm, name):
    """The pages are mapped anew, elsewhere: the work goes on there."""
    vm = make_vm("virglrenderer")
    post, undo = long_works(vm, name)
    chains = in_the_middle(vm, post, lambda: vm.user.set_mem_table(vm.memory.regions), undo)
    for chain in chains:
        require(vm.gpu.result(chain))
    assert vm.alive()


def test_memory_table_keeps_pixels(make_vm, drawing_mode):
    vm = make_vm(drawing_mode)
    create_large(vm)
    draw_pages(vm, 2)
    chains = in_the_middle(vm, lambda: [post_transfer(vm)],
                           lambda: vm.user.set_mem_table(vm.memory.regions))
    for chain in chains:
        require(vm.gpu.result(chain))
    assert_picture(vm, PICTURE)


@pytest.mark.parametrize("name", ["transfer", "to-host", "from-host", "attach", "blob"])
def test_pages_that_go(make_vm, name):
    """The memory that is being read or written is taken away: an error for the guest."""
    vm = make_vm("virglrenderer", memory=GuestMemory((128 * MIB, PAGES)))
    vm.pages = vm.memory.alloc(PAGES, PAGE, region=1)
    post, undo = long_works(vm, name)
    region = vm.memory.regions[1]
    chains = in_the_middle(vm, post, lambda: vm.user.rem_mem_reg(region), undo)
    for chain in chains:
        assert not vm.gpu.result(chain).ok
    vm.user.add_mem_reg(region)
    assert vm.alive()
    if name in ("attach", "blob"):
        run(vm, *post())


@WORKS
def test_display_that_comes_in_the_middle(make_vm, name):
    """The old one goes as the new one comes."""
    vm = make_vm("virglrenderer")
    post, undo = long_works(vm, name)
    old = vm.display
    chains = in_the_middle(vm, post, lambda: new_display(vm).give(vm.user), undo)
    for chain in chains:
        require(vm.gpu.result(chain))
    old.close()
    assert vm.alive()


def test_display_that_goes_in_the_middle(make_vm):
    vm = make_vm("virglrenderer")
    post, _ = long_works(vm, "flush")
    chains = in_the_middle(vm, post, vm.display.close)
    for chain in chains:
        require(vm.gpu.result(chain))
    assert vm.alive()


def test_cursor_in_the_middle(make_vm):
    """The cursor queue does not wait for the control queue."""
    vm = make_vm("virglrenderer")
    post, undo = long_works(vm, "to-host")
    in_the_middle(vm, post, lambda: vm.gpu.move_cursor(0, 17, 19), undo)
    vm.display.wait_event(Kind.CURSOR_POS_HIDE)


# The end of what was large

def gone(vm):
    """512 MiB of images whose memory is all there, and their removal."""
    for number in (NUMBER, NUMBER + 1):
        create_large(vm, number)
        run(vm, post_transfer(vm, number))
    return [vm.gpu.post(Cmd.RESOURCE_UNREF, struct.pack("=II", number, 0), kick=False)
            for number in (NUMBER, NUMBER + 1)]


ACTS = pytest.mark.parametrize("act", [
    restart, lambda vm: vm.user.set_mem_table(vm.memory.regions), lambda vm: vm.reset(),
    lambda vm: new_display(vm).give(vm.user)], ids=["stop", "table", "reset", "display"])


@ACTS
def test_act_while_images_go(make_vm, drawing_mode, act):
    """Their numbers can be given again, and nothing of them is left in the new ones."""
    vm = make_vm(drawing_mode)
    run(vm, *gone(vm))
    act(vm)
    create_large(vm)
    draw_pages(vm, 4)
    run(vm, post_transfer(vm))
    assert_picture(vm, PICTURE)


def test_hang_up_while_images_go(make_vm, drawing_mode):
    vm = make_vm(drawing_mode)
    vm.rings[0].submit(*gone(vm))
    vm.hang_up()
    vm.daemon.wait_sessions(0)


@ACTS
def test_act_while_all_goes(make_vm, act):
    """After a reset, which is answered before everything is gone."""
    vm = make_vm("virglrenderer")
    for number in range(1, 9):
        require(vm.gpu.ctx_create(number))
    run(vm, *gone(vm)[:1])
    for number in range(1, 9):
        require(vm.gpu.ctx_attach(number, NUMBER + 1))
    vm.reset()
    act(vm)
    assert vm.gpu.unref(NUMBER + 1).type == Resp.ERR_INVALID_RESOURCE_ID
    require(vm.gpu.ctx_create(CTX))
    create_large(vm)
    draw_pages(vm, 5)
    run(vm, post_transfer(vm))
    assert_picture(vm, PICTURE)


def test_reset_while_pages_are_found(make_vm):
    """The table's lists are being looked up again when everything goes."""
    vm = make_vm("null")
    entries = repeated(vm, MOST_ENTRIES, PAGE)
    for _ in range(TRIES):
        for number in range(1, 5):
            require(vm.gpu.create_2d(number, 2, 64, 64))
            run(vm, post_attach(vm, number, entries))
        vm.user.set_mem_table(vm.memory.regions)
        vm.reset()
        assert vm.alive()


# Displays that come in the middle, and do not read

class SlowDisplay(Display):
    """Stops reading when it is first told the size of what is shown."""

    has_paused = False

    def _on_scanout(self, data, fds):
        if not self.has_paused:
            self.has_paused = True
            self.pause_reading()
        return super()._on_scanout(data, fds)


def give_slow_display(vm):
    vm.display = SlowDisplay()
    vm.displays.append(vm.display)
    vm.display.give(vm.user)
    vm.display.wait_event(Kind.SCANOUT)


def assert_slow_display(vm, expected):
    """It is shown all when it reads. The guest's commands wait until then."""
    vm.display.resume_reading()
    assert vm.alive()
    is_right = rgb_only(vm.shown().pixels) == rgb_only(expected)
    assert is_right


def test_image_of_a_slow_display(make_vm):
    """It becomes a texture while it is sent to a display that has just come."""
    vm = make_vm("virglrenderer")
    data = random_bytes(9, PAGES // 16) * 16
    vm.memory.write(pages(vm), data)
    create_large(vm)
    run(vm, post_transfer(vm))
    require(vm.gpu.set_scanout(0, NUMBER, 0, 0, PICTURE, PICTURE))
    require(vm.gpu.ctx_create(CTX))
    number = struct.pack("=II", NUMBER, 0)
    chains = in_the_middle(
        vm, lambda: [vm.gpu.post(Cmd.CTX_ATTACH_RESOURCE, number, ctx_id=CTX, kick=False)],
        lambda: give_slow_display(vm))
    for chain in chains:
        require(vm.gpu.result(chain))
    assert_slow_display(vm, data * 4)


def test_flush_beside_a_slow_display(make_vm):
    """It is sent the whole picture while the flush goes on."""
    vm = make_vm("virglrenderer")
    create_texture(vm, PICTURE, PICTURE)
    data = b"".join(random_bytes(seed, MIB) for seed in range(PAGES // MIB))
    vm.memory.write(pages(vm), data)
    run(vm, post_transfer_3d(vm, Cmd.TRANSFER_TO_HOST_3D, (0, 0, 0, PICTURE, PICTURE, 1)))
    require(vm.gpu.set_scanout(0, NUMBER, 0, 0, PICTURE, PICTURE))
    body = rect(0, 0, PICTURE, PICTURE) + struct.pack("=II", NUMBER, 0)
    chains = in_the_middle(
        vm, lambda: [vm.gpu.post(Cmd.RESOURCE_FLUSH, body, kick=False)],
        lambda: give_slow_display(vm))
    for _ in range(TRIES):
        vm.user.get_features()
    vm.display.resume_reading()
    for chain in chains:
        require(vm.gpu.result(chain))
    assert_slow_display(vm, data * 4)


def take_and_bring_back(vm):
    for region in list(vm.memory.regions):
        vm.user.rem_mem_reg(region)
        vm.user.add_mem_reg(region)


def new_table(vm):
    vm.user.set_mem_table(vm.memory.regions)


SHOWN = 2048  # side of what is more than a socket holds, and is read back in two parts


def show_large(vm, mode):
    """Something large on scanout 0: a texture, or else an image. Returns its pixels."""
    data = b"".join(random_bytes(seed, MIB) for seed in range(4 * SHOWN * SHOWN // MIB))
    vm.memory.write(pages(vm), data)
    if mode == "virglrenderer":
        create_texture(vm, SHOWN, SHOWN, len(data), len(data))
        run(vm, post_transfer_3d(vm, Cmd.TRANSFER_TO_HOST_3D, (0, 0, 0, SHOWN, SHOWN, 1)))
    else:
        create_large(vm, side=SHOWN)
        run(vm, post_transfer(vm, side=SHOWN))
    require(vm.gpu.set_scanout(0, NUMBER, 0, 0, SHOWN, SHOWN))
    return data


@pytest.mark.parametrize("act", [restart, new_table, take_and_bring_back])
def test_act_beside_a_slow_display(make_vm, drawing_mode, act):
    """A display that came has read the beginning only; nothing that happens then is lost to it."""
    vm = make_vm(drawing_mode)
    expected = show_large(vm, drawing_mode)
    give_slow_display(vm)
    act(vm)
    act(vm)
    assert_slow_display(vm, expected)


def test_reset_beside_a_slow_display(make_vm, drawing_mode):
    """What it was being sent is gone; the next one works."""
    vm = make_vm(drawing_mode)
    show_large(vm, drawing_mode)
    give_slow_display(vm)
    vm.displays[-1].resume_reading()
    vm.reset()
    expected = show_large(vm, drawing_mode)
    require(vm.gpu.flush(NUMBER, 0, 0, SHOWN, SHOWN))
    is_right = rgb_only(vm.shown().pixels) == rgb_only(expected)
    assert is_right
