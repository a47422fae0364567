# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""SET_SCANOUT_BLOB: pictures of a blob's bytes, compared pixel by pixel."""

import struct

import pytest

from frontend.blob import HOST3D, GuestBlob, HostBlob, Layout
from frontend.checks import HUGE, NO_RESOURCE, NO_SCANOUT, OK, PARAMETER
from frontend.display import Display, Kind
from frontend.memory import DEFAULT_GPA, DEFAULT_UVA, MIB, GuestMemory, Region
from frontend.pixels import FORMATS, differences, random_bytes, rgb_only
from frontend.virtio_gpu import PAGE, Cmd, require

ODD = (5000, 4096, 12, 1, 8191, 300)
LAYOUT = Layout(61, 53, 2, stride=272, offset=1044)


@pytest.fixture
def vm(start_vm, mode):
    """Guest memory is no sealed memfd: pixels go by UPDATE on every host."""
    return start_vm(mode)


def drawn(vm, layout=LAYOUT, seed=1, sizes=ODD, size=None):
    size = size or layout.size
    blob = GuestBlob(vm.gpu, size, vm.gpu.backing(size, sizes))
    blob.write(random_bytes(seed, size))
    return blob


def assert_shows(vm, expected, width, height, scanout=0):
    vm.sync()
    picture = vm.display.picture(scanout)
    assert picture and not picture.dmabuf
    assert (picture.width, picture.height) == (width, height)
    different = differences(rgb_only(picture.pixels), expected, width)
    assert not different, f"scanout {scanout}: {different}"


def assert_blob(vm, blob, layout=LAYOUT, area=None, scanout=0):
    _, _, w, h = area or layout.full
    assert_shows(vm, layout.shown(blob.contents(), area), w, h, scanout)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("sizes", [ODD, (), (PAGE,)], ids=["odd", "one", "pages"])
def test_every_format(vm, fmt, sizes):
    layout = Layout(61, 53, fmt, stride=272, offset=1044)
    blob = drawn(vm, layout, sizes=sizes)
    blob.show(0, layout)
    blob.flush(*layout.full)
    assert_blob(vm, blob, layout)


@pytest.mark.parametrize("layout", [Layout(1, 1), Layout(1, 300), Layout(300, 1),
                                    Layout(64, 64), Layout(64, 64, stride=4096),
                                    Layout(33, 7, 67, offset=4092), Layout(2000, 3, stride=8004)])
def test_shapes(vm, layout):
    """The blob ends with the picture's last pixel."""
    blob = drawn(vm, layout)
    blob.show(0, layout)
    blob.flush(*layout.full)
    assert_blob(vm, blob, layout)


def test_picture_inside_a_larger_blob(vm):
    blob = drawn(vm, size=3 * LAYOUT.size)
    for offset in (0, 4, 1044, LAYOUT.size, 2 * LAYOUT.size - 1044 & ~3):
        layout = Layout(61, 53, 2, stride=272, offset=offset)
        blob.show(0, layout)
        blob.flush(*layout.full)
        assert_blob(vm, blob, layout)


def test_parts(vm):
    blob = drawn(vm)
    for area in ((0, 0, 61, 53), (10, 20, 30, 32), (60, 52, 1, 1), (0, 52, 61, 1)):
        blob.show(0, LAYOUT, area)
        blob.flush(*LAYOUT.full)
        assert_blob(vm, blob, area=area)


def test_only_the_damage_is_sent(vm):
    blob = drawn(vm)
    area = (8, 4, 48, 40)
    blob.show(0, LAYOUT, area)
    blob.flush(*LAYOUT.full)
    assert_blob(vm, blob, area=area)
    vm.display.forget()
    blob.write(random_bytes(2, LAYOUT.size))
    blob.flush(0, 10, 20, 30)
    vm.sync()
    update, = vm.display.of_kind(Kind.UPDATE)
    assert update.values == (0, 0, 6, 12, 30)
    assert rgb_only(update.data) == LAYOUT.shown(blob.contents(), (8, 10, 12, 30))


def test_damage_outside(vm):
    """A blob has no size in pixels: what is outside of the picture is no error, and is not sent."""
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    vm.sync()
    vm.display.forget()
    for area in ((61, 0, 10, 10), (0, 53, 10, 10), (HUGE, HUGE, HUGE, HUGE), (0, 0, 0, 0),
                 (5, 5, 0, 10)):
        blob.flush(*area)
    vm.sync()
    assert not vm.display.of_kind(Kind.UPDATE)
    blob.flush(0, 0, HUGE, HUGE)
    assert_blob(vm, blob)


