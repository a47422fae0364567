/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers of the library that plays virglrenderer. The real one (vrend_renderer.c, its
 * check_transfer_bounds() and check_iov_bounds()) counts in 32 bits; what it lets through is counted
 * again in 64, and must lie in the memory that it is given.
 */
#include "fake-virgl.h"

#include <errno.h>
#include <string.h>

/* Lines of one transfer that are touched: the first ones and the last. */
#define LINES_TOUCHED 4

/* Pieces times lines that a single transfer may look at, see transfer.c of the renderer. */
#define MAX_STEPS (UINT64_C(1) << 20)

static volatile uint8_t sink;

/* What the real library's tables say of formats; of each kind one at least. */
static const struct fake_block blocks[] = {
	{1, 1, 1, 4},	 /* B8G8R8A8 */
	{2, 1, 1, 4},	 /* B8G8R8X8 */
	{7, 1, 1, 2},	 /* B5G6R5 */
	{8, 1, 1, 4},	 /* R10G10B10A2 */
	{16, 1, 1, 2},	 /* Z16 */
	{18, 1, 1, 4},	 /* Z32_FLOAT */
	{19, 1, 1, 4},	 /* Z24_S8 */
	{23, 1, 1, 1},	 /* S8 */
	{27, 1, 1, 32},	 /* R64G64B64A64_FLOAT, buffers only */
	{28, 1, 1, 4},	 /* R32_FLOAT */
	{31, 1, 1, 16},	 /* R32G32B32A32_FLOAT */
	{49, 1, 1, 4},	 /* R16G16 */
	{50, 1, 1, 6},	 /* R16G16B16 */
	{64, 1, 1, 1},	 /* R8 */
	{66, 1, 1, 3},	 /* R8G8B8 */
	{67, 1, 1, 4},	 /* R8G8B8A8 */
	{68, 1, 1, 4},	 /* X8B8G8R8 */
	{94, 1, 1, 8},	 /* R16G16B16A16_FLOAT */
	{104, 1, 1, 4},	 /* R8G8B8A8_SRGB */
	{105, 4, 4, 8},	 /* DXT1 */
	{107, 4, 4, 16}, /* DXT3 */
	{121, 1, 1, 4},	 /* A8B8G8R8 */
	{126, 1, 1, 8},	 /* Z32_FLOAT_S8X24 */
	{134, 1, 1, 4},	 /* R8G8B8X8 */
	{136, 1, 1, 4},	 /* X24S8 */
	{278, 4, 4, 8},	 /* ETC2 */
};

const struct fake_block *fake_block_find(uint32_t format)
{
	for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++)
		if (blocks[i].format == format)
			return &blocks[i];
	return NULL;
}

static int32_t at_level(uint32_t size, uint32_t level)
{
	return MAX((int32_t)(size >> level), 1);
}

static bool is_axis_inside(int32_t start, int32_t len, int32_t size)
{
	/* As the library adds: where it would overflow, in this build's sanitizer, the process ends. */
	return len >= 0 && len <= size && start <= size && start + len <= size;
}

static bool is_box_inside(
	const struct fake_resource *resource, const struct fake_transfer *transfer)
{
	const struct fake_box *box = &transfer->box;
	const uint32_t level = transfer->level;
	int32_t layers = (int32_t)resource->array_size;

	if (level > resource->last_level || box->x < 0 || box->y < 0)
		return false;
	if (resource->target == FAKE_3D)
		layers = at_level(resource->depth, level);
	return is_axis_inside(box->x, box->w, at_level(resource->width, level)) &&
	       is_axis_inside(box->y, box->h, at_level(resource->height, level)) &&
	       is_axis_inside(box->z, box->d, layers);
}

static uint64_t iov_len(const struct iovec *iov, unsigned int count)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

/* Where lines and layers lie; @len: from the first byte to the last. */
struct layout {
	uint64_t stride;
	uint64_t layer_stride;
	uint64_t line_len;
	uint64_t lines;
	uint64_t layers;
	uint64_t len;
};

static uint64_t divide_up(uint64_t value, uint64_t by)
{
	return (value + by - 1) / by;
}

