/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The process that listens. It owns the socket file and the list of sessions; it never starts a
 * renderer, never maps guest memory and never reads from a front-end, so that nothing a guest
 * does can reach it.
 *
 * It forks, so it has no threads, and waits in poll() for descriptors rather than in a main
 * loop whose state a child would inherit: the socket, the signals that end it, and SIGCHLD. The
 * child comes out of the same functions by returning: role CHILD.
 *
 * It has no sandbox but for no_new_privs: its children would inherit what it gave up.
 *
 * A connection waits here, unread, for its first byte. One that is closed without a word, as by
 * somebody who only looks whether the daemon is there, costs no session. Those that wait have places of
 * their own, not those of --max-sessions: where all are taken, the newest gets the oldest one's.
 */
#include "session/listener.h"

#include "session/endpoint.h"
#include "session/probe.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/signals.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* How long sessions may take to end after SIGTERM before they are killed. */
#define STOP_LIMIT_MS 5000

/* Connections that have said nothing yet. */
#define MAX_WAITING 64

enum role { ROLE_LISTENER, ROLE_CHILD };

struct listener {
	const struct listener_config *config;
	struct session_config session; /* with the renderer that was chosen */
	struct endpoint endpoint;
	int stop_fd;	 /* signalfd: SIGTERM, SIGINT */
	int child_fd;	 /* signalfd: SIGCHLD */
	GArray *pids;	 /* of the sessions */
	GArray *waiting; /* struct waiting, oldest first */
	bool stopping;
	gint64 stop_us; /* when the sessions were told */
	bool killed;
	int exit_status;
	int connection_fd; /* in a child: what it serves */
};

/* A connection that has said nothing yet. */
struct waiting {
	int fd; /* owned */
	gint64 since_us;
};

static struct waiting *get_waiting(const struct listener *listener, guint index)
{
	return &g_array_index(listener->waiting, struct waiting, index);
}

/* Reads away what is in a signalfd. Return: true if there was any. */
static bool listener_drain(int fd)
{
	struct signalfd_siginfo info;
	bool any = false;

	while (read(fd, &info, sizeof(info)) == sizeof(info))
		any = true;
	return any;
}

static void close_waiting(struct listener *listener)
{
	for (guint i = 0; i < listener->waiting->len; i++)
		close(get_waiting(listener, i)->fd);
	g_array_set_size(listener->waiting, 0);
}

static void signal_sessions(struct listener *listener, int signal)
{
	for (guint i = 0; i < listener->pids->len; i++)
		kill(g_array_index(listener->pids, pid_t, i), signal);
}

/* Sessions */

/* Return: the exit status that --once passes on. */
static int log_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status)) {
		log_warning("session %d died of signal %d (%s)", (int)pid, WTERMSIG(status),
			g_strsignal(WTERMSIG(status)));
		return 1;
	}
	if (WEXITSTATUS(status) != 0)
		log_warning("session %d ended with status %d", (int)pid, WEXITSTATUS(status));
	else
		log_info("session %d ended", (int)pid);
	return WEXITSTATUS(status);
}

static void listener_reap(struct listener *listener)
{
	int status;

	for (guint i = 0; i < listener->pids->len;) {
		pid_t pid = g_array_index(listener->pids, pid_t, i);

		if (waitpid(pid, &status, WNOHANG) != pid) {
			i++;
			continue;
		}
		g_array_remove_index_fast(listener->pids, i);
		status = log_end(pid, status);
		if (listener->config->once && !listener->stopping) {
			listener->stopping = true;
			listener->exit_status = status;
		}
	}
}

/* In the child: lets go of everything that is the listener's. */
static enum role become_child(struct listener *listener, pid_t listener_pid, int fd)
{
	g_autofree char *prefix = g_strdup_printf("session %d", (int)getpid());
	sigset_t child_signals;

	/* No session outlives the listener, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != listener_pid)
		_exit(1);
	log_set_prefix(prefix);
	endpoint_close(&listener->endpoint);
	fd_clear(&listener->stop_fd);
	fd_clear(&listener->child_fd);
	close_waiting(listener);
	/* Those that end a session stay blocked: session_run() finds what is pending. */
	sigemptyset(&child_signals);
	sigaddset(&child_signals, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child_signals, NULL);
	listener->connection_fd = fd;
	return ROLE_CHILD;
}

/* @fd: taken. */
static enum role start_session(struct listener *listener, int fd)
{
	pid_t listener_pid = getpid();
	pid_t pid = fork();

