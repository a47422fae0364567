/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

/** How long the main loop may take from the wish to end to its end, before it is left behind. */
#define WATCHDOG_LIMIT_MS 2000

struct watchdog;

/**
 * watchdog_start() - From now on the process ends when it should
 * @socket_fd: borrowed; the front-end's connection
 * @signal_fd: borrowed; a signalfd of the signals that end the session, which are blocked in the
 *	calling thread
 * @limit_ms: time from a hang-up or a signal to watchdog_stop()
 *
 * Return: the watchdog; NULL when there are no descriptors or no thread for it, which was logged.
 */
struct watchdog *watchdog_start(int socket_fd, int signal_fd, int limit_ms);

/** watchdog_expect_end() - The session wants to end; the time limit runs from here, at the latest */
void watchdog_expect_end(struct watchdog *watchdog);

/** watchdog_stop() - The session came to its end by itself; NULL is fine. */
void watchdog_stop(struct watchdog *watchdog);
