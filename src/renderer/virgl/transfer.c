/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pixels between a resource and memory: the guest's backing, or ours for the display. The library
 * compares boxes as int and byte counts as 32 bits; what would wrap there is refused here, all
 * else (levels, layers, strides of a format) it checks. virtio 1.3, section 5.7.6.8 and 5.7.6.9.
 */
#include "renderer/virgl/renderer_virgl.h"

#include "util/checked.h"

#define TARGET_BUFFER	    0
#define FORMAT_R8_UNORM	    64
#define BYTES_PER_PIXEL	    4  /* of what can be shown */
#define MAX_BYTES_PER_PIXEL 16 /* of any format */

/* Laid out as the library's struct virgl_box, which its header does not define. */
static struct virgl_box *box_of(struct virtio_gpu_box *box)
{
	return (struct virgl_box *)box;
}

static bool is_axis_sane(uint32_t start, uint32_t len)
{
	return start <= INT_MAX && len <= INT_MAX - start;
}

static bool is_box_empty(const struct virtio_gpu_box *box)
{
	return box->w == 0 || box->h == 0 || box->d == 0;
}

/* Is the last byte that a transfer could touch below 2^32, so that the library's sums are right? */
static bool is_transfer_sane(const struct gpu_transfer_3d *transfer)
{
	const struct virtio_gpu_box *box = &transfer->box;
	uint64_t len = (uint64_t)box->w * MAX_BYTES_PER_PIXEL;
	uint64_t lines_len = (uint64_t)transfer->stride * box->h;
	uint64_t layers_len = (uint64_t)transfer->layer_stride * box->d;

	if (!is_axis_sane(box->x, box->w) || !is_axis_sane(box->y, box->h) ||
		!is_axis_sane(box->z, box->d))
		return false;
	if (!checked_add(len, lines_len, &len) || !checked_add(len, layers_len, &len) ||
		!checked_add(len, transfer->offset, &len))
		return false;
	return len <= UINT32_MAX;
}

/* A guest's context is switched to by the library; going by context 0 would cost two switches. */
static void begin_transfer(uint32_t ctx_id)
{
	if (ctx_id == 0)
		virgl_renderer_force_ctx_0();
}

int renderer_virgl_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	struct virtio_gpu_box box = transfer->box;
	int ret;

	if (is_box_empty(&box))
		return 0;
	if (!is_transfer_sane(transfer))
		return -EINVAL;
	begin_transfer(ctx_id);
	ret = virgl_renderer_transfer_write_iov(resource->id, ctx_id, (int)transfer->level,
		transfer->stride, transfer->layer_stride, box_of(&box), transfer->offset, NULL, 0);
	return renderer_virgl_errno(ret);
}

/*
 * Reading @box->w bytes of a buffer, 0.10.4 maps as many and copies as many pixels of its format.
 * Mesa's buffers are all of 1 byte; for others the pixels must lie inside the buffer.
 */
static bool is_buffer_read_sane(
	const struct gpu_resource *resource, const struct virtio_gpu_box *box)
{
	if (resource->kind != GPU_RESOURCE_3D || resource->args_3d.target != TARGET_BUFFER ||
		resource->format == FORMAT_R8_UNORM)
		return true;
	return checked_range(box->x, (uint64_t)box->w * MAX_BYTES_PER_PIXEL, resource->width);
}

/*
 * Of several layers the library reads the first one only, and gives the guest what its buffer held
 * before for the others. So each is read by itself. How far they are apart has to be said for that,
 * as Mesa does: only the library knows the size of a pixel.
 */
int renderer_virgl_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	struct virtio_gpu_box box = transfer->box;
	const uint32_t layer_count = box.d;
	uint64_t offset = transfer->offset;
	int ret = 0;

	if (is_box_empty(&box))
		return 0;
	if (!is_transfer_sane(transfer) || !is_buffer_read_sane(resource, &box) ||
		(layer_count > 1 && transfer->layer_stride == 0))
		return -EINVAL;
	begin_transfer(ctx_id);
	box.d = 1;
	for (uint32_t i = 0; ret == 0 && i < layer_count; i++) {
		box.z = transfer->box.z + i;
		ret = virgl_renderer_transfer_read_iov(resource->id, ctx_id, transfer->level,
			transfer->stride, transfer->layer_stride, box_of(&box), offset, NULL, 0);
		offset += transfer->layer_stride;
	}
	return renderer_virgl_errno(ret);
}

int renderer_virgl_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct gpu_transfer_3d transfer = {
		.box = {.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1},
		.offset = offset,
	};
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);

	if (renderer_virgl_is_plain(virgl, resource))
		return virgl->plain->ops->transfer_to_host_2d(virgl->plain, resource, rect, offset);
	return renderer_virgl_transfer_to_host_3d(renderer, 0, resource, &transfer);
}

int renderer_virgl_write_rect(
	struct gpu_resource *resource, const struct gpu_rect *rect, void *pixels, size_t len)
{
	struct virtio_gpu_box box = {
		.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1};
	struct iovec iov = {pixels, len};

	return renderer_virgl_errno(virgl_renderer_transfer_write_iov(
		resource->id, 0, 0, 0, 0, box_of(&box), 0, &iov, 1));
}

/*
 * The library gives the line that @rect calls the first one first, however the texture lies, so
 * that there is nothing to turn over here. It writes to the list that it is handed instead of the
 * backing, and the list ends with the last pixel: a format that has more bytes than we think is
 * refused, not overrun.
 */
int renderer_virgl_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct virtio_gpu_box box = {
		.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1};
	uint64_t len =
		(uint64_t)stride * (rect->height - 1) + (uint64_t)rect->width * BYTES_PER_PIXEL;
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);
	struct iovec iov = {dst, len};
	int ret;

	if (renderer_virgl_is_plain(virgl, resource))
		return virgl->plain->ops->read_rect(virgl->plain, resource, rect, dst, stride);
	if (resource->kind == GPU_RESOURCE_BLOB)
		return -ENOTSUP;
	if (len > UINT32_MAX || !is_axis_sane(rect->x, rect->width) ||
		!is_axis_sane(rect->y, rect->height))
		return -EINVAL;
	virgl_renderer_force_ctx_0();
	ret = virgl_renderer_transfer_read_iov(
		resource->id, 0, 0, (uint32_t)stride, 0, box_of(&box), 0, &iov, 1);
	return renderer_virgl_errno(ret);
}

const void *renderer_virgl_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);

	if (!renderer_virgl_is_plain(virgl, resource))
		return NULL;
	return virgl->plain->ops->get_pixels(virgl->plain, resource, ret_stride);
}
