/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The generated EDID, read back byte by byte with the offsets of VESA E-EDID A2, section 3.
 * That edid-decode finds nothing to complain about was checked by hand.
 */
#include "util/edid.h"

#include <glib.h>
#include <string.h>

struct mode {
	uint32_t width;
	uint32_t height;
	uint32_t clock_10k;
	uint32_t h_blank;
	uint32_t v_blank;
};

static struct mode read_preferred(const uint8_t *edid)
{
	const uint8_t *block = edid + 54;

	return (struct mode){
		.clock_10k = block[0] | block[1] << 8,
		.width = block[2] | (block[4] & 0xf0) << 4,
		.h_blank = block[3] | (block[4] & 0x0f) << 8,
		.height = block[5] | (block[7] & 0xf0) << 4,
		.v_blank = block[6] | (block[7] & 0x0f) << 8,
	};
}

static void check_frame(const uint8_t *edid)
{
	static const uint8_t magic[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
	uint8_t sum = 0;

	for (int i = 0; i < EDID_LEN; i++)
		sum += edid[i];
	g_assert_cmpuint(sum, ==, 0);
	g_assert_cmpmem(edid, sizeof(magic), magic, sizeof(magic));
	g_assert_cmpuint(edid[18], ==, 1);
	g_assert_cmpuint(edid[19], ==, 4);
}

static void test_full_hd(void)
{
	uint8_t edid[EDID_LEN];
	struct mode mode;

	edid_generate(3, 1920, 1080, edid);
	check_frame(edid);
	mode = read_preferred(edid);
	/* The figures of CVT 1.2 for 1920x1080 with reduced blanking: 138.50 MHz, 2080 x 1111. */
	g_assert_cmpuint(mode.width, ==, 1920);
	g_assert_cmpuint(mode.height, ==, 1080);
	g_assert_cmpuint(mode.h_blank, ==, 160);
	g_assert_cmpuint(mode.v_blank, ==, 31);
	g_assert_cmpuint(mode.clock_10k, ==, 13850);
	/* V, D, G as letters of five bits; the serial number. */
	g_assert_cmpuint(edid[8] << 8 | edid[9], ==, 22 << 10 | 4 << 5 | 7);
	g_assert_cmpuint(edid[12], ==, 4);
	/* 508 mm x 285 mm at 96 dpi. */
	g_assert_cmpuint(edid[21], ==, 51);
	g_assert_cmpuint(edid[22], ==, 29);
	g_assert_cmpmem(edid + 72, 15, "\0\0\0\xfc\0vhost GPU\n", 15);
}

static void test_modes_fit(void)
{
	uint8_t edid[EDID_LEN];

	edid_generate(0, 1280, 800, edid);
	check_frame(edid);
	/* 640x480, 800x600, 1024x768, 1280x800 (16:10) and 1280x720 (16:9), nothing larger. */
	g_assert_cmphex(edid[35], ==, 0x21);
	g_assert_cmphex(edid[36], ==, 0x08);
	g_assert_cmpmem(edid + 38, 6, "\x81\x00\x81\xc0\x01\x01", 6);

	edid_generate(0, 320, 240, edid);
	check_frame(edid);
	g_assert_cmphex(edid[35], ==, 0);
	g_assert_cmphex(edid[36], ==, 0);
}

static void test_odd_sizes(void)
{
	static const uint32_t sizes[][2] = {{1, 1}, {1, 4095}, {4095, 1}, {1367, 767}, {4095, 4095},
		{3840, 2160}, {2560, 1600}};
	uint8_t edid[EDID_LEN];

	for (unsigned int i = 0; i < G_N_ELEMENTS(sizes); i++) {
		struct mode mode;
		uint64_t hz;

		edid_generate(0, sizes[i][0], sizes[i][1], edid);
		check_frame(edid);
		mode = read_preferred(edid);
		g_assert_cmpuint(mode.width, ==, sizes[i][0]);
		g_assert_cmpuint(mode.height, ==, sizes[i][1]);
		hz = mode.clock_10k * UINT64_C(10000) /
		     ((mode.width + mode.h_blank) * (mode.height + mode.v_blank));
		/* Inside the range limits, which hold the rate in bytes 5 and 6. */
		g_assert_cmpuint(hz, >=, edid[90 + 5]);
		g_assert_cmpuint(hz, <=, edid[90 + 6]);
		g_assert_cmpuint(mode.clock_10k, <=, edid[90 + 9] * 1000);
		g_assert_cmpuint(
			mode.clock_10k * 10 / (mode.width + mode.h_blank), <=, edid[90 + 8]);
	}
}

static void test_out_of_range(void)
{
	uint8_t edid[EDID_LEN];

	edid_generate(UINT32_MAX, 0, 600, edid);
	check_frame(edid);
	g_assert_cmpuint(read_preferred(edid).width, ==, 1024);
	g_assert_cmpuint(read_preferred(edid).height, ==, 768);

	edid_generate(0, UINT32_MAX, 8192, edid);
	check_frame(edid);
	g_assert_cmpuint(read_preferred(edid).width, ==, 4095);
	g_assert_cmpuint(read_preferred(edid).height, ==, 4095);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/edid/full-hd", test_full_hd);
	g_test_add_func("/edid/modes-fit", test_modes_fit);
	g_test_add_func("/edid/odd-sizes", test_odd_sizes);
	g_test_add_func("/edid/out-of-range", test_out_of_range);
	return g_test_run();
}
