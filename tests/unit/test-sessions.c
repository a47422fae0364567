/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A supervisor with one connection, and sessions that do what a guest that has taken one over would:
 * the renderers here are run in their place, and are never ready. The supervisor is a child of this
 * process, which adopts whatever comes out of the tree.
 */
#include "session/listener.h"
#include "util/child.h"
#include "util/log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

/* What a session tells the test, and survives whoever dies. */
static struct {
	_Atomic int is_ready;
	_Atomic pid_t earlier_child;
	char problem[256];
} * shared;

static bool has_earlier_child;

struct supervisor {
	struct child child;
	int socket_fd; /* the front-end's end */
	int log_fd;
};

static G_GNUC_NORETURN void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static int fail(const char *what)
{
	g_strlcpy(shared->problem, what, sizeof(shared->problem));
	return -EIO;
}

static void wait_ready(void)
{
	while (!shared->is_ready)
		g_usleep(1000);
}

/* Leaves a process behind, in a session id of its own, that wants to outlive its parents. */
static void leave_stray(void)
{
	if (fork() == 0) {
		if (fork() == 0) {
			setsid();
			prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
			shared->is_ready = 1;
			sleep_for_ever();
		}
		_exit(0);
	}
	wait_ready();
}

/* One that is never where it was: each process ends when it has forked the next one. */
static void leave_runner(void)
{
	if (fork() == 0) {
		shared->is_ready = 1;
		for (;;) {
			if (fork() > 0)
				_exit(0);
		}
	}
	wait_ready();
}

typedef int (*create_fn)(const struct renderer_options *, struct renderer **, char **);

static int stray_and_end(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	leave_stray();
	*ret_message = g_strdup("nothing starts");
	return -EIO;
}

static int stray_and_die(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	leave_stray();
	raise(SIGKILL);
	return -EIO;
}

static int stray_and_hang(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	leave_stray();
	sleep_for_ever();
}

static int runner_and_die(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	leave_runner();
	raise(SIGKILL);
	return -EIO;
}

static bool is_null(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev &&
	       S_ISCHR(st.st_mode);
}

static bool is_log(int fd)
{
	struct stat st;
	char byte;

	/* Nothing comes out, and nobody is waited for. */
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && (fcntl(fd, F_GETFL) & O_NONBLOCK) &&
	       read(fd, &byte, 1) == 0;
}

/* A file that the supervisor had open, without FD_CLOEXEC, as whoever starts it may leave some. */
static struct stat inherited;

static bool has_inherited(void)
{
	for (int fd = 0; fd < 256; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && st.st_ino == inherited.st_ino &&
			st.st_dev == inherited.st_dev)
			return true;
	}
	return false;
}

static int look_around(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	int subreaper = 0;

	*ret_message = g_strdup("enough seen");
	if (!is_null(STDIN_FILENO))
		return fail("standard input");
	if (!is_log(STDOUT_FILENO) || !is_log(STDERR_FILENO))
		return fail("standard output or error");
	if (has_inherited())
		return fail("an inherited descriptor");
	if (getsid(0) != getpid())
		return fail("session id");
	if (prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) < 0 || !subreaper)
		return fail("subreaper");
	shared->is_ready = 1;
	return -EIO;
}

static void put(const char *text)
{
	struct pollfd item = {.fd = STDERR_FILENO, .events = POLLOUT};

	while (write(STDERR_FILENO, text, strlen(text)) < 0)
		poll(&item, 1, -1);
}

static int forge_lines(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	put("vhost-device-gpu: error: session 1: forged\n\x1b[2J\n");
	g_critical("%s", "my own");
	put("last words");
	raise(SIGKILL);
	return -EIO;
}

static int flood_log(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	for (unsigned int i = 0; i < 100000; i++)
		put("<4>flood\n");
	*ret_message = g_strdup("this is why");
	return -EIO;
}

