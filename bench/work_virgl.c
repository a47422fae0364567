/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* OpenGL: streams with a fence, pictures that are drawn by the renderer, contexts. */
#include "bench/clock.h"
#include "bench/command.h"
#include "bench/stream.h"
#include "bench/work.h"

#include <errno.h>

#define RESOURCE_ID   1
#define STEP	      128
#define WARM_UP	      0.1
#define CONTEXT_BATCH 8

/**
 * struct drawing - A context, and a texture that is drawn to
 * @stream_gpa: of the words that are sent
 * @number: of the newest frame, which is its colour
 * @ctx: the context that is next, of @ctx_count from 1 on
 */
struct drawing {
	uint32_t *words;
	uint64_t stream_gpa;
	uint32_t stream_len;
	uint32_t number;
	uint32_t ctx;
	uint32_t ctx_count;
	uint64_t flushed_pixels;
	struct virtio_gpu_rect rect;
};

static struct drawing *make_drawing(struct work_run *run)
{
	struct drawing *drawing = run->state = g_new0(struct drawing, 1);
	struct memory *memory = &run->guest.memory;

	drawing->stream_gpa = memory_alloc(memory, 4 * STREAM_LARGE_WORDS, MEMORY_PAGE);
	drawing->words = memory_at(memory, drawing->stream_gpa);
	drawing->rect.width = run->work->damage ? run->work->damage : run->work->width;
	drawing->rect.height = run->work->damage ? run->work->damage : run->work->height;
	return drawing;
}

static void set_stream(struct drawing *drawing, const uint32_t *end)
{
	drawing->stream_len = (uint32_t)(end - drawing->words) * 4;
}

static int submit_stream(struct work_run *run)
{
	const struct drawing *drawing = run->state;

	command_submit(&run->guest, drawing->ctx, drawing->stream_gpa, drawing->stream_len);
	return guest_run(&run->guest);
}

/* A context that draws to a texture of the item's size. */
static int setup_target(struct work_run *run)
{
	struct drawing *drawing = make_drawing(run);
	struct guest *guest = &run->guest;
	int ret;

	drawing->ctx = 1;
	command_create_context(guest, drawing->ctx, 0);
	command_create_3d(guest, RESOURCE_ID, run->work->width, run->work->height);
	command_attach_resource(guest, drawing->ctx, RESOURCE_ID);
	set_stream(drawing, stream_target(drawing->words, RESOURCE_ID));
	ret = submit_stream(run);
	set_stream(drawing, run->work->count > 1 ? stream_large(drawing->words, 0x204060)
						 : stream_clear(drawing->words, 0x204060));
	return work_setup_error(run, ret);
}

static int run_submits(struct work_run *run, double *ret_value)
{
	return work_median_us(run, submit_stream, ret_value);
}

/* The colour is the number of the frame, in the whole picture. */
static int draw_frame(struct work_run *run)
{
	struct drawing *drawing = run->state;

	drawing->number++;
	run->operation_count++;
	set_stream(drawing, stream_clear(drawing->words, drawing->number));
	screen_set_newest(&run->guest.screen, 0, drawing->number);
	command_submit(&run->guest, drawing->ctx, drawing->stream_gpa, drawing->stream_len);
	command_flush(&run->guest, RESOURCE_ID, &drawing->rect);
	drawing->flushed_pixels += (uint64_t)drawing->rect.width * drawing->rect.height;
	return guest_run(&run->guest);
}

static int settle_picture(struct work_run *run)
{
	const struct drawing *drawing = run->state;
	int ret = screen_wait(&run->guest.screen, 0, drawing->flushed_pixels);

	return ret < 0 ? guest_describe(&run->guest, "waiting for a picture", ret) : 0;
}

static int setup_shown(struct work_run *run)
{
	int ret = setup_target(run);

	if (ret < 0)
		return ret;
	command_set_scanout(&run->guest, 0, RESOURCE_ID, run->work->width, run->work->height);
	screen_watch(&run->guest.screen, 0, STEP);
	ret = draw_frame(run);
	if (ret == 0)
		ret = settle_picture(run);
	if (ret == -ETIMEDOUT && screen_shown_pixels(&run->guest.screen, 0) == 0)
		return work_skip(run, "it shows no pixels");
	if (ret == 0 && screen_is_dmabuf(&run->guest.screen, 0))
		work_note(run, "shown as dma-bufs; their pixels are not looked at");
	return work_setup_error(run, ret);
}

/* One more frame, whole, and each of its pixels. */
static int check_shown(struct work_run *run)
{
	struct drawing *drawing = run->state;
	g_autofree uint32_t *row = g_new(uint32_t, run->work->width);
	int ret;

	drawing->rect.width = run->work->width;
	drawing->rect.height = run->work->height;
	ret = draw_frame(run);
	if (ret == 0)
		ret = settle_picture(run);
	for (uint32_t x = 0; x < run->work->width; x++)
		row[x] = drawing->number;
	for (uint32_t y = 0; y < run->work->height && ret == 0; y++)
		ret = screen_compare_row(&run->guest.screen, 0, 0, y, run->work->width, row);
	return ret;
}

