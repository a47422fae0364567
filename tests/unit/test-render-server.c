/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/virgl/server.c with scripts in place of the render server: what they print, how they
 * end, and what they are given.
 */
#include "renderer/needs.h"
#include "renderer/virgl/renderer_virgl.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

struct fixture {
	char *dir;
	char *script;
	struct renderer_virgl virgl;
	GMainContext *context;
	bool is_lost;
};

static struct fixture *current;
static char *module_folder; /* of the build */

static void contexts_lost(void *opaque, uint64_t capset_mask)
{
	struct fixture *fixture = opaque;

	fixture->is_lost = true;
}

static const struct renderer_events events = {.contexts_lost = contexts_lost};

static void set_up(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *text = g_strdup_printf("#!/bin/sh\n%s\n", (const char *)data);

	fixture->dir = g_dir_make_tmp("server-XXXXXX", NULL);
	fixture->script = g_build_filename(fixture->dir, "server", NULL);
	g_assert_true(g_file_set_contents(fixture->script, text, -1, NULL));
	g_assert_cmpint(g_chmod(fixture->script, 0700), ==, 0);
	fixture->context = g_main_context_new();
	fixture->virgl = (struct renderer_virgl){
		.base.events = &events,
		.base.events_opaque = fixture,
		.server =
			{
				.path = fixture->script,
				.socket_fd = -1,
				.pid_fd = -1,
				.output = LOG_PIPE_NONE,
			},
	};
	current = fixture;
}

static void tear_down(struct fixture *fixture, gconstpointer data)
{
	g_main_context_unref(fixture->context);
	g_assert_cmpint(g_remove(fixture->script), ==, 0);
	g_assert_cmpint(g_rmdir(fixture->dir), ==, 0);
	g_free(fixture->script);
	g_free(fixture->dir);
	/* No process is left. */
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
}

static void start(struct fixture *fixture)
{
	char *reason = NULL;

	g_assert_cmpint(renderer_virgl_server_start(&fixture->virgl, &reason), ==, 0);
	renderer_virgl_server_watch(&fixture->virgl, fixture->context);
}

/* In a process whose standard error is looked at: until the script has ended. */
static void run_to_end(void)
{
	start(current);
	while (!current->is_lost)
		g_main_context_iteration(current->context, TRUE);
	renderer_virgl_server_stop(&current->virgl);
}

static void run_and_stop(void)
{
	start(current);
	renderer_virgl_server_stop(&current->virgl);
}

/* Runs a function in a process of its own. Return: its lines of the log. */
static char **collect(void (*run)(void))
{
	GString *text = g_string_new(NULL);
	struct child child = {0};
	char chunk[4096];
	int fds[2], status = 0;
	char **lines;
	ssize_t len;

	g_assert_cmpint(pipe(fds), ==, 0);
	if (child_fork(&child) == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		log_init(G_LOG_LEVEL_WARNING);
		run();
		_exit(0);
	}
	close(fds[1]);
	while ((len = read(fds[0], chunk, sizeof(chunk))) > 0)
		g_string_append_len(text, chunk, len);
	close(fds[0]);
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(status, ==, 0);
	g_test_message("%s", text->str);
	lines = g_strsplit(g_strchomp(text->str), "\n", -1);
	g_string_free(text, TRUE);
	return lines;
}

#define LINE "vhost-device-gpu: warning: "

static void test_output(struct fixture *fixture, gconstpointer data)
{
	g_auto(GStrv) lines = collect(run_to_end);

	g_assert_cmpuint(g_strv_length(lines), ==, 3);
	g_assert_cmpstr(lines[0], ==, LINE "render server: to stdout");
	g_assert_cmpstr(lines[1], ==, LINE "render server: to \\x1b[31mstderr");
	g_assert_nonnull(strstr(lines[2], "ended with status 3"));
}

/* More than the pipe holds; 2,000 lines, of which the limit lets through a few. */
static void test_flood(struct fixture *fixture, gconstpointer data)
{
	g_auto(GStrv) lines = collect(run_to_end);

	g_assert_cmpuint(g_strv_length(lines), ==, LOG_PEER_BURST + 2);
	g_assert_nonnull(strstr(lines[LOG_PEER_BURST], "render server: "));
	g_assert_true(g_str_has_suffix(lines[LOG_PEER_BURST], " more lines were left out"));
	g_assert_nonnull(strstr(lines[LOG_PEER_BURST + 1], "ended with status 0"));
}

