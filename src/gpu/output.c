/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Outputs and the displays that look at them (virtio 1.3, section 5.7.6.8, SET_SCANOUT and
 * RESOURCE_FLUSH).
 *
 * Theory of operation. What an output shows, which part of which picture, is the device's, once.
 * Each display is a view of all outputs, and what is particular to it stands in the view: whether it
 * reads a dma-buf of the picture or is sent its pixels, and what is in flight to it. SET_SCANOUT only
 * remembers the picture and tells each view its size, or hands it a dma-buf where the renderer can
 * export one and the display takes it. Pixels move at RESOURCE_FLUSH: the damaged rectangle is cut to
 * the part that is shown, fetched once, and sent to every view that wants pixels. The flush is
 * answered when all views have taken it; until then the control queue stands still, which keeps the
 * guest from drawing into an image that is being sent, and this file from using its buffer again.
 *
 * A view that is new, or becomes ready, is shown everything, under a wait of its own that holds the
 * queue as well, and part by part, as a large flush is.
 */
#include "gpu/output.h"

#include "gpu/display_calls.h"
#include "gpu/paging.h"
#include "gpu/pixels.h"
#include "gpu/rect.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/transfer.h"
#include "gpu/wait.h"
#include "util/log.h"

#include <unistd.h>

/*
 * What an output shows: @rect of @framebuffer, whose resource is NULL for nothing. @staging: pixels
 * of one flush, when the image cannot be sent as it is.
 */
struct output {
	struct gpu_framebuffer framebuffer;
	struct gpu_rect rect;
	struct gpu_buffer staging;
};

/*
 * A display. @dmabufs: outputs of which it reads a dma-buf. @wait: while it is shown everything.
 * @next_output, @next_line: how far that is; from there on @lines are under way. @was_cut: it was ended.
 * @staging: pixels of a part; a flush may go on meanwhile, which uses that of the output.
 */
struct view {
	struct display *display;
	gpu_output_mask dmabufs;
	struct gpu_wait wait;
	uint32_t next_output;
	uint32_t next_line;
	uint32_t lines;
	bool was_cut;
	struct gpu_buffer staging;
};

struct gpu_outputs {
	struct output output[GPU_OUTPUT_COUNT];
	GPtrArray *views; /* struct view, in the order in which they came */
};

struct gpu_outputs *gpu_outputs_create(void)
{
	struct gpu_outputs *outputs = g_new0(struct gpu_outputs, 1);

	outputs->views = g_ptr_array_new_with_free_func(g_free);
	return outputs;
}

void gpu_outputs_destroy(struct gpu_device *device)
{
	g_ptr_array_free(device->outputs->views, TRUE);
	g_free(device->outputs);
}

static struct view *view_at(const struct gpu_outputs *outputs, guint index)
{
	return g_ptr_array_index(outputs->views, index);
}

static struct view *find_view(const struct gpu_outputs *outputs, const struct display *display)
{
	for (guint i = 0; i < outputs->views->len; i++)
		if (view_at(outputs, i)->display == display)
			return view_at(outputs, i);
	return NULL;
}

bool gpu_outputs_are_ready(const struct gpu_outputs *outputs)
{
	for (guint i = 0; i < outputs->views->len; i++)
		if (!view_at(outputs, i)->display->ready)
			return false;
	return outputs->views->len > 0;
}

struct display *gpu_outputs_get_answerer(const struct gpu_outputs *outputs)
{
	for (guint i = outputs->views->len; i-- > 0;)
		if (display_calls_answers(view_at(outputs, i)->display))
			return view_at(outputs, i)->display;
	return NULL;
}

bool gpu_outputs_forget_wait(struct gpu_device *device, struct gpu_wait *wait)
{
	bool any = false;

	for (guint i = 0; i < device->outputs->views->len; i++)
		any |= display_calls_cancel(view_at(device->outputs, i)->display, wait);
	return any;
}

/* What is shown */

/* Hands the display a dma-buf of what the output shows. Return: false where there is none for it. */
static bool show_dmabuf(struct gpu_device *device, struct view *view, uint32_t scanout_id)
{
	const struct output *output = &device->outputs->output[scanout_id];
	struct renderer_dmabuf dmabuf;
	int ret;

	if (!view->display->accepts_dmabuf ||
		gpu_framebuffer_export_dmabuf(device, &output->framebuffer, &dmabuf) < 0)
		return false;
	ret = display_calls_scanout_dmabuf(view->display, scanout_id, &dmabuf, &output->rect);
	close(dmabuf.fd);
	return ret == 0;
}

