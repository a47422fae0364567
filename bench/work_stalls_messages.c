/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Stalls by messages whose own work the guest makes long: tables, stops, resets, displays. */
#include "bench/command.h"
#include "bench/stall.h"
#include "bench/stream.h"
#include "util/fd.h"
#include "vhost/protocol.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB(count)     (UINT32_C(count) << 20)
#define RESOURCE_LIMIT 65536
#define ENTRY_LISTS    4
#define REGION_LEN     MIB(4)

/* In a table of 2^16 places GLib takes the rest of 11 times the number by this prime. */
#define PRIME_OF_TABLE UINT32_C(65521)
#define INVERSE_OF_11  UINT32_C(0xba2e8ba3) /* modulo 2^32 */

static int set_table(struct work_run *run)
{
	return vhost_user_set_memory(&run->guest.user, &run->guest.memory);
}

static int tell_table(struct work_run *run)
{
	return stall_time(run, set_table);
}

static int add_region(struct work_run *run)
{
	return vhost_user_add_region(
		&run->guest.user, &run->guest.memory, REGION_LEN, stall_state(run)->fd);
}

static int remove_region(struct work_run *run)
{
	return vhost_user_remove_region(&run->guest.user, &run->guest.memory, REGION_LEN);
}

static int tell_region(struct work_run *run)
{
	struct stall_state *state = stall_state(run);
	int ret;

	if (!(run->guest.protocol & UINT64_C(1) << VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS))
		return work_skip(run, "it takes no single regions");
	state->fd = memfd_create("region", MFD_CLOEXEC);
	if (state->fd < 0 || ftruncate(state->fd, REGION_LEN) < 0)
		return -errno;
	ret = stall_time(run, add_region);
	return ret < 0 ? ret : stall_time(run, remove_region);
}

/* As many entries as all lists may have. */
static int prepare_entries(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	stall_list_pages(run, stall->count, stall->piece_len);
	for (uint32_t id = 1; id <= ENTRY_LISTS; id++)
		stall_create_backed(run, id);
	return 0;
}

/* Attached one by one: each has its own list. */
static int prepare_resources(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	struct stall_state *state = stall_state(run);
	int ret;

	stall_list_pages(run, 1, stall->piece_len);
	ret = stall_create_many(run, stall->count, stall_id_in_turn);
	for (uint32_t i = 0; i < stall->count && ret == 0; i++) {
		command_attach(&run->guest, stall_id_in_turn(i), state->entries_gpa, 1);
		if (i % 128 == 127)
			ret = guest_run(&run->guest);
	}
	return ret;
}

/* All in one place of such a table. */
static uint32_t colliding_id(uint32_t index)
{
	return (1 + index) * PRIME_OF_TABLE * INVERSE_OF_11;
}

static int prepare_colliding(struct work_run *run)
{
	return stall_create_many(run, run->work->stall->count, colliding_id);
}

static int prepare_large(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};
	int ret = stall_prepare_backed(run);

	command_transfer_2d(&run->guest, STALL_ID, &whole, 0);
	return ret;
}

static int prepare_contexts(struct work_run *run)
{
	return stall_create_contexts(run, run->work->stall->count);
}

/* One context, to which everything is attached. */
static int prepare_attached(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	int ret = stall_create_contexts(run, 1);

	if (ret == 0)
		ret = stall_create_many(run, stall->count, stall_id_in_turn);
	for (uint32_t i = 0; i < stall->count && ret == 0; i++) {
		command_attach_resource(&run->guest, STALL_ID, stall_id_in_turn(i));
		if (i % 256 == 255)
			ret = guest_run(&run->guest);
	}
	return ret;
}

static int post_destroy(struct work_run *run)
{
	command_destroy_context(&run->guest, STALL_ID);
	return 0;
}

static int stop_control(struct work_run *run)
{
	return vhost_user_stop_ring(&run->guest.user, 0, &stall_state(run)->bases[0]);
}

static int stop_cursor(struct work_run *run)
{
	return vhost_user_stop_ring(&run->guest.user, 1, &stall_state(run)->bases[1]);
}

static int start_rings(struct work_run *run)
{
	const struct guest *guest = &run->guest;
	const uint32_t *bases = stall_state(run)->bases;
	int ret = vhost_user_start_ring(&run->guest.user, 0, &guest->control.ring, bases[0]);

	return ret < 0 ? ret
		       : vhost_user_start_ring(&run->guest.user, 1, &guest->cursor.ring, bases[1]);
}

static int reset_device(struct work_run *run)
{
	return vhost_user_tell_nothing(&run->guest.user, VHOST_RESET_DEVICE, -1);
}

static int tell_reset(struct work_run *run)
{
	int ret;

	if (!(run->guest.protocol & UINT64_C(1) << VHOST_PROTOCOL_F_RESET_DEVICE))
		return work_skip(run, "it knows no RESET_DEVICE");
	ret = stall_time(run, stop_control);
	if (ret == 0)
		ret = stall_time(run, stop_cursor);
	if (ret == 0)
		ret = stall_time(run, reset_device);
	return ret < 0 ? ret : start_rings(run);
}

/* What was interrupted is answered with an error; the other commands are not. */
static int tell_stop(struct work_run *run)
{
	int ret = stall_time(run, stop_control);

	if (ret == 0)
		ret = stall_time(run, stop_cursor);
	if (ret == 0 && queue_look(&run->guest.control) == -EPROTO)
		queue_forgive(&run->guest.control);
	return ret < 0 ? ret : start_rings(run);
}

