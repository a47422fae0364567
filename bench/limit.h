/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The machine's own limits: what the work would take if the daemon cost nothing. Each is measured
 * in the same rounds as the daemons.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** enum limit_id - Rows of the table in limit.c */
enum limit_id {
	LIMIT_NONE,
	LIMIT_WAKE_UPS,
	LIMIT_COPY_1280,
	LIMIT_COPY_1920,
	LIMIT_COPY_3840,
	LIMIT_SOCKET_SMALL_1280,
	LIMIT_SOCKET_SMALL_1920,
	LIMIT_SOCKET_SMALL_3840,
	LIMIT_SOCKET_LARGE_1280,
	LIMIT_SOCKET_LARGE_1920,
	LIMIT_SOCKET_LARGE_3840,
	LIMIT_SHOWN_1280,
	LIMIT_SHOWN_1920,
	LIMIT_SHOWN_3840,
	LIMIT_PROGRAM,
	LIMIT_SUBMIT_SMALL,
	LIMIT_SUBMIT_CLEAR,
	LIMIT_SUBMIT_LARGE,
	LIMIT_DRAW_AND_READ,
	LIMIT_COUNT
};

/**
 * struct limit - One of them
 * @name: for reports
 * @group: limits of one group are measured if one of them is wanted
 * @measure: see limit_measure()
 * @width, @height: of a frame, pixels
 */
struct limit {
	const char *name;
	const char *group;
	int (*measure)(const struct limit *limit, double seconds, double *ret_seconds);
	unsigned int width;
	unsigned int height;
	int option;
};

/** limits - By enum limit_id; LIMIT_NONE has no name */
extern const struct limit limits[LIMIT_COUNT];

/**
 * limit_measure() - Measure one for about @seconds
 * @ret_seconds: what one operation takes
 *
 * No other thread of the process runs. Return: 0; -ENOTSUP where this host cannot; a negative errno.
 */
int limit_measure(enum limit_id id, double seconds, double *ret_seconds);

/**
 * limit_submit_here() - Measure a limit of the renderer's in this process, which ends after it
 *
 * virglrenderer and GL leave threads and state behind: limit_measure() starts the bench again for
 * it. Return: 0 or a negative errno; -ENOTSUP where it was not built.
 */
int limit_submit_here(enum limit_id id, double seconds, double *ret_seconds);