/* Tells one display what an output shows from now on. */
static void output_show(struct gpu_device *device, struct view *view, uint32_t scanout_id)
{
	const struct output *output = &device->outputs->output[scanout_id];

	if (!view->display->ready)
		return;
	if (show_dmabuf(device, view, scanout_id)) {
		view->dmabufs |= 1u << scanout_id;
		return;
	}
	view->dmabufs &= ~(1u << scanout_id);
	display_calls_scanout(view->display, scanout_id, output->rect.width, output->rect.height);
}

static void release_resource(struct gpu_outputs *outputs, uint32_t scanout_id)
{
	struct output *output = &outputs->output[scanout_id];

	if (output->framebuffer.resource)
		output->framebuffer.resource->outputs &= ~(1u << scanout_id);
	output->framebuffer.resource = NULL;
}

void gpu_output_set(struct gpu_device *device, uint32_t scanout_id,
	const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect)
{
	struct gpu_outputs *outputs = device->outputs;
	struct output *output = &outputs->output[scanout_id];

	release_resource(outputs, scanout_id);
	output->framebuffer = *framebuffer;
	output->rect = *rect;
	framebuffer->resource->outputs |= 1u << scanout_id;
	for (guint i = 0; i < outputs->views->len; i++)
		output_show(device, view_at(outputs, i), scanout_id);
}

void gpu_output_disable(struct gpu_device *device, uint32_t scanout_id)
{
	struct gpu_outputs *outputs = device->outputs;
	struct output *output = &outputs->output[scanout_id];

	if (!output->framebuffer.resource)
		return;
	release_resource(outputs, scanout_id);
	for (guint i = 0; i < outputs->views->len; i++) {
		struct view *view = view_at(outputs, i);

		view->dmabufs &= ~(1u << scanout_id);
		if (view->display->ready)
			display_calls_scanout(view->display, scanout_id, 0, 0);
	}
	/* Nothing is being sent out of it: that holds the queue, or was cancelled before. */
	gpu_buffer_finish(device, &output->staging);
}

void gpu_outputs_disable_all(struct gpu_device *device)
{
	for (guint i = 0; i < device->outputs->views->len; i++)
		view_at(device->outputs, i)->was_cut = false;
	for (uint32_t i = 0; i < GPU_OUTPUT_COUNT; i++)
		gpu_output_disable(device, i);
}

void gpu_outputs_memory_changed(struct gpu_device *device)
{
	struct gpu_outputs *outputs = device->outputs;

	for (guint i = 0; i < outputs->views->len; i++) {
		struct view *view = view_at(outputs, i);

		for (uint32_t id = 0; id < GPU_OUTPUT_COUNT; id++) {
			const struct gpu_tracked_resource *resource =
				outputs->output[id].framebuffer.resource;

			/* The dma-buf is of pages that may no longer be the guest's. */
			if ((view->dmabufs & 1u << id) && resource && resource->backing.entries &&
				resource->base.kind == GPU_RESOURCE_BLOB)
				output_show(device, view, id);
		}
	}
}

/* Pixels */

/* One flush of one output. @source: in the picture; @target: the same on the output. @staging: for pixels. */
struct flush {
	struct gpu_device *device;
	uint32_t scanout_id;
	struct gpu_buffer *staging;
	struct gpu_rect source;
	struct gpu_rect target;
	struct display_pixels pixels;
	bool has_pixels;
};

static void fetch_lines(void *opaque, uint32_t line_count)
{
	const struct flush *flush = opaque;

	gpu_transfer_fetch(flush->device, flush->source.y + line_count);
}

/* Fetches the pixels when the first display wants them; their lines, when it sends them. */
static int get_pixels(struct flush *flush, const struct display *display)
{
	const struct output *output = &flush->device->outputs->output[flush->scanout_id];
	int ret = 0;

	if (!display->fetches_pixels ||
		!gpu_transfer_is_put_off(flush->device, output->framebuffer.resource))
		gpu_transfer_settle(flush->device);
	if (!flush->has_pixels)
		ret = gpu_pixels_get(flush->device, &output->framebuffer, &flush->source,
			PIXMAN_x8r8g8b8, flush->staging, &flush->pixels);
	flush->has_pixels = ret == 0;
	flush->pixels.fetch = flush->device->put_off.command ? fetch_lines : NULL;
	flush->pixels.fetch_opaque = flush;
	return ret;
}

/* A display that went away is no error of the guest's. */
static void output_shown(void *opaque, int error)
{
	gpu_wait_arrived_last(opaque, 0);
}

