/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the main loop does for an event: system calls are counted, in front of poll() and epoll_wait().
 * And what a loop that waits by epoll owes its sources.
 */
#include "util/source.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENTS 100

/* Words of a signal set, as the kernel counts them. */
#define SIGSET_LEN 8

static unsigned int polls;
static unsigned int waits;
static unsigned int ready_fds;
static unsigned int events;

int epoll_wait(int fd, struct epoll_event *found, int max_count, int timeout_ms)
{
	waits++;
	return (int)syscall(SYS_epoll_pwait, fd, found, max_count, timeout_ms, NULL, SIGSET_LEN);
}

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

/* An event costs one poll(): the loop is not woken by its own hand for it. */
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

/* Loops that wait by epoll */

/* @source, @other: what a callback may clear, and @others_fd what it then closes. */
struct loop {
	GMainContext *context;
	int fd;
	int others_fd;
	GSource *source;
	GSource *other;
	GSource *idle;
	unsigned int calls;
	unsigned int turns;
};

static void set_up(struct loop *loop, gconstpointer data)
{
	*loop = (struct loop){.context = g_main_context_new()};
	g_assert_cmpint(source_epoll_begin(loop->context), ==, 0);
	loop->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->others_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	while (g_main_context_iteration(loop->context, FALSE))
		;
	events = 0;
}

static void tear_down(struct loop *loop, gconstpointer data)
{
	source_clear(&loop->source);
	source_clear(&loop->other);
	source_clear(&loop->idle);
	source_epoll_end();
	g_main_context_unref(loop->context);
	close(loop->fd);
	close(loop->others_fd);
}

/* Runs what is ready. An eventfd's call is none of GLib's dispatches, so that twice is needed. */
static void run_ready(struct loop *loop)
{
	g_main_context_iteration(loop->context, FALSE);
	while (g_main_context_iteration(loop->context, FALSE))
		;
}

static void write_to(int fd)
{
	g_assert_cmpint(eventfd_write(fd, 1), ==, 0);
}

static gboolean take_turn(gpointer opaque)
{
	struct loop *loop = opaque;

	loop->turns++;
	return G_SOURCE_CONTINUE;
}

static gboolean count_call(gint fd, GIOCondition condition, gpointer opaque)
{
	struct loop *loop = opaque;

	g_assert_cmphex(condition, ==, G_IO_IN);
	loop->calls++;
	return G_SOURCE_CONTINUE;
}

/* The last of EVENTS gives GLib something to do. */
static gboolean write_next(gint fd, GIOCondition condition, gpointer opaque)
{
	struct loop *loop = opaque;

	if (++loop->calls < EVENTS)
		write_to(fd);
	else
		loop->idle = source_add_idle(loop->context, take_turn, loop);
	return G_SOURCE_CONTINUE;
}

/* A write costs one epoll_wait(), and GLib sees none of it until it has to. */
static void test_eventfd_one_wait(struct loop *loop, gconstpointer data)
{
	loop->source = source_add_eventfd(loop->context, loop->fd, write_next, loop);
	write_to(loop->fd);
	waits = 0;
	g_assert_true(g_main_context_iteration(loop->context, TRUE));
	g_assert_cmpuint(loop->calls, ==, EVENTS);
	g_assert_cmpuint(waits, ==, EVENTS);
	g_assert_cmpuint(loop->turns, ==, 1);
}

/* Whether anybody waits or not, and although nobody reads. */
static void test_eventfd_no_write_is_lost(struct loop *loop, gconstpointer data)
{
	write_to(loop->fd);
	loop->source = source_add_eventfd(loop->context, loop->fd, count_call, loop);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, 1);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, 1);
	for (unsigned int i = 0; i < EVENTS; i++) {
		write_to(loop->fd);
		write_to(loop->fd);
		run_ready(loop);
		g_assert_cmpuint(loop->calls, ==, i + 2);
	}
	/* One that others read makes no difference. */
	write_to(loop->fd);
	eventfd_read(loop->fd, &(eventfd_t){0});
	write_to(loop->fd);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, EVENTS + 2);
}

static void test_fd(struct loop *loop, gconstpointer data)
{
	loop->source = source_add_fd(loop->context, loop->fd, G_IO_IN, handle_event, NULL);
	for (unsigned int i = 0; i < EVENTS; i++) {
		write_to(loop->fd);
		waits = 0;
		g_assert_true(g_main_context_iteration(loop->context, TRUE));
		g_assert_cmpuint(events, ==, i + 1);
		g_assert_cmpuint(waits, ==, 1);
	}
	g_assert_false(g_main_context_iteration(loop->context, FALSE));
}

/* An eventfd that never rests leaves the others their turn. */
static gboolean write_always(gint fd, GIOCondition condition, gpointer opaque)
{
	write_to(fd);
	return G_SOURCE_CONTINUE;
}

