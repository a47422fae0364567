/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Child processes. Each has a process group, so that what it starts in turn ends with it, and
 * dies with the thread that made it. One thread makes and ends children; only child_kill_all() may
 * be called from another.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <sys/types.h>

/** Children beyond so many run all the same; only child_kill_all() and child_list() do not know them. */
#define CHILD_MAX_COUNT 16

/**
 * struct child - A child process; zero for none
 * @pid: of the process
 * @group: its process group
 * @keeper_fd: owned; where there is a keeper, which ends the group when this is closed
 */
struct child {
	pid_t pid;
	pid_t group;
	int keeper_fd;
};

/**
 * child_fork() - As fork(2)
 * @child: filled in the parent
 *
 * In the child no signal is blocked.
 *
 * Return: 0 in the child; its pid in the parent; or a negative errno.
 */
pid_t child_fork(struct child *child);

/** struct child_fd - @source_fd, borrowed, is @target_fd in a program that is started */
struct child_fd {
	int source_fd;
	int target_fd;
};

/**
 * struct child_program - What child_spawn() starts; all of it is borrowed
 * @argv: its words, ended by NULL; the first is the program's path
 * @environment: ended by NULL
 * @fds: what it inherits beside its output; its standard input is /dev/null
 * @output_fd: its standard output and error; -1 for ours
 * @enter: called in the child last before exec, where only what is safe between fork and exec may
 *	be done; or NULL
 */
struct child_program {
	const char *const *argv;
	const char *const *environment;
	const struct child_fd *fds;
	size_t fd_count;
	int output_fd;
	void (*enter)(const void *opaque);
	const void *enter_opaque;
};

/**
 * child_spawn() - Start a program
 * @ret_reason: on failure why; g_free()
 *
 * The group is led by a process of its own, the keeper, which sleeps until this process has ended, in
 * whatever way, and then kills the group: the program, and what it has started.
 *
 * Return: 0 or a negative errno.
 */
int child_spawn(struct child *child, const struct child_program *program, char **ret_reason);

/**
 * child_wait() - Wait until it has ended by itself
 * @limit_ms: how long; 0 only looks
 * @ret_status: as of waitpid(2), or NULL
 *
 * What it started and left behind is killed, and reaped where this process adopts it
 * (PR_SET_CHILD_SUBREAPER). Return: 0; -ETIMEDOUT, and it runs on; -ECHILD where
 * there is none.
 */
int child_wait(struct child *child, int limit_ms, int *ret_status);

/** child_end() - Kill it, if it runs, and all that it started; none is fine. */
void child_end(struct child *child);

/**
 * child_kill_all() - Kill all children and what they started, without waiting for them
 *
 * For a process that is about to end by _exit(); from any thread.
 */
void child_kill_all(void);

/** child_list() - The groups of children that run, or were not waited for. Return: how many. */
size_t child_list(pid_t ret_groups[CHILD_MAX_COUNT]);
