/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The sending half of the display socket. It owns the descriptor and the queue of messages that
 * the front-end has not taken yet; what the messages mean is frontend.c's.
 *
 * Nothing here waits. A message goes straight from the caller's memory into the socket; only if
 * the socket is full the head is copied into a queue item, and the pixels stay where they are
 * until a main loop source has written them (or display_socket_cancel() has copied the rest).
 * Only the first message of the queue can be half sent. The queue is bounded by its callers: at
 * most one command's requests, and of each scanout the newest state (display_socket_drop()).
 */
#include "display/socket.h"

#include "util/fd.h"
#include "util/fd_message.h"
#include "util/log.h"
#include "util/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Of one sendmsg(): the head and lines; the kernel's limit is 1024. A frame that is not cut out
 * of a wider one is a single element.
 */
#define MAX_IOVS 512

/*
 * Wanted size of the send buffer; the kernel doubles it, and may allow less. What is in it should still
 * be in the CPU's cache when the front-end reads it: with room for a whole frame of 8 MiB the queue goes
 * on earlier, but a frame takes a third longer (docs/performance.md).
 */
#define SEND_BUFFER_LEN (1 << 20)

/* A message on its way: @sent of its head and lines are gone. */
struct outgoing {
	struct display_message message;
	size_t sent;
	void *head_copy;
	void *pixels_copy;
	int owned_fd;
};

static void outgoing_free(struct outgoing *outgoing)
{
	fd_clear(&outgoing->owned_fd);
	g_free(outgoing->head_copy);
	g_free(outgoing->pixels_copy);
	g_free(outgoing);
}

static size_t message_len(const struct display_message *message)
{
	return message->head_len + message->line_len * message->line_count;
}

static void enlarge_send_buffer(int fd)
{
	int len = SEND_BUFFER_LEN;

	/* The first needs CAP_NET_ADMIN, the second is cut to net.core.wmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &len, sizeof(len)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
}

void display_socket_init(struct display_socket *socket, int fd, GMainContext *context,
	const struct display_socket_events *events, void *opaque)
{
	*socket = (struct display_socket){
		.fd = fd, .context = context, .events = events, .opaque = opaque};
	g_queue_init(&socket->queue);
	enlarge_send_buffer(fd);
}

static void stop_writing(struct display_socket *socket)
{
	source_clear(&socket->write_source);
}

void display_socket_finish(struct display_socket *socket)
{
	struct outgoing *outgoing;

	stop_writing(socket);
	while ((outgoing = g_queue_pop_head(&socket->queue)))
		outgoing_free(outgoing);
	fd_clear(&socket->fd);
}

/* Lists what is left of a message. Return: number of elements, at most MAX_IOVS. */
static unsigned int fill_iovs(
	const struct display_message *message, size_t sent, struct iovec *iovs)
{
	unsigned int count = 0;
	size_t line = 0;
	size_t within = 0;

	if (sent < message->head_len) {
		iovs[count].iov_base = (uint8_t *)message->head + sent;
		iovs[count++].iov_len = message->head_len - sent;
	} else if (message->line_len > 0) {
		line = (sent - message->head_len) / message->line_len;
		within = (sent - message->head_len) % message->line_len;
	}
	for (; line < message->line_count && count < MAX_IOVS; line++) {
		iovs[count].iov_base = (uint8_t *)message->pixels + line * message->stride + within;
		iovs[count++].iov_len = message->line_len - within;
		within = 0;
	}
	return count;
}

/* Sends once. Return: bytes, or a negative errno. */
static ssize_t send_once(int socket_fd, const struct display_message *message, size_t sent)
{
	struct iovec iovs[MAX_IOVS];
	const unsigned int count = fill_iovs(message, sent, iovs);

	return fd_message_send(socket_fd, iovs, count, sent == 0 ? message->fd : -1);
}

/* Return: 0 when all of it is sent, -EAGAIN when the socket is full, or another errno. */
static int send_rest(int socket_fd, struct outgoing *outgoing)
{
	size_t total = message_len(&outgoing->message);

	while (outgoing->sent < total) {
		ssize_t len = send_once(socket_fd, &outgoing->message, outgoing->sent);

		if (len < 0)
			return (int)len;
		outgoing->sent += (size_t)len;
	}
	return 0;
}

static gboolean dispatch_writable(gint fd, GIOCondition condition, gpointer user_data)
{
	struct display_socket *socket = user_data;

	socket->events->writable(socket->opaque);
	return G_SOURCE_CONTINUE;
}

static void start_writing(struct display_socket *socket)
{
	if (socket->write_source)
		return;
	socket->write_source =
		source_add_fd(socket->context, socket->fd, G_IO_OUT, dispatch_writable, socket);
}

/* Makes @outgoing independent of the caller's head and descriptor and puts it into the queue. */
static int socket_enqueue(struct display_socket *socket, const struct outgoing *outgoing)
{
	struct outgoing *item = g_new(struct outgoing, 1);

	*item = *outgoing;
	if (item->sent == 0 && item->message.fd >= 0) {
		item->owned_fd = fcntl(item->message.fd, F_DUPFD_CLOEXEC, 3);
		if (item->owned_fd < 0) {
			g_free(item);
			return -errno;
		}
	}
	item->message.fd = item->owned_fd;
	item->head_copy = g_memdup2(item->message.head, item->message.head_len);
	item->message.head = item->head_copy;
	g_queue_push_tail(&socket->queue, item);
	start_writing(socket);
	return 0;
}

int display_socket_send(struct display_socket *socket, const struct display_message *message)
{
	struct outgoing outgoing = {.message = *message, .owned_fd = -1};
	int ret = -EAGAIN;

	if (socket->fd < 0)
		return -ECONNRESET;
	if (message->stride == message->line_len && message->line_count > 1) {
		outgoing.message.line_len *= message->line_count;
		outgoing.message.line_count = 1;
	}
	if (g_queue_is_empty(&socket->queue))
		ret = send_rest(socket->fd, &outgoing);
	if (ret == 0)
		return 0;
	if (ret == -EAGAIN)
		ret = socket_enqueue(socket, &outgoing);
	if (ret < 0) {
		socket->events->broken(socket->opaque);
		return ret;
	}
	return DISPLAY_PENDING;
}

/* Frees a message that is over and tells its owner. */
static void socket_complete(struct outgoing *outgoing, int error)
{
	display_done_fn done = outgoing->message.done;
	void *opaque = outgoing->message.opaque;

	outgoing_free(outgoing);
	if (done)
		done(opaque, error);
}

void display_socket_flush(struct display_socket *socket)
{
	struct outgoing *outgoing;

	/* A done function may queue the next message, and even finish the socket. */
	while (socket->fd >= 0 && (outgoing = g_queue_peek_head(&socket->queue))) {
		int ret = send_rest(socket->fd, outgoing);

		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			stop_writing(socket);
			socket->events->broken(socket->opaque);
			return;
		}
		g_queue_pop_head(&socket->queue);
		socket_complete(outgoing, 0);
	}
	stop_writing(socket);
}

