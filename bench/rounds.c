/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Rounds. In each, an item runs against one daemon after the other before the next item's turn, so
 * that whatever else the machine does meets all of them; who is first changes from round to round.
 */
#include "bench/rounds.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A limit takes less time than a daemon: nothing has to start. */
#define LIMIT_PART 0.3

void results_init(struct results *results, const struct bench_options *options)
{
	const size_t count = options->work_count * options->daemon_count;

	*results = (struct results){.options = options, .series = g_new0(struct series, count)};
	for (size_t i = 0; i < count; i++) {
		results->series[i].values = g_new0(double, (gsize)options->round_count);
		results->series[i].cpu_us = g_new0(double, (gsize)options->round_count);
	}
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		results->limits[i].values = g_new0(double, (gsize)options->round_count);
}

static void series_finish(struct series *series)
{
	g_free(series->values);
	g_free(series->cpu_us);
	g_free(series->reason);
	g_free(series->note);
}

void results_finish(struct results *results)
{
	const struct bench_options *options = results->options;

	for (size_t i = 0; i < options->work_count * options->daemon_count; i++)
		series_finish(&results->series[i]);
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		series_finish(&results->limits[i]);
	g_free(results->series);
}

static void say_progress(const char *name, const char *daemon, int round)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kround %d: %s %s", round + 1, name, daemon);
}

static bool is_wanted(const struct bench_options *options, const struct limit *limit)
{
	for (size_t i = 0; i < options->work_count; i++) {
		const enum limit_id id = options->works[i]->limit;

		if (id != LIMIT_NONE && strcmp(limits[id].group, limit->group) == 0)
			return true;
	}
	return false;
}

static void measure_limits(struct results *results, int round)
{
	const double seconds = results->options->seconds * LIMIT_PART;

	for (size_t id = LIMIT_NONE + 1; id < LIMIT_COUNT; id++) {
		struct series *series = &results->limits[id];
		double value = 0;

		if (series->error < 0 || !is_wanted(results->options, &limits[id]))
			continue;
		say_progress(limits[id].name, "", round);
		series->error = limit_measure((enum limit_id)id, seconds, &value);
		if (series->error == 0)
			series->values[series->count++] = value;
	}
}

/* What did not work once is not tried again: it may take long to say so. */
static void measure_work(
	struct results *results, size_t work, size_t daemon, int round, const char *folder)
{
	const struct bench_options *options = results->options;
	struct series *series = results_get(results, work, daemon);
	struct work_run run = {.work = options->works[work],
		.command = &options->daemons[daemon],
		.folder = folder,
		.seconds = options->seconds,
		.seed = (uint32_t)round * 7 + 1,
		.use_event_idx = options->use_event_idx};
	double value = 0;

	if (series->error < 0)
		return;
	say_progress(run.work->name, run.command->name, round);
	series->error = work_execute(&run, &value);
	if (series->error == 0) {
		series->cpu_us[series->count] = run.cpu_us;
		series->values[series->count++] = value;
	}
	g_free(series->reason);
	series->reason = run.reason;
	g_free(series->note);
	series->note = run.note;
}

static void run_round(struct results *results, int round, const char *folder)
{
	const size_t count = results->options->daemon_count;

	measure_limits(results, round);
	for (size_t work = 0; work < results->options->work_count; work++)
		for (size_t i = 0; i < count; i++)
			measure_work(results, work, (i + (size_t)round) % count, round, folder);
}

int rounds_run(struct results *results)
{
	g_autofree char *folder = g_dir_make_tmp("vhost-user-gpu-bench-XXXXXX", NULL);

	if (!folder)
		return -errno;
	for (int round = 0; round < results->options->round_count; round++)
		run_round(results, round, folder);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	g_rmdir(folder);
	return 0;
}

double results_ratio(const struct results *results, size_t work, size_t daemon)
{
	const struct series *series = results_get(results, work, daemon);
	const struct series *first = results_get(results, work, 0);

	if (series->count == 0 || series->count != first->count)
		return 0;
	return stats_ratio(series->values, first->values, series->count);
}

/* What one operation takes: values are rates, or times in the unit's own measure. */
static double seconds_of(const struct work *work, double value)
{
	if (work->more_is_better)
		return 1 / value;
	return value * (strcmp(work->unit, "ms") == 0 ? 1e-3 : 1e-6);
}

double results_share(const struct results *results, size_t work, size_t daemon)
{
	const struct work *item = results->options->works[work];
	const struct series *series = results_get(results, work, daemon);
	const struct series *limit = &results->limits[item->limit];
	double value, least;

	if (series->count == 0 || limit->count == 0)
		return 0;
	value = stats_of(series->values, series->count).median;
	least = stats_of(limit->values, limit->count).median / item->limit_count;
	return value > 0 ? least / seconds_of(item, value) : 0;
}

char *results_failure(const struct results *results)
{
	const struct bench_options *options = results->options;
	g_autofree char *first = NULL;
	unsigned int count = 0;

	for (size_t i = 0; i < options->work_count * options->daemon_count; i++) {
		if (!series_failed(&results->series[i]))
			continue;
		count++;
		if (!first)
			first = g_strdup_printf("%s, %s: %s",
				options->works[i / options->daemon_count]->name,
				options->daemons[i % options->daemon_count].name,
				results->series[i].reason);
	}
	return first ? g_strdup_printf("%u failed; the first: %s", count, first) : NULL;
}
