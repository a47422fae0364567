/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The sandbox from the inside: a process that closed it tries what is forbidden (sandbox-attempts.c),
 * with each part alone, and what has to work.
 */
#include "sandbox-attempts.h"
#include "sandbox/private.h"
#include "util/child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* What a session of the mode 2d has: see session/confine.c. */
static struct sandbox *close_sandbox(enum sandbox_mode mode, int parts)
{
	struct sandbox *sandbox = sandbox_create(mode);

	if (parts & ATTEMPT_FILES)
		sandbox_begin(sandbox);
	else
		sandbox_forget_privileges(mode);
	if (parts & ATTEMPT_FILTER)
		sandbox_close(sandbox);
	return sandbox;
}

/* Runs an attempt in a process of its own. Return: as the attempt. */
static int try_in(enum sandbox_mode mode, int parts, int (*run)(void))
{
	struct child child = {0};
	int status = 0;

	if (child_fork(&child) == 0) {
		attempts_make_sockets();
		close_sandbox(mode, parts);
		_exit(run());
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool is_refusal(int error)
{
	return error == ENOSYS || error == EPERM || error == EACCES;
}

static void check_refused(const struct attempt *attempt, int parts, const char *part)
{
	int error = try_in(SANDBOX_ON, parts, attempt->run);

	if (!is_refusal(error))
		g_error("%s: %s answers '%s'", attempt->name, part, g_strerror(error));
}

static void test_attempt(gconstpointer data)
{
	const struct attempt *attempt = data;
	const int version = sandbox_landlock_version();
	const bool has_filter = sandbox_filter_check() == 0;
	const bool has_files = version > 0 && version >= attempt->version;
	int tried = 0;

#ifdef HAVE_SANITIZERS
	if (attempt->is_sanitizers) {
		g_test_skip("sanitizers need it");
		return;
	}
#endif
	if (attempt->works_outside &&
		try_in(SANDBOX_OFF, ATTEMPT_FILES | ATTEMPT_FILTER, attempt->run) != 0) {
		g_test_skip("it is refused here without a sandbox too");
		return;
	}
	if ((attempt->parts & ATTEMPT_FILES) && has_files) {
		check_refused(attempt, ATTEMPT_FILES, "Landlock");
		tried++;
	}
	if ((attempt->parts & ATTEMPT_FILTER) && has_filter) {
		check_refused(attempt, ATTEMPT_FILTER, "the filter");
		tried++;
	}
	if (tried == 0)
		g_test_skip("the kernel or the build lacks the part");
}

/* What has to work */

static int live_on(void)
{
	g_autofree char *memory = g_strnfill(10000000, 'x');
	g_autofree char *text = NULL;
	struct timespec moment = {.tv_nsec = 1};

	if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL) ||
		!strstr(text, "NoNewPrivs:\t1\n"))
		return 1;
	if (attempt_open("/usr", O_RDONLY | O_DIRECTORY) != 0)
		return 2;
	/* What drivers look for: the GPU by its number, the processors. */
	if (attempt_open("/sys/dev/char", O_RDONLY | O_DIRECTORY) != 0 ||
		attempt_open("/sys/devices/system/cpu/possible", O_RDONLY) != 0)
		return 4;
	nanosleep(&moment, NULL);
	return memory[9999999] == 'x' ? 0 : 3;
}

static gpointer return_opaque(gpointer opaque)
{
	return opaque;
}

static int start_thread(void)
{
	GThread *thread = g_thread_try_new("thread", return_opaque, &attempt_world, NULL);

	return thread && g_thread_join(thread) == &attempt_world ? 0 : 1;
}

static int use_open_files(void)
{
	char byte = 'x';

	return attempt_result(pwrite(attempt_world.file_fd, &byte, 1, 0));
}

static void test_lives_on(void)
{
	g_assert_cmpint(try_in(SANDBOX_ON, ATTEMPT_FILES | ATTEMPT_FILTER, live_on), ==, 0);
	g_assert_cmpint(try_in(SANDBOX_ON, ATTEMPT_FILES | ATTEMPT_FILTER, start_thread), ==, 0);
	g_assert_cmpint(try_in(SANDBOX_ON, ATTEMPT_FILES | ATTEMPT_FILTER, use_open_files), ==, 0);
}

