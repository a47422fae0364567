/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a session and the processes that it started take of the host, as /proc says.
 */
#pragma once

#include <stdint.h>

struct usage_meter;

/**
 * struct usage - Of this process and all that it started
 * @memory_len: bytes that are theirs: memory of no file, in RAM or swapped out, and of the others
 *	than this process also what they map of files in memory, which is what Vulkan on the CPU
 *	gives guests. This process maps the guest's memory, which is not counted.
 * @task_count: threads
 */
struct usage {
	uint64_t memory_len;
	uint64_t task_count;
};

/** usage_meter_create() - Opens /proc. Return: NULL where there is none, with errno. */
struct usage_meter *usage_meter_create(void);
void usage_meter_destroy(struct usage_meter *meter);

/**
 * usage_measure() - Look
 *
 * It allocates nothing, and takes no lock; one thread at a time. What cannot be read counts for
 * nothing; where that is for want of permission, a line in the log says so, once.
 */
void usage_measure(struct usage_meter *meter, struct usage *ret_usage);
