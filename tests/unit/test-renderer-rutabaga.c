/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The mode gfxstream before it starts, and its start: options, channels, the table of formats, what
 * becomes of the library's errors. The library is the tests' own.
 */
#include "renderer/create.h"
#include "renderer/options.h"
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "rutabaga-fake.h"

#include <string.h>

#define VULKAN	     RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN)
#define GLES	     RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_GLES)
#define CROSS_DOMAIN RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN)

/* A line is aligned to 4 bytes, as OpenGL does; a planar one to 16, and the planes of colour are
 * counted as long as the first one. */
static const struct {
	uint32_t format;
	uint32_t width, height;
	unsigned int bytes_per_pixel;
	uint64_t len;
} lengths[] = {
	{1, 33, 5, 4, 33 * 4 * 5},
	{2, 33, 5, 4, 33 * 4 * 5},
	{7, 33, 5, 2, 68 * 5},
	{8, 33, 5, 4, 33 * 4 * 5},
	{16, 33, 5, 2, 68 * 5},
	{18, 33, 5, 4, 33 * 4 * 5},
	{19, 33, 5, 4, 33 * 4 * 5},
	{21, 33, 5, 4, 33 * 4 * 5},
	{48, 33, 5, 2, 68 * 5},
	{64, 33, 5, 1, 36 * 5},
	{65, 33, 5, 2, 68 * 5},
	{66, 33, 5, 3, 100 * 5},
	{67, 33, 5, 4, 33 * 4 * 5},
	{94, 33, 5, 8, 33 * 8 * 5},
	{126, 33, 5, 8, 33 * 8 * 5},
	{134, 33, 5, 4, 33 * 4 * 5},
	{163, 33, 5, 0, 48 * 6 * 2},
	{166, 33, 5, 0, 48 * 6 * 2},
	{314, 33, 5, 0, 80 * 6 * 2},
	{64, 1, 1, 1, 4},
	{163, 1, 1, 0, 16 * 2 * 2},
	/* 128 MiB just fit. */
	{1, 8192, 4096, 4, UINT64_C(128) << 20},
	{64, UINT32_C(128) << 20, 1, 1, UINT64_C(128) << 20},
	{314, 8192, 4096, 0, UINT64_C(128) << 20},
};

/* Unknown formats, empty images, and what ends gfxstream: more than 128 MiB. */
static const struct rutabaga_image no_images[] = {
	{0, 8, 8},
	{3, 8, 8},
	{68, 8, 8},
	{135, 8, 8},
	{UINT32_MAX, 8, 8},
	{1, 0, 8},
	{1, 8, 0},
	{1, 8192, 4097},
	{1, 8192, 8192},
	{64, (UINT32_C(128) << 20) + 1, 1},
	{64, 1, (UINT32_C(32) << 20) + 1},
	{94, UINT32_MAX, UINT32_MAX},
	{314, UINT32_MAX, UINT32_MAX},
	{163, 1, UINT32_MAX},
};

static void test_image_len(void)
{
	unsigned int bytes;
	uint64_t len;

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		const struct rutabaga_image image = {
			lengths[i].format, lengths[i].width, lengths[i].height};

		g_assert_true(renderer_rutabaga_image_len(&image, &bytes, &len));
		g_assert_cmpuint(bytes, ==, lengths[i].bytes_per_pixel);
		g_assert_cmpuint(len, ==, lengths[i].len);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(no_images); i++)
		g_assert_false(renderer_rutabaga_image_len(&no_images[i], &bytes, &len));
}

/* @values: of --channel, ended by NULL */
static struct renderer_options with_channels(const char *const *values)
{
	struct renderer_options options = {0};

	for (; *values; values++)
		g_assert_cmpint(
			renderer_option_add(&options, &renderer_option_channel, *values), ==, 0);
	return options;
}

