/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

/*
 * The constructors that the table in renderers.c names, one for each folder; the contract is
 * struct renderer_type's @create. A build has those whose HAVE_* is defined.
 */

/** renderer_null_create() - Shows nothing, draws nothing, checks everything. Cannot fail but
 * for memory. */
int renderer_null_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message);

/** renderer_2d_create() - The '2d' mode: images in plain memory. Cannot fail but for memory. */
int renderer_2d_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message);

/**
 * renderer_virgl_create() - The 'virglrenderer' mode
 *
 * The library's state is process-wide: one at a time, a second call gets -EBUSY. Starts the
 * library's fence thread and, with it, the threads of the GL driver.
 */
int renderer_virgl_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message);

/**
 * renderer_rutabaga_create() - The 'gfxstream' mode
 *
 * gfxstream cannot be started twice in a process, and may end or hang it: without a probe's
 * @tried_capset_mask each start is tried in a child first. A second call gets -EBUSY. Sets
 * environment variables that the library reads, where they are not set.
 */
int renderer_rutabaga_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message);
