/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A library that plays virglrenderer for fuzz-virgl. It draws nothing. What it is asked for it checks as
 * the real one does, in the real one's width of numbers, and ends the process where the real one would
 * then touch memory that is not meant (0.10.4 and 1.x, as the comments
 * of src/renderer/virgl say).
 *
 *	fake-virgl.c	       the functions of virglrenderer.h
 *	fake-virgl-transfer.c  the transfers, whether by a call or in a command stream
 *	fake-virgl-stream.c    the decoder of command streams
 *	fake-virgl-host.c      what is around the library: the loader, the render server, Vulkan
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/** struct fake_block - What a format's smallest piece takes: pixels, and bytes */
struct fake_block {
	uint32_t format;
	uint32_t width;
	uint32_t height;
	uint32_t len;
};

/** enum fake_target - The kinds of textures, as the protocol numbers them */
enum fake_target {
	FAKE_BUFFER,
	FAKE_1D,
	FAKE_2D,
	FAKE_3D,
	FAKE_CUBE,
	FAKE_RECT,
	FAKE_1D_ARRAY,
	FAKE_2D_ARRAY,
	FAKE_CUBE_ARRAY,
	FAKE_TARGET_COUNT
};

/**
 * struct fake_resource - A resource of the library
 * @block: NULL for a blob that is no texture
 * @iov: borrowed from whoever attached it
 * @blob_fd: a host blob's memory, or -1
 */
struct fake_resource {
	uint32_t id;
	enum fake_target target;
	const struct fake_block *block;
	uint32_t width;
	uint32_t height;
	uint32_t depth;
	uint32_t array_size;
	uint32_t last_level;
	uint32_t nr_samples;
	const struct iovec *iov;
	unsigned int iov_count;
	uint32_t blob_id;
	uint64_t blob_len;
	uint32_t blob_type;
	int blob_fd;
};

/**
 * struct fake_context - A context of the library
 * @attached: ids of the resources that it was given
 * @made: struct fake_resource that PIPE_RESOURCE_CREATE made, @blob_id in each, oldest first
 */
struct fake_context {
	uint32_t capset_id;
	GHashTable *attached;
	GQueue made;
};

/** struct fake_box - The library's, whose numbers are signed */
struct fake_box {
	int32_t x;
	int32_t y;
	int32_t z;
	int32_t w;
	int32_t h;
	int32_t d;
};

/** struct fake_transfer - A transfer; @iov: instead of the resource's own where it is not NULL */
struct fake_transfer {
	struct fake_box box;
	uint32_t level;
	uint32_t stride;
	uint32_t layer_stride;
	uint64_t offset;
	const struct iovec *iov;
	unsigned int iov_count;
	bool is_read;
};

/** fake_virgl_act() - Do what a byte of the input says: fences, failures, a death. */
void fake_virgl_act(uint8_t what);

/** fake_virgl_reset() - As when the process started. */
void fake_virgl_reset(void);

/** fake_resource_find() - Of an id, or NULL. */
struct fake_resource *fake_resource_find(uint32_t id);

/** fake_block_find() - What is known of a format; NULL: the host has no texture of it. */
const struct fake_block *fake_block_find(uint32_t format);

/** fake_transfer_run() - Check and do a transfer. Return: 0 or EINVAL. */
int fake_transfer_run(struct fake_resource *resource, const struct fake_transfer *transfer);

/** fake_check_readable() - What the library says that it has read, and has not, shows memory of ours. */
void fake_check_readable(const struct fake_resource *resource);

/** fake_stream_run() - Decode an OpenGL context's commands. Return: 0 or EINVAL. */
int fake_stream_run(struct fake_context *context, const uint32_t *words, uint32_t count);

/** fake_resource_describe() - Fill in what a texture or buffer is. Return: false: the host has none such. */
bool fake_resource_describe(struct fake_resource *resource, const uint32_t args[9]);

/** fake_gl_fails() - The next call of OpenGL fails, and says so to who asks. */
bool fake_gl_fails(void);

/** fake_host_kill_server() - The render server died. */
void fake_host_kill_server(void);

/** fake_host_set_gl_error() - What glGetError() answers next. */
void fake_host_set_gl_error(uint32_t error);
