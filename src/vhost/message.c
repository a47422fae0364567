/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Framing: bytes and SCM_RIGHTS descriptors of a stream become messages (vhost-user specification,
 * sections "Message Specification" and "Ancillary data").
 *
 * A message may arrive in any number of pieces, and its descriptors with any of them; Linux never
 * merges the bytes of two sends that both carry descriptors, and a read here never goes beyond
 * the end of a message, so that they cannot land in the wrong one. Nothing here knows what a
 * message means.
 */
#include "vhost/message.h"

#include "util/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void vhost_message_get(const struct vhost_message *message, void *buf, size_t len)
{
	size_t have_len = message->header.size < len ? message->header.size : len;

	memset(buf, 0, len);
	memcpy(buf, message->payload, have_len);
}

int vhost_message_take_fd(struct vhost_message *message, size_t index)
{
	return index < message->fd_count ? fd_take(&message->fds[index]) : -1;
}

void vhost_message_clear(struct vhost_message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		fd_clear(&message->fds[i]);
	message->fd_count = 0;
	memset(&message->header, 0, sizeof(message->header));
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

static ssize_t socket_read(
	void *transport, void *buf, size_t len, int *fds, size_t max_fds, size_t *ret_fd_count)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * VHOST_MAX_FDS)];
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
		done = recvmsg(*(int *)transport, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	*ret_fd_count = collect_fds(&msg, fds, max_fds);
	if (msg.msg_flags & MSG_CTRUNC) {
		for (size_t i = 0; i < *ret_fd_count; i++)
			fd_clear(&fds[i]);
		*ret_fd_count = 0;
		return -EPROTO;
	}
	return done;
}

static ssize_t socket_write(void *transport, const void *buf, size_t len, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
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
		done = sendmsg(*(int *)transport, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

const struct vhost_transport_ops vhost_socket_transport = {
	.read = socket_read,
	.write = socket_write,
};

void vhost_reader_init(struct vhost_reader *reader)
{
	reader->message.fd_count = 0;
	reader->received_len = 0;
	memset(&reader->message.header, 0, sizeof(reader->message.header));
}

void vhost_reader_finish(struct vhost_reader *reader)
{
	vhost_reader_next(reader);
}

void vhost_reader_next(struct vhost_reader *reader)
{
	vhost_message_clear(&reader->message);
	reader->received_len = 0;
}

static int check_header(const struct vhost_header *header, bool replies)
{
	bool is_reply = header->flags & VHOST_FLAG_REPLY;

	if ((header->flags & VHOST_FLAG_VERSION) != VHOST_VERSION || is_reply != replies)
		return -EPROTO;
	return header->size <= VHOST_MAX_PAYLOAD_LEN ? 0 : -EPROTO;
}

/* Reads into the header or the payload, up to @end_len. Return: as vhost_reader_read(). */
static int read_up_to(struct vhost_reader *reader, const struct vhost_transport_ops *ops,
	void *transport, size_t end_len)
{
	struct vhost_message *message = &reader->message;

	while (reader->received_len < end_len) {
		size_t received_len = reader->received_len;
		uint8_t *at = received_len < sizeof(message->header)
				      ? (uint8_t *)&message->header + received_len
				      : message->payload + received_len - sizeof(message->header);
		size_t fd_count = 0;
		ssize_t done = ops->read(transport, at, end_len - received_len,
			message->fds + message->fd_count, VHOST_MAX_FDS - message->fd_count,
			&fd_count);

		if (done == -EAGAIN)
			return 0;
		if (done == 0 || done == -ECONNRESET)
			return received_len == 0 ? -EPIPE : -ECONNRESET;
		if (done < 0)
			return (int)done;
		message->fd_count += fd_count;
		reader->received_len += (size_t)done;
	}
	return 1;
}

int vhost_reader_read(struct vhost_reader *reader, const struct vhost_transport_ops *ops,
	void *transport, bool replies)
{
	const struct vhost_header *header = &reader->message.header;
	int ret = read_up_to(reader, ops, transport, sizeof(*header));

	if (ret != 1)
		return ret;
	ret = check_header(header, replies);
	if (ret < 0)
		return ret;
	return read_up_to(reader, ops, transport, sizeof(*header) + header->size);
}
