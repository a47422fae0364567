/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pixels between a resource and memory: the guest's backing, or ours for the display. virtio 1.3,
 * section 5.7.6.8 and 5.7.6.9.
 *
 * Every transfer goes through one piece of memory of ours, in parts: the lines of a part are copied
 * there without what is between them, and the library gets exactly as many bytes as OpenGL takes. So
 * nothing that is large is done in one go, the library never walks the guest's pieces, and what it
 * does to the memory (it swaps colours in it, and scales depth) it does to ours.
 *
 * A part of a texture is some lines of a layer, or some layers where these are small. Two things are
 * not cut: a line; and a read of what OpenGL cannot draw into, because the library then fetches the
 * whole level with all its layers, however small the box is.
 */
#include "renderer/virgl/read.h"
#include "util/checked.h"
#include "util/iov.h"
#include "util/turn.h"

#include <string.h>

#define BYTES_PER_PIXEL 4 /* of a 2D image */
#define PART_LEN	TURN_PART_LEN
#define MAX_PART_LINES	512 /* far apart, each may be a page that nobody touched */

/**
 * struct job - A transfer of a guest's
 * @cursor: the place in the backing up to which it got in this call
 * @memory: PART_LEN bytes, or a line, or a whole level where that is read
 */
struct job {
	struct renderer_virgl *virgl;
	uint32_t ctx_id;
	struct gpu_resource *resource;
	struct gpu_transfer_3d *transfer;
	struct renderer_virgl_layout layout;
	struct iov_cursor cursor;
	uint8_t *memory;
};

/**
 * struct part - What is done at a time
 * @layer, @row: where it begins in the box, a layer and a line of blocks; of a buffer, @row is a byte
 * @layer_count, @row_count: how much; all rows where there are several layers
 * @len: bytes, without gaps
 */
struct part {
	uint32_t layer;
	uint32_t layer_count;
	uint32_t row;
	uint32_t row_count;
	uint64_t len;
};

/* A guest's context is switched to by the library; going by context 0 would cost two switches. */
static void begin_transfer(uint32_t ctx_id)
{
	if (ctx_id == 0)
		virgl_renderer_force_ctx_0();
}

static int write_iov(
	uint32_t ctx_id, uint32_t id, const struct gpu_transfer_3d *transfer, struct iovec *iov)
{
	struct virtio_gpu_box box = transfer->box;

	return renderer_virgl_errno(virgl_renderer_transfer_write_iov(id, ctx_id,
		(int)transfer->level, transfer->stride, transfer->layer_stride,
		renderer_virgl_box_of(&box), 0, iov, 1));
}

/* Does the library give OpenGL several layers of such a texture at once? Of blocks it gets the size wrong. */
static bool has_deep_boxes(const struct renderer_virgl_layout *layout)
{
	if (layout->format.width > 1)
		return false;
	return layout->target == TARGET_TEXTURE_3D || layout->target == TARGET_ARRAY_1D ||
	       layout->target == TARGET_ARRAY_2D || layout->target == TARGET_CUBE_ARRAY;
}

static bool is_buffer(const struct job *job)
{
	return job->layout.target == TARGET_BUFFER;
}

/* Bytes from one row to the next where there are no gaps. */
static uint64_t row_len(const struct job *job)
{
	return is_buffer(job) ? 1 : job->layout.line_len;
}

/* Rows of a layer: lines of blocks, or bytes. */
static uint32_t row_total(const struct job *job)
{
	return is_buffer(job) ? job->transfer->box.w : job->layout.rows;
}

/* A buffer's part leaves room for as many pixels as it has bytes, which the library wants. */
static uint32_t max_rows(const struct job *job)
{
	if (is_buffer(job))
		return (uint32_t)(PART_LEN / job->layout.format.len);
	return (uint32_t)CLAMP(PART_LEN / job->layout.line_len, 1, MAX_PART_LINES);
}

/* The part that comes next; @is_whole: as much of a layer as there is. */
static struct part next_part(const struct job *job, bool is_deep, bool is_whole)
{
	const uint32_t total = row_total(job);
	const uint32_t max = is_whole ? total : max_rows(job);
	struct part part = {
		.layer = (uint32_t)(job->transfer->done / total),
		.layer_count = 1,
		.row = (uint32_t)(job->transfer->done % total),
	};

	part.row_count = MIN(max, total - part.row);
	if (is_deep && part.row_count == total)
		part.layer_count = MIN(max / total, job->transfer->box.d - part.layer);
	part.len = (uint64_t)part.layer_count * part.row_count * row_len(job);
	return part;
}

static bool is_done(const struct job *job)
{
	return job->transfer->done >= (uint64_t)row_total(job) * job->transfer->box.d;
}

