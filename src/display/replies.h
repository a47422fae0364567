/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "display/wire.h"

#include <glib.h>
#include <stdbool.h>

/** Longest payload of an answer, bytes. */
#define DISPLAY_MAX_REPLY_LEN sizeof(struct virtio_gpu_resp_edid)

/** Answers that may be outstanding: a front-end that owes more gets no further request. */
#define DISPLAY_MAX_AWAITED 64

/**
 * struct display_awaited - A request that the front-end has to answer
 * @request: enum display_request
 * @scanout_id: for @edid_done
 * @done, @outputs_done, @edid_done: whom the answer is for; at most one. None: nobody waits any more,
 *	the answer is thrown away
 */
struct display_awaited {
	uint32_t request;
	uint32_t scanout_id;
	display_done_fn done;
	display_outputs_fn outputs_done;
	display_edid_fn edid_done;
	void *opaque;
};

/**
 * display_reply_fn - Handle an answer; may destroy everything
 * @error: 0; -EIO: the front-end answered a later request and left this one out; that of
 *	display_replies_fail()
 * @payload: of the length that belongs to the request, not aligned; unset with an @error
 */
typedef void (*display_reply_fn)(void *opaque, const struct display_awaited *awaited, int error,
	const void *payload, size_t payload_len);

/** struct display_replies - The receiving half of a display socket. Main loop's thread only. */
struct display_replies {
	GQueue awaited; /* struct display_awaited, oldest first */
	uint8_t buf[sizeof(struct display_header) + DISPLAY_MAX_REPLY_LEN];
	size_t buf_len;
	bool finished;
};

void display_replies_init(struct display_replies *replies);

/** display_replies_finish() - Forget all. May be called by a display_reply_fn. */
void display_replies_finish(struct display_replies *replies);

/** display_replies_expect() - Note that a request will be answered. Return: 0 or -EBUSY. */
int display_replies_expect(struct display_replies *replies, const struct display_awaited *awaited);

/**
 * display_replies_forget() - Nobody waits for the requests of @opaque any more
 * @unsent: so many of the newest of them were never sent: no answer will come
 */
void display_replies_forget(
	struct display_replies *replies, const void *opaque, unsigned int unsent);

/** display_replies_fail() - Hand all requests to @handle with @error, oldest first. */
void display_replies_fail(
	struct display_replies *replies, int error, display_reply_fn handle, void *handle_opaque);

/**
 * display_replies_read() - Read what has come
 *
 * Return: 0; -ECONNRESET at the end of the stream; -EPROTO for what was not asked for or has the
 * wrong length; another negative errno.
 */
int display_replies_read(
	struct display_replies *replies, int socket_fd, display_reply_fn handle, void *opaque);
