/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Words of virgl streams. Keeps nothing. */
#include "bench/stream.h"

#include <linux/virtio_gpu.h>
#include <string.h>

enum {
	CREATE_OBJECT = 1,
	SET_VIEWPORT_STATE = 4,
	SET_FRAMEBUFFER_STATE = 5,
	CLEAR = 7,
};

#define OBJECT_SURFACE 8
#define CLEAR_COLOR0   (1u << 2)
#define SURFACE_HANDLE 1

static uint32_t *put_header(uint32_t *words, uint32_t command, uint32_t object, uint32_t len)
{
	*words = command | object << 8 | len << 16;
	return words + 1;
}

static uint32_t *put_float(uint32_t *words, float value)
{
	memcpy(words, &value, sizeof(value));
	return words + 1;
}

uint32_t *stream_target(uint32_t *words, uint32_t resource)
{
	words = put_header(words, CREATE_OBJECT, OBJECT_SURFACE, 5);
	*words++ = SURFACE_HANDLE;
	*words++ = resource;
	*words++ = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
	*words++ = 0;
	*words++ = 0;
	words = put_header(words, SET_FRAMEBUFFER_STATE, 0, 3);
	*words++ = 1;
	*words++ = 0;
	*words++ = SURFACE_HANDLE;
	return words;
}

uint32_t *stream_clear(uint32_t *words, uint32_t rgb)
{
	words = put_header(words, CLEAR, 0, 8);
	*words++ = CLEAR_COLOR0;
	for (int shift = 16; shift >= 0; shift -= 8)
		words = put_float(words, (float)(rgb >> shift & 0xff) / 255.0f);
	words = put_float(words, 1.0f);
	*words++ = 0;
	*words++ = 0;
	*words++ = 0;
	return words;
}

static uint32_t *put_viewport(uint32_t *words, float size)
{
	words = put_header(words, SET_VIEWPORT_STATE, 0, 7);
	*words++ = 0;
	for (int i = 0; i < 6; i++)
		words = put_float(words, i % 3 == 2 ? 0.5f : size / 2);
	return words;
}

uint32_t *stream_large(uint32_t *words, uint32_t rgb)
{
	for (int i = 0; i < STREAM_LARGE_COUNT; i++)
		words = put_viewport(words, (float)(1 + i % 64));
	return stream_clear(words, rgb);
}
