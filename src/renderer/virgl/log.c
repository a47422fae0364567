/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * virglrenderer's own lines. Most speak of what a guest did, and a guest can cause as many as it
 * likes: errors go through the rate limit, all others are for debugging. The callbacks run on
 * whichever thread has something to say.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/log.h"

#include <stdio.h>
#include <string.h>

static void print_line(bool is_error, char *line)
{
	g_strchomp(line);
	if (line[0] == '\0')
		return;
	if (is_error)
		log_peer("virglrenderer: %s", line);
	else
		log_debug("virglrenderer: %s", line);
}

#ifdef HAVE_VIRGL_SET_LOG_CALLBACK
static void handle_log(enum virgl_log_level_flags level, const char *message, void *opaque)
{
	g_autofree char *line = g_strdup(message);

	print_line(level >= VIRGL_LOG_LEVEL_ERROR, line);
}
#else
/* 0.10.4 has no levels: a context's errors are worth a warning, the rest is chatter. */
__attribute__((format(printf, 1, 0))) static void handle_log(const char *format, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, args);
	print_line(strstr(line, "context error") != NULL, line);
}
#endif

void renderer_virgl_log_init(void)
{
#ifdef HAVE_VIRGL_SET_LOG_CALLBACK
	virgl_set_log_callback(handle_log, NULL, NULL);
#else
	virgl_set_debug_callback(handle_log);
#endif
	/* EGL warns about every device that it tries on the way to the one that works. */
	if (!log_is_enabled(G_LOG_LEVEL_DEBUG))
		g_setenv("EGL_LOG_LEVEL", "fatal", FALSE);
}