BAD = {
    "format 0": (dict(format=0), {}),
    "16-bit format": (dict(format=7), {}),
    "unknown format": (dict(format=HUGE), {}),
    "width 0": (dict(width=0), dict(area=(0, 0, 1, 1))),
    "height 0": (dict(height=0), dict(area=(0, 0, 1, 1))),
    "huge": (dict(width=HUGE, height=HUGE), dict(area=(0, 0, 1, 1))),
    "too wide": (dict(width=32767, stride=4), dict(area=(0, 0, 1, 1))),
    "short stride": (dict(stride=240), {}),
    "odd stride": (dict(stride=274), {}),
    "one byte too long": (dict(offset=1048), {}),
    "one line too long": (dict(height=54), {}),
    "odd offset": (dict(offset=1042), {}),
    "offset behind the end": (dict(offset=0xFFFFFFFC), {}),
    "wide stride": (dict(stride=0xFFFFFFFC), {}),
    "stride that wraps": (dict(stride=0x80000000), {}),
    "wider than the picture": ({}, dict(area=(0, 0, 62, 53))),
    "higher than the picture": ({}, dict(area=(0, 0, 61, 54))),
    "to the right": ({}, dict(area=(61, 0, 1, 1))),
    "rectangle that wraps": ({}, dict(area=(HUGE, 0, 2, 1))),
    "empty rectangle": ({}, dict(area=(0, 0, 0, 10))),
    "plane 1 behind the end": ({}, dict(offsets=(1 << 20, 0, 0), strides=(4, 0, 0))),
    "plane 2 wraps": ({}, dict(offsets=(0, HUGE, 0), strides=(0, HUGE, 0))),
    "plane 3 is too wide": ({}, dict(strides=(0, 0, 1 << 24))),
}


def test_errors(vm, check):
    """What is shown goes on being shown."""
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    for name, (changes, options) in BAD.items():
        layout = Layout(**{"width": 61, "height": 53, "format": 2, "stride": 272, "offset": 1044,
                           **changes})
        check(name, vm.gpu.set_scanout_blob(0, blob.id, layout, **options), PARAMETER)
    for scanout in (16, HUGE):
        check(f"scanout {scanout}", vm.gpu.set_scanout_blob(scanout, blob.id, LAYOUT), NO_SCANOUT)
    for number in (99, HUGE):
        check(f"resource {number}", vm.gpu.set_scanout_blob(0, number, LAYOUT), NO_RESOURCE)
    image = vm.gpu.resource(64, 64)
    check("not a blob", vm.gpu.set_scanout_blob(0, image.id, LAYOUT), PARAMETER)
    check("unused planes inside", vm.gpu.set_scanout_blob(
        0, blob.id, LAYOUT, strides=(4, 0, 16), offsets=(0, 100, 16)), OK)
    blob.flush(*LAYOUT.full)
    assert_blob(vm, blob)
    check.done(vm)


def test_stride_of_2_gib(start_vm, check):
    """One run of guest memory that is long enough for it (it is sparse)."""
    memory = GuestMemory((64 * MIB, 5 << 30))
    vm = start_vm("2d", memory=memory)
    blob = GuestBlob(vm.gpu, 4 << 30, [(memory.regions[1].gpa,
                                        1 << 30), (memory.regions[1].gpa + (1 << 30), 3 << 30)])
    for stride in (0x7FFFFFFC, 0x80000000, 0xFFFFFFFC):
        layout = Layout(16, 2, 67, stride=stride)
        answer = vm.gpu.set_scanout_blob(0, blob.id, layout)
        check(f"stride {stride:#x}", answer, OK, PARAMETER)
        if answer.ok:
            memory.write(blob.entries[0][0] + stride, b"\x12\x34\x56\x78" * 16)
            blob.flush(*layout.full)
            assert_shows(vm, bytes(64) + b"\x56\x34\x12\x00" * 16, 16, 2)
    check.done(vm)


def test_two_scanouts_of_one_blob(vm):
    blob = drawn(vm)
    parts = {0: (0, 0, 30, 53), 3: (20, 10, 41, 40)}
    for scanout, area in parts.items():
        blob.show(scanout, LAYOUT, area)
    for seed in range(3):
        blob.write(random_bytes(seed, LAYOUT.size))
        blob.flush(*LAYOUT.full)
        for scanout, area in parts.items():
            assert_blob(vm, blob, area=area, scanout=scanout)


def test_two_pictures_in_one_blob(vm):
    """Other layouts of the same bytes, on two outputs."""
    layouts = {0: LAYOUT, 1: Layout(40, 30, 67, stride=164, offset=8)}
    blob = drawn(vm)
    for scanout, layout in layouts.items():
        blob.show(scanout, layout)
    blob.flush(0, 0, HUGE, HUGE)
    for scanout, layout in layouts.items():
        assert_blob(vm, blob, layout, scanout=scanout)


