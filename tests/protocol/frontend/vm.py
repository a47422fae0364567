# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A virtual machine with one vhost-user-gpu device, brought up in QEMU's order."""

from . import virtio_gpu
from .display import Display, Kind
from .memory import GuestMemory
from .ring import make_ring
from .vhost_user import ProtocolFeature as PF
from .vhost_user import Status
from .virtio_gpu import Feature

WANTED_PROTOCOL = (PF.MQ | PF.REPLY_ACK | PF.BACKEND_REQ | PF.CONFIG | PF.BACKEND_SEND_FD
                   | PF.RESET_DEVICE | PF.CONFIGURE_MEM_SLOTS | PF.STATUS)
BASE_FEATURES = (Feature.VERSION_1 | Feature.PROTOCOL_FEATURES | Feature.VIRGL | Feature.EDID
                 | Feature.RESOURCE_UUID | Feature.RESOURCE_BLOB | Feature.CONTEXT_INIT)


class Vm:
    """Owns the socket, the memory, the rings, the display socket and the shared memory region."""

    def __init__(self, user, *, packed=False, event_idx=False, indirect=False, ring_size=256,
                 cursor_size=16, memory=None, display=None, headless=False, region=None):
        """region: a SharedRegion; without one, SHMEM_MAP is not negotiated."""
        self.user = user
        self.packed, self.event_idx, self.indirect = packed, event_idx, indirect
        self.memory = memory or GuestMemory()
        self.rings = [make_ring(self.memory, size, packed, event_idx)
                      for size in (ring_size, cursor_size)]
        self.gpu = virtio_gpu.Gpu(self.memory, *self.rings, indirect)
        self.headless = headless
        self.display = None if headless else display or Display()
        self.displays = [self.display] if self.display else []
        self.region = region
        self.features = 0
        self.markers = 0

    def handshake(self):
        """What QEMU does when the device is created."""
        offered = self.user.get_features()
        assert offered & Feature.PROTOCOL_FEATURES
        wanted = WANTED_PROTOCOL | PF.SHMEM_MAP if self.region else WANTED_PROTOCOL
        self.protocol = self.user.get_protocol_features() & wanted
        self.user.set_protocol_features(self.protocol)
        if self.protocol & PF.MQ:
            assert self.user.get_queue_num() >= 2
        if self.protocol & PF.CONFIGURE_MEM_SLOTS:
            assert self.user.get_max_mem_slots() >= 1
        self.user.set_owner()
        if self.region:
            self.give_region()
        self.features = self.choose(offered)
        for index, ring in enumerate(self.rings):
            self.user.set_vring_call(index, ring.call_fd)

    def give_region(self):
        assert self.protocol & PF.SHMEM_MAP, "no shared memory region is offered"
        self.region.give(self.user)
        self.region.size = self.user.get_shmem_config()[1][1]

    def choose(self, offered):
        wanted = BASE_FEATURES
        for on, bit in ((self.packed, Feature.RING_PACKED),
                        (self.event_idx, Feature.RING_EVENT_IDX),
                        (self.indirect, Feature.RING_INDIRECT_DESC)):
            if on:
                assert offered & bit, f"{bit!r} is not offered"
                wanted |= bit
        return offered & wanted

    def start(self):
        """What QEMU does when the guest's driver is ready."""
        self.user.set_features(self.features)
        self.add_status(Status.FEATURES_OK)
        self.user.set_mem_table(self.memory.regions)
        if self.display:
            self.display.give(self.user)
        for index in range(len(self.rings)):
            self.start_ring(index)
        self.add_status(Status.ACKNOWLEDGE | Status.DRIVER | Status.DRIVER_OK)
        return self

    def add_status(self, bits):
        if self.protocol & PF.STATUS:
            self.user.set_status(self.user.get_status() | bits)

    def start_ring(self, index, base=None):
        ring = self.rings[index]
        self.user.set_vring_num(index, ring.size)
        self.user.set_vring_base(index, ring.first_base() if base is None else base)
        uva = self.memory.uva
        self.user.set_vring_addr(index, uva(ring.desc), uva(ring.used), uva(ring.avail))
        self.user.set_vring_kick(index, ring.kick_fd)
        self.user.set_vring_call(index, ring.call_fd)
        self.user.set_vring_enable(index, True)

    def stop(self):
        """What QEMU does when the guest resets the device. Returns the rings' bases."""
        bases = []
        for index in range(len(self.rings)):
            self.user.set_vring_enable(index, False)
            bases.append(self.user.get_vring_base(index))
        if self.protocol & PF.STATUS:
            self.user.set_status(0)
        return bases

    def reset(self, display=None):
        """Guest reset and start over: rings from 0, a new display socket, the old one closed."""
        self.stop()
        self.user.reset_device()
        old = self.display
        for ring in self.rings:
            ring.start(ring.first_base())
        if old:
            self.display = display or Display()
            self.displays.append(self.display)
        self.start()
        if old:
            old.close()

    def sync(self):
        """Return when the display has read all that was sent before; leaves a CURSOR_POS behind."""
        self.markers += 1
        mark = (MARK_SCANOUT, 0x7000 + self.markers, 0x7000)
        self.gpu.move_cursor(*mark)
        self.display.wait_for(lambda: any(e.kind in (Kind.CURSOR_POS, Kind.CURSOR_POS_HIDE)
                                          and e.values == mark for e in self.display.events),
                              "cursor marker")

    def shown(self, scanout=0):
        """The picture on a scanout, when all that was sent has arrived."""
        self.sync()
        return self.display.picture(scanout)

    def alive(self):
        """Whether session and control ring still answer."""
        self.user.get_features()
        number = 0x7FFF0000
        created = self.gpu.create_2d(number, 2, 1, 1)
        removed = self.gpu.unref(number)
        return created.ok and removed.ok

    def hang_up(self):
        """Leave. Harmless when repeated."""
        self.user.close()
        for display in self.displays:
            display.close()

    def close(self):
        self.hang_up()
        if self.region:
            self.region.close()
        for ring in self.rings:
            ring.close()
        self.memory.close()


MARK_SCANOUT = 15
