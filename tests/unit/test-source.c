/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What the main loop does for an event: system calls are counted, in front of poll(). */
#include "util/source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 100

static unsigned int polls;
static unsigned int ready_fds;
static unsigned int events;

static gint count_poll(GPollFD *fds, guint count, gint timeout_ms)
{
	gint ret = poll((struct pollfd *)fds, count, timeout_ms);

	polls++;
	ready_fds += ret > 0 ? (unsigned int)ret : 0;
	return ret;
}

static gboolean handle_event(gint fd, GIOCondition condition, gpointer opaque)
{
	uint64_t value;

	g_assert_cmpint(read(fd, &value, sizeof(value)), ==, sizeof(value));
	events++;
	return G_SOURCE_CONTINUE;
}

/* A kick costs one poll(): the loop is not woken by its own hand for it. */
static void test_one_poll(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	GSource *source = source_add_fd(context, fd, G_IO_IN, handle_event, NULL);

	g_main_context_set_poll_func(context, count_poll);
	/* Adding it woke the loop. */
	while (g_main_context_iteration(context, FALSE))
		;
	polls = ready_fds = events = 0;
	for (unsigned int i = 0; i < EVENTS; i++) {
		g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
		g_assert_true(g_main_context_iteration(context, TRUE));
	}
	g_assert_cmpuint(events, ==, EVENTS);
	g_assert_cmpuint(polls, ==, EVENTS);
	g_assert_cmpuint(ready_fds, ==, EVENTS);
	source_clear(&source);
	close(fd);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/source/one-poll", test_one_poll);
	return g_test_run();
}