static void test_channels(void)
{
	const struct renderer_options none = {0};
	struct renderer_options options =
		with_channels((const char *[]){"wayland=/run/user/0/wayland=0", NULL});
	g_autoptr(GArray) channels = NULL;
	g_autoptr(GArray) empty = NULL;
	const struct rutabaga_channel *channel;
	char *message = NULL;

	renderer_option_set(&options, &renderer_option_use_egl, true);
	g_assert_cmpint(renderer_rutabaga_channels_parse(&none, &empty, &message), ==, 0);
	g_assert_cmpuint(empty->len, ==, 0);
	g_assert_cmpint(renderer_rutabaga_channels_parse(&options, &channels, &message), ==, 0);
	g_assert_null(message);
	g_assert_cmpuint(channels->len, ==, 1);
	channel = &g_array_index(channels, struct rutabaga_channel, 0);
	g_assert_cmpuint(channel->channel_type, ==, RUTABAGA_CHANNEL_TYPE_WAYLAND);
	g_assert_cmpstr(channel->channel_name, ==, "/run/user/0/wayland=0");
}

static void check_message(const char *message, const char *part)
{
	g_assert_nonnull(message);
	g_assert_null(strchr(message, '\n'));
	if (!strstr(message, part))
		g_error("no '%s' in: %s", part, message);
}

static void check_bad_channels(const char *const *values, const char *part)
{
	const struct renderer_options options = with_channels(values);
	g_autofree char *message = NULL;
	GArray *channels = NULL;

	g_assert_cmpint(
		renderer_rutabaga_channels_parse(&options, &channels, &message), ==, -EINVAL);
	g_assert_null(channels);
	check_message(message, part);
}

static void test_bad_channels(void)
{
	/* sun_path has 108 bytes, its NUL included. */
	g_autofree char *fits = g_strdup_printf("wayland=/%0106d", 0);
	g_autofree char *too_long = g_strdup_printf("wayland=/%0107d", 0);
	struct renderer_options options = with_channels((const char *[]){fits, NULL});
	g_autoptr(GArray) channels = NULL;
	char *message = NULL;

	g_assert_cmpint(renderer_rutabaga_channels_parse(&options, &channels, &message), ==, 0);
	check_bad_channels((const char *[]){too_long, NULL}, "is no path of a socket");
	check_bad_channels((const char *[]){"wayland=", NULL}, "is no path of a socket");
	check_bad_channels((const char *[]){"wayland", NULL}, "TYPE=PATH, not 'wayland'");
	check_bad_channels((const char *[]){"", NULL}, "TYPE=PATH");
	check_bad_channels((const char *[]){"=/run/x", NULL}, "types: wayland");
	check_bad_channels((const char *[]){"way=/run/x", NULL}, "types: wayland");
	check_bad_channels((const char *[]){"wayland-0=/run/x", NULL}, "types: wayland");
	check_bad_channels((const char *[]){"camera=/run/x", NULL}, "not 'camera=/run/x'");
	check_bad_channels(
		(const char *[]){"wayland=/a", "wayland=/b", NULL}, "wayland was given twice");
	check_bad_channels((const char *[]){"wayland=/a", "what=/b", NULL}, "not 'what=/b'");
}

static void check_options(const struct renderer_options *options, const char *part)
{
	g_autofree char *message = NULL;
	int ret = renderer_rutabaga_check(options, &message);

	if (part) {
		g_assert_cmpint(ret, ==, -EINVAL);
		check_message(message, part);
	} else {
		g_assert_cmpint(ret, ==, 0);
		g_assert_null(message);
	}
}

static void test_check(void)
{
	struct renderer_options options = with_channels((const char *[]){"wayland=/a", NULL});
	const struct renderer_options bad = with_channels((const char *[]){"x11", NULL});

	check_options(&bad, "TYPE=PATH");
	check_options(&options, NULL);
	options.capset_mask = CROSS_DOMAIN | VULKAN;
	check_options(&options, NULL);
	options.capset_mask = VULKAN;
	check_options(&options, "--channel needs the capset cross-domain");
	options = (struct renderer_options){.capset_mask = GLES};
	check_options(&options, NULL);
	renderer_option_set(&options, &renderer_option_use_gles, false);
	check_options(&options, "--use-gles=false");
	options.capset_mask = VULKAN;
	check_options(&options, NULL);
	options.capset_mask = 0;
	check_options(&options, NULL);
}

