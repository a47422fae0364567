# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Expected answers: short names of the codes, and a collector of wrong ones."""

from .virtio_gpu import Resp

OK = Resp.OK_NODATA
UNSPEC = Resp.ERR_UNSPEC
NO_MEMORY = Resp.ERR_OUT_OF_MEMORY
NO_SCANOUT = Resp.ERR_INVALID_SCANOUT_ID
NO_RESOURCE = Resp.ERR_INVALID_RESOURCE_ID
NO_CONTEXT = Resp.ERR_INVALID_CONTEXT_ID
PARAMETER = Resp.ERR_INVALID_PARAMETER
HUGE = 0xFFFFFFFF


class Checker:
    """Collects wrong answers, so that one run shows all of them."""

    def __init__(self):
        self.wrong = []

    def __call__(self, what, response, *expected):
        if response.type not in expected:
            wanted = " or ".join(kind.name for kind in expected)
            self.wrong.append(f"{what}: {response.type!r}, not {wanted}")
        elif not response.ok and response.used_len != 24:
            self.wrong.append(f"{what}: {response.used_len} bytes used")

    def done(self, vm):
        assert vm.alive()
        assert not self.wrong, "\n" + "\n".join(self.wrong)
