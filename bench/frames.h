/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Frames of a 2D guest: drawn, transferred, flushed, and seen to arrive. */
#pragma once

#include "bench/image.h"

#define FRAMES_MAX_OUTPUTS 2

/**
 * struct frames - A guest that draws
 * @output_count: outputs, each with an image of its own
 * @damage: side of what changes in a frame, pixels; 0: all of it
 * @seed: of the pattern in the pictures
 * @number: of the newest frame
 * @flushed_pixels: by output, since the start
 */
struct frames {
	struct guest *guest;
	struct image image[FRAMES_MAX_OUTPUTS];
	uint32_t output_count;
	uint32_t damage;
	uint32_t seed;
	uint32_t number;
	uint64_t flushed_pixels[FRAMES_MAX_OUTPUTS];
};

/** struct frames_layout - What is drawn; see struct work */
struct frames_layout {
	uint32_t width;
	uint32_t height;
	uint32_t damage;
	uint32_t piece_len;
	bool is_blob;
	uint32_t output_count;
	uint32_t seed;
};

/**
 * frames_start() - Make the resources and show a first frame on each output
 *
 * Return: 0; -EPROTO where a command is refused; -ENODATA where nothing is shown; another negative
 * errno. frames_finish() is due in any case.
 */
int frames_start(struct frames *frames, struct guest *guest, const struct frames_layout *layout);
void frames_finish(struct frames *frames);

/** frames_draw() - One frame on each output, until the device has answered */
int frames_draw(struct frames *frames);

/** frames_settle() - Until the last frame has arrived. Return: 0 or a negative errno. */
int frames_settle(struct frames *frames);

/**
 * frames_check() - Draw one frame more, of which each pixel is new, and compare all that is shown
 *
 * With a damage, all that was drawn before is compared. Return: 0; -EILSEQ; another negative errno.
 */
int frames_check(struct frames *frames);

/**
 * frames_measure() - Draw for @seconds, settle and check
 * @ret_rate: frames that were shown in a second, of all outputs together
 */
int frames_measure(struct frames *frames, double seconds, double *ret_rate);
