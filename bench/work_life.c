/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* A daemon's life: its start, its memory at each stage, its rest, and several guests at once. */
#include "bench/clock.h"
#include "bench/command.h"
#include "bench/frames.h"
#include "bench/stats.h"
#include "bench/stream.h"
#include "bench/work.h"
#include "vhost/protocol.h"

#include <errno.h>

#define MAX_STARTS	200
#define KIB		1024.0
#define GUEST_COUNT	4
#define SECOND_LIMIT_MS 3000

/* Memory is looked at when it stays the same, or after so long. */
#define SETTLE_INTERVAL_US 100000
#define SETTLE_TRIES	   50

static const struct frames_layout small_screen = {
	.width = GUEST_WIDTH, .height = GUEST_HEIGHT, .output_count = 1, .seed = 3};

static int start_again(struct work_run *run)
{
	g_autofree char *reason = NULL;
	int ret = daemon_start(&run->daemon, run->command, run->folder, &reason);

	return ret < 0 ? work_fail(run, ret, "it does not start: %s", reason ? reason : "") : 0;
}

/* Starts daemons as long as there is time. @seconds_until: from the start until what counts. */
static int measure_starts(struct work_run *run,
	int (*seconds_until)(struct work_run *run, double *ret_seconds), double *ret_value)
{
	double seconds[MAX_STARTS];
	const double end = clock_now() + run->seconds;
	size_t count = 0;
	int ret = 0;

	while (ret == 0 && count < MAX_STARTS && (count < 3 || clock_now() < end)) {
		ret = start_again(run);
		if (ret == 0)
			ret = seconds_until(run, &seconds[count++]);
		if (ret == 0)
			guest_finish(&run->guest);
		if (ret == 0)
			daemon_stop(&run->daemon);
	}
	*ret_value = 1000 * stats_of(seconds, count).median;
	return ret;
}

static int until_connectable(struct work_run *run, double *ret_seconds)
{
	*ret_seconds = run->daemon.listening - run->daemon.started;
	return 0;
}

static int run_connectable(struct work_run *run, double *ret_value)
{
	return measure_starts(run, until_connectable, ret_value);
}

static int until_first_frame(struct work_run *run, double *ret_seconds)
{
	struct frames frames = {0};
	int ret = guest_connect(&run->guest, run->daemon.socket_path, run->use_event_idx);

	if (ret == 0)
		ret = guest_start(&run->guest);
	if (ret == 0)
		ret = work_setup_error(run, frames_start(&frames, &run->guest, &small_screen));
	*ret_seconds = clock_now() - run->daemon.started;
	if (ret == 0)
		ret = frames_check(&frames);
	frames_finish(&frames);
	if (ret == -ENODATA)
		return work_skip(run, "it shows no pixels");
	return ret;
}

static int run_first_frame(struct work_run *run, double *ret_value)
{
	return measure_starts(run, until_first_frame, ret_value);
}

/* When it has come to rest. A probe that the daemon started has ended by then. */
static int run_memory(struct work_run *run, double *ret_value)
{
	double cpu = -1, cpu_before = -2;
	uint64_t len = 0, before = 1;

	for (int i = 0; i < SETTLE_TRIES && (len != before || cpu - cpu_before > 0.005); i++) {
		g_usleep(SETTLE_INTERVAL_US);
		before = len;
		cpu_before = cpu;
		len = daemon_resident(&run->daemon);
		cpu = daemon_cpu_seconds(&run->daemon);
	}
	*ret_value = (double)len / KIB;
	return len > 0 ? 0 : work_fail(run, -ESRCH, "the daemon is gone");
}

static int setup_screen(struct work_run *run)
{
	struct frames *frames = run->state = g_new0(struct frames, 1);
	const struct frames_layout layout = {
		.width = 1920, .height = 1080, .output_count = 1, .seed = run->seed};
	int ret = frames_start(frames, &run->guest, &layout);

	return ret == -ENODATA ? 0 : work_setup_error(run, ret);
}

static void teardown_screen(struct work_run *run)
{
	if (run->state)
		frames_finish(run->state);
}

/* A context that has drawn once. */
static int setup_context(struct work_run *run)
{
	struct guest *guest = &run->guest;
	const uint64_t stream_gpa = memory_alloc(
		&guest->memory, 4 * (STREAM_TARGET_WORDS + STREAM_CLEAR_WORDS), MEMORY_PAGE);
	uint32_t *words = memory_at(&guest->memory, stream_gpa);
	const uint32_t *end = stream_clear(stream_target(words, 1), 0x204060);

	command_create_context(guest, 1, 0);
	command_create_3d(guest, 1, 1920, 1080);
	command_attach_resource(guest, 1, 1);
	command_submit(guest, 1, stream_gpa, 4 * (uint32_t)(end - words));
	return work_setup_error(run, guest_run(guest));
}

