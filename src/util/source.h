/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Sources of a main loop. All are attached with the default priority, idle ones too, so that no
 * kind of event starves another.
 */
#pragma once

#include <glib-unix.h>
#include <glib.h>
#include <stdint.h>

/**
 * source_epoll_begin() - Let epoll watch the descriptors of a context, instead of poll()
 * @context: the one that this thread runs, before it has sources of descriptors
 *
 * poll() looks at each descriptor and enters it into its wait queue again each time. A thread has one
 * such context at a time, because GLib passes no argument to a function that it waits by. Who makes a
 * source of one's own ready says source_ask_all().
 *
 * Return: 0 or a negative errno.
 */
int source_epoll_begin(GMainContext *context);

/** source_epoll_end() - The context is not run any more, and its sources are cleared. */
void source_epoll_end(void);

/**
 * source_round() - Which round of its main loop is this thread in?
 *
 * A number that changes whenever everything that was ready had its turn. Without source_epoll_begin()
 * it changes with each call.
 */
uint64_t source_round(void);

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

/**
 * source_set_condition() - Wait for something else from now on
 * @source: of source_add_fd()
 * @condition: 0: for nothing, not even a hang-up, until the next call
 */
void source_set_condition(GSource *source, GIOCondition condition);

/**
 * source_add_eventfd() - Call a function after each write to an eventfd
 * @context: that of source_epoll_begin()
 *
 * Nobody reads the count: each write is an event of its own, and several may become one call. The call
 * comes before the main loop's other sources have their turn. What was counted before is one write.
 */
GSource *source_add_eventfd(
	GMainContext *context, int fd, GUnixFDSourceFunc function, void *opaque);

/**
 * source_add_event() - Call a function after each source_signal() of the source
 *
 * Several signals may become one call.
 */
GSource *source_add_event(GMainContext *context, GSourceFunc function, void *opaque);

/** source_signal() - Set off a source of source_add_event(), from any thread */
void source_signal(GSource *source);

/** source_add_idle() - Call a function after what is ready now had its turn. */
GSource *source_add_idle(GMainContext *context, GSourceFunc function, void *opaque);

/** source_add_timeout() - Call a function each @interval_ms milliseconds. */
GSource *source_add_timeout(
	GMainContext *context, unsigned int interval_ms, GSourceFunc function, void *opaque);

/** source_ask_all() - One of this thread's own sources became ready by what its prepare() looks at. */
void source_ask_all(void);

/** source_clear() - Detach and release it; NULL is fine, and is what stays behind. */
void source_clear(GSource **source);
