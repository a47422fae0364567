/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What the files of this folder share; nobody else includes it. */
#pragma once

#include "gpu/renderer.h"

#include <errno.h>
#include <rutabaga_gfx/rutabaga_gfx_ffi.h>

/* The bit of a capset in masks, ours and the library's */
#define RENDERER_RUTABAGA_CAPSET(id) (UINT64_C(1) << (id))

#define RENDERER_RUTABAGA_GFXSTREAM                                                                \
	(RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN) |                            \
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_GLES) |                       \
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_COMPOSER))

/* The names of handles changed with the ABI. */
#ifdef HAVE_RUTABAGA_FEATURES
#define RENDERER_RUTABAGA_MEM_DMABUF RUTABAGA_HANDLE_TYPE_MEM_DMABUF
#define RENDERER_RUTABAGA_MEM_SHM    RUTABAGA_HANDLE_TYPE_MEM_SHM
#else
#define RENDERER_RUTABAGA_MEM_DMABUF RUTABAGA_MEM_HANDLE_TYPE_DMABUF
#define RENDERER_RUTABAGA_MEM_SHM    RUTABAGA_MEM_HANDLE_TYPE_SHM
#endif

/**
 * struct renderer_rutabaga - The renderer
 * @rutabaga: the library's object; calls come from the main loop's thread only
 * @has_gfxstream: a context without a capset is gfxstream's; else all are cross-domain's
 * @contexts: id -> struct rutabaga_context, owned; written by the main loop's thread under @lock
 * @resources: id -> struct gpu_resource, borrowed; those that the library has, and blobs
 * @lock: of what the library's threads touch too: @contexts, @arrived, @is_closed
 * @arrived: struct arrived_fence that wait for the main loop
 * @is_closed: nobody is told of fences any more
 * @scratch: room for one image, @scratch_len bytes
 * @wake_fd: an eventfd, readable while @arrived has something
 * @wake_source: of the main loop
 */
struct renderer_rutabaga {
	struct renderer base;
	struct rutabaga *rutabaga;
	bool has_gfxstream;
	GHashTable *contexts;
	GHashTable *resources;
	GMutex lock;
	GQueue arrived;
	bool is_closed;
	void *scratch;
	uint64_t scratch_len;
	int wake_fd;
	GSource *wake_source;
};

static inline struct renderer_rutabaga *renderer_rutabaga_of(struct renderer *renderer)
{
	return (struct renderer_rutabaga *)renderer;
}

/**
 * struct rutabaga_image - How gfxstream lays a resource out, which it moves as a whole
 * @format: virglrenderer's number; 0: it is no image
 * @width, @height: pixels
 */
struct rutabaga_image {
	uint32_t format;
	uint32_t width;
	uint32_t height;
};

/**
 * struct rutabaga_resource - resource->renderer_data of 3D resources and of blobs
 * @image: of a 3D resource, or of a blob that gfxstream keeps as an image
 * @is_known: the library has it
 * @ring: of a guest blob that a cross-domain context has: what the library takes for it (ring.c)
 * @ring_len: bytes
 * @ring_ctx_id: the context that got it
 * @fd: a host blob's memory, or -1
 * @handle_type: the library's, of @fd
 * @map_info: the library's, with its access bits; 0: it cannot be mapped
 * @has_stream: gfxstream reads commands from it
 */
struct rutabaga_resource {
	struct rutabaga_image image;
	bool is_known;
	uint8_t *ring;
	size_t ring_len;
	uint32_t ring_ctx_id;
	int fd;
	uint32_t handle_type;
	uint32_t map_info;
	bool has_stream;
};

/**
 * struct rutabaga_context - A context, of gfxstream or of cross-domain
 * @capset_id: VIRTIO_GPU_CAPSET_*
 * @is_initialized: cross-domain: INIT was carried out
 * @has_channel: and it asked for a channel, whose thread then signals ring 1
 * @query_ring_id, @channel_ring_id: resources named by INIT
 * @pipe_count: pipes that the guest asked for and has not seen the end of
 * @requirement_count: answers to GET_IMAGE_REQUIREMENTS, which the library keeps
 * @images: gfxstream: blob id -> struct rutabaga_image of blobs that are announced, owned
 * @resources: ids of those attached
 */
