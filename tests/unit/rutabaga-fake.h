/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A Rutabaga of the tests: a program that refers to it gets it instead of the library. It writes down
 * what it is asked for, and would notice what crashes gfxstream.
 */
#pragma once

#include "gpu/renderer.h"

#include <rutabaga_gfx/rutabaga_gfx_ffi.h>

/**
 * struct rutabaga_fake - What it was asked for, and what it is to answer
 * @log: a word for each call, such as " write-7": resource or context behind the dash
 * @builder: of the last start
 * @start: runs in rutabaga_init() and is its result; NULL: it starts
 * @create_fence, @context_destroyed, @finish: run inside the calls; NULL for nothing
 * @error: what calls return
 * @command: the first bytes of the last command, read as gfxstream does: without a look at its length
 * @backing: of the image or the ring that was attached last
 * @pixel: what transfers read into backings: the bytes of a pixel count on from it
 * @map_info: of blobs; 0: none
 * @blob_fd: of blobs; -1: none; lent
 * @handle_type: of @blob_fd
 */
struct rutabaga_fake {
	GString *log;
	struct rutabaga_builder builder;
	int (*start)(const struct rutabaga_builder *builder);
	void (*create_fence)(const struct rutabaga_fence *fence);
	void (*context_destroyed)(uint32_t ctx_id);
	void (*finish)(void);
	int error;
	uint32_t command[16];
	struct iovec *backing;
	size_t backing_count;
	uint8_t pixel;
	uint32_t map_info;
	int blob_fd;
	uint32_t handle_type;
};

extern struct rutabaga_fake rutabaga_fake;

/** rutabaga_fake_reset() - Forget all that was asked for and set. */
void rutabaga_fake_reset(void);

/** rutabaga_fake_take_log() - Return: what was asked for since the last time; g_free() */
char *rutabaga_fake_take_log(void);

/** rutabaga_fake_signal() - Have the library signal a fence. */
void rutabaga_fake_signal(uint32_t ctx_id, uint32_t ring_idx, bool has_ring, uint64_t seqno);

/**
 * rutabaga_fake_renderer() - The mode gfxstream on it
 * @capset_mask: what starts
 * @events, @opaque: the device's
 */
struct renderer *rutabaga_fake_renderer(uint64_t capset_mask, GMainContext *context,
	const struct renderer_events *events, void *opaque);
