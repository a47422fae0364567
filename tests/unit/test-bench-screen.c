/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * bench/screen and bench/image: a picture that is right passes, and each kind of wrong one is found.
 * The test plays the daemon: it reads the image's pages as a device would, and sends updates.
 */
#include "bench/command.h"
#include "bench/image.h"
#include "bench/wire.h"
#include "util/fd.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#define WIDTH	   300
#define HEIGHT	   200
#define STEP	   32
#define MEMORY_LEN (8 << 20)

struct fixture {
	struct guest guest;
	struct image image;
	uint32_t pixels[WIDTH * HEIGHT];
	int daemon_fd;
};

/* What a device makes of the backing: the entries in their order, one after the other. */
static void transfer(struct fixture *f)
{
	const struct virtio_gpu_mem_entry *entries =
		memory_at(&f->guest.memory, f->image.entries_gpa);
	uint8_t *at = (uint8_t *)f->pixels;
	size_t left = sizeof(f->pixels);

	for (uint32_t i = 0; i < f->image.piece_count; i++) {
		const size_t len = MIN(left, entries[i].length);

		memcpy(at, memory_at(&f->guest.memory, entries[i].addr), len);
		at += len;
		left -= len;
	}
	g_assert_cmpuint(left, ==, 0);
}

static void send_scanout(struct fixture *f, uint32_t width, uint32_t height)
{
	const struct display_wire_scanout message = {
		.header = {.request = DISPLAY_SCANOUT, .size = 12},
		.width = width,
		.height = height};

	g_assert_cmpint(wire_send(f->daemon_fd, &message, sizeof(message), -1), ==, 0);
}

static void send_update(struct fixture *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const struct display_wire_update message = {
		.header = {.request = DISPLAY_UPDATE, .size = 20 + 4 * width * height},
		.x = x,
		.y = y,
		.width = width,
		.height = height};

	g_assert_cmpint(wire_send(f->daemon_fd, &message, sizeof(message), -1), ==, 0);
	for (uint32_t row = y; row < y + height; row++)
		g_assert_cmpint(
			wire_send(f->daemon_fd, f->pixels + row * WIDTH + x, 4ul * width, -1), ==,
			0);
}

static void draw(struct fixture *f, uint32_t number)
{
	const struct virtio_gpu_rect whole = image_whole(&f->image);

	image_stamp(&f->image, &whole, number);
	screen_set_newest(&f->guest.screen, 0, number);
	transfer(f);
}

static void set_up(struct fixture *f, gconstpointer piece_len)
{
	const struct virtio_gpu_rect whole = {.width = WIDTH, .height = HEIGHT};

	f->guest = GUEST_NONE;
	g_assert_cmpint(memory_init(&f->guest.memory, MEMORY_LEN), ==, 0);
	g_assert_cmpint(screen_start(&f->guest.screen, 640, 480, 1, &f->daemon_fd), ==, 0);
	image_init(&f->image, &f->guest, 1, WIDTH, HEIGHT, GPOINTER_TO_UINT(piece_len));
	f->image.step = STEP;
	image_fill(&f->image, &whole, 5);
	screen_watch(&f->guest.screen, 0, STEP);
	draw(f, 1);
	send_scanout(f, WIDTH, HEIGHT);
}

static void tear_down(struct fixture *f, gconstpointer piece_len)
{
	fd_clear(&f->daemon_fd);
	image_finish(&f->image);
	guest_finish(&f->guest);
}

static int wait_whole(struct fixture *f, unsigned int frames)
{
	return screen_wait(&f->guest.screen, 0, (uint64_t)frames * WIDTH * HEIGHT);
}

static void assert_wrong(struct fixture *f, const char *text)
{
	const char *wrong = screen_wrong(&f->guest.screen);

	g_assert_nonnull(wrong);
	if (!strstr(wrong, text))
		g_error("'%s' does not say '%s'", wrong, text);
}

static void test_right(struct fixture *f, gconstpointer piece_len)
{
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, 0);
	g_assert_cmpint(image_compare(&f->image, &f->guest.screen, 0), ==, 0);
	draw(f, 2);
	/* In bands, as a device may. */
	send_update(f, 0, 0, WIDTH, 70);
	send_update(f, 0, 70, WIDTH, HEIGHT - 70);
	g_assert_cmpint(wait_whole(f, 2), ==, 0);
	g_assert_cmpint(image_compare(&f->image, &f->guest.screen, 0), ==, 0);
	g_assert_null(screen_wrong(&f->guest.screen));
}

