/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Landlock (landlock(7)): which paths stay open. There is no C library for it. Newer versions of it
 * than the kernel's header knows have their numbers here.
 *
 * Also without a rule: no TCP and no UDP, no signals to processes outside, no abstract sockets of
 * theirs, and no look into them (ptrace and /proc), as far as the kernel's version goes.
 */
#include "sandbox/private.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (UINT64_C(1) << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (UINT64_C(1) << 15)
#endif
#ifndef LANDLOCK_ACCESS_FS_RESOLVE_UNIX
#define LANDLOCK_ACCESS_FS_RESOLVE_UNIX (UINT64_C(1) << 16)
#endif
#define NET_TCP	   (UINT64_C(1) << 0 | UINT64_C(1) << 1) /* bind, connect */
#define NET_UDP	   (UINT64_C(1) << 2 | UINT64_C(1) << 3)
#define SCOPED_ALL (UINT64_C(1) << 0 | UINT64_C(1) << 1) /* abstract sockets, signals */

#define FS_FIRST_VERSION (LANDLOCK_ACCESS_FS_REFER - 1)
#define FS_READ                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define FS_DEVICE                                                                                  \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                              \
		LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                      \
		LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define FS_WRITE                                                                                   \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                              \
		LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                      \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
		LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                   \
		LANDLOCK_ACCESS_FS_REFER)
#define FS_SOCKETS (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* What can be said of a file that is no folder. */
#define FS_OF_FILE                                                                                 \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
		LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE |                         \
		LANDLOCK_ACCESS_FS_IOCTL_DEV | LANDLOCK_ACCESS_FS_RESOLVE_UNIX)

/* struct landlock_ruleset_attr; kernels of earlier versions take the zeroes behind their own end. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* What each version added. */
static const struct addition {
	int version;
	struct ruleset ruleset;
} additions[] = {
	{1, {.fs = FS_FIRST_VERSION}},
	{2, {.fs = LANDLOCK_ACCESS_FS_REFER}},
	{3, {.fs = LANDLOCK_ACCESS_FS_TRUNCATE}},
	{4, {.net = NET_TCP}},
	{5, {.fs = LANDLOCK_ACCESS_FS_IOCTL_DEV}},
	{6, {.scoped = SCOPED_ALL}},
	{9, {.fs = LANDLOCK_ACCESS_FS_RESOLVE_UNIX}},
	{10, {.net = NET_UDP}},
};

static const uint64_t access_rights[] = {
	[SANDBOX_READ] = FS_READ,
	[SANDBOX_DEVICE] = FS_DEVICE,
	[SANDBOX_WRITE] = FS_WRITE,
	[SANDBOX_CONNECT] = LANDLOCK_ACCESS_FS_RESOLVE_UNIX,
	[SANDBOX_SOCKETS] = FS_SOCKETS,
};

static struct ruleset list_rights(int version)
{
	struct ruleset ruleset = {0};

	for (size_t i = 0; i < G_N_ELEMENTS(additions); i++) {
		if (additions[i].version > version)
			break;
		ruleset.fs |= additions[i].ruleset.fs;
		ruleset.net |= additions[i].ruleset.net;
		ruleset.scoped |= additions[i].ruleset.scoped;
	}
	return ruleset;
}

int sandbox_landlock_version(void)
{
	long version = syscall(
		SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? -errno : (int)version;
}

int sandbox_landlock_open(int version)
{
	const struct ruleset ruleset = list_rights(version);
	long fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);

	return fd < 0 ? -errno : (int)fd;
}

int sandbox_landlock_allow(
	int ruleset_fd, int version, const char *path, enum sandbox_access access)
{
	autofd fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	rule.allowed_access = access_rights[access] & list_rights(version).fs;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILE;
	if (rule.allowed_access == 0)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

int sandbox_landlock_enter(int ruleset_fd)
{
	return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}
