/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Formats that the capsets have room for; all that are known are below. */
#define RENDERER_VIRGL_FORMAT_COUNT 512

/* Bytes of a capset up to its sets of formats: its version, and formats to sample from, to draw into, of
 * depth */
#define RENDERER_VIRGL_MIN_CAPS_LEN (4 + 3 * RENDERER_VIRGL_FORMAT_COUNT / 8)

/**
 * struct renderer_virgl_format - How the pixels of a format lie in memory
 * @len: bytes of a block
 * @width, @height: of a block, pixels; 1 but for compressed formats
 */
struct renderer_virgl_format {
	uint8_t len;
	uint8_t width;
	uint8_t height;
};

/**
 * renderer_virgl_format_find() - Look a format of a texture up
 * @format: the protocol's number
 *
 * Return: false for a format that no texture may have: the library has none for it, or the library and
 * OpenGL do not agree on its size.
 */
bool renderer_virgl_format_find(uint32_t format, struct renderer_virgl_format *ret_format);

/** renderer_virgl_format_is_depth() - Has it depth or stencil? */
bool renderer_virgl_format_is_depth(uint32_t format);

/** renderer_virgl_format_is_compressed() - Has it blocks of several pixels? */
bool renderer_virgl_format_is_compressed(uint32_t format);

/**
 * renderer_virgl_formats_limit() - Take the formats that no texture may have out of a capset
 * @caps: the capset of VIRGL or VIRGL2
 * @len: bytes
 */
void renderer_virgl_formats_limit(uint32_t *caps, size_t len);
