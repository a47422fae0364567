/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* All measurements: each item against each daemon in turn, and the limits, several times over. */
#pragma once

#include "bench/options.h"
#include "bench/stats.h"

#include <errno.h>

/**
 * struct series - What came of one item and one daemon, or of one limit
 * @values: one for each round that measured it
 * @cpu_us: in the same order, time on processors that the daemon used for an operation; 0: unknown
 * @error: 0; -ENOTSUP where it cannot be measured; another negative errno where it went wrong
 * @reason: of that; owned
 * @note: what is to be known about the newest value, or NULL; owned
 */
struct series {
	double *values;
	double *cpu_us;
	size_t count;
	int error;
	char *reason;
	char *note;
};

/**
 * struct results - What came of all
 * @series: of work w and daemon d at w * daemon_count + d
 * @limits: seconds that one operation takes, by enum limit_id
 */
struct results {
	const struct bench_options *options;
	struct series *series;
	struct series limits[LIMIT_COUNT];
};

/** results_init() - Empty ones. results_finish() frees them. */
void results_init(struct results *results, const struct bench_options *options);
void results_finish(struct results *results);

/** rounds_run() - Measure all. Return: 0 or a negative errno where nothing can be measured. */
int rounds_run(struct results *results);

/** results_get() - One item and one daemon */
static inline struct series *results_get(const struct results *results, size_t work, size_t daemon)
{
	return &results->series[work * results->options->daemon_count + daemon];
}

/** series_failed() - Did it go wrong, other than that the daemon cannot do it? */
static inline bool series_failed(const struct series *series)
{
	return series->error < 0 && series->error != -ENOTSUP;
}

/** results_ratio() - How many times the first daemon's value; 0 where one of them has none */
double results_ratio(const struct results *results, size_t work, size_t daemon);

/**
 * results_share() - How much of its limit is reached, 1 being all of it; 0 where there is none
 */
double results_share(const struct results *results, size_t work, size_t daemon);

/** results_failure() - What went wrong first, and how often something did; NULL for none; g_free() */
char *results_failure(const struct results *results);
