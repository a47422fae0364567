/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Stalls of what all modes have: pictures, lists of guest pages, outputs. */
#include "bench/command.h"
#include "bench/stall.h"

#define MIB(count) (UINT32_C(count) << 20)
#define MOST	   (UINT32_C(1) << 20) /* entries of a list */

static void post_whole(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};

	command_transfer_2d(&run->guest, STALL_ID, &whole, 0);
}

static int post_transfers(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++)
		post_whole(run);
	return 0;
}

/* Made and removed in turns, never with pixels in it. */
static int post_creates(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++) {
		stall_create(run, STALL_ID);
		command_unref(&run->guest, STALL_ID);
	}
	return 0;
}

/* A picture whose memory is all there. */
static int prepare_drawn(struct work_run *run)
{
	int ret = stall_prepare_backed(run);

	post_whole(run);
	return ret;
}

static int post_unref(struct work_run *run)
{
	command_unref(&run->guest, STALL_ID);
	return 0;
}

/* Narrow columns: each line in another piece. */
static int post_columns(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	for (uint32_t i = 0; i < stall->count; i++) {
		const struct virtio_gpu_rect column = {
			.x = i, .width = stall->column, .height = stall->height};

		command_transfer_2d(&run->guest, STALL_ID, &column, i * sizeof(uint32_t));
	}
	return 0;
}

static int prepare_list(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	stall_list_pages(run, MOST, stall->piece_len);
	stall_create(run, STALL_ID);
	return 0;
}

static int prepare_listed(struct work_run *run)
{
	stall_list_pages(run, MOST, run->work->stall->piece_len);
	stall_create_backed(run, STALL_ID);
	return 0;
}

static int post_attaches(struct work_run *run)
{
	const struct stall_state *state = stall_state(run);

	for (uint32_t i = 0; i < run->work->stall->count; i++) {
		command_attach(&run->guest, STALL_ID, state->entries_gpa, state->entry_count);
		command_detach(&run->guest, STALL_ID);
	}
	return 0;
}

static int post_attached_unrefs(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++) {
		stall_create_backed(run, STALL_ID + 1);
		command_unref(&run->guest, STALL_ID + 1);
	}
	return 0;
}

static int post_blobs(struct work_run *run)
{
	const struct stall_state *state = stall_state(run);
	const struct stall *stall = run->work->stall;

	for (uint32_t i = 0; i < stall->count; i++) {
		command_create_guest_blob(&run->guest, STALL_ID + 1,
			(uint64_t)state->entry_count * stall->piece_len, state->entries_gpa,
			state->entry_count);
		command_unref(&run->guest, STALL_ID + 1);
	}
	return 0;
}

static void post_flush(struct work_run *run, uint32_t count)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};

	for (uint32_t i = 0; i < count; i++)
		command_flush(&run->guest, STALL_ID, &whole);
}

static int prepare_shown(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	int ret = prepare_drawn(run);

	command_set_scanout(&run->guest, 0, STALL_ID, stall->width, stall->height);
	return ret;
}

static int post_flushes(struct work_run *run)
{
	post_flush(run, run->work->stall->count);
	return 0;
}

/* The pages of a blob, in the item's format. */
static int prepare_shown_blob(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const uint64_t len = stall_backing_len(stall);
	const struct stall_state *state = stall_state(run);

	stall_list_pages(run, (uint32_t)(len / stall->piece_len), stall->piece_len);
	command_create_guest_blob(
		&run->guest, STALL_ID, len, state->entries_gpa, state->entry_count);
	command_set_scanout_format(
		&run->guest, 0, STALL_ID, stall->width, stall->height, stall->format);
	return 0;
}

/* All outputs show the same. */
static int prepare_shown_blobs(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	int ret = prepare_shown_blob(run);

	for (uint32_t i = 1; i < STALL_OUTPUT_COUNT; i++)
		command_set_scanout_format(
			&run->guest, i, STALL_ID, stall->width, stall->height, stall->format);
	return ret;
}

static bool is_all_shown(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	return screen_is_dmabuf(&run->guest.screen, 0) ||
	       screen_shown_pixels(&run->guest.screen, 0) >=
		       (uint64_t)stall->width * stall->height * stall->count;
}

static int post_moves_of_scanout(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	for (uint32_t i = 0; i < stall->count; i++)
		command_set_scanout(&run->guest, i % STALL_OUTPUT_COUNT, STALL_ID, stall->width - i,
			stall->height - i);
	return 0;
}

static int post_cursors(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++)
		command_update_cursor(&run->guest, i % STALL_OUTPUT_COUNT, STALL_ID);
	return 0;
}

static int post_small(struct work_run *run)
{
	const struct virtio_gpu_rect tiny = {.width = 1, .height = 1};

	for (uint32_t i = 0; i < run->work->stall->count; i++)
		command_flush(&run->guest, STALL_ID, &tiny);
	return 0;
}

#define PICTURE(w, h, piece)                                                                       \
	.format = COMMAND_FORMAT, .width = (w), .height = (h), .pixel_len = 4, .piece_len = (piece)

/* 1 GiB each, unless their names say otherwise. */
static const struct stall transfer = {.prepare = stall_prepare_backed,
	.post = post_transfers,
	.check = stall_check_corner,
	.count = 1,
	PICTURE(16384, 16384, STALL_PAGES_LEN)};
static const struct stall transfer_pages = {.prepare = stall_prepare_backed,
	.post = post_transfers,
	.check = stall_check_corner,
	.count = 1,
	PICTURE(16384, 16384, MEMORY_PAGE)};
