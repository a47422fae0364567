/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "vhost/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Largest payload taken from a peer, bytes: more than any message of the specification has. */
#define VHOST_MAX_PAYLOAD_LEN 4096

/**
 * struct vhost_message - A message from a peer
 * @header: as it came; size is at most VHOST_MAX_PAYLOAD_LEN
 * @payload: header.size bytes; not aligned, read it with vhost_message_get()
 * @fds: descriptors that came along, owned by the message; -1 where one was taken
 * @fd_count: number of elements of @fds
 */
struct vhost_message {
	struct vhost_header header;
	uint8_t payload[VHOST_MAX_PAYLOAD_LEN];
	int fds[VHOST_MAX_FDS];
	size_t fd_count;
};

/**
 * vhost_message_get() - Copy the start of the payload into a struct
 * @buf: filled; zero where the payload ends first
 * @len: size of @buf, bytes
 */
void vhost_message_get(const struct vhost_message *message, void *buf, size_t len);

/** vhost_message_take_fd() - Take a descriptor out. Return: it, or -1 where there is none. */
int vhost_message_take_fd(struct vhost_message *message, size_t index);

/** vhost_message_clear() - Close the descriptors that nobody took, and forget the message. */
void vhost_message_clear(struct vhost_message *message);

/**
 * struct vhost_transport_ops - Where bytes and descriptors come from and go to
 *
 * In production a non-blocking Unix stream socket; a fuzzer or a test can put itself here. Both
 * hooks return bytes moved (less than @len is fine), -EAGAIN, or another negative errno.
 */
struct vhost_transport_ops {
	/**
	 * Read up to @len bytes. Descriptors that arrive with them are put into @fds, owned by the
	 * caller; *@ret_fd_count is always set. More of them than @max_fds: -E2BIG, and none is
	 * left open. Return 0 at the end of the stream.
	 */
	ssize_t (*read)(void *transport, void *buf, size_t len, int *fds, size_t max_fds,
		size_t *ret_fd_count);

	/** Write up to @len bytes; @fd, if not -1, is borrowed and goes with the first of them. */
	ssize_t (*write)(void *transport, const void *buf, size_t len, int fd);
};

/** A Unix stream socket; the transport is a pointer to its descriptor. */
extern const struct vhost_transport_ops vhost_socket_transport;

/**
 * struct vhost_reader - Puts messages together from whatever pieces arrive
 * @message: the one being read
 * @received_len: bytes of it so far, header included
 */
struct vhost_reader {
	struct vhost_message message;
	size_t received_len;
};

void vhost_reader_init(struct vhost_reader *reader);

/** vhost_reader_finish() - Close what a half-read message brought. */
void vhost_reader_finish(struct vhost_reader *reader);

/**
 * vhost_reader_read() - Go on reading
 *
 * After a 1 the caller works on reader->message and calls vhost_reader_next().
 *
 * Return: 1 when the message is complete; 0 when the transport has nothing more for now; -EPIPE at
 * an end between messages; -ECONNRESET at an end inside one; -EPROTO for what is not vhost-user
 * (version, a reply flag that is not @replies, size); -E2BIG for too many descriptors; other read
 * errors.
 */
int vhost_reader_read(struct vhost_reader *reader, const struct vhost_transport_ops *ops,
	void *transport, bool replies);

/** vhost_reader_next() - Forget the message, with the descriptors that nobody took. */
void vhost_reader_next(struct vhost_reader *reader);