static void flush_view(struct flush *flush, struct view *view, struct gpu_wait *wait)
{
	struct display *display = view->display;
	int ret = 0;

	if (!display->ready)
		return;
	if (view->dmabufs & 1u << flush->scanout_id) {
		ret = display_calls_update_dmabuf(
			display, flush->scanout_id, &flush->target, output_shown, wait);
	} else if (display->wants_pixels) {
		ret = get_pixels(flush, display);
		if (ret == 0)
			ret = display_calls_update(display, flush->scanout_id, &flush->target,
				&flush->pixels, output_shown, wait);
	}
	if (ret == DISPLAY_PENDING)
		gpu_wait_add(wait);
	else if (ret < 0)
		gpu_wait_fail(wait, ret);
}

/* Return: false where none of the damage is shown. */
static bool flush_init(struct flush *flush, struct gpu_device *device, uint32_t scanout_id,
	const struct gpu_rect *damage, struct gpu_buffer *staging)
{
	const struct gpu_rect *rect = &device->outputs->output[scanout_id].rect;

	*flush = (struct flush){.device = device, .scanout_id = scanout_id, .staging = staging};
	if (!gpu_rect_intersect(damage, rect, &flush->source))
		return false;
	flush->target = flush->source;
	flush->target.x -= rect->x;
	flush->target.y -= rect->y;
	return true;
}

void gpu_outputs_flush(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_rect *damage, struct gpu_wait *wait)
{
	struct gpu_outputs *outputs = device->outputs;

	for (uint32_t id = 0; id < GPU_OUTPUT_COUNT; id++) {
		struct flush flush;

		if (!(resource->outputs & 1u << id) ||
			!flush_init(&flush, device, id, damage, &outputs->output[id].staging))
			continue;
		for (guint i = 0; i < outputs->views->len; i++)
			flush_view(&flush, view_at(outputs, i), wait);
	}
}

/* Is the view sent pixels of what this output shows? */
static bool takes_pixels(const struct view *view, uint32_t scanout_id)
{
	return view->display->ready && view->display->wants_pixels &&
	       !(view->dmabufs & 1u << scanout_id);
}

static bool any_takes_pixels(const struct gpu_outputs *outputs, uint32_t scanout_id)
{
	for (guint i = 0; i < outputs->views->len; i++)
		if (takes_pixels(view_at(outputs, i), scanout_id))
			return true;
	return false;
}

uint64_t gpu_outputs_part_len(
	struct gpu_device *device, const struct gpu_tracked_resource *resource)
{
	const struct gpu_outputs *outputs = device->outputs;
	uint64_t len = UINT64_MAX;
	unsigned int count = 0;

	for (uint32_t id = 0; id < GPU_OUTPUT_COUNT; id++) {
		if (!(resource->outputs & 1u << id) || !any_takes_pixels(outputs, id))
			continue;
		len = MIN(len, gpu_pixels_part_len(device, &outputs->output[id].framebuffer));
		count++;
	}
	return len / MAX(count, 1);
}

bool gpu_outputs_read_elsewhere(
	const struct gpu_outputs *outputs, const struct gpu_tracked_resource *resource)
{
	if (resource->base.kind == GPU_RESOURCE_BLOB)
		return false;
	for (guint i = 0; i < outputs->views->len; i++)
		if (view_at(outputs, i)->dmabufs & resource->outputs)
			return true;
	return false;
}

/* Displays */

void gpu_outputs_add_display(struct gpu_device *device, struct display *display)
{
	struct view *view = g_new0(struct view, 1);

	view->display = display;
	view->wait.device = device;
	view->wait.opaque = view;
	g_ptr_array_add(device->outputs->views, view);
	if (display->ready)
		gpu_outputs_show_on(device, display);
}

static void show_end(struct view *view)
{
	if (view->wait.ops)
		gpu_wait_cancel(&view->wait, GPU_WAIT_STOPPED);
}

void gpu_outputs_remove_display(struct gpu_device *device, struct display *display)
{
	struct view *view = find_view(device->outputs, display);

	show_end(view);
	g_ptr_array_remove(device->outputs->views, view);
}

/* Return: what the view is to be shown next; NULL when it has seen all. */
static const struct output *next_output(const struct gpu_outputs *outputs, struct view *view)
{
	for (; view->next_output < GPU_OUTPUT_COUNT; view->next_output++)
		if (outputs->output[view->next_output].framebuffer.resource)
			return &outputs->output[view->next_output];
	return NULL;
}

/* Lines to show at a time. */
static uint32_t lines_of_part(
	struct gpu_device *device, const struct view *view, const struct output *output)
{
	const uint64_t line_len = (uint64_t)output->rect.width * sizeof(uint32_t);
	const uint32_t left = output->rect.height - view->next_line;

