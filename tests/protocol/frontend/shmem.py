# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The shared memory region of the front-end, and the server of the back-end channel.

A thread carries out what the back-end asks for, in the order of the requests, as QEMU does: it maps
the descriptor that it is given (into a mapping of its own, so that tests see the same bytes as a
guest), forgets it at an unmap, and answers. Requests can be held back, refused, or lost. What QEMU
would refuse, and what would hurt it, is noted in `errors`, which the fixtures expect to be empty.
"""

import mmap
import os
import socket
import threading
import time
from dataclasses import dataclass

from .vhost_user import FLAG_NEED_REPLY, VERSION, BackendChannel, BackendRequest, HangUp
from .patience import PATIENCE

MAP, UNMAP = BackendRequest.SHMEM_MAP, BackendRequest.SHMEM_UNMAP
HOST_VISIBLE = 1
WRITABLE = 1
PAGE = mmap.PAGESIZE


@dataclass
class Event:
    """One request of the back-end."""
    request: int
    shmid: int
    fd_offset: int
    offset: int
    length: int
    flags: int


class SharedRegion:
    """Region 1 of a front-end. `size` is known when the handshake is done."""

    def __init__(self):
        self.channel = BackendChannel(timeout=None)
        self.size = 0
        self.events, self.errors = [], []
        self.mappings = {}
        self.closed = False
        self._held, self._waiting, self._refused = False, [], 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def give(self, user):
        self.channel.give(user)

    def close(self):
        """Hang up; the mappings are the region's no more."""
        try:
            self.channel.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()
        self.channel.close()
        for message in self._waiting:
            message.close_fds()
        for _, memory in self.mappings.values():
            memory.close()
        self.mappings, self._waiting = {}, []

    # What tests steer and see

    def hold(self):
        """Carry nothing out, and answer nothing, until release()."""
        self._held = True

    def release(self):
        with self._changed:
            self._held = False
            waiting, self._waiting = self._waiting, []
            for message in waiting:
                self._carry_out(message)

    def refuse(self, count=1):
        """Answer the next requests with an error, and do nothing."""
        self._refused += count

    def of(self, request):
        with self._changed:
            return [event for event in self.events if event.request == request]

    def wait(self, request, count=1, timeout=PATIENCE):
        """Sleep until count requests of a kind have come (answered or not). Returns the last."""
        self.wait_until(lambda: sum(e.request == request for e in self.events) >= count,
                        f"{count} of {request!r}", timeout)
        return self.of(request)[count - 1]

    def wait_until(self, condition, what, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not seen: {what}; events: {self.events[-10:]}"
                self._changed.wait(left)

    def wait_empty(self):
        self.wait_until(lambda: not self.mappings and not self._waiting, "no mapping")

    def wait_closed(self):
        self.wait_until(lambda: self.closed, "the end of the channel")

    def ranges(self):
        with self._changed:
            return sorted((offset, length) for offset, (length, _) in self.mappings.items())

    def at(self, offset):
        """The memory that is mapped at exactly this offset, as a guest sees it.

        It ends with the file, which need not fill its last page.
        """
        with self._changed:
            return self.mappings[offset][1]

    # The thread

    def _serve(self):
        try:
            while True:
                message = self.channel.receive()
                with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except (HangUp, OSError):
            pass
        except Exception as error:  # a message that cannot be parsed is a finding, not a crash
            self.errors.append(f"{type(error).__name__}: {error}")
            self.channel.sock.shutdown(socket.SHUT_RDWR)
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _take(self, message):
        if message.request not in (MAP, UNMAP):
            message.close_fds()
            if message.request != BackendRequest.CONFIG_CHANGE_MSG:
                self.errors.append(f"unknown request {message.request}")
            return
        if message.flags != VERSION | FLAG_NEED_REPLY:
            self.errors.append(f"flags {message.flags:#x} of request {message.request}")
        self.events.append(Event(message.request, *BackendChannel.MAP.unpack(message.payload)))
        message.event = self.events[-1]
        if self._held:
            self._waiting.append(message)
        else:
            self._carry_out(message)

    def _carry_out(self, message):
        """With the lock held."""
        event = message.event
        if self._refused:
            self._refused -= 1
            wrong = "refused"
        else:
            wrong = self._map(event, message.fds) if event.request == MAP else \
                self._unmap(event, message.fds)
            if wrong:
                self.errors.append(f"{event}: {wrong}")
        message.close_fds()
        try:
            self.channel.reply(message, int(bool(wrong)))
        except OSError:
            pass
        self._changed.notify_all()

    def _map(self, event, fds):
        """Returns what is wrong with the request, or None when it is done."""
        end = event.offset + event.length
        if event.shmid != HOST_VISIBLE or event.flags & ~WRITABLE or len(fds) != 1:
            return f"wrong region, flags, or {len(fds)} descriptors"
        if (event.offset | event.length | event.fd_offset) % PAGE or not event.length:
            return "not whole pages"
        if end > self.size:
            return "outside of the region"
        if any(o < end and event.offset < o + length for o, (length, _) in self.mappings.items()):
            return "overlaps"
        file_length = os.lseek(fds[0], 0, os.SEEK_END)
        if event.fd_offset + event.length > -(-file_length // PAGE) * PAGE:
            return f"the file has {file_length} bytes only"
        # Python's mmap() insists on a file that is long enough to the byte.
        visible = min(event.length, file_length - event.fd_offset)
        access = mmap.ACCESS_WRITE if event.flags & WRITABLE else mmap.ACCESS_READ
        memory = mmap.mmap(fds[0], visible, access=access, offset=event.fd_offset)
        self.mappings[event.offset] = event.length, memory
        return None

    def _unmap(self, event, fds):
        length, memory = self.mappings.get(event.offset, (0, None))
        if event.shmid != HOST_VISIBLE or fds:
            return f"wrong region, or {len(fds)} descriptors"
        if length != event.length:
            return "not what is mapped"
        del self.mappings[event.offset]
        memory.close()
        return None


class QemuRegion(SharedRegion):
    """A region whose owner is called qemu and answers as QEMU 11.1 does: SHMEM_MAP before its memory
    is there, which it is when the next request is handled. hold() holds that one back."""

    def __init__(self):
        super().__init__()
        self.barriers = 0
        self._early = None

    def give(self, user):
        """The daemon looks at the name of the process that made the channel."""
        with open("/proc/self/comm", "r+", encoding="ascii") as comm:
            name = comm.read()
            comm.write("qemu-of-a-test")
            comm.flush()
            super().give(user)
            user.get_features()
            comm.write(name.strip())

    def _take(self, message):
        if message.request == BackendRequest.SHARED_OBJECT_REMOVE:
            self.barriers += 1
            if message.payload != bytes(16):
                self.errors.append("a shared object that somebody may have")
            if self._held:
                self._waiting.append(message)
            else:
                self._carry_out(message)
        elif message.request == MAP:
            self.events.append(Event(message.request, *BackendChannel.MAP.unpack(message.payload)))
            message.event = self.events[-1]
            self._early = message
            self.channel.reply(message, 1 if self._refused else 0)
        else:
            super()._take(message)

    def _carry_out(self, message):
        if message.request != BackendRequest.SHARED_OBJECT_REMOVE:
            super()._carry_out(message)
            return
        early, self._early = self._early, None
        if self._refused:
            self._refused -= 1
        elif wrong := self._map(early.event, early.fds):
            self.errors.append(f"{early.event}: {wrong}")
        early.close_fds()
        self.channel.reply(message)
        self._changed.notify_all()
