/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a transfer touches, exactly: of the texture and of the backing. Everything that is refused
 * because of a size is refused here, for the device's commands and for those in a command stream. The
 * library compares boxes as int and sums bytes in 32 bits, and OpenGL believes it; so a transfer has to
 * be right in 64 bits before either sees it. virtio 1.3, section 5.7.6.8 and 5.7.6.9.
 */
#include "renderer/virgl/layout.h"

#include "util/checked.h"

/*
 * The library reads some textures back as a whole, and counts the bytes in 32 bits, and so it does with
 * pixels in places. No driver has larger textures than 16384 x 16384.
 */
#define MAX_TEXTURE_LEN UINT32_MAX
#define MAX_PIXELS	(UINT64_C(1) << 28)
#define MAX_BUFFER_LEN	((UINT64_C(1) << 31) - 1)
#define MAX_SAMPLES	32

static uint32_t minify_size(uint32_t size, uint32_t level)
{
	return level < 32 ? MAX(size >> level, 1) : 1;
}

static uint32_t count_layers(const struct gpu_resource_3d *args, uint32_t level)
{
	switch (args->target) {
	case TARGET_TEXTURE_3D:
		return minify_size(args->depth, level);
	case TARGET_CUBE:
	case TARGET_ARRAY_1D:
	case TARGET_ARRAY_2D:
	case TARGET_CUBE_ARRAY:
		return args->array_size;
	default:
		return 1;
	}
}

bool renderer_virgl_size_is_sane(const struct gpu_resource *resource)
{
	const struct gpu_resource_3d *args = &resource->args_3d;
	const uint64_t layers = MAX((uint64_t)args->depth, 1);
	struct renderer_virgl_format format;
	uint64_t pixels, len;

	if (args->target == TARGET_BUFFER)
		return resource->width <= MAX_BUFFER_LEN;
	if (!renderer_virgl_format_find(resource->format, &format) ||
		args->nr_samples > MAX_SAMPLES)
		return false;
	if (!checked_mul(layers, (uint64_t)MAX(args->array_size, 1), &pixels) ||
		!checked_mul(pixels,
			(uint64_t)renderer_virgl_row_count(&format, MAX(resource->height, 1)),
			&len) ||
		!checked_mul(len, renderer_virgl_line_len(&format, resource->width), &len) ||
		!checked_mul(pixels, (uint64_t)MAX(resource->height, 1), &pixels) ||
		!checked_mul(pixels, (uint64_t)resource->width, &pixels))
		return false;
	return len <= MAX_TEXTURE_LEN && pixels <= MAX_PIXELS;
}

/* An axis of the box: inside the level, and in whole blocks but for where the level ends. */
static bool is_axis_sane(uint32_t start, uint32_t len, uint32_t size, uint32_t block)
{
	return checked_range(start, len, MIN(size, INT_MAX)) && start % block == 0 &&
	       (len % block == 0 || start + len == size);
}

static bool is_box_inside(
	const struct renderer_virgl_layout *layout, const struct virtio_gpu_box *box)
{
	const struct renderer_virgl_level *level = &layout->level;
	const struct renderer_virgl_format *format = &layout->format;

	if (renderer_virgl_box_is_empty(box))
		return false;
	if (layout->target == TARGET_BUFFER)
		return is_axis_sane(box->x, box->w, level->width, 1) && box->y == 0 &&
		       box->h == 1 && box->z == 0 && box->d == 1;
	return is_axis_sane(box->x, box->w, level->width, format->width) &&
	       is_axis_sane(box->y, box->h, level->height, format->height) &&
	       is_axis_sane(box->z, box->d, level->layers, 1);
}

/*
 * A stride of 0 stands for the level's lines, or layers, without gaps. Lines that overlap the library
 * refuses, too. Return: false beyond 64 bits.
 */
static bool find_strides(
	struct renderer_virgl_layout *layout, const struct gpu_transfer_3d *transfer)
{
	const uint64_t level_rows = renderer_virgl_row_count(&layout->format, layout->level.height);
	uint64_t lines, layers;

	layout->stride = transfer->stride;
	if (layout->stride == 0)
		layout->stride = renderer_virgl_line_len(&layout->format, layout->level.width);
	layout->layer_stride = transfer->layer_stride;
	if (layout->layer_stride == 0 &&
		!checked_mul(layout->stride, level_rows, &layout->layer_stride))
		return false;
	if (layout->stride < layout->line_len ||
		!checked_mul(layout->stride, (uint64_t)layout->rows, &lines) ||
		layout->layer_stride < lines)
		return false;
	return checked_mul(layout->layer_stride, (uint64_t)transfer->box.d - 1, &layers) &&
	       checked_add(layers, lines - layout->stride + layout->line_len, &layout->len);
}

int renderer_virgl_layout_init(struct renderer_virgl_layout *layout,
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer)
{
	const struct gpu_resource_3d *args = &image->args_3d;
	const struct virtio_gpu_box *box = &transfer->box;
	uint64_t end;

	if (transfer->level > args->last_level)
		return -EINVAL;
	*layout = (struct renderer_virgl_layout){.target = args->target};
	if (!renderer_virgl_format_find(image->format, &layout->format))
		return -EINVAL;
	layout->level = (struct renderer_virgl_level){
		.width = minify_size(image->width, transfer->level),
		.height = minify_size(image->height, transfer->level),
		.layers = count_layers(args, transfer->level),
	};
	if (!is_box_inside(layout, box))
		return -EINVAL;
	layout->rows = renderer_virgl_row_count(&layout->format, box->h);
	/* Of a buffer as well, though it takes a byte for each: the library wants as many. */
	layout->line_len = renderer_virgl_line_len(&layout->format, box->w);
	if (!find_strides(layout, transfer) || !checked_add(layout->len, transfer->offset, &end) ||
		end > UINT32_MAX)
		return -EINVAL;
	return 0;
}
