/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers between a resource's backing and its image on the host (virtio 1.3, section 5.7.6.8).
 * Large 2D ones go in parts, so that nothing else in the main loop waits for all of one.
 *
 * Whatever moves is checked here against the resource and the backing, for all renderers.
 */
#include "gpu/transfer.h"

#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/format.h"
#include "gpu/rect.h"
#include "gpu/renderer_calls.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/wait.h"
#include "util/checked.h"

#include <errno.h>

/* Finds the resource of a transfer; it must have backing. Return: GPU_OK or an error. */
static enum gpu_verdict find_backed(struct gpu_device *device, struct gpu_command *command,
	uint32_t id, struct gpu_tracked_resource **ret_resource)
{
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	*ret_resource = resource;
	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (!resource->base.iov)
		return gpu_command_refuse(command, id, GPU_ERR_UNSPEC, "it has no backing");
	return GPU_OK;
}

static uint64_t stride_of(const struct gpu_resource *resource)
{
	return (uint64_t)resource->width * GPU_2D_BYTES_PER_PIXEL;
}

/* Does the backing hold every line of @rect? Lines are as long as those of the resource. */
static bool backing_holds(
	const struct gpu_resource *resource, const struct gpu_rect *rect, uint64_t offset)
{
	const uint64_t stride = stride_of(resource);
	const uint64_t len =
		(rect->height - 1) * stride + (uint64_t)rect->width * GPU_2D_BYTES_PER_PIXEL;

	return checked_range(offset, len, resource->backing_len);
}

/*
 * Copies the first lines of the rectangle. How far it got stands in the command's arguments, which
 * are our copy. Return: 0 or a negative errno.
 */
static int transfer_lines(
	struct gpu_command *command, struct gpu_tracked_resource *resource, uint32_t line_count)
{
	struct virtio_gpu_transfer_to_host_2d *args = &command->args.transfer_2d;
	struct gpu_rect part = gpu_rect_from_guest(&args->r);
	const uint32_t left = part.height;
	int ret;

	part.height = line_count;
	ret = renderer_calls_transfer_to_host_2d(
		command->device->renderer, &resource->base, &part, le64toh(args->offset));
	args->r.y = htole32(part.y + part.height);
	args->r.height = htole32(left - part.height);
	args->offset = htole64(le64toh(args->offset) + part.height * stride_of(&resource->base));
	return ret;
}

static enum gpu_verdict transfer_parts(
	struct gpu_command *command, struct gpu_tracked_resource *resource);

static enum gpu_verdict turn_done(struct gpu_wait *wait)
{
	/* The pages went when the memory table changed, and not all came back. */
	if (!wait->resource->base.iov)
		return gpu_command_refuse(wait->command, wait->resource->base.id, GPU_ERR_UNSPEC,
			"it lost its backing");
	return transfer_parts(wait->command, wait->resource);
}

static enum gpu_verdict turn_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	return reason == GPU_WAIT_STOPPED ? GPU_ERR_UNSPEC : GPU_WAITS;
}

static const struct gpu_wait_ops turn_ops = {
	.holds_queue = true,
	.done = turn_done,
	.cancel = turn_cancel,
};

static enum gpu_verdict transfer_parts(
	struct gpu_command *command, struct gpu_tracked_resource *resource)
{
	const struct gpu_rect left = gpu_rect_from_guest(&command->args.transfer_2d.r);
	const uint64_t max_lines =
		GPU_MAX_COPY_LEN / ((uint64_t)left.width * GPU_2D_BYTES_PER_PIXEL);
	const uint32_t line_count = (uint32_t)CLAMP(max_lines, 1, left.height);
	int ret = transfer_lines(command, resource, line_count);

	if (ret < 0)
		return gpu_command_fail(command, resource->base.id, ret);
	if (line_count == left.height)
		return GPU_OK;
	gpu_wait_begin(&command->wait, &turn_ops, resource);
	gpu_wait_add_turn(&command->wait);
	return gpu_wait_go(&command->wait);
}

/* Shorter ones stay in the cache as a whole. */
#define PUT_OFF_MIN_LEN (256u << 10)

/* Only into an image where it is sent from, and before nothing but its flush could want it done. */
static bool can_put_off(struct gpu_device *device, const struct gpu_command *command,
	struct gpu_resource *resource, const struct gpu_rect *rect)
{
	const uint64_t len = (uint64_t)rect->width * rect->height * GPU_2D_BYTES_PER_PIXEL;
	size_t stride;

