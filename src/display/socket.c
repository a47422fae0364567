/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The sending half of the display socket. It owns the descriptor and the queue of messages that
 * the front-end has not taken yet; what the messages mean is frontend.c's.
 *
 * Nothing here waits. A message goes straight from the caller's memory into the socket; only if
 * the socket is full the head is copied into a queue item, and the pixels stay where they are
 * until a main loop source has written them (or display_socket_cancel() has copied the rest).
 * The pages of a large picture are lent (display/lending.h): its message is sent only when they are
 * no longer borrowed. A picture that goes as several messages is one item here, several bands of a head
 * and lines: its pages are lent, fetched and taken back as those of one message.
 * Only the first message of the queue can be half sent. The queue is bounded by its callers: at
 * most one command's requests, and of each scanout the newest state (display_socket_drop()).
 */
#include "display/socket.h"

#include "util/fd.h"
#include "util/fd_message.h"
#include "util/lendable.h"
#include "util/log.h"
#include "util/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Wanted size of the send buffer; the kernel doubles it, and may allow less. What is in it should still
 * be in the CPU's cache when the front-end reads it: with room for a whole frame of 8 MiB the queue goes
 * on earlier, but a frame takes a third longer (docs/performance.md).
 */
#define SEND_BUFFER_LEN (1 << 20)

/* The first bytes of a band are copied: the other side wakes for the head, and finds something to read. */
#define LEND_AFTER (64u << 10)

/* Shorter lines of a wider picture are copied: each takes two pages. */
#define LEND_MIN_LINE_LEN 4096

/* Pixels that are fetched together, bytes: they should fit into the nearer caches. */
#define FETCH_LEN (256u << 10)

/* Heads of this size are kept in the item, so that a frame that waits allocates nothing. */
#define SHORT_HEAD_LEN 64

/*
 * A message on its way: @sent of its head and lines are gone. @has_lent: some of its pixels are lent. In the
 * queue by its link; of the socket's pool.
 */
struct outgoing {
	GList link;
	struct display_message message;
	size_t sent;
	bool has_lent;
	uint8_t short_head[SHORT_HEAD_LEN];
	void *head_copy;
	void *pixels_copy;
	int owned_fd;
};

static void outgoing_free(struct display_socket *socket, struct outgoing *outgoing)
{
	fd_clear(&outgoing->owned_fd);
	g_free(outgoing->head_copy);
	g_free(outgoing->pixels_copy);
	pool_put(&socket->pool, outgoing);
}

static size_t get_lines_per_head(const struct display_message *message)
{
	return message->lines_per_head > 0 ? message->lines_per_head : MAX(message->line_count, 1);
}

/* Return: how many heads stand before the end of the first lines. */
static size_t count_heads(const struct display_message *message, size_t line_count)
{
	const size_t lines_per_head = get_lines_per_head(message);

	return MAX((line_count + lines_per_head - 1) / lines_per_head, 1);
}

/* Return: where the first lines end. */
static size_t get_end_of_lines(const struct display_message *message, size_t line_count)
{
	return count_heads(message, line_count) * message->head_len +
	       line_count * message->line_len;
}

static size_t message_len(const struct display_message *message)
{
	return get_end_of_lines(message, message->line_count);
}

/* A head and the lines behind it are a band. Return: bytes of one, the last may have fewer. */
static size_t get_band_len(const struct display_message *message)
{
	return message->head_len + get_lines_per_head(message) * message->line_len;
}

/* Return: where the band ends that byte @at is in. */
static size_t get_band_end(const struct display_message *message, size_t at)
{
	const size_t band_len = get_band_len(message);

	return MIN((at / band_len + 1) * band_len, message_len(message));
}

/* Return: how many of the first @len bytes are of lines. */
static size_t count_line_bytes(const struct display_message *message, size_t len)
{
	const size_t band_len = get_band_len(message);
	const size_t in_band = len % band_len;

	return len / band_len * (band_len - message->head_len) +
	       (in_band > message->head_len ? in_band - message->head_len : 0);
}

