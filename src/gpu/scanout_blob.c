/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * SET_SCANOUT_BLOB (virtio 1.3, section 5.7.6.8): the request says how a blob's bytes make up a
 * picture. All of it is checked against the blob here, once; from then on it is a scanout as any.
 */
#include "gpu/format.h"
#include "gpu/internal.h"
#include "util/checked.h"

/* Does plane 0, the only one that these formats have, lie inside the blob? */
static bool is_picture_inside(const struct gpu_framebuffer *framebuffer, uint64_t size)
{
	const uint64_t line_len =
		(uint64_t)framebuffer->width * framebuffer->format->bytes_per_pixel;
	uint64_t len;

	/* pixman, which converts formats, has a signed stride. */
	if (framebuffer->stride < line_len || framebuffer->stride > INT32_MAX ||
		framebuffer->stride % 4 != 0 || framebuffer->offset % 4 != 0)
		return false;
	/* 32 bits times 32 bits, and one line: it does not wrap. */
	len = (uint64_t)(framebuffer->height - 1) * framebuffer->stride + line_len;
	return checked_range(framebuffer->offset, len, size);
}

/* The planes that are not used still have to lie inside the blob, where they say anything. */
static bool are_other_planes_sane(const struct virtio_gpu_set_scanout_blob *args, uint64_t size)
{
	for (unsigned int i = 1; i < G_N_ELEMENTS(args->offsets); i++)
		if (!checked_range(le32toh(args->offsets[i]), le32toh(args->strides[i]), size))
			return false;
	return true;
}

/* Fills in the picture. Return: why it is not possible, or NULL. */
static const char *take_framebuffer(const struct virtio_gpu_set_scanout_blob *args,
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	const struct gpu_framebuffer framebuffer = {
		.resource = resource,
		.format = gpu_format_find_2d(le32toh(args->format)),
		.width = le32toh(args->width),
		.height = le32toh(args->height),
		.stride = le32toh(args->strides[0]),
		.offset = le32toh(args->offsets[0]),
	};
	const uint64_t size = resource->base.blob.size;

	if (resource->base.kind != GPU_RESOURCE_BLOB)
		return "it is not a blob";
	if (framebuffer.format == NULL)
		return "the format cannot be shown";
	if (framebuffer.width == 0 || framebuffer.height == 0 ||
		framebuffer.width > GPU_MAX_2D_SIZE || framebuffer.height > GPU_MAX_2D_SIZE)
		return "the size is not possible";
	if (!is_picture_inside(&framebuffer, size) || !are_other_planes_sane(args, size))
		return "the strides and offsets do not fit into the blob";
	*ret_framebuffer = framebuffer;
	return NULL;
}

uint32_t gpu_handle_set_scanout_blob(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout_blob *args = &command->args.set_scanout_blob;
	const struct gpu_rect rect = gpu_rect_from_guest(&args->r);
	uint32_t scanout_id = le32toh(args->scanout_id);
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource;
	struct gpu_framebuffer framebuffer;
	const char *why;
	uint32_t error = gpu_scanout_find(device, command, scanout_id, id, &resource);

	if (error != 0)
		return error;
	if (resource == NULL) {
		gpu_scanout_disable(device, scanout_id);
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	why = take_framebuffer(args, resource, &framebuffer);
	if (why == NULL &&
		(rect.width == 0 || rect.height == 0 ||
			!gpu_rect_is_inside(&rect, framebuffer.width, framebuffer.height)))
		why = "the rectangle is outside the picture";
	if (why != NULL) {
		gpu_command_log(command, id, why);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	gpu_scanout_set(device, scanout_id, &framebuffer, &rect);
	return VIRTIO_GPU_RESP_OK_NODATA;
}
