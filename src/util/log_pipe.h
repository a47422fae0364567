/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What another program prints, as lines of our log: prefixed, escaped, and limited as log_peer()
 * is, since a guest may be what makes it print.
 */
#pragma once

#include "util/log.h"

#include <glib.h>

/** Longest line that is printed; what is behind is left out. */
#define LOG_PIPE_LINE_LEN 400

/**
 * struct log_pipe - The reading end of a program's output
 * @fd: owned, non-blocking; -1 when there is none
 * @source: of the main loop, or NULL
 * @name: static; in front of each line
 * @line, @line_len: the line so far; longer ones are cut
 *
 * All members are private to log_pipe.c.
 */
struct log_pipe {
	int fd;
	GSource *source;
	const char *name;
	char line[LOG_PIPE_LINE_LEN];
	size_t line_len;
	bool was_cut;
	struct log_limit limit;
};

/** LOG_PIPE_NONE - Initial value */
#define LOG_PIPE_NONE ((struct log_pipe){.fd = -1})

/**
 * log_pipe_open() - Make one
 * @name: static; in front of each line
 *
 * The writing end does not block, whoever has it: when the pipe is full, what is printed is lost.
 * It must not block, because we may just then be waiting for that program.
 *
 * Return: the writing end, owned by the caller; or a negative errno.
 */
int log_pipe_open(struct log_pipe *pipe, const char *name);

/** log_pipe_watch() - From now on read by this main loop. */
void log_pipe_watch(struct log_pipe *pipe, GMainContext *context);

/** log_pipe_drain() - Log what is there now, up to what a pipe holds. */
void log_pipe_drain(struct log_pipe *pipe);

/** log_pipe_close() - Log what is there, and be done; none is fine. */
void log_pipe_close(struct log_pipe *pipe);
