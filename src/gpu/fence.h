/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Timelines of fences. Inside gpu/ only; theory of operation in fence.c.
 */
#pragma once

#include "gpu/command.h"
#include "gpu/renderer.h"

struct gpu_fences;

/**
 * gpu_fences_create() - No timelines
 * @device: borrowed; whose commands wait
 * @context: main context in which signalled fences are taken up
 */
struct gpu_fences *gpu_fences_create(struct gpu_device *device, GMainContext *context);
void gpu_fences_destroy(struct gpu_fences *fences);

/**
 * gpu_fences_add() - Let a command wait for what was submitted before it on its timeline
 * @command: its response is set; belongs to the timeline on success
 *
 * Return: 0 when it waits; a negative errno, or 1 when it need not wait: answer it now.
 */
int gpu_fences_add(struct gpu_fences *fences, struct gpu_command *command);

/**
 * gpu_fences_wait() - Let a command go on when all that was submitted so far is done
 * @command: parked; on the global timeline on success
 * @go_on: called from the main loop, unless gpu_fences_forget() comes before
 *
 * Return: 0 when it waits; a negative errno, or 1 when it need not wait: go on now.
 */
int gpu_fences_wait(struct gpu_fences *fences, struct gpu_command *command,
	void (*go_on)(struct gpu_command *command));

/** gpu_fences_forget() - End gpu_fences_wait(), where the command is waiting. */
void gpu_fences_forget(struct gpu_fences *fences, struct gpu_command *command);

/** gpu_fences_signal() - A renderer's fence signalled; any thread, any lock held. */
void gpu_fences_signal(struct gpu_fences *fences, const struct renderer_fence *fence);

/**
 * gpu_fences_finish_all() - Answer what waits, as if signalled
 *
 * For a queue that stops: the commands themselves were carried out, only their completion on the
 * host is no longer waited for.
 */
void gpu_fences_finish_all(struct gpu_fences *fences);

/** gpu_fences_finish_context() - The context is gone: answer what waits on its rings as if signalled. */
void gpu_fences_finish_context(struct gpu_fences *fences, uint32_t ctx_id);
