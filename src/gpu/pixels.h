/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"

#include <pixman.h>

struct gpu_device;
struct gpu_tracked_resource;

/** struct gpu_pixel_buffer - Memory that is kept from use to use; zero at first */
struct gpu_pixel_buffer {
	uint8_t *data;
	size_t len;
};

void gpu_pixel_buffer_finish(struct gpu_pixel_buffer *buffer);

/**
 * gpu_pixels_get() - A rectangle of a resource's image as 32-bit pixels
 * @rect: inside the resource, not empty
 * @format: PIXMAN_x8r8g8b8 or PIXMAN_a8r8g8b8
 * @buffer: where pixels are put that need reading back or converting
 * @ret_pixels: borrowed: the renderer's own image, or @buffer; until either changes
 *
 * Where the renderer's image is in our memory and has the same bits, nothing is copied.
 * Return: 0; -EINVAL for a format that cannot be shown; -ENOMEM; the renderer's error.
 */
int gpu_pixels_get(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_rect *rect, pixman_format_code_t format, struct gpu_pixel_buffer *buffer,
	struct display_pixels *ret_pixels);