void display_socket_drop(struct display_socket *socket, unsigned int kinds, uint32_t scanout_id)
{
	GList *next;

	for (GList *link = socket->queue.head; link; link = next) {
		struct outgoing *outgoing = link->data;

		next = link->next;
		if (!(outgoing->message.kind & kinds) || outgoing->sent > 0 ||
			outgoing->message.scanout_id != scanout_id)
			continue;
		g_queue_delete_link(&socket->queue, link);
		outgoing_free(outgoing);
	}
}

/* Copies the lines of @outgoing that are not sent yet; @sent then counts from this copy. */
static int copy_rest(struct outgoing *outgoing)
{
	struct display_message *message = &outgoing->message;
	size_t rest = message_len(message) - outgoing->sent;
	struct iovec iovs[MAX_IOVS];
	size_t copied = 0;
	uint8_t *copy = g_try_malloc(rest);

	if (!copy)
		return -ENOMEM;
	while (copied < rest) {
		unsigned int count = fill_iovs(message, outgoing->sent + copied, iovs);

		for (unsigned int i = 0; i < count; i++) {
			memcpy(copy + copied, iovs[i].iov_base, iovs[i].iov_len);
			copied += iovs[i].iov_len;
		}
	}
	g_free(outgoing->head_copy);
	outgoing->head_copy = NULL;
	outgoing->pixels_copy = copy;
	outgoing->sent = 0;
	message->head_len = 0;
	message->pixels = copy;
	message->stride = message->line_len = rest;
	message->line_count = 1;
	/* Sent from byte 0 again, but no longer whole: nothing may drop it. */
	message->kind = DISPLAY_MESSAGE_KEPT;
	fd_clear(&outgoing->owned_fd);
	message->fd = -1;
	return 0;
}

/* Makes the half-sent message independent of the caller's pixels. */
static void socket_adopt(struct display_socket *socket, struct outgoing *outgoing)
{
	outgoing->message.done = NULL;
	outgoing->message.opaque = NULL;
	if (outgoing->message.pixels && !outgoing->pixels_copy && copy_rest(outgoing) < 0) {
		/* The message cannot be ended, and without its end nothing else can be sent. */
		log_warning("no memory for the rest of a display update");
		display_socket_finish(socket);
		socket->events->broken(socket->opaque);
	}
}

unsigned int display_socket_cancel(struct display_socket *socket, const void *opaque)
{
	const unsigned int kinds = DISPLAY_MESSAGE_REQUEST | DISPLAY_MESSAGE_UPDATE;
	struct outgoing *outgoing;
	unsigned int count = 0;
	GList *next;

	for (GList *link = socket->queue.head; link; link = next) {
		outgoing = link->data;
		next = link->next;
		if (!(outgoing->message.kind & kinds) || outgoing->message.opaque != opaque ||
			outgoing->sent > 0)
			continue;
		count += outgoing->message.kind == DISPLAY_MESSAGE_REQUEST;
		g_queue_delete_link(&socket->queue, link);
		outgoing_free(outgoing);
	}
	/* Only the first message of the queue can be half sent. */
	outgoing = g_queue_peek_head(&socket->queue);
	if (outgoing && outgoing->message.opaque == opaque)
		socket_adopt(socket, outgoing);
	return count;
}

void display_socket_fail(struct display_socket *socket, int error)
{
	unsigned int count = g_queue_get_length(&socket->queue);

	stop_writing(socket);
	fd_clear(&socket->fd);
	for (; count > 0; count--) {
		struct outgoing *outgoing = g_queue_pop_head(&socket->queue);

		/* A done function may have finished the socket. */
		if (!outgoing)
			return;
		socket_complete(outgoing, error);
	}
}
