/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Commands in steps: one wait, whose turn calls the command's step again. */
#include "gpu/steps.h"

#include "gpu/command.h"
#include "gpu/paging.h"
#include "gpu/state.h"
#include "gpu/wait.h"

static enum gpu_verdict steps_finish(struct gpu_command *command, enum gpu_verdict verdict)
{
	struct gpu_steps *steps = &command->steps;

	if (steps->free_opaque)
		steps->free_opaque(steps->opaque);
	*steps = (struct gpu_steps){0};
	return verdict;
}

static enum gpu_verdict wait_for_turn(struct gpu_wait *wait, struct gpu_tracked_resource *resource);

static enum gpu_verdict turn_done(struct gpu_wait *wait)
{
	struct gpu_command *command = wait->command;
	struct gpu_tracked_resource *resource = wait->resource;
	enum gpu_verdict verdict;

	/* The memory table has changed, and the guest's pages are being looked up again. */
	if (gpu_paging_is_busy(wait->device))
		return wait_for_turn(wait, resource);
	turn_begin(&wait->device->turn);
	verdict = command->steps.step(command, resource);
	if (verdict == GPU_AGAIN)
		return wait_for_turn(wait, resource);
	return steps_finish(command, verdict);
}

static enum gpu_verdict turn_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	if (reason != GPU_WAIT_STOPPED)
		return GPU_WAITS;
	return steps_finish(wait->command, GPU_ERR_UNSPEC);
}

static const struct gpu_wait_ops turn_ops = {
	.holds_queue = true,
	.done = turn_done,
	.cancel = turn_cancel,
};

static enum gpu_verdict wait_for_turn(struct gpu_wait *wait, struct gpu_tracked_resource *resource)
{
	gpu_wait_begin(wait, &turn_ops, resource);
	gpu_wait_add_turn(wait);
	return gpu_wait_go(wait);
}

enum gpu_verdict gpu_steps_run(
	struct gpu_command *command, struct gpu_tracked_resource *resource, gpu_step_fn step)
{
	enum gpu_verdict verdict = step(command, resource);

	if (verdict != GPU_AGAIN)
		return steps_finish(command, verdict);
	command->steps.step = step;
	return wait_for_turn(&command->wait, resource);
}

void gpu_steps_keep(struct gpu_command *command, void *opaque, void (*free_opaque)(void *opaque))
{
	command->steps.opaque = opaque;
	command->steps.free_opaque = free_opaque;
}
