/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * util/library.c, with the C library's mathematics: namesakes pass on, and a line says what is missing.
 */
#include "util/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <math.h>
#include <string.h>

#define LIBRARY "libm.so.6"

#define LIBRARY_FUNCTIONS(F)                                                                       \
	F(double, sqrt, (double x), (x))                                                           \
	F(double, fdim, (double x, double y), (x, y))

LIBRARY_NAMESAKES(LIBRARY_FUNCTIONS)

/* That the compiler does not compute them. */
static double (*volatile sqrt_here)(double x) = sqrt;
static double (*volatile fdim_here)(double x, double y) = fdim;

static void test_passes_on(void)
{
	g_autofree char *message = NULL;

	for (int i = 0; i < 2; i++) {
		g_assert_cmpint(
			library_load(LIBRARY, library_functions, G_N_ELEMENTS(library_functions),
				&library_pointers, &message),
			==, 0);
		g_assert_null(message);
		g_assert_true(library_pointers.sqrt != sqrt_here);
		g_assert_cmpfloat(sqrt_here(9), ==, 3);
		g_assert_cmpfloat(fdim_here(7, 3), ==, 4);
	}
}

static void check_failure(const char *file, const char *name, int expected, const char *part)
{
	const struct library_function function = {name, 0};
	g_autofree char *message = NULL;
	void *pointer = NULL;

	g_assert_cmpint(library_load(file, &function, 1, &pointer, &message), ==, expected);
	g_assert_null(pointer);
	g_assert_nonnull(strstr(message, file));
	g_assert_nonnull(strstr(message, part));
	g_assert_null(strchr(message, '\n'));
}

static void test_library_is_missing(void)
{
	check_failure("libnowhere.so.1", "sqrt", -ENOENT, "LD_LIBRARY_PATH");
}

static void test_function_is_missing(void)
{
	check_failure(LIBRARY, "sqrt_of_tomorrow", -ENOTSUP, "sqrt_of_tomorrow");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/library/passes-on", test_passes_on);
	g_test_add_func("/library/missing", test_library_is_missing);
	g_test_add_func("/library/function-missing", test_function_is_missing);
	return g_test_run();
}