def test_page_flips(vm):
    pair = [drawn(vm, seed=seed) for seed in (1, 2)]
    for turn in range(10):
        shown, hidden = pair[turn % 2], pair[1 - turn % 2]
        shown.write(random_bytes(turn, LAYOUT.size))
        shown.show(0, LAYOUT)
        shown.flush(*LAYOUT.full)
        hidden.flush(*LAYOUT.full)
        assert_blob(vm, shown)
    assert len(vm.display.of_kind(Kind.SCANOUT)) == 1


def test_blob_and_image_by_turns(start_vm, drawing_mode):
    vm = start_vm(drawing_mode, "--use-dmabuf=false")
    blob, image = drawn(vm), vm.gpu.resource(80, 60)
    image.draw(random_bytes(7, 4 * 80 * 60))
    for _ in range(3):
        blob.show(0, LAYOUT)
        blob.flush(*LAYOUT.full)
        assert_blob(vm, blob)
        image.show(0)
        image.flush(*image.full)
        assert_shows(vm, image.image.shown(), 80, 60)


def test_off(vm, check):
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    check("resource 0", vm.gpu.set_scanout_blob(0, 0, Layout(0, 0, 0)), OK)
    blob.flush(*LAYOUT.full)
    vm.sync()
    assert vm.display.picture() is None
    check.done(vm)


def test_unref_while_shown(vm):
    blob, other = drawn(vm), drawn(vm, seed=2)
    blob.show(0, LAYOUT)
    blob.show(1, LAYOUT)
    other.show(2, LAYOUT)
    other.flush(*LAYOUT.full)
    require(vm.gpu.unref(blob.id))
    vm.sync()
    assert vm.display.picture(0) is None and vm.display.picture(1) is None
    assert_blob(vm, other, scanout=2)
    assert not vm.gpu.flush(blob.id, *LAYOUT.full).ok


def test_memory_table_is_sent_again(vm):
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    vm.user.set_mem_table(vm.memory.regions)
    blob.write(random_bytes(8, LAYOUT.size))
    blob.flush(*LAYOUT.full)
    assert_blob(vm, blob)


def test_memory_goes_and_comes_back(start_vm, mode, check):
    """A blob whose pages are gone can be used in every way, and shows them when they are back."""
    vm = start_vm(mode)
    region = vm.memory.add(Region(1 << 40, MIB, DEFAULT_UVA + (1 << 42)))
    vm.user.add_mem_reg(region)
    blob = GuestBlob(vm.gpu, LAYOUT.size, vm.gpu.backing(LAYOUT.size, ODD, region=1))
    blob.write(random_bytes(1, LAYOUT.size))
    blob.show(0, LAYOUT)
    blob.flush(*LAYOUT.full)
    assert_blob(vm, blob)
    vm.user.rem_mem_reg(region)
    assert not vm.gpu.flush(blob.id, *LAYOUT.full).ok
    vm.gpu.set_scanout_blob(1, blob.id, LAYOUT)
    assert not vm.gpu.create_blob(99, 1, 0, 0, LAYOUT.size, blob.entries).ok
    vm.user.add_mem_reg(region)
    blob.write(random_bytes(2, LAYOUT.size))
    blob.flush(*LAYOUT.full)
    assert_blob(vm, blob)
    vm.user.rem_mem_reg(region)
    require(vm.gpu.unref(blob.id))
    check.done(vm)


def test_memory_table_under_a_flush_that_waits(start_vm):
    """Half of the picture (more than socket buffers hold) is on its way; it arrives whole, and the
    queue goes on."""
    vm = start_vm("2d")
    layout = Layout(3072, 2560)
    blob = drawn(vm, layout, sizes=())
    blob.show(0, layout)
    vm.sync()
    vm.display.pause_reading()
    vm.gpu.move_cursor(0, 1, 1)
    flush = vm.gpu.post(Cmd.RESOURCE_FLUSH, struct.pack("=6I", 0, 0, 3072, 2560, blob.id, 0))
    behind = vm.gpu.post(Cmd.RESOURCE_CREATE_2D, struct.pack("=4I", 500, 1, 16, 16))
    for _ in range(20):
        vm.user.get_features()
    vm.rings[0].poll()
    assert not flush.done
    expected = layout.shown(blob.contents())
    vm.user.set_mem_table(vm.memory.regions)
    assert vm.gpu.result(flush).ok and vm.gpu.result(behind).ok
    blob.write(bytes(layout.size))
    vm.display.resume_reading()
    assert_shows(vm, expected, 3072, 2560)


