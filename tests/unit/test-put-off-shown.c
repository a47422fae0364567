/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What displays get of a transfer that is put off until the flush that shows it: the lines as they are
 * fetched, or all of them where they cannot be.
 */
#include "put-off.h"

#include <errno.h>
#include <string.h>

/* It is done when it is shown, as the guest's memory is then, and answered before its flush. */
static void test_with_its_flush(struct put_off *t, gconstpointer data)
{
	put_off_transfer(t, &put_off_whole);
	g_assert_true(gpu_device_can_take(t->f.device));
	put_off_draw(t, 2);
	put_off_flush(t, 1, &put_off_whole);
	fake_display_expect(&t->f.display, "update 0 0,0 256x512\n");
	put_off_assert_both(t);
	put_off_assert_bands(t, 0, PUT_OFF_HEIGHT);
	put_off_assert_shown(t, &put_off_whole, &put_off_whole);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
	/* And it is over. */
	gpu_device_settle(t->f.device);
	g_assert_cmpuint(t->transfer.completed, ==, 1);
}

/* A display that is slow reads the image on; the transfer is over, and the flush is not. */
static void test_slow_display(struct put_off *t, gconstpointer data)
{
	t->f.display.is_slow = true;
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(t->next.completed, ==, 0);
	put_off_assert_bands(t, 0, PUT_OFF_HEIGHT);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
	fake_display_answer(&t->f.display, 0);
	put_off_assert_both(t);
}

/* Lines are the resource's, wherever the scanout and the damage begin; the rest is done too. */
static void test_damage(struct put_off *t, gconstpointer data)
{
	const struct gpu_rect shown = {10, 50, 200, 400};
	const struct gpu_rect rect = {20, 20, 190, 290};

	put_off_show(t, 0, 1, &shown);
	fake_display_expect(&t->f.display, "scanout 0 200x400\n");
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &(struct gpu_rect){30, 70, 250 - 30, 360 - 70});
	fake_display_expect(&t->f.display, "update 0 20,20 180x290\n");
	put_off_assert_both(t);
	put_off_assert_shown(t, &(struct gpu_rect){rect.x, rect.y, 180, rect.height}, &shown);
	/* What is above goes with the first of its bands, what is below at the end. */
	g_assert_cmpuint(t->f.display.fetches, ==, 3);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 4);
	g_assert_cmpuint(g_array_index(t->f.renderer.transfers, struct gpu_rect, 0).height, ==,
		70 + PUT_OFF_BAND);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
}

/* What is outside the transfer stays as it was. */
static void test_part(struct put_off *t, gconstpointer data)
{
	const struct gpu_rect rect = {8, 130, 240, 300};

	memset(t->image, 0xaa, PUT_OFF_LEN);
	put_off_transfer(t, &rect);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	g_assert_cmpmem(t->canvas, PUT_OFF_LEN, t->image, PUT_OFF_LEN);
	for (uint32_t y = 0; y < PUT_OFF_HEIGHT; y++)
		for (uint32_t x = 0; x < PUT_OFF_WIDTH; x++) {
			const bool is_inside = x >= rect.x && x < rect.x + rect.width &&
					       y >= rect.y && y < rect.y + rect.height;

			g_assert_cmphex(t->canvas[y * PUT_OFF_WIDTH + x], ==,
				is_inside ? t->guest[y * PUT_OFF_WIDTH + x] : 0xaaaaaaaa);
		}
}

/* What is not shown is done all the same; no band has more fetched than it needs. */
static void test_elsewhere(struct put_off *t, gconstpointer data)
{
	const GArray *transfers = t->f.renderer.transfers;

	put_off_transfer(t, &(struct gpu_rect){0, 150, PUT_OFF_WIDTH, PUT_OFF_MIN_HEIGHT});
	put_off_flush(t, 1, &(struct gpu_rect){0, 0, PUT_OFF_WIDTH, 200});
	put_off_assert_both(t);
	g_assert_cmpuint(t->f.display.fetches, ==, 2);
	g_assert_cmpuint(transfers->len, ==, 2);
	g_assert_cmpuint(g_array_index(transfers, struct gpu_rect, 0).height, ==, 50);
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &(struct gpu_rect){0, 0, 0, 0});
	put_off_assert_both(t);
	g_assert_cmpuint(transfers->len, ==, 3);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
}

/* What the displays get */

/* One that does not fetch finds all pixels there. */
static void test_not_fetching(struct put_off *t, gconstpointer data)
{
	t->f.display.base.fetches_pixels = false;
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_settled(t);
	g_assert_cmpuint(t->f.display.fetches, ==, 0);
	put_off_assert_shown(t, &put_off_whole, &put_off_whole);
}

/* One that only looks on gets none. */
static void test_without_pixels(struct put_off *t, gconstpointer data)
{
	t->f.display.base.wants_pixels = false;
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_settled(t);
}