/* The part as a transfer of its own, between the texture and the beginning of our memory. */
static struct gpu_transfer_3d transfer_of(const struct job *job, const struct part *part)
{
	const struct renderer_virgl_layout *layout = &job->layout;
	struct gpu_transfer_3d transfer = {
		.box = job->transfer->box, .level = job->transfer->level};
	struct virtio_gpu_box *box = &transfer.box;
	const uint32_t y = part->row * layout->format.height;

	if (is_buffer(job)) {
		box->x += part->row;
		box->w = part->row_count;
		return transfer;
	}
	box->y += y;
	box->h = MIN(part->row_count * layout->format.height, box->h - y);
	box->z += part->layer;
	box->d = part->layer_count;
	transfer.stride = (uint32_t)layout->line_len;
	transfer.layer_stride = (uint32_t)(layout->line_len * part->row_count);
	return transfer;
}

typedef size_t (*copier)(struct iov_cursor *cursor, size_t offset, void *memory, size_t len);

static size_t copy_to_guest(struct iov_cursor *cursor, size_t offset, void *memory, size_t len)
{
	return iov_cursor_write(cursor, offset, memory, len);
}

/* Where row @row of layer @layer of the box lies in the backing. */
static uint64_t offset_of(const struct job *job, uint32_t layer, uint32_t row)
{
	return job->transfer->offset + layer * job->layout.layer_stride +
	       row * (is_buffer(job) ? 1 : job->layout.stride);
}

/* Between the backing and @memory, where a line follows @pitch bytes after the one before. */
static int copy_part(
	struct job *job, const struct part *part, uint8_t *memory, uint64_t pitch, copier copy_fn)
{
	const bool is_tight =
		is_buffer(job) || (job->layout.stride == pitch && pitch == row_len(job));
	const uint64_t len = is_tight ? part->row_count * row_len(job) : row_len(job);
	const uint32_t step = is_tight ? part->row_count : 1;

	for (uint32_t z = 0; z < part->layer_count; z++) {
		for (uint32_t y = 0; y < part->row_count; y += step) {
			const uint64_t offset = offset_of(job, part->layer + z, part->row + y);

			if (copy_fn(&job->cursor, offset, memory, len) != len)
				return -EINVAL;
			memory += is_tight ? len : pitch;
		}
	}
	return 0;
}

/* Bytes that the library wants behind the beginning of our memory. */
static uint64_t memory_len(const struct job *job, const struct part *part)
{
	return is_buffer(job) ? part->len * job->layout.format.len : part->len;
}

static int write_part(struct job *job, const struct part *part)
{
	const struct gpu_transfer_3d transfer = transfer_of(job, part);
	struct iovec iov = {job->memory, memory_len(job, part)};
	int ret = copy_part(job, part, job->memory, row_len(job), iov_cursor_read);

	return ret == 0 ? write_iov(job->ctx_id, job->resource->id, &transfer, &iov) : ret;
}

/* What OpenGL does not write the guest gets as zeroes. */
static int read_part(struct job *job, const struct part *part)
{
	const struct gpu_transfer_3d transfer = transfer_of(job, part);
	struct iovec iov = {job->memory, memory_len(job, part)};
	int ret;

	memset(job->memory, 0, iov.iov_len);
	ret = is_buffer(job)
		      ? renderer_virgl_read_iov(job->ctx_id, job->resource->id, &transfer, &iov)
		      : renderer_virgl_read_checked(
				job->ctx_id, job->resource->id, &transfer, &iov);
	return ret == 0 ? copy_part(job, part, job->memory, row_len(job), copy_to_guest) : ret;
}

/*
 * A layer of the level as a whole, of which the box is then taken. The library would answer with the
 * layer's first pixels, wherever the box is; and it wants room for all layers.
 */
static int read_whole(struct job *job, const struct part *part)
{
	const struct renderer_virgl_layout *layout = &job->layout;
	const struct virtio_gpu_box *box = &job->transfer->box;
	const uint64_t pitch = renderer_virgl_line_len(&layout->format, layout->level.width);
	const uint64_t start = box->y / layout->format.height * pitch +
			       renderer_virgl_line_len(&layout->format, box->x);
	const struct gpu_transfer_3d transfer = {
		.box = {0, 0, box->z + part->layer, layout->level.width, layout->level.height, 1},
		.level = job->transfer->level,
	};
	struct iovec iov = {job->memory, renderer_virgl_level_len(&job->layout)};
	int ret;

	memset(job->memory, 0, iov.iov_len);
	ret = renderer_virgl_read_checked(job->ctx_id, job->resource->id, &transfer, &iov);
	return ret == 0 ? copy_part(job, part, job->memory + start, pitch, copy_to_guest) : ret;
}

/* Does the library read it as a whole? It reads a part of what can be drawn into, and of depth. */
static bool is_read_whole(struct renderer_virgl *virgl, const struct gpu_resource *image)
{
	return image->args_3d.target != TARGET_BUFFER &&
	       !renderer_virgl_format_is_depth(image->format) &&
	       !renderer_virgl_can_render(renderer_virgl_get_host(virgl), image->format);
}