static const struct stall transfer_columns = {.prepare = stall_prepare_backed,
	.post = post_columns,
	.column = 1,
	.count = 256,
	PICTURE(16384, 16384, MEMORY_PAGE)};
/* Large enough to be put off until a flush that does not come. */
static const struct stall transfer_wide_columns = {.prepare = stall_prepare_backed,
	.post = post_columns,
	.column = 500,
	.count = 256,
	PICTURE(16384, 16384, MEMORY_PAGE)};
static const struct stall transfers_frames = {.prepare = stall_prepare_backed,
	.post = post_transfers,
	.check = stall_check_corner,
	.count = 256,
	PICTURE(4096, 2048, MEMORY_PAGE)};
static const struct stall transfer_bytes = {
	.prepare = prepare_listed, .post = post_transfers, .count = 128, PICTURE(512, 512, 1)};
static const struct stall transfers = {.prepare = stall_prepare_backed,
	.post = post_transfers,
	.check = stall_check_corner,
	.count = 256,
	PICTURE(4096, 4096, STALL_PAGES_LEN)};
static const struct stall creates = {
	.post = post_creates, .count = 128, PICTURE(16384, 16384, STALL_PAGES_LEN)};
static const struct stall unref = {
	.prepare = prepare_drawn, .post = post_unref, PICTURE(16384, 16384, STALL_PAGES_LEN)};
static const struct stall attach = {
	.prepare = prepare_list, .post = post_attaches, .count = 1, PICTURE(512, 512, MEMORY_PAGE)};
static const struct stall attaches = {.prepare = prepare_list,
	.post = post_attaches,
	.count = 128,
	PICTURE(512, 512, MEMORY_PAGE)};
static const struct stall attaches_bytes = {
	.prepare = prepare_list, .post = post_attaches, .count = 128, PICTURE(512, 512, 1)};
static const struct stall unrefs = {.prepare = prepare_list,
	.post = post_attached_unrefs,
	.count = 128,
	PICTURE(512, 512, MEMORY_PAGE)};
static const struct stall blobs = {
	.prepare = prepare_list, .post = post_blobs, .count = 128, PICTURE(512, 512, MEMORY_PAGE)};
static const struct stall flush = {.prepare = prepare_shown,
	.post = post_flushes,
	.is_done = is_all_shown,
	.count = 1,
	PICTURE(8192, 8192, STALL_PAGES_LEN)};
static const struct stall flushes = {.prepare = prepare_shown,
	.post = post_flushes,
	.is_done = is_all_shown,
	.count = 256,
	PICTURE(2048, 1024, STALL_PAGES_LEN)};
static const struct stall flush_blob = {.prepare = prepare_shown_blob,
	.post = post_flushes,
	.is_done = is_all_shown,
	.count = 1,
	PICTURE(8192, 8192, STALL_PAGES_LEN)};
static const struct stall flush_blob_pages = {.prepare = prepare_shown_blob,
	.post = post_flushes,
	.is_done = is_all_shown,
	.count = 1,
	PICTURE(8192, 8192, MEMORY_PAGE)};
static const struct stall flush_blob_converted = {.prepare = prepare_shown_blob,
	.post = post_flushes,
	.is_done = is_all_shown,
	.count = 1,
	.format = VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM,
	.width = 8192,
	.height = 8192,
	.pixel_len = 4,
	.piece_len = MEMORY_PAGE};
static const struct stall flush_blob_everywhere = {.prepare = prepare_shown_blobs,
	.post = post_flushes,
	.is_done = is_all_shown,
	.count = 1,
	.format = VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM,
	.width = 2048,
	.height = 1024,
	.pixel_len = 4,
	.piece_len = MEMORY_PAGE};
static const struct stall scanouts = {.prepare = prepare_drawn,
	.post = post_moves_of_scanout,
	.count = 512,
	PICTURE(4096, 4096, STALL_PAGES_LEN)};
static const struct stall cursors = {
	.prepare = prepare_drawn, .post = post_cursors, .count = 512, PICTURE(64, 64, MEMORY_PAGE)};
static const struct stall small = {
	.prepare = prepare_drawn, .post = post_small, .count = 512, PICTURE(64, 64, MEMORY_PAGE)};

const struct work work_stalls_2d[] = {
	STALL("2d-transfer", 0, transfer),
	STALL("2d-transfer-pages", 0, transfer_pages),
	STALL("2d-transfers-columns", 0, transfer_columns),
	STALL("2d-transfers-wide-columns", 0, transfer_wide_columns),
	STALL("2d-transfers-bytes", 0, transfer_bytes),
	STALL("2d-transfers-32m", 0, transfers_frames),
	STALL("2d-transfers-64m", 0, transfers),
	STALL("2d-creates", 0, creates),
	STALL("2d-unref", 0, unref),
	STALL("attach", 0, attach),
	STALL("attaches", 0, attaches),
	STALL("attaches-bytes", 0, attaches_bytes),
	STALL("unrefs-attached", 0, unrefs),
	STALL("guest-blobs", WORK_NEEDS_BLOB, blobs),
	STALL("2d-flush", 0, flush),
	STALL("2d-flushes", 0, flushes),
	STALL("blob-flush", WORK_NEEDS_BLOB, flush_blob),
	STALL("blob-flush-pages", WORK_NEEDS_BLOB, flush_blob_pages),
	STALL("blob-flush-converted", WORK_NEEDS_BLOB, flush_blob_converted),
	STALL("blob-flush-of-16", WORK_NEEDS_BLOB, flush_blob_everywhere),
	STALL("scanouts", 0, scanouts),
	STALL("2d-cursors", 0, cursors),
	STALL("small", 0, small),
	{0},
};
