/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "vhost/message.h"

#include <glib.h>

/** Most bytes that wait for a peer that does not read; beyond it the channel ends. */
#define VHOST_MAX_QUEUED_LEN ((size_t)1024 * 1024)

struct vhost_channel;

/** struct vhost_channel_events - Calls upward, from the main loop only */
struct vhost_channel_events {
	/**
	 * A message came. Descriptors that are not taken out of it are closed afterwards. What
	 * cannot go on calls vhost_channel_fail().
	 */
	void (*message)(void *opaque, struct vhost_message *message);

	/**
	 * The channel is over; called once. @error is 0 for an orderly hang-up. The callee may call
	 * vhost_channel_finish().
	 */
	void (*closed)(void *opaque, int error, const char *reason);
};

/**
 * struct vhost_channel - A connected socket that carries messages both ways
 * @fd: the socket, owned
 * @replies: what comes in are replies (the back-end channel), not requests
 * @over: nothing is read or sent any more; closed() was or will be called
 *
 * The other members are private to channel.c.
 */
struct vhost_channel {
	int fd;
	bool replies;
	bool over;
	GMainContext *context;
	const struct vhost_transport_ops *ops;
	void *transport;
	const struct vhost_channel_events *events;
	void *opaque;
	struct vhost_reader reader;
	GQueue queued;
	size_t queued_len;
	GSource *read_source;
	GSource *write_source;
	GSource *closed_source;
	int error;
	char reason[128];
};

/**
 * vhost_channel_init() - Begin
 * @fd: a connected stream socket; taken
 * @replies: whether replies come in rather than requests
 * @events: borrowed
 * @context: where the sources are attached
 *
 * Nothing is read before the main loop runs.
 */
void vhost_channel_init(struct vhost_channel *channel, int fd, bool replies,
	const struct vhost_channel_events *events, void *opaque, GMainContext *context);

/** vhost_channel_finish() - Close the socket; no event. What was queued is dropped. */
void vhost_channel_finish(struct vhost_channel *channel);

/**
 * vhost_channel_set_transport() - Replace the socket's reads and writes (fuzzing, tests)
 * @ops: borrowed
 * @transport: passed to @ops
 *
 * The descriptor is not watched any more; vhost_channel_pump() reads.
 */
void vhost_channel_set_transport(
	struct vhost_channel *channel, const struct vhost_transport_ops *ops, void *transport);

/** vhost_channel_pump() - Read and deliver what is there; what the main loop calls. */
void vhost_channel_pump(struct vhost_channel *channel);

/**
 * vhost_channel_send() - Send a message, or queue what does not fit into the socket
 * @header: its size is that of @payload, bytes
 * @payload: copied
 * @fd: borrowed (duplicated where it has to wait), or -1
 *
 * Return: 0 when it was sent or queued; -EPIPE when the channel is over, which a failing write or
 * VHOST_MAX_QUEUED_LEN may bring about; -EMFILE or -EBADF where @fd could not be duplicated.
 */
int vhost_channel_send(struct vhost_channel *channel, const struct vhost_header *header,
	const void *payload, int fd);

/**
 * vhost_channel_fail() - End it; closed() follows from the main loop
 * @error: 0 or a negative errno
 *
 * The first call counts.
 */
void vhost_channel_fail(struct vhost_channel *channel, int error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
