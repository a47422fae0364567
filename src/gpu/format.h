/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct gpu_format - A pixel format that can be shown
 * @id: enum virtio_gpu_formats (virtio 1.3, section 5.7.6.8), which name the order of bytes in
 *	memory; or, for 3D resources only, a number of virglrenderer's, whose first numbers are
 *	the same
 * @pixman: the same, named by the bits of a word of this machine
 * @fourcc: DRM_FORMAT_*; 0 where @is_2d is false
 * @bytes_per_pixel: 4, but for some of the 3D ones
 * @is_2d: may be used with RESOURCE_CREATE_2D and SET_SCANOUT_BLOB
 */
struct gpu_format {
	uint32_t id;
	pixman_format_code_t pixman;
	uint32_t fourcc;
	uint8_t bytes_per_pixel;
	bool is_2d;
};

/**
 * Largest side of a picture: pixman, which converts them, has 16 bits for a coordinate, and leaves out a
 * picture where the one behind its last does not fit.
 */
#define GPU_MAX_2D_SIZE 32766

/** Bytes of a pixel in all formats of RESOURCE_CREATE_2D. */
#define GPU_2D_BYTES_PER_PIXEL 4

/** gpu_format_find() - Look a format up. Return: a row of the table, or NULL. */
const struct gpu_format *gpu_format_find(uint32_t id);

/** gpu_format_find_2d() - The same, among those of RESOURCE_CREATE_2D. */
const struct gpu_format *gpu_format_find_2d(uint32_t id);