static int draw_until(struct work_run *run, double end)
{
	int ret;

	do
		ret = draw_frame(run);
	while (ret == 0 && clock_now() < end);
	return ret == 0 ? settle_picture(run) : ret;
}

static int run_shown(struct work_run *run, double *ret_value)
{
	const struct drawing *drawing = run->state;
	const double frame = (double)drawing->rect.width * drawing->rect.height;
	double start;
	uint64_t shown;
	int ret;

	run->operation_count = 0;
	ret = draw_until(run, clock_now() + run->seconds * WARM_UP);

	shown = screen_shown_pixels(&run->guest.screen, 0);
	start = clock_now();
	if (ret == 0)
		ret = draw_until(run, start + run->seconds);
	shown = screen_shown_pixels(&run->guest.screen, 0) - shown;
	*ret_value = (double)shown / frame / (clock_now() - start);
	return ret == 0 ? check_shown(run) : ret;
}

static int create_and_destroy(struct work_run *run)
{
	for (uint32_t ctx = 1; ctx <= CONTEXT_BATCH; ctx++) {
		command_create_context(&run->guest, ctx, 0);
		command_destroy_context(&run->guest, ctx);
	}
	return guest_run(&run->guest);
}

static int run_contexts(struct work_run *run, double *ret_value)
{
	return work_rate(run, create_and_destroy, CONTEXT_BATCH, ret_value);
}

/* A daemon may limit how many a guest has: then it is as many as that. */
static int create_contexts(struct work_run *run)
{
	struct drawing *drawing = run->state;
	int ret = 0;

	while (drawing->ctx_count < run->work->count && ret == 0) {
		command_create_context(&run->guest, drawing->ctx_count + 1, 0);
		ret = guest_try(&run->guest);
		if (ret == 0)
			drawing->ctx_count++;
	}
	if (ret != -EPROTO)
		return ret;
	if (drawing->ctx_count == 0)
		return work_skip(run, "it makes no context");
	work_note(run, "it gives a guest %u contexts", drawing->ctx_count);
	return 0;
}

static int setup_contexts(struct work_run *run)
{
	struct drawing *drawing = make_drawing(run);

	/* A command that does nothing, so that nothing but the context's turn counts. */
	drawing->words[0] = 0;
	drawing->stream_len = 4;
	drawing->ctx = 1;
	return create_contexts(run);
}

static int submit_to_next(struct work_run *run)
{
	struct drawing *drawing = run->state;
	int ret = submit_stream(run);

	drawing->ctx = 1 + drawing->ctx % drawing->ctx_count;
	return ret;
}

static int run_turns(struct work_run *run, double *ret_value)
{
	return work_median_us(run, submit_to_next, ret_value);
}

#define SUBMIT(text, w, h, how_many, wanted_limit)                                                 \
	{                                                                                          \
		.name = text, .unit = "us", .needs = WORK_NEEDS_VIRGL, .limit = wanted_limit,      \
		.limit_count = 1, .setup = setup_target, .run = run_submits, .width = w,           \
		.height = h, .count = how_many                                                     \
	}

#define SHOWN(text, w, h, side)                                                                    \
	{                                                                                          \
		.name = text, .unit = "frames/s", .more_is_better = true,                          \
		.needs = WORK_NEEDS_VIRGL, .limit = LIMIT_DRAW_AND_READ, .limit_count = 1,         \
		.setup = setup_shown, .run = run_shown, .width = w, .height = h, .damage = side    \
	}

#define TURNS(text, how_many)                                                                      \
	{                                                                                          \
		.name = text, .unit = "us", .needs = WORK_NEEDS_VIRGL, .limit = LIMIT_WAKE_UPS,    \
		.limit_count = 1, .setup = setup_contexts, .run = run_turns, .count = how_many     \
	}

const struct work work_virgl[] = {
	SHOWN("virgl-frames-1920x1080", 1920, 1080, 0),
	SHOWN("virgl-damage-1920x1080", 1920, 1080, 64),
	SUBMIT("submit-small", 64, 64, 1, LIMIT_SUBMIT_SMALL),
	SUBMIT("submit-clear-1280x800", 1280, 800, 1, LIMIT_SUBMIT_CLEAR),
	SUBMIT("submit-large", 64, 64, STREAM_LARGE_COUNT, LIMIT_SUBMIT_LARGE),
	{.name = "contexts",
		.unit = "contexts/s",
		.more_is_better = true,
		.needs = WORK_NEEDS_VIRGL,
		.run = run_contexts},
	TURNS("turns-of-1-context", 1),
	TURNS("turns-of-500-contexts", 500),
	{0},
};
