# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""How long something may take that will come: only what never comes is waited for so long.

VDG_PATIENCE is for slow machines: in an emulated guest a session's renderer alone starts for 20 s.
"""

import os

PATIENCE = float(os.environ.get("VDG_PATIENCE", 20))  # seconds
