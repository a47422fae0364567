/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The display that shows nothing: for front-ends without a display socket, and until one comes. It
 * says what the outputs are, with an EDID of our own, says so again when somebody changes them, and
 * leaves out all other hooks.
 *
 * Answers come from an idle source, as the contract wants.
 */
#include "display/displays.h"
#include "util/edid.h"
#include "util/source.h"

#include <errno.h>

/* A request whose answer the idle source gives. */
struct question {
	uint32_t scanout_id;
	display_outputs_fn outputs_done;
	display_edid_fn edid_done;
	void *opaque;
};

struct headless {
	struct display base;
	struct display_outputs outputs;
	struct question question;
	GSource *idle_source; /* while there is a question */
	GMainContext *context;
	const struct display_events *events;
	void *opaque;
};

static void headless_forget(struct headless *headless)
{
	source_clear(&headless->idle_source);
}

static bool headless_cancel(struct display *display, void *opaque)
{
	struct headless *headless = (struct headless *)display;

	if (headless->question.opaque == opaque)
		headless_forget(headless);
	return false;
}

static void headless_destroy(struct display *display)
{
	struct headless *headless = (struct headless *)display;

	headless_forget(headless);
	g_free(headless);
}

static void answer_edid(const struct headless *headless, const struct question *question)
{
	const struct gpu_rect *rect = &headless->outputs.output[question->scanout_id].rect;
	struct display_edid edid = {.len = EDID_LEN};

	edid_generate(question->scanout_id, rect->width, rect->height, edid.data);
	question->edid_done(question->opaque, 0, &edid);
}

static gboolean dispatch_idle(gpointer user_data)
{
	struct headless *headless = user_data;
	const struct question question = headless->question;
	const struct display_outputs outputs = headless->outputs;

	/* The source is over: a callback that asks again attaches a new one, or destroys us. */
	g_clear_pointer(&headless->idle_source, g_source_unref);
	if (question.edid_done)
		answer_edid(headless, &question);
	else
		question.outputs_done(question.opaque, 0, &outputs);
	return G_SOURCE_REMOVE;
}

static int headless_ask(struct headless *headless, const struct question *question)
{
	if (headless->idle_source)
		return -EBUSY;
	headless->question = *question;
	headless->idle_source = source_add_idle(headless->context, dispatch_idle, headless);
	return DISPLAY_PENDING;
}

static int headless_get_outputs(struct display *display, display_outputs_fn done, void *opaque)
{
	const struct question question = {.outputs_done = done, .opaque = opaque};

	return headless_ask((struct headless *)display, &question);
}

static int headless_get_edid(
	struct display *display, uint32_t scanout_id, display_edid_fn done, void *opaque)
{
	const struct question question = {
		.scanout_id = scanout_id, .edid_done = done, .opaque = opaque};

	return headless_ask((struct headless *)display, &question);
}

static const struct display_ops headless_ops = {
	.destroy = headless_destroy,
	.cancel = headless_cancel,
	.get_outputs = headless_get_outputs,
	.get_edid = headless_get_edid,
};

int display_headless_set_output(
	struct display *display, uint32_t scanout_id, const struct display_output *output)
{
	struct headless *headless = (struct headless *)display;

	if (scanout_id >= DISPLAY_MAX_OUTPUTS)
		return -EINVAL;
	headless->outputs.output[scanout_id] = *output;
	headless->events->outputs_changed(headless->opaque);
	return 0;
}

void display_headless_get_outputs(const struct display *display, struct display_outputs *outputs)
{
	*outputs = ((const struct headless *)display)->outputs;
}

struct display *display_headless_create(const struct display_outputs *outputs,
	const struct display_events *events, void *opaque, GMainContext *context)
{
	struct headless *headless = g_new0(struct headless, 1);

	headless->base.ops = &headless_ops;
	headless->base.ready = true;
	headless->outputs = *outputs;
	headless->context = context;
	headless->events = events;
	headless->opaque = opaque;
	return &headless->base;
}
