/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Sessions whose main thread does not come back: each is a child process that never runs a main
 * loop, as one that is inside a busy driver. And sessions that take too much of the host.
 */
#include "session/watchdog.h"

#include "session/usage.h"
#include "util/child.h"
#include "util/scarce.h"
#include "util/signals.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the watchdog where it is to strike, and where it must not. */
#define SHORT_MS 20
#define LONG_MS	 600000

/* For what must happen; it takes milliseconds. */
#define PATIENCE_MS 30000

#define STOPPED 42

static const struct watchdog_limits short_limits = {.busy_ms = SHORT_MS};
static const struct watchdog_limits long_limits = {.busy_ms = LONG_MS};

/* A process of a sanitizer build has some memory itself. */
#define ALLOWED_LEN (UINT64_C(256) << 20)
#define EATEN_LEN   (UINT64_C(400) << 20)
#define MAX_TASKS   64

static const struct watchdog_limits usage_limits = {
	.busy_ms = LONG_MS, .memory_len = ALLOWED_LEN, .task_count = MAX_TASKS};

struct session {
	struct child child;
	int socket_fd; /* the front-end's end */
	int pipe_fd;   /* from the child */
};

struct ends {
	int socket_fd;
	int signal_fd;
	int pipe_fd;
};

static void __attribute__((noreturn)) sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void say_ready(const struct ends *ends)
{
	g_assert_cmpint(write(ends->pipe_fd, "r", 1), ==, 1);
}

static void be_stuck(const struct ends *ends)
{
	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &short_limits));
	say_ready(ends);
	sleep_for_ever();
}

/* With a helper that has started something itself, which holds the pipe open. */
static void be_stuck_with_helper(const struct ends *ends)
{
	struct child helper = {0};

	if (child_fork(&helper) == 0) {
		if (fork() == 0)
			say_ready(ends);
		sleep_for_ever();
	}
	close(ends->pipe_fd);
	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &short_limits));
	sleep_for_ever();
}

/* Comes to its end when it has seen the signal, which the watchdog must have left there. */
static void be_orderly(const struct ends *ends)
{
	struct watchdog *watchdog = watchdog_start(ends->socket_fd, ends->signal_fd, &long_limits);
	struct timespec at_once = {0};
	sigset_t wanted;
	char byte;

	say_ready(ends);
	/* The end of the stream. */
	g_assert_cmpint(read(ends->socket_fd, &byte, 1), ==, 0);
	watchdog_stop(watchdog);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	g_assert_cmpint(sigtimedwait(&wanted, NULL, &at_once), ==, SIGTERM);
	_exit(STOPPED);
}

/* Nobody outside wants it to end. */
static void be_stuck_at_the_end(const struct ends *ends)
{
	struct watchdog *watchdog = watchdog_start(ends->socket_fd, ends->signal_fd, &short_limits);

	say_ready(ends);
	watchdog_expect_end(watchdog);
	sleep_for_ever();
}

static void be_undisturbed(const struct ends *ends)
{
	struct watchdog *watchdog = watchdog_start(ends->socket_fd, ends->signal_fd, &short_limits);
	char byte;

	say_ready(ends);
	/* Bytes that wait are no hang-up. */
	g_assert_cmpint(read(ends->socket_fd, &byte, 1), ==, 1);
	watchdog_stop(watchdog);
	_exit(STOPPED);
}

static void *eat_memory(size_t len, int flags)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	g_assert_true(memory != MAP_FAILED);
	memset(memory, 1, len);
	return memory;
}

static void be_hungry(const struct ends *ends)
{
	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &usage_limits));
	say_ready(ends);
	eat_memory(EATEN_LEN, MAP_PRIVATE);
	sleep_for_ever();
}

/* As a render server's worker: the grandchild, with memory that it shares. */
static void have_hungry_helper(const struct ends *ends)
{
	struct child helper = {0};

	if (child_fork(&helper) == 0) {
		if (fork() == 0)
			eat_memory(EATEN_LEN, MAP_SHARED);
		sleep_for_ever();
	}
	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &usage_limits));
	say_ready(ends);
	sleep_for_ever();
}

static gpointer fork_hungry(gpointer data)
{
	if (fork() == 0)
		eat_memory(EATEN_LEN, MAP_PRIVATE);
	sleep_for_ever();
}

