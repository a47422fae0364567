/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The socket file: what is replaced, what is not, and what is removed.
 */
#include "session/endpoint.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
	char *dir;
	char *path;
};

static void set_up(struct fixture *fixture, gconstpointer data)
{
	fixture->dir = g_dir_make_tmp("endpoint-XXXXXX", NULL);
	fixture->path = g_build_filename(fixture->dir, "socket", NULL);
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	g_remove(fixture->path);
	g_assert_cmpint(g_rmdir(fixture->dir), ==, 0);
	g_free(fixture->path);
	g_free(fixture->dir);
}

static bool can_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected;

	strcpy(address.sun_path, path);
	connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

static void check_refused(const char *path, int error, const char *part)
{
	struct endpoint endpoint;
	g_autofree char *message = NULL;

	g_assert_cmpint(endpoint_open(path, &endpoint, &message), ==, error);
	g_assert_nonnull(message);
	g_assert_nonnull(strstr(message, part));
	g_assert_null(strchr(message, '\n'));
}

static void test_open_and_remove(struct fixture *fixture, gconstpointer data)
{
	struct endpoint endpoint;
	char *message = NULL;

	g_assert_cmpint(endpoint_open(fixture->path, &endpoint, &message), ==, 0);
	g_assert_null(message);
	g_assert_true(can_connect(fixture->path));
	check_refused(fixture->path, -EADDRINUSE, "in use");
	g_assert_true(can_connect(fixture->path));
	endpoint_remove(&endpoint);
	g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

static void test_stale(struct fixture *fixture, gconstpointer data)
{
	struct endpoint endpoint;
	char *message = NULL;

	g_assert_cmpint(endpoint_open(fixture->path, &endpoint, &message), ==, 0);
	endpoint_close(&endpoint); /* as if killed */
	g_assert_true(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
	g_assert_false(can_connect(fixture->path));
	g_assert_cmpint(endpoint_open(fixture->path, &endpoint, &message), ==, 0);
	g_assert_true(can_connect(fixture->path));
	endpoint_remove(&endpoint);
}

static void test_not_a_socket(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *contents = NULL;

	g_assert_true(g_file_set_contents(fixture->path, "precious", -1, NULL));
	check_refused(fixture->path, -EEXIST, "not a socket");
	g_assert_true(g_file_get_contents(fixture->path, &contents, NULL, NULL));
	g_assert_cmpstr(contents, ==, "precious");
}

static void test_strangers_file_stays(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *moved = g_build_filename(fixture->dir, "moved", NULL);
	struct endpoint endpoint;
	struct endpoint other;
	char *message = NULL;

	/* The first file is kept under another name, so that its inode is not used again. */
	g_assert_cmpint(endpoint_open(fixture->path, &endpoint, &message), ==, 0);
	g_assert_cmpint(g_rename(fixture->path, moved), ==, 0);
	g_assert_cmpint(endpoint_open(fixture->path, &other, &message), ==, 0);
	endpoint_remove(&endpoint);
	g_assert_true(can_connect(fixture->path));
	endpoint_remove(&other);
	g_assert_cmpint(g_remove(moved), ==, 0);
}

/* With an umask that lets everybody in, and with one that keeps all out. */
static void test_mode(struct fixture *fixture, gconstpointer data)
{
	static const mode_t umasks[][2] = {{0, 0600}, {022, 0600}, {0277, 0400}};

	for (size_t i = 0; i < G_N_ELEMENTS(umasks); i++) {
		const mode_t before = umask(umasks[i][0]);
		struct endpoint endpoint;
		struct stat st;
		char *message = NULL;

		g_assert_cmpint(endpoint_open(fixture->path, &endpoint, &message), ==, 0);
		g_assert_cmpint(stat(fixture->path, &st), ==, 0);
		g_assert_cmpint(st.st_mode & 07777, ==, umasks[i][1]);
		/* It is as it was. */
		g_assert_cmpint(umask(before), ==, umasks[i][0]);
		endpoint_remove(&endpoint);
	}
}

static void test_bad_paths(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *below_nothing = g_build_filename(fixture->dir, "none", "socket", NULL);
	g_autofree char *long_name = g_strnfill(108, 'x');
	g_autofree char *name = g_strnfill(107, 'x');
	struct endpoint endpoint;
	char *message = NULL;

	check_refused(below_nothing, -ENOENT, "there is no directory");
	check_refused(long_name, -ENAMETOOLONG, "107");
	/* The longest that fits, which only a relative path can be sure to reach. */
	g_assert_cmpint(g_chdir(fixture->dir), ==, 0);
	g_assert_cmpint(endpoint_open(name, &endpoint, &message), ==, 0);
	endpoint_remove(&endpoint);
	g_assert_cmpint(g_chdir("/"), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
	g_test_add("/endpoint/" name, struct fixture, NULL, set_up, function, tear_down)
	ADD("open-and-remove", test_open_and_remove);
	ADD("stale", test_stale);
	ADD("not-a-socket", test_not_a_socket);
	ADD("strangers-file-stays", test_strangers_file_stays);
	ADD("mode", test_mode);
	ADD("bad-paths", test_bad_paths);
	return g_test_run();
}
