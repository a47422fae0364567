/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The end of a session whose main thread does not come back, or that takes too much of the host.
 * Theory of operation:
 *
 * The main loop ends a session when the front-end hangs up or a signal comes, and that is the
 * orderly way. But it cannot when it is inside a renderer that is busy: a guest's shader may run
 * for hours, and no library can be told to stop. So a thread waits for the same two events, gives
 * the main thread a time limit from then on, and ends the process when that is over. What the
 * kernel then takes away (memory, GPU contexts, sockets) needs no tidying up; child processes are
 * killed, since the render server may be just as busy.
 *
 * It takes nothing away from the main loop. It never reads: it polls duplicates of the socket, for
 * a hang-up only, and of the signalfd, which is readable in each thread as long as a signal is
 * pending for the process. All signals are blocked in it. The session is over for it at
 * watchdog_stop(), after the renderer was taken down, so that this cannot take for ever either.
 *
 * It also looks at what the session and its helpers take (session/usage.h), since no library counts
 * what a guest's commands make inside of it: the more often, the less is left, so that memory which
 * grows by 16 GiB a second is still seen in time. Near the limit the guest is told that there is no
 * memory, so that programs in the guest fail before all of it does. Who takes more may be anywhere in
 * a driver, and is ended at once.
 *
 * Once started it allocates nothing and takes no lock but the log's, just before the end.
 */
#include "session/watchdog.h"

#include "gpu/limits.h"
#include "session/usage.h"
#include "util/child.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/scarce.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

struct watchdog {
	int stop_fd; /* eventfds: it has ended, it is about to */
	int end_fd;
	int socket_fd;
	int signal_fd;
	struct watchdog_limits limits;
	struct usage_meter *meter; /* NULL where nothing is measured */
	GThread *thread;
};

/* Between two looks at what is taken. */
#define LOOK_MIN_MS 10
#define LOOK_MAX_MS 500

/* How fast memory may grow, bytes in a millisecond: about 16 GiB in a second. */
#define GROWTH_PER_MS (UINT64_C(16) << 20)

/* Above so much of the limit a guest gets nothing new. */
#define SCARCE_FROM 7
#define SCARCE_OF   8

/* And how fast threads may come: a process takes a millisecond at least. */
#define TASKS_PER_MS 1

/* A look may take one part in so many of the time. */
#define LOOK_SHARE 5

enum { POLL_STOP, POLL_END, POLL_SOCKET, POLL_SIGNAL, POLL_COUNT };

/* The log's last words are the caller's. */
static void prepare_end(void)
{
	child_kill_all();
	/* Where the main thread hangs inside a log line, this ends the process. */
	signal(SIGALRM, SIG_DFL);
	alarm(1);
}

static void check_usage(const struct watchdog_limits *limits, const struct usage *usage)
{
	if (limits->memory_len > 0 && usage->memory_len > limits->memory_len) {
		prepare_end();
		log_error("the session, its helpers included, takes %" G_GUINT64_FORMAT
			  " MiB of memory, more than --%s allows: it is ended",
			usage->memory_len >> 20, gpu_limit_rows[GPU_LIMIT_MEMORY].option);
		_exit(EXIT_FAILURE);
	}
	if (limits->task_count > 0 && usage->task_count > limits->task_count) {
		prepare_end();
		log_error("the session, its helpers included, has more threads than --%s allows: "
			  "it is ended",
			gpu_limit_rows[GPU_LIMIT_TASKS].option);
		_exit(EXIT_FAILURE);
	}
}

/* Return: when to look again, ms; -1 for never. */
static int look_at_usage(const struct watchdog *watchdog)
{
	const struct watchdog_limits *limits = &watchdog->limits;
	const gint64 begin_us = g_get_monotonic_time();
	uint64_t wait_ms = LOOK_MAX_MS;
	struct usage usage;
	uint64_t took_ms;

	if (!watchdog->meter)
		return -1;
	usage_measure(watchdog->meter, &usage);
	check_usage(limits, &usage);
	memory_set_scarce(usage.memory_len > limits->memory_len / SCARCE_OF * SCARCE_FROM &&
			  limits->memory_len > 0);
	if (limits->memory_len > 0)
		wait_ms = (limits->memory_len - usage.memory_len) / GROWTH_PER_MS;
	if (limits->task_count > 0)
		wait_ms = MIN(wait_ms, (limits->task_count - usage.task_count) / TASKS_PER_MS);
	took_ms = (uint64_t)(g_get_monotonic_time() - begin_us) / 1000;
	return (int)CLAMP(MAX(wait_ms, took_ms * LOOK_SHARE), LOOK_MIN_MS, LOOK_MAX_MS);
}

