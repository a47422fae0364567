/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Theory of operation:
 *
 * A session may be taken over by its guest, and so may its render server. So what is to hold for it
 * afterwards is arranged outside of it, or cannot be undone by it.
 *
 * Descriptors: a session has none of ours, and no terminal. Its standard output and error are a pipe
 * that is read here, so that the log's file, journal or syslog are out of its reach.
 *
 * Processes: a session's helpers cannot leave their process group, because their filters have no
 * setsid() and no setpgid() (sandbox/base.c), and one kill() of a group reaches all of it, whatever it
 * forks meanwhile. Who loses its parent goes to the session, and is counted there
 * (session/usage.c); when the session has ended, it goes to us. So each child of ours that is no
 * session is a stray: its group is killed, and it is reaped. Its own children come to us then. (Not so
 * those that this process had before it was this program, by exec().)
 * Each session has a session id of its own (setsid(2)), so that nothing that is left behind can have
 * joined a group of another one.
 *
 * A PID namespace for each session would have the kernel do it. But it takes a privilege, or
 * a user namespace, which several distributions refuse to users; and the first process of one
 * survives abort() and most signals, sees 0 as the number of its front-end's process, and finds
 * neither itself nor its helpers under the numbers in /proc. A cgroup takes a privilege too.
 */
#include "session/sessions.h"

#include "util/fd.h"
#include "util/log.h"
#include "util/log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the connection is in a session, behind the standard streams. */
#define CONNECTION_FD 3

/* From one look at strays to the next, where no SIGCHLD comes. */
#define STRAYS_MS 100

#define CHILDREN_PATH "/proc/thread-self/children"

struct session_process {
	pid_t pid; /* 0 in the session itself */
	struct log_pipe log;
	int log_fd; /* in the session: the writing end */
	int connection_fd;
};

static struct session_process *get_process(const struct sessions *sessions, guint index)
{
	return g_ptr_array_index(sessions->list, index);
}

static void free_process(gpointer opaque)
{
	struct session_process *process = opaque;

	log_pipe_close(&process->log);
	fd_clear(&process->log_fd);
	g_free(process);
}

/* Those of this process, which has one thread. Return: pid_t; empty where /proc does not say. */
static GArray *list_children(void)
{
	GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	g_autofree char *text = NULL;
	char *at, *end;

	if (!g_file_get_contents(CHILDREN_PATH, &text, NULL, NULL))
		return pids;
	for (at = text;; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			return pids;
		g_array_append_val(pids, pid);
	}
}

void sessions_init(struct sessions *sessions)
{
	GArray *own = list_children();
	pid_t sid = getsid(0);

	/* Whoever became this program by exec() may have had children. */
	for (guint i = 0; i < own->len; i++)
		g_array_index(own, pid_t, i) = getsid(g_array_index(own, pid_t, i));
	g_array_append_val(own, sid);
	*sessions = (struct sessions){
		.list = g_ptr_array_new_with_free_func(free_process),
		.foreign_sids = own,
	};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || access(CHILDREN_PATH, R_OK) < 0)
		log_warning("processes that sessions leave behind will not be ended: %s: %s",
			CHILDREN_PATH, g_strerror(errno));
}

void sessions_finish(struct sessions *sessions)
{
	g_ptr_array_unref(sessions->list);
	g_array_unref(sessions->foreign_sids);
}

/* Start */

/* In the session: what the kernel is to know of it. */
static void enter_session(pid_t supervisor)
{
	/* No session outlives its supervisor, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(EXIT_FAILURE);
	/* No terminal, no signals from it, and no way into the groups of other sessions. */
	setsid();
	/* Helpers that lose their parent stay in the tree that is counted. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

pid_t sessions_start(struct sessions *sessions, int connection_fd)
{
	struct session_process *process = g_new0(struct session_process, 1);
	g_autofree char *name = NULL;
	pid_t supervisor = getpid();

	process->log = LOG_PIPE_NONE;
	process->connection_fd = connection_fd;
	process->log_fd = log_pipe_open(&process->log, "session", &log_pipe_child_rules);
	process->pid = process->log_fd < 0 ? process->log_fd : fork();
	if (process->pid < 0) {
		int error = process->log_fd < 0 ? -process->log_fd : errno;

		free_process(process);
		return -error;
	}
	g_ptr_array_add(sessions->list, process);
	if (process->pid == 0) {
		enter_session(supervisor);
		return 0;
	}
	fd_clear(&process->log_fd);
	name = g_strdup_printf("session %d", (int)process->pid);
	log_pipe_set_name(&process->log, name);
	return process->pid;
}

int sessions_isolate(struct sessions *sessions)
{
	const struct session_process *self = get_process(sessions, sessions->list->len - 1);
	/* Away from the numbers that they are to have. */
	int log_fd = fcntl(self->log_fd, F_DUPFD_CLOEXEC, CONNECTION_FD + 1);
	int connection_fd = fcntl(self->connection_fd, F_DUPFD_CLOEXEC, CONNECTION_FD + 1);
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	log_to_supervisor();
	/* Nothing ever comes out of the log pipe. */
	dup2(null_fd >= 0 ? null_fd : log_fd, STDIN_FILENO);
	if (log_fd < 0 || dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0 ||
		dup3(connection_fd, CONNECTION_FD, O_CLOEXEC) < 0)
		_exit(EXIT_FAILURE);
	fd_close_from(CONNECTION_FD + 1);
	for (guint i = 0; i < sessions->list->len; i++) {
		get_process(sessions, i)->log = LOG_PIPE_NONE;
		get_process(sessions, i)->log_fd = -1;
	}
	return CONNECTION_FD;
}

