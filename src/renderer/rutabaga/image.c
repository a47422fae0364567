/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * 3D resources: gfxstream's color buffers, buffers and pipes, and their transfers. virtio 1.3,
 * section 5.7.6.9.
 *
 * gfxstream keeps a copy of the backing, as long as that is, and moves the image as a whole between
 * its copy and the GPU, whatever the box; stride and offset it does not look at: a pixel's place in
 * the backing is its place in the image. It does not look either at whether the image fits. So it
 * is shown no more of the backing than the image takes, and asked for a transfer only where that is
 * all there. To read an image without such a backing it gets memory of our own for a moment.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/iov.h"

#include <string.h>

#define TARGET_BUFFER 0

static bool is_pipe(const struct gpu_resource *resource)
{
	return resource->kind == GPU_RESOURCE_3D && resource->args_3d.target == TARGET_BUFFER;
}

int renderer_rutabaga_create_image(
	struct renderer_rutabaga *rutabaga, struct gpu_resource *resource)
{
	struct rutabaga_resource *data = resource->renderer_data;
	const struct gpu_resource_3d *args = &resource->args_3d;
	const struct rutabaga_create_3d create = {
		.target = args->target,
		.format = resource->format,
		.bind = args->bind,
		.width = resource->width,
		.height = resource->height,
		.depth = args->depth,
		.array_size = args->array_size,
		.last_level = args->last_level,
		.nr_samples = args->nr_samples,
		.flags = args->flags,
	};
	unsigned int bytes_per_pixel;
	uint64_t len;

	/* Without gfxstream nobody would ever touch it. */
	if (!rutabaga->has_gfxstream)
		return -EINVAL;
	data->image = (struct rutabaga_image){resource->format, resource->width, resource->height};
	if (!renderer_rutabaga_image_len(&data->image, &bytes_per_pixel, &len))
		return -EINVAL;
	if (rutabaga_resource_create_3d(rutabaga->rutabaga, resource->id, &create) != 0)
		return -EINVAL;
	data->is_known = true;
	return 0;
}

/* The first @len bytes of the backing. @ret_iov: freed by the caller. */
static void cut_backing(const struct gpu_resource *resource, uint64_t len, struct iovec **ret_iov,
	size_t *ret_count)
{
	struct iovec *iov = g_memdup2(resource->iov, resource->iov_count * sizeof(*iov));
	size_t count = 0;

	while (count < resource->iov_count && len > 0) {
		iov[count].iov_len = MIN(iov[count].iov_len, len);
		len -= iov[count++].iov_len;
	}
	*ret_iov = iov;
	*ret_count = count;
}

int renderer_rutabaga_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	const struct rutabaga_resource *data = resource->renderer_data;
	g_autofree struct iovec *iov = NULL;
	struct rutabaga_iovecs iovecs;
	unsigned int bytes_per_pixel;
	uint64_t len;

	if (resource->kind != GPU_RESOURCE_3D)
		return 0;
	if (!renderer_rutabaga_image_len(&data->image, &bytes_per_pixel, &len))
		return -EINVAL;
	cut_backing(resource, len, &iov, &iovecs.num_iovecs);
	iovecs.iovecs = iov;
	return renderer_rutabaga_errno(
		rutabaga_resource_attach_backing(rutabaga->rutabaga, resource->id, &iovecs));
}

void renderer_rutabaga_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	if (resource->kind == GPU_RESOURCE_3D)
		rutabaga_resource_detach_backing(
			renderer_rutabaga_of(renderer)->rutabaga, resource->id);
}

/* Is the image in the backing, and the box in the image? */
static int check_transfer(
	const struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	const struct virtio_gpu_box *box = &transfer->box;
	const struct rutabaga_image *image = &data->image;
	unsigned int bytes_per_pixel;
	uint64_t len;

	if (!data->is_known || !renderer_rutabaga_image_len(image, &bytes_per_pixel, &len))
		return -EINVAL;
	if (resource->kind != GPU_RESOURCE_3D || resource->backing_len < len)
		return -EINVAL;
	if (transfer->level != 0 || box->z != 0 || box->d > 1)
		return -EINVAL;
	if (box->w == 0 || box->h == 0 || (uint64_t)box->x + box->w > image->width ||
		(uint64_t)box->y + box->h > image->height)
		return -EINVAL;
	return 0;
}

static struct rutabaga_transfer make_transfer(const struct gpu_transfer_3d *transfer)
{
	const struct virtio_gpu_box *box = &transfer->box;

	return (struct rutabaga_transfer){
		.x = box->x,
		.y = box->y,
		.w = box->w,
		.h = box->h,
		.d = 1,
	};
}

/* Room for a whole image. */
static int make_scratch(struct renderer_rutabaga *rutabaga, uint64_t len, struct iovec *ret_iov)
{
	if (len > rutabaga->scratch_len) {
		g_free(rutabaga->scratch);
		rutabaga->scratch = g_try_malloc0(len);
		rutabaga->scratch_len = rutabaga->scratch ? len : 0;
	}
	*ret_iov = (struct iovec){rutabaga->scratch, len};
	return rutabaga->scratch ? 0 : -ENOMEM;
}

/* Reads all of an image into the scratch room. @has_backing: of its whole length. */
static int read_image(struct renderer_rutabaga *rutabaga, const struct gpu_resource *resource,
	bool has_backing, uint64_t len)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	const struct rutabaga_transfer whole = {
		.w = data->image.width, .h = data->image.height, .d = 1};
	const struct rutabaga_iovecs iovecs = {&(struct iovec){0}, 1};
	int ret = make_scratch(rutabaga, len, iovecs.iovecs);

	if (ret < 0)
		return ret;
	if (!has_backing &&
		rutabaga_resource_attach_backing(rutabaga->rutabaga, resource->id, &iovecs) != 0)
		return -EINVAL;
	ret = rutabaga_resource_transfer_read(
		rutabaga->rutabaga, 0, resource->id, &whole, iovecs.iovecs);
	if (!has_backing)
		rutabaga_resource_detach_backing(rutabaga->rutabaga, resource->id);
	return renderer_rutabaga_errno(ret);
}

