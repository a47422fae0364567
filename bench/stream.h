/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The few commands of virgl that the bench draws with (virglrenderer's virgl_protocol.h), in words.
 * The daemons get the same streams as the library that the bench calls itself.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Target and uses of the texture that is drawn to: render target, sampler view, scanout. */
#define STREAM_TEXTURE_2D 2
#define STREAM_BIND	  (1u << 1 | 1u << 3 | 1u << 18)

/** Words of each piece */
#define STREAM_TARGET_WORDS   10
#define STREAM_CLEAR_WORDS    9
#define STREAM_VIEWPORT_WORDS 8

/** Commands of the large stream before its clear: 4096 x 32 bytes are 128 KiB. */
#define STREAM_LARGE_COUNT 4096

#define STREAM_LARGE_WORDS (STREAM_LARGE_COUNT * STREAM_VIEWPORT_WORDS + STREAM_CLEAR_WORDS)

/** stream_target() - Draw to this resource from now on. Return: the end of what was written. */
uint32_t *stream_target(uint32_t *words, uint32_t resource);

/** stream_clear() - Fill it with a colour, 0xRRGGBB. Return: the end of what was written. */
uint32_t *stream_clear(uint32_t *words, uint32_t rgb);

/** stream_large() - STREAM_LARGE_COUNT commands that set state, and a clear. Return: the end. */
uint32_t *stream_large(uint32_t *words, uint32_t rgb);