static void test_others_have_their_turn(struct loop *loop, gconstpointer data)
{
	loop->source = source_add_eventfd(loop->context, loop->fd, write_always, loop);
	loop->other = source_add_fd(loop->context, loop->others_fd, G_IO_IN, handle_event, NULL);
	write_to(loop->fd);
	for (unsigned int i = 0; i < EVENTS; i++) {
		write_to(loop->others_fd);
		while (events == i)
			g_main_context_iteration(loop->context, TRUE);
	}
	loop->idle = source_add_timeout(loop->context, 1, take_turn, loop);
	while (loop->turns < 3)
		g_main_context_iteration(loop->context, TRUE);
}

static gboolean clear_both(gint fd, GIOCondition condition, gpointer opaque)
{
	struct loop *loop = opaque;

	loop->calls++;
	source_clear(&loop->source);
	source_clear(&loop->other);
	/* The next one has the same number. */
	close(loop->others_fd);
	loop->others_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return G_SOURCE_REMOVE;
}

/*
 * Both are ready, and the one that is called first clears both. Somebody else has the file of the other
 * open still, which may then be written to without end.
 */
static void test_cleared_inside(struct loop *loop, gconstpointer data)
{
	const int copy = dup(loop->others_fd);
	const bool are_eventfds = data != NULL;

	loop->other =
		are_eventfds
			? source_add_eventfd(loop->context, loop->others_fd, clear_both, loop)
			: source_add_fd(loop->context, loop->others_fd, G_IO_IN, clear_both, loop);
	loop->source = are_eventfds
			       ? source_add_eventfd(loop->context, loop->fd, clear_both, loop)
			       : source_add_fd(loop->context, loop->fd, G_IO_IN, clear_both, loop);
	write_to(loop->fd);
	write_to(loop->others_fd);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, 1);
	write_to(copy);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, 1);
	/* Nor is the new one taken for the old. */
	loop->other = source_add_fd(loop->context, loop->others_fd, G_IO_IN, handle_event, NULL);
	run_ready(loop);
	g_assert_cmpuint(events, ==, 0);
	write_to(loop->others_fd);
	run_ready(loop);
	g_assert_cmpuint(events, ==, 1);
	close(copy);
}

static gboolean call_once(gint fd, GIOCondition condition, gpointer opaque)
{
	struct loop *loop = opaque;

	loop->calls++;
	return G_SOURCE_REMOVE;
}

static void test_removed(struct loop *loop, gconstpointer data)
{
	loop->source = source_add_fd(loop->context, loop->fd, G_IO_IN, call_once, loop);
	write_to(loop->fd);
	run_ready(loop);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, 1);
}

static gboolean count_room(gint fd, GIOCondition condition, gpointer opaque)
{
	unsigned int *count = opaque;

	g_assert_cmphex(condition, ==, G_IO_OUT);
	++*count;
	return G_SOURCE_CONTINUE;
}

/* A socket is read by one and written by another. */
static void test_two_of_one_fd(struct loop *loop, gconstpointer data)
{
	unsigned int rooms = 0;

	loop->source = source_add_fd(loop->context, loop->fd, G_IO_IN, handle_event, NULL);
	loop->other = source_add_fd(loop->context, loop->fd, G_IO_OUT, count_room, &rooms);
	g_main_context_iteration(loop->context, FALSE);
	g_assert_cmpuint(events, ==, 0);
	g_assert_cmpuint(rooms, ==, 1);
	write_to(loop->fd);
	g_main_context_iteration(loop->context, FALSE);
	g_assert_cmpuint(events, ==, 1);
	g_assert_cmpuint(rooms, ==, 2);
	source_clear(&loop->other);
	write_to(loop->fd);
	run_ready(loop);
	g_assert_cmpuint(events, ==, 2);
	g_assert_cmpuint(rooms, ==, 2);
	source_clear(&loop->source);
	write_to(loop->fd);
	run_ready(loop);
	g_assert_cmpuint(events, ==, 2);
}

/* One of the two waits for nothing for a while, not even for the end. */
static void check_condition(GMainContext *context)
{
	unsigned int rooms = 0;
	GSource *reader, *writer;
	int fds[2];

	events = 0;
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	writer = source_add_fd(context, fds[0], G_IO_OUT, count_room, &rooms);
	source_set_condition(writer, 0);
	g_assert_false(g_main_context_iteration(context, FALSE));
	source_set_condition(writer, G_IO_OUT);
	source_set_condition(writer, G_IO_OUT);
	g_main_context_iteration(context, FALSE);
	g_assert_cmpuint(rooms, ==, 1);
	source_set_condition(writer, 0);
	reader = source_add_fd(context, fds[0], G_IO_IN, handle_event, NULL);
	g_assert_cmpint(send(fds[1], &(uint64_t){1}, 8, 0), ==, 8);
	g_main_context_iteration(context, FALSE);
	g_assert_cmpuint(events, ==, 1);
	source_clear(&reader);
	close(fds[1]);
	for (int i = 0; i < 3; i++)
		g_assert_false(g_main_context_iteration(context, FALSE));
	g_assert_cmpuint(rooms, ==, 1);
	source_clear(&writer);
	close(fds[0]);
}

static void test_condition(struct loop *loop, gconstpointer data)
{
	check_condition(loop->context);
}

