/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The receiving half of the display socket: answers are matched with requests in the order in
 * which these were sent (QEMU's vhost-user-gpu document, "Communication").
 *
 * Only answers come in. One that belongs to no request, or has another length than its type has,
 * breaks the connection. QEMU leaves some requests unanswered (an EDID of an output that it does
 * not have): the answer to a later request ends those with an error.
 */
#include "display/replies.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void display_replies_init(struct display_replies *replies)
{
	replies->buf_len = 0;
	replies->finished = false;
	g_queue_init(&replies->awaited);
}

void display_replies_finish(struct display_replies *replies)
{
	g_queue_clear_full(&replies->awaited, g_free);
	replies->finished = true;
}

int display_replies_expect(struct display_replies *replies, const struct display_awaited *awaited)
{
	if (g_queue_get_length(&replies->awaited) >= DISPLAY_MAX_AWAITED)
		return -EBUSY;
	g_queue_push_tail(&replies->awaited, g_memdup2(awaited, sizeof(*awaited)));
	return 0;
}

/* The newest request of @opaque, or NULL. */
static GList *find_newest(struct display_replies *replies, const void *opaque)
{
	for (GList *link = replies->awaited.tail; link; link = link->prev)
		if (((struct display_awaited *)link->data)->opaque == opaque)
			return link;
	return NULL;
}

void display_replies_forget(
	struct display_replies *replies, const void *opaque, unsigned int unsent)
{
	GList *link;

	for (; unsent > 0 && (link = find_newest(replies, opaque)); unsent--) {
		g_free(link->data);
		g_queue_delete_link(&replies->awaited, link);
	}
	while ((link = find_newest(replies, opaque))) {
		struct display_awaited *awaited = link->data;

		*awaited = (struct display_awaited){.request = awaited->request};
	}
}

void display_replies_fail(
	struct display_replies *replies, int error, display_reply_fn handle, void *handle_opaque)
{
	unsigned int count = g_queue_get_length(&replies->awaited);

	/* A callback may add requests, forget some, or finish us. */
	for (; count > 0; count--) {
		g_autofree struct display_awaited *awaited = g_queue_pop_head(&replies->awaited);

		if (!awaited)
			return;
		handle(handle_opaque, awaited, error, NULL, 0);
	}
}

static size_t reply_len(uint32_t request)
{
	switch (request) {
	case DISPLAY_GET_PROTOCOL_FEATURES:
		return sizeof(uint64_t);
	case DISPLAY_GET_DISPLAY_INFO:
		return sizeof(struct virtio_gpu_resp_display_info);
	case DISPLAY_GET_EDID:
		return sizeof(struct virtio_gpu_resp_edid);
	default:
		return 0;
	}
}

static bool is_awaited(struct display_replies *replies, uint32_t request)
{
	for (GList *link = replies->awaited.head; link; link = link->next)
		if (((struct display_awaited *)link->data)->request == request)
			return true;
	return false;
}

static int check_header(struct display_replies *replies, const struct display_header *header)
{
	if (!(header->flags & DISPLAY_FLAG_REPLY) || !is_awaited(replies, header->request) ||
		header->size != reply_len(header->request))
		return -EPROTO;
	return 0;
}

/* Reads up to @want bytes of a message. Return: 1 when they are there, 0 later, or an errno. */
static int replies_fill(struct display_replies *replies, int socket_fd, size_t want)
{
	while (replies->buf_len < want) {
		ssize_t len = recv(socket_fd, replies->buf + replies->buf_len,
			want - replies->buf_len, MSG_DONTWAIT);

		if (len == 0)
			return -ECONNRESET;
		if (len < 0 && errno == EAGAIN)
			return 0;
		if (len < 0 && errno != EINTR)
			return -errno;
		if (len > 0)
			replies->buf_len += (size_t)len;
	}
	return 1;
}

/* Return: 1 when a whole answer is in the buffer, 0 later, or a negative errno. */
static int fill_message(
	struct display_replies *replies, int socket_fd, struct display_header *ret_header)
{
	int ret = replies_fill(replies, socket_fd, sizeof(*ret_header));

	if (ret <= 0)
		return ret;
	memcpy(ret_header, replies->buf, sizeof(*ret_header));
	ret = check_header(replies, ret_header);
	if (ret < 0)
		return ret;
	return replies_fill(replies, socket_fd, sizeof(*ret_header) + ret_header->size);
}

/* Hands the answer in the buffer to the oldest request of its type. */
static void replies_dispatch(struct display_replies *replies, const struct display_header *header,
	display_reply_fn handle, void *opaque)
{
	bool matched = false;

	while (!matched && !replies->finished) {
		g_autofree struct display_awaited *awaited = g_queue_pop_head(&replies->awaited);

		if (!awaited)
			return;
		matched = awaited->request == header->request;
		handle(opaque, awaited, matched ? 0 : -EIO, replies->buf + sizeof(*header),
			header->size);
	}
}

int display_replies_read(
	struct display_replies *replies, int socket_fd, display_reply_fn handle, void *opaque)
{
	struct display_header header;

	while (!replies->finished) {
		int ret = fill_message(replies, socket_fd, &header);

		if (ret <= 0)
			return ret;
		replies->buf_len = 0;
		replies_dispatch(replies, &header, handle, opaque);
	}
	return 0;
}
