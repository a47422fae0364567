/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The render server: virglrenderer's own program, in which Vulkan runs. The library could start it,
 * but says nothing when it is missing and leaves a zombie when it dies; so it is started here and
 * the library gets one end of a socket pair. Owns the process: it ends with this one at the latest,
 * inherits nothing but that socket, and its end is said in the log. The commands that follow fail.
 *
 * It is confined as the session is (sandbox/sandbox.h), since it carries out the guest's commands: with
 * its own list of system calls, which it enters between fork and exec, and a module that ends exec.
 * Where one of these fails it ends; where they are required (--sandbox) it has to say that the module
 * is in force.
 *
 * What it and its processes print becomes lines of our log. Guests can make it print.
 *
 * The server starts a process for each Venus context, in its own process group. They end when their
 * sockets close, at the latest with this process.
 */
#include "renderer/modules/modules.h"
#include "renderer/virgl/renderer_virgl.h"
#include "util/child.h"
#include "util/fd.h"
#include "util/log_pipe.h"
#include "util/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER_NAME	  "virgl_render_server"
#define SERVER_FD	  3 /* in the server's process */
#define STOP_LIMIT_MS	  1000
#define PATH_VARIABLE	  "RENDER_SERVER_EXEC_PATH" /* the library's own name for it */
#define SERVER_DEBIAN_PKG "virgl-server"
#define NO_EXEC		  "vdg-no-exec.so"     /* modules/no_exec.c */
#define WHOLE_PAGES	  "vdg-whole-pages.so" /* whole_pages.c */
#define LATE_DRIVER	  "vdg-late-driver.so" /* late_driver.c */
#define MAX_MODULES	  2
#define CONFIRM_LIMIT_MS  5000

/* Beside the library first, then where distributions keep helper programs. */
static const char *const server_directories[] = {
	RENDERER_VIRGL_PREFIX "/libexec",
	RENDERER_VIRGL_PREFIX "/lib",
	"/usr/libexec",
	"/usr/lib",
	"/usr/local/libexec",
	"/usr/lib/virglrenderer",
};

int renderer_virgl_server_find(struct renderer_virgl *virgl, char **ret_reason)
{
	const char *path = secure_getenv(PATH_VARIABLE);

	if (path) {
		if (!g_file_test(path, G_FILE_TEST_IS_EXECUTABLE)) {
			*ret_reason =
				g_strdup_printf("%s from " PATH_VARIABLE " is not a program", path);
			return -ENOENT;
		}
		virgl->server.path = g_strdup(path);
		return 0;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(server_directories); i++) {
		g_autofree char *name = g_build_filename(server_directories[i], SERVER_NAME, NULL);

		if (!g_file_test(name, G_FILE_TEST_IS_EXECUTABLE))
			continue;
		virgl->server.path = g_steal_pointer(&name);
		return 0;
	}
	*ret_reason = g_strdup(
		"the program " SERVER_NAME " is missing (Debian's package " SERVER_DEBIAN_PKG ")");
	return -ENOENT;
}

/* What it must have loaded: to be confined, and to serve this host's Vulkan driver. */
static void list_modules(
	const struct renderer_virgl *virgl, bool ends_exec, const char *modules[MAX_MODULES + 1])
{
	size_t count = 0;

	if (ends_exec)
		modules[count++] = NO_EXEC;
	if (virgl->vulkan.has_gpu)
		modules[count++] = LATE_DRIVER;
	else if (virgl->exports_opaque)
		modules[count++] = WHOLE_PAGES;
	modules[count] = NULL;
}

/* Its environment is ours, but for the modules. */
static char **make_environment(const struct renderer_virgl *virgl, bool ends_exec)
{
	char **environment = g_get_environ();
	const char *others = g_environ_getenv(environment, "LD_PRELOAD");
	const char *modules[MAX_MODULES + 1];
	g_autoptr(GString) preload = g_string_new(NULL);

	list_modules(virgl, ends_exec, modules);
	for (const char **name = modules; *name; name++) {
		g_autofree char *module = renderer_module_find(*name);

		if (g_file_test(module, G_FILE_TEST_EXISTS))
			g_string_append_printf(
				preload, "%s%s", preload->len > 0 ? ":" : "", module);
		else
			log_warning("virglrenderer: %s is missing, %s", module,
				strcmp(*name, NO_EXEC) == 0 ? "the render server can start programs"
							    : "Vulkan may not work in guests");
	}
	if (preload->len == 0)
		return environment;
	if (others)
		g_string_append_printf(preload, ":%s", others);
	return g_environ_setenv(environment, "LD_PRELOAD", preload->str, TRUE);
}

static void say_how_it_ended(int status)
{
	if (WIFSIGNALED(status))
		log_warning("virglrenderer: the render server died of signal %d, Vulkan is gone",
			WTERMSIG(status));
	else
		log_warning("virglrenderer: the render server ended with status %d, Vulkan is gone",
			WEXITSTATUS(status));
}

static gboolean handle_end(gint fd, GIOCondition condition, gpointer opaque)
{
	struct renderer_virgl *virgl = opaque;
	struct renderer_virgl_server *server = &virgl->server;
	int status = 0;

	if (child_wait(&server->child, 0, &status) == -ETIMEDOUT)
		return G_SOURCE_CONTINUE;
	log_pipe_close(&server->output);
	say_how_it_ended(status);
	g_clear_pointer(&server->watch, g_source_unref);
	fd_clear(&server->pid_fd);
	virgl->base.events->contexts_lost(virgl->base.events_opaque,
		UINT64_C(1) << VIRTIO_GPU_CAPSET_VENUS | UINT64_C(1) << VIRTIO_GPU_CAPSET_DRM);
	return G_SOURCE_REMOVE;
}

