/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>

/**
 * struct stats - What is said of a number of samples
 * @low, @high: the quartiles
 * @count: samples; where it is 0 the rest is 0 too
 */
struct stats {
	double median;
	double low;
	double high;
	size_t count;
};

/** stats_of() - Sum samples up. @values is not changed; between two of them, in proportion. */
struct stats stats_of(const double *values, size_t count);

/** stats_spread() - Half the distance between the quartiles, as a part of the median; 0 for none */
double stats_spread(const struct stats *stats);

/**
 * stats_ratio() - How many times @first the values of @values are
 * @values, @first: samples of the same rounds, in the same order
 * @count: of both
 *
 * The median of each round's own ratio: what was slow about a round was slow for both.
 * Return: 0 where there are none, or a value of @first is 0.
 */
double stats_ratio(const double *values, const double *first, size_t count);
