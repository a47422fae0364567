/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "display/lending.h"
#include "gpu/display.h"
#include "util/pool.h"

#include <glib.h>

/** enum display_message_kind - What may happen to a message that is still whole in the queue */
enum display_message_kind {
	DISPLAY_MESSAGE_KEPT = 1 << 0,	       /* nothing: it is sent */
	DISPLAY_MESSAGE_REQUEST = 1 << 1,      /* dropped when its command is cancelled */
	DISPLAY_MESSAGE_UPDATE = 1 << 2,       /* the same; carries pixels */
	DISPLAY_MESSAGE_SCANOUT = 1 << 3,      /* gives way to a newer one of its scanout */
	DISPLAY_MESSAGE_CURSOR_SHAPE = 1 << 4, /* gives way to a newer shape */
	DISPLAY_MESSAGE_CURSOR_MOVE = 1 << 5,  /* gives way to a newer shape or position */
};

/**
 * struct display_message - A message to send, or several that are done together
 * @head: header and payload, without pixels; copied if it has to wait
 * @head_len: bytes
 * @lines_per_head: of pixels too many for one message: the lines behind each head, and @head is as many
 *	heads as that takes; 0: all lines are behind the only one
 * @fd: sent along; borrowed; -1 for none
 * @pixels: first pixel of what follows the head, or NULL; read until @done
 * @stride: bytes from line to line of @pixels
 * @line_len: bytes in a line
 * @line_count: lines
 * @are_lendable, @fetch, @fetch_opaque: of the pixels, see struct display_pixels
 * @done: called when a message that had to wait is sent, or NULL
 * @opaque: passed to @done; names the owner of a request for display_socket_cancel()
 */
struct display_message {
	enum display_message_kind kind;
	uint32_t scanout_id;
	const void *head;
	size_t head_len;
	size_t lines_per_head;
	int fd;
	const void *pixels;
	size_t stride;
	size_t line_len;
	size_t line_count;
	bool are_lendable;
	void (*fetch)(void *opaque, uint32_t line_count);
	void *fetch_opaque;
	display_done_fn done;
	void *opaque;
};

/** struct display_socket_events - Calls to the owner of a socket */
struct display_socket_events {
	/** From the main loop: call display_socket_flush(). */
	void (*writable)(void *opaque);

	/** The socket failed. May come from inside any function here: only note it. */
	void (*broken)(void *opaque);
};

/*
 * Of one sendmsg(): the head and lines; the kernel's limit is 1024. A frame that is not cut out
 * of a wider one is a single element.
 */
#define DISPLAY_SOCKET_MAX_IOVS 512

/* Small messages are packed: one of 64 x 64 pixels. */
#define DISPLAY_SOCKET_MAX_PACKED_LEN (17u << 10)

/**
 * struct display_socket - The sending half of a display socket: a queue of messages
 *
 * Messages leave in order and whole. Of several that are done together, those that were not begun can be
 * dropped without the others. The queue is empty most of the time: a message that fits
 * into the socket is never copied. Pages of large pictures are lent to the socket, and such a message
 * waits until the other side has read them. All functions run on the main loop's thread.
 */
struct display_socket {
	int fd; /* owned; -1 when closed */
	GMainContext *context;
	struct lending lending;
	GQueue queue;
	struct pool pool; /* what was in the queue */
	GSource *
		write_source; /* NULL before the queue was first used; waits while it is not empty */
	const struct display_socket_events *events;
	void *opaque;
	/* For the call that sends: too large for the stack, which is filled at each call. */
	struct iovec iovs[DISPLAY_SOCKET_MAX_IOVS];
	uint8_t packed[DISPLAY_SOCKET_MAX_PACKED_LEN];
};

/** display_socket_init() - Take @fd, a connected stream socket, and enlarge its send buffer. */
void display_socket_init(struct display_socket *socket, int fd, GMainContext *context,
	const struct display_socket_events *events, void *opaque);

/** display_socket_finish() - Close; waiting messages are dropped and not done. May be repeated. */
void display_socket_finish(struct display_socket *socket);

/**
 * display_socket_send() - Send a message, or queue it
 *
 * Return: 0 when it is on its way, DISPLAY_PENDING when it waits (and @done is to come), or a
 * negative errno when the socket failed; broken() was called then.
 */
int display_socket_send(struct display_socket *socket, const struct display_message *message);

/** display_socket_flush() - Send what waits, as much as goes; calls the done functions. */
void display_socket_flush(struct display_socket *socket);

/**
 * display_socket_drop() - Drop messages about a scanout of which no byte was sent
 * @kinds: enum display_message_kind, or'ed
 *
 * They are not done.
 */
void display_socket_drop(struct display_socket *socket, unsigned int kinds, uint32_t scanout_id);

/** display_socket_has_unbegun() - Would display_socket_cancel() drop an update of @opaque, or a part of one? */
bool display_socket_has_unbegun(const struct display_socket *socket, const void *opaque);

/**
 * display_socket_cancel() - Drop the requests and updates of @opaque that are still whole
 *
 * A half-sent one is copied and sent to its end, without a done: the caller's pixels are not read
 * after this, and pages that were lent are the caller's again. Of several that are done together, that is
 * the one that was begun last; those behind it are dropped. Return: number of DISPLAY_MESSAGE_REQUEST
 * dropped.
 */
unsigned int display_socket_cancel(struct display_socket *socket, const void *opaque);

/** display_socket_fail() - Drop all messages and call their done functions with @error. */
void display_socket_fail(struct display_socket *socket, int error);
