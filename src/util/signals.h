/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>

/**
 * signals_open() - Receive signals as file events
 * @signals: signal numbers; they are blocked in the calling thread, and so in threads it starts
 *	later
 * @count: number of @signals
 *
 * Without a thread of its own, unlike g_unix_signal_add(), so that the process may still fork.
 *
 * Return: a signalfd, non-blocking, owned by the caller; or a negative errno.
 */
int signals_open(const int *signals, size_t count);