/* @data: does the first of two fetch? The second does what the first does not; then both fetch. */
static void test_two_displays(struct put_off *t, gconstpointer data)
{
	const bool is_first = GPOINTER_TO_INT(data);
	g_autofree uint32_t *canvas = g_malloc0(PUT_OFF_LEN);
	struct fake_display second;

	fake_display_init(&second);
	second.canvas = canvas;
	second.canvas_width = PUT_OFF_WIDTH;
	second.band = 64;
	second.base.fetches_pixels = !is_first;
	t->f.display.base.fetches_pixels = is_first;
	gpu_device_add_display(t->f.device, &second.base);
	for (uint32_t i = 0; i < 2; i++) {
		g_array_set_size(t->f.renderer.transfers, 0);
		put_off_draw(t, 10 + i);
		put_off_transfer(t, &put_off_whole);
		put_off_flush(t, 1, &put_off_whole);
		put_off_assert_both(t);
		put_off_assert_shown(t, &put_off_whole, &put_off_whole);
		g_assert_cmpmem(canvas, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
		if (is_first || i == 1)
			put_off_assert_bands(t, 0, PUT_OFF_HEIGHT);
		second.base.fetches_pixels = t->f.display.base.fetches_pixels = true;
	}
	gpu_device_remove_display(t->f.device, &second.base);
	fake_display_finish(&second);
}

/* Two parts of it are shown: what the first fetched is there for the second. */
static void test_two_outputs(struct put_off *t, gconstpointer data)
{
	const struct gpu_rect upper = {0, 0, PUT_OFF_WIDTH, 150},
			      lower = {0, 150, PUT_OFF_WIDTH, 362};

	put_off_show(t, 0, 1, &upper);
	put_off_show(t, 1, 1, &lower);
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_shown(t, &(struct gpu_rect){0, 0, PUT_OFF_WIDTH, lower.height}, &lower);
	g_assert_cmpuint(t->f.display.fetches, ==, 2 + 4);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 2 + 4);
	put_off_show(t, 0, 1, &lower);
	put_off_show(t, 1, 1, &upper);
	put_off_draw(t, 2);
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_shown(t, &upper, &upper);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
}

/* Pixels that have to be converted are there before. */
static void test_converted(struct put_off *t, gconstpointer data)
{
	const uint8_t *guest = (const uint8_t *)t->guest;

	g_assert_cmphex(gpu_fixture_unref(&t->f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	put_off_create_backed(t, 1, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM);
	put_off_show(t, 0, 1, &put_off_whole);
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_settled(t);
	g_assert_cmpuint(t->f.display.fetches, ==, 0);
	for (uint32_t i = 0; i < PUT_OFF_WIDTH * PUT_OFF_HEIGHT; i++)
		g_assert_cmphex(t->canvas[i] & 0xffffff, ==,
			guest[4 * i] << 16 | guest[4 * i + 1] << 8 | guest[4 * i + 2]);
}

/* And what has to be read back, where an image is lent no more. */
static void test_read_back(struct put_off *t, gconstpointer data)
{
	put_off_transfer(t, &put_off_whole);
	t->f.renderer.copies = false;
	t->f.renderer.image = NULL;
	t->f.renderer.fill = 0x77;
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	g_assert_cmpuint(t->f.renderer.reads, ==, 1);
	g_assert_cmpuint(t->f.renderer.transfers_before, ==, 1);
	g_assert_cmpuint(t->f.display.fetches, ==, 0);
	g_assert_cmphex(t->canvas[PUT_OFF_LEN / 4 - 1], ==, 0x77777777);
}

/* A dma-buf's reader waits for the fence of what was drawn: the transfer is a part of that. */
static void test_dmabuf(struct put_off *t, gconstpointer data)
{
	t->f.display.base.accepts_dmabuf = true;
	t->f.renderer.dmabuf_error = 0;
	put_off_show(t, 0, 1, &put_off_whole);
	fake_display_expect(&t->f.display, "dmabuf 0 256x512\n");
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	g_assert_cmpuint(t->f.renderer.fences->len, ==, 1);
	g_assert_cmpuint(t->f.renderer.transfers_before, ==, 1);
	gpu_fixture_signal(&t->f, 0);
	fake_display_expect(&t->f.display, "flush 0 0,0 256x512\n");
	put_off_assert_both(t);
}

/* The flush of another resource knows nothing of it. The images of both are one in this renderer. */
static void test_other_resource(struct put_off *t, gconstpointer data)
{
	g_assert_cmphex(put_off_create(t, 2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	put_off_show(t, 1, 2, &put_off_whole);
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 2, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_settled(t);
	g_assert_cmpuint(t->f.display.fetches, ==, 0);
	put_off_assert_shown(t, &put_off_whole, &put_off_whole);
}

/* A display that failed before it fetched anything. */
static void test_display_fails(struct put_off *t, gconstpointer data)
{
	t->f.display.error = -ECONNRESET;
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_settled(t);
	g_assert_cmpuint(t->f.display.fetches, ==, 0);
	g_assert_cmphex(flat_response(&t->next), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
}

#define ADD(name, data, test)                                                                      \
	g_test_add("/put-off/" name, struct put_off, data, put_off_set_up, test, put_off_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	ADD("with-its-flush", NULL, test_with_its_flush);
	ADD("slow-display", NULL, test_slow_display);
	ADD("damage", NULL, test_damage);
	ADD("part", NULL, test_part);
	ADD("elsewhere", NULL, test_elsewhere);
	ADD("display/not-fetching", NULL, test_not_fetching);
	ADD("display/without-pixels", NULL, test_without_pixels);
	ADD("display/fetching-first", GINT_TO_POINTER(true), test_two_displays);
	ADD("display/fetching-second", GINT_TO_POINTER(false), test_two_displays);
	ADD("display/two-outputs", NULL, test_two_outputs);
	ADD("display/converted", NULL, test_converted);
	ADD("display/read-back", NULL, test_read_back);
	ADD("display/dmabuf", NULL, test_dmabuf);
	ADD("display/other-resource", NULL, test_other_resource);
	ADD("display/fails", NULL, test_display_fails);
	return g_test_run();
}
