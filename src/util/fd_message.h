/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/**
 * fd_message_send() - Send bytes, and perhaps a descriptor with them, without waiting
 * @socket_fd: a connected Unix stream socket
 * @iov: what to send; not changed
 * @fd: borrowed, goes along with the first byte; -1 for none
 *
 * Return: bytes sent, perhaps fewer than there are; -EAGAIN where the socket is full; another negative
 * errno. No SIGPIPE comes.
 */
ssize_t fd_message_send(int socket_fd, const struct iovec *iov, size_t iov_count, int fd);

/** Most descriptors that fd_message_recv() takes at once. */
#define FD_MESSAGE_MAX_FDS 8

/**
 * fd_message_recv() - Receive bytes and descriptors, without waiting
 * @fds: room for @max_fds, at most FD_MESSAGE_MAX_FDS; what comes belongs to the caller
 *
 * Return: bytes, 0 at the end of the stream; -EAGAIN where nothing is there; -E2BIG where more
 * descriptors came than there is room for, and none is kept; another negative errno.
 */
ssize_t fd_message_recv(
	int socket_fd, void *buf, size_t len, int *fds, size_t max_fds, size_t *ret_fd_count);