/* Children belong to the thread that has made them. */
static void have_helper_with_threads(const struct ends *ends)
{
	struct child helper = {0};

	if (child_fork(&helper) == 0) {
		g_thread_new("forks", fork_hungry, NULL);
		sleep_for_ever();
	}
	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &usage_limits));
	say_ready(ends);
	sleep_for_ever();
}

/* Its parent has gone, and so it is adopted: by the session, which is its subreaper. */
static void have_hungry_orphan(const struct ends *ends)
{
	struct child helper = {0};
	pid_t middle;

	g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), ==, 0);
	if (child_fork(&helper) == 0) {
		middle = fork();
		if (middle == 0) {
			if (fork() > 0)
				_exit(0);
			eat_memory(EATEN_LEN, MAP_PRIVATE);
			sleep_for_ever();
		}
		waitpid(middle, NULL, 0);
		sleep_for_ever();
	}
	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &usage_limits));
	say_ready(ends);
	sleep_for_ever();
}

static gpointer sleep_in_thread(gpointer data)
{
	sleep_for_ever();
}

static void have_many_threads(const struct ends *ends)
{
	struct child helper = {0};

	g_assert_nonnull(watchdog_start(ends->socket_fd, ends->signal_fd, &usage_limits));
	if (child_fork(&helper) == 0) {
		for (int i = 0; i < MAX_TASKS; i++)
			g_thread_new("sleeper", sleep_in_thread, NULL);
		sleep_for_ever();
	}
	say_ready(ends);
	sleep_for_ever();
}

/* Shared memory of its own process is the guest's, as far as anybody knows; it is not counted. */
static void be_frugal(const struct ends *ends)
{
	struct watchdog *watchdog = watchdog_start(ends->socket_fd, ends->signal_fd, &usage_limits);
	struct usage_meter *meter = usage_meter_create();
	struct usage before, after;
	char byte;

	usage_measure(meter, &before);
	eat_memory(EATEN_LEN, MAP_SHARED);
	usage_measure(meter, &after);
	usage_meter_destroy(meter);
	g_assert_cmpuint(after.memory_len, <, before.memory_len + EATEN_LEN / 2);
	g_assert_cmpuint(after.task_count, ==, 2);
	say_ready(ends);
	g_assert_cmpint(read(ends->socket_fd, &byte, 1), ==, 1);
	watchdog_stop(watchdog);
	_exit(STOPPED);
}

/* More than 7/8 of a limit that is measured first, and then less again. */
static void be_near_the_limit(const struct ends *ends)
{
	struct watchdog_limits limits = {.busy_ms = LONG_MS};
	struct usage_meter *meter = usage_meter_create();
	struct watchdog *watchdog;
	struct usage usage;
	void *memory;

	usage_measure(meter, &usage);
	usage_meter_destroy(meter);
	limits.memory_len = usage.memory_len + ALLOWED_LEN;
	watchdog = watchdog_start(ends->socket_fd, ends->signal_fd, &limits);
	say_ready(ends);
	g_assert_false(memory_is_scarce());
	memory = eat_memory(limits.memory_len / 16 * 15 - usage.memory_len, MAP_PRIVATE);
	while (!memory_is_scarce())
		g_usleep(1000);
	munmap(memory, limits.memory_len / 16 * 15 - usage.memory_len);
	while (memory_is_scarce())
		g_usleep(1000);
	watchdog_stop(watchdog);
	_exit(STOPPED);
}

static void start(struct session *session, void (*run)(const struct ends *ends))
{
	static const int signals[] = {SIGTERM};
	int sockets[2], pipes[2];
	char byte;

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), ==, 0);
	g_assert_cmpint(pipe(pipes), ==, 0);
	*session = (struct session){.socket_fd = sockets[0], .pipe_fd = pipes[0]};
	if (child_fork(&session->child) == 0) {
		const struct ends ends = {
			.socket_fd = sockets[1],
			.signal_fd = signals_open(signals, G_N_ELEMENTS(signals)),
			.pipe_fd = pipes[1],
		};

		close(sockets[0]);
		close(pipes[0]);
		run(&ends);
	}
	close(sockets[1]);
	close(pipes[1]);
	g_assert_cmpint(read(session->pipe_fd, &byte, 1), ==, 1);
}

