/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The contract between the device and a display: where scanouts are shown. The only header of
 * ours, util/ aside, that a display includes.
 *
 * All hooks and callbacks run on the main loop's thread. No hook waits for anybody. A hook that
 * needs the other side's answer, or room in its socket, returns DISPLAY_PENDING and calls @done
 * later, once, from the main loop; the device parks the command and stops its control queue
 * until then, so at most one command's requests are pending at a time (one flush may have one
 * request for each scanout). A hook that is done at once returns 0 and does not call @done.
 */
#pragma once

#include "gpu/renderer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** DISPLAY_PENDING - Returned by a hook that will call @done. */
#define DISPLAY_PENDING 1

/** Side of a cursor image, pixels (vhost-user-gpu: VhostUserGpuCursorUpdate.data). */
#define DISPLAY_CURSOR_SIZE 64

struct display;

/**
 * display_done_fn - A pending request is over
 * @error: 0, or a negative errno: -ECONNRESET where the other side is gone
 * @data: answer of a get_*() hook, valid for the call; else NULL
 * @len: bytes in @data
 */
typedef void (*display_done_fn)(void *opaque, int error, const void *data, size_t len);

/** struct display_pixels - Lines of x8r8g8b8 (a 32-bit word of this machine) in our memory */
struct display_pixels {
	const void *data; /* the rectangle's first pixel */
	size_t stride;	  /* bytes from line to line */
};

/** struct display_cursor - Where the cursor is; pixels, signed where a hot spot reaches out */
struct display_cursor {
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t hot_x;
	uint32_t hot_y;
};

/** struct display_ops - The hooks */
struct display_ops {
	void (*destroy)(struct display *display);

	/**
	 * Forget all pending requests: their @done is not called any more. What was half sent is
	 * sent to its end from a copy, so pixels are not read after this.
	 */
	void (*cancel)(struct display *display);

	/**
	 * Answer: struct virtio_gpu_resp_display_info, its hdr unset, little-endian as the guest
	 * sees it.
	 */
	int (*get_display_info)(struct display *display, display_done_fn done, void *opaque);

	/** Answer: struct virtio_gpu_resp_edid, its hdr unset, little-endian. */
	int (*get_edid)(
		struct display *display, uint32_t scanout_id, display_done_fn done, void *opaque);

	/** A scanout now shows @width x @height pixels that come by update(); 0 x 0: nothing. */
	void (*scanout)(
		struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height);

	/**
	 * Show pixels in @rect of the scanout (never before scanout(), never outside it). They
	 * are read until the request is done or cancelled.
	 */
	int (*update)(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
		const struct display_pixels *pixels, display_done_fn done, void *opaque);

	/**
	 * A scanout now shows the part @rect of a dma-buf. @dmabuf->fd is borrowed.
	 * Return: 0, or -ENOTSUP: show it by scanout() and update().
	 */
	int (*scanout_dmabuf)(struct display *display, uint32_t scanout_id,
		const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect);

	/** The dma-buf changed inside @rect of the scanout. Done when the other side has shown it. */
	int (*update_dmabuf)(struct display *display, uint32_t scanout_id,
		const struct gpu_rect *rect, display_done_fn done, void *opaque);

	/**
	 * Show a cursor.
	 * @pixels: DISPLAY_CURSOR_SIZE squared, a8r8g8b8 words, top line first
	 */
	void (*cursor_update)(struct display *display, const struct display_cursor *cursor,
		const uint32_t *pixels);
	void (*cursor_move)(struct display *display, const struct display_cursor *cursor);
	void (*cursor_hide)(struct display *display, const struct display_cursor *cursor);
};

/**
 * struct display_events - Calls upward, never from inside a hook; each may destroy the display
 */
struct display_events {
	/** The display can be used now (see @ready); queues may go on. */
	void (*ready)(void *opaque);

	/** The other side hung up or broke the protocol: nothing is shown any more. */
	void (*closed)(void *opaque);
};

/**
 * struct display - Base of every display, embedded as its first member
 * @ready: false while it still negotiates: the device then leaves the queues alone
 * @wants_pixels: update() shows something; otherwise no pixels are read back for it
 * @accepts_dmabuf: scanout_dmabuf() may work
 */
struct display {
	const struct display_ops *ops;
	bool ready;
	bool wants_pixels;
	bool accepts_dmabuf;
};
