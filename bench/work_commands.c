/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Commands without pixels: round trips, full queues, making and removing, and many of each. */
#include "bench/clock.h"
#include "bench/command.h"
#include "bench/work.h"

#define BATCH	       64
#define RESOURCE_BATCH 16
#define SMALL_SIDE     64
#define TINY_SIDE      16

static const struct virtio_gpu_rect tiny = {.width = TINY_SIDE, .height = TINY_SIDE};

/* Resources 1 to @count, @BATCH at a time. */
static int create_resources(struct work_run *run, uint32_t count)
{
	int ret = 0;

	for (uint32_t id = 1; id <= count && ret == 0; id++) {
		command_create_2d(&run->guest, id, TINY_SIDE, TINY_SIDE);
		if (id % BATCH == 0 || id == count)
			ret = guest_run(&run->guest);
	}
	return ret;
}

static int setup_resources(struct work_run *run)
{
	return create_resources(run, run->work->count);
}

/* The driver looks at the used ring all the time. */
static int setup_busy_polling(struct work_run *run)
{
	run->guest.control.is_polling = true;
	return setup_resources(run);
}

static int flush_one(struct work_run *run)
{
	command_flush(&run->guest, 1, &tiny);
	return guest_run(&run->guest);
}

static int run_round_trip(struct work_run *run, double *ret_value)
{
	return work_median_us(run, flush_one, ret_value);
}

/* One resource after the other in an order that no cache likes: 7919 is a prime. */
static int flush_many(struct work_run *run)
{
	for (int i = 0; i < BATCH; i++) {
		run->seed = (run->seed + 7919) % run->work->count;
		command_flush(&run->guest, 1 + run->seed, &tiny);
	}
	return guest_run(&run->guest);
}

static int run_flushes(struct work_run *run, double *ret_value)
{
	return work_rate(run, flush_many, BATCH, ret_value);
}

static int ask_many(struct work_run *run)
{
	for (int i = 0; i < BATCH; i++)
		command_capset_info(&run->guest, 0);
	return guest_run(&run->guest);
}

static int run_capset_infos(struct work_run *run, double *ret_value)
{
	return work_rate(run, ask_many, BATCH, ret_value);
}

/* One entry, which all share. */
static int setup_entry(struct work_run *run)
{
	struct memory *memory = &run->guest.memory;
	const uint32_t len = SMALL_SIDE * SMALL_SIDE * 4;
	uint64_t *entries_gpa = g_new(uint64_t, 1);
	struct virtio_gpu_mem_entry *entry;

	*entries_gpa = memory_alloc(memory, sizeof(*entry), 16);
	entry = memory_at(memory, *entries_gpa);
	entry->addr = memory_alloc(memory, len, MEMORY_PAGE);
	entry->length = len;
	run->state = entries_gpa;
	return 0;
}

static int make_and_remove(struct work_run *run)
{
	const uint64_t *entries_gpa = run->state;

	for (uint32_t id = 1; id <= RESOURCE_BATCH; id++) {
		command_create_2d(&run->guest, id, SMALL_SIDE, SMALL_SIDE);
		command_attach(&run->guest, id, *entries_gpa, 1);
		command_unref(&run->guest, id);
	}
	return guest_run(&run->guest);
}

static int run_resources(struct work_run *run, double *ret_value)
{
	return work_rate(run, make_and_remove, RESOURCE_BATCH, ret_value);
}

/* Once, however long it takes. */
static int run_create_many(struct work_run *run, double *ret_value)
{
	const double start = clock_now();
	int ret = create_resources(run, run->work->count);

	*ret_value = run->work->count / (clock_now() - start);
	return ret;
}

const struct work work_commands[] = {
	{.name = "round-trip",
		.unit = "us",
		.limit = LIMIT_WAKE_UPS,
		.limit_count = 1,
		.setup = setup_resources,
		.run = run_round_trip,
		.count = 1},
	{.name = "round-trip-busy-polling",
		.unit = "us",
		.limit = LIMIT_WAKE_UPS,
		.limit_count = 1,
		.setup = setup_busy_polling,
		.run = run_round_trip,
		.count = 1},
	{.name = "queue-flush",
		.unit = "commands/s",
		.more_is_better = true,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = BATCH,
		.setup = setup_resources,
		.run = run_flushes,
		.count = 1},
	{.name = "queue-capset-info",
		.unit = "commands/s",
		.more_is_better = true,
		.needs = WORK_NEEDS_CAPSETS,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = BATCH,
		.run = run_capset_infos},
	{.name = "resources",
		.unit = "resources/s",
		.more_is_better = true,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = RESOURCE_BATCH,
		.setup = setup_entry,
		.run = run_resources},
	{.name = "create-10000",
		.unit = "resources/s",
		.more_is_better = true,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = BATCH,
		.run = run_create_many,
		.count = 10000},
	{.name = "queue-flush-of-10000",
		.unit = "commands/s",
		.more_is_better = true,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = BATCH,
		.setup = setup_resources,
		.run = run_flushes,
		.count = 10000},
	{0},
};
