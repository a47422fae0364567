/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"
#include "gpu/framebuffer.h"
#include "gpu/hostmem.h"

#include <pixman.h>

/**
 * gpu_pixels_part_len() - How many bytes of a picture's 32-bit pixels to ask for at a time
 *
 * So that one part takes about a turn (util/turn.h) where memory is slow: little where pixels are
 * converted, more where they are read back, much where the image is sent as it is.
 */
uint64_t gpu_pixels_part_len(struct gpu_device *device, const struct gpu_framebuffer *framebuffer);

/**
 * gpu_pixels_get() - A rectangle of a picture as 32-bit pixels
 * @rect: inside the picture, not empty
 * @format: PIXMAN_x8r8g8b8 or PIXMAN_a8r8g8b8
 * @buffer: where pixels are put that need reading back or converting
 * @ret_pixels: borrowed: the image itself, or @buffer; until either changes
 *
 * Where the image is in our memory and has the same bits, nothing is copied, and a transfer that was
 * put off (gpu/transfer.h) stays so: see to it before the pixels are read.
 * Return: 0; -ENOMEM; the error of the limit of host memory; the renderer's error.
 */
int gpu_pixels_get(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, pixman_format_code_t format, struct gpu_buffer *buffer,
	struct display_pixels *ret_pixels);
