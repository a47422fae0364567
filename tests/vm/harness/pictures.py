# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Comparing screenshots: exact colours, stored references, and shapes."""

from pathlib import Path

from PIL import Image, ImageChops

REFERENCES = Path(__file__).resolve().parents[1] / "reference"

GREY, YELLOW, CYAN, GREEN = (192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0)
MAGENTA, RED, BLUE, BLACK = (192, 0, 192), (192, 0, 0), (0, 0, 192), (19, 19, 19)
# The bars of libdrm's modetest pattern `smpte` in its three rows, each with the share of the
# height at which the row ends, in ninths. The last row's bars are not equally wide.
SMPTE_ROWS = (
    (6, (GREY, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE)),
    (7, (BLUE, BLACK, MAGENTA, BLACK, CYAN, BLACK, GREY)),
    (9, ((0, 33, 76), (255, 255, 255), (50, 0, 106), BLACK,
         (9, 9, 9), BLACK, (29, 29, 29), BLACK)),
)


def _smpte_last_row(x, width):
    """Index of the bar: four over 5/7 of the width, three over the next 1/7, and one."""
    if x < width * 5 // 7:
        return x * 4 // (width * 5 // 7)
    if x < width * 6 // 7:
        return (x - width * 5 // 7) * 3 // (width // 7) + 4
    return 7


def smpte(width, height):
    """The picture that modetest must lead to, computed."""
    picture = Image.new("RGB", (width, height))
    top = 0
    for row, (ninths, bars) in enumerate(SMPTE_ROWS):
        line = Image.new("RGB", (width, 1))
        for x in range(width):
            bar = _smpte_last_row(x, width) if row == 2 else x * 7 // width
            line.putpixel((x, 0), bars[bar])
        bottom = height * ninths // 9
        picture.paste(line.resize((width, bottom - top)), (0, top))
        top = bottom
    return picture


def assert_same(picture, wanted):
    """Equal in every pixel; the message names the first one that is not."""
    assert picture.size == wanted.size, f"{picture.size} instead of {wanted.size}"
    box = ImageChops.difference(picture, wanted).getbbox()
    if box:
        at = box[:2]
        raise AssertionError(f"differs in {box}: pixel {at} is {picture.getpixel(at)}, "
                             f"not {wanted.getpixel(at)}")


def assert_like_reference(picture, name, per_channel=0, pixels_off=0.0):
    """The picture is the stored one but for pixels_off (a share) of its pixels.

    A pixel counts as off when a channel differs by more than per_channel.
    """
    with Image.open(REFERENCES / f"{name}.png") as reference:
        reference = reference.convert("RGB")
    assert picture.size == reference.size, f"{picture.size} instead of {reference.size}"
    difference = ImageChops.difference(picture, reference)
    worst = ImageChops.lighter(ImageChops.lighter(*difference.split()[:2]), difference.split()[2])
    off = sum(worst.histogram()[per_channel + 1:]) / (picture.width * picture.height)
    assert off <= pixels_off, f"{off:.2%} of the pixels differ from {name}.png"


def colours(picture):
    """Number of distinct colours."""
    return len(picture.getcolors(picture.width * picture.height))


def share_of(picture, colour, tolerance=2):
    """Share of the pixels that have the colour."""
    near = 0
    for count, got in picture.getcolors(picture.width * picture.height):
        if all(abs(a - b) <= tolerance for a, b in zip(got, colour)):
            near += count
    return near / (picture.width * picture.height)


def bounding_box(picture, background, tolerance=8):
    """Box (left, top, right, bottom) of what differs from the background, None if nothing."""
    plain = Image.new("RGB", picture.size, background)
    difference = ImageChops.difference(picture, plain).convert("L")
    return difference.point(lambda value: 255 if value > tolerance else 0).getbbox()
