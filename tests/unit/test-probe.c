/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Trying renderers, with renderers of our own that start, refuse, crash, leave and hang.
 */
#include "session/probe.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct renderer silent;
static struct renderer talkative = {.description = "crayons on paper"};

static int create_good(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	*ret_renderer = &silent;
	/* The contract gives every renderer a context for its sources. */
	return options->context ? 0 : -EINVAL;
}

static int create_talkative(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	*ret_renderer = &talkative;
	return 0;
}

static int create_refusing(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	*ret_message = g_strdup("tried this and that");
	return -ENODEV;
}

static int create_crashing(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	static const struct rlimit no_core = {0};

	setrlimit(RLIMIT_CORE, &no_core);
	/* A sanitizer would turn the signal into an exit. */
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 0;
}

static int create_leaving(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	_exit(7);
	return 0;
}

static int create_hanging(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	while (pause() < 0)
		;
	return 0;
}

static struct renderer_options options;

static int probe(int (*create)(const struct renderer_options *, struct renderer **, char **),
	int interrupt_fd, char **ret_message)
{
	const struct renderer_type type = {.name = "fake", .create = create};
	const struct renderer_type *chosen = NULL;
	int ret = probe_choose(&type, &options, interrupt_fd, &chosen, ret_message);

	g_assert_true((chosen == &type) == (ret == 0));
	/* No process is left behind. */
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
	return ret;
}

static void test_good(void)
{
	g_autofree char *message = NULL;

	g_assert_cmpint(probe(create_good, -1, &message), ==, 0);
	g_assert_null(message);
}

/* What draws is for the log. */
static void test_description(void)
{
	g_autofree char *message = NULL;

	g_assert_cmpint(probe(create_talkative, -1, &message), ==, 0);
	g_assert_cmpstr(message, ==, "crayons on paper");
}

static void test_refusing(void)
{
	g_autofree char *message = NULL;

	g_assert_cmpint(probe(create_refusing, -1, &message), ==, -ENODEV);
	g_assert_cmpstr(message, ==, "fake: tried this and that");
}

static void test_crashing(void)
{
	g_autofree char *message = NULL;

	g_assert_cmpint(probe(create_crashing, -1, &message), ==, -ENODEV);
	g_assert_nonnull(strstr(message, "signal 11"));
}

static void test_leaving(void)
{
	g_autofree char *message = NULL;

	g_assert_cmpint(probe(create_leaving, -1, &message), ==, -ENODEV);
	g_assert_nonnull(strstr(message, "status 7"));
}

static void test_interrupted(void)
{
	g_autofree char *message = NULL;
	int fds[2];

	g_assert_cmpint(pipe(fds), ==, 0);
	g_assert_cmpint(write(fds[1], "x", 1), ==, 1);
	g_assert_cmpint(probe(create_hanging, fds[0], &message), ==, -EINTR);
	g_assert_null(message);
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/probe/good", test_good);
	g_test_add_func("/probe/description", test_description);
	g_test_add_func("/probe/refusing", test_refusing);
	g_test_add_func("/probe/crashing", test_crashing);
	g_test_add_func("/probe/leaving", test_leaving);
	g_test_add_func("/probe/interrupted", test_interrupted);
	return g_test_run();
}
