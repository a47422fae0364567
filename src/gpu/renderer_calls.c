/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the device does about the hooks that a renderer leaves out; the header says why. Each call that may
 * take a while is charged to the turn, so that the clock is looked at after it.
 */
#include "gpu/renderer_calls.h"

#include "util/turn.h"

#include <errno.h>

void renderer_calls_destroy(struct renderer *renderer)
{
	if (renderer->ops->destroy)
		renderer->ops->destroy(renderer);
}

int renderer_calls_get_capset(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->get_capset)
		return -EINVAL;
	return renderer->ops->get_capset(renderer, capset_id, version, buf, len);
}

int renderer_calls_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->ctx_create)
		return 0;
	return renderer->ops->ctx_create(renderer, ctx_id, capset_id, name);
}

void renderer_calls_ctx_destroy(struct renderer *renderer, uint32_t ctx_id)
{
	turn_charge(renderer->turn, 0);
	if (renderer->ops->ctx_destroy)
		renderer->ops->ctx_destroy(renderer, ctx_id);
}

int renderer_calls_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->ctx_attach_resource)
		return 0;
	return renderer->ops->ctx_attach_resource(renderer, ctx_id, resource);
}

void renderer_calls_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	turn_charge(renderer->turn, 0);
	if (renderer->ops->ctx_detach_resource)
		renderer->ops->ctx_detach_resource(renderer, ctx_id, resource);
}

int renderer_calls_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->resource_create)
		return 0;
	return renderer->ops->resource_create(renderer, resource);
}

int renderer_calls_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->resource_destroy)
		return 0;
	return renderer->ops->resource_destroy(renderer, resource);
}

int renderer_calls_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->attach_backing)
		return 0;
	return renderer->ops->attach_backing(renderer, resource);
}

void renderer_calls_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	turn_charge(renderer->turn, 0);
	if (renderer->ops->detach_backing)
		renderer->ops->detach_backing(renderer, resource);
}

int renderer_calls_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->transfer_to_host_2d)
		return 0;
	return renderer->ops->transfer_to_host_2d(renderer, resource, rect, offset);
}

int renderer_calls_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->transfer_to_host_3d)
		return 0;
	return renderer->ops->transfer_to_host_3d(renderer, ctx_id, resource, transfer);
}

int renderer_calls_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->transfer_from_host_3d)
		return 0;
	return renderer->ops->transfer_from_host_3d(renderer, ctx_id, resource, transfer);
}

int renderer_calls_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->submit)
		return 0;
	return renderer->ops->submit(renderer, ctx_id, commands, len, done);
}

bool renderer_calls_has_fences(const struct renderer *renderer)
{
	return renderer->ops->create_fence != NULL;
}

int renderer_calls_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->create_fence)
		return -ENOTSUP;
	return renderer->ops->create_fence(renderer, fence);
}

const void *renderer_calls_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	if (!renderer->ops->get_pixels)
		return NULL;
	return renderer->ops->get_pixels(renderer, resource, ret_stride);
}

int renderer_calls_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->read_rect)
		return -ENOTSUP;
	return renderer->ops->read_rect(renderer, resource, rect, dst, stride);
}

int renderer_calls_read_blob(struct renderer *renderer, struct gpu_resource *resource,
	uint32_t format, const struct gpu_rect *rect, void *dst, size_t stride)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->read_blob)
		return -ENOTSUP;
	return renderer->ops->read_blob(renderer, resource, format, rect, dst, stride);
}

int renderer_calls_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->export_dmabuf)
		return -ENOTSUP;
	return renderer->ops->export_dmabuf(renderer, resource, ret_dmabuf);
}

int renderer_calls_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	turn_charge(renderer->turn, 0);
	if (!renderer->ops->export_blob)
		return -ENOTSUP;
	return renderer->ops->export_blob(renderer, resource, ret_blob);
}
