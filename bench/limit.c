/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What this machine can do without a daemon: copies, sockets, wake-ups, a program's start. */
#include "bench/limit.h"

#include "bench/clock.h"
#include "bench/stats.h"
#include "bench/wire.h"
#include "util/child.h"
#include "util/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define LARGE_BUFFER  (16 << 20)
#define MAX_LATENCIES 100000

enum { WITH_COPY = 1, WITH_LARGE_BUFFER = 2 };

static void wait_eventfd(int fd)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};
	eventfd_t count;

	while (poll(&item, 1, -1) < 0)
		;
	eventfd_read(fd, &count);
}

/* There and back between two processes, each asleep in poll(2) until the other wakes it. */
static int measure_wake_ups(const struct limit *limit, double seconds, double *ret_seconds)
{
	g_autofree double *latencies = g_new(double, MAX_LATENCIES);
	autofd kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	autofd call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct child child = {0};
	const double end = clock_now() + seconds;
	size_t count = 0;
	pid_t pid = child_fork(&child);

	if (pid < 0)
		return (int)pid;
	while (pid == 0) {
		wait_eventfd(kick_fd);
		eventfd_write(call_fd, 1);
	}
	while (clock_now() < end && count < MAX_LATENCIES) {
		const double start = clock_now();

		eventfd_write(kick_fd, 1);
		wait_eventfd(call_fd);
		latencies[count++] = clock_now() - start;
	}
	child_end(&child);
	*ret_seconds = stats_of(latencies, count).median;
	return 0;
}

static size_t frame_len(const struct limit *limit)
{
	return (size_t)limit->width * limit->height * 4;
}

/* Memory as a guest's is: of a file, touched. */
static uint8_t *make_frame(size_t len)
{
	uint8_t *frame = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (frame == MAP_FAILED)
		return NULL;
	memset(frame, 1, len);
	return frame;
}

static int measure_copy(const struct limit *limit, double seconds, double *ret_seconds)
{
	const size_t len = frame_len(limit);
	uint8_t *from = make_frame(len), *to = make_frame(len);
	const double start = clock_now();
	double now = start;
	unsigned int count = 0;

	if (!from || !to)
		return -ENOMEM;
	for (; now - start < seconds || count < 2; count++) {
		memcpy(to, from, len);
		from[count % len]++;
		now = clock_now();
	}
	munmap(from, len);
	munmap(to, len);
	*ret_seconds = (now - start) / count;
	return 0;
}

