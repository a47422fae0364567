/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

/**
 * probe_choose() - Find out, in child processes, which renderer starts on this host
 * @wanted: the only one to try; NULL: the first row of renderer_types that was built and starts
 * @options: for its create(); context is unset. Its tried_capset_mask is filled in on success.
 * @interrupt_fd: gives up when this is readable; not read; -1 for none
 * @ret_type: the renderer that starts
 * @ret_message: one line, g_free(): on success why better ones were not taken, or NULL where
 *	there is nothing to say; on failure what was tried and what failed. Unset with -EINTR.
 *
 * A driver may crash or hang while it starts; each try has a process and a time limit of its own.
 * Blocks until then. The calling process may have no threads; a
 * SIGCHLD that it has blocked stays pending.
 *
 * Return: 0; -ENODEV: none starts; -EINTR: @interrupt_fd became readable; another negative errno.
 */
int probe_choose(const struct renderer_type *wanted, struct renderer_options *options,
	int interrupt_fd, const struct renderer_type **ret_type, char **ret_message);
