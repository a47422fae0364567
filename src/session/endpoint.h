/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <sys/types.h>

/**
 * struct endpoint - A Unix socket in the file system that we listen on
 * @fd: owned; non-blocking
 * @path: owned
 * @device, @inode: of the socket file, to remove no other
 */
struct endpoint {
	int fd;
	char *path;
	dev_t device;
	ino_t inode;
};

/**
 * endpoint_open() - Create the socket and listen; front-ends can connect when this returns
 *
 * The file's mode is 0600, less what the umask takes away. Not for processes with threads.
 *
 * @path: where; a stale socket there is replaced, a live one is not
 * @ret_message: on failure one line that says what is wrong, g_free()
 *
 * Return: 0, freed with endpoint_close(); or a negative errno.
 */
int endpoint_open(const char *path, struct endpoint *ret_endpoint, char **ret_message);

/** endpoint_remove() - Stop listening and remove the file, if it is still ours. */
void endpoint_remove(struct endpoint *endpoint);

/** endpoint_close() - Forget it without touching the file, as a child process does. */
void endpoint_close(struct endpoint *endpoint);