	if (pid == 0)
		return become_child(listener, listener_pid, fd);
	if (pid < 0) {
		log_error("cannot start a session: %s", g_strerror(errno));
	} else {
		log_info("session %d: a front-end connected", (int)pid);
		g_array_append_val(listener->pids, pid);
		if (listener->config->once) {
			endpoint_remove(&listener->endpoint);
			close_waiting(listener);
		}
	}
	close(fd);
	return ROLE_LISTENER;
}

/* Return: whether there is no place for a session, which was logged. */
static bool is_full(const struct listener *listener)
{
	if (listener->pids->len < listener->config->max_sessions)
		return false;
	log_peer("a front-end is hung up on: %u sessions run already (--max-sessions)",
		listener->config->max_sessions);
	return true;
}

static void drop_oldest(struct listener *listener)
{
	close(get_waiting(listener, 0)->fd);
	g_array_remove_index(listener->waiting, 0);
}

static void accept_one(struct listener *listener)
{
	struct waiting item = {.since_us = g_get_monotonic_time()};
	int fd = accept4(listener->endpoint.fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			log_peer("cannot accept a front-end: %s", g_strerror(errno));
			/* Out of descriptors or memory: the connection stays, do not spin. */
			g_usleep(G_USEC_PER_SEC / 10);
		}
		return;
	}
	if (is_full(listener)) {
		close(fd);
		return;
	}
	if (listener->waiting->len == MAX_WAITING) {
		log_peer("a front-end is hung up on: it said nothing, and %u others wait behind it",
			MAX_WAITING);
		drop_oldest(listener);
	}
	item.fd = fd;
	g_array_append_val(listener->waiting, item);
}

/* Looks for the first byte of a connection. */
static enum role check_waiting(struct listener *listener, guint index)
{
	int fd = get_waiting(listener, index)->fd;
	char byte;
	ssize_t len = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return ROLE_LISTENER;
	g_array_remove_index(listener->waiting, index);
	if (len > 0 && !is_full(listener))
		return start_session(listener, fd);
	if (len <= 0)
		log_debug("a front-end connected and left without a word");
	close(fd);
	return ROLE_LISTENER;
}

/* The loop */

static void handle_stop(struct listener *listener)
{
	listener_drain(listener->stop_fd);
	if (listener->stopping) {
		signal_sessions(listener, SIGKILL);
		listener->killed = true;
		return;
	}
	log_info("ended by a signal");
	listener->stopping = true;
	listener->stop_us = g_get_monotonic_time();
	endpoint_remove(&listener->endpoint);
	close_waiting(listener);
	signal_sessions(listener, SIGTERM);
}

/* Until the oldest silent connection is hung up on, or -1. */
static int silence_left_ms(const struct listener *listener)
{
	const gint64 limit_us =
		(gint64)listener->config->session.handshake_timeout_s * G_USEC_PER_SEC;
	gint64 left_us;

	if (limit_us == 0 || listener->waiting->len == 0)
		return -1;
	left_us = get_waiting(listener, 0)->since_us + limit_us - g_get_monotonic_time();
	return left_us > 0 ? (int)(left_us / 1000 + 1) : 0;
}

/* A place in --max-sessions is for who has something to say. */
static void drop_silent(struct listener *listener)
{
	while (silence_left_ms(listener) == 0) {
		log_peer("a front-end is hung up on: it said nothing in %u seconds "
			 "(--handshake-timeout)",
			listener->config->session.handshake_timeout_s);
		drop_oldest(listener);
	}
}

static int wait_time_ms(const struct listener *listener)
{
	gint64 left_ms;

	if (!listener->stopping)
		return silence_left_ms(listener);
	if (listener->killed)
		return -1;
	left_ms = STOP_LIMIT_MS - (g_get_monotonic_time() - listener->stop_us) / 1000;
	return left_ms > 0 ? (int)left_ms : 0;
}

/* What poll() waits for: the three below, then the waiting connections in their order. */
enum { POLL_STOP, POLL_CHILD, POLL_ENDPOINT, POLL_WAITING };

static GArray *list_polls(const struct listener *listener)
{
	GArray *polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
	const int fds[] = {listener->stop_fd, listener->child_fd, listener->endpoint.fd};

	for (guint i = 0; i < G_N_ELEMENTS(fds) + listener->waiting->len; i++) {
		int fd = i < G_N_ELEMENTS(fds) ? fds[i]
					       : get_waiting(listener, i - POLL_WAITING)->fd;
		struct pollfd item = {.fd = fd, .events = POLLIN};

		g_array_append_val(polls, item);
	}
	return polls;
}

static enum role handle_polls(struct listener *listener, GArray *polls)
{
	const struct pollfd *items = (const struct pollfd *)polls->data;

