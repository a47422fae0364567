/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The log writer: one line for a message, to standard error, the journal or syslog; or, in a
 * session, to its supervisor, which writes the lines of all its sessions (util/log_pipe.h).
 *
 * Guests and drivers write parts of the text. Whatever they write, a message is one line of
 * printable characters and limited length.
 *
 * This is process-wide because GLib's log is. It is set up once in main(), before any thread of a
 * renderer starts, and only read afterwards; the counters of log_limit_pass() may be raced by
 * renderer threads, which costs at most a line more or less.
 */
#include "util/log.h"

#include "util/fd.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_PATH "/run/systemd/journal/socket"
#define IDENTIFIER   "vhost-device-gpu"

/* Longer than the supervisor leaves a pipe alone that prints too much (log_pipe.c). */
#define ROOM_LIMIT_MS 200

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_JOURNAL, LOG_TARGET_SYSLOG, LOG_TARGET_SUPERVISOR };

static GLogLevelFlags max_level = G_LOG_LEVEL_WARNING;
static enum log_target target = LOG_TARGET_STDERR;
static int journal_fd = -1;
static atomic_uint lost_count; /* lines that the supervisor's pipe had no room for */

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

GLogLevelFlags log_level_of(char digit)
{
	if (digit <= '0' + LOG_ERR)
		return G_LOG_LEVEL_CRITICAL;
	if (digit == '0' + LOG_WARNING)
		return G_LOG_LEVEL_WARNING;
	return digit == '0' + LOG_DEBUG ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_INFO;
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

/* Return: whether a character can be part of a line; what changes the order of others cannot. */
static bool is_plain(gunichar character)
{
	switch (g_unichar_type(character)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_FORMAT:
	case G_UNICODE_UNASSIGNED:
	case G_UNICODE_SURROGATE:
	case G_UNICODE_PRIVATE_USE:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return false;
	default:
		return true;
	}
}

/* Writes the next character of @text. Return: bytes of it that were dealt with. */
static size_t escape_one(const char *text, size_t len, char *ret_piece, size_t size)
{
	gunichar character = g_utf8_get_char_validated(text, (gssize)len);
	size_t char_len;

	if (character == (gunichar)-1 || character == (gunichar)-2 || character == 0) {
		g_snprintf(ret_piece, size, "\\x%02x", (unsigned char)text[0]);
		return 1;
	}
	char_len = (size_t)(g_utf8_next_char(text) - text);
	if (is_plain(character))
		g_snprintf(ret_piece, size, "%.*s", (int)char_len, text);
	else if (character < 0x100)
		g_snprintf(ret_piece, size, "\\x%02x", character);
	else
		g_snprintf(ret_piece, size, "\\u{%x}", character);
	return char_len;
}

void log_escape(const char *text, size_t len, char *buf, size_t size)
{
	static const char cut[] = "...";
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		char piece[16];
		size_t piece_len;

		i += escape_one(text + i, len - i, piece, sizeof(piece));
		piece_len = strlen(piece);
		if (used + piece_len + sizeof(cut) > size) {
			memcpy(buf + used, cut, sizeof(cut));
			return;
		}
		memcpy(buf + used, piece, piece_len);
		used += piece_len;
	}
	buf[used] = '\0';
}

