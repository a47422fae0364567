/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers between a resource's backing and its image on the host (virtio 1.3, section 5.7.6.8).
 * Whatever moves is checked here against the resource and the backing, for all renderers.
 */
#include "gpu/format.h"
#include "gpu/internal.h"
#include "util/checked.h"

#include <errno.h>

/* Finds the resource of a transfer; it must have backing. Return: 0 or a response code. */
static uint32_t find_backed(struct gpu_device *device, struct gpu_command *command, uint32_t id,
	struct gpu_tracked_resource **ret_resource)
{
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (resource->base.iov == NULL) {
		gpu_command_log(command, id, "it has no backing");
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	*ret_resource = resource;
	return 0;
}

/* Does the backing hold every line of @rect? Lines are as long as those of the resource. */
static bool backing_holds(
	const struct gpu_resource *resource, const struct gpu_rect *rect, uint64_t offset)
{
	const uint64_t stride = (uint64_t)resource->width * GPU_2D_BYTES_PER_PIXEL;
	const uint64_t len =
		(rect->height - 1) * stride + (uint64_t)rect->width * GPU_2D_BYTES_PER_PIXEL;

	return checked_range(offset, len, resource->backing_len);
}

uint32_t gpu_handle_transfer_to_host_2d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_transfer_to_host_2d *args = &command->args.transfer_2d;
	const struct gpu_rect rect = gpu_rect_from_guest(&args->r);
	uint64_t offset = le64toh(args->offset);
	uint32_t id = le32toh(args->resource_id);
	struct renderer *renderer = device->renderer;
	struct gpu_tracked_resource *resource;
	uint32_t error = find_backed(device, command, id, &resource);
	int ret = 0;

	if (error != 0)
		return error;
	/*
	 * Nothing to move: a guest blob's pages are its image. Linux sends this for every dumb
	 * buffer, which in a device without 3D is a guest blob, and reports an error as one.
	 */
	if (resource->base.kind == GPU_RESOURCE_BLOB)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (!gpu_rect_is_inside(&rect, resource->base.width, resource->base.height)) {
		gpu_command_log(command, id, "the rectangle is outside the resource");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (rect.width == 0 || rect.height == 0)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (!backing_holds(&resource->base, &rect, offset)) {
		gpu_command_log(command, id, "the backing is too short for the rectangle");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (renderer->ops->transfer_to_host_2d != NULL)
		ret = renderer->ops->transfer_to_host_2d(renderer, &resource->base, &rect, offset);
	return gpu_response_from_errno(ret);
}

typedef int (*transfer_3d_fn)(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer);

static uint32_t transfer_3d(
	struct gpu_device *device, struct gpu_command *command, transfer_3d_fn transfer_fn)
{
	const struct virtio_gpu_transfer_host_3d *args = &command->args.transfer_3d;
	const struct gpu_transfer_3d transfer = {
		.box =
			{
				.x = le32toh(args->box.x),
				.y = le32toh(args->box.y),
				.z = le32toh(args->box.z),
				.w = le32toh(args->box.w),
				.h = le32toh(args->box.h),
				.d = le32toh(args->box.d),
			},
		.offset = le64toh(args->offset),
		.level = le32toh(args->level),
		.stride = le32toh(args->stride),
		.layer_stride = le32toh(args->layer_stride),
	};
	uint32_t id = le32toh(args->resource_id);
	uint32_t ctx_id = command->hdr.ctx_id;
	struct gpu_tracked_resource *resource;
	uint32_t error;
	int ret = 0;

	if (ctx_id != 0 && gpu_context_find(device, ctx_id) == NULL) {
		gpu_command_log(command, id, "there is no such context");
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	}
	error = find_backed(device, command, id, &resource);
	if (error != 0)
		return error;
	if (!resource->is_renderers)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (transfer_fn != NULL)
		ret = transfer_fn(device->renderer, ctx_id, &resource->base, &transfer);
	if (ret < 0)
		gpu_command_log(command, id, g_strerror(-ret));
	return gpu_response_from_errno(ret);
}

uint32_t gpu_handle_transfer_to_host_3d(struct gpu_device *device, struct gpu_command *command)
{
	return transfer_3d(device, command, device->renderer->ops->transfer_to_host_3d);
}

uint32_t gpu_handle_transfer_from_host_3d(struct gpu_device *device, struct gpu_command *command)
{
	return transfer_3d(device, command, device->renderer->ops->transfer_from_host_3d);
}