typedef int (*part_doer)(struct job *job, const struct part *part);

/* Return: 0, RENDERER_AGAIN or a negative errno. */
static int do_parts(struct job *job, part_doer part_fn)
{
	const bool is_whole = part_fn == read_whole;
	const bool is_deep = part_fn == write_part && has_deep_boxes(&job->layout);
	struct turn *turn = job->virgl->base.turn;

	begin_transfer(job->ctx_id);
	do {
		const struct part part = next_part(job, is_deep, is_whole);
		int ret = part_fn(job, &part);

		if (ret < 0)
			return ret;
		job->transfer->done += (uint64_t)part.layer_count * part.row_count;
		turn_charge(turn, is_whole ? renderer_virgl_level_len(&job->layout) : part.len);
		if (is_done(job)) {
			job->transfer->done = 0;
			return 0;
		}
	} while (!turn_is_over(turn));
	return RENDERER_AGAIN;
}

/* Bytes for the largest part: no more than there is to move. */
static uint64_t find_memory_len(const struct job *job, part_doer part_fn)
{
	const uint64_t rows = (uint64_t)row_total(job) * job->transfer->box.d;

	if (part_fn == read_whole)
		return renderer_virgl_level_len(&job->layout);
	return MIN(rows, max_rows(job)) * (is_buffer(job) ? job->layout.format.len : row_len(job));
}

/* Return: as do_parts(). */
static int transfer_image(struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_resource *image, struct gpu_transfer_3d *transfer, part_doer part_fn)
{
	struct job job = {
		.virgl = renderer_virgl_of(renderer),
		.ctx_id = ctx_id,
		.resource = resource,
		.transfer = transfer,
	};
	uint64_t memory_len;
	struct part next;
	int ret = renderer_virgl_layout_init(&job.layout, image, transfer);

	if (ret < 0)
		return ret;
	if (!checked_range(transfer->offset, job.layout.len, resource->backing_len) ||
		(part_fn != write_part &&
			!renderer_virgl_is_buffer_read_sane(&job.layout, transfer)))
		return -EINVAL;
	memory_len = find_memory_len(&job, part_fn);
	if (memory_len > RENDERER_VIRGL_MAX_WHOLE_LEN)
		return -ENOMEM;
	job.memory = g_try_malloc(memory_len);
	if (!job.memory)
		return -ENOMEM;
	next = next_part(&job, false, false);
	job.cursor = iov_cursor_find(resource->iov, resource->iov_starts, resource->iov_count,
		offset_of(&job, next.layer, next.row));
	ret = do_parts(&job, part_fn);
	g_free(job.memory);
	return ret;
}

int renderer_virgl_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	struct gpu_resource image;

	if (renderer_virgl_box_is_empty(&transfer->box))
		return 0;
	if (!renderer_virgl_image_of(resource, &image))
		return -EINVAL;
	return transfer_image(renderer, ctx_id, resource, &image, transfer, write_part);
}

/*
 * Of several layers the library reads the first one only, so each is read by itself. What it reads as a
 * whole it does not turn over, though it did when it was written.
 */
int renderer_virgl_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	struct gpu_resource image;
	bool is_whole;

	if (renderer_virgl_box_is_empty(&transfer->box))
		return 0;
	if (!renderer_virgl_image_of(resource, &image) || !renderer_virgl_is_readable(&image))
		return -EINVAL;
	is_whole = is_read_whole(renderer_virgl_of(renderer), &image);
	if (is_whole && image.args_3d.flags & VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP)
		return -EINVAL;
	return transfer_image(
		renderer, ctx_id, resource, &image, transfer, is_whole ? read_whole : read_part);
}

bool renderer_virgl_may_write(
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer)
{
	struct renderer_virgl_layout layout;

	return renderer_virgl_box_is_empty(&transfer->box) ||
	       renderer_virgl_layout_init(&layout, image, transfer) == 0;
}

int renderer_virgl_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct gpu_transfer_3d transfer = {
		.box = {.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1},
		.offset = offset,
		.stride = resource->width * BYTES_PER_PIXEL,
	};
	int ret;

	/* The device has cut it. */
	do {
		ret = renderer_virgl_transfer_to_host_3d(renderer, 0, resource, &transfer);
	} while (ret == RENDERER_AGAIN);
	return ret;
}

int renderer_virgl_write_rect(
	struct gpu_resource *resource, const struct gpu_rect *rect, void *pixels, size_t len)
{
	const struct gpu_transfer_3d transfer = {
		.box = {.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1},
	};
	struct iovec iov = {pixels, len};

	return write_iov(0, resource->id, &transfer, &iov);
}
