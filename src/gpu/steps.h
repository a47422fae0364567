/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands that may have much to do. They work in steps, and stop when the turn (util/turn.h) is over;
 * the next step comes with the next turn. Inside gpu/ only.
 */
#pragma once

#include "gpu/verdict.h"

struct gpu_command;
struct gpu_tracked_resource;

/**
 * gpu_step_fn - Work until all is done or the turn is over
 * @resource: what the command is about; NULL for none
 *
 * Does a part at least. Return: GPU_AGAIN where something is left; or the command's verdict.
 */
typedef enum gpu_verdict (*gpu_step_fn)(
	struct gpu_command *command, struct gpu_tracked_resource *resource);

/**
 * struct gpu_steps - What a command is in the middle of
 * @step: NULL while it is in the middle of nothing
 * @opaque: the step's own
 * @free_opaque: called with @opaque when the command goes no further; NULL: nothing to free
 */
struct gpu_steps {
	gpu_step_fn step;
	void *opaque;
	void (*free_opaque)(void *opaque);
};

/**
 * gpu_steps_run() - Carry a command out by @step
 * @resource: a reference is taken while the command waits; NULL for none
 *
 * The control queue stands still meanwhile. A stop of the queue ends the command with
 * VIRTIO_GPU_RESP_ERR_UNSPEC. Return: the verdict, or GPU_WAITS.
 */
enum gpu_verdict gpu_steps_run(
	struct gpu_command *command, struct gpu_tracked_resource *resource, gpu_step_fn step);

/** gpu_steps_keep() - Give the command what its step needs; taken. At most once, in a step. */
void gpu_steps_keep(struct gpu_command *command, void *opaque, void (*free_opaque)(void *opaque));
