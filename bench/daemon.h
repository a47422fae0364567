/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* A daemon under test: how to start it, and one that runs. */
#pragma once

#include "util/child.h"

#include <stdint.h>

/**
 * struct daemon_command - A command line of the user's
 * @name: what the reports call it; owned
 * @words: its words, ended by NULL, with {socket} still in them; owned
 * @text: as it was given; owned
 */
struct daemon_command {
	char *name;
	char **words;
	char *text;
};

/**
 * struct daemon - One that runs; zero for none
 * @started, @listening: when, just before the fork, and when it could be connected to; seconds
 * @log_path: where all goes that it writes
 */
struct daemon {
	struct child child;
	double started;
	double listening;
	char *socket_path;
	char *log_path;
};

/**
 * daemon_start() - Start one, and wait until its socket can be connected to
 * @folder: for its socket and its log
 * @ret_reason: on failure why; g_free()
 *
 * Return: 0 or a negative errno.
 */
int daemon_start(struct daemon *daemon, const struct daemon_command *command, const char *folder,
	char **ret_reason);

/** daemon_stop() - Let it end, or kill it. Nothing but this child is touched. */
void daemon_stop(struct daemon *daemon);

/** daemon_last_words() - The last line that it wrote; g_free() */
char *daemon_last_words(const struct daemon *daemon);

/**
 * daemon_resident() - Memory of the daemon and the processes that it started, bytes
 *
 * Resident, without pages that are shared by a descriptor: those are the guest's.
 */
uint64_t daemon_resident(const struct daemon *daemon);

/**
 * daemon_cpu_seconds() - Time on processors that these have used so far
 *
 * Of threads that run still; 0 where the kernel does not count it (CONFIG_SCHED_INFO).
 */
double daemon_cpu_seconds(const struct daemon *daemon);

/**
 * daemon_open_session_cpu() - To read the processor time of the main thread that serves a guest
 *
 * Of the process that the daemon started for its only front-end, or of the daemon where it started
 * none. Return: a descriptor for daemon_session_cpu_seconds(), owned by the caller, or -1.
 */
int daemon_open_session_cpu(const struct daemon *daemon);

/** daemon_session_cpu_seconds() - What it has used so far; 0 where the kernel does not count it */
double daemon_session_cpu_seconds(int fd);

/** daemon_process_count() - How many processes these are */
unsigned int daemon_process_count(const struct daemon *daemon);
