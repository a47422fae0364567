/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The front-end's side of the vhost-user-gpu display socket, in a thread of its own as QEMU's main
 * loop is. It keeps the picture of each output, and looks at what comes: the bench writes the
 * number of the frame into each DISPLAY_STEP-th pixel, and a picture that arrives has one number
 * in all of them, none older than what it shows already. The whole picture is compared at the end
 * of a measurement.
 */
#pragma once

#include "display/wire.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SCREEN_MAX_OUTPUTS 16

/** Pixels are compared without their fourth byte. */
#define SCREEN_RGB 0xffffffu

/** How long a picture may take on its way, seconds */
#define SCREEN_PATIENCE 20

/** How long an output may have no picture at all: the device has answered all commands by then */
#define SCREEN_SILENCE 4

/**
 * struct screen_output - What an output shows
 * @pixels: @width x @height of x8r8g8b8; NULL where it shows nothing or a dma-buf
 * @step: each @step-th pixel of each @step-th row has the number of the frame; 0: none is looked at
 * @number: the newest that came
 * @newest: the newest that was drawn; no number that comes is beyond it
 * @shown_pixels: of all updates so far
 * @last_update: when the last one had come, seconds
 */
struct screen_output {
	uint32_t width;
	uint32_t height;
	uint32_t *pixels;
	uint32_t step;
	uint32_t number;
	uint32_t newest;
	uint64_t shown_pixels;
	double last_update;
	bool is_dmabuf;
};

/**
 * struct screen - One display socket
 * @lock: protects all but the pixels, which only the thread writes
 * @changed: signalled after each message
 * @cursor_x, @cursor_y, @cursor_count: of CURSOR_POS
 * @wrong: the first thing that was wrong, or NULL
 */
struct screen {
	int fd;
	GThread *thread;
	GMutex lock;
	GCond changed;
	uint32_t width;
	uint32_t height;
	uint32_t output_count;
	struct screen_output output[SCREEN_MAX_OUTPUTS];
	uint32_t cursor_x;
	uint32_t cursor_y;
	uint64_t cursor_count;
	char *wrong;
	bool is_closed;
};

/**
 * screen_start() - Begin to serve
 * @width, @height, @output_count: what the guest is told of the outputs
 * @ret_peer_fd: the other end, owned by the caller
 *
 * Return: 0 or a negative errno.
 */
int screen_start(struct screen *screen, uint32_t width, uint32_t height, uint32_t output_count,
	int *ret_peer_fd);

/** screen_stop() - Hang up and forget all; fine for one that never started. */
void screen_stop(struct screen *screen);

/** screen_watch() - From now on look for numbers of frames in the pictures of @scanout. */
void screen_watch(struct screen *screen, uint32_t scanout, uint32_t step);

/** screen_set_newest() - A frame of this number is about to be drawn. */
void screen_set_newest(struct screen *screen, uint32_t scanout, uint32_t number);

/**
 * screen_wait() - Until so many pixels have been shown on @scanout, and the newest frame with them
 * @shown_pixels: since the start; a display that leaves frames out never gets there
 *
 * Return: 0; -ETIMEDOUT where nothing came; -EILSEQ where something wrong came, in @wrong.
 */
int screen_wait(struct screen *screen, uint32_t scanout, uint64_t shown_pixels);

/** screen_wait_cursor() - Until the cursor is there. Return: 0 or -ETIMEDOUT. */
int screen_wait_cursor(struct screen *screen, uint32_t x, uint32_t y);

/**
 * screen_compare_row() - Is a rectangle of the picture what it should be?
 * @expected: @width pixels
 *
 * Return: 0; -EILSEQ, and @wrong says which pixel. Pictures in dma-bufs are not looked at.
 */
int screen_compare_row(struct screen *screen, uint32_t scanout, uint32_t x, uint32_t y,
	uint32_t width, const uint32_t *expected);

/** screen_is_shown() - Has @scanout a picture, of whichever kind? */
bool screen_is_shown(struct screen *screen, uint32_t scanout);

/** screen_is_dmabuf() - Is it one whose pixels are not looked at? */
bool screen_is_dmabuf(struct screen *screen, uint32_t scanout);

/** screen_shown_pixels() - Of all updates of @scanout so far */
uint64_t screen_shown_pixels(struct screen *screen, uint32_t scanout);

/** screen_wrong() - The first thing that was wrong, or NULL; valid until screen_stop() */
const char *screen_wrong(struct screen *screen);
