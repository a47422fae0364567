/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The control socket of a session: outputs are asked for and changed over it, one line at a time.
 * Theory of operation in control.c. Main loop's thread only.
 */
#pragma once

#include "gpu/display.h"

#include <glib.h>

struct control;

/**
 * control_create() - Listen on session-PID.sock in a directory
 * @directory: exists; NULL for no control socket
 * @headless: the display whose outputs are changed; borrowed, outlives the object
 * @output_count: how many of them there are
 * @ret_message: what failed; freed by the caller
 *
 * Return: the object; NULL with a message on failure, without one where @directory is NULL.
 */
struct control *control_create(const char *directory, struct display *headless,
	unsigned int output_count, GMainContext *context, char **ret_message);

/** control_destroy() - Hang up on everybody and remove the socket. NULL is fine. */
void control_destroy(struct control *control);
