/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A socket that carries vhost-user messages, on a GLib main context: the connection itself and the
 * back-end channel are both one of these.
 *
 * It owns the socket, the message that is being read and the queue of what could not be written
 * yet. It never blocks. However a channel ends, closed() is delivered by a source of its own, so
 * that no caller sees it from inside a call of its own. It knows nothing of what messages mean.
 */
#include "vhost/channel.h"

#include "util/fd.h"
#include "util/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Messages handled in one go, before the main loop's other sources get their turn. */
#define MESSAGES_PER_DISPATCH 32

/* A message on its way out; fd is owned, and -1 once it was sent. */
struct queued_message {
	size_t len;
	size_t sent_len;
	int fd;
	uint8_t bytes[];
};

static void queued_message_free(void *data)
{
	struct queued_message *queued = data;

	fd_clear(&queued->fd);
	g_free(queued);
}

static gboolean deliver_closed(void *opaque)
{
	struct vhost_channel *channel = opaque;

	source_clear(&channel->closed_source);
	channel->events->closed(channel->opaque, channel->error, channel->reason);
	return G_SOURCE_REMOVE;
}

void vhost_channel_fail(struct vhost_channel *channel, int error, const char *format, ...)
{
	va_list args;

	if (channel->over)
		return;
	channel->over = true;
	channel->error = error;
	va_start(args, format);
	g_vsnprintf(channel->reason, sizeof(channel->reason), format, args);
	va_end(args);

	source_clear(&channel->read_source);
	source_clear(&channel->write_source);
	channel->closed_source = source_add_idle(channel->context, deliver_closed, channel);
}

static void fail_read(struct vhost_channel *channel, int error)
{
	switch (error) {
	case -EPIPE:
		vhost_channel_fail(channel, 0, "the peer hung up");
		break;
	case -ECONNRESET:
		vhost_channel_fail(channel, error, "the peer hung up in the middle of a message");
		break;
	case -EPROTO:
		vhost_channel_fail(channel, error,
			"not a vhost-user message: request %u, flags 0x%x, %u bytes",
			channel->reader.message.header.request,
			channel->reader.message.header.flags, channel->reader.message.header.size);
		break;
	case -E2BIG:
		vhost_channel_fail(
			channel, error, "more than %d descriptors in a message", VHOST_MAX_FDS);
		break;
	default:
		vhost_channel_fail(channel, error, "read failed: %s", g_strerror(-error));
	}
}

void vhost_channel_pump(struct vhost_channel *channel)
{
	for (unsigned int i = 0; i < MESSAGES_PER_DISPATCH && !channel->over; i++) {
		int ret = vhost_reader_read(
			&channel->reader, channel->ops, channel->transport, channel->replies);

		if (ret == 0)
			return;
		if (ret < 0) {
			fail_read(channel, ret);
			return;
		}
		channel->events->message(channel->opaque, &channel->reader.message);
		vhost_reader_next(&channel->reader);
	}
}

static gboolean handle_readable(int fd, GIOCondition condition, void *opaque)
{
	vhost_channel_pump(opaque);
	return G_SOURCE_CONTINUE;
}

/* Return: 0 when all was sent, -EAGAIN, or the error that ended the channel. */
static int flush_one(struct vhost_channel *channel, struct queued_message *queued, int fd)
{
	while (queued->sent_len < queued->len) {
		ssize_t done =
			channel->ops->write(channel->transport, queued->bytes + queued->sent_len,
				queued->len - queued->sent_len, queued->sent_len == 0 ? fd : -1);

		if (done == -EAGAIN)
			return -EAGAIN;
		if (done < 0) {
			/* A peer that has gone is an orderly end, as on the reading side. */
			bool gone = done == -EPIPE || done == -ECONNRESET;

			vhost_channel_fail(channel, gone ? 0 : (int)done, "write failed: %s",
				g_strerror(-(int)done));
			return (int)done;
		}
		queued->sent_len += (size_t)done;
	}
	return 0;
}

static gboolean handle_writable(int fd, GIOCondition condition, void *opaque)
{
	struct vhost_channel *channel = opaque;
	struct queued_message *queued;

	while ((queued = g_queue_peek_head(&channel->queued))) {
		if (flush_one(channel, queued, queued->fd) < 0)
			return G_SOURCE_CONTINUE;
		channel->queued_len -= queued->len;
		queued_message_free(g_queue_pop_head(&channel->queued));
	}
	source_clear(&channel->write_source);
	return G_SOURCE_REMOVE;
}

/* Keeps what could not be sent. Takes @queued on success. */
static int channel_enqueue(struct vhost_channel *channel, struct queued_message *queued, int fd)
{
	if (queued->len > VHOST_MAX_QUEUED_LEN - channel->queued_len) {
		vhost_channel_fail(channel, -ENOBUFS, "the peer does not read its messages");
		return -EPIPE;
	}
	if (fd >= 0 && queued->sent_len == 0) {
		queued->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (queued->fd < 0)
			return -errno;
	}
	g_queue_push_tail(&channel->queued, queued);
	channel->queued_len += queued->len;
	if (!channel->write_source && channel->fd >= 0)
		channel->write_source = source_add_fd(
			channel->context, channel->fd, G_IO_OUT, handle_writable, channel);
	return 0;
}

int vhost_channel_send(struct vhost_channel *channel, const struct vhost_header *header,
	const void *payload, int fd)
{
	struct queued_message *queued;
	int ret = -EAGAIN;

	if (channel->over)
		return -EPIPE;
	queued = g_malloc(sizeof(*queued) + sizeof(*header) + header->size);
	*queued = (struct queued_message){.len = sizeof(*header) + header->size, .fd = -1};
	memcpy(queued->bytes, header, sizeof(*header));
	if (header->size > 0)
		memcpy(queued->bytes + sizeof(*header), payload, header->size);

	if (g_queue_is_empty(&channel->queued))
		ret = flush_one(channel, queued, fd);
	if (ret == -EAGAIN) {
		ret = channel_enqueue(channel, queued, fd);
		if (ret == 0)
			return 0;
	} else if (ret < 0) {
		ret = -EPIPE;
	}
	queued_message_free(queued);
	return ret;
}

void vhost_channel_init(struct vhost_channel *channel, int fd, bool replies,
	const struct vhost_channel_events *events, void *opaque, GMainContext *context)
{
	int ret = fd_set_nonblocking(fd);

	channel->fd = fd;
	channel->replies = replies;
	channel->over = false;
	channel->context = context;
	channel->ops = &vhost_socket_transport;
	channel->transport = &channel->fd;
	channel->events = events;
	channel->opaque = opaque;
	vhost_reader_init(&channel->reader);
	g_queue_init(&channel->queued);
	channel->queued_len = 0;
	channel->write_source = NULL;
	channel->closed_source = NULL;
	channel->read_source = source_add_fd(context, fd, G_IO_IN, handle_readable, channel);
	if (ret < 0)
		vhost_channel_fail(channel, ret, "the socket: %s", g_strerror(-ret));
}

void vhost_channel_set_transport(
	struct vhost_channel *channel, const struct vhost_transport_ops *ops, void *transport)
{
	source_clear(&channel->read_source);
	channel->ops = ops;
	channel->transport = transport;
}

void vhost_channel_finish(struct vhost_channel *channel)
{
	channel->over = true;
	source_clear(&channel->read_source);
	source_clear(&channel->write_source);
	source_clear(&channel->closed_source);
	vhost_reader_finish(&channel->reader);
	g_queue_clear_full(&channel->queued, queued_message_free);
	channel->queued_len = 0;
	fd_clear(&channel->fd);
}
