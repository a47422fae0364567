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

void gpu_pixel_buffer_finish(struct gpu_device *device, struct gpu_pixel_buffer *buffer)
{
	gpu_hostmem_release(device, buffer->len);
	g_free(buffer->data);
	*buffer = (struct gpu_pixel_buffer){0};
}

/*
 * Counted as host memory: a blob's picture can be far larger than what the guest has, as a list may
 * name a page any number of times.
 */
static int reserve(struct gpu_device *device, struct gpu_pixel_buffer *buffer, size_t len)
{
	if (len <= buffer->len)
		return 0;
	gpu_pixel_buffer_finish(device, buffer);
	if (gpu_hostmem_charge(device, len) < 0)
		return -ENOMEM;
	buffer->data = g_try_malloc(len);
	if (buffer->data == NULL) {
		gpu_hostmem_release(device, len);
		return -ENOMEM;
	}
	buffer->len = len;
	return 0;
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

bool gpu_framebuffer_of(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	const struct gpu_format *format = gpu_format_find(resource->base.format);

	if (resource->base.kind == GPU_RESOURCE_BLOB || format == NULL)
		return false;
	*ret_framebuffer = (struct gpu_framebuffer){
		.resource = resource,
		.format = format,
		.width = resource->base.width,
		.height = resource->base.height,
	};
	return true;
}

/* The image where it is in our memory in one piece, or NULL. */
static const uint8_t *get_image(
	struct gpu_device *device, const struct gpu_framebuffer *framebuffer, size_t *ret_stride)
{
	struct gpu_resource *resource = &framebuffer->resource->base;
	struct renderer *renderer = device->renderer;
	const uint8_t *blob;

	if (resource->kind != GPU_RESOURCE_BLOB)
		return renderer->ops->get_pixels != NULL
			       ? renderer->ops->get_pixels(renderer, resource, ret_stride)
			       : NULL;
	blob = gpu_blob_memory(device, framebuffer->resource);
	*ret_stride = framebuffer->stride;
	return blob != NULL ? blob + framebuffer->offset : NULL;
}

/* Copies @rect to @dst, whose lines are @stride bytes long. */
static int read_rect(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct gpu_resource *resource = &framebuffer->resource->base;
	const struct renderer_ops *ops = device->renderer->ops;

	if (resource->kind == GPU_RESOURCE_BLOB)
		return gpu_blob_read_rect(framebuffer, rect, dst, stride);
	if (ops->read_rect == NULL)
		return -ENOTSUP;
	return ops->read_rect(device->renderer, resource, rect, dst, stride);
}

/* Pixels of @rect as they are: the image itself, or a copy at @offset of @buffer. */
static int get_source(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, size_t offset, struct gpu_pixel_buffer *buffer,
	struct display_pixels *ret_pixels)
{
	const size_t bytes_per_pixel = framebuffer->format->bytes_per_pixel;
	size_t stride;
	const uint8_t *image = get_image(device, framebuffer, &stride);
	int ret;

	if (image != NULL) {
		ret_pixels->data = image + rect->y * stride + rect->x * bytes_per_pixel;
		ret_pixels->stride = stride;
		return reserve(device, buffer, offset);
	}
	/* pixman wants lines of whole 32-bit words. */
	stride = (rect->width * bytes_per_pixel + 3) & ~(size_t)3;
	ret = reserve(device, buffer, offset + rect->height * stride);
	if (ret < 0)
		return ret;
	ret_pixels->data = buffer->data + offset;
	ret_pixels->stride = stride;
	return read_rect(device, framebuffer, rect, buffer->data + offset, stride);
}

int gpu_pixels_get(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, pixman_format_code_t format, struct gpu_pixel_buffer *buffer,
	struct display_pixels *ret_pixels)
{
	const pixman_format_code_t from = framebuffer->format->pixman;
	/* The converted pixels come first in the buffer, what is read back behind them. */
	size_t converted_len = (size_t)rect->width * rect->height * 4;
	struct display_pixels source;
	int ret;

	if (is_same(from, format))
		return get_source(device, framebuffer, rect, 0, buffer, ret_pixels);
	ret = get_source(device, framebuffer, rect, converted_len, buffer, &source);
	if (ret < 0)
		return ret;
	ret = convert(&source, from, rect, format, buffer->data);
	if (ret < 0)
		return ret;
	ret_pixels->data = buffer->data;
	ret_pixels->stride = (size_t)rect->width * 4;
	return 0;
}
