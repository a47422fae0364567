/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"
#include "gpu/limits.h"
#include "gpu/renderer.h"
#include "sandbox/sandbox.h"

#include <stdbool.h>

/**
 * struct session_config - What a session is to be
 * @type: the renderer, one that was built
 * @renderer: for its create(); context is set by the session
 * @limits: what the guest may use at most
 * @handshake_timeout_s: how long a front-end may take to its first message, seconds; 0: for ever
 * @is_probed: the log has said what draws
 * @headless: never show anything, even where the front-end offers a display socket
 * @use_dmabuf: let the display show dma-bufs
 * @outputs: what there is where the front-end has no display of its own
 * @output_count: how many of them
 * @control_dir: where the session puts its control socket, or NULL
 * @shader_cache: a folder of the session's own for drivers' compiled shaders, or NULL: none
 * @sandbox: what the session is confined to
 * @poll_us: how long the rings are looked at after each piece of work, microseconds; 0: not at all
 * @adapts_polling: only while pieces of work follow each other closely
 * @hostmem: size of the host-visible shared memory region, bytes; 0 for none
 */
struct session_config {
	const struct renderer_type *type;
	struct renderer_options renderer;
	struct gpu_limits limits;
	unsigned int handshake_timeout_s;
	bool is_probed;
	bool headless;
	bool use_dmabuf;
	struct display_outputs outputs;
	unsigned int output_count;
	const char *control_dir;
	const char *shader_cache;
	enum sandbox_mode sandbox;
	unsigned int poll_us;
	bool adapts_polling;
	uint64_t hostmem;
};

/**
 * session_run() - Serve one front-end on a connected socket until it hangs up
 * @fd: a connected Unix stream socket; taken
 * @config: borrowed
 *
 * Starts the renderer before the first byte is read, and runs a main loop of its own. SIGTERM and
 * SIGINT end it cleanly. One call per process: the renderers' libraries are process-wide.
 *
 * Return: exit status: 0 after an orderly end (hang-up, SIGTERM), 1 otherwise; the reason was
 * logged.
 */
int session_run(int fd, const struct session_config *config);
