/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Which releases of virglrenderer guests' OpenGL may reach, and the library that this machine has. */
#include "renderer/virgl/renderer_virgl.h"

#include <string.h>

static void test_releases(void)
{
	static const struct {
		const char *file_name;
		bool has_new_function;
		bool is_sound;
	} rows[] = {
		{"libvirglrenderer.so.1.5.2", false, false}, /* 0.9.0 */
		{"libvirglrenderer.so.1.7.7", false, false}, /* 0.10.4 */
		{"libvirglrenderer.so.1.8.8", false, false}, /* 1.0.0 */
		{"libvirglrenderer.so.1.8.9", false, true},  /* 1.0.1 */
		{"libvirglrenderer.so.1.9.0", false, true},  /* 1.1.0 */
		{"libvirglrenderer.so.1.9.1", false, true},  /* 1.1.1 */
		{"libvirglrenderer.so.1.10.0", true, true},  /* 1.2.0 */
		{"libvirglrenderer.so.1.11.0", true, true},  /* 1.3.0 */
		{"libvirglrenderer.so.1.8.10", false, true},
		/* The name has the last word. */
		{"libvirglrenderer.so.1.7.7", true, false},
		/* A copy without a version */
		{"libvirglrenderer.so.1", false, false},
		{"libvirglrenderer.so.1", true, true},
		{"libvirglrenderer.so", false, false},
		{"", false, false},
		/* No versions, although they look like some */
		{"libvirglrenderer.so.1.9", false, false},
		{"libvirglrenderer.so.1.9.0.1", false, false},
		{"libvirglrenderer.so.1.9.x", false, false},
		{"libvirglrenderer.so.1.-9.0", false, false},
		{"libvirglrenderer.so.1.9.", false, false},
		{"libvirglrenderer.so.1.99999999999999999999.0", false, false},
		{"libvirglrenderer.so.10.9.0", false, false},
		{"libother.so.1.9.0", false, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].file_name);
		g_assert_cmpint(renderer_virgl_library_is_sound(
					rows[i].file_name, rows[i].has_new_function),
			==, rows[i].is_sound);
	}
}

/* The one that is loaded is looked at by name, and the reason says which it is. */
static void test_this_library(void)
{
	g_autofree char *message = NULL, *reason = NULL;

	if (renderer_virgl_library_load(&message) < 0) {
		g_test_skip(message);
		return;
	}
	if (renderer_virgl_library_check(&reason) == 0) {
		g_assert_null(reason);
		return;
	}
	g_test_message("%s", reason);
	g_assert_true(g_str_has_prefix(reason, "libvirglrenderer.so.1"));
	g_assert_nonnull(strstr(reason, "older than virglrenderer 1.0.1"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virgl-age/releases", test_releases);
	g_test_add_func("/virgl-age/this-library", test_this_library);
	return g_test_run();
}
