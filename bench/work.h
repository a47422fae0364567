/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Items of work: what is measured, one row of the reports each. An item has a fresh daemon and a
 * fresh guest each time it runs.
 */
#pragma once

#include "bench/daemon.h"
#include "bench/guest.h"
#include "bench/limit.h"

#include <stdbool.h>
#include <stdint.h>

/** enum work_stage - How far daemon and guest are when an item begins */
enum work_stage {
	WORK_QUEUES,	/* the guest's driver has started */
	WORK_HANDSHAKE, /* negotiated, not started */
	WORK_DAEMON,	/* nobody is connected */
	WORK_NOTHING,	/* the item starts daemons itself */
};

/** enum work_needs - What a daemon has to offer */
enum work_needs {
	WORK_NEEDS_VIRGL = 1,
	WORK_NEEDS_SHMEM = 2,
	WORK_NEEDS_CAPSETS = 4,
	WORK_NEEDS_BLOB = 8,
};

struct stall;
struct work_run;

/**
 * struct work - An item
 * @name: for reports and --only
 * @unit: of its value
 * @more_is_better: else less is
 * @limit: what the machine can do at best, for @limit_count of the item's operations together
 * @setup, @run, @teardown: each returns 0 or a negative errno, see work_fail() and work_skip();
 *	@setup may be NULL, and so may @teardown, which is called whenever @setup was
 * @width, @height: of a picture, pixels
 * @damage: side of the damage that moves over it; 0: all of it
 * @piece_len: of its backing, bytes; 0: one piece
 * @is_blob: it is a blob of the guest's pages
 * @count: whatever the item counts
 * @queue_size: descriptors of both queues; 0: as QEMU has them
 * @is_on_request: it runs only when --only names it
 * @stall: what stalls, see stall.h; NULL for the other items
 */
struct work {
	const char *name;
	const char *unit;
	bool more_is_better;
	enum work_stage stage;
	unsigned int needs;
	enum limit_id limit;
	unsigned int limit_count;
	int (*setup)(struct work_run *run);
	int (*run)(struct work_run *run, double *ret_value);
	void (*teardown)(struct work_run *run);
	uint32_t width;
	uint32_t height;
	uint32_t damage;
	uint32_t piece_len;
	bool is_blob;
	uint32_t count;
	uint16_t queue_size;
	bool is_on_request;
	const struct stall *stall;
};

/**
 * struct work_run - An item that runs against a daemon
 * @folder: for its socket
 * @seconds: how long to measure
 * @seed: other pictures for each run
 * @use_event_idx: of the rings
 * @operation_count: how often the item did what it measures; 0 where that has no meaning
 * @cpu_us: time on processors that the daemon used for each of them; 0 where it is not known
 * @state: of the item
 * @reason: why it failed or was left out; owned
 * @note: what is to be known about the value, or NULL; owned
 */
struct work_run {
	const struct work *work;
	const struct daemon_command *command;
	const char *folder;
	double seconds;
	uint32_t seed;
	bool use_event_idx;
	struct daemon daemon;
	struct guest guest;
	uint64_t operation_count;
	double cpu_us;
	void *state;
	char *reason;
	char *note;
};

/** work_lists - Arrays of items, each ended by one without a name; the last list is NULL */
extern const struct work *const work_lists[];

extern const struct work work_commands[];
extern const struct work work_frames[];
extern const struct work work_virgl[];
extern const struct work work_blobs[];
extern const struct work work_life[];
extern const struct work work_stalls_2d[];
extern const struct work work_stalls_3d[];
extern const struct work work_stalls_messages[];

/** work_skip() - The daemon cannot do this. Return: -ENOTSUP. */
int work_skip(struct work_run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** work_note() - Say what is to be known about the value; the first one stays. */
void work_note(struct work_run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** work_fail() - It went wrong: @ret, and the reason unless there is one. Return: @ret. */
int work_fail(struct work_run *run, int ret, const char *format, ...) G_GNUC_PRINTF(3, 4);

/**
 * work_execute() - Start a daemon and a guest, measure once, and stop both
 * @run: @work to @use_event_idx are filled in; @reason and @note are afterwards
 *
 * Return: 0; -ENOTSUP where the daemon cannot do it; another negative errno where it went wrong.
 */
int work_execute(struct work_run *run, double *ret_value);

/** work_setup_error() - What a command's refusal means before anything is measured */
int work_setup_error(struct work_run *run, int ret);

/**
 * work_median_us() - Call something again and again for the time there is
 *
 * Return: 0, and the median of the time that it took, µs; or what @operation returned.
 */
int work_median_us(struct work_run *run, int (*operation)(struct work_run *run), double *ret_value);

/** work_rate() - The same; @count things a call. @ret_value: of those in a second */
int work_rate(struct work_run *run, int (*operation)(struct work_run *run), unsigned int count,
	double *ret_value);
