/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Child processes that end, do not end, and leave something behind.
 */
#include "util/child.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static void __attribute__((noreturn)) sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void check_no_children(void)
{
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
}

/* Starts a child that leaves a process behind in its group; both hold the pipe open. */
static int start_family(struct child *child, bool ends)
{
	int fds[2];
	char byte;

	g_assert_cmpint(pipe(fds), ==, 0);
	if (child_fork(child) == 0) {
		pid_t inner = fork();

		if (inner == 0 && write(fds[1], "r", 1) == 1)
			sleep_for_ever();
		if (ends)
			_exit(3);
		sleep_for_ever();
	}
	close(fds[1]);
	g_assert_cmpint(read(fds[0], &byte, 1), ==, 1);
	return fds[0];
}

static void check_family_is_gone(int fd)
{
	char byte;

	g_assert_cmpint(read(fd, &byte, 1), ==, 0);
	close(fd);
	check_no_children();
}

static void test_wait(void)
{
	struct child child = {0};
	int fd = start_family(&child, true);
	int status = 0;

	g_assert_cmpint(getpgid(child.pid), !=, getpgrp());
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(WEXITSTATUS(status), ==, 3);
	g_assert_cmpint(child.pid, ==, 0);
	check_family_is_gone(fd);
	g_assert_cmpint(child_wait(&child, 0, NULL), ==, -ECHILD);
	child_end(&child);
}

/* Who adopts what is left behind has no zombies of it. */
static void test_wait_as_subreaper(void)
{
	g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), ==, 0);
	test_wait();
	g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), ==, 0);
}

static void test_limit(void)
{
	struct child child = {0};
	int fd = start_family(&child, false);

	g_assert_cmpint(child_wait(&child, 0, NULL), ==, -ETIMEDOUT);
	g_assert_cmpint(child_wait(&child, 10, NULL), ==, -ETIMEDOUT);
	g_assert_cmpint(child.pid, >, 0);
	child_end(&child);
	g_assert_cmpint(child.pid, ==, 0);
	check_family_is_gone(fd);
}

static void test_kill_all(void)
{
	struct child first = {0}, second = {0};
	int first_fd = start_family(&first, false);
	int second_fd = start_family(&second, false);
	char byte;
	int status = 0;

	child_kill_all();
	g_assert_cmpint(read(first_fd, &byte, 1), ==, 0);
	g_assert_cmpint(child_wait(&first, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
	g_assert_cmpint(child_wait(&second, PATIENCE_MS, NULL), ==, 0);
	close(first_fd);
	check_family_is_gone(second_fd);
}

/* Between fork and exec, with the program's output in place. */
static void say_entered(const void *opaque)
{
	const char *word = opaque;

	if (write(STDOUT_FILENO, word, strlen(word)) < 0)
		_exit(1);
}

static void test_spawn(void)
{
	static const char *const argv[] = {
		"/bin/sh", "-c", "echo \"$WORD\"; cat <&7; echo more >&2; exit 5", NULL};
	static const char *const environment[] = {"WORD=hello", "PATH=/usr/bin:/bin", NULL};
	pid_t pids[CHILD_MAX_COUNT];
	int input[2], output[2], status = 0;
	char text[64] = {0};
	struct child child = {0};
	struct child_fd fds[1];
	struct child_program program = {.argv = argv, .environment = environment};
	char *reason = NULL;
	size_t len = 0;
	ssize_t done;

	g_assert_cmpint(pipe(input), ==, 0);
	g_assert_cmpint(pipe(output), ==, 0);
	g_assert_cmpint(write(input[1], "in\n", 3), ==, 3);
	close(input[1]);
	fds[0] = (struct child_fd){.source_fd = input[0], .target_fd = 7};
	program.fds = fds;
	program.fd_count = 1;
	program.output_fd = output[1];
	program.enter = say_entered;
	program.enter_opaque = "entered\n";
	g_assert_cmpint(child_spawn(&child, &program, &reason), ==, 0);
	g_assert_cmpuint(child_list(pids), ==, 1);
	g_assert_cmpint(pids[0], ==, child.group);
	close(output[1]);
	while ((done = read(output[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)done;
	g_assert_cmpstr(text, ==, "entered\nhello\nin\nmore\n");
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(WEXITSTATUS(status), ==, 5);
	close(input[0]);
	close(output[0]);
	check_no_children();
}

/* What a program leaves behind, in whichever way we end. */
static void test_spawn_ends_with_us(void)
{
	static const char *const argv[] = {
		"/bin/sh", "-c", "(sleep 1000 & sleep 1000) & echo r; exec sleep 1000", NULL};
	static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	struct child outer = {0};
	int fds[2], status = 0;
	char text[8];

	g_assert_cmpint(pipe(fds), ==, 0);
	if (child_fork(&outer) == 0) {
		const struct child_program program = {
			.argv = argv, .environment = environment, .output_fd = fds[1]};
		g_autofree char *reason = NULL;
		struct child inner = {0};

		if (child_spawn(&inner, &program, &reason) < 0)
			_exit(1);
		sleep_for_ever();
	}
	close(fds[1]);
	g_assert_cmpint(read(fds[0], text, sizeof(text)), ==, 2);
	g_assert_cmpint(kill(outer.pid, SIGKILL), ==, 0);
	/* Whoever held the pipe open is gone. */
	g_assert_cmpint(read(fds[0], text, sizeof(text)), ==, 0);
	close(fds[0]);
	g_assert_cmpint(child_wait(&outer, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
}

static void test_spawn_nothing(void)
{
	static const char *const argv[] = {"/nonexistent/program", NULL};
	static const char *const environment[] = {NULL};
	const struct child_program program = {
		.argv = argv, .environment = environment, .output_fd = -1};
	struct child child = {0};
	g_autofree char *reason = NULL;

	g_assert_cmpint(child_spawn(&child, &program, &reason), <, 0);
	g_assert_nonnull(strstr(reason, "/nonexistent/program"));
	g_assert_cmpint(child.pid, ==, 0);
	check_no_children();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/child/wait", test_wait);
	g_test_add_func("/child/wait-as-subreaper", test_wait_as_subreaper);
	g_test_add_func("/child/limit", test_limit);
	g_test_add_func("/child/kill-all", test_kill_all);
	g_test_add_func("/child/spawn", test_spawn);
	g_test_add_func("/child/spawn-ends-with-us", test_spawn_ends_with_us);
	g_test_add_func("/child/spawn-nothing", test_spawn_nothing);
	return g_test_run();
}