static void test_errno(void)
{
	g_assert_cmpint(renderer_rutabaga_errno(0), ==, 0);
	g_assert_cmpint(renderer_rutabaga_errno(-EINVAL), ==, -EINVAL);
	g_assert_cmpint(renderer_rutabaga_errno(-ESRCH), ==, -EINVAL);
}

static void check_create_fails(const struct renderer_options *options, int error, const char *part)
{
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	g_assert_cmpint(renderer_rutabaga_create(options, &renderer, &message), ==, error);
	g_assert_null(renderer);
	check_message(message, part);
}

static int fail_with_reason(const struct rutabaga_builder *builder)
{
	const struct rutabaga_debug note = {RUTABAGA_DEBUG_INFO, "a note\n"};
	const struct rutabaga_debug error = {RUTABAGA_DEBUG_ERROR, "\tno\r\nVulkan\n"};

	builder->debug_cb(builder->user_data, &error);
	builder->debug_cb(builder->user_data, &note);
	return -ESRCH;
}

static void test_create_fails(void)
{
	struct renderer_options options = {.tried_capset_mask = CROSS_DOMAIN};
	struct renderer_options bad = with_channels((const char *[]){"x11", NULL});

	rutabaga_fake_reset();
	check_create_fails(&bad, -EINVAL, "TYPE=PATH");
	rutabaga_fake.start = fail_with_reason;
	check_create_fails(&options, -ENODEV, "no  Vulkan");
	rutabaga_fake.start = NULL;
	options.tried_capset_mask |= RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_DRM);
	check_create_fails(&options, -ENOTSUP, "does not have all");
	options.render_node = "/dev/dri/renderD128";
	check_create_fails(&options, -ENOTSUP, "--gpu-device");
}

static void test_create(void)
{
	const struct renderer_options options = {.tried_capset_mask = CROSS_DOMAIN};
	struct renderer *renderer;
	uint8_t capset[16];

	rutabaga_fake_reset();
	renderer = rutabaga_fake_renderer(VULKAN | CROSS_DOMAIN, NULL, NULL, NULL);
	check_create_fails(&options, -EBUSY, "a process has one");
	g_assert_true(renderer->has_3d && renderer->has_blob);
	g_assert_cmpuint(renderer->capset_count, ==, 2);
	g_assert_cmpuint(renderer->capsets[0].id, ==, VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN);
	g_assert_cmpuint(renderer->capsets[1].id, ==, VIRTIO_GPU_CAPSET_CROSS_DOMAIN);
	g_assert_cmpint(renderer->ops->get_capset(renderer, 5, 1, capset, 16), ==, 0);
	g_assert_cmpuint(capset[15], ==, 5);
	/* The library would write 16 bytes all the same. */
	g_assert_cmpint(renderer->ops->get_capset(renderer, 5, 1, capset, 15), ==, -EINVAL);
	g_assert_cmpint(renderer->ops->get_capset(renderer, 5, 2, capset, 16), ==, -EINVAL);
	g_assert_cmpint(renderer->ops->get_capset(renderer, 8, 0, capset, 16), ==, -EINVAL);
	renderer->ops->destroy(renderer);
	renderer = rutabaga_fake_renderer(CROSS_DOMAIN, NULL, NULL, NULL);
	g_assert_cmpuint(renderer->capset_count, ==, 1);
	renderer->ops->destroy(renderer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* The library reports errors. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/renderer/rutabaga/image-len", test_image_len);
	g_test_add_func("/renderer/rutabaga/channels", test_channels);
	g_test_add_func("/renderer/rutabaga/bad-channels", test_bad_channels);
	g_test_add_func("/renderer/rutabaga/check", test_check);
	g_test_add_func("/renderer/rutabaga/errno", test_errno);
	g_test_add_func("/renderer/rutabaga/create-fails", test_create_fails);
	g_test_add_func("/renderer/rutabaga/create", test_create);
	return g_test_run();
}