/* abort() ends in SIGABRT, not in whatever comes when that signal cannot be sent. */
static void test_abort(void)
{
	struct child child = {0};
	int status = 0;

	if (child_fork(&child) == 0) {
		close_sandbox(SANDBOX_ON, ATTEMPT_FILES | ATTEMPT_FILTER);
		abort();
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpint(WTERMSIG(status), ==, SIGABRT);
}

static int has_no_privileges(void)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
		return 1;
#ifdef HAVE_CAP_NG
	if (!strstr(text, "CapEff:\t0000000000000000\n") ||
		!strstr(text, "CapPrm:\t0000000000000000\n") ||
		!strstr(text, "CapInh:\t0000000000000000\n") ||
		!strstr(text, "CapAmb:\t0000000000000000\n"))
		return 2;
	if (geteuid() == 0 && !strstr(text, "CapBnd:\t0000000000000000\n"))
		return 3;
#endif
	return 0;
}

static void test_privileges(void)
{
	g_assert_cmpint(try_in(SANDBOX_ON, ATTEMPT_FILES, has_no_privileges), ==, 0);
}

/* A thread that was there before is filtered as well. */
static pthread_barrier_t barrier;

static gpointer try_from_thread(gpointer opaque)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return GINT_TO_POINTER(attempt_socket_inet());
}

static void test_threads(void)
{
	struct child child = {0};
	int status = 0;

	if (sandbox_filter_check() < 0) {
		g_test_skip("no filter here");
		return;
	}
	if (child_fork(&child) == 0) {
		GThread *thread;

		pthread_barrier_init(&barrier, NULL, 2);
		thread = g_thread_new("early", try_from_thread, NULL);
		pthread_barrier_wait(&barrier);
		close_sandbox(SANDBOX_ON, ATTEMPT_FILES | ATTEMPT_FILTER);
		pthread_barrier_wait(&barrier);
		_exit(GPOINTER_TO_INT(g_thread_join(thread)));
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, ENOSYS);
}

/* Needs */

static const struct sandbox_call more_calls[] = {
	SANDBOX_CALL_IF_INT(socket, 0, AF_UNIX),
	SANDBOX_CALL(connect),
	SANDBOX_CALL(mmap),
	{.name = "no_such_call"},
	{0},
};

static const struct sandbox_needs more_needs = {.calls = more_calls};