/* Writes all of an image out of the scratch room, which is its backing for a moment. */
static int write_image(
	struct renderer_rutabaga *rutabaga, struct gpu_resource *resource, uint64_t len)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	const struct rutabaga_transfer whole = {
		.w = data->image.width, .h = data->image.height, .d = 1};
	struct iovec iov = {rutabaga->scratch, len};
	const struct rutabaga_iovecs iovecs = {&iov, 1};
	int ret, back;

	rutabaga_resource_detach_backing(rutabaga->rutabaga, resource->id);
	ret = rutabaga_resource_attach_backing(rutabaga->rutabaga, resource->id, &iovecs);
	if (ret == 0) {
		ret = rutabaga_resource_transfer_write(rutabaga->rutabaga, 0, resource->id, &whole);
		rutabaga_resource_detach_backing(rutabaga->rutabaga, resource->id);
	}
	back = renderer_rutabaga_attach_backing(&rutabaga->base, resource);
	return ret == 0 ? back : -EINVAL;
}

static bool is_whole(const struct gpu_resource *resource, const struct virtio_gpu_box *box)
{
	const struct rutabaga_resource *data = resource->renderer_data;

	return box->w == data->image.width && box->h == data->image.height;
}

/*
 * Copies the lines of a box between the guest's pages and the scratch room, which holds all of the
 * image: gfxstream would take what is between the box's lines in the backing along.
 */
static void copy_box(struct renderer_rutabaga *rutabaga, const struct gpu_resource *resource,
	const struct virtio_gpu_box *box, unsigned int bytes, bool is_to_host)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	const size_t stride = (size_t)data->image.width * bytes, len = (size_t)box->w * bytes;
	struct iov_cursor cursor = iov_cursor_find(resource->iov, resource->iov_starts,
		resource->iov_count, box->y * stride + (size_t)box->x * bytes);

	for (uint32_t y = 0; y < box->h; y++) {
		const size_t place = (box->y + y) * stride + (size_t)box->x * bytes;
		uint8_t *line = (uint8_t *)rutabaga->scratch + place;

		if (is_to_host)
			iov_cursor_read(&cursor, place, line, len);
		else
			iov_cursor_write(&cursor, place, line, len);
	}
}

/* Reads the image, and puts a box of it into the guest's pages or, with the guest's, back. */
static int transfer_part(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource,
	const struct virtio_gpu_box *box, bool is_to_host)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	unsigned int bytes;
	uint64_t len;
	int ret;

	/* Of planar formats a box is not one piece of each line. */
	if (!renderer_rutabaga_image_len(&data->image, &bytes, &len) || bytes == 0)
		return -EINVAL;
	ret = read_image(rutabaga, resource, true, len);
	if (ret < 0)
		return ret;
	copy_box(rutabaga, resource, box, bytes, is_to_host);
	return is_to_host ? write_image(rutabaga, resource, len) : 0;
}

static int transfer_image(struct renderer_rutabaga *rutabaga, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer, bool is_to_host)
{
	const struct rutabaga_transfer args = make_transfer(transfer);
	int ret = check_transfer(resource, transfer);

	if (ret < 0)
		return ret;
	if (!is_pipe(resource) && !is_whole(resource, &transfer->box))
		return transfer_part(rutabaga, resource, &transfer->box, is_to_host);
	if (is_to_host)
		ret = rutabaga_resource_transfer_write(
			rutabaga->rutabaga, ctx_id, resource->id, &args);
	else
		ret = rutabaga_resource_transfer_read(
			rutabaga->rutabaga, ctx_id, resource->id, &args, NULL);
	return renderer_rutabaga_errno(ret);
}

int renderer_rutabaga_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	return transfer_image(renderer_rutabaga_of(renderer), ctx_id, resource, transfer, true);
}

int renderer_rutabaga_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	return transfer_image(renderer_rutabaga_of(renderer), ctx_id, resource, transfer, false);
}

static int read_rect(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	const struct rutabaga_image *image = &data->image;
	unsigned int bytes;
	const uint8_t *src;
	uint64_t len;
	int ret;

	if (!data->is_known || !renderer_rutabaga_image_len(image, &bytes, &len) || bytes == 0)
		return -ENOTSUP;
	ret = read_image(rutabaga, resource,
		resource->kind == GPU_RESOURCE_3D && resource->iov && resource->backing_len >= len,
		len);
	if (ret < 0)
		return ret;
	src = (const uint8_t *)rutabaga->scratch +
	      ((size_t)rect->y * image->width + rect->x) * bytes;
	for (uint32_t y = 0; y < rect->height; y++)
		memcpy((uint8_t *)dst + y * stride, src + (size_t)y * image->width * bytes,
			(size_t)rect->width * bytes);
	return 0;
}

int renderer_rutabaga_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	return read_rect(renderer_rutabaga_of(renderer), resource, rect, dst, stride);
}

int renderer_rutabaga_read_blob(struct renderer *renderer, struct gpu_resource *resource,
	uint32_t format, const struct gpu_rect *rect, void *dst, size_t stride)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	const struct rutabaga_image *image = &data->image;

	if (image->format != format || (uint64_t)rect->x + rect->width > image->width ||
		(uint64_t)rect->y + rect->height > image->height)
		return -EINVAL;
	return read_rect(renderer_rutabaga_of(renderer), resource, rect, dst, stride);
}