static void check_status(struct session *session, int expected)
{
	int status = 0;

	g_assert_cmpint(child_wait(&session->child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, expected);
}

static void finish(struct session *session)
{
	close(session->socket_fd);
	close(session->pipe_fd);
}

static void test_hang_up(void)
{
	struct session session;

	start(&session, be_stuck);
	g_assert_cmpint(shutdown(session.socket_fd, SHUT_RDWR), ==, 0);
	check_status(&session, EXIT_FAILURE);
	finish(&session);
}

/* A front-end that only says that it sends no more has left as well. */
static void test_half_closed(void)
{
	struct session session;

	start(&session, be_stuck);
	g_assert_cmpint(shutdown(session.socket_fd, SHUT_WR), ==, 0);
	check_status(&session, EXIT_FAILURE);
	finish(&session);
}

static void test_signal(void)
{
	struct session session;

	start(&session, be_stuck);
	g_assert_cmpint(kill(session.child.pid, SIGTERM), ==, 0);
	check_status(&session, EXIT_FAILURE);
	finish(&session);
}

static void test_stuck_at_the_end(void)
{
	struct session session;

	start(&session, be_stuck_at_the_end);
	check_status(&session, EXIT_FAILURE);
	finish(&session);
}

static void test_helpers_die(void)
{
	struct session session;
	char byte;

	start(&session, be_stuck_with_helper);
	g_assert_cmpint(kill(session.child.pid, SIGTERM), ==, 0);
	/* Whoever held the pipe open is gone. */
	g_assert_cmpint(read(session.pipe_fd, &byte, 1), ==, 0);
	check_status(&session, EXIT_FAILURE);
	finish(&session);
}

static void test_orderly_end(void)
{
	struct session session;

	start(&session, be_orderly);
	g_assert_cmpint(kill(session.child.pid, SIGTERM), ==, 0);
	g_assert_cmpint(shutdown(session.socket_fd, SHUT_WR), ==, 0);
	check_status(&session, STOPPED);
	finish(&session);
}

static void test_data_is_no_hang_up(void)
{
	struct session session;

	start(&session, be_undisturbed);
	g_assert_cmpint(write(session.socket_fd, "x", 1), ==, 1);
	check_status(&session, STOPPED);
	finish(&session);
}

static void check_greedy(void (*run)(const struct ends *ends))
{
	struct session session;
	char byte;

	start(&session, run);
	check_status(&session, EXIT_FAILURE);
	/* Whoever held the pipe open is gone. */
	g_assert_cmpint(read(session.pipe_fd, &byte, 1), ==, 0);
	finish(&session);
}

static void test_memory(void)
{
	check_greedy(be_hungry);
}

static void test_memory_of_helpers(void)
{
	check_greedy(have_hungry_helper);
}

static void test_memory_of_threads_children(void)
{
	check_greedy(have_helper_with_threads);
}

static void test_memory_of_orphans(void)
{
	check_greedy(have_hungry_orphan);
}

static void test_tasks(void)
{
	check_greedy(have_many_threads);
}

static void test_frugal(void)
{
	struct session session;

	start(&session, be_frugal);
	g_assert_cmpint(write(session.socket_fd, "x", 1), ==, 1);
	check_status(&session, STOPPED);
	finish(&session);
}

static void test_near_the_limit(void)
{
	struct session session;

	start(&session, be_near_the_limit);
	check_status(&session, STOPPED);
	finish(&session);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* The children say why they end, which is no failure of this program. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/watchdog/hang-up", test_hang_up);
	g_test_add_func("/watchdog/half-closed", test_half_closed);
	g_test_add_func("/watchdog/signal", test_signal);
	g_test_add_func("/watchdog/stuck-at-the-end", test_stuck_at_the_end);
	g_test_add_func("/watchdog/helpers-die", test_helpers_die);
	g_test_add_func("/watchdog/orderly-end", test_orderly_end);
	g_test_add_func("/watchdog/data-is-no-hang-up", test_data_is_no_hang_up);
	g_test_add_func("/watchdog/memory", test_memory);
	g_test_add_func("/watchdog/memory-of-helpers", test_memory_of_helpers);
	g_test_add_func("/watchdog/memory-of-threads-children", test_memory_of_threads_children);
	g_test_add_func("/watchdog/memory-of-orphans", test_memory_of_orphans);
	g_test_add_func("/watchdog/tasks", test_tasks);
	g_test_add_func("/watchdog/frugal", test_frugal);
	g_test_add_func("/watchdog/near-the-limit", test_near_the_limit);
	return g_test_run();
}
