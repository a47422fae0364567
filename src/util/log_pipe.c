/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Reads a program's output from a pipe and logs it line by line. Neither side waits for the other:
 * both ends are non-blocking. What is kept is one line of limited length, and how much is read in
 * one turn of the main loop is limited as well.
 */
#include "util/log_pipe.h"

#include "util/fd.h"
#include "util/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CHUNK_LEN 4096

/* Chunks read in one turn of the main loop, and in all that a full pipe holds. */
#define CHUNKS_PER_TURN 4
#define CHUNKS_OF_PIPE	16

static void print_line(struct log_pipe *pipe)
{
	while (pipe->line_len > 0 && g_ascii_isspace(pipe->line[pipe->line_len - 1]))
		pipe->line_len--;
	if (pipe->line_len > 0 && log_limit_pass(&pipe->limit))
		g_warning("%s: %.*s%s", pipe->name, (int)pipe->line_len, pipe->line,
			pipe->was_cut ? "..." : "");
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
			/* The log's text ends at a zero. */
			pipe->line[pipe->line_len++] = (char)(bytes[i] ? bytes[i] : ' ');
	}
}

/* Return: true where there may be more to come, now or later. */
static bool read_chunks(struct log_pipe *pipe, unsigned int count)
{
	char chunk[CHUNK_LEN];

	for (unsigned int i = 0; i < count; i++) {
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

int log_pipe_open(struct log_pipe *pipe, const char *name)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*pipe = LOG_PIPE_NONE;
	pipe->fd = fds[0];
	pipe->name = name;
	return fds[1];
}

void log_pipe_watch(struct log_pipe *pipe, GMainContext *context)
{
	if (pipe->fd >= 0 && !pipe->source)
		pipe->source = source_add_fd(context, pipe->fd, G_IO_IN, handle_readable, pipe);
}

void log_pipe_drain(struct log_pipe *pipe)
{
	if (pipe->fd >= 0)
		read_chunks(pipe, CHUNKS_OF_PIPE);
}

void log_pipe_close(struct log_pipe *pipe)
{
	log_pipe_drain(pipe);
	print_line(pipe);
	source_clear(&pipe->source);
	fd_clear(&pipe->fd);
}
