/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"

#include <pixman.h>
#include <stdbool.h>

struct gpu_format;
struct gpu_device;
struct gpu_tracked_resource;

/** struct gpu_pixel_buffer - Memory that is kept from use to use; zero at first */
struct gpu_pixel_buffer {
	uint8_t *data;
	size_t len; /* bytes, counted against max_hostmem */
};

/** gpu_pixel_buffer_finish() - Give the memory back; the buffer can be used again. */
void gpu_pixel_buffer_finish(struct gpu_device *device, struct gpu_pixel_buffer *buffer);

/**
 * struct gpu_framebuffer - How a resource's memory is seen as a picture
 * @resource: NULL: nothing
 * @format: of its pixels
 * @width, @height: pixels
 * @stride: bytes from line to line, blobs only
 * @offset: first pixel in the blob, bytes; blobs only
 *
 * A 2D or 3D resource is its own picture; a blob becomes one by SET_SCANOUT_BLOB.
 */
struct gpu_framebuffer {
	struct gpu_tracked_resource *resource;
	const struct gpu_format *format;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint64_t offset;
};

/**
 * gpu_framebuffer_of() - A 2D or 3D resource as a picture
 *
 * Return: false for a blob, and for a format that cannot be shown.
 */
bool gpu_framebuffer_of(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer);

/**
 * gpu_pixels_get() - A rectangle of a picture as 32-bit pixels
 * @rect: inside the picture, not empty
 * @format: PIXMAN_x8r8g8b8 or PIXMAN_a8r8g8b8
 * @buffer: where pixels are put that need reading back or converting
 * @ret_pixels: borrowed: the image itself, or @buffer; until either changes
 *
 * Where the image is in our memory and has the same bits, nothing is copied.
 * Return: 0; -ENOMEM, also beyond max_hostmem; the renderer's error.
 */
int gpu_pixels_get(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, pixman_format_code_t format, struct gpu_pixel_buffer *buffer,
	struct display_pixels *ret_pixels);
