/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Writes the 128 bytes by which a screen describes itself: VESA E-EDID Standard, release A2
 * (EDID 1.4), section 3. The preferred timing has CVT reduced blanking (VESA CVT 1.2, version 1):
 * no screen needs it, but a guest's driver computes its refresh rate from it.
 */
#include "util/edid.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MAX_PIXELS    4095u
#define REFRESH_HZ    60u
#define MAX_CLOCK_10K 65535u /* of a detailed timing, in 10 kHz */
#define DPI	      96u

/* Reduced blanking: pixels, but for the shortest vertical blanking, which is in microseconds. */
#define H_BLANK	   160u
#define H_FRONT	   48u
#define H_SYNC	   32u
#define V_FRONT	   3u
#define V_BACK	   6u
#define V_BLANK_US 460u
#define MAX_V_SYNC 10u

struct timing {
	uint32_t width;
	uint32_t height;
	uint32_t v_sync;
	uint32_t v_blank;
	uint32_t clock_10k;
};

struct standard_mode {
	uint16_t width;
	uint16_t height;
	uint8_t aspect; /* EDID's code: 0 16:10, 1 4:3, 2 5:4, 3 16:9 */
};

static const struct standard_mode standard_modes[] = {
	{1920, 1200, 0},
	{1920, 1080, 3},
	{1680, 1050, 0},
	{1600, 900, 3},
	{1440, 900, 0},
	{1280, 1024, 2},
	{1280, 800, 0},
	{1280, 720, 3},
};

#define STANDARD_COUNT (sizeof(standard_modes) / sizeof(standard_modes[0]))

/* CVT tells the aspect ratio by the length of the vertical sync. */
static uint32_t cvt_v_sync(uint32_t width, uint32_t height)
{
	if (width * 3 == height * 4)
		return 4;
	if (width * 9 == height * 16)
		return 5;
	if (width * 10 == height * 16)
		return 6;
	if (width * 4 == height * 5 || width * 9 == height * 15)
		return 7;
	return MAX_V_SYNC;
}

static struct timing make_timing(uint32_t width, uint32_t height)
{
	struct timing timing = {.width = width, .height = height};
	uint32_t frame_us = 1000000 / REFRESH_HZ;
	uint64_t clock_10k;

	timing.v_sync = cvt_v_sync(width, height);
	timing.v_blank = V_BLANK_US * height / (frame_us - V_BLANK_US) + 1;
	if (timing.v_blank < V_FRONT + timing.v_sync + V_BACK)
		timing.v_blank = V_FRONT + timing.v_sync + V_BACK;
	clock_10k = (uint64_t)(width + H_BLANK) * (height + timing.v_blank) * REFRESH_HZ / 10000;
	/* A screen too large for 60 Hz gets what the field can hold. CVT counts in 250 kHz. */
	timing.clock_10k = clock_10k > MAX_CLOCK_10K ? MAX_CLOCK_10K : (uint32_t)clock_10k;
	if (timing.clock_10k > 25)
		timing.clock_10k -= timing.clock_10k % 25;
	return timing;
}

static uint32_t to_mm(uint32_t pixels)
{
	return pixels * 254 / (DPI * 10);
}

static uint8_t to_cm(uint32_t pixels)
{
	uint32_t cm = (to_mm(pixels) + 5) / 10;

	return cm > 0 ? (uint8_t)cm : 1;
}

static void write_identity(uint32_t scanout_id, uint8_t *edid)
{
	static const uint8_t magic[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
	const uint16_t vendor = ('V' - '@') << 10 | ('D' - '@') << 5 | ('G' - '@');
	uint32_t serial = scanout_id + 1;

	memcpy(edid, magic, sizeof(magic));
	edid[8] = vendor >> 8;
	edid[9] = vendor & 0xff;
	edid[10] = 1; /* product code */
	for (int i = 0; i < 4; i++)
		edid[12 + i] = (uint8_t)(serial >> (8 * i));
	edid[16] = 255; /* the next is the model's year, not a date of manufacture */
	edid[17] = 2026 - 1990;
	edid[18] = 1;
	edid[19] = 4;
}

static void write_features(const struct timing *timing, uint8_t *edid)
{
	/* Chromaticities of sRGB. */
	static const uint8_t srgb[] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};

	edid[20] = 0xa5; /* digital, 8 bits for a colour, as a DisplayPort */
	edid[21] = to_cm(timing->width);
	edid[22] = to_cm(timing->height);
	edid[23] = 120;	 /* gamma 2.2 */
	edid[24] = 0x07; /* sRGB; the preferred timing is the native one; any frequency */
	memcpy(edid + 25, srgb, sizeof(srgb));
}