	if (!takes_pixels(view, view->next_output))
		return left;
	return (uint32_t)CLAMP(
		gpu_pixels_part_len(device, &output->framebuffer) / line_len, 1, left);
}

/* What was under way is shown. */
static void show_take(struct gpu_outputs *outputs, struct view *view)
{
	const struct output *output = next_output(outputs, view);

	view->next_line += view->lines;
	view->lines = 0;
	if (output && view->next_line >= output->rect.height) {
		view->next_line = 0;
		view->next_output++;
	}
}

static enum gpu_verdict show_more(struct view *view);

static void log_not_shown(int error)
{
	if (error < 0)
		log_peer("what is scanned out cannot be shown on the new display: %s",
			g_strerror(-error));
}

static enum gpu_verdict show_on_done(struct gpu_wait *wait)
{
	struct view *view = wait->opaque;

	log_not_shown(wait->error);
	show_take(wait->device->outputs, view);
	return show_more(view);
}

/* There is no command that would have to be answered; what is left comes when the reason is over. */
static enum gpu_verdict show_on_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	struct view *view = wait->opaque;

	if (reason == GPU_WAIT_CONTEXT)
		return GPU_WAITS;
	if (gpu_outputs_forget_wait(wait->device, wait))
		view->lines = 0;
	gpu_buffer_finish(wait->device, &view->staging);
	show_take(wait->device->outputs, view);
	view->was_cut = next_output(wait->device->outputs, view) != NULL;
	if (reason == GPU_WAIT_STOPPED || !view->was_cut)
		return GPU_OK;
	gpu_wait_retry(wait);
	return GPU_WAITS;
}

static const struct gpu_wait_ops show_on_ops = {
	.holds_queue = true,
	.done = show_on_done,
	.cancel = show_on_cancel,
};

/* Begins to show a part of @output. */
static void show_part(struct gpu_device *device, struct view *view, const struct output *output)
{
	struct gpu_rect rect = output->rect;
	struct flush flush;

	if (view->next_line == 0)
		output_show(device, view, view->next_output);
	view->lines = lines_of_part(device, view, output);
	rect.y += view->next_line;
	rect.height = view->lines;
	if (flush_init(&flush, device, view->next_output, &rect, &view->staging))
		flush_view(&flush, view, &view->wait);
}

/* Shows part after part, until one is under way or the turn is over. */
static enum gpu_verdict show_more(struct view *view)
{
	struct gpu_device *device = view->wait.device;
	const struct output *output;

	turn_begin(&device->turn);
	while ((output = next_output(device->outputs, view))) {
		gpu_wait_begin(&view->wait, &show_on_ops, NULL);
		if (!gpu_paging_is_busy(device))
			show_part(device, view, output);
		if (gpu_paging_is_busy(device) || turn_is_over(&device->turn))
			gpu_wait_add_turn(&view->wait);
		if (!gpu_wait_is_idle(&view->wait))
			return gpu_wait_go(&view->wait);
		log_not_shown(view->wait.error);
		gpu_wait_abandon(&view->wait);
		show_take(device->outputs, view);
	}
	gpu_buffer_finish(device, &view->staging);
	return GPU_OK;
}

void gpu_outputs_show_on(struct gpu_device *device, struct display *display)
{
	struct view *view = find_view(device->outputs, display);

	show_end(view);
	view->was_cut = false;
	view->next_output = 0;
	view->next_line = 0;
	show_more(view);
}

void gpu_outputs_show_again(struct gpu_device *device)
{
	struct gpu_outputs *outputs = device->outputs;

	for (guint i = 0; i < outputs->views->len; i++) {
		struct view *view = view_at(outputs, i);

		if (!view->was_cut)
			continue;
		view->was_cut = false;
		show_more(view);
	}
}

/* The cursor */

void gpu_outputs_update_cursor(
	struct gpu_outputs *outputs, const struct display_cursor *cursor, const uint32_t *pixels)
{
	for (guint i = 0; i < outputs->views->len; i++) {
		struct display *display = view_at(outputs, i)->display;

		if (pixels)
			display_calls_cursor_update(display, cursor, pixels);
		else
			display_calls_cursor_hide(display, cursor);
	}
}

void gpu_outputs_move_cursor(struct gpu_outputs *outputs, const struct display_cursor *cursor)
{
	for (guint i = 0; i < outputs->views->len; i++)
		display_calls_cursor_move(view_at(outputs, i)->display, cursor);
}
