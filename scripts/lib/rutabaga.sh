# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
#
# rutabaga_gfx_ffi for the tests, in build/rutabaga: no distribution has it, the crates registry
# does. What the registry has newer than 0.1.3 has no C interface. It is made under another name and
# renamed when all is in it. common.sh must have been read before.

RUTABAGA_VERSION=0.1.3
RUTABAGA=$ROOT/build/rutabaga

rutabaga_is_complete() {
	[ "$(cat "$RUTABAGA/installed" 2>/dev/null)" = "$RUTABAGA_VERSION" ]
}

# Runs a command for which pkg-config finds ours, even where another one is installed.
with_rutabaga() {
	PKG_CONFIG_PATH=$RUTABAGA/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} "$@"
}

# Makes it where it is not there. Fails, and leaves nothing but a log, where cargo does.
make_rutabaga() {
	local new=$RUTABAGA.new log=$RUTABAGA.log
	if rutabaga_is_complete; then
		return 0
	fi
	note "Rust crate (in build/rutabaga): rutabaga_gfx_ffi $RUTABAGA_VERSION"
	rm -rf "$new" "$RUTABAGA"
	mkdir -p "$ROOT/build"
	if ! "$ROOT/scripts/lib/build-rutabaga" "$RUTABAGA_VERSION" "$new" >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -rf "$new"
		fail "rutabaga_gfx_ffi could not be built; all that cargo said is in $log"
	fi
	mv "$new" "$RUTABAGA"
}
