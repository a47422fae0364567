/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The '2d' mode: each resource has an image in our memory, tightly packed, in the layout that
 * pixman and the display work on. A transfer copies from guest memory into the image, once, and
 * the display borrows the image through get_pixels(); nothing is converted here, all formats of
 * virtio 1.3, section 5.7.6.8, have 4 bytes for a pixel. No threads, no fences.
 */
#include <errno.h>
#include <string.h>

#include "renderer/create.h"
#include "util/checked.h"
#include "util/iov.h"

#define BYTES_PER_PIXEL 4

struct renderer_2d {
	struct renderer base;
};

/*
 * A place in scattered memory that only moves on. Lines of a rectangle come in rising order, so
 * that the list is walked once however many pages it has.
 */
struct cursor {
	const struct iovec *iov;
	size_t iov_count;
	uint64_t offset; /* from the start of iov[0] */
};

/* Copies @len bytes that begin @skip bytes further on. The place is then where they began. */
static int cursor_read(struct cursor *cursor, uint64_t skip, void *dst, size_t len)
{
	cursor->offset += skip;
	while (cursor->iov_count > 0 && cursor->offset >= cursor->iov->iov_len) {
		cursor->offset -= cursor->iov->iov_len;
		cursor->iov++;
		cursor->iov_count--;
	}
	if (iov_read(cursor->iov, cursor->iov_count, cursor->offset, dst, len) != len)
		return -EINVAL;
	return 0;
}

static size_t image_stride(const struct gpu_resource *resource)
{
	return (size_t)resource->width * BYTES_PER_PIXEL;
}

static uint8_t *image_at(const struct gpu_resource *resource, uint32_t x, uint32_t y)
{
	return (uint8_t *)resource->renderer_data + y * image_stride(resource) +
	       (size_t)x * BYTES_PER_PIXEL;
}

static void renderer_2d_destroy(struct renderer *renderer)
{
	g_free(renderer);
}

static int renderer_2d_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	size_t len;

	if (resource->kind != GPU_RESOURCE_2D)
		return -ENOTSUP;
	if (resource->width == 0 || resource->height == 0)
		return -EINVAL;
	if (!checked_mul(image_stride(resource), (size_t)resource->height, &len))
		return -ENOMEM;
	resource->renderer_data = g_try_malloc0(len);
	return resource->renderer_data ? 0 : -ENOMEM;
}

static void renderer_2d_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	g_clear_pointer(&resource->renderer_data, g_free);
}

/* The backing is read when a transfer asks for it; nothing of it is kept. */
static int renderer_2d_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	return 0;
}

static void renderer_2d_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
}

static int renderer_2d_transfer(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct cursor cursor = {resource->iov, resource->iov_count, 0};
	size_t stride = image_stride(resource);
	size_t line_len = (size_t)rect->width * BYTES_PER_PIXEL;
	int ret;

	/* Whole lines follow each other without a gap on both sides. */
	if (line_len == stride)
		return cursor_read(
			&cursor, offset, image_at(resource, 0, rect->y), stride * rect->height);

	ret = cursor_read(&cursor, offset, image_at(resource, rect->x, rect->y), line_len);
	for (uint32_t i = 1; ret == 0 && i < rect->height; i++)
		ret = cursor_read(
			&cursor, stride, image_at(resource, rect->x, rect->y + i), line_len);
	return ret;
}

static const void *renderer_2d_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	*ret_stride = image_stride(resource);
	return resource->renderer_data;
}

static int renderer_2d_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	for (uint32_t i = 0; i < rect->height; i++)
		memcpy((uint8_t *)dst + i * stride, image_at(resource, rect->x, rect->y + i),
			(size_t)rect->width * BYTES_PER_PIXEL);
	return 0;
}

static const struct renderer_ops renderer_2d_ops = {
	.destroy = renderer_2d_destroy,
	.resource_create = renderer_2d_resource_create,
	.resource_destroy = renderer_2d_resource_destroy,
	.attach_backing = renderer_2d_attach_backing,
	.detach_backing = renderer_2d_detach_backing,
	.transfer_to_host_2d = renderer_2d_transfer,
	.get_pixels = renderer_2d_get_pixels,
	.read_rect = renderer_2d_read_rect,
};

int renderer_2d_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	struct renderer_2d *renderer = g_try_new0(struct renderer_2d, 1);

	if (!renderer) {
		*ret_message = g_strdup("2d: out of memory");
		return -ENOMEM;
	}
	renderer->base.ops = &renderer_2d_ops;
	*ret_renderer = &renderer->base;
	return 0;
}
