/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Log lines, on top of GLib's structured log.
 *
 * log_error() is for what ends a session or the daemon, log_warning() for what the user can mend,
 * log_info() for the events of a session's life, log_debug() for each message and command.
 *
 * Nearly every line is one that a guest, a front-end or another peer can cause again and again. So every
 * call site prints at most LOG_PEER_BURST lines in LOG_PEER_INTERVAL_US, and says how many it left out
 * when it prints again; there is no way to print without a limit. Only log_debug() has none: who asks
 * for it wants each message. Any text can be part of a line, see log_escape().
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

/* @print: a function of GLib's; the others of its format and arguments */
#define LOG_AT_SITE(print, level, ...)                                                             \
	do {                                                                                       \
		static struct log_limit log_limit_;                                                \
                                                                                                   \
		if (log_is_enabled(level) && log_limit_pass(&log_limit_))                          \
			print(__VA_ARGS__);                                                        \
	} while (0)

#define log_error(...)	 LOG_AT_SITE(g_critical, G_LOG_LEVEL_CRITICAL, __VA_ARGS__)
#define log_warning(...) LOG_AT_SITE(g_warning, G_LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 LOG_AT_SITE(g_info, G_LOG_LEVEL_INFO, __VA_ARGS__)
/** log_peer() - A warning of what a peer did wrong: whoever reads it need not look for a fault here */
#define log_peer(...) log_warning(__VA_ARGS__)
/** log_with_limit() - A warning with a limit of its own: @limit, in place of the call site's */
#define log_with_limit(limit, ...)                                                                 \
	do {                                                                                       \
		if (log_limit_pass(limit))                                                         \
			g_warning(__VA_ARGS__);                                                    \
	} while (0)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_is_enabled(G_LOG_LEVEL_DEBUG))                                             \
			g_debug(__VA_ARGS__);                                                      \
	} while (0)

/**
 * log_init() - Choose where lines go and which
 * @level: least important level printed (G_LOG_LEVEL_CRITICAL, _WARNING, _INFO or _DEBUG)
 *
 * Lines go to standard error; where that is /dev/null, as under libvirt, to the journal, and
 * without a journal to syslog. Call once, before the first line.
 */
void log_init(GLogLevelFlags level);

/**
 * log_to_supervisor() - From now on lines go to the process that reads our standard error
 *
 * For a child process whose standard output and error are the writing end of a log pipe that reads
 * levels (util/log_pipe.h). Each line has its level in front, as sd-daemon(3) describes it: "<3>text".
 * Connections to the journal or syslog are closed. A line that finds no room is lost, an error after
 * a fraction of a second; the next one that does is preceded by how many were.
 */
void log_to_supervisor(void);

/** log_level_of() - The level that a digit of sd-daemon(3), '0' to '7', stands for. */
GLogLevelFlags log_level_of(char digit);

/** log_write() - Print a line of any text, @len bytes, if its level is printed. */
void log_write(GLogLevelFlags level, const char *text, size_t len);

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

/**
 * log_limit_count() - Count a line
 * @burst: lines that may be printed in @interval_us
 * @ret_left_out: lines that were left out before this one, to be told now; 0 for none
 *
 * Return: true when it may be printed.
 */
bool log_limit_count(struct log_limit *limit, unsigned int burst, gint64 interval_us,
	unsigned int *ret_left_out);

/** log_limit_pass() - Count a line at this call site. Return: true when it may be printed. */
bool log_limit_pass(struct log_limit *limit);
