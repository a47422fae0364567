/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdint.h>

/** How long the main loop may take from the wish to end to its end, before it is left behind. */
#define WATCHDOG_LIMIT_MS 2000

struct watchdog;

/**
 * struct watchdog_limits - When a session is ended by force
 * @busy_ms: time from a hang-up or a signal to watchdog_stop()
 * @memory_len: bytes of session/usage.h; 0 for any
 * @task_count: likewise
 */
struct watchdog_limits {
	int busy_ms;
	uint64_t memory_len;
	uint64_t task_count;
};

/**
 * watchdog_start() - From now on the process ends when it should
 * @socket_fd: borrowed; the front-end's connection
 * @signal_fd: borrowed; a signalfd of the signals that end the session, which are blocked in the
 *	calling thread
 * @limits: copied
 *
 * Return: the watchdog; NULL when there are no descriptors or no thread for it, which was logged.
 */
struct watchdog *watchdog_start(int socket_fd, int signal_fd, const struct watchdog_limits *limits);

/** watchdog_expect_end() - The session wants to end; the time limit runs from here, at the latest */
void watchdog_expect_end(struct watchdog *watchdog);

/** watchdog_stop() - The session came to its end by itself; NULL is fine. */
void watchdog_stop(struct watchdog *watchdog);