/* Waits for a wish to end. Return: what it was, or NULL for watchdog_stop(). */
static const char *wait_for_wish(const struct watchdog *watchdog)
{
	struct pollfd items[POLL_COUNT] = {
		[POLL_STOP] = {.fd = watchdog->stop_fd, .events = POLLIN},
		[POLL_END] = {.fd = watchdog->end_fd, .events = POLLIN},
		[POLL_SOCKET] = {.fd = watchdog->socket_fd, .events = POLLRDHUP},
		[POLL_SIGNAL] = {.fd = watchdog->signal_fd, .events = POLLIN},
	};

	while (poll(items, POLL_COUNT, look_at_usage(watchdog)) <= 0)
		;
	if (items[POLL_STOP].revents)
		return NULL;
	if (items[POLL_END].revents)
		return "the session began to end";
	return items[POLL_SOCKET].revents ? "the front-end hung up" : "a signal came";
}

/* Return: true when watchdog_stop() was called within the limit. */
static bool wait_for_stop(const struct watchdog *watchdog)
{
	const gint64 end_us = g_get_monotonic_time() + (gint64)watchdog->limits.busy_ms * 1000;
	struct pollfd item = {.fd = watchdog->stop_fd, .events = POLLIN};

	for (;;) {
		gint64 left_ms = (end_us - g_get_monotonic_time() + 999) / 1000;
		int ret = poll(&item, 1, left_ms > 0 ? (int)left_ms : 0);

		if (ret >= 0)
			return ret > 0;
	}
}

static gpointer watchdog_run(gpointer opaque)
{
	const struct watchdog *watchdog = opaque;
	const char *wish = wait_for_wish(watchdog);

	if (!wish || wait_for_stop(watchdog))
		return NULL;
	prepare_end();
	log_error("%s %d ms ago, and the renderer is still busy: the session is ended by force",
		wish, watchdog->limits.busy_ms);
	_exit(EXIT_FAILURE);
}

static void free_watchdog(struct watchdog *watchdog)
{
	fd_clear(&watchdog->stop_fd);
	fd_clear(&watchdog->end_fd);
	fd_clear(&watchdog->socket_fd);
	fd_clear(&watchdog->signal_fd);
	g_clear_pointer(&watchdog->meter, usage_meter_destroy);
	g_free(watchdog);
}

/* A thread inherits the mask of the one that makes it. */
static GThread *start_thread(struct watchdog *watchdog, GError **error)
{
	sigset_t all, before;
	GThread *thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	thread = g_thread_try_new("watchdog", watchdog_run, watchdog, error);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return thread;
}

/* Without /proc a session goes on as if there was no limit. */
static struct usage_meter *open_meter(const struct watchdog_limits *limits)
{
	struct usage_meter *meter;

	if (limits->memory_len == 0 && limits->task_count == 0)
		return NULL;
	meter = usage_meter_create();
	if (!meter)
		log_warning("what the session takes of the host is not limited: /proc: %s",
			g_strerror(errno));
	return meter;
}

struct watchdog *watchdog_start(int socket_fd, int signal_fd, const struct watchdog_limits *limits)
{
	struct watchdog *watchdog = g_new0(struct watchdog, 1);
	g_autoptr(GError) error = NULL;

	watchdog->limits = *limits;
	watchdog->meter = open_meter(limits);
	watchdog->stop_fd = eventfd(0, EFD_CLOEXEC);
	watchdog->end_fd = eventfd(0, EFD_CLOEXEC);
	watchdog->socket_fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 0);
	watchdog->signal_fd = fcntl(signal_fd, F_DUPFD_CLOEXEC, 0);
	if (watchdog->stop_fd < 0 || watchdog->end_fd < 0 || watchdog->socket_fd < 0 ||
		watchdog->signal_fd < 0) {
		log_error("no watchdog: %s", g_strerror(errno));
		free_watchdog(watchdog);
		return NULL;
	}
	watchdog->thread = start_thread(watchdog, &error);
	if (!watchdog->thread) {
		log_error("no watchdog: %s", error->message);
		free_watchdog(watchdog);
		return NULL;
	}
	return watchdog;
}

static void set_event(int fd)
{
	const uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void watchdog_expect_end(struct watchdog *watchdog)
{
	set_event(watchdog->end_fd);
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	set_event(watchdog->stop_fd);
	g_thread_join(watchdog->thread);
	free_watchdog(watchdog);
}
