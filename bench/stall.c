/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The measuring of stalls, and what their items have in common. */
#include "bench/stall.h"

#include "bench/clock.h"
#include "bench/command.h"
#include "util/fd.h"
#include "vhost/protocol.h"

#include <errno.h>

#define CORNER	    64
#define BATCH	    256
#define LONGEST_RUN 120 /* seconds */

int stall_time(struct work_run *run, int (*ask)(struct work_run *run))
{
	struct stall_state *state = stall_state(run);
	const double cpu = daemon_session_cpu_seconds(state->cpu_fd);
	const double start = clock_now();
	int ret = ask(run);

	state->longest = MAX(state->longest, clock_now() - start);
	state->longest_cpu =
		MAX(state->longest_cpu, daemon_session_cpu_seconds(state->cpu_fd) - cpu);
	return ret;
}

static int ask_features(struct work_run *run)
{
	uint64_t features;
	int ret = vhost_user_ask(&run->guest.user, VHOST_GET_FEATURES, &features);

	return guest_describe(&run->guest, "waiting for the features", ret);
}

static int tell_messages(struct work_run *run)
{
	int ret = run->work->stall->tell ? run->work->stall->tell(run) : 0;

	return ret == -ENOTSUP ? ret : guest_describe(&run->guest, "a message", ret);
}

static int look_at_answers(struct work_run *run)
{
	struct guest *guest = &run->guest;
	int ret = queue_look(&guest->control);

	if (ret == 0)
		ret = queue_look(&guest->cursor);
	if (ret == -EPROTO && run->work->stall->may_be_refused) {
		work_note(run, "%s", guest->control.wrong);
		queue_forgive(&guest->control);
		return 0;
	}
	if (ret == -EPROTO && guest->control.wrong && !guest->problem)
		guest->problem = g_strdup(guest->control.wrong);
	return ret;
}

static bool is_busy(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	return run->guest.control.pending_count > 0 || run->guest.cursor.pending_count > 0 ||
	       (stall->is_done && !stall->is_done(run));
}

/* Shows the device what was posted, and asks until all of it is answered. */
static int watch_stall(struct work_run *run)
{
	const double end = clock_now() + LONGEST_RUN;
	int ret;

	queue_publish(&run->guest.control);
	queue_publish(&run->guest.cursor);
	ret = tell_messages(run);
	while (ret == 0 && is_busy(run)) {
		ret = stall_time(run, ask_features);
		if (ret == 0)
			ret = look_at_answers(run);
		if (ret == 0 && clock_now() > end)
			ret = guest_describe(&run->guest, "waiting for the work", -ETIMEDOUT);
	}
	/* Once more: something may be left to do after the answer. */
	return ret == 0 ? stall_time(run, ask_features) : ret;
}

int stall_run(struct work_run *run, double *ret_value)
{
	const struct stall *stall = run->work->stall;
	struct stall_state *state = stall_state(run);
	const double start = clock_now();
	int ret;

	state->cpu_fd = daemon_open_session_cpu(&run->daemon);
	ret = work_setup_error(run, watch_stall(run));
	*ret_value = 1000 * state->longest;
	run->operation_count = 1;
	if (ret == 0)
		work_note(run, "the work took %.0f ms, %.1f ms of a wait were the session's own",
			1000 * (clock_now() - start), 1000 * state->longest_cpu);
	if (ret == 0 && stall->check)
		ret = stall->check(run);
	return ret;
}

int stall_setup(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	struct stall_state *state = run->state = g_new0(struct stall_state, 1);
	int ret = 0;

	state->fd = state->cpu_fd = -1;
	state->pages_gpa = memory_alloc(&run->guest.memory, STALL_PAGES_LEN, MEMORY_PAGE);
	state->pages = memory_at(&run->guest.memory, state->pages_gpa);
	for (uint32_t i = 0; i < STALL_PAGES_LEN / sizeof(*state->pages); i++)
		state->pages[i] = i;
	if (stall->prepare)
		ret = stall->prepare(run);
	if (ret == 0)
		ret = guest_run(&run->guest);
	if (ret == 0 && stall->post)
		ret = stall->post(run);
	return work_setup_error(run, ret);
}

void stall_teardown(struct work_run *run)
{
	struct stall_state *state = stall_state(run);

	if (!state)
		return;
	/* The daemon may be sending to it: it ends first. */
	vhost_user_close(&run->guest.user);
	screen_stop(&state->screen);
	fd_clear(&state->fd);
	fd_clear(&state->cpu_fd);
}

