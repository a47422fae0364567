/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What one guest may use at most: the one list of limits. The command line, its help, the manual
 * page and the lines of the log that name an option are made from the table here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** enum gpu_limit - The limits that an option sets; what each is stands in gpu_limit_rows */
enum gpu_limit {
	GPU_LIMIT_RESOURCES,
	GPU_LIMIT_CONTEXTS,
	GPU_LIMIT_HOSTMEM,
	GPU_LIMIT_BACKING_ENTRIES,
	GPU_LIMIT_TOTAL_BACKING_ENTRIES,
	GPU_LIMIT_SUBMIT_LEN,
	GPU_LIMIT_CAPSET_LEN,
	GPU_LIMIT_MEMORY,
	GPU_LIMIT_TASKS,
	GPU_LIMIT_COUNT,
};

/**
 * struct gpu_limit_row - One limit
 * @option: the option's name, without dashes
 * @is_size: in bytes, which may be given with a suffix; otherwise a number
 * @initial: default; likewise @min and @max, what the option takes; 0 is taken too where
 *	@can_be_off, and stands for no limit
 * @help: a few words, for --help
 * @man: whole sentences in man(7) markup
 */
struct gpu_limit_row {
	const char *option;
	bool is_size;
	bool can_be_off;
	uint64_t initial;
	uint64_t min;
	uint64_t max;
	const char *help;
	const char *man;
};

extern const struct gpu_limit_row gpu_limit_rows[GPU_LIMIT_COUNT];

/** struct gpu_limits - The limits of one guest, by enum gpu_limit */
struct gpu_limits {
	uint64_t max[GPU_LIMIT_COUNT];
};

/** gpu_limits_init() - All at their defaults. */
void gpu_limits_init(struct gpu_limits *limits);

/**
 * GPU_LIMIT_ERROR_BASE - gpu_limit_error() is this and above; no errno is
 *
 * gpu_limit_error() is the error of what goes beyond a limit, in place of a negative errno. The
 * guest sees VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY; gpu_command_fail() names the option in the log.
 */
#define GPU_LIMIT_ERROR_BASE 0x10000

static inline int gpu_limit_error(enum gpu_limit limit)
{
	return -(GPU_LIMIT_ERROR_BASE + (int)limit);
}

/** gpu_limit_of_error() - The row of a limit that an error is about, or NULL for an errno. */
const struct gpu_limit_row *gpu_limit_of_error(int error);
