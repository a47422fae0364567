/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * From a resource's image to the pixels that a display takes. The one place that converts
 * formats, by pixman.
 */
#include "gpu/pixels.h"

#include "gpu/format.h"
#include "gpu/internal.h"

#include <errno.h>

void gpu_pixel_buffer_finish(struct gpu_pixel_buffer *buffer)
{
	g_free(buffer->data);
	*buffer = (struct gpu_pixel_buffer){0};
}

static int reserve(struct gpu_pixel_buffer *buffer, size_t len)
{
	if (len <= buffer->len)
		return 0;
	g_free(buffer->data);
	buffer->data = g_try_malloc(len);
	buffer->len = buffer->data != NULL ? len : 0;
	return buffer->data != NULL ? 0 : -ENOMEM;
}

/* Same bits, or only a difference in what the receiver ignores? */
static bool is_same(pixman_format_code_t from, pixman_format_code_t to)
{
	return from == to || (from == PIXMAN_a8r8g8b8 && to == PIXMAN_x8r8g8b8);
}

static int convert(const struct display_pixels *from, pixman_format_code_t from_format,
	const struct gpu_rect *rect, pixman_format_code_t to_format, void *to)
{
	pixman_image_t *source = pixman_image_create_bits_no_clear(from_format, rect->width,
		rect->height, (uint32_t *)(uintptr_t)from->data, from->stride);
	pixman_image_t *target = pixman_image_create_bits_no_clear(
		to_format, rect->width, rect->height, to, rect->width * 4);
	int ret = source != NULL && target != NULL ? 0 : -ENOMEM;

	if (ret == 0)
		pixman_image_composite32(PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0, 0, 0,
			rect->width, rect->height);
	if (source != NULL)
		pixman_image_unref(source);
	if (target != NULL)
		pixman_image_unref(target);
	return ret;
}

/* The renderer's own image of @rect, or one read back to @offset of @buffer. */
static int get_source(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_rect *rect, size_t offset, struct gpu_pixel_buffer *buffer,
	struct display_pixels *ret_pixels)
{
	const struct renderer_ops *ops = device->renderer->ops;
	uint32_t bytes_per_pixel = gpu_format_find(resource->base.format)->bytes_per_pixel;
	/* pixman wants lines of whole 32-bit words. */
	size_t stride = (rect->width * (size_t)bytes_per_pixel + 3) & ~(size_t)3;
	int ret;

	if (ops->get_pixels != NULL) {
		size_t image_stride;
		const uint8_t *image =
			ops->get_pixels(device->renderer, &resource->base, &image_stride);

		if (image != NULL) {
			ret_pixels->data =
				image + rect->y * image_stride + rect->x * (size_t)bytes_per_pixel;
			ret_pixels->stride = image_stride;
			return reserve(buffer, offset);
		}
	}
	if (ops->read_rect == NULL)
		return -ENOTSUP;
	ret = reserve(buffer, offset + rect->height * stride);
	if (ret < 0)
		return ret;
	ret_pixels->data = buffer->data + offset;
	ret_pixels->stride = stride;
	return ops->read_rect(
		device->renderer, &resource->base, rect, buffer->data + offset, stride);
}

int gpu_pixels_get(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_rect *rect, pixman_format_code_t format, struct gpu_pixel_buffer *buffer,
	struct display_pixels *ret_pixels)
{
	const struct gpu_format *from = gpu_format_find(resource->base.format);
	/* The converted pixels come first in the buffer, what is read back behind them. */
	size_t converted_len = (size_t)rect->width * rect->height * 4;
	struct display_pixels source;
	int ret;

	if (from == NULL)
		return -EINVAL;
	if (is_same(from->pixman, format))
		return get_source(device, resource, rect, 0, buffer, ret_pixels);
	ret = get_source(device, resource, rect, converted_len, buffer, &source);
	if (ret < 0)
		return ret;
	ret = convert(&source, from->pixman, rect, format, buffer->data);
	if (ret < 0)
		return ret;
	ret_pixels->data = buffer->data;
	ret_pixels->stride = (size_t)rect->width * 4;
	return 0;
}
