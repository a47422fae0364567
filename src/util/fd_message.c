/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Bytes with descriptors beside them (SCM_RIGHTS) over a Unix socket. */
#include "util/fd_message.h"

#include "util/fd.h"
#include "util/shared_map.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

ssize_t fd_message_send(int socket_fd, const struct iovec *iov, size_t iov_count, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = iov_count};
	ssize_t done;

	if (fd >= 0) {
		struct cmsghdr *cmsg = &control.align;

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	do
		done = sendmsg(socket_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (done < 0 && errno == EINTR);
	if (done < 0 && errno == EFAULT)
		shared_map_report_fault();
	return done < 0 ? -errno : done;
}

/* Moves the descriptors of one read out of its control data. */
static size_t collect_fds(struct msghdr *msg, int *fds, size_t max_fds)
{
	size_t fd_count = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (fd_count < max_fds)
				fds[fd_count++] = fd;
			else
				close(fd);
		}
	}
	return fd_count;
}

ssize_t fd_message_recv(
	int socket_fd, void *buf, size_t len, int *fds, size_t max_fds, size_t *ret_fd_count)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FD_MESSAGE_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	/* CMSG_LEN, not CMSG_SPACE: its padding would let one descriptor too many in. */
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = max_fds > 0 ? CMSG_LEN(sizeof(int) * max_fds) : 0,
	};
	ssize_t done;

	*ret_fd_count = 0;
	do
		done = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	*ret_fd_count = collect_fds(&msg, fds, max_fds);
	if (msg.msg_flags & MSG_CTRUNC) {
		for (size_t i = 0; i < *ret_fd_count; i++)
			fd_clear(&fds[i]);
		*ret_fd_count = 0;
		return -E2BIG;
	}
	return done;
}
