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
#include "gpu/paging.h"
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

/* Return: what to show next, of what is left. */
static struct gpu_rect next_part(
	const struct gpu_command *command, const struct gpu_tracked_resource *resource)
{
	struct gpu_rect part = gpu_rect_from_guest(&command->args.flush.r);
	const uint64_t line_len = MAX((uint64_t)part.width * BYTES_PER_PIXEL, 1);
	const uint64_t part_len = gpu_outputs_part_len(command->device, resource);

	part.height = (uint32_t)MIN(MAX(part_len / line_len, 1), part.height);
	return part;
}

/* The part was shown. Return: whether something is left. */
static bool take_part(struct gpu_command *command)
{
	struct virtio_gpu_rect *left = &command->args.flush.r;

	left->y = htole32(le32toh(left->y) + command->flush_lines);
	left->height = htole32(le32toh(left->height) - command->flush_lines);
	command->flush_lines = 0;
	return left->height != 0;
}

static enum gpu_verdict flush_show(struct gpu_wait *wait, struct gpu_tracked_resource *resource);

static enum gpu_verdict flush_fail(const struct gpu_command *command, int error)
{
	return gpu_command_fail(command, le32toh(command->args.flush.resource_id), error);
}

static enum gpu_verdict shown_done(struct gpu_wait *wait)
{
	if (wait->error == 0 && take_part(wait->command))
		return flush_show(wait, wait->resource);
	return flush_fail(wait->command, wait->error);
}

/*
 * A display comes or goes, or the guest's memory changes. Displays copy what is half sent; what was not
 * begun is shown when that is over.
 */
static enum gpu_verdict shown_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	if (reason == GPU_WAIT_STOPPED)
		return GPU_ERR_UNSPEC;
	if (reason == GPU_WAIT_CONTEXT)
		return GPU_WAITS;
	if (gpu_outputs_forget_wait(wait->device, wait))
		wait->command->flush_lines = 0;
	if (!take_part(wait->command))
		return GPU_OK;
	gpu_wait_retry(wait);
	return GPU_WAITS;
}

static const struct gpu_wait_ops shown_ops = {
	.holds_queue = true,
	.done = shown_done,
	.cancel = shown_cancel,
};

/* Begins to show a part. The guest's pages may be being looked up, so that there is none. */
static void show_part(struct gpu_wait *wait, struct gpu_tracked_resource *resource)
{
	struct gpu_device *device = wait->device;
	const struct gpu_rect part = next_part(wait->command, resource);

	gpu_wait_begin(wait, &shown_ops, resource);
	if (gpu_paging_is_busy(device)) {
		gpu_wait_add_turn(wait);
		return;
	}
	wait->command->flush_lines = part.height;
	gpu_outputs_flush(device, resource, &part, wait);
	if (part.height < le32toh(wait->command->args.flush.r.height) &&
		turn_is_over(&device->turn))
		gpu_wait_add_turn(wait);
}

/* Shows part after part, until one is under way or the turn is over. */
static enum gpu_verdict flush_show(struct gpu_wait *wait, struct gpu_tracked_resource *resource)
{
	int error;

	turn_begin(&wait->device->turn);
	do {
		show_part(wait, resource);
		if (!gpu_wait_is_idle(wait))
			return gpu_wait_go(wait);
		error = wait->error;
		gpu_wait_abandon(wait);
	} while (error == 0 && take_part(wait->command));
	return flush_fail(wait->command, error);
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
