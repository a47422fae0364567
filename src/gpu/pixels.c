/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * From a picture to the pixels that a display takes. The one place that converts formats, by
 * pixman. What is read back or converted is put into a buffer that is counted as host memory: a
 * blob's picture can be far larger than what the guest has, as a list may name a page any number of
 * times.
 */
#include "gpu/pixels.h"

#include "gpu/format.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/transfer.h"
#include "util/lendable.h"

#include <errno.h>

/* Same bits, or only a difference in what the receiver ignores? */
static bool is_same(pixman_format_code_t from, pixman_format_code_t to)
{
	return from == to || (from == PIXMAN_a8r8g8b8 && to == PIXMAN_x8r8g8b8);
}

/*
 * pixman takes up to 2.2 ms for a MiB of colours with more than 8 bits, and a quarter of a millisecond
 * for others; reading back takes 0.1 to 0.3 ms. A frame of 1920 x 1080 has 8 MiB.
 */
#define DEEP_PART_LEN  (UINT64_C(1) << 20)
#define OTHER_PART_LEN (UINT64_C(8) << 20)

uint64_t gpu_pixels_part_len(struct gpu_device *device, const struct gpu_framebuffer *framebuffer)
{
	size_t stride;

	if (PIXMAN_FORMAT_R(framebuffer->format->pixman) > 8)
		return DEEP_PART_LEN;
	if (!is_same(framebuffer->format->pixman, PIXMAN_x8r8g8b8) ||
		!gpu_framebuffer_get_image(device, framebuffer, &stride))
		return OTHER_PART_LEN;
	return TURN_LEN;
}

static int pixels_convert(const struct display_pixels *from, pixman_format_code_t from_format,
	const struct gpu_rect *rect, pixman_format_code_t to_format, void *to)
{
	/* scanout.c and flush.c keep sizes and strides far below what an int holds. */
	const int width = (int)rect->width, height = (int)rect->height;
	pixman_image_t *source = pixman_image_create_bits_no_clear(
		from_format, width, height, (uint32_t *)(uintptr_t)from->data, (int)from->stride);
	pixman_image_t *target =
		pixman_image_create_bits_no_clear(to_format, width, height, to, width * 4);
	int ret = source && target ? 0 : -ENOMEM;

	if (ret == 0)
		pixman_image_composite32(
			PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0, 0, 0, width, height);
	if (source)
		pixman_image_unref(source);
	if (target)
		pixman_image_unref(target);
	return ret;
}

/* Pixels of @rect as they are: the image itself, or a copy at @offset of @buffer. */
static int get_source(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, size_t offset, struct gpu_buffer *buffer,
	struct display_pixels *ret_pixels)
{
	const size_t bytes_per_pixel = framebuffer->format->bytes_per_pixel;
	size_t stride;
	const uint8_t *image = gpu_framebuffer_get_image(device, framebuffer, &stride);
	int ret;

	if (image) {
		*ret_pixels = (struct display_pixels){
			.data = image + rect->y * stride + rect->x * bytes_per_pixel,
			.stride = stride,
			.are_lendable = framebuffer->resource->base.has_lendable_image,
		};
		return gpu_buffer_reserve(device, buffer, offset);
	}
	/* pixman wants lines of whole 32-bit words. */
	stride = (rect->width * bytes_per_pixel + 3) & ~(size_t)3;
	ret = gpu_buffer_reserve(device, buffer, offset + rect->height * stride);
	if (ret < 0)
		return ret;
	*ret_pixels = (struct display_pixels){
		.data = buffer->data + offset,
		.stride = stride,
		.are_lendable = lendable_is(buffer->len),
	};
	gpu_transfer_settle(device);
	turn_charge(&device->turn, rect->height * stride);
	return gpu_framebuffer_read(device, framebuffer, rect, buffer->data + offset, stride);
}

int gpu_pixels_get(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, pixman_format_code_t format, struct gpu_buffer *buffer,
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
	gpu_transfer_settle(device);
	turn_charge(&device->turn, converted_len);
	ret = pixels_convert(&source, from, rect, format, buffer->data);
	if (ret < 0)
		return ret;
	*ret_pixels = (struct display_pixels){
		.data = buffer->data,
		.stride = (size_t)rect->width * 4,
		.are_lendable = lendable_is(buffer->len),
	};
	return 0;
}