def test_new_display(vm):
    """What is shown comes to the new display by itself."""
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    blob.flush(*LAYOUT.full)
    vm.sync()
    old, vm.display = vm.display, Display()
    vm.displays.append(vm.display)
    vm.display.give(vm.user)
    old.close()
    vm.display.wait_event(Kind.UPDATE)
    assert_blob(vm, blob)


def test_reset_forgets_blobs(vm):
    blob = drawn(vm)
    blob.show(0, LAYOUT)
    vm.reset()
    assert not vm.gpu.flush(blob.id, *LAYOUT.full).ok
    again = drawn(vm)
    again.show(0, LAYOUT)
    again.flush(*LAYOUT.full)
    assert_blob(vm, again)


def test_large_picture(start_vm):
    vm = start_vm("2d", memory=GuestMemory((96 * MIB,)))
    layout = Layout(3840, 2160, 67)
    blob = GuestBlob(vm.gpu, layout.size, vm.gpu.backing(layout.size, (65536, 4096)))
    blob.write((random_bytes(1, MIB) * 32)[:layout.size])
    blob.show(0, layout)
    blob.flush(*layout.full)
    assert_blob(vm, blob, layout)


@pytest.mark.parametrize("width, height", [(32766, 3), (3, 32766)])
def test_longest_side(start_vm, check, width, height):
    """In colours that are converted; pixman leaves a longer picture out without a word."""
    vm = start_vm("2d", memory=GuestMemory((8 * MIB,)))
    layout = Layout(width, height, 67)
    blob = drawn(vm, layout, sizes=())
    blob.show(0, layout)
    blob.flush(*layout.full)
    assert_blob(vm, blob, layout)
    check("one more", vm.gpu.set_scanout_blob(
        0, blob.id, Layout(32767, 1, 67), (0, 0, 1, 1)), PARAMETER)
    check("a 2D image", vm.gpu.create_2d(9, 67, 32767, 1), PARAMETER)
    check("a 2D image that fits", vm.gpu.create_2d(9, 67, 1, 32766), OK)
    check.done(vm)


def test_picture_of_8_gib(start_vm, check):
    """Lines far from each other, in colours that are converted: the last one is still its own."""
    vm = start_vm("2d", memory=GuestMemory((9 << 30,)))
    start = DEFAULT_GPA + 256 * MIB
    entries = [(start + i * 256 * MIB, 256 * MIB) for i in range(33)]
    blob = GuestBlob(vm.gpu, 33 * 256 * MIB, entries)
    first, last = random_bytes(1, 4 * 16), random_bytes(2, 4 * 16)
    fits = Layout(16, 32766, 67, stride=65540 * 4)
    vm.memory.write(start, first)
    vm.memory.write(start + 32765 * fits.pitch, last)
    too_large = Layout(16, 32766, 67, stride=65541 * 4)
    check("8 GiB and more", vm.gpu.set_scanout_blob(0, blob.id, too_large), PARAMETER)
    blob.show(0, fits)
    blob.flush(*fits.full)
    vm.sync()
    shown = vm.display.picture(0).pixels
    assert rgb_only(shown[:64]) == fits.shown(first, (0, 0, 16, 1))
    assert rgb_only(shown[-64:]) == fits.shown(last, (0, 0, 16, 1))
    assert not any(rgb_only(shown[64:-64]))
    check.done(vm)


def test_pictures_cost_host_memory(start_vm, check):
    """A guest with little memory shows large pictures of it, the same page again and again: they go
    part by part, and take no more memory than a part of each."""
    vm = start_vm("2d", "--max-hostmem", "64M")
    entries = [(DEFAULT_GPA + 32 * MIB, MIB)] * 1024
    require(vm.gpu.create_blob(1, 1, 0, 0, 1 << 30, entries))
    layout = Layout(16384, 16384, 67)
    pid = vm.daemon.session_pid()
    for scanout in range(2):
        vm.gpu.set_scanout_blob(scanout, 1, layout)
    require(vm.gpu.flush(1, *layout.full))
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak < 600 * 1024, f"{peak} kB"  # AddressSanitizer keeps what was freed
    check.done(vm)


def test_host_blob(start_vm):
    """Zeros, as nobody has written into it; test_shmem_map.py writes."""
    vm = start_vm("null")
    require(vm.gpu.ctx_create(1))
    blob = HostBlob(vm.gpu, LAYOUT.size, flags=0)
    blob.show(0, LAYOUT)
    blob.flush(*LAYOUT.full)
    assert_shows(vm, bytes(4 * 61 * 53), 61, 53)
    require(vm.gpu.unref(blob.id))
    assert not vm.gpu.create_blob(9, HOST3D, 0, 0, 0, ctx_id=1).ok
