/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Sources of a main loop: made, attached, and let go of.
 */
#include "util/source.h"

static GSource *source_attach(
	GMainContext *context, GSource *source, GSourceFunc function, void *opaque)
{
	g_source_set_priority(source, G_PRIORITY_DEFAULT);
	g_source_set_callback(source, function, opaque, NULL);
	/*
	 * GLib takes other sources' descriptors out of the loop while they run, and wakes the loop when it
	 * puts them back: three system calls for each event. No callback of ours runs the loop.
	 */
	g_source_set_can_recurse(source, TRUE);
	g_source_attach(source, context);
	return source;
}

GSource *source_add_fd(GMainContext *context, int fd, GIOCondition condition,
	GUnixFDSourceFunc function, void *opaque)
{
	return source_attach(
		context, g_unix_fd_source_new(fd, condition), G_SOURCE_FUNC(function), opaque);
}

GSource *source_add_idle(GMainContext *context, GSourceFunc function, void *opaque)
{
	return source_attach(context, g_idle_source_new(), function, opaque);
}

GSource *source_add_timeout(
	GMainContext *context, unsigned int interval_ms, GSourceFunc function, void *opaque)
{
	return source_attach(context, g_timeout_source_new(interval_ms), function, opaque);
}

void source_clear(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}