	if (items[POLL_STOP].revents)
		handle_stop(listener);
	if (items[POLL_CHILD].revents && listener_drain(listener->child_fd))
		listener_reap(listener);
	/* From the end, since one that is served or closed leaves the list. */
	for (guint i = MIN(polls->len - POLL_WAITING, listener->waiting->len); i-- > 0;) {
		if (items[POLL_WAITING + i].revents && i < listener->waiting->len &&
			check_waiting(listener, i) == ROLE_CHILD)
			return ROLE_CHILD;
	}
	if (items[POLL_ENDPOINT].revents && listener->endpoint.fd >= 0)
		accept_one(listener);
	return ROLE_LISTENER;
}

/* Return: ROLE_LISTENER when all is over, ROLE_CHILD in a new session. */
static enum role listener_loop(struct listener *listener)
{
	while (!listener->stopping || listener->pids->len > 0) {
		g_autoptr(GArray) polls = list_polls(listener);
		int count = poll((struct pollfd *)polls->data, polls->len, wait_time_ms(listener));

		if (count == 0 && listener->stopping) {
			log_warning("sessions that do not end are killed");
			signal_sessions(listener, SIGKILL);
			listener->killed = true;
		}
		if (count > 0 && handle_polls(listener, polls) == ROLE_CHILD)
			return ROLE_CHILD;
		drop_silent(listener);
	}
	return ROLE_LISTENER;
}

/* Start and end */

static int open_signals(struct listener *listener)
{
	static const int stop_signals[] = {SIGTERM, SIGINT};
	static const int child_signals[] = {SIGCHLD};

	listener->stop_fd = signals_open(stop_signals, G_N_ELEMENTS(stop_signals));
	listener->child_fd = signals_open(child_signals, G_N_ELEMENTS(child_signals));
	if (listener->stop_fd < 0 || listener->child_fd < 0) {
		log_error("cannot receive signals: signalfd failed");
		return -EMFILE;
	}
	return 0;
}

/* Return: 0, or a negative errno that was logged (but for -EINTR: a signal that ends us). */
static int choose_renderer(struct listener *listener)
{
	const struct renderer_type *wanted = listener->config->session.type;
	g_autofree char *message = NULL;
	int ret = probe_choose(wanted, &listener->session.renderer, listener->stop_fd,
		&listener->session.type, &message);

	if (ret == -EINTR) {
		log_info("ended by a signal");
		return ret;
	}
	if (ret < 0) {
		log_error("no renderer starts: %s", message);
		return ret;
	}
	listener->session.is_probed = true;
	log_info("mode %s%s%s%s", listener->session.type->name,
		wanted ? "" : " is the best that starts here", message ? "; " : "",
		message ? message : "");
	return 0;
}

static void listener_finish(struct listener *listener)
{
	endpoint_remove(&listener->endpoint);
	fd_clear(&listener->stop_fd);
	fd_clear(&listener->child_fd);
	close_waiting(listener);
	g_array_unref(listener->waiting);
	g_array_unref(listener->pids);
}

static enum role listen_and_serve(struct listener *listener)
{
	g_autofree char *message = NULL;
	int ret;

	listener->exit_status = 1;
	if (open_signals(listener) < 0)
		return ROLE_LISTENER;
	/* First the socket: who started us may connect at once, and waits in the backlog. */
	if (endpoint_open(listener->config->socket_path, &listener->endpoint, &message) < 0) {
		log_error("%s", message);
		return ROLE_LISTENER;
	}
	ret = choose_renderer(listener);
	if (ret == -EINTR)
		listener->exit_status = 0;
	if (ret < 0)
		return ROLE_LISTENER;
	sandbox_announce(listener->session.sandbox);
	/* What a driver may have started in the probe is over: nothing here gains a privilege again. */
	(void)sandbox_forget_privileges(listener->session.sandbox);
	log_info("listening on %s", listener->endpoint.path);
	listener->exit_status = 0;
	return listener_loop(listener);
}

int listener_run(const struct listener_config *config)
{
	struct listener listener = {
		.config = config,
		.session = config->session,
		.endpoint.fd = -1,
		.stop_fd = -1,
		.child_fd = -1,
		.connection_fd = -1,
		.pids = g_array_new(FALSE, FALSE, sizeof(pid_t)),
		.waiting = g_array_new(FALSE, FALSE, sizeof(struct waiting)),
	};
	enum role role = listen_and_serve(&listener);

	listener_finish(&listener);
	if (role == ROLE_CHILD)
		return session_run(listener.connection_fd, &listener.session);
	return listener.exit_status;
}
