/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Images of 2D resources in plain memory. A transfer copies from guest memory into the image, once, and
 * the display borrows it; nothing is converted here, all formats of virtio 1.3, section 5.7.6.8, have 4
 * bytes for a pixel.
 */
#include "renderer/plain/images.h"

#include "util/checked.h"
#include "util/iov.h"
#include "util/lendable.h"
#include "util/turn.h"

#include <errno.h>
#include <string.h>

#define BYTES_PER_PIXEL 4

/* Given back to the kernel at a time; pages that were written take up to 30 us for a MiB. */
#define FREED_PART_LEN ((size_t)16 << 20)

static size_t image_stride(const struct gpu_resource *resource)
{
	return (size_t)resource->width * BYTES_PER_PIXEL;
}

static uint8_t *image_at(const struct gpu_resource *resource, uint32_t x, uint32_t y)
{
	return (uint8_t *)resource->renderer_data + y * image_stride(resource) +
	       (size_t)x * BYTES_PER_PIXEL;
}

int plain_image_create(struct gpu_resource *resource)
{
	size_t len;

	if (resource->kind != GPU_RESOURCE_2D)
		return -ENOTSUP;
	if (resource->width == 0 || resource->height == 0)
		return -EINVAL;
	if (!checked_mul(image_stride(resource), (size_t)resource->height, &len))
		return -ENOMEM;
	resource->renderer_data = lendable_alloc(len);
	resource->has_lendable_image = lendable_is(len);
	return resource->renderer_data ? 0 : -ENOMEM;
}

size_t plain_image_len(const struct gpu_resource *resource)
{
	return image_stride(resource) * resource->height;
}

int plain_image_destroy(struct gpu_resource *resource, struct turn *turn)
{
	const size_t len = plain_image_len(resource);
	uint8_t *image = resource->renderer_data;

	/* What is left is always lendable memory of its own. */
	while (len - resource->progress >= 2 * FREED_PART_LEN) {
		lendable_free(image + resource->progress, FREED_PART_LEN);
		resource->progress += FREED_PART_LEN;
		turn_charge(turn, 0);
		if (turn_is_over(turn))
			return RENDERER_AGAIN;
	}
	lendable_free(image + resource->progress, len - resource->progress);
	resource->progress = 0;
	resource->renderer_data = NULL;
	resource->has_lendable_image = false;
	return 0;
}

int plain_image_transfer(
	struct gpu_resource *resource, const struct gpu_rect *rect, uint64_t offset)
{
	struct iov_cursor cursor =
		iov_cursor_find(resource->iov, resource->iov_starts, resource->iov_count, offset);
	const size_t stride = image_stride(resource);
	size_t line_len = (size_t)rect->width * BYTES_PER_PIXEL;
	uint32_t lines = rect->height;

	/* Whole lines follow each other without a gap on both sides. */
	if (line_len == stride) {
		line_len *= lines;
		lines = 1;
	}
	for (uint32_t i = 0; i < lines; i++)
		if (iov_cursor_read(&cursor, offset + i * stride,
			    image_at(resource, rect->x, rect->y + i), line_len) != line_len)
			return -EINVAL;
	return 0;
}

const void *plain_image_get_pixels(struct gpu_resource *resource, size_t *ret_stride)
{
	*ret_stride = image_stride(resource);
	return resource->renderer_data;
}

int plain_image_read_rect(
	struct gpu_resource *resource, const struct gpu_rect *rect, void *dst, size_t stride)
{
	for (uint32_t i = 0; i < rect->height; i++)
		memcpy((uint8_t *)dst + i * stride, image_at(resource, rect->x, rect->y + i),
			(size_t)rect->width * BYTES_PER_PIXEL);
	return 0;
}