static G_GNUC_NORETURN void run_supervisor(create_fn create, int connection_fd)
{
	const struct renderer_type type = {.name = "fake", .create = create};
	const struct listener_config config = {
		.connection_fd = connection_fd,
		.session = {.type = &type, .sandbox = SANDBOX_OFF},
		.max_sessions = 1,
		.once = true,
	};

	if (has_earlier_child && fork() == 0) {
		setsid();
		shared->earlier_child = getpid();
		sleep_for_ever();
	}
	while (has_earlier_child && !shared->earlier_child)
		g_usleep(1000);
	log_init(G_LOG_LEVEL_INFO);
	exit(listener_run(&config));
}

static void start(struct supervisor *supervisor, create_fn create)
{
	int sockets[2], log[2];

	shared->is_ready = 0;
	shared->problem[0] = '\0';
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), ==, 0);
	g_assert_cmpint(pipe(log), ==, 0);
	fstat(log[1], &inherited);
	if (child_fork(&supervisor->child) == 0) {
		close(sockets[0]);
		close(log[0]);
		dup2(log[1], STDERR_FILENO);
		run_supervisor(create, sockets[1]);
	}
	close(sockets[1]);
	close(log[1]);
	supervisor->socket_fd = sockets[0];
	supervisor->log_fd = log[0];
}

/* Waits for a line of the log, which is lost. */
static void wait_line(const struct supervisor *supervisor)
{
	char byte = 0;

	while (byte != '\n')
		g_assert_cmpint(read(supervisor->log_fd, &byte, 1), ==, 1);
}

static void say_something(const struct supervisor *supervisor)
{
	g_assert_cmpint(write(supervisor->socket_fd, "x", 1), ==, 1);
}

/* Waits for the supervisor's end; nothing may be left of it. Return: its log. */
static char **finish(struct supervisor *supervisor, int expected)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char chunk[4096];
	int status = 0;
	ssize_t len;

	/* The supervisor alone has the log. */
	while ((len = read(supervisor->log_fd, chunk, sizeof(chunk))) > 0)
		g_string_append_len(text, chunk, len);
	g_assert_cmpint(child_wait(&supervisor->child, PATIENCE_MS, &status), ==, 0);
	g_test_message("%s", text->len > 2000 ? text->str + text->len - 2000 : text->str);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, expected);
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
	g_assert_cmpstr(shared->problem, ==, "");
	close(supervisor->log_fd);
	close(supervisor->socket_fd);
	return g_strsplit(g_strchomp(text->str), "\n", -1);
}

static bool has_line(char **lines, const char *wanted)
{
	for (char **line = lines; *line; line++)
		if (strstr(*line, wanted))
			return true;
	return false;
}

static void check_run(create_fn create, const char *wanted)
{
	g_auto(GStrv) lines = NULL;
	struct supervisor supervisor;

	start(&supervisor, create);
	say_something(&supervisor);
	lines = finish(&supervisor, 1);
	g_assert_true(has_line(lines, wanted));
}

static void test_stray_of_end(void)
{
	check_run(stray_and_end, "ended with status 1");
}

static void test_stray_of_death(void)
{
	check_run(stray_and_die, "died of signal 9");
}

static void test_runner(void)
{
	check_run(runner_and_die, "died of signal 9");
}

static void test_surroundings(void)
{
	check_run(look_around, "ended with status 1");
	g_assert_cmpint(shared->is_ready, ==, 1);
}

