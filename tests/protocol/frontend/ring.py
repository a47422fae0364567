# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Driver side of virtqueues (virtio specification, "Split Virtqueues", "Packed Virtqueues").

Ring holds what both layouts share: chains in flight, the eventfds, waiting. A batch of chains is
published with one store, so a device sees all of it or nothing. Requests may come back in any
order. Hostile tests write descriptors themselves with write_desc() and publish_raw().
"""

import os
import select
import struct
import threading
import time

from .patience import PATIENCE

NEXT, WRITE, INDIRECT = 1, 2, 4
PACKED_AVAIL, PACKED_USED = 1 << 7, 1 << 15
EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC = 0, 1, 2
SPLIT_NO_NOTIFY = 1
SPLIT_NO_INTERRUPT = 1
DESC = struct.Struct("=QIHH")
USED_ELEM = struct.Struct("=II")


class RingTimeout(Exception):
    """The device did not use a buffer in time."""


class Chain:
    """One request: device-readable then device-writable buffers, each (address, length)."""

    def __init__(self, readable, writable, indirect=False):
        self.buffers = [(gpa, length, 0) for gpa, length in readable]
        self.buffers += [(gpa, length, WRITE) for gpa, length in writable]
        self.indirect = indirect
        self.table = None
        self.used_len = None
        self.order = None

    @property
    def done(self):
        return self.used_len is not None


def _fence():
    """A full memory barrier: taking a lock is an atomic read-modify-write."""
    with threading.Lock():
        pass


class Ring:
    """What split and packed rings share. Owns both eventfds."""

    packed = False

    def __init__(self, memory, size, event_idx=False):
        self.memory, self.size, self.event_idx = memory, size, event_idx
        self.kick_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.call_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.notifications = 0
        self.kicks = 0
        self.in_flight = {}
        self.completed = 0
        self.free_slots = size

    def close(self):
        os.close(self.kick_fd)
        os.close(self.call_fd)

    # Publishing

    def slots_needed(self, chain):
        return 1 if chain.indirect else len(chain.buffers)

    def fits(self, chain):
        return self.slots_needed(chain) <= self.free_slots

    def _descriptors(self, chain):
        """The chain as (address, length, flags) entries of the ring itself."""
        if not chain.indirect:
            return chain.buffers
        chain.table = self.memory.alloc(16 * len(chain.buffers))
        self._write_table(chain)
        return [(chain.table, 16 * len(chain.buffers), INDIRECT)]

    def _take(self, key, used_len):
        chain = self.in_flight.pop(key)
        self.free_slots += self.slots_needed(chain)
        if chain.table is not None:
            self.memory.free(chain.table, 16 * len(chain.buffers))
        chain.used_len = used_len
        chain.order = self.completed
        self.completed += 1
        return chain

    def submit(self, *chains):
        """Publish chains with one store, then kick once if the device wants to know."""
        old = self._position()
        self.publish(chains)
        _fence()
        if self._device_wants_kick(old):
            self.kick()

    def kick(self):
        self.kicks += 1
        os.eventfd_write(self.kick_fd, 1)

    # Waiting

    def _count_notifications(self):
        try:
            self.notifications += os.eventfd_read(self.call_fd)
        except BlockingIOError:
            pass

    def wait_notification(self, timeout):
        """Sleep until the device notifies. Returns whether it did."""
        if not select.select([self.call_fd], [], [], timeout)[0]:
            return False
        self._count_notifications()
        return True

    def spin(self, chain, between):
        """Look for a chain without notifications, calling between() in each round."""
        while not chain.done:
            between()
            self._collect()

    def poll(self):
        """Take what the device has used so far and ask for a notification of the next."""
        self._count_notifications()
        chains = []
        while True:
            chains += self._collect()
            self._arm()
            _fence()
            if not self._has_used():
                return chains

    def wait(self, *chains, timeout=PATIENCE):
        """Sleep until all of chains are used. Relies on the device's notifications."""
        deadline = time.monotonic() + timeout
        self.poll()
        while not all(chain.done for chain in chains):
            if not self.wait_notification(max(0, deadline - time.monotonic())):
                self.poll()
                pending = sum(not chain.done for chain in chains)
                text = f"{pending} chains are not used" if pending else "used, but not notified"
                raise RingTimeout(f"{text} after {timeout} s")
            self.poll()

    def wait_any(self, timeout=PATIENCE):
        """Sleep until at least one chain is used; returns those."""
        deadline = time.monotonic() + timeout
        chains = self.poll()
        while not chains:
            if not self.wait_notification(max(0, deadline - time.monotonic())):
                raise RingTimeout(f"nothing is used after {timeout} s")
            chains = self.poll()
        return chains


