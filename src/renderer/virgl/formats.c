/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Families of formats, by their numbers in the virgl protocol (enum virgl_formats, which is Gallium's
 * with gaps).
 */
#include "renderer/virgl/formats.h"

#include <glib.h>

struct range {
	uint32_t first;
	uint32_t last;
};

enum {
	X24S8_UINT = 136,
	X32_S8X24_UINT = 138,
};

/* Z16, Z32, Z24S8 and their like, S8; Z32_S8X24; X24S8, S8X24, X32_S8X24 */
static const struct range depth[] = {{16, 23}, {126, 126}, {136, 138}};

/* DXT and RGTC; subsampled; LATC; planar; ETC1; subsampled; BPTC; ETC2 and ASTC */
static const struct range compressed[] = {
	{14, 15}, {105, 118}, {143, 146}, {163, 167}, {226, 228}, {255, 258}, {269, 306}};

/* 8 and 16 bits a colour or less and 4 bytes in all, depth included; R32; R16; R8; R16F; sRGB */
static const struct range narrow[] = {{1, 23}, {28, 28}, {48, 49}, {64, 67}, {91, 92}, {95, 104}};

static bool is_in(uint32_t format, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (format >= ranges[i].first && format <= ranges[i].last)
			return true;
	return false;
}

bool renderer_virgl_format_is_depth(uint32_t format)
{
	return is_in(format, depth, G_N_ELEMENTS(depth));
}

bool renderer_virgl_format_is_stencil_view(uint32_t format)
{
	return format >= X24S8_UINT && format <= X32_S8X24_UINT;
}

bool renderer_virgl_format_is_compressed(uint32_t format)
{
	return is_in(format, compressed, G_N_ELEMENTS(compressed));
}

bool renderer_virgl_format_is_narrow(uint32_t format)
{
	return is_in(format, narrow, G_N_ELEMENTS(narrow));
}
