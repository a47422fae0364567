# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""libdrm's modetest in the guest: what it reports, and its test pattern on the outputs."""

import re
from collections import namedtuple

Connector = namedtuple("Connector", "id status name modes")

COMMAND = "modetest -M virtio_gpu"


def connectors(guest):
    """The guest's connectors in order, each with the set of its modes as WIDTHxHEIGHT."""
    found = []
    for line in guest.run(f"{COMMAND} -c").output.splitlines():
        connector = re.match(r"(\d+)\t\d+\t(\S+)\t(\S+)", line)
        mode = re.match(r"\s+#\d+ (\d+x\d+) ", line)
        if connector:
            found.append(Connector(int(connector[1]), connector[2], connector[3], []))
        elif mode and found:
            found[-1].modes.append(mode[1])
    return found


def force_on(guest, connector):
    """Make the guest use an output that the front-end shows as disconnected."""
    guest.run(f"echo on >/sys/class/drm/card0-{connector.name}/status")


def spawn_pattern(guest, modes, options=""):
    """Show the pattern; modes is a list of (connector, WIDTHxHEIGHT). guest.stop() ends it."""
    places = " ".join(f"-s {connector.id}:{mode}" for connector, mode in modes)
    guest.spawn(f"{COMMAND} {places} {options}")
