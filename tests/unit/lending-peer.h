/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Both ends of a display socket, for tests: a picture to send, and the front-end that reads it. The
 * test decides how much is read, and knows from FIONREAD how much was sent, so that there are no
 * clocks. All that is read is compared with the picture as it was drawn.
 *
 * Whoever has his pixels back writes over all of them at once: what the reader sees of that should
 * have been waited for, or copied.
 */
#pragma once

#include "display/socket.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_HEAD_LEN 32

/** struct peer_picture - Lines in lendable memory */
struct peer_picture {
	uint8_t *memory;
	size_t memory_len;
	size_t offset; /* of the first pixel */
	size_t stride;
	size_t line_len;
	size_t line_count;
	bool are_lendable;
};

/**
 * struct peer - A socket with its two ends, and one picture
 * @send_len: size of the send buffer, as the kernel counts
 * @expected: what the reader gets, the head first, @total bytes; @received: how many of them he has
 * @head_len: of @expected
 * @fetched: lines, by the message's fetch(), in @fetch_count calls
 * @may_fetch: while display_socket_send() runs
 * @reads_in_fetch: the reader empties the socket each time
 * @hangs_up_in_fetch: the reader leaves at the third time
 * @done_count: calls of the message's done(), with @error
 */
struct peer {
	unsigned int fds_before;
	GMainContext *context;
	struct display_socket socket;
	int fd;
	size_t send_len;
	struct peer_picture picture;
	uint8_t *expected;
	size_t total;
	size_t received;
	size_t head_len;
	size_t fetched;
	unsigned int fetch_count;
	bool may_fetch;
	bool reads_in_fetch;
	bool hangs_up_in_fetch;
	unsigned int done_count;
	int error;
	unsigned int broken_count;
};

struct peer *peer_start(void);

/** peer_stop() - Take all down, and check that no descriptor is left open. */
void peer_stop(struct peer *peer);

/** peer_hang_up() - The reader leaves. */
void peer_hang_up(struct peer *peer);

/** peer_iterate() - Run the main loop until it has nothing to do. */
void peer_iterate(struct peer *peer);

/* Pictures */

/** peer_fitting_len() - Length of a picture that fits into the socket and is lent. */
size_t peer_fitting_len(const struct peer *peer);

/** peer_long_len() - Of one that is sent in several parts. */
size_t peer_long_len(const struct peer *peer);

/**
 * peer_draw() - Draw a new picture, and expect it
 * @len: bytes, about
 * @line_len: bytes in a line
 * @gap: bytes between two lines, and in front of the first, which nobody is sent
 */
struct peer_picture *peer_draw(struct peer *peer, size_t len, size_t line_len, size_t gap);

/** peer_write_all() - Write over the picture. What is expected stays. */
void peer_write_all(struct peer *peer);

/** peer_free_picture() - Its memory goes. */
void peer_free_picture(struct peer *peer);

/** peer_send() - Return: as display_socket_send(). */
int peer_send(struct peer *peer);

/** peer_send_fetching() - The same, with nothing in the picture before fetch() is called. */
int peer_send_fetching(struct peer *peer);

/* The reader */

/** peer_unread() - Bytes that were sent and not read. */
size_t peer_unread(const struct peer *peer);

bool peer_is_all_sent(const struct peer *peer);

/** peer_read() - Read @max bytes, or what there is. Return: how many. */
size_t peer_read(struct peer *peer, size_t max);

/** peer_read_rest() - Read to the picture's end; the socket goes on after every @step bytes. */
void peer_read_rest(struct peer *peer, size_t step);

/** peer_finish_picture() - The same, and nothing is left of it then; it was done so often. */
void peer_finish_picture(struct peer *peer, unsigned int done_count);

unsigned int peer_count_fds(void);