static int run_rest(struct work_run *run, double *ret_value)
{
	double start, cpu;
	int ret;

	/* It has started, whatever that took. */
	ret = run_memory(run, ret_value);
	start = clock_now();
	cpu = daemon_cpu_seconds(&run->daemon);
	g_usleep((gulong)(1e6 * MAX(run->seconds, 0.5)));
	*ret_value = 100 * (daemon_cpu_seconds(&run->daemon) - cpu) / (clock_now() - start);
	return ret;
}

/* One of several guests, in a thread. */
struct neighbour {
	struct guest guest;
	struct frames frames;
	double seconds;
	double rate;
	int ret;
};

static gpointer draw_beside(gpointer opaque)
{
	struct neighbour *neighbour = opaque;

	neighbour->ret = frames_measure(&neighbour->frames, neighbour->seconds, &neighbour->rate);
	return NULL;
}

/* Whether a second front-end is answered while the first one is there. */
static bool serves_several(struct work_run *run)
{
	struct vhost_user user = {.fd = -1};
	uint64_t features;
	int ret = vhost_user_connect(&user, run->daemon.socket_path, SECOND_LIMIT_MS);

	if (ret == 0)
		ret = vhost_user_ask(&user, VHOST_GET_FEATURES, &features);
	vhost_user_close(&user);
	return ret == 0;
}

/* Of the first that says what went wrong. Return: @ret. */
static int describe_neighbours(struct work_run *run, int ret)
{
	struct neighbour *neighbours = run->state;

	for (int i = 0; i < GUEST_COUNT; i++) {
		const char *wrong = screen_wrong(&neighbours[i].guest.screen);

		if (wrong || neighbours[i].guest.problem)
			return work_fail(run, ret, "guest %d: %s", i,
				wrong ? wrong : neighbours[i].guest.problem);
	}
	return ret;
}

static int setup_neighbours(struct work_run *run)
{
	struct neighbour *neighbours;
	int ret = 0;

	if (!serves_several(run))
		return work_skip(run, "it serves one front-end");
	neighbours = run->state = g_new0(struct neighbour, GUEST_COUNT);
	for (int i = 0; i < GUEST_COUNT; i++)
		neighbours[i].guest = GUEST_NONE;
	for (int i = 0; i < GUEST_COUNT && ret == 0; i++) {
		struct guest *guest = &neighbours[i].guest;

		ret = guest_connect(guest, run->daemon.socket_path, run->use_event_idx);
		if (ret == 0)
			ret = guest_start(guest);
		if (ret == 0)
			ret = frames_start(&neighbours[i].frames, guest, &small_screen);
	}
	if (ret == -ENODATA)
		return work_skip(run, "it shows no pixels");
	return ret < 0 ? describe_neighbours(run, ret) : 0;
}

static int run_neighbours(struct work_run *run, double *ret_value)
{
	struct neighbour *neighbours = run->state;
	GThread *threads[GUEST_COUNT];
	int ret = 0;

	for (int i = 0; i < GUEST_COUNT; i++) {
		neighbours[i].seconds = run->seconds;
		threads[i] = g_thread_new("guest", draw_beside, &neighbours[i]);
	}
	*ret_value = 0;
	for (int i = 0; i < GUEST_COUNT; i++) {
		g_thread_join(threads[i]);
		*ret_value += neighbours[i].rate;
		run->operation_count += neighbours[i].frames.number - 1;
		if (neighbours[i].ret < 0)
			ret = neighbours[i].ret;
	}
	return ret < 0 ? describe_neighbours(run, ret) : 0;
}

static void teardown_neighbours(struct work_run *run)
{
	struct neighbour *neighbours = run->state;

	for (int i = 0; neighbours && i < GUEST_COUNT; i++) {
		guest_finish(&neighbours[i].guest);
		frames_finish(&neighbours[i].frames);
	}
}

const struct work work_life[] = {
	{.name = "start-connectable",
		.unit = "ms",
		.stage = WORK_NOTHING,
		.limit = LIMIT_PROGRAM,
		.limit_count = 1,
		.run = run_connectable},
	{.name = "start-first-frame",
		.unit = "ms",
		.stage = WORK_NOTHING,
		.limit = LIMIT_PROGRAM,
		.limit_count = 1,
		.run = run_first_frame},
	{.name = "memory-idle", .unit = "KiB", .stage = WORK_DAEMON, .run = run_memory},
	{.name = "memory-handshake", .unit = "KiB", .stage = WORK_HANDSHAKE, .run = run_memory},
	{.name = "memory-2d",
		.unit = "KiB",
		.setup = setup_screen,
		.run = run_memory,
		.teardown = teardown_screen},
	{.name = "memory-virgl",
		.unit = "KiB",
		.needs = WORK_NEEDS_VIRGL,
		.setup = setup_context,
		.run = run_memory},
	{.name = "cpu-at-rest", .unit = "%", .run = run_rest},
	{.name = "four-guests",
		.unit = "frames/s",
		.more_is_better = true,
		.limit = LIMIT_SHOWN_1280,
		.limit_count = 1,
		.setup = setup_neighbours,
		.run = run_neighbours,
		.teardown = teardown_neighbours},
	{0},
};
