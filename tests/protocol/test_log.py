# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""What a guest can put into the log: never a line that looks like the program's own."""

from frontend import virgl
from frontend.virtio_gpu import require

NAME = b"x\nvhost-device-gpu: error: forged\x1b[2K\r\x9b\xff\xc2\x9b\xe2\x80\xae"


def log_bytes(daemon):
    with open(daemon.log_path, "rb") as log:
        return log.read()


def test_context_name(running):
    """The library prints it with each complaint about a command stream."""
    daemon = running.daemon("virglrenderer", "--log-level", "debug")
    vm = running.vm(daemon)
    require(vm.gpu.ctx_create(1, name=NAME))
    vm.gpu.submit_3d(1, virgl.create_surface(1, 999, 2))
    vm.user.get_features()
    text = log_bytes(daemon)
    assert b"forged" in text, "the name is not printed, so that nothing was tested"
    for line in text.split(b"\n"):
        assert not line or line.startswith(b"vhost-device-gpu: "), line
        assert not line.startswith(b"vhost-device-gpu: error: forged"), line
        assert all(byte >= 0x20 and byte != 0x7F for byte in line), line
        line.decode()
    assert "\x9b" not in text.decode()