class SplitRing(Ring):
    def __init__(self, memory, size, event_idx=False):
        super().__init__(memory, size, event_idx)
        self.desc = memory.alloc(16 * size, 16)
        self.avail = memory.alloc(6 + 2 * size, 2)
        self.used = memory.alloc(6 + 8 * size, 4)
        self.free = list(range(size))
        self.start()

    def start(self, base=0):
        """Empty the ring's memory as a driver does that starts at base."""
        self.memory.write(self.avail, bytes(6 + 2 * self.size))
        self.memory.write(self.used, bytes(6 + 8 * self.size))
        self.next_avail = self.last_used = base & 0xFFFF
        self.memory.write_u16(self.avail + 2, self.next_avail)
        self.memory.write_u16(self.used + 2, self.last_used)
        self.free = list(range(self.size))
        self.free_slots = self.size
        self.in_flight = {}
        self._arm()

    def first_base(self):
        return 0

    def _position(self):
        return self.next_avail

    def write_desc(self, slot, gpa, length, flags, following=0):
        self.memory.write(self.desc + 16 * slot, DESC.pack(gpa, length, flags, following))

    def _write_table(self, chain):
        last = len(chain.buffers) - 1
        for i, (gpa, length, flags) in enumerate(chain.buffers):
            following = (NEXT, i + 1) if i < last else (0, 0)
            self.memory.write(chain.table + 16 * i,
                              DESC.pack(gpa, length, flags | following[0], following[1]))

    def publish(self, chains):
        for chain in chains:
            entries = self._descriptors(chain)
            slots = [self.free.pop() for _ in entries]
            self.free_slots -= len(slots)
            chain.slots = slots
            for i, (gpa, length, flags) in enumerate(entries):
                if i + 1 < len(slots):
                    self.write_desc(slots[i], gpa, length, flags | NEXT, slots[i + 1])
                else:
                    self.write_desc(slots[i], gpa, length, flags)
            self.in_flight[slots[0]] = chain
            self.memory.write_u16(self.avail + 4 + 2 * (self.next_avail % self.size), slots[0])
            self.next_avail = (self.next_avail + 1) & 0xFFFF
        self.memory.write_u16(self.avail + 2, self.next_avail)

    def publish_raw(self, head, advance=1):
        """Make descriptor head available, whatever it holds, and move the index by advance."""
        self.memory.write_u16(self.avail + 4 + 2 * (self.next_avail % self.size), head)
        self.next_avail = (self.next_avail + advance) & 0xFFFF
        self.memory.write_u16(self.avail + 2, self.next_avail)
        self.kick()

    def raw_used(self):
        """The used elements that have appeared since the last look, as (id, length)."""
        elements = []
        while self._has_used():
            where = self.used + 4 + 8 * (self.last_used % self.size)
            elements.append(USED_ELEM.unpack(self.memory.read(where, 8)))
            self.last_used = (self.last_used + 1) & 0xFFFF
        return elements

    def _has_used(self):
        return self.memory.read_u16(self.used + 2) != self.last_used

    def _collect(self):
        chains = []
        for head, length in self.raw_used():
            chain = self._take(head, length)
            self.free += chain.slots
            chains.append(chain)
        return chains

    def _arm(self):
        if self.event_idx:
            self.memory.write_u16(self.avail + 4 + 2 * self.size, self.last_used)
        else:
            self.memory.write_u16(self.avail, 0)

    def disable_notifications(self):
        """Ask for no notification until the next poll()."""
        if self.event_idx:
            self.memory.write_u16(self.avail + 4 + 2 * self.size, self.last_used - 1)
        else:
            self.memory.write_u16(self.avail, SPLIT_NO_INTERRUPT)

    def _device_wants_kick(self, old):
        if not self.event_idx:
            return not self.memory.read_u16(self.used) & SPLIT_NO_NOTIFY
        event = self.memory.read_u16(self.used + 4 + 8 * self.size)
        return (self.next_avail - event - 1) & 0xFFFF < (self.next_avail - old) & 0xFFFF

    def wants_kick(self):
        """Whether the device asks for a kick at the next chain."""
        if not self.event_idx:
            return not self.memory.read_u16(self.used) & SPLIT_NO_NOTIFY
        return self.memory.read_u16(self.used + 4 + 8 * self.size) == self.next_avail