static bool is_one_piece(const struct display_message *message)
{
	return message->stride == message->line_len || message->line_count <= 1;
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
		.fd = fd,
		.context = context,
		.pool = POOL_INIT(struct outgoing),
		.events = events,
		.opaque = opaque,
	};
	g_queue_init(&socket->queue);
	enlarge_send_buffer(fd);
	lending_init(&socket->lending, fd);
}

static void stop_writing(struct display_socket *socket)
{
	if (socket->write_source)
		source_set_condition(socket->write_source, 0);
}

/* Takes the first message of the queue out of it. Return: NULL where it is empty. */
static struct outgoing *pop_first(struct display_socket *socket)
{
	GList *link = g_queue_pop_head_link(&socket->queue);

	return link ? link->data : NULL;
}

void display_socket_finish(struct display_socket *socket)
{
	struct outgoing *outgoing;

	source_clear(&socket->write_source);
	while ((outgoing = pop_first(socket)))
		outgoing_free(socket, outgoing);
	pool_finish(&socket->pool);
	lending_finish(&socket->lending);
	fd_clear(&socket->fd);
}

/*
 * Lists the bytes of a message from @from to @end, which are of one band. Return: number of elements, at
 * most DISPLAY_SOCKET_MAX_IOVS.
 */
static unsigned int fill_iovs(
	const struct display_message *message, size_t from, size_t end, struct iovec *iovs)
{
	const size_t band = from / get_band_len(message);
	const size_t start = band * get_band_len(message);
	const size_t first_line = band * get_lines_per_head(message);
	unsigned int count = 0;

	from -= start;
	end -= start;
	for (; from < end && count < DISPLAY_SOCKET_MAX_IOVS; from += iovs[count++].iov_len) {
		struct iovec *iov = &iovs[count];

		if (from < message->head_len) {
			iov->iov_base = (uint8_t *)message->head + band * message->head_len + from;
			iov->iov_len = message->head_len - from;
		} else {
			const size_t line =
				first_line + (from - message->head_len) / message->line_len;
			const size_t within = (from - message->head_len) % message->line_len;

			iov->iov_base =
				(uint8_t *)message->pixels + line * message->stride + within;
			iov->iov_len =
				is_one_piece(message) ? end - from : message->line_len - within;
		}
		iov->iov_len = MIN(iov->iov_len, end - from);
	}
	return count;
}

/* Copies what has many short lines together. Return: number of elements, 1. */
static unsigned int pack_lines(
	const struct display_message *message, uint8_t *packed, size_t len, struct iovec *iovs)
{
	uint8_t *to = packed + message->head_len;

	memcpy(packed, message->head, message->head_len);
	for (size_t line = 0; line < message->line_count; line++, to += message->line_len)
		memcpy(to, (const uint8_t *)message->pixels + line * message->stride,
			message->line_len);
	iovs[0] = (struct iovec){.iov_base = packed, .iov_len = len};
	return 1;
}

/* Return: where the part of a message ends that is lent; 0: nothing is. */
static size_t get_lent_end(
	const struct display_socket *socket, const struct display_message *message)
{
	const size_t total = message_len(message);
	const size_t tail_len = socket->lending.tail_len;

	if (!message->are_lendable || tail_len == 0 || total < LEND_AFTER + 2 * tail_len ||
		(message->line_len < LEND_MIN_LINE_LEN && !is_one_piece(message)))
		return 0;
	return total - tail_len;
}

/* Sends once, up to byte @end and of one band. Return: bytes, or a negative errno. */
static ssize_t send_once(struct display_socket *socket, struct outgoing *outgoing, size_t end)
{
	const struct display_message *message = &outgoing->message;
	const size_t lent_end = get_lent_end(socket, message);
	const size_t sent = outgoing->sent;
	const size_t in_band = sent % get_band_len(message);
	struct iovec *iovs = socket->iovs;
	unsigned int count;
	ssize_t len;

	end = MIN(end, get_band_end(message, sent));
	if (in_band >= LEND_AFTER && sent < lent_end) {
		count = fill_iovs(message, sent, MIN(end, lent_end), iovs);
		outgoing->has_lent = true;
		len = lending_send(&socket->lending, socket->fd, iovs, count);
		if (len != -ENOTSUP)
			return len;
	} else if (in_band < LEND_AFTER && sent < lent_end) {
		end = MIN(end, sent - in_band + LEND_AFTER);
	}
	if (sent == 0 && message->line_count > 1 && end <= sizeof(socket->packed) &&
		end == message_len(message))
		count = pack_lines(message, socket->packed, end, iovs);
	else
		count = fill_iovs(message, sent, end, iovs);
	return fd_message_send(socket->fd, iovs, count, sent == 0 ? message->fd : -1);
}

