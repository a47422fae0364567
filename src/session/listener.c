/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The supervisor: the process that listens, or waits at the one connection it was started with (--fd).
 * It owns the socket file and the list of sessions; it never starts a renderer, never maps guest
 * memory and never reads from a front-end, so that nothing a guest does can reach it. What it reads
 * are its sessions' log pipes.
 *
 * It forks, so it has no threads, and waits in poll() for descriptors rather than in a main
 * loop whose state a child would inherit: the socket, the signals that end it, and SIGCHLD. The
 * child comes out of the same functions by returning: role CHILD.
 *
 * It has no sandbox but for no_new_privs: its children would inherit what it gave up.
 *
 * A connection waits here, unread, for its first byte. One that is closed without a word, as by
 * somebody who only looks whether the daemon is there, costs no session.
 *
 * With --fd that has one more reason. libvirt moves the process it has started into the VM's cgroup,
 * after the start and before it starts QEMU. A process that was forked before would stay outside; one
 * that is forked when QEMU says its first word is inside.
 */
#include "session/listener.h"

#include "session/endpoint.h"
#include "session/probe.h"
#include "session/sessions.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/signals.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

/* How long sessions may take to end after SIGTERM before they are killed. */
#define STOP_LIMIT_MS 5000

/* Connections that have said nothing yet. */
#define MAX_WAITING 64

enum role { ROLE_LISTENER, ROLE_CHILD };

struct listener {
	const struct listener_config *config;
	struct session_config session; /* with the renderer that was chosen */
	struct endpoint endpoint;
	int stop_fd;  /* signalfd: SIGTERM, SIGINT */
	int child_fd; /* signalfd: SIGCHLD */
	struct sessions sessions;
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

/* From now on nothing new begins, and what there is has a limit of time. */
static void stop_soon(struct listener *listener)
{
	if (listener->stopping)
		return;
	listener->stopping = true;
	listener->stop_us = g_get_monotonic_time();
}

/* Sessions */

/* Is there one connection, which was there before us? */
static bool is_inherited(const struct listener *listener)
{
	return listener->config->connection_fd >= 0;
}

static void listener_reap(struct listener *listener)
{
	int status = 0;

	if (sessions_reap(&listener->sessions, &status) == 0)
		return;
	if (is_inherited(listener) || (listener->config->once && !listener->stopping))
		listener->exit_status = status;
	if (listener->config->once)
		stop_soon(listener);
}

/* In the child: lets go of everything that is the listener's. */
static enum role become_child(struct listener *listener)
{
	sigset_t child_signals;

	endpoint_close(&listener->endpoint);
	fd_clear(&listener->stop_fd);
	fd_clear(&listener->child_fd);
	close_waiting(listener);
	/* Those that end a session stay blocked: session_run() finds what is pending. */
	sigemptyset(&child_signals);
	sigaddset(&child_signals, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child_signals, NULL);
	listener->connection_fd = sessions_isolate(&listener->sessions);
	return ROLE_CHILD;
}

/* @fd: taken. */
static enum role start_session(struct listener *listener, int fd)
{
	pid_t pid = sessions_start(&listener->sessions, fd);

	if (pid == 0)
		return become_child(listener);
	if (pid < 0) {
		log_error("cannot start a session: %s", g_strerror(-pid));
		listener->exit_status = is_inherited(listener);
	} else {
		log_info("session %d: a front-end connected", (int)pid);
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
	if (listener->sessions.list->len < listener->config->max_sessions)
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
	if (len < 0)
		listener->exit_status = is_inherited(listener);
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
		sessions_signal(&listener->sessions, SIGKILL);
		listener->killed = true;
		return;
	}
	log_info("ended by a signal");
	stop_soon(listener);
	endpoint_remove(&listener->endpoint);
	close_waiting(listener);
	sessions_signal(&listener->sessions, SIGTERM);
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
		listener->exit_status = is_inherited(listener);
		close(get_waiting(listener, 0)->fd);
		g_array_remove_index(listener->waiting, 0);
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

/*
 * What poll() waits for: the three below, then the waiting connections in their order, then the logs
 * of the sessions, which look for themselves.
 */
enum { POLL_STOP, POLL_CHILD, POLL_ENDPOINT, POLL_WAITING };

static GArray *list_polls(const struct listener *listener, int *ret_wait_ms)
{
	GArray *polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
	const int fds[] = {listener->stop_fd, listener->child_fd, listener->endpoint.fd};

	for (guint i = 0; i < G_N_ELEMENTS(fds) + listener->waiting->len; i++) {
		int fd = i < G_N_ELEMENTS(fds) ? fds[i]
					       : get_waiting(listener, i - POLL_WAITING)->fd;
		struct pollfd item = {.fd = fd, .events = POLLIN};

		g_array_append_val(polls, item);
	}
	*ret_wait_ms = wait_time_ms(listener);
	sessions_list_polls(&listener->sessions, polls, ret_wait_ms);
	return polls;
}

/* @waiting_count: of the connections in @polls. */
static enum role handle_polls(struct listener *listener, GArray *polls, guint waiting_count)
{
	const struct pollfd *items = (const struct pollfd *)polls->data;