/* The truth. Return: false where a stride is too small to be meant. */
static bool layout_init(struct layout *layout, const struct fake_resource *resource,
	const struct fake_transfer *transfer)
{
	const struct fake_block *block = resource->block;
	const struct fake_box *box = &transfer->box;
	const uint64_t width = at_level(resource->width, transfer->level);
	const uint64_t height = at_level(resource->height, transfer->level);

	layout->line_len = divide_up(MAX(box->w, 1), block->width) * block->len;
	layout->lines = divide_up(MAX(box->h, 1), block->height);
	layout->layers = MAX(box->d, 1);
	layout->stride =
		transfer->stride ? transfer->stride : divide_up(width, block->width) * block->len;
	layout->layer_stride = transfer->layer_stride
				       ? transfer->layer_stride
				       : layout->stride * divide_up(height, block->height);
	layout->len = (layout->layers - 1) * layout->layer_stride +
		      (layout->lines - 1) * layout->stride + layout->line_len;
	/* The library compares these two in 32 bits. */
	return (!transfer->stride || transfer->stride >= (uint32_t)layout->line_len) &&
	       (!transfer->layer_stride ||
		       transfer->layer_stride >= (uint32_t)(layout->stride * layout->lines));
}

/* What the library thinks: every sum and product wraps at 32 bits. */
static bool library_accepts(
	const struct layout *layout, const struct fake_transfer *transfer, uint64_t room)
{
	const uint32_t room32 = (uint32_t)room;
	const uint32_t len = (uint32_t)(layout->layers - 1) * (uint32_t)layout->layer_stride +
			     (uint32_t)(layout->lines - 1) * (uint32_t)layout->stride +
			     (uint32_t)layout->line_len;

	return room32 >= transfer->offset && room32 >= len &&
	       room32 >= (uint32_t)(transfer->offset + len);
}

static void touch_iov(
	const struct iovec *iov, unsigned int count, uint64_t offset, uint64_t len, bool is_read)
{
	for (unsigned int i = 0; i < count && len > 0; i++) {
		uint8_t *bytes = iov[i].iov_base;
		uint64_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(len, iov[i].iov_len - offset);
		if (is_read)
			memset(bytes + offset, 0x5a, part);
		else
			sink = bytes[offset] ^ bytes[offset + part - 1];
		len -= part;
		offset = 0;
	}
	g_assert(len == 0);
}

static void touch_lines(const struct layout *layout, const struct fake_transfer *transfer)
{
	for (uint64_t z = 0; z < layout->layers; z++) {
		const uint64_t layer = transfer->offset + z * layout->layer_stride;
		const uint64_t last = layout->lines - 1;

		for (uint64_t y = 0; y <= MIN(last, LINES_TOUCHED); y++)
			touch_iov(transfer->iov, transfer->iov_count, layer + y * layout->stride,
				layout->line_len, transfer->is_read);
		touch_iov(transfer->iov, transfer->iov_count, layer + last * layout->stride,
			layout->line_len, transfer->is_read);
		/* One is like the other. */
		if (z >= LINES_TOUCHED && z + 1 < layout->layers)
			z = layout->layers - 2;
	}
}

void fake_check_readable(const struct fake_resource *resource)
{
	const uint32_t format = resource->block->format;
	const bool is_depth = (format >= 16 && format <= 23) || format == 126 || format == 136;
	const bool is_compressed = resource->block->width > 1;

	if (resource->target == FAKE_BUFFER)
		return;
	g_assert(resource->nr_samples <= 1);
	g_assert(format != 136);
	g_assert(resource->target != FAKE_3D || (!is_depth && !is_compressed));
	g_assert(!is_depth ||
		 (resource->target != FAKE_CUBE && resource->target != FAKE_CUBE_ARRAY));
}

/* Reading a buffer, 0.10.4 maps as many bytes as the box has pixels, and copies the pixels. */
static void check_buffer_read(
	const struct fake_resource *resource, const struct fake_transfer *transfer)
{
	const struct fake_box *box = &transfer->box;

	if (resource->target == FAKE_BUFFER && transfer->is_read && box->w > 0)
		g_assert((uint64_t)box->x + (uint64_t)box->w * resource->block->len <=
			 resource->width);
}

int fake_transfer_run(struct fake_resource *resource, const struct fake_transfer *args)
{
	struct fake_transfer transfer = *args;
	struct layout layout;

	if (!transfer.iov) {
		transfer.iov = resource->iov;
		transfer.iov_count = resource->iov_count;
	}
	if (!resource->block || !transfer.iov || !is_box_inside(resource, &transfer))
		return EINVAL;
	if (!layout_init(&layout, resource, &transfer) ||
		!library_accepts(&layout, &transfer, iov_len(transfer.iov, transfer.iov_count)))
		return EINVAL;
	if (transfer.box.w == 0 || transfer.box.h == 0 || transfer.box.d == 0)
		return 0;
	if (transfer.is_read)
		fake_check_readable(resource);
	if (fake_gl_fails())
		return 0;
	check_buffer_read(resource, &transfer);
	g_assert(transfer.offset + layout.len <= iov_len(transfer.iov, transfer.iov_count));
	touch_lines(&layout, &transfer);
	return 0;
}
