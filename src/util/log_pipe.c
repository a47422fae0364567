/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Reads a process's output and logs it line by line. Neither side waits for the other: both ends are
 * non-blocking. What is kept is one line of limited length, and how much is read at a time is limited
 * as well.
 *
 * It is a pair of sockets and not a pipe. The kernel locks a pipe while it copies what is written,
 * and a write from memory that does not come (a file of a hostile file system, userfaultfd) then
 * holds up the reader, O_NONBLOCK or not. A socket is not locked while it copies.
 */
#include "util/log_pipe.h"

#include "util/fd.h"
#include "util/source.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK_LEN 4096

/* Chunks read at a time, and more than a full pair of sockets holds. */
#define CHUNKS_PER_TURN 4
#define CHUNKS_OF_PIPE	256

/* From one look to the next at who has printed too much. */
#define HOLD_MS 50

const struct log_pipe_rules log_pipe_helper_rules = {
	.burst = LOG_PEER_BURST,
	.interval_us = LOG_PEER_INTERVAL_US,
};

/* Enough for the report of a sanitizer, and too little to fill a disk: 16 lines a second. */
const struct log_pipe_rules log_pipe_child_rules = {
	.has_levels = true,
	.burst = 2000,
	.interval_us = (gint64)120 * G_USEC_PER_SEC,
	.error_burst = 20,
};

/* Who asks for each command's line gets it: as many as a guest sends commands. */
static const struct log_pipe_rules debug_rules = {
	.has_levels = true,
	.burst = 200000,
	.interval_us = (gint64)10 * G_USEC_PER_SEC,
	.error_burst = 20,
};

/* Takes a level off the beginning of a line. */
static GLogLevelFlags take_level(const char **text, size_t *len)
{
	GLogLevelFlags level;

	if (*len < 3 || (*text)[0] != '<' || (*text)[1] < '0' || (*text)[1] > '7' ||
		(*text)[2] != '>')
		return G_LOG_LEVEL_WARNING;
	level = log_level_of((*text)[1]);
	*text += 3;
	*len -= 3;
	return level;
}

static void write_line(
	const struct log_pipe *pipe, GLogLevelFlags level, const char *text, size_t len)
{
	char line[LOG_LINE_SIZE];
	int line_len = g_snprintf(line, sizeof(line), "%s: %.*s%s", pipe->name, (int)len, text,
		pipe->was_cut ? "..." : "");

	log_write(level, line, (size_t)line_len);
}

static void write_left_out(const struct log_pipe *pipe, unsigned int count)
{
	char line[128];
	int len = g_snprintf(
		line, sizeof(line), "%s: %u more lines were left out", pipe->name, count);

	log_write(G_LOG_LEVEL_WARNING, line, (size_t)len);
}

/* What ended a session is still said when the rest of its lines is left out. */
static bool pass_limit(struct log_pipe *pipe, GLogLevelFlags level)
{
	const struct log_pipe_rules *rules = pipe->rules;
	unsigned int left_out;

	if (log_limit_count(&pipe->limit, rules->burst, rules->interval_us, &left_out)) {
		if (left_out > 0)
			write_left_out(pipe, left_out);
		return true;
	}
	if (level != G_LOG_LEVEL_CRITICAL || pipe->error_count >= rules->error_burst)
		return false;
	pipe->error_count++;
	pipe->limit.left_out--;
	return true;
}

static void print_line(struct log_pipe *pipe)
{
	const char *text = pipe->line;
	size_t len = pipe->line_len;
	GLogLevelFlags level = G_LOG_LEVEL_WARNING;

	while (len > 0 && g_ascii_isspace(text[len - 1]))
		len--;
	if (pipe->rules->has_levels)
		level = take_level(&text, &len);
	if (len > 0 && log_is_enabled(level)) {
		if (pass_limit(pipe, level))
			write_line(pipe, level, text, len);
		else
			pipe->resume_us = g_get_monotonic_time() + (gint64)HOLD_MS * 1000;
	}
	pipe->line_len = 0;
	pipe->was_cut = false;
}

static void take_bytes(struct log_pipe *pipe, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			print_line(pipe);
		else if (pipe->line_len == sizeof(pipe->line))
			pipe->was_cut = true;
		else
			/* A text ends at a zero. */
			pipe->line[pipe->line_len++] = (char)(bytes[i] ? bytes[i] : ' ');
	}
}

/* Return: true where there may be more to come, now or later. */
static bool read_chunks(struct log_pipe *pipe, unsigned int count)
{
	char chunk[CHUNK_LEN];

	for (unsigned int i = 0; i < count; i++) {
		/* Descriptors that are sent along are closed by the kernel. */
		ssize_t len = read(pipe->fd, chunk, sizeof(chunk));

		if (len > 0)
			take_bytes(pipe, chunk, (size_t)len);
		else
			return len < 0 && (errno == EAGAIN || errno == EINTR);
	}
	return true;
}

static gboolean handle_readable(gint fd, GIOCondition condition, gpointer opaque)
{
	struct log_pipe *pipe = opaque;

	if (read_chunks(pipe, CHUNKS_PER_TURN))
		return G_SOURCE_CONTINUE;
	g_clear_pointer(&pipe->source, g_source_unref);
	return G_SOURCE_REMOVE;
}

int log_pipe_open(struct log_pipe *pipe, const char *name, const struct log_pipe_rules *rules)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	/* Nothing comes back: who reads the other end finds its end. */
	shutdown(fds[0], SHUT_WR);
	*pipe = LOG_PIPE_NONE;
	pipe->fd = fds[0];
	pipe->rules = rules == &log_pipe_child_rules && log_is_enabled(G_LOG_LEVEL_DEBUG)
			      ? &debug_rules
			      : rules;
	log_pipe_set_name(pipe, name);
	return fds[1];
}

void log_pipe_set_name(struct log_pipe *pipe, const char *name)
{
	g_strlcpy(pipe->name, name, sizeof(pipe->name));
}

void log_pipe_watch(struct log_pipe *pipe, GMainContext *context)
{
	if (pipe->fd >= 0 && !pipe->source)
		pipe->source = source_add_fd(context, pipe->fd, G_IO_IN, handle_readable, pipe);
}

int log_pipe_poll(const struct log_pipe *pipe, int *ret_wait_ms)
{
	const gint64 left_us = pipe->resume_us == 0 ? 0 : pipe->resume_us - g_get_monotonic_time();
	const int left_ms = (int)CLAMP(left_us / 1000 + 1, 1, HOLD_MS);

	if (pipe->fd < 0 || left_us <= 0)
		return pipe->fd;
	if (*ret_wait_ms < 0 || left_ms < *ret_wait_ms)
		*ret_wait_ms = left_ms;
	return -1;
}

void log_pipe_read(struct log_pipe *pipe)
{
	const bool was_held = pipe->resume_us != 0;

	pipe->resume_us = 0;
	/* Who is looked at less often is read to the end, so that its last words find room. */
	if (!read_chunks(pipe, was_held ? CHUNKS_OF_PIPE : CHUNKS_PER_TURN))
		fd_clear(&pipe->fd);
}

void log_pipe_close(struct log_pipe *pipe)
{
	if (!pipe->rules)
		return;
	if (pipe->fd >= 0)
		read_chunks(pipe, CHUNKS_OF_PIPE);
	print_line(pipe);
	if (pipe->limit.left_out > 0)
		write_left_out(pipe, pipe->limit.left_out);
	source_clear(&pipe->source);
	fd_clear(&pipe->fd);
	pipe->rules = NULL;
}