void stall_list_pages(struct work_run *run, uint32_t count, uint32_t piece_len)
{
	struct stall_state *state = stall_state(run);
	struct memory *memory = &run->guest.memory;
	struct virtio_gpu_mem_entry *entries;

	state->entries_gpa = memory_alloc(memory, sizeof(*entries) * (uint64_t)count, MEMORY_PAGE);
	state->entry_count = count;
	entries = memory_at(memory, state->entries_gpa);
	for (uint32_t i = 0; i < count; i++)
		entries[i] = (struct virtio_gpu_mem_entry){
			.addr = state->pages_gpa, .length = piece_len};
}

uint64_t stall_backing_len(const struct stall *stall)
{
	const uint64_t images = (uint64_t)MAX(stall->depth, 1) * MAX(stall->layers, 1);
	const uint64_t line_len = (uint64_t)stall->width * stall->pixel_len;

	return MAX(stall->stride, line_len) * MAX(stall->height, 1) * images;
}

uint32_t stall_value_at(const struct stall *stall, uint64_t offset)
{
	return (uint32_t)(offset % stall->piece_len / sizeof(uint32_t));
}

void stall_create(struct work_run *run, uint32_t id)
{
	const struct stall *stall = run->work->stall;
	const struct command_texture texture = {
		.target = stall->target - 1,
		.format = stall->format,
		.bind = stall->bind,
		.width = stall->width,
		.height = MAX(stall->height, 1),
		.depth = MAX(stall->depth, 1),
		.layers = MAX(stall->layers, 1),
		.last_level = stall->last_level,
	};

	if (stall->target == STALL_2D)
		command_create_2d(&run->guest, id, stall->width, stall->height);
	else
		command_create_texture(&run->guest, id, &texture);
}

void stall_create_backed(struct work_run *run, uint32_t id)
{
	const struct stall_state *state = stall_state(run);

	stall_create(run, id);
	command_attach(&run->guest, id, state->entries_gpa, state->entry_count);
}

int stall_prepare_backed(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const uint64_t len = stall_backing_len(stall);

	stall_list_pages(
		run, (uint32_t)((len + stall->piece_len - 1) / stall->piece_len), stall->piece_len);
	stall_create_backed(run, STALL_ID);
	return 0;
}

/* The pixels that the pages have there. */
static int compare_corner(struct work_run *run, uint32_t left, uint32_t top)
{
	const struct stall *stall = run->work->stall;
	uint32_t row[CORNER];
	int ret = 0;

	if (screen_is_dmabuf(&run->guest.screen, 0))
		return 0;
	for (uint32_t y = 0; y < CORNER && ret == 0; y++) {
		const uint64_t first = (uint64_t)(top + y) * stall->width + left;

		for (uint32_t x = 0; x < CORNER; x++)
			row[x] = stall_value_at(stall, (first + x) * sizeof(uint32_t));
		ret = screen_compare_row(&run->guest.screen, 0, 0, y, CORNER, row);
	}
	return ret;
}

int stall_check_corner(struct work_run *run)
{
	const struct virtio_gpu_rect corner = {
		.x = run->work->stall->width - CORNER,
		.y = run->work->stall->height - CORNER,
		.width = CORNER,
		.height = CORNER,
	};
	int ret;

	command_set_scanout_rect(&run->guest, 0, STALL_ID, &corner);
	command_flush(&run->guest, STALL_ID, &corner);
	ret = guest_run(&run->guest);
	if (ret == 0)
		ret = screen_wait(&run->guest.screen, 0, CORNER * CORNER);
	return ret < 0 ? guest_describe(&run->guest, "waiting for the pixels", ret)
		       : compare_corner(run, corner.x, corner.y);
}

uint32_t stall_id_in_turn(uint32_t index)
{
	return 1 + index;
}

int stall_create_many(struct work_run *run, uint32_t count, uint32_t (*id_of)(uint32_t index))
{
	struct stall_state *state = stall_state(run);
	int ret = 0;

	while (state->resource_count < count && ret == 0) {
		for (uint32_t i = 0; i < BATCH && state->resource_count < count; i++)
			command_create_2d(&run->guest, id_of(state->resource_count++), 1, 1);
		ret = guest_run(&run->guest);
	}
	return ret;
}

int stall_create_contexts(struct work_run *run, uint32_t count)
{
	struct stall_state *state = stall_state(run);
	int ret = 0;

	while (state->context_count < count && ret == 0) {
		command_create_context(&run->guest, STALL_ID + state->context_count, 0);
		ret = guest_try(&run->guest);
		if (ret == 0)
			state->context_count++;
	}
	return ret == -EPROTO && state->context_count > 0 ? 0 : ret;
}
