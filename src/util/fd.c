/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Ownership of file descriptors. An int that owns a descriptor is named *_fd and holds -1 when it
 * owns none; these helpers keep that rule. And how many a process may have, and has
 * left.
 */
#include "util/fd.h"

#include "util/checked.h"
#include "util/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

void fd_clear(int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved_errno;
}

/* Where the kernel has no call for it. */
static void close_listed(int first)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		int fd = atoi(name);

		if (fd >= first)
			g_array_append_val(fds, fd);
	}
	for (guint i = 0; i < fds->len; i++)
		close(g_array_index(fds, int, i));
}

void fd_close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) < 0)
		close_listed(first);
}

int fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

uint64_t fd_raise_limit(void)
{
	struct rlimit limit = {0}, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	raised = limit;
	raised.rlim_cur = raised.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &raised) < 0 ? limit.rlim_cur : raised.rlim_cur;
}

bool fd_is_scarce(void)
{
	struct rlimit limit;
	rlim_t reserve;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return true;
	reserve = limit.rlim_cur / 4 < FD_RESERVE ? limit.rlim_cur / 4 : FD_RESERVE;
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	/* Without a standard error its own low number is free. */
	if (fd < 0)
		return errno != EBADF;
	close(fd);
	return (rlim_t)fd >= limit.rlim_cur - reserve;
}

bool fd_may_be_eventfd(int fd)
{
	struct stat st;

	/* They all share one inode, which has no type. */
	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

bool fd_is_counter(int fd)
{
	const uint64_t two = 2;
	uint64_t count = 0;

	if (!fd_may_be_eventfd(fd))
		return false;
	/* A counter that is full takes no more, and need not. */
	if (write(fd, &two, sizeof(two)) != sizeof(two) && errno != EAGAIN)
		return false;
	return read(fd, &count, sizeof(count)) == sizeof(count) && count >= two;
}

bool fd_holds(int fd, uint64_t offset, uint64_t len)
{
	const off_t file_len = lseek(fd, 0, SEEK_END);

	return file_len > 0 && checked_range(offset, len, page_align((uint64_t)file_len));
}
