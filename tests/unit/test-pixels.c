/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * From resources to pixels: rectangles, formats, which resources are pictures, conversion.
 */
#include "gpu-fakes.h"
#include "gpu/format.h"
#include "gpu/framebuffer.h"
#include "gpu/hostmem.h"
#include "gpu/pixels.h"
#include "gpu/rect.h"
#include "gpu/resource.h"

#include <errno.h>
#include <string.h>

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	gpu_fixture_set_up(f, NULL);
}

static void test_rect_is_inside(void)
{
	const struct {
		struct gpu_rect rect;
		bool inside;
	} cases[] = {
		{{0, 0, 64, 32}, true},
		{{0, 0, 65, 32}, false},
		{{0, 0, 64, 33}, false},
		{{63, 31, 1, 1}, true},
		{{64, 0, 1, 1}, false},
		{{64, 32, 0, 0}, true},
		{{65, 0, 0, 0}, false},
		{{1, 0, UINT32_MAX, 1}, false},
		{{0, UINT32_MAX, 1, 1}, false},
		{{UINT32_MAX, 0, UINT32_MAX, 1}, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(gpu_rect_is_inside(&cases[i].rect, 64, 32), ==, cases[i].inside);
}

static void test_rect_intersect(void)
{
	const struct gpu_rect a = {10, 20, 30, 40};
	struct gpu_rect got;

	g_assert_true(gpu_rect_intersect(&a, &(struct gpu_rect){0, 0, 15, 25}, &got));
	g_assert_cmpuint(got.x, ==, 10);
	g_assert_cmpuint(got.y, ==, 20);
	g_assert_cmpuint(got.width, ==, 5);
	g_assert_cmpuint(got.height, ==, 5);
	g_assert_false(gpu_rect_intersect(&a, &(struct gpu_rect){0, 0, 10, 100}, &got));
	g_assert_false(gpu_rect_intersect(&a, &(struct gpu_rect){40, 20, 5, 5}, &got));
	g_assert_false(gpu_rect_intersect(&a, &(struct gpu_rect){12, 22, 0, 5}, &got));
}

/* The specification names formats by bytes: check one pixel of each against pixman. */
static void test_formats(void)
{
	static const struct {
		uint32_t id;
		const char *bytes; /* what each byte in memory is */
	} cases[] = {
		{VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, "bgra"},
		{VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, "bgrx"},
		{VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, "argb"},
		{VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, "xrgb"},
		{VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, "rgba"},
		{VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, "xbgr"},
		{VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, "abgr"},
		{VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, "rgbx"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct gpu_format *format = gpu_format_find_2d(cases[i].id);
		uint8_t pixel[4] __attribute__((aligned(4)));
		uint32_t word = 0;
		pixman_image_t *from;
		pixman_image_t *to;

		g_assert_nonnull(format);
		for (int j = 0; j < 4; j++)
			pixel[j] = cases[i].bytes[j] == 'r'   ? 0x11
				   : cases[i].bytes[j] == 'g' ? 0x22
				   : cases[i].bytes[j] == 'b' ? 0x33
							      : 0xff;
		from = pixman_image_create_bits(format->pixman, 1, 1, (uint32_t *)pixel, 4);
		to = pixman_image_create_bits(PIXMAN_a8r8g8b8, 1, 1, &word, 4);
		pixman_image_composite32(PIXMAN_OP_SRC, from, NULL, to, 0, 0, 0, 0, 0, 0, 1, 1);
		pixman_image_unref(from);
		pixman_image_unref(to);
		g_assert_cmphex(word, ==, 0xff112233);
	}
	g_assert_null(gpu_format_find_2d(0));
	g_assert_null(gpu_format_find_2d(7));
	g_assert_nonnull(gpu_format_find(7));
}

static void test_rect_back_and_forth(void)
{
	const struct gpu_rect rect = {1, 2, 3, 0x01020304};
	const struct virtio_gpu_rect wire = gpu_rect_to_guest(&rect);
	const struct gpu_rect back = gpu_rect_from_guest(&wire);

	g_assert_cmphex(wire.height, ==, htole32(0x01020304));
	g_assert_cmpmem(&back, sizeof(back), &rect, sizeof(rect));
}

static struct gpu_tracked_resource make_3d(uint32_t target, uint32_t format)
{
	return (struct gpu_tracked_resource){
		.base =
			{
				.kind = GPU_RESOURCE_3D,
				.format = format,
				.width = 64,
				.height = 64,
				.args_3d = {.target = target, .depth = 1, .array_size = 1},
			},
	};
}

static void test_which_are_pictures(void)
{
	struct gpu_framebuffer framebuffer;
	struct gpu_tracked_resource resource;

	/* Of Gallium's targets only the 2D and the rectangle texture are. */
	for (uint32_t target = 0; target < 9; target++) {
		resource = make_3d(target, 1);
		g_assert_cmpint(gpu_framebuffer_of(&resource, &framebuffer), ==,
			target == 2 || target == 5);
	}
	resource = make_3d(2, 1);
	resource.base.args_3d.nr_samples = 4;
	g_assert_false(gpu_framebuffer_of(&resource, &framebuffer));
	resource = make_3d(2, 1);
	resource.base.args_3d.array_size = 2;
	g_assert_false(gpu_framebuffer_of(&resource, &framebuffer));
	resource = make_3d(2, 1);
	resource.base.args_3d.depth = 2;
	g_assert_false(gpu_framebuffer_of(&resource, &framebuffer));
	resource = make_3d(2, 999);
	g_assert_false(gpu_framebuffer_of(&resource, &framebuffer));
}

static void test_which_are_cursors(void)
{
	struct gpu_framebuffer framebuffer;
	struct gpu_tracked_resource resource = make_3d(2, 1);

	g_assert_null(gpu_framebuffer_of_cursor(&resource, &framebuffer));
	resource = make_3d(2, 7); /* B5G6R5 */
	g_assert_nonnull(gpu_framebuffer_of_cursor(&resource, &framebuffer));
	resource = make_3d(0, 1);
	g_assert_nonnull(gpu_framebuffer_of_cursor(&resource, &framebuffer));
	resource = make_3d(2, 1);
	resource.base.width = 65;
	g_assert_nonnull(gpu_framebuffer_of_cursor(&resource, &framebuffer));
	resource = (struct gpu_tracked_resource){
		.base = {.kind = GPU_RESOURCE_BLOB, .blob.size = 64 * 64 * 4}};
	g_assert_null(gpu_framebuffer_of_cursor(&resource, &framebuffer));
	g_assert_cmpuint(framebuffer.stride, ==, 256);
	resource.base.blob.size--;
	g_assert_nonnull(gpu_framebuffer_of_cursor(&resource, &framebuffer));
}

/* An image of the same bits is lent where it is, and nothing is read back. */
static void test_lent(struct gpu_fixture *f, gconstpointer data)
{
	uint32_t image[64 * 64] = {[65] = 0x11223344};
	struct gpu_tracked_resource resource = make_3d(2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
	const struct gpu_rect rect = {1, 1, 2, 2};
	struct gpu_framebuffer framebuffer;
	struct gpu_buffer buffer = {0};
	struct display_pixels pixels;

	f->renderer.image = image;
	f->renderer.image_stride = 256;
	g_assert_true(gpu_framebuffer_of(&resource, &framebuffer));
	g_assert_cmpint(
		gpu_pixels_get(f->device, &framebuffer, &rect, PIXMAN_x8r8g8b8, &buffer, &pixels),
		==, 0);
	g_assert_true(pixels.data == &image[65]);
	g_assert_cmpuint(pixels.stride, ==, 256);
	g_assert_cmpuint(f->renderer.reads, ==, 0);
	g_assert_cmpuint(buffer.len, ==, 0);
}

/* 2 bytes a pixel: lines are read in whole words, converted, and nothing lies behind them. */
static void test_converted(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_tracked_resource resource = make_3d(2, 7);
	const struct gpu_rect rect = {0, 0, 3, 5};
	struct gpu_framebuffer framebuffer;
	struct gpu_buffer buffer = {0};
	struct display_pixels pixels;

	f->renderer.fill = 0xff;
	g_assert_true(gpu_framebuffer_of(&resource, &framebuffer));
	g_assert_cmpint(
		gpu_pixels_get(f->device, &framebuffer, &rect, PIXMAN_x8r8g8b8, &buffer, &pixels),
		==, 0);
	g_assert_cmpuint(f->renderer.reads, ==, 1);
	g_assert_cmpuint(pixels.stride, ==, 12);
	/* The converted lines, and lines of 3 pixels of 2 bytes, which are 8 bytes long. */
	g_assert_cmpuint(buffer.len, ==, 5 * 12 + 5 * 8);
	for (int i = 0; i < 15; i++)
		g_assert_cmphex(((const uint32_t *)pixels.data)[i] & 0xffffff, ==, 0xffffff);
	gpu_buffer_finish(f->device, &buffer);
}

static void test_buffer_is_counted(void)
{
	struct gpu_limits limits;
	struct gpu_buffer first = {0}, second = {0};
	struct gpu_fixture f = {0};

	gpu_limits_init(&limits);
	limits.max[GPU_LIMIT_HOSTMEM] = 1000;
	gpu_fixture_set_up(&f, &limits);
	g_assert_cmpint(gpu_buffer_reserve(f.device, &first, 600), ==, 0);
	g_assert_cmpint(gpu_buffer_reserve(f.device, &first, 500), ==, 0);
	g_assert_cmpuint(first.len, ==, 600);
	g_assert_cmpint(
		gpu_buffer_reserve(f.device, &second, 401), ==, gpu_limit_error(GPU_LIMIT_HOSTMEM));
	g_assert_cmpint(gpu_buffer_reserve(f.device, &second, 400), ==, 0);
	gpu_buffer_finish(f.device, &first);
	gpu_buffer_finish(f.device, &first);
	g_assert_cmpint(gpu_buffer_reserve(f.device, &second, 1000), ==, 0);
	gpu_buffer_finish(f.device, &second);
	gpu_fixture_tear_down(&f, NULL);
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	g_test_add_func("/rect/inside", test_rect_is_inside);
	g_test_add_func("/rect/intersect", test_rect_intersect);
	g_test_add_func("/rect/back-and-forth", test_rect_back_and_forth);
	g_test_add_func("/pixels/formats", test_formats);
	g_test_add_func("/pixels/pictures", test_which_are_pictures);
	g_test_add_func("/pixels/cursors", test_which_are_cursors);
	ADD("/pixels/lent", test_lent);
	ADD("/pixels/converted", test_converted);
	g_test_add_func("/pixels/counted", test_buffer_is_counted);
	return g_test_run();
}