/* The fourth byte says nothing. */
static void test_fourth_byte(struct fixture *f, gconstpointer piece_len)
{
	for (size_t i = 0; i < WIDTH * HEIGHT; i++)
		f->pixels[i] ^= 0xff000000u;
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, 0);
	g_assert_cmpint(image_compare(&f->image, &f->guest.screen, 0), ==, 0);
}

/* One bit of one pixel, where no number is. */
static void test_wrong_pixel(struct fixture *f, gconstpointer piece_len)
{
	f->pixels[77 * WIDTH + 299] ^= 1;
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, 0);
	g_assert_cmpint(image_compare(&f->image, &f->guest.screen, 0), ==, -EILSEQ);
	assert_wrong(f, "wrong pixel 299,77");
}

static void test_wrong_number(struct fixture *f, gconstpointer piece_len)
{
	f->pixels[64 * WIDTH + 32] ^= 1;
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, -EILSEQ);
	assert_wrong(f, "wrong pixel 32,64");
}

/* The new frame is announced, the old one comes. */
static void test_stale_frame(struct fixture *f, gconstpointer piece_len)
{
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, 0);
	screen_set_newest(&f->guest.screen, 0, 2);
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 2), ==, -EILSEQ);
	assert_wrong(f, "frame 1 is shown, not frame 2");
}

/* Half of it is of the frame before. */
static void test_torn_frame(struct fixture *f, gconstpointer piece_len)
{
	uint32_t old[WIDTH * HEIGHT / 2];

	memcpy(old, f->pixels, sizeof(old));
	draw(f, 2);
	memcpy(f->pixels, old, sizeof(old));
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, -EILSEQ);
	assert_wrong(f, "wrong pixel 0,128");
}

/* A frame that nobody has drawn yet. */
static void test_future_frame(struct fixture *f, gconstpointer piece_len)
{
	draw(f, 9);
	screen_set_newest(&f->guest.screen, 0, 8);
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 1), ==, -EILSEQ);
	assert_wrong(f, "wrong pixel 0,0");
}

/* A screen that leaves frames out is waited for until the last one is there, and quiet. */
static void test_skipped_frames(struct fixture *f, gconstpointer piece_len)
{
	draw(f, 4);
	send_update(f, 0, 0, WIDTH, HEIGHT);
	g_assert_cmpint(wait_whole(f, 4), ==, 0);
	g_assert_cmpuint(screen_shown_pixels(&f->guest.screen, 0), ==, WIDTH * HEIGHT);
}

static void test_outside(struct fixture *f, gconstpointer piece_len)
{
	const struct display_wire_update message = {
		.header = {.request = DISPLAY_UPDATE, .size = 20 + 8},
		.x = WIDTH - 1,
		.width = 2,
		.height = 1};

	g_assert_cmpint(wire_send(f->daemon_fd, &message, sizeof(message), -1), ==, 0);
	g_assert_cmpint(wait_whole(f, 1), ==, -EILSEQ);
	assert_wrong(f, "2x1 pixels at 299,0");
}

/* Without a number to look at: the daemon is gone, and that is said at once. */
static void test_hang_up(struct fixture *f, gconstpointer piece_len)
{
	fd_clear(&f->daemon_fd);
	g_assert_cmpint(wait_whole(f, 1), ==, -ETIMEDOUT);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*test)(struct fixture *f, gconstpointer piece_len);
	} tests[] = {
		{"right", test_right},
		{"fourth-byte", test_fourth_byte},
		{"wrong-pixel", test_wrong_pixel},
		{"wrong-number", test_wrong_number},
		{"stale-frame", test_stale_frame},
		{"torn-frame", test_torn_frame},
		{"future-frame", test_future_frame},
		{"skipped-frames", test_skipped_frames},
		{"outside", test_outside},
		{"hang-up", test_hang_up},
	};

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *one = g_strdup_printf("/bench/screen/%s/one-piece", tests[i].name);
		g_autofree char *pages = g_strdup_printf("/bench/screen/%s/pages", tests[i].name);

		g_test_add(one, struct fixture, NULL, set_up, tests[i].test, tear_down);
		g_test_add(pages, struct fixture, GUINT_TO_POINTER(MEMORY_PAGE), set_up,
			tests[i].test, tear_down);
	}
	return g_test_run();
}
