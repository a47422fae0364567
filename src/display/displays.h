/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"

#include <glib.h>

/**
 * display_headless_create() - A display that shows nothing
 * @outputs: what it says the outputs are; copied
 * @events: calls upward, of which only outputs_changed() comes; borrowed
 * @opaque: passed to the events
 * @context: main context for its sources
 *
 * Return: the display, ready at once; freed with its destroy hook.
 */
struct display *display_headless_create(const struct display_outputs *outputs,
	const struct display_events *events, void *opaque, GMainContext *context);

/**
 * display_headless_set_output() - Connect or disconnect a screen, or change its size
 * @display: of display_headless_create()
 *
 * Calls outputs_changed(). Return: 0, or -EINVAL for an output that cannot be.
 */
int display_headless_set_output(
	struct display *display, uint32_t scanout_id, const struct display_output *output);

/** display_headless_get_outputs() - What they are now. */
void display_headless_get_outputs(const struct display *display, struct display_outputs *outputs);

/**
 * display_frontend_create() - The vhost-user-gpu display socket of a front-end
 * @fd: a connected Unix stream socket (VHOST_USER_GPU_SET_SOCKET); taken
 * @events: calls upward; borrowed
 * @opaque: passed to the events
 * @context: main context for its sources
 *
 * The protocol is QEMU's docs/interop/vhost-user-gpu.rst. Negotiation starts at once; the
 * display is ready when the front-end has answered. A hang-up calls closed(); until destroyed it
 * then accepts and drops everything, and pending requests are done with -ECONNRESET.
 */
struct display *display_frontend_create(
	int fd, const struct display_events *events, void *opaque, GMainContext *context);
