/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * wire_recv() - Receive all of @len bytes from a blocking socket
 * @fd: filled with a descriptor that comes along, owned by the caller, or -1; NULL for none wanted
 *
 * Return: 0; -EPIPE at the end of the stream; another negative errno.
 */
int wire_recv(int socket_fd, void *buf, size_t len, int *fd);

/** wire_send() - Send all of @len bytes, and @fd with the first one unless it is -1. */
int wire_send(int socket_fd, const void *buf, size_t len, int fd);

/**
 * wire_recv_rows() - Receive @rows rows of @row_len bytes to places @pitch bytes apart
 */
int wire_recv_rows(int socket_fd, void *first, size_t row_len, size_t rows, size_t pitch);