/* Offers the common modes that fit. */
static void write_common_modes(const struct timing *timing, uint8_t *edid)
{
	uint8_t *entry = edid + 38;

	if (timing->width >= 640 && timing->height >= 480)
		edid[35] |= 0x20;
	if (timing->width >= 800 && timing->height >= 600)
		edid[35] |= 0x01;
	if (timing->width >= 1024 && timing->height >= 768)
		edid[36] |= 0x08;
	memset(entry, 0x01, 2 * STANDARD_COUNT);
	for (unsigned int i = 0; i < STANDARD_COUNT; i++) {
		const struct standard_mode *mode = &standard_modes[i];

		if (mode->width > timing->width || mode->height > timing->height)
			continue;
		entry[0] = (uint8_t)(mode->width / 8 - 31);
		entry[1] = (uint8_t)(mode->aspect << 6 | (REFRESH_HZ - 60));
		entry += 2;
	}
}

/* E-EDID A2, section 3.10.2. */
static void write_preferred(const struct timing *timing, uint8_t *block)
{
	uint32_t mm_width = to_mm(timing->width);
	uint32_t mm_height = to_mm(timing->height);

	block[0] = timing->clock_10k & 0xff;
	block[1] = (uint8_t)(timing->clock_10k >> 8);
	block[2] = timing->width & 0xff;
	block[3] = H_BLANK;
	block[4] = (uint8_t)(timing->width >> 8 << 4);
	block[5] = timing->height & 0xff;
	block[6] = timing->v_blank & 0xff;
	block[7] = (uint8_t)(timing->height >> 8 << 4 | timing->v_blank >> 8);
	block[8] = H_FRONT;
	block[9] = H_SYNC;
	block[10] = (uint8_t)(V_FRONT << 4 | timing->v_sync);
	block[12] = mm_width & 0xff;
	block[13] = mm_height & 0xff;
	block[14] = (uint8_t)(mm_width >> 8 << 4 | mm_height >> 8);
	block[17] = 0x1a; /* separate syncs, horizontal positive, vertical negative */
}

static void write_text(uint8_t tag, const char *text, uint8_t *block)
{
	size_t len = strlen(text);

	block[3] = tag;
	memset(block + 5, ' ', 13);
	memcpy(block + 5, text, len);
	if (len < 13)
		block[5 + len] = '\n';
}

/* E-EDID A2, section 3.10.3.3. */
static void write_range_limits(const struct timing *timing, uint8_t *block)
{
	uint32_t line_khz = timing->clock_10k * 10 / (timing->width + H_BLANK) + 1;
	uint32_t clock_10m = timing->clock_10k / 1000 + 1;

	block[3] = 0xfd;
	block[5] = 24;
	block[6] = 75;
	block[7] = 15;
	block[8] = line_khz > 100 ? (uint8_t)line_khz : 100;
	block[9] = clock_10m > 20 ? (uint8_t)clock_10m : 20;
	block[10] = 0x01; /* only these limits */
	block[11] = '\n';
	memset(block + 12, ' ', 6);
}

static void write_checksum(uint8_t *edid)
{
	uint8_t sum = 0;

	for (unsigned int i = 0; i < EDID_LEN - 1; i++)
		sum += edid[i];
	edid[EDID_LEN - 1] = (uint8_t)(0x100 - sum);
}

static uint32_t edid_cut(uint32_t pixels)
{
	return pixels < MAX_PIXELS ? pixels : MAX_PIXELS;
}

void edid_generate(uint32_t scanout_id, uint32_t width, uint32_t height, uint8_t *edid)
{
	bool unknown = width == 0 || height == 0;
	struct timing timing =
		unknown ? make_timing(1024, 768) : make_timing(edid_cut(width), edid_cut(height));
	char serial[14];

	memset(edid, 0, EDID_LEN);
	write_identity(scanout_id, edid);
	write_features(&timing, edid);
	write_common_modes(&timing, edid);
	write_preferred(&timing, edid + 54);
	write_text(0xfc, "vhost GPU", edid + 72);
	write_range_limits(&timing, edid + 90);
	snprintf(serial, sizeof(serial), "scanout %u", scanout_id % 10000);
	write_text(0xff, serial, edid + 108);
	write_checksum(edid);
}
