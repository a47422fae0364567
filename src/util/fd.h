/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <unistd.h>

/**
 * fd_clear() - Close a file descriptor and forget it
 * @fd: an owned descriptor or -1; -1 afterwards
 *
 * errno is kept.
 */
void fd_clear(int *fd);

/**
 * fd_take() - Move ownership out of a variable
 * @fd: an owned descriptor or -1; -1 afterwards
 *
 * Return: what *@fd was.
 */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/** fd_set_nonblocking() - Set O_NONBLOCK. Return: 0 or a negative errno. */
int fd_set_nonblocking(int fd);

/** autofd - A local descriptor that is closed when its scope ends, unless it was taken. */
#define autofd __attribute__((cleanup(fd_clear))) int
