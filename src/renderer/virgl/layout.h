/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "renderer/virgl/formats.h"
#include "renderer/virgl/renderer_virgl.h"

/**
 * struct renderer_virgl_level - The size of a mipmap level
 * @width, @height: pixels; of a buffer, bytes and 1
 * @layers: slices, faces or elements
 */
struct renderer_virgl_level {
	uint32_t width;
	uint32_t height;
	uint32_t layers;
};

/**
 * struct renderer_virgl_layout - How the box of a transfer lies in the backing
 * @target: of the texture
 * @format: of the texture, compressed or not
 * @level: that it goes to or comes from
 * @rows: lines of blocks in a layer of the box
 * @line_len: bytes of each
 * @stride, @layer_stride: bytes from line to line and from layer to layer
 * @len: bytes from the first to the last
 *
 * Of a buffer a transfer takes box.w bytes, whatever its format; @line_len is what the library wants to
 * be there.
 */
struct renderer_virgl_layout {
	uint32_t target;
	struct renderer_virgl_format format;
	struct renderer_virgl_level level;
	uint32_t rows;
	uint64_t line_len;
	uint64_t stride;
	uint64_t layer_stride;
	uint64_t len;
};

/**
 * renderer_virgl_layout_init() - Work out what a transfer touches
 * @image: from renderer_virgl_image_of()
 *
 * Return: 0; -EINVAL where the box is empty or not inside the level, does not consist of whole blocks,
 * lines overlap, it ends beyond 4 GiB, or the format is not a texture's.
 */
int renderer_virgl_layout_init(struct renderer_virgl_layout *layout,
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer);

/** renderer_virgl_line_len() - Bytes of a line of @width pixels. */
static inline uint64_t renderer_virgl_line_len(
	const struct renderer_virgl_format *format, uint64_t width)
{
	return (width + format->width - 1) / format->width * format->len;
}

/** renderer_virgl_row_count() - Lines of blocks in @height lines of pixels. */
static inline uint32_t renderer_virgl_row_count(
	const struct renderer_virgl_format *format, uint32_t height)
{
	return (height + format->height - 1) / format->height;
}

/** renderer_virgl_level_len() - Bytes of the level with all its layers, without gaps. */
static inline uint64_t renderer_virgl_level_len(const struct renderer_virgl_layout *layout)
{
	return renderer_virgl_line_len(&layout->format, layout->level.width) *
	       renderer_virgl_row_count(&layout->format, layout->level.height) *
	       layout->level.layers;
}

/** renderer_virgl_box_is_empty() - Is there nothing to transfer? */
static inline bool renderer_virgl_box_is_empty(const struct virtio_gpu_box *box)
{
	return box->w == 0 || box->h == 0 || box->d == 0;
}

/** renderer_virgl_box_of() - The library's struct virgl_box, the same, which its header does not define. */
static inline struct virgl_box *renderer_virgl_box_of(struct virtio_gpu_box *box)
{
	return (struct virgl_box *)box;
}
