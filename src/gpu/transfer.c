/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers between a resource's backing and its image on the host (virtio 1.3, section 5.7.6.8).
 * They go in steps (gpu/steps.h), so that nothing else in the main loop waits for all of one.
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

/*
 * What a line costs, as bytes that are copied in one go: it is in a page of its own, and each piece of the
 * backing takes as long as 512 bytes.
 */
#define LINE_MIN_COST 4096
#define PIECE_COST    512

static uint64_t line_cost(const struct gpu_resource *resource, uint64_t line_len)
{
	const uint64_t piece_len = MAX(resource->backing_len / MAX(resource->iov_count, 1), 1);

	return MAX(line_len, LINE_MIN_COST) + line_len / piece_len * PIECE_COST;
}

static enum gpu_verdict transfer_step(
	struct gpu_command *command, struct gpu_tracked_resource *resource)
{
	struct turn *turn = &command->device->turn;
	struct gpu_rect left = gpu_rect_from_guest(&command->args.transfer_2d.r);
	const uint64_t cost =
		line_cost(&resource->base, (uint64_t)left.width * GPU_2D_BYTES_PER_PIXEL);

	/* The pages went when the memory table changed, and not all came back. */
	if (!resource->base.iov)
		return gpu_command_refuse(
			command, resource->base.id, GPU_ERR_UNSPEC, "it lost its backing");
	for (; left.height > 0; left = gpu_rect_from_guest(&command->args.transfer_2d.r)) {
		const uint32_t count = (uint32_t)CLAMP(TURN_PART_LEN / cost, 1, left.height);
		int ret = transfer_lines(command, resource, count);

		if (ret < 0)
			return gpu_command_fail(command, resource->base.id, ret);
		turn_charge(turn, count * cost);
		if (count < left.height && turn_is_over(turn))
			return GPU_AGAIN;
	}
	return GPU_OK;
}

/* Shorter ones stay in the cache as a whole. */
#define PUT_OFF_MIN_LEN (256u << 10)

/* A 4K frame in pages. What is put off may have to be done at once. */
#define PUT_OFF_MAX_LEN (40u << 20)

/* Only into an image where it is sent from, and before nothing but its flush could want it done. */
static bool can_put_off(struct gpu_device *device, const struct gpu_command *command,
	struct gpu_resource *resource, const struct gpu_rect *rect)
{
	const uint64_t line_len = (uint64_t)rect->width * GPU_2D_BYTES_PER_PIXEL;
	size_t stride;

	return command->request->has_next && !(command->hdr.flags & VIRTIO_GPU_FLAG_FENCE) &&
	       line_len * rect->height >= PUT_OFF_MIN_LEN &&
	       line_cost(resource, line_len) * rect->height <= PUT_OFF_MAX_LEN &&
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

static int fetch_lines(const struct gpu_put_off *put_off, uint32_t line_count)
{
	const uint64_t stride = stride_of(&put_off->resource->base);

	turn_charge(&put_off->command->device->turn, line_count * stride);
	return transfer_lines(put_off->command, put_off->resource, line_count);
}

void gpu_transfer_fetch(struct gpu_device *device, uint32_t end_y)
{
	struct gpu_put_off *put_off = &device->put_off;
	struct gpu_rect left;

	if (!put_off->command || put_off->error < 0)
		return;
	left = gpu_rect_from_guest(&put_off->command->args.transfer_2d.r);
	if (left.height > 0 && end_y > left.y)
		put_off->error = fetch_lines(put_off, MIN(end_y - left.y, left.height));
}

void gpu_transfer_settle(struct gpu_device *device)
{
	struct gpu_put_off *put_off = &device->put_off;
	struct gpu_command *command = put_off->command;
	enum gpu_verdict verdict;

	if (!command)
		return;
	turn_begin(&device->turn);
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
	return gpu_steps_run(command, resource, transfer_step);
}

/* Return: in this machine's byte order. */
static struct gpu_transfer_3d take_transfer(const struct virtio_gpu_transfer_host_3d *args)
{
	return (struct gpu_transfer_3d){
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
}

static enum gpu_verdict transfer_3d_step(
	struct gpu_command *command, struct gpu_tracked_resource *resource)
{
	struct gpu_device *device = command->device;
	const bool is_to_host = command->hdr.type == VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D;
	int ret;

	if (!resource->base.iov)
		return gpu_command_refuse(
			command, resource->base.id, GPU_ERR_UNSPEC, "it lost its backing");
	ret = (is_to_host ? renderer_calls_transfer_to_host_3d
			  : renderer_calls_transfer_from_host_3d)(
		device->renderer, command->hdr.ctx_id, &resource->base, &command->transfer_3d);
	return ret == RENDERER_AGAIN ? GPU_AGAIN
				     : gpu_command_fail(command, resource->base.id, ret);
}

enum gpu_verdict gpu_handle_transfer_3d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_transfer_host_3d *args = &command->args.transfer_3d;
	uint32_t id = le32toh(args->resource_id);
	uint32_t ctx_id = command->hdr.ctx_id;
	struct gpu_tracked_resource *resource;
	enum gpu_verdict verdict;

	if (ctx_id != 0 && !gpu_context_find(device, ctx_id))
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_CONTEXT_ID, "there is no such context");
	verdict = find_backed(device, command, id, &resource);
	if (verdict != GPU_OK)
		return verdict;
	if (!resource->is_renderers)
		return GPU_ERR_INVALID_PARAMETER;
	command->transfer_3d = take_transfer(args);
	return gpu_steps_run(command, resource, transfer_3d_step);
}
