/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The life of one measurement, and the loops that most items share. */
#include "bench/work.h"

#include "bench/clock.h"
#include "bench/stats.h"

#include <errno.h>
#include <linux/virtio_gpu.h>

#define MAX_LATENCIES 200000

/* Before the clock counts: caches are warm, and what is made once is made. */
#define WARM_UP_PART 0.1

const struct work *const work_lists[] = {work_commands, work_frames, work_virgl, work_blobs,
	work_life, work_stalls_2d, work_stalls_3d, work_stalls_messages, NULL};

static void set_reason(struct work_run *run, const char *format, va_list args) G_GNUC_PRINTF(2, 0);

static void set_reason(struct work_run *run, const char *format, va_list args)
{
	if (!run->reason)
		run->reason = g_strdup_vprintf(format, args);
}

int work_skip(struct work_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_reason(run, format, args);
	va_end(args);
	return -ENOTSUP;
}

void work_note(struct work_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!run->note)
		run->note = g_strdup_vprintf(format, args);
	va_end(args);
}

int work_fail(struct work_run *run, int ret, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_reason(run, format, args);
	va_end(args);
	return ret;
}

int work_setup_error(struct work_run *run, int ret)
{
	if (ret == -EPROTO)
		return work_skip(run, "%s", run->guest.problem);
	return ret;
}

static int start_daemon(struct work_run *run)
{
	g_autofree char *reason = NULL;
	int ret = daemon_start(&run->daemon, run->command, run->folder, &reason);

	if (ret < 0)
		return work_fail(run, ret, "it does not start: %s", reason ? reason : "");
	return 0;
}

static int check_needs(struct work_run *run)
{
	const unsigned int needs = run->work->needs;

	if (needs & WORK_NEEDS_VIRGL && !guest_has(&run->guest, VIRTIO_GPU_F_VIRGL))
		return work_skip(run, "it offers no VIRGL");
	if (needs & WORK_NEEDS_CAPSETS && run->guest.capset_count == 0)
		return work_skip(run, "it has no capability sets");
	if (needs & WORK_NEEDS_SHMEM && !run->guest.shmem.thread)
		return work_skip(run, "it has no shared memory region");
	if (needs & WORK_NEEDS_BLOB && !guest_has(&run->guest, VIRTIO_GPU_F_RESOURCE_BLOB))
		return work_skip(run, "it offers no RESOURCE_BLOB");
	return 0;
}

static int start_all(struct work_run *run)
{
	int ret;

	if (run->work->stage == WORK_NOTHING)
		return 0;
	ret = start_daemon(run);
	if (ret < 0 || run->work->stage == WORK_DAEMON)
		return ret;
	ret = guest_connect(&run->guest, run->daemon.socket_path, run->use_event_idx);
	run->guest.queue_size = run->work->queue_size;
	if (ret == 0)
		ret = check_needs(run);
	if (ret < 0 || run->work->stage == WORK_HANDSHAKE)
		return ret;
	return guest_start(&run->guest);
}

/* What came over the display socket, and what the daemon says, come before what followed of it. */
static void explain_failure(struct work_run *run)
{
	g_autofree char *words = NULL;
	g_autofree char *first = g_steal_pointer(&run->reason);
	const char *wrong = screen_wrong(&run->guest.screen);

	words = run->daemon.log_path ? daemon_last_words(&run->daemon) : NULL;
	if (wrong)
		run->reason = g_strdup(wrong);
	else
		run->reason = g_strdup_printf("%s (its last words: %s)",
			first		     ? first
			: run->guest.problem ? run->guest.problem
					     : "it went wrong",
			words ? words : "none");
}

/* The item itself, and what the daemon needs for it. */
static int measure_item(struct work_run *run, double *ret_value)
{
	const bool has_daemon = run->work->stage != WORK_NOTHING;
	const double before = has_daemon ? daemon_cpu_seconds(&run->daemon) : 0;
	int ret = run->work->run(run, ret_value);

	if (ret == 0 && has_daemon && run->operation_count > 0)
		run->cpu_us = 1e6 * (daemon_cpu_seconds(&run->daemon) - before) /
			      (double)run->operation_count;
	return ret;
}

int work_execute(struct work_run *run, double *ret_value)
{
	const struct work *work = run->work;
	int ret;

	run->guest = GUEST_NONE;
	run->daemon = (struct daemon){0};
	ret = start_all(run);
	if (ret == 0) {
		if (work->setup)
			ret = work->setup(run);
		if (ret == 0)
			ret = measure_item(run, ret_value);
	}
	if (ret == 0 && screen_wrong(&run->guest.screen))
		ret = -EILSEQ;
	if (ret < 0 && ret != -ENOTSUP)
		explain_failure(run);
	if (work->teardown)
		work->teardown(run);
	g_clear_pointer(&run->state, g_free);
	guest_finish(&run->guest);
	daemon_stop(&run->daemon);
	return ret;
}

int work_median_us(struct work_run *run, int (*operation)(struct work_run *run), double *ret_value)
{
	g_autofree double *latencies = g_new(double, MAX_LATENCIES);
	const double begin = clock_now() + run->seconds * WARM_UP_PART;
	const double end = begin + run->seconds;
	double start = 0, stop = clock_now();
	size_t count = 0;

	while ((stop < end || count == 0) && count < MAX_LATENCIES) {
		int ret;

		start = clock_now();
		ret = operation(run);
		if (ret < 0)
			return ret;
		stop = clock_now();
		run->operation_count++;
		if (start >= begin)
			latencies[count++] = stop - start;
	}
	*ret_value = 1e6 * stats_of(latencies, count).median;
	return 0;
}

int work_rate(struct work_run *run, int (*operation)(struct work_run *run), unsigned int count,
	double *ret_value)
{
	const double begin = clock_now() + run->seconds * WARM_UP_PART;
	double start = 0, now = clock_now();
	uint64_t done = 0;

	while (start == 0 || now < start + run->seconds) {
		int ret = operation(run);

		if (ret < 0)
			return ret;
		now = clock_now();
		run->operation_count += count;
		if (start > 0)
			done += count;
		else if (now >= begin)
			start = now;
	}
	*ret_value = (double)done / (now - start);
	return 0;
}