/* It does not look at its socket, and has a child that does not either. */
static void test_stubborn(struct fixture *fixture, gconstpointer data)
{
	g_auto(GStrv) lines = collect(run_and_stop);

	g_assert_cmpuint(g_strv_length(lines), <=, 1);
}

/* Runs the script with a module wanted from @folder. Return: whether it got one from there. */
static bool preloads_from(struct fixture *fixture, const char *folder)
{
	g_autofree char *wanted = g_build_filename(folder, "vdg-late-driver.so", NULL);
	g_auto(GStrv) lines = NULL;
	bool found = false;

	g_setenv("VHOST_DEVICE_GPU_LIBDIR", folder, TRUE);
	fixture->virgl.vulkan.has_gpu = true;
	lines = collect(run_to_end);
	for (char **line = lines; *line; line++)
		found |= g_str_has_prefix(*line, LINE "render server: [") && strstr(*line, wanted);
	g_unsetenv("VHOST_DEVICE_GPU_LIBDIR");
	return found;
}

/* A file that stands for the module: the loader complains about it, and goes on. */
static void test_module_folder(struct fixture *fixture, gconstpointer data)
{
	g_autofree char *folder = g_build_filename(fixture->dir, "modules", NULL);
	g_autofree char *link = g_build_filename(fixture->dir, "link", NULL);
	g_autofree char *module = g_build_filename(folder, "vdg-late-driver.so", NULL);

	g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
	g_assert_true(g_file_set_contents(module, "", -1, NULL));
	g_assert_cmpint(symlink(folder, link), ==, 0);
	g_assert_true(preloads_from(fixture, folder));
	g_assert_false(preloads_from(fixture, link));
	g_assert_cmpint(g_chmod(folder, 0777), ==, 0);
	g_assert_false(preloads_from(fixture, folder));
	g_assert_cmpint(g_chdir(fixture->dir), ==, 0);
	g_assert_cmpint(g_chmod(folder, 0700), ==, 0);
	g_assert_false(preloads_from(fixture, "modules"));
	g_assert_cmpint(g_chdir("/"), ==, 0);
	if (geteuid() == 0) {
		g_assert_cmpint(chown(folder, 12345, 12345), ==, 0);
		g_assert_false(preloads_from(fixture, folder));
	}
	g_assert_cmpint(g_remove(module), ==, 0);
	g_assert_cmpint(g_remove(link), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* Built in the shell, since programs are what cannot be started. */
#define TRY                                                                                        \
	"[ -n \"$LD_PRELOAD\" ] || echo no module; "                                               \
	"(exec /bin/true) && echo executed; "                                                      \
	"(echo x >/tmp/vdg-render-server) && echo wrote; "                                         \
	"(echo x >\"$0\") && echo wrote; "                                                         \
	"(read x </etc/shadow) && echo read; "                                                     \
	"(read x </proc/$PPID/environ) && echo spied; "                                            \
	"(: ) || echo no process; "                                                                \
	"while read name value rest; do case $name in "                                            \
	"NoNewPrivs:|Seccomp:|CapEff:) echo $name $value;; esac; done </proc/self/status; "        \
	"echo done"

/* In a process of its own: the sandbox is for ever. */
static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
		       LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* From here on a call is not permitted. */
static void refuse_call(int number)
{
	struct sock_filter words[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {G_N_ELEMENTS(words), words};

	g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

static void run_confined(void)
{
	struct sandbox *sandbox = sandbox_create(SANDBOX_ON);

	g_setenv("VHOST_DEVICE_GPU_LIBDIR", module_folder, TRUE);
	sandbox_add(sandbox, &renderer_virgl_needs);
	sandbox_add_path(sandbox, current->dir, SANDBOX_READ);
	sandbox_begin(sandbox);
	current->virgl.sandbox = sandbox;
	run_to_end();
}

/* Return: what the start answers with @mode, and without the call where @missing_call is not 0. */
static int start_confined(enum sandbox_mode mode, int missing_call)
{
	struct sandbox *sandbox = sandbox_create(mode);
	g_autofree char *reason = NULL;
	int ret;

	sandbox_add(sandbox, &renderer_virgl_needs);
	sandbox_add_path(sandbox, current->dir, SANDBOX_READ);
	g_assert_cmpint(sandbox_begin(sandbox), ==, 0);
	if (missing_call)
		refuse_call(missing_call);
	current->virgl.sandbox = sandbox;
	ret = renderer_virgl_server_start(&current->virgl, &reason);
	if (ret == 0)
		renderer_virgl_server_stop(&current->virgl);
	return ret;
}

static void use_modules(const char *folder)
{
	g_setenv("VHOST_DEVICE_GPU_LIBDIR", folder, TRUE);
}

static void start_required(void)
{
	use_modules(module_folder);
	g_assert_cmpint(start_confined(SANDBOX_REQUIRED, 0), ==, 0);
}

/* The loader goes on without the module, as it does without one that it cannot load. */
static void start_without_module(void)
{
	use_modules(current->dir);
	g_assert_cmpint(start_confined(SANDBOX_REQUIRED, 0), ==, -EPERM);
}

static void start_on_without_module(void)
{
	use_modules(current->dir);
	g_assert_cmpint(start_confined(SANDBOX_ON, 0), ==, 0);
}

/* Between fork and exec the session's own domain is there already. */
static void start_without_landlock(void)
{
	use_modules(module_folder);
	g_assert_cmpint(start_confined(SANDBOX_REQUIRED, SYS_landlock_restrict_self), ==, -EPERM);
}

static void start_on_without_landlock(void)
{
	use_modules(module_folder);
	start_confined(SANDBOX_ON, SYS_landlock_restrict_self);
}

static bool has_text(char **lines, const char *wanted)
{
	for (char **line = lines; *line; line++)
		if (strstr(*line, wanted))
			return true;
	return false;
}

/* A server whose last steps fail before its main() serves nobody. */
static void test_last_steps(struct fixture *fixture, gconstpointer data)
{
	g_auto(GStrv) required = NULL, lacks_module = NULL, is_on = NULL, lacks_rules = NULL,
		      on_lacks_rules = NULL;

#ifndef HAVE_SECCOMP
	g_test_skip("this build has no filter");
	return;
#endif
	required = collect(start_required);
	g_assert_true(has_text(required, "render server: main"));
	lacks_module = collect(start_without_module);
	g_assert_true(has_text(lacks_module, "vdg-no-exec.so is missing"));
	is_on = collect(start_on_without_module);
	g_assert_true(has_text(is_on, "render server: main"));
	if (!has_landlock())
		return;
	lacks_rules = collect(start_without_landlock);
	g_assert_true(has_text(lacks_rules, "render server: not started"));
	g_assert_false(has_text(lacks_rules, "render server: main"));
	on_lacks_rules = collect(start_on_without_landlock);
	g_assert_true(has_text(on_lacks_rules, "render server: not started"));
	g_assert_false(has_text(on_lacks_rules, "render server: main"));
}

static bool has_line(char **lines, const char *wanted)
{
	for (char **line = lines; *line; line++)
		if (g_str_has_suffix(*line, wanted))
			return true;
	return false;
}

/* What of the sandbox is missing here is seen in tests/unit/test-sandbox.c. */
static void test_confined(struct fixture *fixture, gconstpointer data)
{
	static const char *const forbidden[] = {
		": executed", ": wrote", ": read", ": spied", ": no process", ": no module"};
	g_auto(GStrv) lines = NULL;

#ifndef HAVE_SECCOMP
	g_test_skip("this build has no filter");
	return;
#endif
	lines = collect(run_confined);
	g_assert_true(has_line(lines, LINE "render server: done"));
	g_assert_true(has_line(lines, "NoNewPrivs: 1"));
	g_assert_true(has_line(lines, "Seccomp: 2"));
	for (size_t i = 0; i < G_N_ELEMENTS(forbidden); i++)
		g_assert_false(has_line(lines, forbidden[i]));
#ifdef HAVE_CAP_NG
	g_assert_true(has_line(lines, "CapEff: 0000000000000000"));
#endif
}

#if !defined(HAVE_SECCOMP) || defined(HAVE_SANITIZERS)
#define HAS_SHORT_LIST false
#else
#define HAS_SHORT_LIST true
#endif

static int ask_setsid(void)
{
	return setsid() < 0 ? errno : 0;
}

static int ask_setpgid(void)
{
	return setpgid(0, 0) < 0 ? errno : 0;
}

static int ask_death_signal(void)
{
	return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ? errno : 0;
}

static int ask_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? errno : 0;
}

static pid_t supervisor; /* this process, in whose place it is */

static int ask_kill_supervisor(void)
{
	return kill(supervisor, 0) < 0 ? errno : 0;
}

static int ask_kill_thread(void)
{
	return syscall(SYS_tgkill, supervisor, supervisor, 0) < 0 ? errno : 0;
}

static int ask_kill_group(void)
{
	return kill(-getpid(), 0) < 0 ? errno : 0;
}

static int ask_kill_everybody(void)
{
	return kill(-1, 0) < 0 ? errno : 0;
}

static int ask_kill_self(void)
{
	return kill(getpid(), 0) < 0 ? errno : 0;
}

/* Asks in the server's place, and in that of a process that it forks. Return: the errno. */
static int ask_as_server(int (*ask)(void))
{
	struct child child = {0};
	int status = 0;

	if (child_fork(&child) == 0) {
		struct sandbox *sandbox = sandbox_create(SANDBOX_ON);
		struct sandbox_helper *helper = NULL;
		pid_t inner;
		int error;

		/* The filter alone: new versions of Landlock refuse signals as well. */
		if (sandbox_helper_create(sandbox, &renderer_virgl_server_needs, &helper) < 0)
			_exit(EXIT_FAILURE);
		sandbox_helper_enter(helper);
		error = ask();
		inner = fork();
		if (inner == 0)
			_exit(ask());
		if (waitpid(inner, &status, 0) != inner || WEXITSTATUS(status) != error)
			_exit(EXIT_FAILURE);
		_exit(error);
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	return WEXITSTATUS(status);
}

/* It cannot leave its group, nor kill the one who kills that. */
static void test_stays_in_tree(void)
{
	if (!HAS_SHORT_LIST) {
		g_test_skip("this build's filter has no list, or a longer one");
		return;
	}
	g_assert_cmpint(ask_as_server(ask_setsid), ==, ENOSYS);
	g_assert_cmpint(ask_as_server(ask_setpgid), ==, ENOSYS);
	g_assert_cmpint(ask_as_server(ask_death_signal), ==, ENOSYS);
	g_assert_cmpint(ask_as_server(ask_subreaper), ==, ENOSYS);
	supervisor = getpid();
	g_assert_cmpint(ask_as_server(ask_kill_supervisor), ==, EPERM);
	g_assert_cmpint(ask_as_server(ask_kill_thread), ==, EPERM);
	g_assert_cmpint(ask_as_server(ask_kill_group), ==, ENOSYS);
	g_assert_cmpint(ask_as_server(ask_kill_everybody), ==, ENOSYS);
	g_assert_cmpint(ask_as_server(ask_kill_self), ==, 0);
}

int main(int argc, char **argv)
{
	g_autofree char *program = g_canonicalize_filename(argv[0], NULL);
	g_autofree char *folder = g_path_get_dirname(program);

	module_folder = g_build_filename(folder, "..", "..", "src", "renderer", "modules", NULL);
	g_test_init(&argc, &argv, NULL);
#define ADD(name, script, function)                                                                \
	g_test_add("/render-server/" name, struct fixture, script, set_up, function, tear_down)
	ADD("output", "echo to stdout; printf 'to \\033[31mstderr' >&2; exit 3", test_output);
	ADD("flood",
		"i=0; while [ $i -lt 2000 ]; do echo a line of some length, number $i; "
		"i=$((i + 1)); done 2>/dev/null; exit 0",
		test_flood);
	ADD("stubborn", "sleep 1000 & sleep 1000", test_stubborn);
	ADD("confined", TRY, test_confined);
	ADD("last-steps", "echo main; exit 0", test_last_steps);
	ADD("module-folder", "echo \"[$LD_PRELOAD]\"; exit 0", test_module_folder);
	g_test_add_func("/render-server/stays-in-tree", test_stays_in_tree);
	return g_test_run();
}