	return command->request->has_next && !(command->hdr.flags & VIRTIO_GPU_FLAG_FENCE) &&
	       len >= PUT_OFF_MIN_LEN && len <= GPU_MAX_COPY_LEN &&
	       renderer_calls_get_pixels(device->renderer, resource, &stride);
}

static enum gpu_verdict put_off(struct gpu_command *command, struct gpu_tracked_resource *resource)
{
	command->device->put_off =
		(struct gpu_put_off){.command = command, .resource = gpu_resource_ref(resource)};
	return GPU_WAITS;
}

bool gpu_transfer_is_put_off(
	const struct gpu_device *device, const struct gpu_tracked_resource *resource)
{
	return device->put_off.command && device->put_off.resource == resource;
}

void gpu_transfer_fetch(struct gpu_device *device, uint32_t end_y)
{
	struct gpu_put_off *put_off = &device->put_off;
	struct gpu_rect left;

	if (!put_off->command || put_off->error < 0)
		return;
	left = gpu_rect_from_guest(&put_off->command->args.transfer_2d.r);
	if (left.height > 0 && end_y > left.y)
		put_off->error = transfer_lines(
			put_off->command, put_off->resource, MIN(end_y - left.y, left.height));
}

void gpu_transfer_settle(struct gpu_device *device)
{
	struct gpu_put_off *put_off = &device->put_off;
	struct gpu_command *command = put_off->command;
	enum gpu_verdict verdict;

	if (!command)
		return;
	gpu_transfer_fetch(device, UINT32_MAX);
	verdict = gpu_command_fail(command, put_off->resource->base.id, put_off->error);
	gpu_resource_unref(put_off->resource);
	*put_off = (struct gpu_put_off){0};
	gpu_command_finish(command, verdict);
}

enum gpu_verdict gpu_handle_transfer_to_host_2d(
	struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_transfer_to_host_2d *args = &command->args.transfer_2d;
	const struct gpu_rect rect = gpu_rect_from_guest(&args->r);
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource;
	enum gpu_verdict verdict = find_backed(device, command, id, &resource);

	if (verdict != GPU_OK)
		return verdict;
	/*
	 * Nothing to move: a guest blob's pages are its image. Linux sends this for every dumb
	 * buffer, which in a device without 3D is a guest blob, and reports an error as one.
	 */
	if (resource->base.kind == GPU_RESOURCE_BLOB)
		return GPU_OK;
	if (!gpu_rect_is_inside(&rect, resource->base.width, resource->base.height))
		return gpu_command_refuse(command, id, GPU_ERR_INVALID_PARAMETER,
			"the rectangle is outside the resource");
	if (rect.width == 0 || rect.height == 0)
		return GPU_OK;
	if (!backing_holds(&resource->base, &rect, le64toh(args->offset)))
		return gpu_command_refuse(command, id, GPU_ERR_INVALID_PARAMETER,
			"the backing is too short for the rectangle");
	if (can_put_off(device, command, &resource->base, &rect))
		return put_off(command, resource);
	return transfer_parts(command, resource);
}

typedef int (*transfer_3d_fn)(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, const struct gpu_transfer_3d *transfer);

static enum gpu_verdict transfer_3d(
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
	enum gpu_verdict verdict;
	int ret;

	if (ctx_id != 0 && !gpu_context_find(device, ctx_id))
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_CONTEXT_ID, "there is no such context");
	verdict = find_backed(device, command, id, &resource);
	if (verdict != GPU_OK)
		return verdict;
	if (!resource->is_renderers)
		return GPU_ERR_INVALID_PARAMETER;
	ret = transfer_fn(device->renderer, ctx_id, &resource->base, &transfer);
	return gpu_command_fail(command, id, ret);
}

enum gpu_verdict gpu_handle_transfer_to_host_3d(
	struct gpu_device *device, struct gpu_command *command)
{
	return transfer_3d(device, command, renderer_calls_transfer_to_host_3d);
}

enum gpu_verdict gpu_handle_transfer_from_host_3d(
	struct gpu_device *device, struct gpu_command *command)
{
	return transfer_3d(device, command, renderer_calls_transfer_from_host_3d);
}