class PackedRing(Ring):
    packed = True

    def __init__(self, memory, size, event_idx=False):
        super().__init__(memory, size, event_idx)
        self.desc = memory.alloc(16 * size, 16)
        self.avail = memory.alloc(4, 4)
        self.used = memory.alloc(4, 4)
        self.start()

    def start(self, base=1 << 15 | 1 << 31):
        """Empty the ring's memory as a driver does that starts at base."""
        self.memory.write(self.desc, bytes(16 * self.size))
        self.memory.write(self.avail, bytes(4))
        self.memory.write(self.used, bytes(4))
        self.next_avail, self.avail_wrap = base & 0x7FFF, base >> 15 & 1
        self.next_used, self.used_wrap = base >> 16 & 0x7FFF, base >> 31
        self.ids = list(range(self.size))
        self.free_slots = self.size
        self.in_flight = {}
        self._arm()

    def first_base(self):
        return 1 << 15 | 1 << 31

    def _position(self):
        return self.next_avail, self.avail_wrap

    def write_desc(self, slot, gpa, length, flags, following=0):
        """following is the buffer id: packed rings have no link."""
        self.memory.write(self.desc + 16 * slot, DESC.pack(gpa, length, following, flags))

    def _write_table(self, chain):
        for i, (gpa, length, flags) in enumerate(chain.buffers):
            self.memory.write(chain.table + 16 * i, DESC.pack(gpa, length, 0, flags))

    def available_flags(self):
        """The flags that make a descriptor at the current position available."""
        return PACKED_AVAIL if self.avail_wrap else PACKED_USED

    def _advance(self):
        self.next_avail += 1
        if self.next_avail == self.size:
            self.next_avail = 0
            self.avail_wrap ^= 1

    def publish(self, chains):
        held_back = None
        for chain in chains:
            entries = self._descriptors(chain)
            chain.id = self.ids.pop()
            self.free_slots -= len(entries)
            self.in_flight[chain.id] = chain
            for i, (gpa, length, flags) in enumerate(entries):
                flags |= self.available_flags() | (NEXT if i + 1 < len(entries) else 0)
                where = self.desc + 16 * self.next_avail
                if held_back is None:
                    held_back = (where + 14, flags)
                    flags ^= PACKED_AVAIL | PACKED_USED
                self.memory.write(where, DESC.pack(gpa, length, chain.id, flags))
                self._advance()
        _fence()
        self.memory.write_u16(*held_back)

    def publish_raw(self, descriptors):
        """Make (address, length, flags, id) entries available as they are; then kick."""
        first = None
        for gpa, length, flags, buffer_id in descriptors:
            flags |= self.available_flags()
            where = self.desc + 16 * self.next_avail
            if first is None:
                first = (where + 14, flags)
                flags ^= PACKED_AVAIL | PACKED_USED
            self.memory.write(where, DESC.pack(gpa, length, buffer_id, flags))
            self._advance()
        self.memory.write_u16(*first)
        self.kick()

    def _has_used(self):
        flags = self.memory.read_u16(self.desc + 16 * self.next_used + 14)
        return bool(flags & PACKED_AVAIL) == bool(flags & PACKED_USED) == bool(self.used_wrap)

    def _collect(self):
        chains = []
        while self._has_used():
            where = self.desc + 16 * self.next_used
            _, length, buffer_id, _ = DESC.unpack(self.memory.read(where, 16))
            chain = self._take(buffer_id, length)
            self.ids.append(buffer_id)
            self.next_used += self.slots_needed(chain)
            if self.next_used >= self.size:
                self.next_used -= self.size
                self.used_wrap ^= 1
            chains.append(chain)
        return chains

    def _arm(self):
        if self.event_idx:
            self.memory.write_u16(self.avail, self.next_used | self.used_wrap << 15)
            self.memory.write_u16(self.avail + 2, EVENT_DESC)
        else:
            self.memory.write_u16(self.avail + 2, EVENT_ENABLE)

    def disable_notifications(self):
        """Ask for no notification until the next poll()."""
        self.memory.write_u16(self.avail + 2, EVENT_DISABLE)

    def _device_wants_kick(self, old):
        flags = self.memory.read_u16(self.used + 2)
        if flags != EVENT_DESC:
            return flags == EVENT_ENABLE
        event = self.memory.read_u16(self.used)
        offset, wrap = event & 0x7FFF, event >> 15
        if wrap != self.avail_wrap:
            offset -= self.size
        old_position, old_wrap = old
        if old_wrap != self.avail_wrap:
            old_position -= self.size
        return old_position <= offset < self.next_avail

    def wants_kick(self):
        """Whether the device asks for a kick at the next chain."""
        flags = self.memory.read_u16(self.used + 2)
        if flags != EVENT_DESC:
            return flags == EVENT_ENABLE
        return self.memory.read_u16(self.used) == self.next_avail | self.avail_wrap << 15


def make_ring(memory, size, packed=False, event_idx=False):
    return (PackedRing if packed else SplitRing)(memory, size, event_idx)
