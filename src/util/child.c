/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Child processes, and the list of those that run. The list is the process's, as children are: a
 * fixed number of atomic slots, which a thread that ends the process may read at any moment.
 *
 * A group is killed before its leader is reaped, while its number cannot be anybody else's. One kill
 * reaches all of it, also what it forks just then; and in a sandbox nobody can leave it, since no filter
 * has setpgid() or setsid().
 */
#include "util/child.h"

#include "util/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Between two looks, where the kernel has no descriptors for processes. */
#define LOOK_INTERVAL_MS 2

static _Atomic pid_t running[CHILD_MAX_COUNT];

/* A child beyond the list runs all the same; only child_kill_all() does not know it. */
static void list_add(pid_t pid)
{
	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t none = 0;

		if (atomic_compare_exchange_strong(&running[i], &none, pid))
			return;
	}
}

static void list_remove(pid_t pid)
{
	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t expected = pid;

		if (atomic_compare_exchange_strong(&running[i], &expected, 0))
			return;
	}
}

/* In the child, also between fork and exec: only what is safe there. */
static void set_up(pid_t parent)
{
	sigset_t none;

	/* A group of its own: signals of a terminal go to us, and we end it. */
	setpgid(0, 0);
	for (size_t i = 0; i < CHILD_MAX_COUNT; i++)
		atomic_store(&running[i], 0);
	/* A program whose output nobody reads any more must not die of it. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
}

static void child_adopt(struct child *child, pid_t pid)
{
	/* In both processes, so that the group is there whoever comes first. */
	setpgid(pid, pid);
	child->pid = pid;
	list_add(pid);
}

pid_t child_fork(struct child *child)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		set_up(parent);
	else
		child_adopt(child, pid);
	return pid;
}

struct spawn {
	const struct child_program *program;
	pid_t parent;
};

static void set_up_program(gpointer opaque)
{
	const struct spawn *spawn = opaque;

	set_up(spawn->parent);
	if (spawn->program->enter)
		spawn->program->enter(spawn->program->enter_opaque);
}

int child_spawn(struct child *child, const struct child_program *program, char **ret_reason)
{
	g_autofree int *sources = g_new(int, program->fd_count);
	g_autofree int *targets = g_new(int, program->fd_count);
	struct spawn spawn = {.program = program, .parent = getpid()};
	g_autoptr(GError) error = NULL;
	GPid pid = 0;

	for (size_t i = 0; i < program->fd_count; i++) {
		sources[i] = program->fds[i].source_fd;
		targets[i] = program->fds[i].target_fd;
	}
	if (!g_spawn_async_with_pipes_and_fds(NULL, program->argv, program->environment,
		    G_SPAWN_DO_NOT_REAP_CHILD, set_up_program, &spawn, -1, program->output_fd,
		    program->output_fd, sources, targets, program->fd_count, &pid, NULL, NULL, NULL,
		    &error)) {
		*ret_reason = g_strdup(error->message);
		return -ENOEXEC;
	}
	child_adopt(child, pid);
	return 0;
}

size_t child_list(pid_t ret_pids[CHILD_MAX_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t pid = atomic_load(&running[i]);

		if (pid > 0)
			ret_pids[count++] = pid;
	}
	return count;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};

	/* It stays there to be reaped. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return errno != EINTR;
	return info.si_pid == pid;
}

/* Waits for its end, but not for ever. Return: 0, or -ETIMEDOUT. */
static int wait_for_end(pid_t pid, int limit_ms)
{
	const gint64 end_us = g_get_monotonic_time() + (gint64)limit_ms * 1000;
	autofd pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd item = {.fd = pid_fd, .events = POLLIN};

	while (!has_ended(pid)) {
		gint64 left_ms = (end_us - g_get_monotonic_time() + 999) / 1000;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (pid_fd < 0)
			left_ms = MIN(left_ms, LOOK_INTERVAL_MS);
		poll(&item, 1, (int)left_ms);
	}
	return 0;
}

/*
 * Kills the group and reaps its leader, and then the others: where this process adopts what its
 * children leave behind, each is ours when its parent has been reaped, and not elsewhere.
 * Return: the leader's wait status.
 */
static int child_reap(struct child *child)
{
	int status = 0;

	kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	while (waitpid(-child->pid, NULL, 0) > 0 || errno == EINTR)
		;
	list_remove(child->pid);
	child->pid = 0;
	return status;
}

int child_wait(struct child *child, int limit_ms, int *ret_status)
{
	int status;

	if (child->pid <= 0)
		return -ECHILD;
	if (wait_for_end(child->pid, limit_ms) < 0)
		return -ETIMEDOUT;
	status = child_reap(child);
	if (ret_status)
		*ret_status = status;
	return 0;
}

void child_end(struct child *child)
{
	if (child->pid > 0)
		child_reap(child);
}

void child_kill_all(void)
{
	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t pid = atomic_load(&running[i]);

		if (pid > 0)
			kill(-pid, SIGKILL);
	}
}
