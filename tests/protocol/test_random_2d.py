# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Long random sequences of 2D commands, right and wrong ones, against a model of the device: each
answer and, at the end of each stretch, each pixel of each scanout is predicted."""

import random

import pytest

from frontend.pixels import FORMATS, Image, differences, rgb_only
from frontend.virtio_gpu import Resp

IDS = range(1, 9)
SCANOUTS = range(0, 5)
STEPS = 400
OK = Resp.OK_NODATA


class Modelled:
    """A resource as the model has it."""

    def __init__(self, width, height, fmt):
        self.image = Image(width, height, fmt)
        self.backing = None

    @property
    def size(self):
        return self.image.width, self.image.height


class Model:
    """The device as the specification has it, and the driver that it is compared with."""

    def __init__(self, vm, seed):
        self.vm, self.gpu, self.rng = vm, vm.gpu, random.Random(seed)
        self.resources, self.scanouts, self.shown = {}, {}, {}

    def rect(self, size):
        """A rectangle that is mostly inside of size; and whether it is."""
        width, height = size
        x, y = self.rng.randrange(width), self.rng.randrange(height)
        w, h = self.rng.randint(1, width - x), self.rng.randint(1, height - y)
        if self.rng.random() < 0.1:
            w += width
        return (x, y, w, h), x + w <= width

    def size_of(self, number):
        return self.resources[number].size if number in self.resources else (32, 32)

    def expect(self, what, response, *expected):
        assert response.type in expected, f"{what}: {response.type!r}, not {expected}"

    def known(self, what, number, response):
        if number not in self.resources:
            self.expect(what, response, Resp.ERR_INVALID_RESOURCE_ID)
        return number in self.resources

    def create(self, number):
        width, height = self.rng.randint(16, 80), self.rng.randint(16, 80)
        fmt = self.rng.choice([*FORMATS, 5])
        response = self.gpu.create_2d(number, fmt, width, height)
        if number in self.resources:
            self.expect("create", response, Resp.ERR_INVALID_RESOURCE_ID)
        elif fmt == 5:
            self.expect("create", response, Resp.ERR_INVALID_PARAMETER)
        else:
            self.expect("create", response, OK)
            self.resources[number] = Modelled(width, height, fmt)

    def unref(self, number):
        response = self.gpu.unref(number)
        if self.known("unref", number, response):
            self.expect("unref", response, OK)
            del self.resources[number]
            for scanout in [s for s, (n, _) in self.scanouts.items() if n == number]:
                del self.scanouts[scanout]
                self.shown.pop(scanout, None)

    def attach(self, number):
        width, height = self.size_of(number)
        sizes = [self.rng.randint(1, 5000) for _ in range(self.rng.randint(1, 5))]
        entries = self.gpu.backing(4 * width * height, sizes if self.rng.random() < 0.7 else ())
        response = self.gpu.attach_backing(number, entries)
        if self.known("attach", number, response):
            if self.resources[number].backing:
                self.expect("attach twice", response, Resp.ERR_UNSPEC)
            else:
                self.expect("attach", response, OK)
                self.resources[number].backing = entries

    def detach(self, number):
        response = self.gpu.detach_backing(number)
        if self.known("detach", number, response):
            if self.resources[number].backing:
                self.expect("detach", response, OK)
                self.resources[number].backing = None
            else:
                self.expect("detach nothing", response, Resp.ERR_UNSPEC, OK,
                            Resp.ERR_INVALID_PARAMETER)

    def transfer(self, number):
        size = self.size_of(number)
        area, inside = self.rect(size)
        offset = 4 * (area[1] * size[0] + area[0])
        resource = self.resources.get(number)
        data = self.rng.randbytes(4 * size[0] * size[1])
        if resource and resource.backing:
            view = memoryview(data)
            for gpa, length in resource.backing:
                self.vm.memory.write(gpa, view[:length])
                view = view[length:]
        response = self.gpu.transfer_2d(number, *area, offset)
        if self.known("transfer", number, response):
            if not inside or not resource.backing:
                self.expect("bad transfer", response, Resp.ERR_INVALID_PARAMETER, Resp.ERR_UNSPEC)
            else:
                self.expect("transfer", response, OK)
                resource.image.transfer(data, offset, *area)

    def show(self, number):
        scanout = self.rng.choice(SCANOUTS)
        if self.rng.random() < 0.1:
            self.expect("off", self.gpu.set_scanout(scanout, 0, 0, 0, 0, 0), OK)
            self.scanouts.pop(scanout, None)
            self.shown.pop(scanout, None)
            return
        width, height = self.size_of(number)
        area, inside = (0, 0, width, height), True
        if self.rng.random() < 0.5:
            x, y = self.rng.randint(0, width - 16), self.rng.randint(0, height - 16)
            area = x, y, self.rng.randint(16, width - x), self.rng.randint(16, height - y)
        if self.rng.random() < 0.1:
            area, inside = (*area[:2], width + 1, height), False
        response = self.gpu.set_scanout(scanout, number, *area)
        if self.known("scanout", number, response):
            self.expect("scanout", response, OK if inside else Resp.ERR_INVALID_PARAMETER)
            if inside:
                self.scanouts[scanout] = number, area
                self.shown.pop(scanout, None)

    def flush(self, number):
        """All of the resource, so that the whole of its scanouts is known afterwards."""
        size = self.size_of(number)
        response = self.gpu.flush(number, 0, 0, *size)
        if self.known("flush", number, response):
            self.expect("flush", response, OK)
            for scanout, (shown, area) in self.scanouts.items():
                if shown == number:
                    self.shown[scanout] = area[2], self.resources[number].image.shown(*area)

    def partial_flush(self, number):
        """Checked for its answer only; what it shows is not tracked until the next full one."""
        area, inside = self.rect(self.size_of(number))
        response = self.gpu.flush(number, *area)
        if self.known("flush", number, response):
            self.expect("flush", response, OK if inside else Resp.ERR_INVALID_PARAMETER)
            for scanout, (shown, _) in self.scanouts.items():
                if shown == number and inside:
                    self.shown.pop(scanout, None)

    def step(self):
        act, = self.rng.choices(
            [self.create, self.unref, self.attach, self.detach, self.transfer, self.show,
             self.flush, self.partial_flush], [6, 2, 6, 1, 12, 6, 8, 3])
        act(self.rng.choice([*IDS, *IDS, 77]))

    def compare(self):
        self.vm.sync()
        assert sorted(self.vm.display.pictures) == sorted(self.scanouts)
        for scanout, (width, expected) in self.shown.items():
            picture = self.vm.display.picture(scanout)
            different = differences(rgb_only(picture.pixels), expected, width)
            assert not different, f"scanout {scanout}: {different}"


@pytest.mark.parametrize("seed", range(6))
def test_random_commands(start_vm, drawing_mode, seed):
    vm = start_vm(drawing_mode, packed=seed % 2 == 1, indirect=seed % 3 == 1,
                  event_idx=seed % 4 > 1)
    model = Model(vm, seed)
    for step in range(STEPS):
        model.step()
        if step % 25 == 24:
            model.compare()