/* Return: as @run. */
static int try_with(const struct sandbox_needs *needs, const char *path, enum sandbox_access access,
	int (*run)(void))
{
	struct child child = {0};
	int status = 0;

	if (child_fork(&child) == 0) {
		struct sandbox *sandbox = sandbox_create(SANDBOX_ON);

		sandbox_add(sandbox, needs);
		sandbox_add_path(sandbox, path, access);
		sandbox_begin(sandbox);
		sandbox_close(sandbox);
		_exit(run());
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A need opens what it names: also a call that another list names with a condition. */
static void test_calls(void)
{
	g_assert_cmpint(try_with(&more_needs, NULL, 0, attempt_socket_unix), ==, 0);
	g_assert_cmpint(try_with(&more_needs, NULL, 0, attempt_make_code), ==, 0);
	if (sandbox_filter_check() == 0) {
		g_assert_cmpint(try_with(&more_needs, NULL, 0, attempt_socket_inet), ==, ENOSYS);
		g_assert_cmpint(try_with(&more_needs, NULL, 0, attempt_socket_netlink), ==, ENOSYS);
	}
}

static void test_paths(void)
{
	const char *folder = attempt_world.folder;

	if (sandbox_landlock_version() < 0) {
		g_test_skip("no Landlock here");
		return;
	}
	g_assert_cmpint(try_with(NULL, folder, SANDBOX_READ, attempt_read_secret), ==, 0);
	g_assert_cmpint(try_with(NULL, folder, SANDBOX_READ, attempt_write_secret), ==, EACCES);
	g_assert_cmpint(try_with(NULL, folder, SANDBOX_READ, attempt_create_in_folder), ==, EACCES);
	g_assert_cmpint(try_with(NULL, folder, SANDBOX_DEVICE, attempt_write_secret), ==, 0);
	g_assert_cmpint(
		try_with(NULL, folder, SANDBOX_DEVICE, attempt_create_in_folder), ==, EACCES);
	g_assert_cmpint(try_with(NULL, folder, SANDBOX_WRITE, attempt_create_in_folder), ==, 0);
	g_assert_cmpint(try_with(NULL, folder, SANDBOX_SOCKETS, attempt_read_secret), ==, EACCES);
	g_assert_cmpint(
		try_with(NULL, attempt_world.secret, SANDBOX_READ, attempt_read_secret), ==, 0);
	g_assert_cmpint(try_with(NULL, attempt_world.secret, SANDBOX_READ, attempt_list_folder), ==,
		EACCES);
	g_assert_cmpint(try_with(NULL, "/nonexistent/path", SANDBOX_READ, live_on), ==, 0);
}

static int end_child_group(void)
{
	pid_t pids[CHILD_MAX_COUNT];

	if (child_list(pids) != 1)
		return 101;
	if (!is_refusal(attempt_result(kill(-1, 0))) ||
		!is_refusal(attempt_result(kill(pids[0], 0))))
		return 102;
	return attempt_result(kill(-pids[0], SIGKILL));
}

static void test_own_children(void)
{
	static const struct sandbox_call calls[] = {
		{.name = "kill", .match = SANDBOX_OWN_CHILDREN}, {0}};
	static const struct sandbox_needs needs = {.calls = calls};
	struct child child = {0};
	int status = 0;

	if (sandbox_filter_check() < 0) {
		g_test_skip("no filter here");
		return;
	}
	if (child_fork(&child) == 0) {
		struct child grandchild = {0};
		struct sandbox *sandbox = sandbox_create(SANDBOX_ON);

		sandbox_add(sandbox, &needs);
		sandbox_begin(sandbox);
		/* Between the stages, as a render server: a signal goes to who is in the sandbox. */
		if (child_fork(&grandchild) == 0) {
			pause();
			_exit(0);
		}
		sandbox_close(sandbox);
		_exit(end_child_group());
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFEXITED(status));
#ifndef HAVE_SANITIZERS
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
#endif
}

/* Modes */

static int has_a_filter(void)
{
	g_autofree char *text = NULL;

	return g_file_get_contents("/proc/self/status", &text, NULL, NULL) &&
			       strstr(text, "Seccomp:\t2\n") && attempt_socket_inet() == 0 &&
			       attempt_read_secret() == 0 && attempt_exec_true() == 0
		       ? 0
		       : 1;
}

/* attempt_exec_true() does not come back. */
static void test_log_mode(void)
{
	if (sandbox_filter_check() < 0) {
		g_test_skip("no filter here");
		return;
	}
	g_assert_cmpint(try_in(SANDBOX_LOG, ATTEMPT_FILES | ATTEMPT_FILTER, has_a_filter), ==, 0);
}

/* A container that does not permit a call; its first argument is @arg, where that is not -1. */
static void refuse_call(int number, int arg)
{
	struct sock_filter words[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)arg, 0, arg < 0 ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {G_N_ELEMENTS(words), words};

	g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
	g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

/* A part that is built in, and the call without which it is not active. */
static const struct part {
	const char *name;
	int call;
	int arg;
	int stage; /* ATTEMPT_FILES or ATTEMPT_FILTER */
} parts[] = {
	{"no-new-privileges", SYS_prctl, PR_SET_NO_NEW_PRIVS, ATTEMPT_FILES},
	{"landlock-version", SYS_landlock_create_ruleset, -1, ATTEMPT_FILES},
	{"landlock-enter", SYS_landlock_restrict_self, -1, ATTEMPT_FILES},
#ifdef HAVE_CAP_NG
	{"capabilities", SYS_capset, -1, ATTEMPT_FILES},
#endif
#ifdef HAVE_SECCOMP
	{"filter-known", SYS_seccomp, -1, ATTEMPT_FILTER},
	{"filter-enter", SYS_seccomp, SECCOMP_SET_MODE_FILTER, ATTEMPT_FILTER},
#endif
};

/* Return: 0 where each stage answers as it has to. */
static int begin_without(const struct part *part, enum sandbox_mode mode)
{
	const int refused = mode == SANDBOX_REQUIRED ? -EPERM : 0;
	struct sandbox *sandbox = sandbox_create(mode);

	if (sandbox_begin(sandbox) != (part->stage == ATTEMPT_FILES ? refused : 0))
		return 1;
	if (part->stage == ATTEMPT_FILTER && sandbox_close(sandbox) != refused)
		return 2;
	return 0;
}

static void check_without(const struct part *part, enum sandbox_mode mode)
{
	struct child child = {0};
	int status = 0;

	if (child_fork(&child) == 0) {
		refuse_call(part->call, part->arg);
		if (sandbox_require(mode) != (mode == SANDBOX_REQUIRED ? -EPERM : 0))
			_exit(3);
		_exit(begin_without(part, mode));
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

/* What is required and cannot be had is an error; otherwise it is a warning, and the rest holds. */
static void test_part_is_missing(gconstpointer data)
{
	if (sandbox_landlock_version() < 0) {
		g_test_skip("no Landlock here");
		return;
	}
	check_without(data, SANDBOX_REQUIRED);
	check_without(data, SANDBOX_ON);
}

/* Where all parts are there it is the same as on. */
static void test_required(void)
{
	if (sandbox_landlock_version() < 0) {
		g_test_skip("no Landlock here");
		return;
	}
	/* The trial leaves the process as it is. */
	g_assert_cmpint(sandbox_require(SANDBOX_REQUIRED), ==, 0);
	g_assert_cmpint(try_in(SANDBOX_REQUIRED, ATTEMPT_FILES | ATTEMPT_FILTER, live_on), ==, 0);
	g_assert_cmpint(try_in(SANDBOX_REQUIRED, ATTEMPT_FILES, has_no_privileges), ==, 0);
	g_assert_cmpint(try_in(SANDBOX_REQUIRED, ATTEMPT_FILES, attempt_read_secret), ==, EACCES);
}

static void test_names(void)
{
	enum sandbox_mode mode;

	g_assert_cmpint(sandbox_mode_parse("on", &mode), ==, 0);
	g_assert_cmpint(mode, ==, SANDBOX_ON);
	g_assert_cmpint(sandbox_mode_parse("off", &mode), ==, 0);
	g_assert_cmpint(mode, ==, SANDBOX_OFF);
	g_assert_cmpint(sandbox_mode_parse("log", &mode), ==, 0);
	g_assert_cmpint(mode, ==, SANDBOX_LOG);
	g_assert_cmpint(sandbox_mode_parse("required", &mode), ==, 0);
	g_assert_cmpint(mode, ==, SANDBOX_REQUIRED);
	g_assert_cmpint(sandbox_mode_parse("ON", &mode), ==, -EINVAL);
	g_assert_cmpint(sandbox_mode_parse("", &mode), ==, -EINVAL);
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	/* What is missing is logged as an error. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	attempts_make_world();
	for (size_t i = 0; attempts[i].name; i++) {
		g_autofree char *path = g_strdup_printf("/sandbox/refused/%s", attempts[i].name);

		g_test_add_data_func(path, &attempts[i], test_attempt);
	}
	g_test_add_func("/sandbox/lives-on", test_lives_on);
	g_test_add_func("/sandbox/abort", test_abort);
	g_test_add_func("/sandbox/privileges", test_privileges);
	g_test_add_func("/sandbox/threads", test_threads);
	g_test_add_func("/sandbox/calls", test_calls);
	g_test_add_func("/sandbox/paths", test_paths);
	g_test_add_func("/sandbox/own-children", test_own_children);
	g_test_add_func("/sandbox/log-mode", test_log_mode);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_strdup_printf("/sandbox/missing/%s", parts[i].name);

		g_test_add_data_func(path, &parts[i], test_part_is_missing);
	}
	g_test_add_func("/sandbox/required", test_required);
	g_test_add_func("/sandbox/names", test_names);
	status = g_test_run();
	attempts_remove_world();
	return status;
}
