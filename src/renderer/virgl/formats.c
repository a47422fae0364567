/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The formats that a texture may have, by their numbers in the virgl protocol (enum virgl_formats of
 * virgl_hw.h), and how many bytes OpenGL takes for them.
 *
 * The library counts the bytes of a transfer by its own description of the format (u_format), and lets
 * OpenGL read or write what follows from the format and type in its table of textures (vrend_formats.c).
 * In 0.10.4 to 1.3.0 the two were compared for each format of that table. They agree for all but two,
 * which are left out here:
 *
 *	R8G8_R8B8_UNORM (227)	2 bytes for a pixel, but OpenGL takes 4: it reads what is behind the memory,
 *				or writes nothing into it
 *	X24S8_UINT (136)	4 bytes, but OpenGL takes 1: it writes a quarter of the memory. Drivers look
 *				at the stencil of other textures through it and make none that has it.
 */
#include "renderer/virgl/formats.h"

#include <glib.h>

/* Where the sets of formats stand in a capset, words: behind the version, 16 words each */
#define CAPS_SETS      1
#define CAPS_SET_COUNT 3 /* to sample from, to draw into, of depth */

enum {
	X24S8_UINT = 136,
	X32_S8X24_UINT = 138,
};

#define MAX_RUN 10

/* Formats with numbers that follow each other, and the bytes of a pixel; 0: none has this number */
static const struct {
	uint16_t first;
	uint8_t lens[MAX_RUN];
} pixels[] = {
	{1, {4, 4, 4, 4, 2, 2, 2, 4, 1, 1}},   /* B8G8R8A8_UNORM to A8_UNORM */
	{13, {2}},			       /* L16_UNORM */
	{16, {2, 4, 4, 0, 4, 4}},	       /* Z16_UNORM to Z24X8_UNORM */
	{28, {4, 8, 12, 16}},		       /* R32_FLOAT to R32G32B32A32_FLOAT */
	{48, {2, 4, 0, 8}},		       /* R16_UNORM to R16G16B16A16_UNORM */
	{56, {2, 4, 0, 8}},		       /* R16_SNORM to R16G16B16A16_SNORM */
	{64, {1, 2, 0, 4}},		       /* R8_UNORM to R8G8B8A8_UNORM */
	{74, {1, 2, 0, 4}},		       /* R8_SNORM to R8G8B8A8_SNORM */
	{91, {2, 4, 0, 8}},		       /* R16_FLOAT to R16G16B16A16_FLOAT */
	{95, {1}},			       /* L8_SRGB */
	{100, {4, 4}},			       /* B8G8R8A8_SRGB, B8G8R8X8_SRGB */
	{104, {4}},			       /* R8G8B8A8_SRGB */
	{121, {4, 2}},			       /* A8B8G8R8_UNORM, B5G5R5X1_UNORM */
	{124, {4, 4, 8}},		       /* R11G11B10_FLOAT to Z32_FLOAT_S8X24_UINT */
	{131, {4}},			       /* B10G10R10A2_UNORM */
	{134, {4, 2}},			       /* R8G8B8X8_UNORM, B4G4R4X4_UNORM */
	{139, {1}},			       /* B2G3R3_UNORM */
	{141, {2}},			       /* A16_UNORM */
	{147, {1, 1, 2}},		       /* A8_SNORM to L8A8_SNORM */
	{151, {2, 2, 4}},		       /* A16_SNORM to L16A16_SNORM */
	{155, {2, 2, 4}},		       /* A16_FLOAT to L16A16_FLOAT */
	{159, {4, 4, 8}},		       /* A32_FLOAT to L32A32_FLOAT */
	{177, {1, 2, 0, 4}},		       /* R8_UINT to R8G8B8A8_UINT */
	{181, {1, 2, 0, 4}},		       /* R8_SINT to R8G8B8A8_SINT */
	{185, {2, 4, 0, 8}},		       /* R16_UINT to R16G16B16A16_UINT */
	{189, {2, 4, 0, 8}},		       /* R16_SINT to R16G16B16A16_SINT */
	{193, {4, 8, 12, 16}},		       /* R32_UINT to R32G32B32A32_UINT */
	{197, {4, 8, 12, 16}},		       /* R32_SINT to R32G32B32A32_SINT */
	{201, {1, 0, 1, 2, 1, 0, 1, 2}},       /* A8_UINT to L8A8_SINT, without intensity */
	{209, {2, 0, 2, 4, 2, 0, 2, 4}},       /* A16_UINT to L16A16_SINT */
	{217, {4, 0, 4, 8, 4, 0, 4, 8}},       /* A32_UINT to L32A32_SINT */
	{225, {4}},			       /* B10G10R10A2_UINT */
	{229, {4, 4, 4, 4, 4, 8, 8, 8, 8, 8}}, /* R8G8B8X8_SNORM to R16G16B16X16_SINT */
	{253, {4}},			       /* R10G10B10A2_UINT */
	{308, {4}},			       /* R10G10B10X2_UNORM */
	{311, {2, 1, 2}},		       /* A4B4G4R4_UNORM, R8_SRGB, R8G8_SRGB */
};

