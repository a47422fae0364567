# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Server of the vhost-user-gpu display socket (QEMU's vhost-user-gpu document).

A thread reads and checks what the back-end sends, keeps one picture per scanout and answers.
Answers can be held back and reading can be paused, to see that a back-end waits for neither.
Whatever QEMU could not digest is noted in `errors`, which the fixtures expect to be empty.
"""

import enum
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from .vhost_user import HangUp, receive_exactly
from .patience import PATIENCE

HEADER = struct.Struct("=III")
FLAG_REPLY = 0x4
MAX_SCANOUTS = 16
CURSOR_SIZE = 64
CURSOR_POS = struct.Struct("=III")
SCANOUT = struct.Struct("=III")
RECT = struct.Struct("=IIIII")
CURSOR_UPDATE = struct.Struct("=IIIII")
DMABUF = struct.Struct("=IIIIIIIIIi")
RESP_DISPLAY_INFO = 0x1101
RESP_EDID = 0x1104


class Kind(enum.IntEnum):
    GET_PROTOCOL_FEATURES = 1
    SET_PROTOCOL_FEATURES = 2
    GET_DISPLAY_INFO = 3
    CURSOR_POS = 4
    CURSOR_POS_HIDE = 5
    CURSOR_UPDATE = 6
    SCANOUT = 7
    UPDATE = 8
    DMABUF_SCANOUT = 9
    DMABUF_UPDATE = 10
    GET_EDID = 11
    DMABUF_SCANOUT2 = 12


class Feature(enum.IntFlag):
    EDID = 1 << 0
    DMABUF2 = 1 << 1


SIZES = {
    Kind.GET_PROTOCOL_FEATURES: 0, Kind.SET_PROTOCOL_FEATURES: 8, Kind.GET_DISPLAY_INFO: 0,
    Kind.CURSOR_POS: 12, Kind.CURSOR_POS_HIDE: 12,
    Kind.CURSOR_UPDATE: 20 + 4 * CURSOR_SIZE * CURSOR_SIZE, Kind.SCANOUT: 12,
    Kind.DMABUF_SCANOUT: 40, Kind.DMABUF_UPDATE: 20, Kind.GET_EDID: 4, Kind.DMABUF_SCANOUT2: 48,
}


@dataclass
class Event:
    """One message of the back-end; values are the numbers in it, in order."""
    kind: Kind
    values: tuple = ()
    data: bytes = b""
    fds: list = field(default_factory=list)


@dataclass
class Picture:
    """What one scanout shows: width * height pixels of x8r8g8b8, None until the first update."""
    width: int
    height: int
    pixels: bytearray
    dmabuf: bool = False

    def put(self, x, y, w, h, data):
        for row in range(h):
            start = 4 * ((y + row) * self.width + x)
            self.pixels[start:start + 4 * w] = data[4 * w * row:4 * w * (row + 1)]


def display_info(modes):
    """struct virtio_gpu_resp_display_info for a list of (width, height), None if disabled."""
    data = struct.pack("=IIQIB3x", RESP_DISPLAY_INFO, 0, 0, 0, 0)
    for i in range(MAX_SCANOUTS):
        mode = modes[i] if i < len(modes) else None
        width, height = mode or (0, 0)
        data += struct.pack("=IIIIII", 0, 0, width, height, int(mode is not None), 0)
    return data


def edid_answer(scanout):
    """struct virtio_gpu_resp_edid with bytes that tell the scanouts apart."""
    blob = bytes((i * 7 + scanout) & 0xFF for i in range(128))
    return struct.pack("=IIQIB3xII", RESP_EDID, 0, 0, 0, 0, len(blob), 0) + blob.ljust(1024, b"\0")


class Display:
    """One display socket. `peer` is the end that is given to the back-end."""

    def __init__(self, features=Feature.EDID | Feature.DMABUF2, modes=((1024, 768),)):
        self.features, self.modes = features, list(modes)
        self.sock, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.events, self.errors = [], []
        self.pictures = {}
        self.negotiated = None
        self.closed = False
        self._held, self._waiting = set(), []
        self._reading = threading.Event()
        self._reading.set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def give(self, vhost_user):
        """Hand the other end to the back-end, which has it when this returns.

        A kick may be taken before a message that was sent earlier: they come by different descriptors.
        """
        vhost_user.gpu_set_socket(self.peer.fileno())
        vhost_user.get_features()
        self.peer.close()

    def close(self):
        """Hang up, as QEMU does when the guest resets the device."""
        self._reading.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()
        self.sock.close()
        self.peer.close()
        for event in self.events:
            for fd in event.fds:
                os.close(fd)
            event.fds = []

    # What tests steer

    def hold(self, *kinds):
        """Keep answers to these messages back until release()."""
        self._held.update(kinds)

    def release(self):
        with self._changed:
            self._held.clear()
            waiting, self._waiting = self._waiting, []
        for kind, payload in waiting:
            self._answer(kind, payload)

    def pause_reading(self):
        """Stop reading after the message that is being read."""
        self._reading.clear()

    def resume_reading(self):
        self._reading.set()

    def wait_for(self, condition, what="display messages", timeout=PATIENCE):
        """Sleep until condition() holds; it is called with the display locked."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0 and not self.closed, f"no {what}; seen: {self._summary()}"
                self._changed.wait(left)

    def of_kind(self, *kinds):
        with self._changed:
            return [event for event in self.events if event.kind in kinds]

    def wait_event(self, kind, count=1):
        """Sleep until count messages of a kind have come; returns the last of them."""
        self.wait_for(lambda: sum(e.kind == kind for e in self.events) >= count, f"{kind!r}")
        return self.of_kind(kind)[count - 1]

    def picture(self, scanout=0):
        with self._changed:
            return self.pictures.get(scanout)

    def forget(self):
        """Drop the recorded messages; pictures stay."""
        with self._changed:
            for event in self.events:
                for fd in event.fds:
                    os.close(fd)
            self.events = []

    def _summary(self):
        return [(event.kind.name, *event.values) for event in self.events[-20:]]

    # The thread

    def _serve(self):
        try:
            while True:
                self._reading.wait()
                fds = []
                kind, flags, size = HEADER.unpack(receive_exactly(self.sock, HEADER.size, fds))
                data = self._receive(size, fds)
                with self._changed:
                    self._handle(kind, flags, data, fds)
                    self._changed.notify_all()
        except (HangUp, OSError):
            pass
        except Exception as error:  # a message that cannot be parsed is a finding, not a crash
            self.errors.append(f"{type(error).__name__}: {error}")
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _receive(self, size, fds):
        """What follows a header. Subclasses read it in their own time."""
        return receive_exactly(self.sock, size, fds)

    def _complain(self, text):
        self.errors.append(text)

    def _handle(self, number, flags, data, fds):
        if number not in Kind.__members__.values():
            self._complain(f"unknown message {number}")
            return
        kind = Kind(number)
        if flags != 0:
            self._complain(f"{kind!r} with flags {flags:#x}")
        if kind in SIZES and len(data) != SIZES[kind]:
            self._complain(f"{kind!r} of {len(data)} bytes")
            return
        event = getattr(self, "_on_" + kind.name.lower())(data, fds)
        event.fds = fds
        if fds and kind not in (Kind.DMABUF_SCANOUT, Kind.DMABUF_SCANOUT2):
            self._complain(f"{kind!r} with {len(fds)} fds")
        self.events.append(event)

    def _answer(self, kind, payload):
        if kind in self._held:
            self._waiting.append((kind, payload))
            return
        try:
            self.sock.sendall(HEADER.pack(kind, FLAG_REPLY, len(payload)) + payload)
        except OSError:
            pass

    def _on_get_protocol_features(self, _data, _fds):
        self._answer(Kind.GET_PROTOCOL_FEATURES, struct.pack("=Q", self.features))
        return Event(Kind.GET_PROTOCOL_FEATURES)

    def _on_set_protocol_features(self, data, _fds):
        (self.negotiated,) = struct.unpack("=Q", data)
        if self.negotiated & ~self.features:
            self._complain(f"features {self.negotiated:#x} of {self.features:#x}")
        return Event(Kind.SET_PROTOCOL_FEATURES, (self.negotiated,))

    def _on_get_display_info(self, _data, _fds):
        self._answer(Kind.GET_DISPLAY_INFO, display_info(self.modes))
        return Event(Kind.GET_DISPLAY_INFO)

    def _on_get_edid(self, data, _fds):
        (scanout,) = struct.unpack("=I", data)
        if not (self.negotiated or 0) & Feature.EDID:
            self._complain("GET_EDID without the feature")
        self._answer(Kind.GET_EDID, edid_answer(scanout))
        return Event(Kind.GET_EDID, (scanout,))

    def _check_scanout(self, scanout):
        if scanout >= MAX_SCANOUTS:
            self._complain(f"scanout {scanout}")

    def _on_cursor_pos(self, data, _fds):
        values = CURSOR_POS.unpack(data)
        self._check_scanout(values[0])
        return Event(Kind.CURSOR_POS, values)

    def _on_cursor_pos_hide(self, data, _fds):
        values = CURSOR_POS.unpack(data)
        self._check_scanout(values[0])
        return Event(Kind.CURSOR_POS_HIDE, values)

    def _on_cursor_update(self, data, _fds):
        values = CURSOR_UPDATE.unpack_from(data)
        self._check_scanout(values[0])
        return Event(Kind.CURSOR_UPDATE, values, data[CURSOR_UPDATE.size:])

    def _on_scanout(self, data, _fds):
        scanout, width, height = SCANOUT.unpack(data)
        self._check_scanout(scanout)
        if width and height:
            self.pictures[scanout] = Picture(width, height, bytearray(4 * width * height))
        else:
            self.pictures.pop(scanout, None)
        return Event(Kind.SCANOUT, (scanout, width, height))

    def _check_rect(self, kind, values):
        """Note a rectangle outside of its scanout. Returns the scanout's picture, if any."""
        scanout, x, y, w, h = values
        picture = self.pictures.get(scanout)
        if picture is None:
            self._complain(f"{kind!r} of scanout {scanout}, which shows nothing")
        elif not (w and h and x + w <= picture.width and y + h <= picture.height):
            self._complain(f"{kind!r} {values} in {picture.width}x{picture.height}")
            return None
        return picture

    def _on_update(self, data, _fds):
        values = RECT.unpack_from(data)
        picture = self._check_rect(Kind.UPDATE, values)
        pixels = data[RECT.size:]
        if len(pixels) != 4 * values[3] * values[4]:
            self._complain(f"UPDATE {values} with {len(pixels)} bytes")
        elif picture is not None and picture.dmabuf:
            self._complain(f"UPDATE of scanout {values[0]}, which is a dma-buf")
        elif picture is not None:
            picture.put(*values[1:], pixels)
        return Event(Kind.UPDATE, values, pixels)

    def _dmabuf_scanout(self, kind, data, fds):
        values = DMABUF.unpack_from(data)
        scanout, _, _, width, height = values[:5]
        self._check_scanout(scanout)
        enabled = bool(width and height)
        if len(fds) != int(enabled):
            self._complain(f"{kind!r} {width}x{height} with {len(fds)} fds")
        if enabled:
            self.pictures[scanout] = Picture(width, height, bytearray(), dmabuf=True)
        else:
            self.pictures.pop(scanout, None)
        return Event(kind, values + struct.unpack_from("=Q", data.ljust(48, b"\0"), 40))

    def _on_dmabuf_scanout(self, data, fds):
        return self._dmabuf_scanout(Kind.DMABUF_SCANOUT, data, fds)

    def _on_dmabuf_scanout2(self, data, fds):
        if not (self.negotiated or 0) & Feature.DMABUF2:
            self._complain("DMABUF_SCANOUT2 without the feature")
        return self._dmabuf_scanout(Kind.DMABUF_SCANOUT2, data, fds)

    def _on_dmabuf_update(self, data, _fds):
        values = RECT.unpack(data)
        picture = self._check_rect(Kind.DMABUF_UPDATE, values)
        if picture is not None and not picture.dmabuf:
            self._complain(f"DMABUF_UPDATE of scanout {values[0]}, which is no dma-buf")
        self._answer(Kind.DMABUF_UPDATE, b"")
        return Event(Kind.DMABUF_UPDATE, values)
