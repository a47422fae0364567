/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What the files of this folder share; nobody else includes it. */
#pragma once

#include <errno.h>

/* Fences of contexts and of the library's own thread are behind this in 0.10.4. */
#define VIRGL_RENDERER_UNSTABLE_APIS
#include <virglrenderer.h>

#include "gpu/renderer.h"

/*
 * Venus and DRM native contexts keep all their memory in blob resources, so that they are refused
 * as long as this renderer makes none.
 */
#define RENDERER_VIRGL_HAS_BLOBS 0

/**
 * struct renderer_virgl - The virglrenderer mode
 * @callbacks: given to the library, which keeps the address
 * @render_node_fd: the node that the user named, or -1; owned
 * @context: main context of @poll_source, a reference
 * @poll_source: polls the library: when its descriptor says so, or, without its fence thread, by
 *	the clock as long as fences are pending; NULL when it is not running
 * @has_fence_thread: the library waits for fences on a thread of its own
 * @fence_lock: guards the three below
 * @pending: struct pending_fence, oldest first
 * @last_serial: given to the youngest fence
 */
struct renderer_virgl {
	struct renderer base;
	struct virgl_renderer_callbacks callbacks;
	int render_node_fd;
	GMainContext *context;
	GSource *poll_source;
	bool has_fence_thread;
	GMutex fence_lock;
	GQueue pending;
	uint32_t last_serial;
};

/** renderer_virgl_of() - The renderer behind its base. */
static inline struct renderer_virgl *renderer_virgl_of(struct renderer *renderer)
{
	return (struct renderer_virgl *)renderer;
}

/**
 * renderer_virgl_errno() - The library's result as ours
 *
 * It returns EINVAL, -EINVAL or -1, whichever the function's author liked.
 */
static inline int renderer_virgl_errno(int result)
{
	if (result == -1)
		return -EINVAL;
	return result > 0 ? -result : result;
}

/** renderer_virgl_log_init() - Send the library's lines through util/log.h. */
void renderer_virgl_log_init(void);

/**
 * renderer_virgl_start() - Initialise the library, with the best GL that the host has
 * @ret_message: what was tried, on failure; freed by the caller
 *
 * Fills in render_node_fd, has_fence_thread. Return: 0 or a negative errno.
 */
int renderer_virgl_start(
	struct renderer_virgl *virgl, const struct renderer_options *options, char **ret_message);

/** renderer_virgl_fences_init() - Begin to watch the library; it runs already. */
void renderer_virgl_fences_init(struct renderer_virgl *virgl, GMainContext *context);

/**
 * renderer_virgl_fences_finish() - Wait for the fences that are pending and stop watching
 *
 * Return: 0, or -ETIMEDOUT when the GPU does not come to an end; the library's thread may then
 * still use everything, and nothing may be freed.
 */
int renderer_virgl_fences_finish(struct renderer_virgl *virgl);

/** renderer_virgl_write_fence() - The library's callback, on its thread or on ours. */
void renderer_virgl_write_fence(void *cookie, uint32_t serial);

/** renderer_virgl_write_context_fence() - The same for contexts with timelines of their own. */
void renderer_virgl_write_context_fence(
	void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t seqno);

/** renderer_virgl_fences_sweep() - To be called when the library may have lost a fence. */
void renderer_virgl_fences_sweep(struct renderer_virgl *virgl);

/* Hooks of struct renderer_ops, in fences.c, resource.c, transfer.c and export.c. */
int renderer_virgl_create_fence(struct renderer *renderer, const struct renderer_fence *fence);
int renderer_virgl_resource_create(struct renderer *renderer, struct gpu_resource *resource);
void renderer_virgl_resource_destroy(struct renderer *renderer, struct gpu_resource *resource);
int renderer_virgl_attach_backing(struct renderer *renderer, struct gpu_resource *resource);
void renderer_virgl_detach_backing(struct renderer *renderer, struct gpu_resource *resource);
int renderer_virgl_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset);
int renderer_virgl_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer);
int renderer_virgl_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer);
int renderer_virgl_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride);
int renderer_virgl_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf);

/** renderer_virgl_format_is_real() - Does the host's texture have the guest's format? If not, it
 * holds the same bytes under another name, and nobody outside may interpret them. */
bool renderer_virgl_format_is_real(const struct gpu_resource *resource);
