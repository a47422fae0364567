/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The '2d' mode: images in plain memory, and nothing else. No threads, no fences. */
#include "renderer/create.h"
#include "renderer/plain/images.h"

#include <errno.h>

static void renderer_2d_destroy(struct renderer *renderer)
{
	g_free(renderer);
}

static int renderer_2d_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	return plain_image_create(resource);
}

static int renderer_2d_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	return plain_image_destroy(resource, renderer->turn);
}

static int renderer_2d_transfer(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	return plain_image_transfer(resource, rect, offset);
}

static const void *renderer_2d_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	return plain_image_get_pixels(resource, ret_stride);
}

static int renderer_2d_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	return plain_image_read_rect(resource, rect, dst, stride);
}

/* The backing is read when a transfer asks for it; nothing of it is kept. */
static const struct renderer_ops renderer_2d_ops = {
	.destroy = renderer_2d_destroy,
	.resource_create = renderer_2d_resource_create,
	.resource_destroy = renderer_2d_resource_destroy,
	.transfer_to_host_2d = renderer_2d_transfer,
	.get_pixels = renderer_2d_get_pixels,
	.read_rect = renderer_2d_read_rect,
};

int renderer_2d_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	struct renderer *renderer = g_try_new0(struct renderer, 1);

	if (!renderer) {
		*ret_message = g_strdup("2d: out of memory");
		return -ENOMEM;
	}
	renderer->ops = &renderer_2d_ops;
	*ret_renderer = renderer;
	return 0;
}
