/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The log writer: one line for a message, to standard error, the journal or syslog.
 *
 * This is process-wide because GLib's log is. It is set up once in main(), before any thread of a
 * renderer starts, and only read afterwards; the counters of log_limit_pass() may be raced by
 * renderer threads, which costs at most a line more or less.
 */
#include "util/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_JOURNAL, LOG_TARGET_SYSLOG };

static GLogLevelFlags max_level = G_LOG_LEVEL_WARNING;
static enum log_target target = LOG_TARGET_STDERR;
static char prefix[64];

static bool stderr_is_null(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return true;
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static const char *level_word(GLogLevelFlags level)
{
	switch (level & G_LOG_LEVEL_MASK) {
	case G_LOG_LEVEL_ERROR:
	case G_LOG_LEVEL_CRITICAL:
		return "error";
	case G_LOG_LEVEL_WARNING:
		return "warning";
	case G_LOG_LEVEL_DEBUG:
		return "debug";
	default:
		return "info";
	}
}

static int level_priority(GLogLevelFlags level)
{
	switch (level & G_LOG_LEVEL_MASK) {
	case G_LOG_LEVEL_ERROR:
	case G_LOG_LEVEL_CRITICAL:
		return LOG_ERR;
	case G_LOG_LEVEL_WARNING:
		return LOG_WARNING;
	case G_LOG_LEVEL_DEBUG:
		return LOG_DEBUG;
	default:
		return LOG_INFO;
	}
}

static const char *find_message(const GLogField *fields, gsize field_count)
{
	for (gsize i = 0; i < field_count; i++)
		if (strcmp(fields[i].key, "MESSAGE") == 0)
			return fields[i].value;
	return "";
}

static GLogWriterOutput write_line(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	const char *message = find_message(fields, field_count);

	if (!log_is_enabled(level))
		return G_LOG_WRITER_HANDLED;
	if (target == LOG_TARGET_JOURNAL && g_log_writer_journald(level, fields, field_count,
						    user_data) == G_LOG_WRITER_HANDLED)
		return G_LOG_WRITER_HANDLED;
	if (target == LOG_TARGET_SYSLOG)
		syslog(level_priority(level), "%s: %s%s", level_word(level), prefix, message);
	else
		fprintf(stderr, "vhost-device-gpu: %s: %s%s\n", level_word(level), prefix, message);
	return G_LOG_WRITER_HANDLED;
}

void log_init(GLogLevelFlags level)
{
	max_level = level;
	if (stderr_is_null()) {
		target = access("/run/systemd/journal/socket", W_OK) == 0 ? LOG_TARGET_JOURNAL
									  : LOG_TARGET_SYSLOG;
		openlog("vhost-device-gpu", LOG_PID, LOG_DAEMON);
	}
	g_log_set_writer_func(write_line, NULL, NULL);
}

void log_set_prefix(const char *new_prefix)
{
	g_snprintf(prefix, sizeof(prefix), "%s: ", new_prefix);
}

bool log_is_enabled(GLogLevelFlags level)
{
	return (level & G_LOG_LEVEL_MASK) <= max_level;
}

bool log_limit_pass(struct log_limit *limit)
{
	gint64 now_us = g_get_monotonic_time();

	if (limit->window_start_us == 0 || now_us - limit->window_start_us > LOG_PEER_INTERVAL_US) {
		if (limit->left_out > 0)
			g_warning("%u more lines like the next one were left out", limit->left_out);
		*limit = (struct log_limit){.window_start_us = now_us};
	}
	if (limit->count >= LOG_PEER_BURST) {
		limit->left_out++;
		return false;
	}
	limit->count++;
	return true;
}
