/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * How many descriptors are left, with limits of our own.
 */
#include "util/fd.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/resource.h>

#define LIMIT	    256
#define SMALL_LIMIT 40

static void set_soft_limit(rlim_t count)
{
	struct rlimit limit;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	limit.rlim_cur = count;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

/* Opens descriptors until few are left. Return: how many are free then. */
static unsigned int free_when_scarce(GArray *fds)
{
	unsigned int left = 0;
	int fd;

	while (!fd_is_scarce()) {
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
		g_assert_cmpint(fd, >=, 0);
		g_array_append_val(fds, fd);
	}
	for (guint first = fds->len; (fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0; left++) {
		g_assert_cmpuint(fds->len - first, <, LIMIT);
		g_array_append_val(fds, fd);
	}
	/* None is left, and that is told too. */
	g_assert_true(fd_is_scarce());
	return left;
}

static void close_all(GArray *fds)
{
	for (guint i = 0; i < fds->len; i++)
		close(g_array_index(fds, int, i));
	g_array_unref(fds);
}

static void check_reserve(rlim_t limit, unsigned int reserve)
{
	GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
	struct rlimit before;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
	set_soft_limit(limit);
	g_assert_false(fd_is_scarce());
	g_assert_cmpuint(free_when_scarce(fds), ==, reserve);
	close_all(fds);
	g_assert_false(fd_is_scarce());
	set_soft_limit(before.rlim_cur);
}

static void test_reserve(void)
{
	check_reserve(LIMIT, FD_RESERVE);
	/* The reserve must not be all there is. */
	check_reserve(SMALL_LIMIT, SMALL_LIMIT / 4);
}

static void test_no_standard_error(void)
{
	int saved_fd = dup(STDERR_FILENO);

	close(STDERR_FILENO);
	g_assert_false(fd_is_scarce());
	g_assert_cmpint(dup2(saved_fd, STDERR_FILENO), ==, STDERR_FILENO);
	close(saved_fd);
}

static void test_raise(void)
{
	struct rlimit limit;

	set_soft_limit(LIMIT);
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	g_assert_cmpuint(fd_raise_limit(), ==, limit.rlim_max);
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	g_assert_cmpuint(limit.rlim_cur, ==, limit.rlim_max);
}

int main(int argc, char **argv)
{
	/* A shell may leave some open that are close to the limit. */
	for (int fd = STDERR_FILENO + 1; fd < LIMIT; fd++)
		close(fd);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fd/reserve", test_reserve);
	g_test_add_func("/fd/no-standard-error", test_no_standard_error);
	g_test_add_func("/fd/raise", test_raise);
	return g_test_run();
}
