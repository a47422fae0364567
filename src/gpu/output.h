/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What each output shows, and the displays that look at it. Inside gpu/ only; theory of operation
 * in output.c.
 */
#pragma once

#include "gpu/display.h"
#include "gpu/framebuffer.h"
#include "gpu/renderer.h"

#include <stdbool.h>
#include <stdint.h>

/** Outputs of a device; those above the front-end's number never get a resource. */
#define GPU_OUTPUT_COUNT DISPLAY_MAX_OUTPUTS

/** Set of outputs: bit i is scanout i. */
typedef uint32_t gpu_output_mask;

struct gpu_device;
struct gpu_outputs;
struct gpu_tracked_resource;
struct gpu_wait;

struct gpu_outputs *gpu_outputs_create(void);

/** gpu_outputs_destroy() - All were disabled before. */
void gpu_outputs_destroy(struct gpu_device *device);

/** gpu_outputs_add_display() - One more display looks on; borrowed until removed. */
void gpu_outputs_add_display(struct gpu_device *device, struct display *display);

/** gpu_outputs_remove_display() - It looks on no more. Nothing is pending on it. */
void gpu_outputs_remove_display(struct gpu_device *device, struct display *display);

/** gpu_outputs_show_on() - Show all that is scanned out on a display that became ready. */
void gpu_outputs_show_on(struct gpu_device *device, struct display *display);

/** gpu_outputs_are_ready() - Is there a display, and has each negotiated? */
bool gpu_outputs_are_ready(const struct gpu_outputs *outputs);

/** gpu_outputs_get_answerer() - The display that says what the outputs are: of those that do, the
 * one added last. NULL without any. */
struct display *gpu_outputs_get_answerer(const struct gpu_outputs *outputs);

/**
 * gpu_outputs_forget_wait() - No display may call back with this wait any more
 *
 * Return: whether a display will not show something that it was given with it.
 */
bool gpu_outputs_forget_wait(struct gpu_device *device, struct gpu_wait *wait);

/** gpu_output_set() - Show @rect of @framebuffer; both were checked. */
void gpu_output_set(struct gpu_device *device, uint32_t scanout_id,
	const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect);

/** gpu_output_disable() - Show nothing on this output. */
void gpu_output_disable(struct gpu_device *device, uint32_t scanout_id);
void gpu_outputs_disable_all(struct gpu_device *device);

/** gpu_outputs_show_again() - Go on with what a stop of the queue has cut short. */
void gpu_outputs_show_again(struct gpu_device *device);

/**
 * gpu_outputs_part_len() - How much of a resource to flush at a time
 *
 * Return: bytes of 32-bit pixels: the least that any output is to be given in one turn, and all that are
 * sent pixels of it share.
 */
uint64_t gpu_outputs_part_len(
	struct gpu_device *device, const struct gpu_tracked_resource *resource);

/**
 * gpu_outputs_flush() - Bring damage onto every output that shows a resource
 * @damage: in pixels of the resource
 * @wait: everything that is under way is added to it; errors too
 */
void gpu_outputs_flush(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_rect *damage, struct gpu_wait *wait);

/**
 * gpu_outputs_read_elsewhere() - Will somebody read the renderer's own memory, who does not know
 * when it has drawn?
 */
bool gpu_outputs_read_elsewhere(
	const struct gpu_outputs *outputs, const struct gpu_tracked_resource *resource);

/** gpu_outputs_memory_changed() - Hand out dma-bufs of guest pages again, after the resolution. */
void gpu_outputs_memory_changed(struct gpu_device *device);

/** gpu_outputs_update_cursor() - On all displays. @pixels: as the hook; NULL: hide it. */
void gpu_outputs_update_cursor(
	struct gpu_outputs *outputs, const struct display_cursor *cursor, const uint32_t *pixels);
void gpu_outputs_move_cursor(struct gpu_outputs *outputs, const struct display_cursor *cursor);
