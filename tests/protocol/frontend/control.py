# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""The control socket of a session, as a user of it sees it."""

import socket

from .patience import PATIENCE


class Control:
    """A client. Each line that it sends has an answer that ends with ok or an error."""

    def __init__(self, path, timeout=PATIENCE):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self.rest = b""

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read_line(self):
        """The next line, or None when the session has hung up."""
        while b"\n" not in self.rest:
            part = self.sock.recv(4096)
            if not part:
                return None
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def ask(self, line):
        """The answer's lines, the last one ok or an error."""
        self.send(line.encode() + b"\n")
        lines = [self.read_line()]
        while lines[-1] is not None and lines[-1] != "ok" and not lines[-1].startswith("error: "):
            lines.append(self.read_line())
        return lines
