/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Log lines, on top of GLib's structured log.
 *
 * log_error() is for what ends a session or the daemon, log_warning() for what the user can mend,
 * log_info() for the events of a session's life, log_debug() for each message and command.
 *
 * What a guest or a front-end can trigger as often as it likes goes through log_peer(): each call
 * site prints at most LOG_PEER_BURST lines in LOG_PEER_INTERVAL_US, and says how many it left out
 * when it prints again. Any text can be part of a line, see log_escape().
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest line, its escapes and the closing zero included, bytes; what is longer is cut */
#define LOG_LINE_SIZE 2048

#define LOG_PEER_BURST	     10
#define LOG_PEER_INTERVAL_US ((gint64)5 * G_USEC_PER_SEC)

/** struct log_limit - State of one rate-limited call site; static storage, zero at first. */
struct log_limit {
	gint64 window_start_us;
	unsigned int count;
	unsigned int left_out;
};

#define log_error(...)	 g_critical(__VA_ARGS__)
#define log_warning(...) g_warning(__VA_ARGS__)
#define log_info(...)	 g_info(__VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_is_enabled(G_LOG_LEVEL_DEBUG))                                             \
			g_debug(__VA_ARGS__);                                                      \
	} while (0)

#define log_peer(...)                                                                              \
	do {                                                                                       \
		static struct log_limit log_limit_;                                                \
                                                                                                   \
		if (log_limit_pass(&log_limit_))                                                   \
			g_warning(__VA_ARGS__);                                                    \
	} while (0)

/**
 * log_init() - Choose where lines go and which
 * @level: least important level printed (G_LOG_LEVEL_CRITICAL, _WARNING, _INFO or _DEBUG)
 *
 * Lines go to standard error; where that is /dev/null, as under libvirt, to the journal, and
 * without a journal to syslog. Call once, before the first line.
 */
void log_init(GLogLevelFlags level);

/** log_set_prefix() - A word in front of each line of this process, such as "session 4711". */
void log_set_prefix(const char *prefix);

/** log_is_enabled() - Would a line of this level be printed? Cheap enough for a hot path. */
bool log_is_enabled(GLogLevelFlags level);

/**
 * log_escape() - Make text of any origin printable
 * @text: @len bytes
 * @buf: filled with @size bytes at most, the closing zero included; at least 20
 *
 * Control characters, what is not UTF-8, and characters that end a line or turn its direction
 * become \xNN or \u{NNNN}. Too long a text ends with three dots. All lines go through this.
 */
void log_escape(const char *text, size_t len, char *buf, size_t size);

/** log_limit_pass() - Count a line at this call site. Return: true when it may be printed. */
bool log_limit_pass(struct log_limit *limit);