/* Return: 0 when all up to byte @end is sent, -EAGAIN when the socket is full, or another errno. */
static int send_until(struct display_socket *socket, struct outgoing *outgoing, size_t end)
{
	while (outgoing->sent < end) {
		ssize_t len = send_once(socket, outgoing, end);

		if (len < 0)
			return (int)len;
		outgoing->sent += (size_t)len;
	}
	return 0;
}

/* Return: the same for all of it, and -EAGAIN too until what is lent has been read. */
static int send_rest(struct display_socket *socket, struct outgoing *outgoing)
{
	int ret = send_until(socket, outgoing, message_len(&outgoing->message));

	if (ret == 0 && outgoing->has_lent && !lending_is_over(socket->fd))
		return -EAGAIN;
	return ret;
}

/* Has the pixels put there a few lines at a time, and sends these. Return: as send_rest(). */
static int send_fetching(struct display_socket *socket, struct outgoing *outgoing)
{
	const struct display_message *message = &outgoing->message;
	const size_t band = MAX(FETCH_LEN / message->line_len, 1);
	size_t line = 0;
	int ret = 0;

	/* A full socket is tried again when the next lines are there. */
	while (line < message->line_count && (ret == 0 || ret == -EAGAIN)) {
		line = MIN(line + band, message->line_count);
		message->fetch(message->fetch_opaque, (uint32_t)line);
		ret = send_until(socket, outgoing, get_end_of_lines(message, line));
	}
	return ret == 0 ? send_rest(socket, outgoing) : ret;
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
		source_set_condition(socket->write_source, G_IO_OUT);
	else
		socket->write_source = source_add_fd(
			socket->context, socket->fd, G_IO_OUT, dispatch_writable, socket);
}

/* Makes @item independent of the caller's head. */
static void keep_head(struct outgoing *item)
{
	struct display_message *message = &item->message;
	const size_t len = count_heads(message, message->line_count) * message->head_len;

	if (len > sizeof(item->short_head))
		item->head_copy = g_memdup2(message->head, len);
	else if (len > 0)
		memcpy(item->short_head, message->head, len);
	message->head = item->head_copy ? item->head_copy : item->short_head;
}

/* Puts a copy of @outgoing into the queue, with a head and a descriptor of its own. */
static int socket_enqueue(struct display_socket *socket, const struct outgoing *outgoing)
{
	struct outgoing *item = pool_take(&socket->pool);

	*item = *outgoing;
	item->link.data = item;
	if (item->sent == 0 && item->message.fd >= 0) {
		item->owned_fd = fcntl(item->message.fd, F_DUPFD_CLOEXEC, 3);
		if (item->owned_fd < 0) {
			pool_put(&socket->pool, item);
			return -errno;
		}
	}
	item->message.fd = item->owned_fd;
	keep_head(item);
	g_queue_push_tail_link(&socket->queue, &item->link);
	start_writing(socket);
	return 0;
}

int display_socket_send(struct display_socket *socket, const struct display_message *message)
{
	struct outgoing outgoing = {.message = *message, .owned_fd = -1};
	int ret = -EAGAIN;

	if (socket->fd < 0)
		return -ECONNRESET;
	if (!g_queue_is_empty(&socket->queue)) {
		if (message->fetch)
			message->fetch(message->fetch_opaque, (uint32_t)message->line_count);
	} else if (message->fetch) {
		ret = send_fetching(socket, &outgoing);
	} else {
		ret = send_rest(socket, &outgoing);
	}
	outgoing.message.fetch = NULL;
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
static void socket_complete(struct display_socket *socket, struct outgoing *outgoing, int error)
{
	display_done_fn done = outgoing->message.done;
	void *opaque = outgoing->message.opaque;

	outgoing_free(socket, outgoing);
	if (done)
		done(opaque, error);
}

void display_socket_flush(struct display_socket *socket)
{
	struct outgoing *outgoing;

	/* A done function may queue the next message, and even finish the socket. */
	while (socket->fd >= 0 && (outgoing = g_queue_peek_head(&socket->queue))) {
		int ret = send_rest(socket, outgoing);

		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			stop_writing(socket);
			socket->events->broken(socket->opaque);
			return;
		}
		pop_first(socket);
		socket_complete(socket, outgoing, 0);
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
		g_queue_unlink(&socket->queue, link);
		outgoing_free(socket, outgoing);
	}
}

