/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device's calls of the renderer: the one place that knows what a hook that is NULL stands for,
 * and where calls can be counted and timed. The contract is gpu/renderer.h's. Inside gpu/ only.
 */
#pragma once

#include "gpu/renderer.h"

/* Named after the hooks; the text says what happens without one. */

/** Nothing to free. */
void renderer_calls_destroy(struct renderer *renderer);

/** -EINVAL: there are no capsets. */
int renderer_calls_get_capset(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len);

/** Contexts exist in the device's table only. */
int renderer_calls_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name);
void renderer_calls_ctx_destroy(struct renderer *renderer, uint32_t ctx_id);
int renderer_calls_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource);
void renderer_calls_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource);

/** Resources, likewise. */
int renderer_calls_resource_create(struct renderer *renderer, struct gpu_resource *resource);
int renderer_calls_resource_destroy(struct renderer *renderer, struct gpu_resource *resource);

/** Nobody but the device needs to know of the backing. */
int renderer_calls_attach_backing(struct renderer *renderer, struct gpu_resource *resource);
void renderer_calls_detach_backing(struct renderer *renderer, struct gpu_resource *resource);

/** Nothing moves: there is no image. */
int renderer_calls_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset);
int renderer_calls_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);
int renderer_calls_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);

/** Nothing is drawn. */
int renderer_calls_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done);

/** Return: false without the hook: all is done already, no fence will signal. */
bool renderer_calls_has_fences(const struct renderer *renderer);
int renderer_calls_create_fence(struct renderer *renderer, const struct renderer_fence *fence);

/** NULL: use read_rect. */
const void *renderer_calls_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride);

/** -ENOTSUP: it cannot be shown. */
int renderer_calls_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride);

int renderer_calls_read_blob(struct renderer *renderer, struct gpu_resource *resource,
	uint32_t format, const struct gpu_rect *rect, void *dst, size_t stride);

/** -ENOTSUP: the display gets pixels. */
int renderer_calls_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf);

/** -ENOTSUP: the blob cannot be mapped. */
int renderer_calls_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob);
