/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The formats that gfxstream knows, by virglrenderer's numbers, and how much it moves of each. It
 * takes an unknown one for another and then moves more than there is.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/checked.h"

/* Beyond this a transfer ends the process. */
#define MAX_IMAGE_LEN (UINT64_C(128) << 20)

/* OpenGL and the planar formats align a line. */
#define LINE_ALIGNMENT	 4
#define PLANAR_ALIGNMENT 16

/* Of a planar format @bytes is 0, and @luma_bytes those of a sample. */
static const struct rutabaga_format {
	uint32_t format;
	uint8_t bytes;
	uint8_t luma_bytes;
} formats[] = {
	{1, 4, 0},   /* B8G8R8A8_UNORM */
	{2, 4, 0},   /* B8G8R8X8_UNORM */
	{7, 2, 0},   /* B5G6R5_UNORM */
	{8, 4, 0},   /* R10G10B10A2_UNORM */
	{16, 2, 0},  /* Z16_UNORM */
	{18, 4, 0},  /* Z32_FLOAT */
	{19, 4, 0},  /* Z24_UNORM_S8_UINT */
	{21, 4, 0},  /* Z24X8_UNORM */
	{48, 2, 0},  /* R16_UNORM */
	{64, 1, 0},  /* R8_UNORM */
	{65, 2, 0},  /* R8G8_UNORM */
	{66, 3, 0},  /* R8G8B8_UNORM */
	{67, 4, 0},  /* R8G8B8A8_UNORM */
	{94, 8, 0},  /* R16G16B16A16_FLOAT */
	{126, 8, 0}, /* Z32_FLOAT_S8X24_UINT */
	{134, 4, 0}, /* R8G8B8X8_UNORM */
	{163, 0, 1}, /* YV12 */
	{166, 0, 1}, /* NV12 */
	{314, 0, 2}, /* P010 */
};

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) / alignment * alignment;
}

static const struct rutabaga_format *find_format(uint32_t format)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		if (formats[i].format == format)
			return &formats[i];
	}
	return NULL;
}

bool renderer_rutabaga_image_len(
	const struct rutabaga_image *image, unsigned int *ret_bytes_per_pixel, uint64_t *ret_len)
{
	const struct rutabaga_format *format = find_format(image->format);
	uint64_t line, lines = image->height;

	if (!format || image->width == 0 || image->height == 0)
		return false;
	if (format->bytes > 0) {
		line = align_up((uint64_t)image->width * format->bytes, LINE_ALIGNMENT);
	} else {
		/* The planes of colour have half as many lines, and lines half as long: twice. */
		line = align_up((uint64_t)image->width * format->luma_bytes, PLANAR_ALIGNMENT);
		lines = 2 * align_up(lines, 2);
	}
	*ret_bytes_per_pixel = format->bytes;
	return checked_mul(line, lines, ret_len) && *ret_len <= MAX_IMAGE_LEN;
}