/* What the supervisor had started before it was one is nobody's stray. */
static void test_earlier_children(void)
{
	struct supervisor supervisor;
	int status = 0;

	has_earlier_child = true;
	start(&supervisor, stray_and_end);
	has_earlier_child = false;
	say_something(&supervisor);
	while (!shared->earlier_child)
		g_usleep(1000);
	/* It comes to us when the supervisor has ended. */
	g_assert_cmpint(child_wait(&supervisor.child, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(waitpid(shared->earlier_child, &status, WNOHANG), ==, 0);
	kill(shared->earlier_child, SIGKILL);
	g_assert_cmpint(waitpid(shared->earlier_child, &status, 0), ==, shared->earlier_child);
	close(supervisor.log_fd);
	close(supervisor.socket_fd);
}

static void test_stray_of_signal(void)
{
	g_auto(GStrv) lines = NULL;
	struct supervisor supervisor;

	start(&supervisor, stray_and_hang);
	say_something(&supervisor);
	wait_ready();
	g_assert_cmpint(kill(supervisor.child.pid, SIGTERM), ==, 0);
	lines = finish(&supervisor, 1);
	g_assert_true(has_line(lines, "ended by a signal"));
}

static void test_forged_lines(void)
{
	g_auto(GStrv) lines = NULL;
	struct supervisor supervisor;
	static const char *const expected[] = {
		"warning: session N: vhost-device-gpu: error: session 1: forged",
		"warning: session N: \\x1b[2J",
		"error: session N: my own",
		"warning: session N: last words",
		"warning: session N died of signal 9",
	};
	guint count, first;

	start(&supervisor, forge_lines);
	say_something(&supervisor);
	lines = finish(&supervisor, 1);
	count = g_strv_length(lines);
	g_assert_cmpuint(count, >=, G_N_ELEMENTS(expected));
	first = count - G_N_ELEMENTS(expected);
	for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
		g_autoptr(GRegex) number = g_regex_new("session [0-9]{2,}", 0, 0, NULL);
		g_autofree char *line =
			g_regex_replace(number, lines[first + i], -1, 0, "session N", 0, NULL);
		g_autofree char *wanted = g_strdup_printf("vhost-device-gpu: %s", expected[i]);

		g_assert_true(g_str_has_prefix(line, wanted));
	}
}

static void test_flood(void)
{
	g_auto(GStrv) lines = NULL;
	struct supervisor supervisor;

	start(&supervisor, flood_log);
	say_something(&supervisor);
	lines = finish(&supervisor, 1);
	g_assert_cmpuint(g_strv_length(lines), <,
		log_pipe_child_rules.burst + log_pipe_child_rules.error_burst);
	g_assert_true(has_line(lines, "lines were left out"));
	g_assert_true(has_line(lines, "fake does not start: this is why"));
}

/* Who leaves without a word costs no session, and is no error. */
static void test_silent_end(void)
{
	g_auto(GStrv) lines = NULL;
	struct supervisor supervisor;

	start(&supervisor, stray_and_end);
	shutdown(supervisor.socket_fd, SHUT_RDWR);
	lines = finish(&supervisor, 0);
	g_assert_false(has_line(lines, "a front-end connected"));
}

static void test_signal_before(void)
{
	g_auto(GStrv) lines = NULL;
	struct supervisor supervisor;

	start(&supervisor, stray_and_end);
	/* That of the sandbox. */
	wait_line(&supervisor);
	g_assert_cmpint(kill(supervisor.child.pid, SIGINT), ==, 0);
	lines = finish(&supervisor, 0);
	g_assert_false(has_line(lines, "a front-end connected"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* Children say why they end, which is no failure of this program. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), ==, 0);
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	g_assert_true(shared != MAP_FAILED);
	g_test_add_func("/sessions/stray-of-end", test_stray_of_end);
	g_test_add_func("/sessions/stray-of-death", test_stray_of_death);
	g_test_add_func("/sessions/stray-of-signal", test_stray_of_signal);
	g_test_add_func("/sessions/runner", test_runner);
	g_test_add_func("/sessions/earlier-children", test_earlier_children);
	g_test_add_func("/sessions/surroundings", test_surroundings);
	g_test_add_func("/sessions/forged-lines", test_forged_lines);
	g_test_add_func("/sessions/flood", test_flood);
	g_test_add_func("/sessions/silent-end", test_silent_end);
	g_test_add_func("/sessions/signal-before", test_signal_before);
	return g_test_run();
}
