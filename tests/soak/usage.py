# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What a process has: descriptors, and memory that is not the guest's."""

from dataclasses import dataclass

from frontend.daemon import fd_count

# Of what there was in the 10th round
MAY_GROW = 0.01

# A page of a program or library that is first touched brings its neighbours: 64 KiB (fault_around_bytes)
MAY_BE_MAPPED = 2 * 64 * 1024


@dataclass
class Usage:
    fds: int
    anon: int  # bytes
    file: int  # bytes of programs, libraries and other files

    @property
    def rss(self):
        return self.anon + self.file

    def __str__(self):
        return f"{self.fds} descriptors, {self.rss / 2 ** 20:.2f} MiB"


def is_sanitized(pid):
    """AddressSanitizer keeps what was freed, to recognise its use."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        return "libasan" in maps.read()


def usage(pid):
    """Now. The guest's memory is shared (RssShmem), all else is counted."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        sizes = dict(line.split(":", 1) for line in status if line.startswith("Rss"))
    anon, file = (1024 * int(sizes[name].split()[0]) for name in ("RssAnon", "RssFile"))
    return Usage(fd_count(pid), anon, file)


def assert_flat(pid, early, late, pictures_len=0):
    """pictures_len: bytes of pictures that may or may not be there at any time."""
    assert late.fds <= early.fds, f"{early} became {late}"
    if not is_sanitized(pid):
        grown = late.anon - early.anon + max(0, late.file - early.file - MAY_BE_MAPPED)
        assert grown <= early.rss * MAY_GROW + pictures_len, f"{early} became {late}"
