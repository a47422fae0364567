# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
#
# What the project needs from the distribution, one list for each purpose, and how to install it. Reads nothing but the machine; common.sh must have been read before.

BUILD_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev libpixman-1-dev
	libdrm-dev libvirglrenderer-dev libepoxy-dev libegl-dev libgbm-dev
	libseccomp-dev libcap-ng-dev)
# Programs to boot a guest, and the drivers that host and guest share (the guest's root is ours).
GUEST_PACKAGES=(qemu-system-x86 qemu-system-gui qemu-system-common qemu-system-data seabios
	ipxe-qemu busybox-static cpio kmod xz-utils zstd libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri kmscube)
CHECK_PACKAGES=(clang clang-format clang-tidy shellcheck python3 python3-venv make libvulkan-dev)
VM_TEST_PACKAGES=(libdrm-tests glmark2-es2-drm weston seatd)
# Taken from backports as one where the release's own are too old.
QEMU_PACKAGES=(qemu-system-x86 qemu-system-gui qemu-system-common qemu-system-data seabios)
# To make the Debian root in which newer versions are tested.
TRIXIE_PACKAGES=(debootstrap debian-archive-keyring util-linux)

# The oldest QEMU that runs vhost-user-gpu without KVM. (7.2 says "requires kvm".)
QEMU_MAJOR_NEEDED=8

BACKPORTS_FILE=/etc/apt/sources.list.d/vhost-device-gpu-backports.sources

ASSUME_YES=${CI:+1}
SUDO=()

# Prints ID and codename of the distribution as two words.
distribution() {
	# shellcheck source=/dev/null
	(. /etc/os-release && echo "${ID:-unknown} ${VERSION_CODENAME:-unknown}")
}

kernel_package() {
	case $(distribution) in
	ubuntu*) echo linux-image-generic ;;
	*) echo linux-image-amd64 ;;
	esac
}

# clang's sanitizer and fuzzer libraries are a package of their own, named after the version.
clang_runtime_package() {
	local version
	version=$(apt-cache depends clang 2>/dev/null |
		sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -n 1)
	if [ -n "$version" ]; then
		echo "libclang-rt-$version-dev"
	fi
}

# To build Rust crates, where the machine has no cargo of its own. Debian 12's first one is too old.
cargo_packages() {
	if have cargo; then
		return
	fi
	case $(distribution) in
	debian\ bookworm) printf '%s\n' cargo-web rustc-web ;;
	*) echo cargo ;;
	esac
}

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints the packages of a purpose (build, guest, check, vm-test, trixie), one a line.
packages_for() {
	case $1 in
	build) printf '%s\n' "${BUILD_PACKAGES[@]}" ;;
	guest)
		printf '%s\n' "${GUEST_PACKAGES[@]}"
		kernel_package
		;;
	check)
		printf '%s\n' "${CHECK_PACKAGES[@]}"
		clang_runtime_package
		cargo_packages
		;;
	vm-test) printf '%s\n' "${VM_TEST_PACKAGES[@]}" ;;
	trixie) printf '%s\n' "${TRIXIE_PACKAGES[@]}" ;;
	*) fail "packages_for $1" ;;
	esac
}

# Prints the major version of the QEMU that is on PATH, or that apt would install; 0 for none.
qemu_major() {
	local version
	if have qemu-system-x86_64; then
		version=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
	else
		version=$(apt-cache policy qemu-system-x86 2>/dev/null |
			sed -n 's/ *Candidate: \([0-9]*:\)\{0,1\}\([0-9]*\)\..*/\2/p')
	fi
	echo "${version:-0}"
}

# Decides how commands that need root are run. Fails with an explanation when there is no way.
become_root() {
	if [ "$(id -u)" -eq 0 ]; then
		SUDO=()
	elif have sudo; then
		SUDO=(sudo)
	else
		fail "needs root to install packages: run it as root, or install sudo"
	fi
}

# Asks before anything is installed or changed. -y and CI are a yes; so is root without a terminal, as
# in a container's build.
confirm() {
	local answer
	if [ -n "$ASSUME_YES" ] || { [ "$(id -u)" -eq 0 ] && [ ! -t 0 ]; }; then
		return 0
	fi
	[ -t 0 ] || fail "cannot ask without a terminal: use -y to allow it"
	read -r -p "   Go on? [Y/n] " answer
	case $answer in
	'' | y | Y | yes) return 0 ;;
	*) fail "nothing was installed" ;;
	esac
}

# Where APT_LOG names a file, what apt prints goes there, and its end is shown when it fails.
apt_get() {
	local -a command=("${SUDO[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q
		-o DPkg::Lock::Timeout=300 "$@")
	if [ -z "${APT_LOG:-}" ]; then
		"${command[@]}"
		return
	fi
	mkdir -p "$(dirname "$APT_LOG")"
	if ! "${command[@]}" >>"$APT_LOG" 2>&1 </dev/null; then
		tail -n 20 "$APT_LOG" >&2
		fail "apt-get $1 failed (the whole of it is in $APT_LOG)"
	fi
}

read_if_there() {
	local file
	for file; do
		[ ! -r "$file" ] || cat "$file"
	done
}

