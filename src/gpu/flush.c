/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * RESOURCE_FLUSH (virtio 1.3, section 5.7.6.8), in two stages. Who reads a dma-buf does not know when
 * the renderer has drawn into it (some drivers tell nobody, and some draw only when asked), so the
 * flush of one waits for that first. Then the damage is brought onto the outputs (gpu/output.c), and
 * the command is answered when all displays have taken it. A very large picture goes in parts, so that
 * nothing else in the main loop waits for all of it.
 */
#include "gpu/flush.h"

#include "gpu/command.h"
#include "gpu/fence.h"
#include "gpu/format.h"
#include "gpu/output.h"
#include "gpu/rect.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/transfer.h"
#include "gpu/wait.h"

#include <endian.h>

#define BYTES_PER_PIXEL 4 /* of what displays are sent */

/* Nothing beyond it is ever shown, however large the damage is said to be. */
static const struct gpu_rect largest_picture = {
	.width = GPU_MAX_2D_SIZE,
	.height = GPU_MAX_2D_SIZE,
};

/* What is left stands in the command's arguments, which are our copy. Return: the next part. */
static struct gpu_rect take_part(struct gpu_command *command)
{
	struct virtio_gpu_rect *left = &command->args.flush.r;
	struct gpu_rect part = gpu_rect_from_guest(left);
	const uint64_t line_len = MAX((uint64_t)part.width * BYTES_PER_PIXEL, 1);

	part.height = (uint32_t)MIN(MAX(GPU_MAX_COPY_LEN / line_len, 1), part.height);
	left->y = htole32(part.y + part.height);
	left->height = htole32(le32toh(left->height) - part.height);
	return part;
}

static enum gpu_verdict flush_show(struct gpu_wait *wait, struct gpu_tracked_resource *resource);

static enum gpu_verdict shown_done(struct gpu_wait *wait)
{
	if (wait->error == 0 && wait->command->args.flush.r.height != 0)
		return flush_show(wait, wait->resource);
	return gpu_command_fail(
		wait->command, le32toh(wait->command->args.flush.resource_id), wait->error);
}

/* Displays copy what is half sent, so that neither they nor the guest's memory hold anything up. */
static enum gpu_verdict shown_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	return reason == GPU_WAIT_STOPPED ? GPU_ERR_UNSPEC : GPU_OK;
}

static const struct gpu_wait_ops shown_ops = {
	.holds_queue = true,
	.done = shown_done,
	.cancel = shown_cancel,
};

static enum gpu_verdict flush_show(struct gpu_wait *wait, struct gpu_tracked_resource *resource)
{
	const struct gpu_rect part = take_part(wait->command);

	gpu_wait_begin(wait, &shown_ops, resource);
	gpu_outputs_flush(wait->device, resource, &part, wait);
	if (wait->command->args.flush.r.height != 0)
		gpu_wait_add_turn(wait);
	return gpu_wait_go(wait);
}

static enum gpu_verdict drawn_done(struct gpu_wait *wait)
{
	return flush_show(wait, wait->resource);
}

/* Nothing was sent yet, and what will be is looked up then. */
static enum gpu_verdict drawn_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	return reason == GPU_WAIT_STOPPED ? GPU_ERR_UNSPEC : GPU_WAITS;
}

static const struct gpu_wait_ops drawn_ops = {
	.holds_queue = true,
	.done = drawn_done,
	.cancel = drawn_cancel,
};

static enum gpu_verdict flush_resource(struct gpu_device *device, struct gpu_command *command)
{
	struct gpu_rect rect = gpu_rect_from_guest(&command->args.flush.r);
	uint32_t id = le32toh(command->args.flush.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	/* A blob has no size of its own; what is damaged is cut to each output. */
	if (resource->base.kind != GPU_RESOURCE_BLOB &&
		!gpu_rect_is_inside(&rect, resource->base.width, resource->base.height))
		return gpu_command_refuse(command, id, GPU_ERR_INVALID_PARAMETER,
			"the rectangle is outside the resource");
	if (!resource->outputs || !gpu_rect_intersect(&rect, &largest_picture, &rect))
		return GPU_OK;
	command->args.flush.r = gpu_rect_to_guest(&rect);
	if (!gpu_outputs_read_elsewhere(device->outputs, resource))
		return flush_show(&command->wait, resource);
	/* The fence is of what was drawn before it. */
	gpu_transfer_settle(device);
	gpu_wait_begin(&command->wait, &drawn_ops, resource);
	gpu_fences_add_all(device->fences, &command->wait);
	return gpu_wait_go(&command->wait);
}

enum gpu_verdict gpu_handle_resource_flush(struct gpu_device *device, struct gpu_command *command)
{
	enum gpu_verdict verdict = flush_resource(device, command);

	/* It was to be done by now, but where nothing of it is shown. */
	gpu_transfer_settle(device);
	return verdict;
}
