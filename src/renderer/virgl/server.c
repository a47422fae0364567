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
static void list_modules(const struct renderer_virgl *virgl, const char *modules[MAX_MODULES + 1])
{
	size_t count = 0;

	if (sandbox_is_on(virgl->sandbox))
		modules[count++] = NO_EXEC;
	if (virgl->vulkan.has_gpu)
		modules[count++] = LATE_DRIVER;
	else if (virgl->exports_opaque)
		modules[count++] = WHOLE_PAGES;
	modules[count] = NULL;
}

/* Its environment is ours, but for the modules. */
static char **make_environment(const struct renderer_virgl *virgl)
{
	char **environment = g_get_environ();
	const char *others = g_environ_getenv(environment, "LD_PRELOAD");
	const char *modules[MAX_MODULES + 1];
	g_autoptr(GString) preload = g_string_new(NULL);

	list_modules(virgl, modules);
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

int renderer_virgl_server_start(struct renderer_virgl *virgl, char **ret_reason)
{
	struct renderer_virgl_server *server = &virgl->server;
	autofd ours = -1, theirs = -1, output = -1;
	g_auto(GStrv) environment = make_environment(virgl);
	const char *const argv[] = {server->path, "--socket-fd", G_STRINGIFY(SERVER_FD), NULL};
	g_autofree char *reason = NULL;
	struct child_fd inherited;
	struct child_program program = {
		.argv = argv,
		.environment = (const char *const *)environment,
		.fds = &inherited,
		.fd_count = 1,
	};
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	output = log_pipe_open(&server->output, "render server");
	if (output < 0)
		return output;
	inherited = (struct child_fd){.source_fd = theirs, .target_fd = SERVER_FD};
	program.output_fd = output;
	program.enter_opaque = sandbox_helper_create(virgl->sandbox, &renderer_virgl_server_needs);
	program.enter = program.enter_opaque ? enter_sandbox : NULL;
	ret = child_spawn(&server->child, &program, &reason);
	sandbox_helper_destroy((struct sandbox_helper *)program.enter_opaque);
	if (ret < 0) {
		log_pipe_close(&server->output);
		*ret_reason = g_strdup_printf("cannot start %s: %s", server->path, reason);
		return ret;
	}
	server->socket_fd = fd_take(&ours);
	return 0;
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
