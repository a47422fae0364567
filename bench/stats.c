/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Medians and quartiles. Knows nothing of what the numbers are. */
#include "bench/stats.h"

#include <glib.h>
#include <string.h>

static int compare_values(const void *a, const void *b)
{
	const double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

/* @part of the way through values that are sorted. */
static double quantile_of(const double *sorted, size_t count, double part)
{
	const double place = part * (double)(count - 1);
	const size_t below = (size_t)place;
	const size_t above = MIN(below + 1, count - 1);

	return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

struct stats stats_of(const double *values, size_t count)
{
	g_autofree double *sorted = g_memdup2(values, count * sizeof(*values));

	if (count == 0)
		return (struct stats){0};
	qsort(sorted, count, sizeof(*sorted), compare_values);
	return (struct stats){
		.median = quantile_of(sorted, count, 0.5),
		.low = quantile_of(sorted, count, 0.25),
		.high = quantile_of(sorted, count, 0.75),
		.count = count,
	};
}

double stats_spread(const struct stats *stats)
{
	return stats->median > 0 ? (stats->high - stats->low) / 2 / stats->median : 0;
}

double stats_ratio(const double *values, const double *first, size_t count)
{
	g_autofree double *ratios = g_new(double, count);

	for (size_t i = 0; i < count; i++) {
		if (first[i] <= 0)
			return 0;
		ratios[i] = values[i] / first[i];
	}
	return stats_of(ratios, count).median;
}
