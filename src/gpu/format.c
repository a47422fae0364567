/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The formats that can be shown, in pixman's terms. The specification names a format by the order
 * of its bytes in memory, pixman by the bits of a word of this machine.
 *
 * The 3D ones are what a guest's Mesa may scan out besides: the sRGB twins, whose bytes are shown
 * as they are, and the packed 16-bit and 10-bit ones (virglrenderer's enum virgl_formats).
 */
#include "gpu/format.h"

#include <drm_fourcc.h>
#include <glib.h>
#include <linux/virtio_gpu.h>

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define WORD(little, big) (little)
#else
#define WORD(little, big) (big)
#endif

enum {
	VIRGL_FORMAT_B5G6R5_UNORM = 7,
	VIRGL_FORMAT_R10G10B10A2_UNORM = 8,
	VIRGL_FORMAT_B8G8R8A8_SRGB = 100,
	VIRGL_FORMAT_B8G8R8X8_SRGB = 101,
	VIRGL_FORMAT_R8G8B8A8_SRGB = 104,
	VIRGL_FORMAT_B10G10R10A2_UNORM = 131,
};

static const struct gpu_format formats[] = {
	{VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, WORD(PIXMAN_a8r8g8b8, PIXMAN_b8g8r8a8),
		DRM_FORMAT_ARGB8888, 4, true},
	{VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, WORD(PIXMAN_x8r8g8b8, PIXMAN_b8g8r8x8),
		DRM_FORMAT_XRGB8888, 4, true},
	{VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, WORD(PIXMAN_b8g8r8a8, PIXMAN_a8r8g8b8),
		DRM_FORMAT_BGRA8888, 4, true},
	{VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, WORD(PIXMAN_b8g8r8x8, PIXMAN_x8r8g8b8),
		DRM_FORMAT_BGRX8888, 4, true},
	{VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, WORD(PIXMAN_a8b8g8r8, PIXMAN_r8g8b8a8),
		DRM_FORMAT_ABGR8888, 4, true},
	{VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, WORD(PIXMAN_r8g8b8x8, PIXMAN_x8b8g8r8),
		DRM_FORMAT_RGBX8888, 4, true},
	{VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, WORD(PIXMAN_r8g8b8a8, PIXMAN_a8b8g8r8),
		DRM_FORMAT_RGBA8888, 4, true},
	{VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, WORD(PIXMAN_x8b8g8r8, PIXMAN_r8g8b8x8),
		DRM_FORMAT_XBGR8888, 4, true},
	{VIRGL_FORMAT_B8G8R8A8_SRGB, WORD(PIXMAN_a8r8g8b8, PIXMAN_b8g8r8a8), 0, 4, false},
	{VIRGL_FORMAT_B8G8R8X8_SRGB, WORD(PIXMAN_x8r8g8b8, PIXMAN_b8g8r8x8), 0, 4, false},
	{VIRGL_FORMAT_R8G8B8A8_SRGB, WORD(PIXMAN_a8b8g8r8, PIXMAN_r8g8b8a8), 0, 4, false},
	{VIRGL_FORMAT_B5G6R5_UNORM, PIXMAN_r5g6b5, 0, 2, false},
	{VIRGL_FORMAT_R10G10B10A2_UNORM, PIXMAN_a2b10g10r10, 0, 4, false},
	{VIRGL_FORMAT_B10G10R10A2_UNORM, PIXMAN_a2r10g10b10, 0, 4, false},
};

const struct gpu_format *gpu_format_find(uint32_t id)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (formats[i].id == id)
			return &formats[i];
	return NULL;
}

const struct gpu_format *gpu_format_find_2d(uint32_t id)
{
	const struct gpu_format *format = gpu_format_find(id);

	return format && format->is_2d ? format : NULL;
}