	if (items[POLL_STOP].revents)
		handle_stop(listener);
	if (items[POLL_CHILD].revents && listener_drain(listener->child_fd))
		listener_reap(listener);
	/* From the end, since one that is served or closed leaves the list. */
	for (guint i = MIN(waiting_count, listener->waiting->len); i-- > 0;) {
		if (items[POLL_WAITING + i].revents && i < listener->waiting->len &&
			check_waiting(listener, i) == ROLE_CHILD)
			return ROLE_CHILD;
	}
	if (items[POLL_ENDPOINT].revents && listener->endpoint.fd >= 0)
		accept_one(listener);
	return ROLE_LISTENER;
}

static void check_stop_limit(struct listener *listener)
{
	if (!listener->stopping || wait_time_ms(listener) != 0)
		return;
	if (listener->sessions.list->len > 0)
		log_warning("sessions that do not end are killed");
	sessions_signal(&listener->sessions, SIGKILL);
	listener->killed = true;
}

/* Return: whether there is nothing left to wait for. */
static bool is_over(const struct listener *listener)
{
	const struct sessions *sessions = &listener->sessions;

	if (sessions->list->len > 0)
		return false;
	/* Killed processes end, unless the kernel holds one; who started us is not held up by it. */
	if (listener->stopping)
		return !sessions->has_strays || listener->killed;
	return is_inherited(listener) && listener->waiting->len == 0;
}

/* Return: ROLE_LISTENER when all is over, ROLE_CHILD in a new session. */
static enum role listener_loop(struct listener *listener)
{
	while (!is_over(listener)) {
		int wait_ms;
		g_autoptr(GArray) polls = list_polls(listener, &wait_ms);
		const guint waiting_count = listener->waiting->len;
		int count = poll((struct pollfd *)polls->data, polls->len, wait_ms);

		sessions_tend(&listener->sessions);
		if (count > 0 && handle_polls(listener, polls, waiting_count) == ROLE_CHILD)
			return ROLE_CHILD;
		check_stop_limit(listener);
		drop_silent(listener);
	}
	if (listener->sessions.has_strays)
		log_warning("processes that a session left behind do not end, although they are "
			    "killed");
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

/* Return: 0, or a negative errno that was logged. */
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

/* Makes the socket, or takes the connection that there is. Return: as choose_renderer(). */
static int open_endpoint(struct listener *listener)
{
	const struct waiting inherited = {
		.fd = listener->config->connection_fd,
		.since_us = g_get_monotonic_time(),
	};
	g_autofree char *message = NULL;
	int ret;

	if (is_inherited(listener)) {
		g_array_append_val(listener->waiting, inherited);
		return 0;
	}
	ret = endpoint_open(listener->config->socket_path, &listener->endpoint, &message);
	if (ret < 0)
		log_error("%s", message);
	return ret;
}

static void listener_finish(struct listener *listener)
{
	endpoint_remove(&listener->endpoint);
	fd_clear(&listener->stop_fd);
	fd_clear(&listener->child_fd);
	close_waiting(listener);
	g_array_unref(listener->waiting);
	sessions_finish(&listener->sessions);
}

static enum role listen_and_serve(struct listener *listener)
{
	int ret;

	listener->exit_status = 1;
	/* First the socket: who started us may connect at once, and waits in the backlog. */
	if (open_signals(listener) < 0 || open_endpoint(listener) < 0)
		return ROLE_LISTENER;
	/* One session says itself what its renderer lacks, and starts it once. */
	ret = is_inherited(listener) && listener->session.type ? 0 : choose_renderer(listener);
	if (ret == -EINTR)
		listener->exit_status = 0;
	if (ret < 0)
		return ROLE_LISTENER;
	sandbox_announce(listener->session.sandbox);
	/* What a driver may have started in the probe is over: nothing here gains a privilege again. */
	(void)sandbox_forget_privileges(listener->session.sandbox);
	if (listener->endpoint.path)
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
		.waiting = g_array_new(FALSE, FALSE, sizeof(struct waiting)),
	};
	enum role role;

	sessions_init(&listener.sessions);
	role = listen_and_serve(&listener);
	listener_finish(&listener);
	if (role == ROLE_CHILD)
		return session_run(listener.connection_fd, &listener.session);
	return listener.exit_status;
}