/* The other process: sends frames until nobody reads them any more. */
static void send_frames(const struct limit *limit, int fd)
{
	const size_t len = frame_len(limit);
	uint8_t *from = make_frame(len), *image = make_frame(len);
	const int large = LARGE_BUFFER;
	int ret = from && image ? 0 : -ENOMEM;

	if (limit->option & WITH_LARGE_BUFFER &&
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	while (ret == 0) {
		if (limit->option & WITH_COPY)
			memcpy(image, from, len);
		ret = wire_send(fd, image, len, -1);
	}
	_exit(0);
}

static int measure_socket(const struct limit *limit, double seconds, double *ret_seconds)
{
	const size_t len = frame_len(limit);
	uint8_t *frame = make_frame(len);
	struct child child = {0};
	double start, now;
	int fds[2], ret = frame ? 0 : -ENOMEM;
	unsigned int count = 0;
	pid_t pid;

	if (ret < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return ret < 0 ? ret : -errno;
	pid = child_fork(&child);
	if (pid == 0) {
		close(fds[0]);
		send_frames(limit, fds[1]);
	}
	close(fds[1]);
	/* The first one finds pages that nobody has touched. */
	ret = pid < 0 ? (int)pid : wire_recv(fds[0], frame, len, NULL);
	start = now = clock_now();
	for (; ret == 0 && (now - start < seconds || count < 2); count++) {
		ret = wire_recv(fds[0], frame, len, NULL);
		now = clock_now();
	}
	close(fds[0]);
	child_end(&child);
	munmap(frame, len);
	if (ret == 0)
		*ret_seconds = (now - start) / count;
	return ret;
}

/* With the buffer that is the quicker one here: a large one may not fit in the caches. */
static int measure_shown(const struct limit *limit, double seconds, double *ret_seconds)
{
	struct limit small = *limit, large = *limit;
	double with_small, with_large;
	int ret;

	small.option = WITH_COPY;
	large.option = WITH_COPY | WITH_LARGE_BUFFER;
	ret = measure_socket(&small, seconds / 2, &with_small);
	if (ret == 0)
		ret = measure_socket(&large, seconds / 2, &with_large);
	if (ret == 0)
		*ret_seconds = MIN(with_small, with_large);
	return ret;
}

/* The least that a program can take: it is started, its libraries loaded, and it ends. */
static int measure_program(const struct limit *limit, double seconds, double *ret_seconds)
{
	static const char *const words[] = {"/bin/true", NULL};
	static const struct child_program program = {
		.argv = words, .environment = words + 1, .output_fd = -1};
	const double start = clock_now();
	unsigned int count = 0;

	do {
		g_autofree char *reason = NULL;
		struct child child = {0};
		int ret = child_spawn(&child, &program, &reason);

		if (ret == 0)
			ret = child_wait(&child, 10000, NULL);
		if (ret < 0)
			return ret;
		count++;
	} while (clock_now() - start < seconds);
	*ret_seconds = (clock_now() - start) / count;
	return 0;
}

/* In a new instance of this program, which prints the number. */
static int measure_submit(const struct limit *limit, double seconds, double *ret_seconds)
{
	g_autofree char *request = g_strdup_printf("%d", (int)(limit - limits));
	char text[G_ASCII_DTOSTR_BUF_SIZE];
	char *words[] = {(char *)"/proc/self/exe", (char *)"--measure-limit", request,
		(char *)"--seconds", g_ascii_dtostr(text, sizeof(text), seconds), NULL};
	g_autofree char *output = NULL;
	int status = 0;

	if (!g_spawn_sync(NULL, words, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL,
		    &status, NULL) ||
		status != 0)
		return -ENOTSUP;
	*ret_seconds = g_ascii_strtod(output, NULL);
	return *ret_seconds > 0 ? 0 : -ENOTSUP;
}

#define FRAMES(size, w, h)                                                                         \
	[LIMIT_COPY_##size] = {"memcpy of a frame, " #w "x" #h, #size, measure_copy, w, h, 0},     \
	[LIMIT_SOCKET_SMALL_##                                                                     \
		size] = {"socket pair, small buffer, " #w "x" #h, #size, measure_socket, w, h, 0}, \
	[LIMIT_SOCKET_LARGE_##size] = {"socket pair, large buffer, " #w "x" #h, #size,             \
		measure_socket, w, h, WITH_LARGE_BUFFER},                                          \
	[LIMIT_SHOWN_##size] = {                                                                   \
		"memcpy and socket pair, " #w "x" #h, #size, measure_shown, w, h, 0}

const struct limit limits[LIMIT_COUNT] = {
	[LIMIT_WAKE_UPS] = {"two eventfd wake-ups", "wake-ups", measure_wake_ups, 0, 0, 0},
	FRAMES(1280, 1280, 800),
	FRAMES(1920, 1920, 1080),
	FRAMES(3840, 3840, 2160),
	[LIMIT_PROGRAM] = {"start and end of /bin/true", "program", measure_program, 0, 0, 0},
	[LIMIT_SUBMIT_SMALL] = {"virglrenderer itself, small stream", "submit-small",
		measure_submit, 64, 64, 0},
	[LIMIT_SUBMIT_CLEAR] = {"virglrenderer itself, clear of 1280x800", "submit-clear",
		measure_submit, 1280, 800, 0},
	[LIMIT_SUBMIT_LARGE] = {"virglrenderer itself, large stream", "submit-large",
		measure_submit, 64, 64, 0},
	[LIMIT_DRAW_AND_READ] = {"virglrenderer itself, clear and read 1920x1080", "draw",
		measure_submit, 1920, 1080, 0},
};

int limit_measure(enum limit_id id, double seconds, double *ret_seconds)
{
	return limits[id].measure(&limits[id], seconds, ret_seconds);
}
