/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* bench/stats: medians, quartiles and ratios. */
#include "bench/stats.h"

#include <glib.h>

static void test_none(void)
{
	struct stats stats = stats_of(NULL, 0);

	g_assert_cmpuint(stats.count, ==, 0);
	g_assert_cmpfloat(stats.median, ==, 0);
	g_assert_cmpfloat(stats_spread(&stats), ==, 0);
}

static void test_one(void)
{
	const double value = 7;
	struct stats stats = stats_of(&value, 1);

	g_assert_cmpfloat(stats.median, ==, 7);
	g_assert_cmpfloat(stats.low, ==, 7);
	g_assert_cmpfloat(stats.high, ==, 7);
}

static void test_odd(void)
{
	const double values[] = {50, 10, 30, 20, 40};
	struct stats stats = stats_of(values, 5);

	g_assert_cmpfloat(stats.median, ==, 30);
	g_assert_cmpfloat(stats.low, ==, 20);
	g_assert_cmpfloat(stats.high, ==, 40);
	/* Half of 20, as a part of 30. */
	g_assert_cmpfloat_with_epsilon(stats_spread(&stats), 1.0 / 3, 1e-9);
	g_assert_cmpfloat(values[0], ==, 50);
}

static void test_even(void)
{
	const double values[] = {1, 2, 3, 10};
	struct stats stats = stats_of(values, 4);

	g_assert_cmpfloat(stats.median, ==, 2.5);
	/* Three quarters of the way from 1 to 2, one quarter of the way from 3 to 10. */
	g_assert_cmpfloat(stats.low, ==, 1.75);
	g_assert_cmpfloat(stats.high, ==, 4.75);
}

/* Of each round: the medians' own ratio would be 20 / 10. */
static void test_ratio(void)
{
	const double first[] = {10, 100, 1}, values[] = {15, 150, 20}, zero[] = {1, 0, 1};

	g_assert_cmpfloat(stats_ratio(values, first, 3), ==, 1.5);
	g_assert_cmpfloat(stats_ratio(values, zero, 3), ==, 0);
	g_assert_cmpfloat(stats_ratio(values, first, 0), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bench/stats/none", test_none);
	g_test_add_func("/bench/stats/one", test_one);
	g_test_add_func("/bench/stats/odd", test_odd);
	g_test_add_func("/bench/stats/even", test_even);
	g_test_add_func("/bench/stats/ratio", test_ratio);
	return g_test_run();
}
