/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/limits.h"
#include "gpu/renderer.h"

#include <stddef.h>

/** enum option_id - One for each option that is neither a mode's own nor a limit */
enum option_id {
	OPTION_SOCKET_PATH,
	OPTION_FD,
	OPTION_ONCE,
	OPTION_MAX_SESSIONS,
	OPTION_HANDSHAKE_TIMEOUT,
	OPTION_GPU_MODE,
	OPTION_VIRGL,
	OPTION_CAPSET,
	OPTION_GPU_DEVICE,
	OPTION_RENDER_NODE,
	OPTION_HEADLESS,
	OPTION_OUTPUTS,
	OPTION_CONTROL,
	OPTION_USE_DMABUF,
	OPTION_SHADER_CACHE,
	OPTION_POLL_US,
	OPTION_HOSTMEM,
	OPTION_SANDBOX,
	OPTION_LOG_LEVEL,
	OPTION_PRINT_CAPABILITIES,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_COUNT,
};

/** enum option_value - What follows an option, and what a shell can complete there */
enum option_value {
	OPTION_VALUE_NONE,
	OPTION_VALUE_BOOL, /* may be left out: true */
	OPTION_VALUE_NUMBER,
	OPTION_VALUE_PATH,
	OPTION_VALUE_MODE,
	OPTION_VALUE_CAPSETS,
	OPTION_VALUE_LEVEL,
	OPTION_VALUE_SANDBOX,
	OPTION_VALUE_TEXT,
};

/**
 * struct option_row - An option, for the parser, --help, the man page and completions
 * @short_name: a letter, or 0
 * @metavar: what the value is called; NULL for none
 * @initial: the default as it would be typed; NULL for none
 * @group: heading, in the first row of a group only
 * @help: a few words, for --help
 * @man: whole sentences in man(7) markup, for the man page
 * @id: which one it is, unless it is a mode's or a limit
 * @renderer_option: the mode's, or NULL
 * @limit: the limit that it sets, or NULL
 */
struct option_row {
	const char *name;
	char short_name;
	enum option_value value;
	const char *metavar;
	const char *initial;
	const char *group;
	const char *help;
	const char *man;
	enum option_id id;
	const struct renderer_option *renderer_option;
	const struct gpu_limit_row *limit;
};

/** Room for all rows. */
#define OPTION_MAX_COUNT (OPTION_COUNT + (int)GPU_LIMIT_COUNT + RENDERER_MAX_OPTIONS)

/** struct option_rows - All options, the modes' and the limits among them, in the order of --help */
struct option_rows {
	struct option_row row[OPTION_MAX_COUNT];
	int count;
};

/** option_rows_get() - The one table of options. Main thread only. */
const struct option_rows *option_rows_get(void);

/** option_levels - Values of --log-level, ended by NULL, least talkative first */
extern const char *const option_levels[];
