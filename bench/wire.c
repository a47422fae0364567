/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Whole messages over blocking Unix sockets. */
#include "bench/wire.h"

#include "util/fd.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The one descriptor that a message of ours can bring; more are closed. */
static void take_fd(struct msghdr *message, int *fd)
{
	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item;
		item = CMSG_NXTHDR(message, item)) {
		int received;

		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(&received, CMSG_DATA(item), sizeof(received));
		if (fd && *fd < 0)
			*fd = received;
		else
			fd_clear(&received);
	}
}

int wire_recv(int socket_fd, void *buf, size_t len, int *fd)
{
	uint8_t *at = buf;

	if (fd)
		*fd = -1;
	while (len > 0) {
		union {
			struct cmsghdr align;
			char room[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = {.iov_base = at, .iov_len = len};
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control)};
		ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -EPIPE : -errno;
		take_fd(&message, fd);
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

int wire_send(int socket_fd, const void *buf, size_t len, int fd)
{
	const uint8_t *at = buf;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.align = {.cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int))}};

	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	while (len > 0) {
		struct iovec iov = {.iov_base = (void *)at, .iov_len = len};
		struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t sent;

		if (fd >= 0 && at == buf) {
			message.msg_control = &control;
			message.msg_controllen = CMSG_SPACE(sizeof(int));
		}
		sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		at += sent;
		len -= (size_t)sent;
	}
	return 0;
}

#define ROWS_AT_ONCE 512

/* Receives a number of rows that one call can name. */
static int recv_some_rows(int socket_fd, uint8_t *first, size_t row_len, size_t rows, size_t pitch)
{
	struct iovec iov[ROWS_AT_ONCE], *at = iov;
	ssize_t got;

	for (size_t i = 0; i < rows; i++)
		iov[i] = (struct iovec){.iov_base = first + i * pitch, .iov_len = row_len};
	while (rows > 0) {
		got = readv(socket_fd, at, (int)rows);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -EPIPE : -errno;
		while (rows > 0 && (size_t)got >= at->iov_len) {
			got -= (ssize_t)at->iov_len;
			at++;
			rows--;
		}
		if (rows > 0) {
			at->iov_base = (uint8_t *)at->iov_base + got;
			at->iov_len -= (size_t)got;
		}
	}
	return 0;
}

int wire_recv_rows(int socket_fd, void *first, size_t row_len, size_t rows, size_t pitch)
{
	uint8_t *at = first;
	int ret = 0;

	if (row_len == pitch)
		return wire_recv(socket_fd, first, row_len * rows, NULL);
	while (rows > 0 && ret == 0) {
		const size_t count = MIN(rows, ROWS_AT_ONCE);

		ret = recv_some_rows(socket_fd, at, row_len, count, pitch);
		at += count * pitch;
		rows -= count;
	}
	return ret;
}