/* Compressed ones */
static const struct {
	uint16_t first;
	uint16_t last;
	struct renderer_virgl_format format;
} blocks[] = {
	{105, 106, {8, 4, 4}},	/* DXT1 */
	{107, 108, {16, 4, 4}}, /* DXT3, DXT5 */
	{109, 110, {8, 4, 4}},	/* DXT1, sRGB */
	{111, 112, {16, 4, 4}}, /* DXT3, DXT5, sRGB */
	{113, 114, {8, 4, 4}},	/* RGTC1 */
	{115, 116, {16, 4, 4}}, /* RGTC2 */
	{255, 258, {16, 4, 4}}, /* BPTC */
	{269, 272, {8, 4, 4}},	/* ETC2_RGB8, with one bit of alpha as well */
	{273, 274, {16, 4, 4}}, /* ETC2_RGBA8 */
	{275, 276, {8, 4, 4}},	/* ETC2_R11 */
	{277, 278, {16, 4, 4}}, /* ETC2_RG11 */
};

#define ASTC	   279 /* ASTC_4x4, and the other sizes in this order */
#define ASTC_SRGB  293
#define ASTC_BYTES 16

static const struct renderer_virgl_format astc[] = {
	{ASTC_BYTES, 4, 4},
	{ASTC_BYTES, 5, 4},
	{ASTC_BYTES, 5, 5},
	{ASTC_BYTES, 6, 5},
	{ASTC_BYTES, 6, 6},
	{ASTC_BYTES, 8, 5},
	{ASTC_BYTES, 8, 6},
	{ASTC_BYTES, 8, 8},
	{ASTC_BYTES, 10, 5},
	{ASTC_BYTES, 10, 6},
	{ASTC_BYTES, 10, 8},
	{ASTC_BYTES, 10, 10},
	{ASTC_BYTES, 12, 10},
	{ASTC_BYTES, 12, 12},
};

static bool find_blocks(uint32_t format, struct renderer_virgl_format *ret_format)
{
	for (size_t i = 0; i < G_N_ELEMENTS(blocks); i++) {
		if (format < blocks[i].first || format > blocks[i].last)
			continue;
		*ret_format = blocks[i].format;
		return true;
	}
	if (format < ASTC || format >= ASTC_SRGB + G_N_ELEMENTS(astc))
		return false;
	*ret_format = astc[format < ASTC_SRGB ? format - ASTC : format - ASTC_SRGB];
	return true;
}

bool renderer_virgl_format_find(uint32_t format, struct renderer_virgl_format *ret_format)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pixels); i++) {
		if (format < pixels[i].first || format - pixels[i].first >= MAX_RUN ||
			pixels[i].lens[format - pixels[i].first] == 0)
			continue;
		*ret_format = (struct renderer_virgl_format){
			pixels[i].lens[format - pixels[i].first], 1, 1};
		return true;
	}
	return find_blocks(format, ret_format);
}

/* Z16, Z32 and Z24S8 of all kinds, S8; Z32_S8X24; X24S8, S8X24, X32_S8X24 */
bool renderer_virgl_format_is_depth(uint32_t format)
{
	return (format >= 16 && format <= 23) || format == 126 ||
	       (format >= X24S8_UINT && format <= X32_S8X24_UINT);
}

bool renderer_virgl_format_is_compressed(uint32_t format)
{
	struct renderer_virgl_format ignored;

	return find_blocks(format, &ignored);
}

/* Stencil can be looked at, though no texture has these formats. */
static bool is_known(uint32_t format)
{
	struct renderer_virgl_format ignored;

	return renderer_virgl_format_find(format, &ignored) ||
	       (format >= X24S8_UINT && format <= X32_S8X24_UINT);
}

void renderer_virgl_formats_limit(uint32_t *caps, size_t len)
{
	if (len < RENDERER_VIRGL_MIN_CAPS_LEN)
		return;
	for (uint32_t i = 0; i < CAPS_SET_COUNT * RENDERER_VIRGL_FORMAT_COUNT; i++)
		if (!is_known(i % RENDERER_VIRGL_FORMAT_COUNT))
			caps[CAPS_SETS + i / 32] &= ~(UINT32_C(1) << i % 32);
}
