# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
#
# shellcheck disable=SC2154 # `root` is set by who reads this
#
# A Debian root in a folder: made with debootstrap from the archive that this machine's apt uses, and
# entered. Who reads this has fail(), and sets `root` to the folder. Mounts are left to the mount
# namespace that the caller made, and go away with it.

readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# apt knows which archive a suite comes from; a non-Debian machine has to name a mirror.
find_mirror() {
	local uri

	# shellcheck disable=SC2016 # for apt to expand
	uri=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(LABEL)' \
		'Created-By: Packages' 2>/dev/null |
		awk '$3 == "Debian" && $2 !~ /security|backports/ { print $1; exit }')
	[ -n "$uri" ] || fail "found no Debian archive among apt's sources${1:+; $1}"
	echo "${uri%/}"
}

# What apt in the root needs to get through where this machine's gets through.
print_apt_proxy() {
	apt-config dump --format '%f "%v";%n' Acquire::http::Proxy
}

# debootstrap_into FOLDER RELEASE MIRROR
debootstrap_into() {
	[ -f "$keyring" ] || fail "no $keyring; install debian-archive-keyring"
	command -v debootstrap >/dev/null || fail "no debootstrap; install debootstrap"
	debootstrap --variant=minbase --include=ca-certificates --keyring="$keyring" "$2" "$1" "$3"
}

# No daemon is started when a package is installed.
forbid_services() {
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
}

remove_tree() {
	[ ! -e "$1" ] || rm -rf --one-file-system -- "$1"
}

mount_for_chroot() {
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/tmp"
	rm -f "$root/etc/resolv.conf"
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
}

in_root() {
	env -u TMPDIR LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"
}
