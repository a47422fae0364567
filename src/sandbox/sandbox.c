/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The stages of the sandbox, in their order, and what the log says of them. Which paths and calls
 * there are is not known here: they come with the needs.
 */
#include "sandbox/sandbox.h"

#include "sandbox/private.h"
#include "util/child.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_CAP_NG
#include <cap-ng.h>
#endif

const char *const sandbox_modes[] = {"on", "off", "log", "required", NULL};

/* A trial takes milliseconds. */
#define TRIAL_LIMIT_MS 10000

struct sandbox_file {
	const char *path; /* borrowed */
	enum sandbox_access access;
};

struct sandbox {
	enum sandbox_mode mode;
	GPtrArray *needs; /* const struct sandbox_needs */
	GArray *files;	  /* struct sandbox_file */
	int landlock;	  /* the kernel's version, or a negative errno */
	int ruleset_fd;	  /* -1 before sandbox_begin(), and where there is no Landlock */
	GString *failed;  /* parts that are required and not active, with the reason */
};

struct sandbox_helper {
	struct sandbox_filter *filter;
	int ruleset_fd; /* owned, or -1 */
	bool only_log;
};

int sandbox_mode_parse(const char *text, enum sandbox_mode *ret_mode)
{
	for (int i = 0; sandbox_modes[i]; i++) {
		if (strcmp(sandbox_modes[i], text) == 0) {
			*ret_mode = (enum sandbox_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* What there is */

static const char *describe_errno(int error)
{
	switch (error) {
	case -ENOPKG:
		return "not in this build";
	case -ENOSYS:
		return "the kernel has none";
	case -EOPNOTSUPP:
		return "it is switched off in the kernel";
	default:
		return g_strerror(-error);
	}
}

static int check_capabilities(void)
{
#ifdef HAVE_CAP_NG
	return 0;
#else
	return -ENOPKG;
#endif
}

static void add_part(GString *present, GString *missing, const char *part, int ret)
{
	if (ret < 0)
		g_string_append_printf(missing, "%s%s (%s)", missing->len > 0 ? ", " : "", part,
			describe_errno(ret));
	else
		g_string_append_printf(present, ", %s", part);
}

void sandbox_announce(enum sandbox_mode mode)
{
	g_autoptr(GString) present = g_string_new("no new privileges");
	g_autoptr(GString) missing = g_string_new(NULL);
	int version = sandbox_landlock_version();
	g_autofree char *landlock =
		version < 0 ? g_strdup("Landlock") : g_strdup_printf("Landlock %d", version);

	if (mode == SANDBOX_OFF) {
		log_warning("sandbox: off");
		return;
	}
	if (mode != SANDBOX_LOG) {
		add_part(present, missing, "no capabilities", check_capabilities());
		add_part(present, missing, landlock, version);
	}
	add_part(present, missing, "a filter of system calls", sandbox_filter_check());
	if (mode == SANDBOX_LOG)
		log_warning("sandbox: refuses nothing, the kernel logs calls that the filter would "
			    "refuse%s%s",
			missing->len > 0 ? "; missing: " : "", missing->str);
	else if (missing->len > 0)
		log_warning("sandbox: %s; missing: %s", present->str, missing->str);
	else
		log_info("sandbox: %s", present->str);
}

/* The object */

struct sandbox *sandbox_create(enum sandbox_mode mode)
{
	struct sandbox *sandbox = g_new0(struct sandbox, 1);

	sandbox->mode = mode;
	sandbox->needs = g_ptr_array_new();
	sandbox->files = g_array_new(FALSE, FALSE, sizeof(struct sandbox_file));
	sandbox->landlock = sandbox_landlock_version();
	sandbox->ruleset_fd = -1;
	sandbox->failed = g_string_new(NULL);
	sandbox_add(sandbox, &sandbox_base_needs);
	return sandbox;
}

void sandbox_destroy(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	fd_clear(&sandbox->ruleset_fd);
	g_string_free(sandbox->failed, TRUE);
	g_array_unref(sandbox->files);
	g_ptr_array_unref(sandbox->needs);
	g_free(sandbox);
}

bool sandbox_is_on(const struct sandbox *sandbox)
{
	return sandbox && (sandbox->mode == SANDBOX_ON || sandbox->mode == SANDBOX_REQUIRED);
}

bool sandbox_is_required(const struct sandbox *sandbox)
{
	return sandbox && sandbox->mode == SANDBOX_REQUIRED;
}

void sandbox_add(struct sandbox *sandbox, const struct sandbox_needs *needs)
{
	if (needs)
		g_ptr_array_add(sandbox->needs, (gpointer)needs);
}

void sandbox_add_path(struct sandbox *sandbox, const char *path, enum sandbox_access access)
{
	const struct sandbox_file file = {path, access};

	if (path)
		g_array_append_val(sandbox->files, file);
}

/* The first stage */

static void allow_path(const struct sandbox *sandbox, const char *path, enum sandbox_access access)
{
	int ret = sandbox_landlock_allow(sandbox->ruleset_fd, sandbox->landlock, path, access);

	if (ret < 0 && ret != -ENOENT)
		log_debug("sandbox: '%s' stays closed: %s", path, g_strerror(-ret));
}

static void allow_pattern(const struct sandbox *sandbox, const struct sandbox_path *path)
{
	glob_t found;

	if (glob(path->pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		allow_path(sandbox, found.gl_pathv[i], path->access);
	globfree(&found);
}

static void allow_variable(const struct sandbox *sandbox, const char *name)
{
	g_auto(GStrv) paths = g_strsplit(g_getenv(name) ? g_getenv(name) : "", ":", -1);

	for (char **path = paths; *path; path++) {
		if (g_path_is_absolute(*path))
			allow_path(sandbox, *path, SANDBOX_READ);
	}
}

static void allow_needs(const struct sandbox *sandbox, const struct sandbox_needs *needs)
{
	for (; needs; needs = needs->base) {
		for (const struct sandbox_path *path = needs->paths; path && path->pattern; path++)
			allow_pattern(sandbox, path);
		for (const char *const *name = needs->variables; name && *name; name++)
			allow_variable(sandbox, *name);
	}
}

/* Return: 0, or a negative errno: the file system stays as it is. */
static int close_file_system(struct sandbox *sandbox)
{
	if (sandbox->landlock < 0)
		return sandbox->landlock;
	sandbox->ruleset_fd = sandbox_landlock_open(sandbox->landlock);
	if (sandbox->ruleset_fd < 0)
		return sandbox->ruleset_fd;
	for (guint i = 0; i < sandbox->needs->len; i++)
		allow_needs(sandbox, g_ptr_array_index(sandbox->needs, i));
	for (guint i = 0; i < sandbox->files->len; i++) {
		const struct sandbox_file *file =
			&g_array_index(sandbox->files, struct sandbox_file, i);

		allow_path(sandbox, file->path, file->access);
	}
	return sandbox_landlock_enter(sandbox->ruleset_fd);
}

/*
 * The bounding set is out of reach for who may not change it, and matters as little: nothing that is
 * executed gets a capability any more. Return: 0 or a negative errno.
 */
static int drop_capabilities(void)
{
#ifdef HAVE_CAP_NG
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		log_debug("the bounding set of capabilities stays as it is");
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
#else
	return -ENOPKG;
#endif
}

/* Core dumps have the guest's secrets in them, and are written by the kernel on the guest's behalf. */
static int forbid_core_dumps(void)
{
	const struct rlimit none = {0, 0};

	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

int sandbox_forget_privileges(enum sandbox_mode mode)
{
	if (mode == SANDBOX_OFF)
		return 0;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/*
 * A part that is required is kept for check_stage(), any other is logged. What the build lacks was
 * not promised. @announced: what was said at the start already, or 0.
 */
static void note_failure(struct sandbox *sandbox, const char *part, int ret, int announced)
{
	if (ret >= 0 || ret == -ENOPKG)
		return;
	if (sandbox_is_required(sandbox))
		g_string_append_printf(sandbox->failed, "%s%s (%s)",
			sandbox->failed->len > 0 ? ", " : "", part, describe_errno(ret));
	else if (ret != announced)
		log_warning("sandbox: %s: %s", part, describe_errno(ret));
}

/* Return: 0, or -EPERM, logged, where a required part is not active. */
static int check_stage(const struct sandbox *sandbox)
{
	if (sandbox->failed->len == 0)
		return 0;
	log_error("sandbox: not active here: %s; --sandbox=required needs it, --sandbox=on goes on "
		  "without it",
		sandbox->failed->str);
	return -EPERM;
}

static void begin_parts(struct sandbox *sandbox)
{
	int ret;

	note_failure(sandbox, "no new privileges", sandbox_forget_privileges(sandbox->mode), 0);
	if (!sandbox_is_on(sandbox))
		return;
	note_failure(sandbox, "no core dumps", forbid_core_dumps(), 0);
	ret = close_file_system(sandbox);
	note_failure(sandbox, "Landlock", ret, sandbox->landlock);
	/*
	 * Landlock keeps other sessions out of this one's memory. Without it this does, and costs
	 * who debugs it as an ordinary user the look into /proc.
	 */
	if (ret < 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Last, since root may have needed them to open what is closed now. */
	note_failure(sandbox, "no capabilities", drop_capabilities(), 0);
}

int sandbox_begin(struct sandbox *sandbox)
{
	begin_parts(sandbox);
	return check_stage(sandbox);
}

/* The second stage */

static void close_parts(struct sandbox *sandbox)
{
	struct sandbox_filter *filter = NULL;
	int announced = sandbox_filter_check(), ret;

	if (sandbox->mode == SANDBOX_OFF)
		return;
	fd_clear(&sandbox->ruleset_fd);
	ret = sandbox_filter_create(sandbox->needs, sandbox->mode == SANDBOX_LOG, &filter);
	if (ret == 0)
		ret = sandbox_filter_enter(filter);
	sandbox_filter_destroy(filter);
	note_failure(sandbox, "a filter of system calls", ret, announced);
}

int sandbox_close(struct sandbox *sandbox)
{
	close_parts(sandbox);
	return check_stage(sandbox);
}

/* A trial */

/* In a child, since it is for ever; both stages, so that one line names all that is missing. */
static int try_parts(enum sandbox_mode mode)
{
	struct sandbox *sandbox = sandbox_create(mode);

	begin_parts(sandbox);
	close_parts(sandbox);
	return check_stage(sandbox);
}

int sandbox_require(enum sandbox_mode mode)
{
	struct child child = {0};
	int status = 0;
	pid_t pid;

	if (mode != SANDBOX_REQUIRED)
		return 0;
	pid = child_fork(&child);
	if (pid == 0)
		_exit(try_parts(mode) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	if (pid > 0 && child_wait(&child, TRIAL_LIMIT_MS, &status) == 0 && WIFEXITED(status))
		return WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -EPERM;
	child_end(&child);
	log_error("sandbox: it cannot be tried, which --sandbox=required needs");
	return -EIO;
}

/* Helper programs */

int sandbox_helper_create(const struct sandbox *sandbox, const struct sandbox_needs *needs,
	struct sandbox_helper **ret_helper)
{
	g_autoptr(GPtrArray) all = NULL;
	struct sandbox_helper *helper;
	int ret = 0;

	*ret_helper = NULL;
	if (!sandbox || sandbox->mode == SANDBOX_OFF)
		return 0;
	all = g_ptr_array_new();
	g_ptr_array_add(all, (gpointer)&sandbox_base_needs);
	g_ptr_array_add(all, (gpointer)needs);
	helper = g_new0(struct sandbox_helper, 1);
	helper->ruleset_fd = -1;
	helper->only_log = sandbox->mode == SANDBOX_LOG;
	/* What there is none of was announced. */
	if (sandbox_filter_check() == 0)
		ret = sandbox_filter_create(all, helper->only_log, &helper->filter);
	if (ret == 0 && sandbox->ruleset_fd >= 0) {
		helper->ruleset_fd = fcntl(sandbox->ruleset_fd, F_DUPFD_CLOEXEC, 0);
		ret = helper->ruleset_fd < 0 ? -errno : 0;
	}
	if (ret < 0) {
		sandbox_helper_destroy(helper);
		return ret;
	}
	*ret_helper = helper;
	return 0;
}

void sandbox_helper_destroy(struct sandbox_helper *helper)
{
	if (!helper)
		return;
	sandbox_filter_destroy(helper->filter);
	fd_clear(&helper->ruleset_fd);
	g_free(helper);
}

bool sandbox_helper_refuses_calls(const struct sandbox_helper *helper)
{
	return helper && helper->filter && !helper->only_log;
}

/* Between fork and exec nothing but write() can say so. */
static void end_helper(const char *why)
{
	(void)!write(STDERR_FILENO, why, strlen(why));
	_exit(EXIT_FAILURE);
}

void sandbox_helper_enter(const struct sandbox_helper *helper)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		end_helper("not started: no_new_privs cannot be set\n");
	if (helper->ruleset_fd >= 0 && sandbox_landlock_enter(helper->ruleset_fd) < 0)
		end_helper("not started: its Landlock rules cannot be entered\n");
	if (helper->filter && sandbox_filter_enter(helper->filter) < 0)
		end_helper("not started: its filter of system calls cannot be entered\n");
}
