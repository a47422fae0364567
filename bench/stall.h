/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * How long the front-end waits for an answer while the guest keeps the device busy. An item posts
 * work whose cost the guest chooses, and asks for the features (VHOST_GET_FEATURES) again and again
 * until the work is answered. Its value is the longest wait for one of these answers.
 */
#pragma once

#include "bench/work.h"

#include <linux/virtio_gpu.h>

/** STALL_PAGES_LEN - Bytes of the guest that every backing is made of, named as often as it takes */
#define STALL_PAGES_LEN (UINT32_C(64) << 20)

/** STALL_QUEUE_SIZE - Descriptors of a queue that holds as many commands as one kick may bring */
#define STALL_QUEUE_SIZE 1024

/**
 * struct stall - What one item does; the hooks may be NULL and return 0 or a negative errno
 * @prepare: before anything is measured; what it posts is run
 * @post: posts commands that the device does not see yet
 * @tell: sends messages when the device has just seen them, see stall_time()
 * @is_done: is the work done that no answer tells of?
 * @check: was it done?
 * @may_be_refused: an error is an answer too, which is noted
 * @format, @target, @bind, @width, @height, @depth, @layers, @last_level: of RESOURCE_CREATE_3D;
 *	@target is 0 for a 2D resource, see STALL_BUFFER
 * @pixel_len: bytes of a pixel in the backing
 * @stride: between two lines of the backing, bytes; 0: none is left out
 * @piece_len: bytes of an entry of the backing
 * @column: pixels of a line that are transferred
 * @count: whatever the item counts
 */
struct stall {
	int (*prepare)(struct work_run *run);
	int (*post)(struct work_run *run);
	int (*tell)(struct work_run *run);
	bool (*is_done)(struct work_run *run);
	int (*check)(struct work_run *run);
	bool may_be_refused;
	uint32_t format;
	uint32_t target;
	uint32_t bind;
	uint32_t width;
	uint32_t height;
	uint32_t depth;
	uint32_t layers;
	uint32_t last_level;
	uint32_t pixel_len;
	uint32_t stride;
	uint32_t piece_len;
	uint32_t column;
	uint32_t count;
};

/** Targets of struct stall: Gallium's numbers plus one */
enum stall_target {
	STALL_2D,
	STALL_BUFFER,
	STALL_TEXTURE_2D = 3,
	STALL_TEXTURE_3D = 4,
	STALL_TEXTURE_2D_ARRAY = 8,
};

/** STALL_OUTPUT_COUNT - Outputs of a device */
#define STALL_OUTPUT_COUNT 16

/** STALL_ID - Of the first resource, and of the context */
#define STALL_ID 1

/**
 * struct stall_state - Of an item that runs
 * @pages_gpa, @pages: STALL_PAGES_LEN bytes; the pixel of number n has the value n
 * @entries_gpa, @entry_count: the list of a backing
 * @stream_gpa, @stream: of SUBMIT_3D
 * @resource_count, @context_count: that were made
 * @screen: a second display
 * @fd: of more memory, or -1
 * @bases: where stopped queues go on
 * @cpu_fd: of daemon_open_session_cpu()
 * @longest, @longest_cpu: wait so far, and how much of a wait the session was on a processor; seconds
 */
struct stall_state {
	uint64_t pages_gpa;
	uint32_t *pages;
	uint64_t entries_gpa;
	uint32_t entry_count;
	uint64_t stream_gpa;
	uint32_t *stream;
	uint32_t resource_count;
	uint32_t context_count;
	struct screen screen;
	int fd;
	uint32_t bases[2];
	int cpu_fd;
	double longest;
	double longest_cpu;
};

int stall_setup(struct work_run *run);
int stall_run(struct work_run *run, double *ret_value);
void stall_teardown(struct work_run *run);

/** stall_time() - Call @ask, which sends a message, and count how long its answer takes. */
int stall_time(struct work_run *run, int (*ask)(struct work_run *run));

static inline struct stall_state *stall_state(const struct work_run *run)
{
	return run->state;
}

/** stall_list_pages() - A list of @count entries of @piece_len bytes, all of the same place */
void stall_list_pages(struct work_run *run, uint32_t count, uint32_t piece_len);

/** stall_create() - Post the commands that make resource @id as the item describes it. */
void stall_create(struct work_run *run, uint32_t id);

/** stall_create_backed() - The same, with the list of pages as its backing */
void stall_create_backed(struct work_run *run, uint32_t id);

/** stall_prepare_backed() - Make one such resource, with a list of pages that it needs. */
int stall_prepare_backed(struct work_run *run);

/** stall_backing_len() - Of the item's resource, bytes */
uint64_t stall_backing_len(const struct stall *stall);

/** stall_value_at() - What the pages hold at an offset of the backing */
uint32_t stall_value_at(const struct stall *stall, uint64_t offset);

/** stall_check_corner() - Show the last 64x64 pixels of resource STALL_ID, and look at them. */
int stall_check_corner(struct work_run *run);

/** stall_create_many() - Make resources of one pixel; @id_of: the identifier of each */
int stall_create_many(struct work_run *run, uint32_t count, uint32_t (*id_of)(uint32_t index));

/** stall_id_in_turn() - 1, 2, 3 ... */
uint32_t stall_id_in_turn(uint32_t index);

/** stall_create_contexts() - As many as the daemon gives, @count at most */
int stall_create_contexts(struct work_run *run, uint32_t count);

#define STALL(text, needs_mask, details)                                                           \
	{                                                                                          \
		.name = "stall-" text, .unit = "ms", .needs = (needs_mask), .setup = stall_setup,  \
		.run = stall_run, .teardown = stall_teardown, .queue_size = STALL_QUEUE_SIZE,      \
		.is_on_request = true, .stall = &(details)                                         \
	}