struct rutabaga_context {
	uint32_t id;
	uint32_t capset_id;
	bool is_initialized;
	bool has_channel;
	uint32_t query_ring_id;
	uint32_t channel_ring_id;
	unsigned int pipe_count;
	unsigned int requirement_count;
	GHashTable *images;
	GHashTable *resources;
};

/* library.c */

/**
 * renderer_rutabaga_library_load() - Load Rutabaga; before anything of it is called
 * @ret_message: why not; freed by the caller
 *
 * It stays loaded; a second call is fine. Return: 0 or a negative errno.
 */
int renderer_rutabaga_library_load(char **ret_message);

/* start.c */

/* What gfxstream takes for the Vulkan loader, and the variable that says so. */
#define RENDERER_RUTABAGA_MODULE	"vdg-gfxstream-vulkan.so" /* modules/gfxstream_vulkan.c */
#define RENDERER_RUTABAGA_VULKAN_LOADER "ANDROID_EMU_VK_LOADER_PATH"

/**
 * struct rutabaga_start - What the library is started with
 * @capset_mask: never 0
 * @channels: cross-domain's, from renderer_rutabaga_channels_parse()
 * @limit_ms: how long a try may take; 0: RENDERER_RUTABAGA_TRIAL_LIMIT_MS
 * @reason: the last error that the library reported, one line
 * @has_started: a try came to its end
 */
struct rutabaga_start {
	uint64_t capset_mask;
	GArray *channels;
	int limit_ms;
	char reason[256];
	bool has_started;
};

/** renderer_rutabaga_check() - Is what the user asked for possible at all? Return: 0, or a
 * negative errno with *ret_message. */
int renderer_rutabaga_check(const struct renderer_options *options, char **ret_message);

/** renderer_rutabaga_set_environment() - What reaches the library by environment variables only. */
void renderer_rutabaga_set_environment(const struct renderer_options *options);

/**
 * renderer_rutabaga_init() - Start the library
 * @user_data: for its callbacks: a renderer, or NULL where there will be no fences
 *
 * May end or hang the process. Return: 0 or a negative errno.
 */
int renderer_rutabaga_init(
	struct rutabaga_start *start, void *user_data, struct rutabaga **ret_rutabaga);

/* trial.c */

/** Two that hang, and a probe still hears of it. */
#define RENDERER_RUTABAGA_TRIAL_LIMIT_MS 9000

/**
 * renderer_rutabaga_try() - Start the library in a child, to see whether it can be
 * @ret_reason: on failure why not, one line; g_free()
 *
 * Return: 0 or a negative errno.
 */
int renderer_rutabaga_try(struct rutabaga_start *start, char **ret_reason);

/* channels.c */

/**
 * renderer_rutabaga_channels_parse() - What the user said of channels
 * @ret_channels: of struct rutabaga_channel, whose names are borrowed from @options
 *
 * Return: 0, or -EINVAL with *ret_message.
 */
int renderer_rutabaga_channels_parse(
	const struct renderer_options *options, GArray **ret_channels, char **ret_message);

/* formats.c */

/**
 * renderer_rutabaga_image_len() - Bytes that gfxstream moves when it moves an image
 * @ret_bytes_per_pixel: 0 for planar formats
 *
 * What it aligns is counted. Return: false where the format is none of its own, or the image is
 * more than it can move.
 */
bool renderer_rutabaga_image_len(
	const struct rutabaga_image *image, unsigned int *ret_bytes_per_pixel, uint64_t *ret_len);

/* context.c: contexts, as the hooks of struct renderer_ops say */

/** renderer_rutabaga_context_free() - Of the table's values. */
void renderer_rutabaga_context_free(void *opaque);

struct rutabaga_context *renderer_rutabaga_context(
	struct renderer_rutabaga *rutabaga, uint32_t ctx_id);
bool renderer_rutabaga_is_cross_domain(const struct rutabaga_context *context);
int renderer_rutabaga_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name);
void renderer_rutabaga_ctx_destroy(struct renderer *renderer, uint32_t ctx_id);
int renderer_rutabaga_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource);
void renderer_rutabaga_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource);
int renderer_rutabaga_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done);

