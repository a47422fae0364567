/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The display that shows nothing: for front-ends without a display socket, and until one comes.
 * It reports one enabled scanout of a fixed size with an EDID of our own, and drops the rest.
 *
 * Answers come from an idle source, as the contract wants.
 */
#include "display/displays.h"

#include "util/edid.h"

#include <errno.h>

/* A request whose answer the idle source gives. */
struct question {
	bool wants_edid;
	uint32_t scanout_id;
	display_done_fn done;
	void *opaque;
};

struct headless {
	struct display base;
	GMainContext *context;
	uint32_t width;
	uint32_t height;
	GQueue questions;
	GSource *idle_source; /* while there are questions */
	bool dispatching;
	bool destroyed;
};

static void headless_cancel(struct display *display)
{
	struct headless *headless = (struct headless *)display;

	g_queue_clear_full(&headless->questions, g_free);
	if (headless->idle_source) {
		g_source_destroy(headless->idle_source);
		g_clear_pointer(&headless->idle_source, g_source_unref);
	}
}

static void headless_destroy(struct display *display)
{
	struct headless *headless = (struct headless *)display;

	headless_cancel(display);
	headless->destroyed = true;
	if (!headless->dispatching)
		g_free(headless);
}

static void answer(struct headless *headless, const struct question *question)
{
	struct virtio_gpu_resp_display_info info = {0};
	struct virtio_gpu_resp_edid edid = {0};

	if (question->wants_edid) {
		edid.size = GUINT32_TO_LE(EDID_LEN);
		edid_generate(question->scanout_id, headless->width, headless->height, edid.edid);
		question->done(question->opaque, 0, &edid, sizeof(edid));
		return;
	}
	info.pmodes[0].r.width = GUINT32_TO_LE(headless->width);
	info.pmodes[0].r.height = GUINT32_TO_LE(headless->height);
	info.pmodes[0].enabled = GUINT32_TO_LE(1);
	question->done(question->opaque, 0, &info, sizeof(info));
}

static gboolean dispatch_idle(gpointer user_data)
{
	struct headless *headless = user_data;
	struct question *question;

	/* The source is over: a done function that asks again attaches a new one. */
	g_clear_pointer(&headless->idle_source, g_source_unref);
	headless->dispatching = true;
	question = g_queue_pop_head(&headless->questions);
	if (question)
		answer(headless, question);
	g_free(question);
	headless->dispatching = false;
	if (headless->destroyed)
		g_free(headless);
	return G_SOURCE_REMOVE;
}

static int ask(struct headless *headless, const struct question *question)
{
	if (!g_queue_is_empty(&headless->questions))
		return -EBUSY;
	g_queue_push_tail(&headless->questions, g_memdup2(question, sizeof(*question)));
	headless->idle_source = g_idle_source_new();
	g_source_set_priority(headless->idle_source, G_PRIORITY_DEFAULT);
	g_source_set_callback(headless->idle_source, dispatch_idle, headless, NULL);
	g_source_attach(headless->idle_source, headless->context);
	return DISPLAY_PENDING;
}

static int headless_get_display_info(struct display *display, display_done_fn done, void *opaque)
{
	const struct question question = {.done = done, .opaque = opaque};

	return ask((struct headless *)display, &question);
}

static int headless_get_edid(
	struct display *display, uint32_t scanout_id, display_done_fn done, void *opaque)
{
	const struct question question = {
		.wants_edid = true, .scanout_id = scanout_id, .done = done, .opaque = opaque};

	return ask((struct headless *)display, &question);
}

static void headless_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height)
{
}

static int headless_update(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, const struct display_pixels *pixels, display_done_fn done,
	void *opaque)
{
	return 0;
}

static int headless_scanout_dmabuf(struct display *display, uint32_t scanout_id,
	const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect)
{
	return 0;
}

static int headless_update_dmabuf(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, display_done_fn done, void *opaque)
{
	return 0;
}

static void headless_cursor_update(
	struct display *display, const struct display_cursor *cursor, const uint32_t *pixels)
{
}

static void headless_cursor_pos(struct display *display, const struct display_cursor *cursor)
{
}

static const struct display_ops headless_ops = {
	.destroy = headless_destroy,
	.cancel = headless_cancel,
	.get_display_info = headless_get_display_info,
	.get_edid = headless_get_edid,
	.scanout = headless_scanout,
	.update = headless_update,
	.scanout_dmabuf = headless_scanout_dmabuf,
	.update_dmabuf = headless_update_dmabuf,
	.cursor_update = headless_cursor_update,
	.cursor_move = headless_cursor_pos,
	.cursor_hide = headless_cursor_pos,
};

struct display *display_headless_create(uint32_t width, uint32_t height, GMainContext *context)
{
	struct headless *headless = g_new0(struct headless, 1);

	headless->base.ops = &headless_ops;
	headless->base.ready = true;
	headless->context = context;
	headless->width = width;
	headless->height = height;
	g_queue_init(&headless->questions);
	return &headless->base;
}
