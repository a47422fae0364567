/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Child processes, and the list of those that run. The list is the process's, as children are: a
 * fixed number of atomic slots, which a thread that ends the process may read at any moment.
 *
 * A group is killed before its child is reaped, while its number cannot be anybody else's. One kill
 * reaches all of it, also what it forks just then; and in a sandbox nobody can leave it, since no filter
 * has setpgid() or setsid().
 */
#include "util/child.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Between two looks, where the kernel has no descriptors for processes. */
#define LOOK_INTERVAL_MS 2

static _Atomic pid_t running[CHILD_MAX_COUNT]; /* groups */

/* A child beyond the list runs all the same; only child_kill_all() does not know it. */
static void list_add(pid_t group)
{
	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t none = 0;

		if (atomic_compare_exchange_strong(&running[i], &none, group))
			return;
	}
}

static void list_remove(pid_t group)
{
	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t expected = group;

		if (atomic_compare_exchange_strong(&running[i], &expected, 0))
			return;
	}
}

/* In the child, also between fork and exec: only what is safe there. @group: 0 for one of its own. */
static void set_up(pid_t parent, pid_t group)
{
	sigset_t none;

	/* Signals of a terminal go to us, and we end it. */
	setpgid(0, group);
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

/* In both processes, so that it is in the group whoever comes first. */
static void child_adopt(struct child *child, pid_t pid, pid_t group)
{
	setpgid(pid, group);
	child->pid = pid;
	child->group = group;
	list_add(group);
}

pid_t child_fork(struct child *child)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		set_up(parent, 0);
	} else {
		*child = (struct child){.keeper_fd = -1};
		child_adopt(child, pid, pid);
	}
	return pid;
}

/*
 * The keeper outlives this process by a moment. It has nothing but the pipe, of which nothing but an
 * end is read, and no signal ends it but SIGKILL. Only what is safe between fork and exec.
 */
static G_GNUC_NORETURN void keep_group(int fd)
{
	sigset_t all;
	char byte;

	setpgid(0, 0);
	prctl(PR_SET_NAME, "keeper");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	dup2(fd, 0);
	fd_close_from(1);
	while (read(0, &byte, 1) != 0)
		;
	/* Itself, too. */
	kill(0, SIGKILL);
	_exit(EXIT_FAILURE);
}

/* Return: the keeper, which leads its group; or a negative errno. */
static pid_t start_keeper(int *ret_fd)
{
	int fds[2];
	pid_t pid;

	/* Only this process has the writing end, and only until it ends. */
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		keep_group(fds[0]);
	close(fds[0]);
	if (pid < 0) {
		int error = errno;

		close(fds[1]);
		return -error;
	}
	setpgid(pid, pid);
	*ret_fd = fds[1];
	return pid;
}

static void end_keeper(pid_t keeper, int *fd)
{
	fd_clear(fd);
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
}

struct spawn {
	const struct child_program *program;
	pid_t parent;
	pid_t group;
};

static void set_up_program(gpointer opaque)
{
	const struct spawn *spawn = opaque;

	set_up(spawn->parent, spawn->group);
	if (spawn->program->enter)
		spawn->program->enter(spawn->program->enter_opaque);
}

int child_spawn(struct child *child, const struct child_program *program, char **ret_reason)
{
	g_autofree int *sources = g_new(int, program->fd_count);
	g_autofree int *targets = g_new(int, program->fd_count);
	struct spawn spawn = {.program = program, .parent = getpid()};
	g_autoptr(GError) error = NULL;
	int keeper_fd = -1;
	GPid pid = 0;

	spawn.group = start_keeper(&keeper_fd);
	if (spawn.group < 0) {
		*ret_reason = g_strdup(g_strerror(-spawn.group));
		return spawn.group;
	}
	for (size_t i = 0; i < program->fd_count; i++) {
		sources[i] = program->fds[i].source_fd;
		targets[i] = program->fds[i].target_fd;
	}
	if (!g_spawn_async_with_pipes_and_fds(NULL, program->argv, program->environment,
		    G_SPAWN_DO_NOT_REAP_CHILD, set_up_program, &spawn, -1, program->output_fd,
		    program->output_fd, sources, targets, program->fd_count, &pid, NULL, NULL, NULL,
		    &error)) {
		*ret_reason = g_strdup(error->message);
		end_keeper(spawn.group, &keeper_fd);
		return -ENOEXEC;
	}
	*child = (struct child){.keeper_fd = keeper_fd};
	child_adopt(child, pid, spawn.group);
	return 0;
}

size_t child_list(pid_t ret_groups[CHILD_MAX_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < CHILD_MAX_COUNT; i++) {
		pid_t group = atomic_load(&running[i]);

		if (group > 0)
			ret_groups[count++] = group;
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
 * Kills the group and reaps the child, and then the others: where this process adopts what its
 * children leave behind, each is ours when its parent has been reaped, and not elsewhere.
 * Return: the child's wait status.
 */
static int child_reap(struct child *child)
{
	int status = 0;

	kill(-child->group, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	while (waitpid(-child->group, NULL, 0) > 0 || errno == EINTR)
		;
	list_remove(child->group);
	fd_clear(&child->keeper_fd);
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
		pid_t group = atomic_load(&running[i]);

		if (group > 0)
			kill(-group, SIGKILL);
	}
}
