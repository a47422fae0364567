/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Sources of a main loop. All are attached with the default priority, idle ones too, so that no
 * kind of event starves another.
 */
#pragma once

#include <glib-unix.h>
#include <glib.h>

/**
 * source_add_fd() - Call a function whenever a descriptor is ready
 * @context: main context to attach to
 * @fd: borrowed; it outlives the source
 * @function: returns G_SOURCE_CONTINUE, or G_SOURCE_REMOVE to be called no more
 *
 * Return: a reference for source_clear(), here and below.
 */
GSource *source_add_fd(GMainContext *context, int fd, GIOCondition condition,
	GUnixFDSourceFunc function, void *opaque);

/** source_add_idle() - Call a function after what is ready now had its turn. */
GSource *source_add_idle(GMainContext *context, GSourceFunc function, void *opaque);

/** source_add_timeout() - Call a function each @interval_ms milliseconds. */
GSource *source_add_timeout(
	GMainContext *context, unsigned int interval_ms, GSourceFunc function, void *opaque);

/** source_clear() - Detach and release it; NULL is fine, and is what stays behind. */
void source_clear(GSource **source);