/* cross_domain.c */

/**
 * renderer_rutabaga_cross_domain_submit() - Check a stream of cross-domain commands, and run it
 * @commands, @len: as of struct renderer_ops' submit()
 */
int renderer_rutabaga_cross_domain_submit(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, uint8_t *commands, size_t len);

/* gfxstream.c */

/** renderer_rutabaga_gfxstream_submit() - Check gfxstream's command, and run it. */
int renderer_rutabaga_gfxstream_submit(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, uint8_t *commands, size_t len);

/* ring.c: the memory through which cross-domain answers */

/** Most of a blob that is a ring: CROSS_DOMAIN_MIN_RING_LEN, and room for data of pipes. */
#define RENDERER_RUTABAGA_RING_LEN ((size_t)64 << 10)

/**
 * renderer_rutabaga_ring_open() - Make a guest blob known to the library, with a ring
 * @ctx_id: the context that it is about to be attached to
 *
 * The library gives a ring to the first context that it is attached to, and to no other. So a blob
 * that is another context's ring stays that, and is none of this one. Return: 0 or a negative errno.
 */
int renderer_rutabaga_ring_open(
	struct renderer_rutabaga *rutabaga, uint32_t ctx_id, struct gpu_resource *resource);

/** renderer_rutabaga_ring_close() - Its context has it no more; none is fine. */
void renderer_rutabaga_ring_close(
	struct renderer_rutabaga *rutabaga, struct gpu_resource *resource);

/**
 * renderer_rutabaga_ring_message() - Take a copy of what the library left in a ring
 * @context: whose channel's ring; under the renderer's lock
 *
 * Return: NULL for nothing.
 */
GBytes *renderer_rutabaga_ring_message(
	struct renderer_rutabaga *rutabaga, const struct rutabaga_context *context);

/** renderer_rutabaga_ring_deliver() - Write a message into the guest's pages of the ring. */
void renderer_rutabaga_ring_deliver(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, uint32_t resource_id, GBytes *message);

/** renderer_rutabaga_ring_answer() - The first @len bytes of a query's answer. */
void renderer_rutabaga_ring_answer(
	struct renderer_rutabaga *rutabaga, uint32_t resource_id, size_t len);

/* fences.c */

int renderer_rutabaga_fences_init(struct renderer_rutabaga *rutabaga, GMainContext *context);

/** renderer_rutabaga_fences_finish() - Tell nobody any more, and free what waits. */
void renderer_rutabaga_fences_finish(struct renderer_rutabaga *rutabaga);

/**
 * renderer_rutabaga_fences_forget_context() - A context ended, and the device ends what waits for it
 *
 * What its thread left behind is not for the next context of that number.
 */
void renderer_rutabaga_fences_forget_context(struct renderer_rutabaga *rutabaga, uint32_t ctx_id);

int renderer_rutabaga_create_fence(struct renderer *renderer, const struct renderer_fence *fence);

/** renderer_rutabaga_write_fence() - The library's callback; any thread. */
void renderer_rutabaga_write_fence(uint64_t user_data, const struct rutabaga_fence *fence);

/* image.c and blob.c: resources, as the hooks of struct renderer_ops say */

int renderer_rutabaga_create_image(
	struct renderer_rutabaga *rutabaga, struct gpu_resource *resource);
int renderer_rutabaga_attach_backing(struct renderer *renderer, struct gpu_resource *resource);
void renderer_rutabaga_detach_backing(struct renderer *renderer, struct gpu_resource *resource);
int renderer_rutabaga_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);
int renderer_rutabaga_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);
int renderer_rutabaga_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride);
int renderer_rutabaga_read_blob(struct renderer *renderer, struct gpu_resource *resource,
	uint32_t format, const struct gpu_rect *rect, void *dst, size_t stride);

int renderer_rutabaga_create_blob(
	struct renderer_rutabaga *rutabaga, struct gpu_resource *resource);
int renderer_rutabaga_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob);

/** renderer_rutabaga_errno() - The library knows -EINVAL and, after a panic, -ESRCH. */
static inline int renderer_rutabaga_errno(int ret)
{
	return ret == 0 ? 0 : -EINVAL;
}