# Prints "URI KEYRING" (KEYRING may be empty) of the machine's own archive for a release, from
# deb822 files or one-line lists, so that what we add comes from where the user's packages do.
archive_of_release() {
	local release=$1
	read_if_there /etc/apt/sources.list.d/*.sources | awk -v release="$release" '
		function finish() {
			if (types ~ /(^| )deb( |$)/ && (" " suites " ") ~ (" " release " ") && uri != "")
				print uri, key
			types = suites = uri = key = ""
		}
		/^#/ { next }
		/^[ \t]*$/ { finish(); next }
		/^Types:/ { $1 = ""; types = $0 }
		/^URIs:/ { uri = $2 }
		/^Suites:/ { $1 = ""; suites = $0 }
		/^Signed-By: *\// { key = $2 }
		/^Enabled: *no/ { types = "" }
		END { finish() }' | head -n 1
	read_if_there /etc/apt/sources.list /etc/apt/sources.list.d/*.list |
		sed -n 's/^deb[ \t]\{1,\}//p' | awk -v release="$release" '
		{
			key = ""
			if (sub(/^\[/, "")) {
				options = $0
				sub(/\].*/, "", options)
				sub(/^[^\]]*\][ \t]*/, "")
				if (match(options, /signed-by=[^ ]*/))
					key = substr(options, RSTART + 10, RLENGTH - 10)
			}
			if ($2 == release)
				print $1, key
		}' | head -n 1
}

# Adds RELEASE-backports as an apt source, unless the machine has it.
add_backports() {
	local release=$1 archive uri key file
	if [ -n "$(archive_of_release "$release-backports")" ]; then
		return
	fi
	archive=$(archive_of_release "$release" | head -n 1)
	read -r uri key <<<"$archive" || true
	[ -n "$uri" ] || fail "cannot tell where this machine's $release packages come from:" \
		"add $release-backports to apt's sources and run this again"
	file=$BACKPORTS_FILE
	note "adding $release-backports as $file"
	{
		printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' \
			"$uri" "$release"
		key=${key:-/usr/share/keyrings/debian-archive-keyring.gpg}
		if [ -e "$key" ]; then
			printf 'Signed-By: %s\n' "$key"
		fi
	} | "${SUDO[@]}" tee "$file" >/dev/null
	apt_get update
}

# A QEMU that is too old is replaced from backports where there are any, else explained.
replace_old_qemu() {
	local id release
	read -r id release <<<"$(distribution)"
	say "QEMU $(qemu_major) is too old to run vhost-user-gpu without KVM:" \
		"$QEMU_MAJOR_NEEDED or newer is needed"
	if [ "$id" != debian ] || [ "$release" != bookworm ]; then
		fail "install a newer QEMU than $id $release has, then run this again"
	fi
	note "Debian $release has one in its backports; will be installed from there:"
	note "${QEMU_PACKAGES[*]}"
	if [ -z "$(archive_of_release "$release-backports")" ]; then
		note "To do so, $release-backports is added to apt's sources, as"
		note "$BACKPORTS_FILE"
	fi
	confirm
	become_root
	add_backports "$release"
	apt_get install -y --no-install-recommends "${QEMU_PACKAGES[@]/%//$release-backports}"
}

# Installs what is missing for the purposes given (see packages_for).
install_packages() {
	local purpose package guest='' refresh=''
	local -a missing=()
	if ! have apt-get; then
		note "no apt-get here: assuming that what docs and README name is installed"
		return
	fi
	for purpose; do
		[ "$purpose" != guest ] || guest=1
	done
	# Without lists (a fresh container image) apt knows no package.
	if [ "$(apt-cache policy meson 2>/dev/null | wc -l)" -eq 0 ]; then
		become_root
		say "Fetching apt's package lists"
		confirm
		apt_get update
		refresh=1
	fi
	# First, so that the old one is not installed only to be replaced.
	if [ -n "$guest" ] && [ "$(qemu_major)" -lt "$QEMU_MAJOR_NEEDED" ]; then
		replace_old_qemu
	fi
	for purpose; do
		while read -r package; do
			# A QEMU of the user's own making will do.
			if [[ $package == @(qemu-system-*|ipxe-qemu|seabios) ]] &&
				have qemu-system-x86_64 && ! is_installed qemu-system-x86; then
				continue
			fi
			is_installed "$package" || missing+=("$package")
		done < <(packages_for "$purpose")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		note "packages for $*: all installed"
		return
	fi
	say "Packages to install (for $*)"
	note "${missing[*]}"
	if [[ " ${missing[*]} " == *" $(kernel_package) "* ]]; then
		note "$(kernel_package) is for the guest, which boots this machine's kernel; where this"
		note "machine boots a kernel of its own, the boot loader may choose the new one"
	fi
	confirm
	become_root
	[ -n "$refresh" ] || apt_get update
	apt_get install -y --no-install-recommends "${missing[@]}"
}

# Ubuntu's kernels are readable by root only: leaves the user a copy where mkinitramfs looks.
make_kernel_readable() {
	local image release folder=${XDG_CACHE_HOME:-$HOME/.cache}/vhost-device-gpu
	while read -r image; do
		release=${image##*/vmlinuz-}
		[ -d "/lib/modules/$release/kernel" ] || continue
		if [ ! -r "$image" ] && [ ! -r "$folder/vmlinuz-$release" ]; then
			note "$image is root's only: copying it to $folder"
			confirm
			become_root
			mkdir -p "$folder"
			"${SUDO[@]}" install -m 0644 -o "$(id -u)" "$image" "$folder/"
		fi
		return
	done < <(printf '%s\n' /boot/vmlinuz-* | sort -rV)
}
