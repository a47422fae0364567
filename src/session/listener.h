/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "session/session.h"

/**
 * struct listener_config - What to listen on, and what for
 * @socket_path: or NULL
 * @connection_fd: in place of a socket, the only connection there is: a connected stream socket, taken;
 *	or -1. Then only a renderer that has to be chosen is tried before.
 * @session: for each session; its type is the only renderer to use, or NULL: the best that starts
 * @max_sessions: front-ends at a time; more are hung up on
 * @once: end after the first front-end
 */
struct listener_config {
	const char *socket_path;
	int connection_fd;
	struct session_config session;
	unsigned int max_sessions;
	bool once;
};

/**
 * listener_run() - Listen on a Unix socket, and serve each front-end in a child process
 *
 * Front-ends can connect before the renderer is known to start; they are accepted after that.
 * SIGTERM and SIGINT end it, its sessions with it, and remove the socket. To be called by a
 * process without threads. In a child process this returns when the session is over.
 *
 * Return: exit status: of the session, in that process, for @connection_fd, and where @once ends it.
 */
int listener_run(const struct listener_config *config);
