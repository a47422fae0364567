/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Attempts that a sandbox refuses. Each returns 0 where it worked, or the errno, and is made in a
 * process of its own: what works may leave anything behind in it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/** struct attempt_world - What is there before the sandbox */
struct attempt_world {
	char *folder;	     /* nobody's needs name it */
	char *secret;	     /* a file in it */
	char *program;	     /* an executable in it */
	char *socket_path;   /* a listening socket in it */
	char *abstract_name; /* of another one */
	int file_fd;	     /* @secret, for reading and writing */
	pid_t parent;	     /* of the processes that try */
	int stream_fd;	     /* an attempt's own sockets */
	int datagram_fd;
	int tcp_fd;
};

extern struct attempt_world attempt_world;

/** enum attempt_part - The two parts of a sandbox that refuse */
enum attempt_part { ATTEMPT_FILES = 1, ATTEMPT_FILTER = 2 };

/**
 * struct attempt - Something that is refused
 * @parts: by which parts, each alone
 * @version: of Landlock, from which that does
 * @works_outside: it is tried without a sandbox first; where it fails then already, it says nothing
 * @is_sanitizers: it is not refused in a build with sanitizers
 */
struct attempt {
	const char *name;
	int (*run)(void);
	int parts;
	int version;
	bool works_outside;
	bool is_sanitizers;
};

/** attempts - All of them, ended by a NULL name */
extern const struct attempt attempts[];

/** attempts_make_world() - Once, in the parent. */
void attempts_make_world(void);

/** attempts_remove_world() - In the parent. */
void attempts_remove_world(void);

/** attempts_make_sockets() - Sockets that nobody has used yet, before each attempt. */
void attempts_make_sockets(void);

/* Those that are made with other needs as well */
int attempt_read_secret(void);
int attempt_write_secret(void);
int attempt_list_folder(void);
int attempt_create_in_folder(void);
int attempt_exec_true(void);
int attempt_socket_inet(void);
int attempt_socket_unix(void);
int attempt_socket_netlink(void);
int attempt_make_code(void);

/** attempt_result() - What a system call's result is as an attempt's. */
int attempt_result(long result);

/** attempt_open() - Open a file, and close it. */
int attempt_open(const char *path, int flags);
