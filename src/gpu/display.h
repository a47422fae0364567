/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The contract between the device and a display: something that looks at the outputs. A device has
 * any number of displays, each shown the same. The only header of ours, util/ aside, that a display
 * includes.
 *
 * All hooks and callbacks run on the main loop's thread. No hook waits for anybody. A hook that
 * needs the other side's answer, or room in its socket, returns DISPLAY_PENDING and calls its
 * callback later, once, from the main loop, unless cancel() comes before. The device's control
 * queue stands still until then, so at most one command's requests are pending at a time. A hook
 * that is done at once returns 0 and does not call back; the get_*() hooks always call back.
 *
 * A hook that is NULL means that the display does not care; gpu/display_calls.h says what the
 * device does then. Only destroy() is needed. Numbers are this machine's.
 */
#pragma once

#include "gpu/renderer.h"

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** DISPLAY_PENDING - Returned by a hook that will call back. */
#define DISPLAY_PENDING 1

/** Outputs that a device can have. */
#define DISPLAY_MAX_OUTPUTS VIRTIO_GPU_MAX_SCANOUTS

/** Side of a cursor image, pixels (vhost-user-gpu: VhostUserGpuCursorUpdate.data). */
#define DISPLAY_CURSOR_SIZE 64

/** Longest EDID that a guest can be given, bytes (struct virtio_gpu_resp_edid). */
#define DISPLAY_MAX_EDID_LEN 1024

struct display;

/**
 * struct display_output - What a display wants an output to be
 * @connected: a screen is there
 * @rect: where it stands among the others, and the size it would like; pixels
 * @flags: struct virtio_gpu_display_one's
 */
struct display_output {
	bool connected;
	struct gpu_rect rect;
	uint32_t flags;
};

/** struct display_outputs - All of them */
struct display_outputs {
	struct display_output output[DISPLAY_MAX_OUTPUTS];
};

/** struct display_edid - An output's EDID; @len: bytes used */
struct display_edid {
	uint32_t len;
	uint8_t data[DISPLAY_MAX_EDID_LEN];
};

/*
 * Callbacks. @error: 0, or a negative errno, with the answer NULL: -ECONNRESET where the other side
 * is gone. Answers are valid for the call.
 */
typedef void (*display_done_fn)(void *opaque, int error);
typedef void (*display_outputs_fn)(void *opaque, int error, const struct display_outputs *outputs);
typedef void (*display_edid_fn)(void *opaque, int error, const struct display_edid *edid);

/**
 * struct display_pixels - Lines of x8r8g8b8 (a 32-bit word of this machine) in our memory
 * @data: the rectangle's first pixel
 * @stride: bytes from line to line
 * @are_lendable: they are in memory of util/lendable.h
 * @fetch: puts the first @line_count lines there; NULL where all are. Until update() returns only,
 *	for who sends a large picture: what was just put there is still in the CPU's cache
 * @fetch_opaque: passed to @fetch
 */
struct display_pixels {
	const void *data;
	size_t stride;
	bool are_lendable;
	void (*fetch)(void *opaque, uint32_t line_count);
	void *fetch_opaque;
};

/** struct display_cursor - Where the cursor is; pixels, signed where a hot spot reaches out */
struct display_cursor {
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t hot_x;
	uint32_t hot_y;
};

/** struct display_ops - The hooks. @scanout_id is always below DISPLAY_MAX_OUTPUTS. */
struct display_ops {
	void (*destroy)(struct display *display);

	/**
	 * Forget the pending requests that were made with @opaque: their callback is not called
	 * any more. What was half sent is sent to its end from a copy, so pixels are not read
	 * after this. Return: whether something was not begun, and so will not be shown.
	 */
	bool (*cancel)(struct display *display, void *opaque);

	/**
	 * What the outputs should be. NULL: this display only looks on, another one is asked.
	 */
	int (*get_outputs)(struct display *display, display_outputs_fn done, void *opaque);

	/** NULL together with get_outputs() only. */
	int (*get_edid)(
		struct display *display, uint32_t scanout_id, display_edid_fn done, void *opaque);

	/**
	 * A scanout now shows @width x @height pixels that come by update(); 0 x 0: nothing. Said
	 * at each change of what is scanned out, also where the size stays the same.
	 */
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

	/** get_outputs() would answer something else: an output came, went, or changed its size. */
	void (*outputs_changed)(void *opaque);

	/** The other side hung up or broke the protocol: nothing is shown any more. */
	void (*closed)(void *opaque);
};

/**
 * struct display - Base of every display, embedded as its first member
 * @ready: false while it still negotiates: the device then leaves the queues alone
 * @wants_pixels: update() shows something; otherwise no pixels are read back for it
 * @fetches_pixels: update() calls display_pixels.fetch; otherwise all are there
 * @accepts_dmabuf: scanout_dmabuf() may work
 */
struct display {
	const struct display_ops *ops;
	bool ready;
	bool wants_pixels;
	bool fetches_pixels;
	bool accepts_dmabuf;
};
