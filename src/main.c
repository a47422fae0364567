/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The life of the process, in order: the command line, the log, then one of: print something and
 * end, or serve: on a socket, or an inherited connection.
 */
#include "cli/capabilities.h"
#include "cli/options.h"
#include "config.h"
#include "renderer/renderers.h"
#include "session/listener.h"
#include "session/probe.h"
#include "session/shader_cache.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define EXIT_USAGE 2

/*
 * What virglrenderer has with the options that came along: libvirt gives none, but a script that is
 * its binary adds them to each call.
 */
static int print_capabilities(const struct options *options)
{
	const struct renderer_type *type = renderer_type_find("virglrenderer");
	struct renderer_options renderer = options->renderer;
	g_autofree char *message = NULL;

	if (type->create && (!options->type || options->type == type))
		probe_choose(type, &renderer, -1, &type, &message);
	capabilities_print(renderer.tried_capset_mask, capabilities_find_render_node());
	return EXIT_SUCCESS;
}

/* Return: 0, or a negative errno that was logged. */
static int check_render_node(const char *path)
{
	autofd fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		int error = errno;

		log_error("the render node '%s' does not open: %s%s", path, g_strerror(error),
			error == EACCES ? " (is this user in the group that owns it?)" : "");
		return -error;
	}
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode)) {
		log_error("'%s' is not a render node", path);
		return -ENODEV;
	}
	return 0;
}

/* Return: 0, or a negative errno that was logged. */
static int check_connection(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);
	struct sockaddr_storage address;
	socklen_t address_len = sizeof(address);

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		log_error("--fd %d: no such descriptor was inherited", fd);
		return -EBADF;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM ||
		getpeername(fd, (struct sockaddr *)&address, &address_len) < 0) {
		log_error("--fd %d: this descriptor is not a connected stream socket", fd);
		return -ENOTSOCK;
	}
	return 0;
}

static int main_serve(const struct options *options)
{
	g_autofree char *message = NULL;
	struct listener_config config = {
		.socket_path = options->socket_path,
		.connection_fd = options->fd,
		.session =
			{
				.type = options->type,
				.renderer = options->renderer,
				.limits = options->limits,
				.handshake_timeout_s = options->handshake_timeout_s,
				.headless = options->headless,
				.outputs = options->outputs,
				.output_count = options->output_count,
				.control_dir = options->control_dir,
				.shader_cache = options->shader_cache,
				.use_dmabuf = options->use_dmabuf,
				.sandbox = options->sandbox,
				.poll_us = options->poll_us,
				.adapts_polling = options->adapts_polling,
				.hostmem = options->hostmem,
			},
		.max_sessions = options->max_sessions,
		.once = options->once || options->fd >= 0,
	};

	if (sandbox_require(options->sandbox) < 0)
		return EXIT_FAILURE;
	if (options->render_node && check_render_node(options->render_node) < 0)
		return EXIT_FAILURE;
	if (options->shader_cache && shader_cache_prepare(options->shader_cache, &message) < 0) {
		log_error("%s", message);
		return EXIT_FAILURE;
	}
	if (options->fd >= 0 && check_connection(options->fd) < 0)
		return EXIT_FAILURE;
	return listener_run(&config);
}

static int main_act(const struct options *options)
{
	switch (options->action) {
	case OPTIONS_HELP:
		options_print_help();
		return EXIT_SUCCESS;
	case OPTIONS_VERSION:
		printf("vhost-device-gpu %s\n", VDG_VERSION);
		return EXIT_SUCCESS;
	case OPTIONS_PRINT_CAPABILITIES:
		return print_capabilities(options);
	case OPTIONS_SERVE:
		return main_serve(options);
	}
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct options options;
	g_autofree char *message = NULL;
	uint64_t fd_limit;
	int status;

	/* Inherited by the probe, by sessions and by the render server. */
	shader_cache_disable();
	/* A peer that hangs up is an error of a write, also of those in libraries. */
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(argc, argv, &options, &message) < 0) {
		log_init(G_LOG_LEVEL_WARNING);
		log_error("%s", message);
		return EXIT_USAGE;
	}
	log_init(options.log_level);
	fd_limit = fd_raise_limit();
	log_debug("up to %" G_GUINT64_FORMAT " descriptors may be open", fd_limit);
	status = main_act(&options);
	options_finish(&options);
	return status;
}