/* Strays */

/* What a session leaves behind has its session id, or one of its own, and can have no other. */
static bool is_stray(const struct sessions *sessions, pid_t pid)
{
	const pid_t sid = getsid(pid);

	for (guint i = 0; i < sessions->list->len; i++)
		if (get_process(sessions, i)->pid == pid)
			return false;
	for (guint i = 0; i < sessions->foreign_sids->len; i++)
		if (g_array_index(sessions->foreign_sids, pid_t, i) == sid)
			return false;
	return true;
}

static void kill_stray(pid_t pid)
{
	const pid_t group = getpgid(pid);

	if (group > 1)
		kill(-group, SIGKILL);
	kill(pid, SIGKILL);
}

/* Kills those there are now; their children are there the next time. */
static void end_strays(struct sessions *sessions)
{
	g_autoptr(GArray) pids = list_children();

	sessions->has_strays = false;
	for (guint i = 0; i < pids->len; i++) {
		pid_t pid = g_array_index(pids, pid_t, i);

		if (!is_stray(sessions, pid))
			continue;
		kill_stray(pid);
		sessions->has_strays = true;
	}
}

/* End */

static int write_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status)) {
		log_warning("session %d died of signal %d (%s)", (int)pid, WTERMSIG(status),
			g_strsignal(WTERMSIG(status)));
		return EXIT_FAILURE;
	}
	if (WEXITSTATUS(status) != 0)
		log_warning("session %d ended with status %d", (int)pid, WEXITSTATUS(status));
	else
		log_info("session %d ended", (int)pid);
	return WEXITSTATUS(status);
}

/* Return: whether @pid was a session. */
static bool remove_process(struct sessions *sessions, pid_t pid)
{
	for (guint i = 0; i < sessions->list->len; i++) {
		if (get_process(sessions, i)->pid != pid)
			continue;
		/* What it said last comes before how it ended. */
		g_ptr_array_remove_index_fast(sessions->list, i);
		return true;
	}
	return false;
}

unsigned int sessions_reap(struct sessions *sessions, int *ret_status)
{
	unsigned int count = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!remove_process(sessions, pid))
			continue;
		*ret_status = write_end(pid, status);
		count++;
	}
	end_strays(sessions);
	return count;
}

void sessions_signal(const struct sessions *sessions, int signal)
{
	for (guint i = 0; i < sessions->list->len; i++)
		kill(get_process(sessions, i)->pid, signal);
}

/* The supervisor's loop */

void sessions_list_polls(const struct sessions *sessions, GArray *polls, int *ret_wait_ms)
{
	if (sessions->has_strays && (*ret_wait_ms < 0 || *ret_wait_ms > STRAYS_MS))
		*ret_wait_ms = STRAYS_MS;
	for (guint i = 0; i < sessions->list->len; i++) {
		struct pollfd item = {
			.fd = log_pipe_poll(&get_process(sessions, i)->log, ret_wait_ms),
			.events = POLLIN,
		};

		g_array_append_val(polls, item);
	}
}

void sessions_tend(struct sessions *sessions)
{
	for (guint i = 0; i < sessions->list->len; i++) {
		struct log_pipe *log = &get_process(sessions, i)->log;
		int wait_ms = -1;

		if (log_pipe_poll(log, &wait_ms) >= 0)
			log_pipe_read(log);
	}
	if (sessions->has_strays)
		end_strays(sessions);
}
