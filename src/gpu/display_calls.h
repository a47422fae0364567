/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device's calls of a display: the one place that knows what a hook that is NULL stands for.
 * The contract is gpu/display.h's. Inside gpu/ only.
 */
#pragma once

#include "gpu/display.h"

/** display_calls_answers() - Does it say what the outputs are? */
bool display_calls_answers(const struct display *display);

/* The rest is named after the hooks. A display without one takes everything and shows nothing. */
bool display_calls_cancel(struct display *display, void *opaque);
void display_calls_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height);
int display_calls_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque);

/** display_calls_scanout_dmabuf() - -ENOTSUP also where the display takes no dma-bufs. */
int display_calls_scanout_dmabuf(struct display *display, uint32_t scanout_id,
	const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect);
int display_calls_update_dmabuf(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, display_done_fn done, void *opaque);
void display_calls_cursor_update(
	struct display *display, const struct display_cursor *cursor, const uint32_t *pixels);
void display_calls_cursor_move(struct display *display, const struct display_cursor *cursor);
void display_calls_cursor_hide(struct display *display, const struct display_cursor *cursor);
