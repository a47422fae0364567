/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Timelines of fences. Inside gpu/ only; theory of operation in fence.c.
 */
#pragma once

#include "gpu/renderer.h"
#include "gpu/verdict.h"

#include <glib.h>

struct gpu_command;
struct gpu_device;
struct gpu_fences;
struct gpu_wait;

/**
 * gpu_fences_create() - No timelines
 * @device: borrowed; whose requests wait
 * @context: main context in which signalled fences are taken up
 */
struct gpu_fences *gpu_fences_create(struct gpu_device *device, GMainContext *context);
void gpu_fences_destroy(struct gpu_fences *fences);

/**
 * gpu_fences_hold() - Hold a decided command until what was submitted before it is done
 * @command: has VIRTIO_GPU_FLAG_FENCE; on the timeline that its header names
 *
 * Return: GPU_WAITS, and its wait finishes it again; anything else: answer it now.
 */
enum gpu_verdict gpu_fences_hold(struct gpu_fences *fences, struct gpu_command *command);

/**
 * gpu_fences_add_all() - Let a wait wait until all that was submitted so far is done
 *
 * It is added to the wait, unless the renderer is synchronous or fails to make a fence.
 */
void gpu_fences_add_all(struct gpu_fences *fences, struct gpu_wait *wait);

/** gpu_fences_forget() - Take a wait that ends early off its timeline, if it is on one. */
void gpu_fences_forget(struct gpu_fences *fences, struct gpu_wait *wait);

/** gpu_fences_signal() - A renderer's fence signalled; any thread, any lock held. */
void gpu_fences_signal(struct gpu_fences *fences, const struct renderer_fence *fence);

/**
 * gpu_fences_retire() - Answer what waits for fences that have signalled
 *
 * The main loop does it by itself; for who looks more often. Return: whether anything waited.
 */
bool gpu_fences_retire(struct gpu_fences *fences);

/** gpu_fences_poll() - Somebody calls gpu_fences_retire() all the time: the loop is not woken; or no more. */
void gpu_fences_poll(struct gpu_fences *fences, bool is_polled);

/** gpu_fences_finish_context() - The context is gone: end what waits on its rings. */
void gpu_fences_finish_context(struct gpu_fences *fences, uint32_t ctx_id);
