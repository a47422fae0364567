/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"

#include <glib.h>

/**
 * display_headless_create() - A display that shows nothing
 * @width: of the one scanout that it reports as enabled, pixels
 * @height: pixels
 * @context: main context for its sources
 *
 * Return: the display, ready at once; freed with its destroy hook.
 */
struct display *display_headless_create(uint32_t width, uint32_t height, GMainContext *context);

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
