# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
#
# The Python environment of the tests, in build/venv. It is made under another name and renamed when
# all is in it, so that one that is there is complete. common.sh must have been read before.

PYTHON_PACKAGES=(pytest qemu.qmp Pillow)
VENV=$ROOT/build/venv

venv_is_complete() {
	[ "$(cat "$VENV/installed" 2>/dev/null)" = "${PYTHON_PACKAGES[*]}" ] &&
		"$VENV/bin/python" -c 'import pytest' 2>/dev/null
}

# Makes it where it is not there. Fails, and leaves nothing, where pip does.
make_venv() {
	local python=/usr/bin/python3 new=$VENV.new
	if venv_is_complete; then
		return 0
	fi
	[ -x "$python" ] || python=python3
	note "Python packages (in build/venv): ${PYTHON_PACKAGES[*]}"
	rm -rf "$new" "$VENV"
	if ! { "$python" -m venv "$new" && "$new/bin/python" -m pip install -q \
		--disable-pip-version-check "${PYTHON_PACKAGES[@]}"; }; then
		rm -rf "$new"
		fail "the Python packages of the tests could not be installed: ${PYTHON_PACKAGES[*]}"
	fi
	echo "${PYTHON_PACKAGES[*]}" >"$new/installed"
	# Nothing in it is run by a path that the rename breaks: only bin/python is.
	mv "$new" "$VENV"
}
