/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/rutabaga/trial.c: a library whose start ends the process, or never ends. One line says what
 * happened, this process sees nothing of it, and no child is left behind.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "rutabaga-fake.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROSS_DOMAIN RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN)

static void report_error(const struct rutabaga_builder *builder, const char *message)
{
	const struct rutabaga_debug debug = {RUTABAGA_DEBUG_ERROR, message};

	builder->debug_cb(builder->user_data, &debug);
}

/* Sanitizers would make an exit of it. */
static int crash(const struct rutabaga_builder *builder)
{
	report_error(builder, "vkCreateDevice\n  failed\n");
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

static int abort_start(const struct rutabaga_builder *builder)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* As a library does that takes itself for the program. */
static int exit_well(const struct rutabaga_builder *builder)
{
	report_error(builder, "good bye");
	_exit(EXIT_SUCCESS);
}

static int exit_badly(const struct rutabaga_builder *builder)
{
	_exit(3);
}

/* And what it started hangs on. */
static int hang(const struct rutabaga_builder *builder)
{
	report_error(builder, "waiting for a display");
	fork();
	while (true)
		pause();
	return 0;
}

static int fail_start(const struct rutabaga_builder *builder)
{
	g_autofree char *long_message = g_strnfill(5000, 'x');

	report_error(builder, "the first error");
	report_error(builder, long_message);
	return -EINVAL;
}

static int fail_silently(const struct rutabaga_builder *builder)
{
	return -ESRCH;
}

/* A fence of a try has nobody to hear it. */
static int start_with_fence(const struct rutabaga_builder *builder)
{
	const struct rutabaga_fence fence = {.flags = RUTABAGA_FLAG_FENCE, .fence_id = 1};

	builder->fence_cb(builder->user_data, &fence);
	puts("this goes nowhere");
	return 0;
}

static void check_no_child(void)
{
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
}

/* @part: of the reason; NULL: it starts */
static void check_try(int (*start)(const struct rutabaga_builder *), int limit_ms, const char *part)
{
	g_autoptr(GArray) channels = g_array_new(FALSE, FALSE, sizeof(struct rutabaga_channel));
	struct rutabaga_start args = {
		.capset_mask = CROSS_DOMAIN, .channels = channels, .limit_ms = limit_ms};
	g_autofree char *reason = NULL;
	int ret;

	rutabaga_fake_reset();
	rutabaga_fake.start = start;
	ret = renderer_rutabaga_try(&args, &reason);
	check_no_child();
	g_assert_false(args.has_started);
	g_assert_cmpint(ret, ==, part ? -ENODEV : 0);
	if (!part) {
		g_assert_null(reason);
		return;
	}
	g_assert_nonnull(reason);
	g_assert_null(strpbrk(reason, "\r\n"));
	if (!strstr(reason, part))
		g_error("no '%s' in: %s", part, reason);
}

static void test_starts(void)
{
	check_try(NULL, 0, NULL);
	check_try(start_with_fence, 0, NULL);
}

static void test_ends(void)
{
	check_try(crash, 0, "Segmentation fault: vkCreateDevice   failed");
	check_try(abort_start, 0, "Aborted");
	check_try(exit_well, 0, "it does not start: good bye");
	check_try(exit_badly, 0, "it does not start");
}

static void test_hangs(void)
{
	/* What gfxstream waits for is mostly a display server that EGL does not find. */
	g_unsetenv("EGL_PLATFORM");
	check_try(hang, 200,
		"it does not start within 0.2 s: waiting for a display; on a host without a "
		"screen it needs --use-surfaceless=true");
	g_setenv("EGL_PLATFORM", "surfaceless", TRUE);
	check_try(hang, 200, "it does not start within 0.2 s: waiting for a display");
}

static void test_fails(void)
{
	/* The last error; what is too long is cut. */
	check_try(fail_start, 0, "it does not start: xxxx");
	check_try(fail_silently, 0, "it does not start");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* The library reports errors. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/rutabaga/trial/starts", test_starts);
	g_test_add_func("/rutabaga/trial/ends", test_ends);
	g_test_add_func("/rutabaga/trial/hangs", test_hangs);
	g_test_add_func("/rutabaga/trial/fails", test_fails);
	return g_test_run();
}
