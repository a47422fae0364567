# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
#
# What every script here starts with: where things are, how to speak, how to stop.

# shellcheck disable=SC2034  # for the scripts that read this file
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# A fresh Debian gives a user no sbin, where modprobe is.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() {
	printf '\n== %s\n' "$*"
}

note() {
	printf '   %s\n' "$*"
}

fail() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# Prints usage from the script's own head: the comment lines after the licence.
usage() {
	sed -n '5,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}
