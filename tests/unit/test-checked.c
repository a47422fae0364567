/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* util/checked.h: sums, products and ranges at their limits. */
#include "util/checked.h"

#include <glib.h>

static void test_arithmetic(void)
{
	uint32_t u32;
	uint64_t u64;
	uint8_t u8;

	g_assert_true(checked_add(UINT32_MAX - 1, 1u, &u32));
	g_assert_cmpuint(u32, ==, UINT32_MAX);
	g_assert_false(checked_add(UINT32_MAX, 1u, &u32));
	/* The type that counts is that of the result. */
	g_assert_true(checked_add(UINT32_MAX, 1u, &u64));
	g_assert_cmpuint(u64, ==, UINT64_C(1) << 32);
	g_assert_false(checked_add(200, 56, &u8));

	g_assert_true(checked_sub(5u, 5u, &u32));
	g_assert_cmpuint(u32, ==, 0);
	g_assert_false(checked_sub(5u, 6u, &u32));

	g_assert_true(checked_mul(UINT32_C(65536), UINT32_C(65535), &u32));
	g_assert_cmpuint(u32, ==, UINT32_C(65536) * 65535);
	g_assert_false(checked_mul(UINT32_C(65536), UINT32_C(65536), &u32));
	g_assert_true(checked_mul(UINT32_C(65536), UINT32_C(65536), &u64));
	g_assert_cmpuint(u64, ==, UINT64_C(1) << 32);
	g_assert_false(checked_mul(UINT64_MAX, 2u, &u64));
}

static void test_range(void)
{
	g_assert_true(checked_range(0, 0, 0));
	g_assert_true(checked_range(0, 10, 10));
	g_assert_true(checked_range(10, 0, 10));
	g_assert_true(checked_range(9, 1, 10));
	g_assert_false(checked_range(9, 2, 10));
	g_assert_false(checked_range(11, 0, 10));
	g_assert_false(checked_range(1, UINT64_MAX, 10));
	g_assert_false(checked_range(UINT64_MAX, 1, UINT64_MAX));
	g_assert_true(checked_range(UINT64_MAX, 0, UINT64_MAX));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/checked/arithmetic", test_arithmetic);
	g_test_add_func("/checked/range", test_range);
	return g_test_run();
}
