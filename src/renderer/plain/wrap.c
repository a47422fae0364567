/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A renderer around another one that has no images of 2D resources: these are kept in plain memory,
 * everything else goes on to the inner one. A hook that the inner renderer leaves out and that is about
 * 2D resources too does what the device would do about it (gpu/renderer_calls.c); one that is not is
 * left out here as well.
 */
#include "renderer/plain/images.h"

#include <errno.h>

/* @ops: as the inner renderer's, where a hook is not there. */
struct renderer_plain {
	struct renderer base;
	struct renderer_ops ops;
	struct renderer *inner;
};

static struct renderer *inner_of(struct renderer *renderer)
{
	return ((struct renderer_plain *)renderer)->inner;
}

static bool is_plain(const struct gpu_resource *resource)
{
	return resource->kind == GPU_RESOURCE_2D;
}

static void plain_destroy(struct renderer *renderer)
{
	struct renderer *inner = inner_of(renderer);

	inner->ops->destroy(inner);
	g_free(renderer);
}

static int plain_get_capset(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->get_capset(inner, capset_id, version, buf, len);
}

static int plain_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->ctx_create(inner, ctx_id, capset_id, name);
}

static void plain_ctx_destroy(struct renderer *renderer, uint32_t ctx_id)
{
	struct renderer *inner = inner_of(renderer);

	inner->ops->ctx_destroy(inner, ctx_id);
}

static int plain_submit(struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->submit(inner, ctx_id, commands, len);
}

static int plain_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->create_fence(inner, fence);
}

static int plain_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->export_blob(inner, resource, ret_blob);
}

static int plain_read_blob(struct renderer *renderer, struct gpu_resource *resource,
	uint32_t format, const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->read_blob(inner, resource, format, rect, dst, stride);
}

static int plain_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return 0;
	if (!inner->ops->ctx_attach_resource)
		return 0;
	return inner->ops->ctx_attach_resource(inner, ctx_id, resource);
}

static void plain_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (!is_plain(resource) && inner->ops->ctx_detach_resource)
		inner->ops->ctx_detach_resource(inner, ctx_id, resource);
}

static int plain_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return plain_image_create(resource);
	if (!inner->ops->resource_create)
		return 0;
	return inner->ops->resource_create(inner, resource);
}

static void plain_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		plain_image_destroy(resource);
	else if (inner->ops->resource_destroy)
		inner->ops->resource_destroy(inner, resource);
}

static int plain_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return 0;
	if (!inner->ops->attach_backing)
		return 0;
	return inner->ops->attach_backing(inner, resource);
}

static void plain_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (!is_plain(resource) && inner->ops->detach_backing)
		inner->ops->detach_backing(inner, resource);
}

static int plain_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return plain_image_transfer(resource, rect, offset);
	if (!inner->ops->transfer_to_host_2d)
		return 0;
	return inner->ops->transfer_to_host_2d(inner, resource, rect, offset);
}

static int plain_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return -EINVAL;
	if (!inner->ops->transfer_to_host_3d)
		return 0;
	return inner->ops->transfer_to_host_3d(inner, ctx_id, resource, transfer);
}

static int plain_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return -EINVAL;
	if (!inner->ops->transfer_from_host_3d)
		return 0;
	return inner->ops->transfer_from_host_3d(inner, ctx_id, resource, transfer);
}

static const void *plain_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return plain_image_get_pixels(resource, ret_stride);
	if (!inner->ops->get_pixels)
		return NULL;
	return inner->ops->get_pixels(inner, resource, ret_stride);
}

static int plain_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return plain_image_read_rect(resource, rect, dst, stride);
	if (!inner->ops->read_rect)
		return -ENOTSUP;
	return inner->ops->read_rect(inner, resource, rect, dst, stride);
}

static int plain_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(resource))
		return -ENOTSUP;
	if (!inner->ops->export_dmabuf)
		return -ENOTSUP;
	return inner->ops->export_dmabuf(inner, resource, ret_dmabuf);
}

static const struct renderer_ops plain_ops = {
	.destroy = plain_destroy,
	.get_capset = plain_get_capset,
	.ctx_create = plain_ctx_create,
	.ctx_destroy = plain_ctx_destroy,
	.submit = plain_submit,
	.create_fence = plain_create_fence,
	.export_blob = plain_export_blob,
	.read_blob = plain_read_blob,
	.ctx_attach_resource = plain_ctx_attach_resource,
	.ctx_detach_resource = plain_ctx_detach_resource,
	.resource_create = plain_resource_create,
	.resource_destroy = plain_resource_destroy,
	.attach_backing = plain_attach_backing,
	.detach_backing = plain_detach_backing,
	.transfer_to_host_2d = plain_transfer_to_host_2d,
	.transfer_to_host_3d = plain_transfer_to_host_3d,
	.transfer_from_host_3d = plain_transfer_from_host_3d,
	.get_pixels = plain_get_pixels,
	.read_rect = plain_read_rect,
	.export_dmabuf = plain_export_dmabuf,
};

static void fence_signalled(void *opaque, const struct renderer_fence *fence)
{
	const struct renderer *outer = opaque;

	outer->events->fence_signalled(outer->events_opaque, fence);
}

static void contexts_lost(void *opaque, uint64_t capset_mask)
{
	const struct renderer *outer = opaque;

	outer->events->contexts_lost(outer->events_opaque, capset_mask);
}

static const struct renderer_events inner_events = {
	.fence_signalled = fence_signalled,
	.contexts_lost = contexts_lost,
};

/* Leaves out what the inner renderer leaves out, and has nothing to do with 2D resources. */
static void leave_out(struct renderer_ops *ops, const struct renderer_ops *inner)
{
	if (!inner->get_capset)
		ops->get_capset = NULL;
	if (!inner->ctx_create)
		ops->ctx_create = NULL;
	if (!inner->ctx_destroy)
		ops->ctx_destroy = NULL;
	if (!inner->submit)
		ops->submit = NULL;
	if (!inner->create_fence)
		ops->create_fence = NULL;
	if (!inner->export_blob)
		ops->export_blob = NULL;
	if (!inner->read_blob)
		ops->read_blob = NULL;
}

struct renderer *renderer_plain_wrap(struct renderer *inner)
{
	struct renderer_plain *plain = g_try_new0(struct renderer_plain, 1);

	if (!plain)
		return NULL;
	plain->base = *inner;
	plain->ops = plain_ops;
	leave_out(&plain->ops, inner->ops);
	plain->base.ops = &plain->ops;
	plain->inner = inner;
	inner->events = &inner_events;
	inner->events_opaque = &plain->base;
	return &plain->base;
}