/* Copies what of the begun band is not sent yet; @sent then counts from this copy. */
static int copy_rest(struct display_socket *socket, struct outgoing *outgoing)
{
	struct display_message *message = &outgoing->message;
	/* Where a band has just ended, the next one is not begun. */
	const size_t end = get_band_end(message, outgoing->sent - 1);
	const size_t rest = end - outgoing->sent;
	size_t copied = 0;
	uint8_t *copy = g_try_malloc(MAX(rest, 1));

	if (!copy)
		return -ENOMEM;
	while (copied < rest) {
		unsigned int count = fill_iovs(message, outgoing->sent + copied, end, socket->iovs);

		for (unsigned int i = 0; i < count; i++) {
			memcpy(copy + copied, socket->iovs[i].iov_base, socket->iovs[i].iov_len);
			copied += socket->iovs[i].iov_len;
		}
	}
	g_free(outgoing->head_copy);
	outgoing->head_copy = NULL;
	outgoing->pixels_copy = copy;
	outgoing->sent = 0;
	/* Sent from byte 0 again, but no longer whole: nothing may drop it. */
	*message = (struct display_message){
		.kind = DISPLAY_MESSAGE_KEPT,
		.scanout_id = message->scanout_id,
		.fd = -1,
		.pixels = copy,
		.stride = rest,
		.line_len = rest,
		.line_count = rest > 0 ? 1 : 0,
	};
	fd_clear(&outgoing->owned_fd);
	return 0;
}

/* Whoever borrowed pixels of @outgoing keeps them as they are. Return: 0 or a negative errno. */
static int take_back(struct display_socket *socket, struct outgoing *outgoing)
{
	const struct display_message *message = &outgoing->message;
	const size_t last = count_line_bytes(message, outgoing->sent) - 1;

	if (!outgoing->has_lent)
		return 0;
	outgoing->has_lent = false;
	lending_take_back(&socket->lending);
	return lendable_take_back(message->pixels,
		last / message->line_len * message->stride + last % message->line_len + 1);
}

/* Makes the half-sent message independent of the caller's pixels. */
static void socket_adopt(struct display_socket *socket, struct outgoing *outgoing)
{
	int ret = 0;

	if (outgoing->message.pixels && !outgoing->pixels_copy) {
		ret = take_back(socket, outgoing);
		if (ret == 0)
			ret = copy_rest(socket, outgoing);
	}
	outgoing->message.done = NULL;
	outgoing->message.opaque = NULL;
	if (ret < 0) {
		/* The message cannot be ended, and without its end nothing else can be sent. */
		log_warning("no memory for the rest of a display update");
		display_socket_finish(socket);
		socket->events->broken(socket->opaque);
	}
}

bool display_socket_has_unbegun(const struct display_socket *socket, const void *opaque)
{
	for (const GList *link = socket->queue.head; link; link = link->next) {
		const struct outgoing *outgoing = link->data;
		const struct display_message *message = &outgoing->message;

		if (message->kind != DISPLAY_MESSAGE_UPDATE || message->opaque != opaque)
			continue;
		if (outgoing->sent == 0 ||
			get_band_end(message, outgoing->sent - 1) < message_len(message))
			return true;
	}
	return false;
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
		g_queue_unlink(&socket->queue, link);
		outgoing_free(socket, outgoing);
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

	source_clear(&socket->write_source);
	lending_finish(&socket->lending);
	fd_clear(&socket->fd);
	for (; count > 0; count--) {
		struct outgoing *outgoing = pop_first(socket);

		/* A done function may have finished the socket. */
		if (!outgoing)
			return;
		socket_complete(socket, outgoing, error);
	}
}
