/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What another process prints, as lines of our log: named, escaped and limited. A session's lines,
 * a probe's and a render server's go this way.
 *
 * Nobody who writes can forge a line of somebody else, since the reader puts the name in front; or
 * stop the reader, or fill the disk.
 */
#pragma once

#include "util/log.h"

#include <glib.h>

/** Longest line that is printed; what is behind is left out. The name in front comes on top. */
#define LOG_PIPE_LINE_LEN (LOG_LINE_SIZE - 100)

/**
 * struct log_pipe_rules - What a process may print; static
 * @has_levels: a line may begin with its level (log_to_supervisor()); others are warnings
 * @burst: lines in @interval_us that are printed; those whose level is not printed do not count
 * @error_burst: lines of the level error that are printed beyond that, from first to last
 */
struct log_pipe_rules {
	bool has_levels;
	unsigned int burst;
	gint64 interval_us;
	unsigned int error_burst;
};

/** log_pipe_helper_rules - Of programs that guests can make print: as log_peer() */
extern const struct log_pipe_rules log_pipe_helper_rules;

/** log_pipe_child_rules - Of our own code in another process, and the libraries that it loads */
extern const struct log_pipe_rules log_pipe_child_rules;

/**
 * struct log_pipe - The reading end of a process's output
 * @fd: owned, non-blocking; -1 when there is none, or the other side has closed it
 * @source: of the main loop, or NULL
 * @name: in front of each line
 * @line, @line_len: the line so far; longer ones are cut
 * @error_count: of those beyond the limit
 * @resume_us: not read before that time; 0: at any
 *
 * All members are private to log_pipe.c.
 */
struct log_pipe {
	int fd;
	GSource *source;
	const struct log_pipe_rules *rules;
	char name[32];
	char line[LOG_PIPE_LINE_LEN];
	size_t line_len;
	bool was_cut;
	struct log_limit limit;
	unsigned int error_count;
	gint64 resume_us;
};

/** LOG_PIPE_NONE - Initial value */
#define LOG_PIPE_NONE ((struct log_pipe){.fd = -1})

/**
 * log_pipe_open() - Make one
 * @name: copied
 * @rules: static
 *
 * The writing end does not block, whoever has it: when it is full, what is printed is lost. It must
 * not block, because we may just then be waiting for that process.
 *
 * Return: the writing end, owned by the caller; or a negative errno.
 */
int log_pipe_open(struct log_pipe *pipe, const char *name, const struct log_pipe_rules *rules);

/** log_pipe_set_name() - Where the process is known later than its pipe. */
void log_pipe_set_name(struct log_pipe *pipe, const char *name);

/** log_pipe_watch() - From now on read by this main loop. */
void log_pipe_watch(struct log_pipe *pipe, GMainContext *context);

/**
 * log_pipe_poll() - What to wait for, without a main loop
 * @ret_wait_ms: lowered to when to ask again; -1 stands for never
 *
 * A process that prints too much is read at intervals, so that it does not keep us busy.
 *
 * Return: a descriptor to wait for with POLLIN, or -1.
 */
int log_pipe_poll(const struct log_pipe *pipe, int *ret_wait_ms);

/** log_pipe_read() - Log a part of what is there now; never waits. */
void log_pipe_read(struct log_pipe *pipe);

/** log_pipe_close() - Log what is there, and be done; none is fine. */
void log_pipe_close(struct log_pipe *pipe);
