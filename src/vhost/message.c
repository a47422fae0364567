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
#include "util/fd_message.h"

#include <errno.h>
#include <string.h>

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

_Static_assert(VHOST_MAX_FDS <= FD_MESSAGE_MAX_FDS, "descriptors of a message");

static ssize_t socket_read(
	void *transport, void *buf, size_t len, int *fds, size_t max_fds, size_t *ret_fd_count)
{
	return fd_message_recv(*(int *)transport, buf, len, fds, max_fds, ret_fd_count);
}

static ssize_t socket_write(void *transport, const void *buf, size_t len, int fd)
{
	const struct iovec iov = {(void *)(uintptr_t)buf, len};

	return fd_message_send(*(int *)transport, &iov, 1, fd);
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