static int post_transfers(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};

	for (uint32_t i = 0; i < stall->count; i++)
		command_transfer_2d(&run->guest, STALL_ID, &whole, 0);
	return 0;
}

/* All is gone: its number can be given again. */
static int check_is_reset(struct work_run *run)
{
	command_create_2d(&run->guest, STALL_ID, 1, 1);
	return guest_run(&run->guest);
}

static int prepare_outputs(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};
	int ret = stall_prepare_backed(run);

	if (stall->target == STALL_2D)
		command_transfer_2d(&run->guest, STALL_ID, &whole, 0);
	for (uint32_t i = 0; i < STALL_OUTPUT_COUNT; i++)
		command_set_scanout(&run->guest, i, STALL_ID, stall->width, stall->height);
	return ret;
}

static int tell_display(struct work_run *run)
{
	struct stall_state *state = stall_state(run);
	autofd peer_fd = -1;
	int ret = screen_start(&state->screen, GUEST_WIDTH, GUEST_HEIGHT, 2, &peer_fd);

	return ret < 0 ? ret : vhost_user_set_display(&run->guest.user, peer_fd);
}

static bool is_shown_everywhere(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	struct screen *screen = &stall_state(run)->screen;

	for (uint32_t i = 0; i < STALL_OUTPUT_COUNT; i++)
		if (!screen_is_dmabuf(screen, i) &&
			screen_shown_pixels(screen, i) < (uint64_t)stall->width * stall->height)
			return false;
	return true;
}

#define PICTURE(w, h, piece)                                                                       \
	.format = COMMAND_FORMAT, .width = (w), .height = (h), .pixel_len = 4, .piece_len = (piece)

static const struct stall table_entries = {.prepare = prepare_entries,
	.tell = tell_table,
	.count = 1 << 20,
	PICTURE(16, 16, MEMORY_PAGE)};
static const struct stall table_resources = {.prepare = prepare_resources,
	.tell = tell_table,
	.count = RESOURCE_LIMIT,
	PICTURE(1, 1, MEMORY_PAGE)};
static const struct stall region_entries = {.prepare = prepare_entries,
	.tell = tell_region,
	.count = 1 << 20,
	PICTURE(16, 16, MEMORY_PAGE)};
static const struct stall region_resources = {.prepare = prepare_resources,
	.tell = tell_region,
	.count = RESOURCE_LIMIT,
	PICTURE(1, 1, MEMORY_PAGE)};
static const struct stall stop = {.prepare = stall_prepare_backed,
	.post = post_transfers,
	.tell = tell_stop,
	.count = 256,
	PICTURE(4096, 4096, STALL_PAGES_LEN)};
static const struct stall reset_resources = {.prepare = prepare_resources,
	.tell = tell_reset,
	.check = check_is_reset,
	.count = RESOURCE_LIMIT,
	PICTURE(1, 1, MEMORY_PAGE)};
static const struct stall reset_colliding = {.prepare = prepare_colliding,
	.tell = tell_reset,
	.check = check_is_reset,
	.count = 61000,
	PICTURE(1, 1, MEMORY_PAGE)};
static const struct stall reset_entries = {.prepare = prepare_entries,
	.tell = tell_reset,
	.check = check_is_reset,
	.count = 1 << 20,
	PICTURE(16, 16, MEMORY_PAGE)};
static const struct stall reset_large = {.prepare = prepare_large,
	.tell = tell_reset,
	.check = check_is_reset,
	PICTURE(16384, 16384, STALL_PAGES_LEN)};
static const struct stall reset_contexts = {
	.prepare = prepare_contexts, .tell = tell_reset, .check = check_is_reset, .count = 256};
static const struct stall reset_attached = {.prepare = prepare_attached,
	.tell = tell_reset,
	.check = check_is_reset,
	.count = RESOURCE_LIMIT - 1,
	PICTURE(1, 1, MEMORY_PAGE)};
static const struct stall destroy_attached = {.prepare = prepare_attached,
	.post = post_destroy,
	.count = RESOURCE_LIMIT - 1,
	PICTURE(1, 1, MEMORY_PAGE)};
static const struct stall outputs_2d = {.prepare = prepare_outputs,
	.tell = tell_display,
	.is_done = is_shown_everywhere,
	PICTURE(4096, 2048, STALL_PAGES_LEN)};
static const struct stall outputs_3d = {.prepare = prepare_outputs,
	.tell = tell_display,
	.is_done = is_shown_everywhere,
	.target = STALL_TEXTURE_2D,
	.bind = STREAM_BIND,
	PICTURE(4096, 2048, STALL_PAGES_LEN)};

const struct work work_stalls_messages[] = {
	STALL("table-of-entries", 0, table_entries),
	STALL("table-of-resources", 0, table_resources),
	STALL("region-of-entries", 0, region_entries),
	STALL("region-of-resources", 0, region_resources),
	STALL("stop", 0, stop),
	STALL("reset-of-resources", 0, reset_resources),
	STALL("reset-of-colliding", 0, reset_colliding),
	STALL("reset-of-entries", 0, reset_entries),
	STALL("reset-of-large", 0, reset_large),
	STALL("reset-of-contexts", WORK_NEEDS_VIRGL, reset_contexts),
	STALL("reset-of-attached", WORK_NEEDS_VIRGL, reset_attached),
	STALL("destroy-of-attached", WORK_NEEDS_VIRGL, destroy_attached),
	STALL("display-of-16-2d", 0, outputs_2d),
	STALL("display-of-16-virgl", WORK_NEEDS_VIRGL, outputs_3d),
	{0},
};