static void test_condition_without_epoll(void)
{
	GMainContext *context = g_main_context_new();

	check_condition(context);
	g_main_context_unref(context);
}

/* poll() says that a file is ready, epoll that it cannot be waited for. */
static void test_file(struct loop *loop, gconstpointer data)
{
	const int fd = memfd_create("file", MFD_CLOEXEC);

	loop->source = source_add_fd(loop->context, fd, G_IO_IN, count_call, loop);
	run_ready(loop);
	g_assert_cmpuint(loop->calls, ==, 1);
	source_clear(&loop->source);
	close(fd);
}

static gboolean count_event(gpointer opaque)
{
	events++;
	return G_SOURCE_CONTINUE;
}

static gpointer signal_soon(gpointer opaque)
{
	g_usleep(10000);
	source_signal(opaque);
	return NULL;
}

static void wait_event(GMainContext *context)
{
	while (events == 0)
		g_main_context_iteration(context, FALSE);
	while (g_main_context_iteration(context, FALSE))
		;
	g_assert_cmpuint(events, ==, 1);
	events = 0;
}

static void check_event(GMainContext *context)
{
	GSource *source = source_add_event(context, count_event, NULL);
	GThread *thread;

	source_signal(source);
	source_signal(source);
	wait_event(context);
	thread = g_thread_new("signal", signal_soon, source);
	wait_event(context);
	g_thread_join(thread);
	source_clear(&source);
}

static void test_event(struct loop *loop, gconstpointer data)
{
	const int lowest = dup(loop->fd);

	close(lowest);
	check_event(loop->context);
	g_assert_cmpint(dup(loop->fd), ==, lowest);
	close(lowest);
}

static void test_event_by_poll(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();

	events = 0;
	check_event(context);
}

static gboolean signal_other(gint fd, GIOCondition condition, gpointer opaque)
{
	struct loop *loop = opaque;

	source_signal(loop->other);
	return G_SOURCE_CONTINUE;
}

static gboolean end_turns(gpointer opaque)
{
	struct loop *loop = opaque;

	loop->idle = source_add_idle(loop->context, take_turn, loop);
	return G_SOURCE_CONTINUE;
}

/* By another thread or a callback, it costs one more epoll_wait(). */
static void test_event_one_wait(struct loop *loop, gconstpointer data)
{
	loop->source = source_add_eventfd(loop->context, loop->fd, signal_other, loop);
	loop->other = source_add_event(loop->context, end_turns, loop);
	write_to(loop->fd);
	waits = 0;
	g_assert_true(g_main_context_iteration(loop->context, TRUE));
	g_assert_cmpuint(waits, ==, 2);
	g_assert_cmpuint(loop->turns, ==, 1);
}

/* One that is ready by what its prepare() looks at. */
static bool is_ready;

static gboolean ready_prepare(GSource *source, gint *timeout_ms)
{
	*timeout_ms = -1;
	return is_ready;
}

static gboolean ready_dispatch(GSource *source, GSourceFunc function, gpointer opaque)
{
	is_ready = false;
	events++;
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs ready_funcs = {.prepare = ready_prepare, .dispatch = ready_dispatch};

static gboolean make_ready(gint fd, GIOCondition condition, gpointer opaque)
{
	is_ready = true;
	source_ask_all();
	return G_SOURCE_CONTINUE;
}

static void test_ask_all(struct loop *loop, gconstpointer data)
{
	loop->source = source_add_eventfd(loop->context, loop->fd, make_ready, loop);
	loop->other = g_source_new(&ready_funcs, sizeof(GSource));
	g_source_attach(loop->other, loop->context);
	run_ready(loop);
	write_to(loop->fd);
	while (events == 0)
		g_main_context_iteration(loop->context, TRUE);
	g_assert_cmpuint(events, ==, 1);
}

#define EPOLL_TEST(name, data, function)                                                           \
	g_test_add("/source/epoll/" name, struct loop, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/source/one-poll", test_one_poll);
	g_test_add_func("/source/condition", test_condition_without_epoll);
	EPOLL_TEST("eventfd/one-wait", NULL, test_eventfd_one_wait);
	EPOLL_TEST("eventfd/no-write-is-lost", NULL, test_eventfd_no_write_is_lost);
	EPOLL_TEST("eventfd/others-have-their-turn", NULL, test_others_have_their_turn);
	EPOLL_TEST("eventfd/cleared-inside", GINT_TO_POINTER(true), test_cleared_inside);
	EPOLL_TEST("fd", NULL, test_fd);
	EPOLL_TEST("fd/cleared-inside", NULL, test_cleared_inside);
	EPOLL_TEST("fd/removed", NULL, test_removed);
	EPOLL_TEST("fd/two-of-one", NULL, test_two_of_one_fd);
	EPOLL_TEST("fd/file", NULL, test_file);
	EPOLL_TEST("fd/condition", NULL, test_condition);
	EPOLL_TEST("event", NULL, test_event);
	EPOLL_TEST("event/one-wait", NULL, test_event_one_wait);
	EPOLL_TEST("ask-all", NULL, test_ask_all);
	g_test_add_func("/source/event", test_event_by_poll);
	return g_test_run();
}
