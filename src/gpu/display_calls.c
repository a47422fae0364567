/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What the device does about the hooks that a display leaves out. */
#include "gpu/display_calls.h"

#include <errno.h>

bool display_calls_answers(const struct display *display)
{
	return display->ops->get_outputs != NULL;
}

bool display_calls_cancel(struct display *display, void *opaque)
{
	return display->ops->cancel && display->ops->cancel(display, opaque);
}

void display_calls_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height)
{
	if (display->ops->scanout)
		display->ops->scanout(display, scanout_id, width, height);
}

int display_calls_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque)
{
	if (!display->ops->update)
		return 0;
	return display->ops->update(display, scanout_id, rect, pixels, done, opaque);
}

int display_calls_scanout_dmabuf(struct display *display, uint32_t scanout_id,
	const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect)
{
	if (!display->accepts_dmabuf || !display->ops->scanout_dmabuf)
		return -ENOTSUP;
	return display->ops->scanout_dmabuf(display, scanout_id, dmabuf, rect);
}

int display_calls_update_dmabuf(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, display_done_fn done, void *opaque)
{
	if (!display->ops->update_dmabuf)
		return 0;
	return display->ops->update_dmabuf(display, scanout_id, rect, done, opaque);
}

void display_calls_cursor_update(
	struct display *display, const struct display_cursor *cursor, const uint32_t *pixels)
{
	if (display->ops->cursor_update)
		display->ops->cursor_update(display, cursor, pixels);
}

void display_calls_cursor_move(struct display *display, const struct display_cursor *cursor)
{
	if (display->ops->cursor_move)
		display->ops->cursor_move(display, cursor);
}

void display_calls_cursor_hide(struct display *display, const struct display_cursor *cursor)
{
	if (display->ops->cursor_hide)
		display->ops->cursor_hide(display, cursor);
}
