/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The processes of the sessions, as their supervisor has them: it starts and reaps them, writes what
 * they print into the log, and ends what they leave behind.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct session_process;

/**
 * struct sessions - All that run
 * @list: struct session_process, owned
 * @foreign_sids: pid_t; session ids of processes that are none of ours
 * @has_strays: processes that sessions left behind have not ended yet
 */
struct sessions {
	GPtrArray *list;
	GArray *foreign_sids;
	bool has_strays;
};

/** sessions_init() - None. For a process without threads, which adopts what sessions leave behind. */
void sessions_init(struct sessions *sessions);

/** sessions_finish() - Forget all of them, as a session itself does. */
void sessions_finish(struct sessions *sessions);

/**
 * sessions_start() - Fork
 * @connection_fd: borrowed; what the session serves
 *
 * Return: in the supervisor the process's number, or a negative errno; in the session 0, and then
 * sessions_isolate() is next.
 */
pid_t sessions_start(struct sessions *sessions, int connection_fd);

/**
 * sessions_isolate() - Of what a session has inherited, leave it what it needs
 *
 * Its descriptors are then: /dev/null as standard input, its log pipe as standard output and error,
 * and the connection. Everything else is closed, whoever made it: the caller must have forgotten its
 * own. The log goes to the supervisor.
 *
 * Return: the connection's descriptor; owned by the caller.
 */
int sessions_isolate(struct sessions *sessions);

/**
 * sessions_reap() - After SIGCHLD: take what has ended, and write down how
 * @ret_status: exit status of the last session that did; 1 for one that died of a signal
 *
 * What a session leaves behind is killed. Return: how many sessions have ended.
 */
unsigned int sessions_reap(struct sessions *sessions, int *ret_status);

/** sessions_signal() - Send all of them a signal. */
void sessions_signal(const struct sessions *sessions, int signal);

/**
 * sessions_list_polls() - What to wait for to read their logs
 * @polls: struct pollfd; appended to
 * @ret_wait_ms: lowered to when something is to be done although nothing came; -1 stands for never
 */
void sessions_list_polls(const struct sessions *sessions, GArray *polls, int *ret_wait_ms);

/** sessions_tend() - After each wait: read the logs, and go on with killing what was left behind. */
void sessions_tend(struct sessions *sessions);
