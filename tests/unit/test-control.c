/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * session/control.c where clients are too many, or descriptors too few.
 */
#include "display/displays.h"
#include "session/control.h"
#include "util/fd.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CLIENTS 8

struct fixture {
	GMainContext *context;
	char *dir;
	struct sockaddr_un address;
	struct display *headless;
	struct control *control;
};

static void ignore_event(void *opaque)
{
}

static const struct display_events events = {
	.ready = ignore_event, .outputs_changed = ignore_event, .closed = ignore_event};

static void set_up(struct fixture *f, gconstpointer data)
{
	struct display_outputs outputs = {0};
	char *message = NULL;

	f->context = g_main_context_new();
	f->dir = g_dir_make_tmp("control-XXXXXX", NULL);
	f->headless = display_headless_create(&outputs, &events, NULL, f->context);
	f->control = control_create(f->dir, f->headless, 1, f->context, &message);
	g_assert_nonnull(f->control);
	f->address.sun_family = AF_UNIX;
	g_snprintf(f->address.sun_path, sizeof(f->address.sun_path), "%s/session-%d.sock", f->dir,
		(int)getpid());
}

static void tear_down(struct fixture *f, gconstpointer data)
{
	control_destroy(f->control);
	f->headless->ops->destroy(f->headless);
	g_assert_cmpint(g_rmdir(f->dir), ==, 0);
	g_free(f->dir);
	g_main_context_unref(f->context);
}

static int connect_client(struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(
		connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), ==, 0);
	return fd;
}

/* Return: how often anything had its turn, up to @most. */
static unsigned int iterate(struct fixture *f, unsigned int most)
{
	unsigned int count = 0;

	while (count < most && g_main_context_iteration(f->context, FALSE))
		count++;
	return count;
}

/* Return: whether the session answers it. */
static bool is_served(struct fixture *f, int fd)
{
	char answer[256];

	if (send(fd, "outputs\n", 8, MSG_NOSIGNAL) != 8)
		return false;
	iterate(f, 100);
	return recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0;
}

/* Clients that say nothing lock nobody out; one that spoke keeps its place. */
static void test_silent_clients(struct fixture *f, gconstpointer data)
{
	int fds[3 * MAX_CLIENTS];
	int spoken_fd = connect_client(f);

	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		fds[i] = connect_client(f);
		iterate(f, 100);
		g_assert_true(is_served(f, spoken_fd));
	}
	g_assert_false(is_served(f, fds[0]));
	g_assert_true(is_served(f, fds[G_N_ELEMENTS(fds) - 1]));
	g_assert_true(is_served(f, fds[G_N_ELEMENTS(fds) - MAX_CLIENTS + 1]));
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		close(fds[i]);
	close(spoken_fd);
	iterate(f, 1000);
}

/* A client that cannot be accepted leaves the socket readable, and the loop sleeps all the same. */
static void test_no_descriptors(struct fixture *f, gconstpointer data)
{
	autofd client_fd = connect_client(f);
	struct rlimit before, limit;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
	limit = before;
	limit.rlim_cur = (rlim_t)client_fd + 1;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	g_assert_cmpuint(iterate(f, 1000), <, 10);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
	/* Later it is. */
	g_assert_cmpint(send(client_fd, "outputs\n", 8, MSG_NOSIGNAL), ==, 8);
	for (char byte; recv(client_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1;)
		g_main_context_iteration(f->context, TRUE);
}

/* Whatever the umask is, which is none of its business. */
static void test_mode(struct fixture *f, gconstpointer data)
{
	struct stat st;

	g_assert_cmpint(stat(f->address.sun_path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	umask(0);
#define ADD(name, function) g_test_add(name, struct fixture, NULL, set_up, function, tear_down)
	ADD("/control/silent-clients", test_silent_clients);
	ADD("/control/no-descriptors", test_no_descriptors);
	ADD("/control/mode", test_mode);
	return g_test_run();
}