/* The journal's own protocol: a datagram of lines. Return: true when it was taken. */
static bool write_journal(int priority, const char *message)
{
	char text[LOG_LINE_SIZE + 256];
	int len = g_snprintf(text, sizeof(text),
		"PRIORITY=%d\nSYSLOG_IDENTIFIER=" IDENTIFIER "\nMESSAGE=%s\n", priority, message);

	return send(journal_fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

/* One write, so that lines of several threads do not mix. Return: true when it was taken. */
static bool write_to_supervisor(int priority, const char *message)
{
	char text[LOG_LINE_SIZE + 8];
	int len = g_snprintf(text, sizeof(text), "<%d>%s\n", priority, message);

	return write(STDERR_FILENO, text, (size_t)len) == len;
}

/* An error is what ends a session, and so it waits a moment for room. Return: true when taken. */
static bool write_patiently(int priority, const char *message)
{
	struct pollfd item = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (write_to_supervisor(priority, message))
		return true;
	return priority <= LOG_ERR && poll(&item, 1, ROOM_LIMIT_MS) > 0 &&
	       write_to_supervisor(priority, message);
}

/* Other lines never wait: what does not fit is lost, and counted. */
static void report_to_supervisor(int priority, const char *message)
{
	unsigned int lost = atomic_exchange(&lost_count, 0);
	char text[64];

	if (lost > 0) {
		g_snprintf(text, sizeof(text), "%u lines were lost here", lost);
		if (!write_to_supervisor(LOG_WARNING, text))
			atomic_fetch_add(&lost_count, lost);
	}
	if (!write_patiently(priority, message))
		atomic_fetch_add(&lost_count, 1);
}

static void write_message(GLogLevelFlags level, const char *message)
{
	const int priority = level_priority(level);

	switch (target) {
	case LOG_TARGET_SUPERVISOR:
		report_to_supervisor(priority, message);
		return;
	case LOG_TARGET_SYSLOG:
		syslog(priority, "%s: %s", level_word(level), message);
		return;
	case LOG_TARGET_JOURNAL:
		if (write_journal(priority, message))
			return;
		break;
	case LOG_TARGET_STDERR:
		break;
	}
	fprintf(stderr, IDENTIFIER ": %s: %s\n", level_word(level), message);
}

void log_write(GLogLevelFlags level, const char *text, size_t len)
{
	char message[LOG_LINE_SIZE];

	if (!log_is_enabled(level))
		return;
	log_escape(text, len, message, sizeof(message));
	write_message(level, message);
}

static GLogWriterOutput write_fields(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	for (gsize i = 0; i < field_count; i++) {
		const GLogField *field = &fields[i];

		if (strcmp(field->key, "MESSAGE") != 0)
			continue;
		log_write(level, field->value,
			field->length < 0 ? strlen(field->value) : (size_t)field->length);
		break;
	}
	return G_LOG_WRITER_HANDLED;
}

static bool open_journal(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_PATH};

	fd_clear(&journal_fd);
	journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (journal_fd >= 0 &&
		connect(journal_fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	fd_clear(&journal_fd);
	return false;
}

void log_init(GLogLevelFlags level)
{
	max_level = level;
	if (stderr_is_null()) {
		target = open_journal() ? LOG_TARGET_JOURNAL : LOG_TARGET_SYSLOG;
		openlog(IDENTIFIER, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	}
	g_log_set_writer_func(write_fields, NULL, NULL);
}

void log_to_supervisor(void)
{
	fd_clear(&journal_fd);
	closelog();
	/* What libraries print on standard output comes line by line, too. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	target = LOG_TARGET_SUPERVISOR;
}

bool log_is_enabled(GLogLevelFlags level)
{
	return (level & G_LOG_LEVEL_MASK) <= max_level;
}

/* A guest may fail as often as it likes; this clock is read without asking the hardware. */
static gint64 coarse_time_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

bool log_limit_count(
	struct log_limit *limit, unsigned int burst, gint64 interval_us, unsigned int *ret_left_out)
{
	gint64 now_us = coarse_time_us();

	*ret_left_out = 0;
	if (limit->window_start_us == 0 || now_us - limit->window_start_us > interval_us) {
		*ret_left_out = limit->left_out;
		*limit = (struct log_limit){.window_start_us = now_us};
	}
	if (limit->count >= burst) {
		limit->left_out++;
		return false;
	}
	limit->count++;
	return true;
}

bool log_limit_pass(struct log_limit *limit)
{
	unsigned int left_out;

	if (!log_limit_count(limit, LOG_PEER_BURST, LOG_PEER_INTERVAL_US, &left_out))
		return false;
	if (left_out > 0)
		g_warning("%u more lines like the next one were left out", left_out);
	return true;
}
