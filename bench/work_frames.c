/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Two-dimensional pictures, shown: sizes, damage, backing, outputs, and the cursor beside them. */
#include "bench/clock.h"
#include "bench/command.h"
#include "bench/frames.h"
#include "bench/stats.h"
#include "bench/work.h"

#include <errno.h>

#define MAX_LATENCIES 200000
#define DAMAGE	      64

static int setup_frames(struct work_run *run)
{
	struct frames *frames = run->state = g_new0(struct frames, 1);
	const struct frames_layout layout = {.width = run->work->width,
		.height = run->work->height,
		.damage = run->work->damage,
		.piece_len = run->work->piece_len,
		.is_blob = run->work->is_blob,
		.output_count = run->work->count,
		.seed = run->seed};
	int ret = frames_start(frames, &run->guest, &layout);

	if (ret == -ENODATA)
		return work_skip(run, "it shows no pixels");
	if (ret == 0 && screen_is_dmabuf(&run->guest.screen, 0))
		work_note(run, "shown as dma-bufs; their pixels are not looked at");
	return work_setup_error(run, ret);
}

static int run_frames(struct work_run *run, double *ret_value)
{
	struct frames *frames = run->state;
	const uint32_t before = frames->number;
	int ret = frames_measure(frames, run->seconds, ret_value);

	run->operation_count = (frames->number - before) * frames->output_count;
	return ret;
}

static void teardown_frames(struct work_run *run)
{
	if (run->state)
		frames_finish(run->state);
}

/* A cursor that another thread moves. */
struct mouse {
	struct guest *guest;
	int must_stop;
	uint32_t x;
	double *latencies;
	size_t count;
	int ret;
};

static gpointer move_mouse(gpointer opaque)
{
	struct mouse *mouse = opaque;

	/* Once at least: a busy machine may start this thread when all is over. */
	do {
		const double start = clock_now();

		mouse->x = 1 + mouse->x % 1000;
		command_move_cursor(mouse->guest, 0, mouse->x, 7);
		mouse->ret = guest_run_cursor(mouse->guest);
		mouse->latencies[mouse->count++] = clock_now() - start;
	} while (mouse->ret == 0 && mouse->count < MAX_LATENCIES &&
		 !g_atomic_int_get(&mouse->must_stop));
	return NULL;
}

static int run_mouse(struct work_run *run, double *ret_value)
{
	g_autofree double *latencies = g_new(double, MAX_LATENCIES);
	struct mouse mouse = {.guest = &run->guest, .latencies = latencies};
	GThread *thread = g_thread_new("mouse", move_mouse, &mouse);
	double rate;
	int ret = frames_measure(run->state, run->seconds, &rate);

	g_atomic_int_set(&mouse.must_stop, 1);
	g_thread_join(thread);
	if (ret == 0)
		ret = guest_describe(&run->guest, "moving the cursor", mouse.ret);
	if (ret < 0)
		return ret;
	if (screen_wait_cursor(&run->guest.screen, mouse.x, 7) < 0)
		return work_fail(run, -EILSEQ, "the cursor is not at %u,7", mouse.x);
	*ret_value = 1e6 * stats_of(latencies, mouse.count).median;
	return 0;
}

/* The first transfer has been checked with all the others in the items that show. */
static int setup_backing(struct work_run *run)
{
	struct image *image = run->state = g_new0(struct image, 1);
	struct virtio_gpu_rect whole;

	image_init(
		image, &run->guest, 1, run->work->width, run->work->height, run->work->piece_len);
	whole = image_whole(image);
	image_fill(image, &whole, run->seed);
	image_post_create(image, &run->guest);
	return work_setup_error(run, guest_run(&run->guest));
}

static int transfer_corner(struct work_run *run)
{
	const struct image *image = run->state;
	const struct virtio_gpu_rect rect = {.x = image->width - DAMAGE,
		.y = image->height - DAMAGE,
		.width = DAMAGE,
		.height = DAMAGE};

	command_transfer_2d(&run->guest, image->id, &rect, image_offset(image, rect.x, rect.y));
	return guest_run(&run->guest);
}

static int run_transfers(struct work_run *run, double *ret_value)
{
	return work_median_us(run, transfer_corner, ret_value);
}

static void teardown_backing(struct work_run *run)
{
	if (run->state)
		image_finish(run->state);
}

#define FRAMES(text, w, h, how_many, wanted_limit, ...)                                            \
	{                                                                                          \
		.name = text, .unit = "frames/s", .more_is_better = true, .limit = wanted_limit,   \
		.limit_count = 1, .setup = setup_frames, .run = run_frames,                        \
		.teardown = teardown_frames, .width = w, .height = h, .count = how_many,           \
		__VA_ARGS__                                                                        \
	}

#define SIZES(w, h)                                                                                \
	FRAMES("frames-" #w "x" #h, w, h, 1, LIMIT_SHOWN_##w, ),                                   \
		FRAMES("frames-" #w "x" #h "-pages", w, h, 1, LIMIT_SHOWN_##w, .piece_len = 4096), \
		FRAMES("damage-" #w "x" #h, w, h, 1, LIMIT_WAKE_UPS, .damage = DAMAGE),            \
		FRAMES("damage-" #w "x" #h "-pages", w, h, 1, LIMIT_WAKE_UPS, .damage = DAMAGE,    \
			.piece_len = 4096)

/* As Linux has its dumb buffers where the device offers RESOURCE_BLOB. */
#define BLOB(text, wanted_limit, side)                                                             \
	FRAMES(text, 1920, 1080, 1, wanted_limit, .damage = side, .piece_len = 4096,               \
		.is_blob = true, .needs = WORK_NEEDS_BLOB)

#define TRANSFERS(text, len)                                                                       \
	{                                                                                          \
		.name = text, .unit = "us", .limit = LIMIT_WAKE_UPS, .limit_count = 1,             \
		.setup = setup_backing, .run = run_transfers, .teardown = teardown_backing,        \
		.width = 4096, .height = 1024, .piece_len = len                                    \
	}

const struct work work_frames[] = {
	SIZES(1280, 800),
	SIZES(1920, 1080),
	SIZES(3840, 2160),
	BLOB("frames-1920x1080-blob", LIMIT_SHOWN_1920, 0),
	BLOB("damage-1920x1080-blob", LIMIT_WAKE_UPS, DAMAGE),
	FRAMES("frames-two-outputs", 1920, 1080, 2, LIMIT_SHOWN_1920, ),
	{.name = "cursor-in-frames",
		.unit = "us",
		.limit = LIMIT_WAKE_UPS,
		.limit_count = 1,
		.setup = setup_frames,
		.run = run_mouse,
		.teardown = teardown_frames,
		.width = 1920,
		.height = 1080,
		.count = 1},
	TRANSFERS("transfer-1-piece", 0),
	TRANSFERS("transfer-4096-pieces", 4096),
	{0},
};
