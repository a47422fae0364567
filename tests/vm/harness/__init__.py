# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""Starts the daemon, QEMU and a guest, and looks at what the guest shows."""
