/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "bench/daemon.h"
#include "bench/work.h"

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MAX_DAEMONS 8

/**
 * struct bench_options - What is to be done
 * @limit_to_measure: measure this limit here and print it, as limit_submit_here() has it; or -1
 * @works: the items that were chosen; owned array of borrowed pointers
 */
struct bench_options {
	struct daemon_command daemons[OPTIONS_MAX_DAEMONS];
	size_t daemon_count;
	const struct work **works;
	size_t work_count;
	int round_count;
	double seconds;
	bool use_event_idx;
	bool must_list;
	int limit_to_measure;
	char *json_path;
	char *svg_path;
};

/** options_parse() - Read the command line. Return: 0, or -EINVAL and @ret_reason, g_free(). */
int options_parse(struct bench_options *options, int argc, char **argv, char **ret_reason);
void options_finish(struct bench_options *options);
