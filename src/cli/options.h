/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The command line. One table of options, from which parsing, --help, the man page and the
 * completions are made.
 */
#pragma once

#include "display/modes.h"
#include "gpu/limits.h"
#include "gpu/renderer.h"
#include "sandbox/sandbox.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** enum options_action - What the program is to do */
enum options_action {
	OPTIONS_SERVE, /* listen on socket_path, or serve fd */
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_PRINT_CAPABILITIES,
};

/**
 * struct options - The command line, parsed and checked against itself
 * @socket_path: where to listen; NULL with @fd
 * @fd: a connected socket to serve, or -1
 * @type: a row of renderer_types, or NULL: choose
 * @renderer: for the renderer's create(); context is unset
 * @outputs, @output_count: where the front-end has no display
 * @control_dir: where sessions put their control sockets, or NULL
 * @shader_cache: for the drivers of one session at a time, or NULL
 * @max_sessions: front-ends at a time
 * @handshake_timeout_s: how long a front-end may say nothing, seconds; 0: for ever
 * @use_dmabuf: display pictures as dma-bufs where possible
 * @poll_us: how long a session polls the rings after work, microseconds; 0: not at all
 * @adapts_polling: only while pieces of work follow each other closely
 * @hostmem: size of the host-visible shared memory region, bytes; 0 for none
 * @limits: what one guest may use at most
 * @sandbox: what sessions are confined to
 */
struct options {
	enum options_action action;
	char *socket_path;
	int fd;
	const struct renderer_type *type;
	struct renderer_options renderer;
	char *render_node;
	bool headless;
	struct display_outputs outputs;
	unsigned int output_count;
	char *control_dir;
	char *shader_cache;
	bool once;
	unsigned int max_sessions;
	unsigned int handshake_timeout_s;
	bool use_dmabuf;
	unsigned int poll_us;
	bool adapts_polling;
	uint64_t hostmem;
	struct gpu_limits limits;
	enum sandbox_mode sandbox;
	GLogLevelFlags log_level;
};

/**
 * options_parse() - Parse a command line
 * @ret_options: filled on success; freed with options_finish()
 * @ret_message: on failure one line that says what is wrong and what to do; g_free()
 *
 * Return: 0 or -EINVAL.
 */
int options_parse(int argc, char **argv, struct options *ret_options, char **ret_message);

void options_finish(struct options *options);

/** options_print_help() - --help on standard output. */
void options_print_help(void);