static void enter_sandbox(const void *opaque)
{
	sandbox_helper_enter(opaque);
}

/* Waits until the module that ends exec is in force. Return: 0 or -EPERM. */
static int wait_for_module(int confirm_fd)
{
	struct pollfd item = {.fd = confirm_fd, .events = POLLIN};
	char byte;

	if (poll(&item, 1, CONFIRM_LIMIT_MS) == 1 && read(confirm_fd, &byte, 1) == 1)
		return 0;
	return -EPERM;
}

/* What is needed to start it: descriptors of both sides, and its sandbox. */
struct server_start {
	int ours_fd, theirs_fd;
	int confirm_fd, confirming_fd; /* a pipe */
	int output_fd;
	struct sandbox_helper *helper;
};

static int start_prepare(struct renderer_virgl *virgl, struct server_start *start)
{
	int pair[2], pipe_fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	start->ours_fd = pair[0];
	start->theirs_fd = pair[1];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	start->confirm_fd = pipe_fds[0];
	start->confirming_fd = pipe_fds[1];
	start->output_fd =
		log_pipe_open(&virgl->server.output, "render server", &log_pipe_helper_rules);
	if (start->output_fd < 0)
		return start->output_fd;
	return sandbox_helper_create(virgl->sandbox, &renderer_virgl_server_needs, &start->helper);
}

static void start_finish(struct server_start *start)
{
	fd_clear(&start->ours_fd);
	fd_clear(&start->theirs_fd);
	fd_clear(&start->confirm_fd);
	fd_clear(&start->confirming_fd);
	fd_clear(&start->output_fd);
	sandbox_helper_destroy(start->helper);
}

static int start_program(
	struct renderer_virgl *virgl, struct server_start *start, char **ret_reason)
{
	struct renderer_virgl_server *server = &virgl->server;
	const bool ends_exec = sandbox_helper_refuses_calls(start->helper);
	g_auto(GStrv) environment = make_environment(virgl, ends_exec);
	const char *const argv[] = {server->path, "--socket-fd", G_STRINGIFY(SERVER_FD), NULL};
	const struct child_fd inherited[] = {
		{.source_fd = start->theirs_fd, .target_fd = SERVER_FD},
		{.source_fd = start->confirming_fd, .target_fd = RENDERER_MODULE_CONFIRM_FD},
	};
	const struct child_program program = {
		.argv = argv,
		.environment = (const char *const *)environment,
		.fds = inherited,
		.fd_count = ends_exec ? G_N_ELEMENTS(inherited) : 1,
		.output_fd = start->output_fd,
		.enter = start->helper ? enter_sandbox : NULL,
		.enter_opaque = start->helper,
	};
	int ret = child_spawn(&server->child, &program, ret_reason);

	/* With the server's own copy gone the pipe has ended. */
	fd_clear(&start->confirming_fd);
	if (ret == 0 && ends_exec && sandbox_is_required(virgl->sandbox))
		ret = wait_for_module(start->confirm_fd);
	return ret;
}

int renderer_virgl_server_start(struct renderer_virgl *virgl, char **ret_reason)
{
	struct renderer_virgl_server *server = &virgl->server;
	struct server_start start = {-1, -1, -1, -1, -1, NULL};
	g_autofree char *reason = NULL;
	int ret = start_prepare(virgl, &start);

	if (ret == 0)
		ret = start_program(virgl, &start, &reason);
	if (ret == 0) {
		server->socket_fd = fd_take(&start.ours_fd);
	} else {
		child_end(&server->child);
		log_pipe_close(&server->output);
		*ret_reason = g_strdup_printf("cannot start %s: %s", server->path,
			reason		? reason
			: ret == -EPERM ? "its sandbox is not active"
					: g_strerror(-ret));
	}
	start_finish(&start);
	return ret;
}

int renderer_virgl_server_take_fd(void *cookie, uint32_t version)
{
	struct renderer_virgl *virgl = cookie;

	return fd_take(&virgl->server.socket_fd);
}

void renderer_virgl_server_watch(struct renderer_virgl *virgl, GMainContext *context)
{
	struct renderer_virgl_server *server = &virgl->server;

	if (server->child.pid <= 0)
		return;
	log_pipe_watch(&server->output, context);
	/* Where the kernel has no such descriptors nothing is said, and all else is the same. */
	server->pid_fd = (int)syscall(SYS_pidfd_open, server->child.pid, 0);
	if (server->pid_fd < 0)
		return;
	server->watch = source_add_fd(context, server->pid_fd, G_IO_IN, handle_end, virgl);
}

void renderer_virgl_server_stop(struct renderer_virgl *virgl)
{
	struct renderer_virgl_server *server = &virgl->server;

	source_clear(&server->watch);
	fd_clear(&server->pid_fd);
	fd_clear(&server->socket_fd);
	/* It ends by itself when its socket has closed; what does not is made to. */
	if (child_wait(&server->child, STOP_LIMIT_MS, NULL) < 0)
		child_end(&server->child);
	log_pipe_close(&server->output);
}
