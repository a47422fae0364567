/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * gfxstream's images, blobs and commands: what would crash it never reaches it, and the pixels that
 * it gives are those that are shown. The library is the tests' own.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "rutabaga-fake.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CTX    1
#define BGRA   1
#define RGBA   67
#define SIDE   16
#define STREAM (12288 + 1048576) /* bytes of a ring and its buffer */

static struct renderer *renderer;
static uint8_t backing[SIDE * SIDE * 4 + 100];

static void set_up(void)
{
	rutabaga_fake_reset();
	renderer = rutabaga_fake_renderer(
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN) |
			RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN),
		NULL, NULL, NULL);
	g_assert_cmpint(renderer->ops->ctx_create(renderer, CTX, 0, "test"), ==, 0);
	g_free(rutabaga_fake_take_log());
}

static void tear_down(void)
{
	renderer->ops->ctx_destroy(renderer, CTX);
	renderer->ops->destroy(renderer);
	rutabaga_fake_reset();
}

static void check_log(const char *expected)
{
	g_autofree char *log = rutabaga_fake_take_log();

	g_assert_cmpstr(log, ==, expected);
}

static struct gpu_resource image_of(uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
	return (struct gpu_resource){
		.id = id,
		.kind = GPU_RESOURCE_3D,
		.format = format,
		.width = width,
		.height = height,
		.args_3d = {.target = 2, .depth = 1, .array_size = 1},
	};
}

static struct gpu_resource blob_of(uint32_t id, uint32_t mem, uint64_t blob_id, uint64_t size)
{
	return (struct gpu_resource){
		.id = id,
		.kind = GPU_RESOURCE_BLOB,
		.blob =
			{
				.mem = mem,
				.flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
				.ctx_id = CTX,
				.id = blob_id,
				.size = size,
			},
	};
}

static int create(struct gpu_resource *resource)
{
	return renderer->ops->resource_create(renderer, resource);
}

static void destroy(struct gpu_resource *resource)
{
	renderer->ops->resource_destroy(renderer, resource);
}

static int attach(struct gpu_resource *resource, struct iovec *iov, unsigned int count)
{
	resource->iov = iov;
	resource->iov_count = count;
	resource->backing_len = 0;
	for (unsigned int i = 0; i < count; i++)
		resource->backing_len += iov[i].iov_len;
	return renderer->ops->attach_backing(renderer, resource);
}

static int transfer_both(struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	int to = renderer->ops->transfer_to_host_3d(renderer, CTX, resource, transfer);
	int from = renderer->ops->transfer_from_host_3d(renderer, CTX, resource, transfer);

	g_assert_cmpint(to, ==, from);
	return to;
}

static struct gpu_transfer_3d whole = {.box = {.w = SIDE, .h = SIDE, .d = 1}};

static void test_images_that_are_refused(void)
{
	struct gpu_resource images[] = {image_of(7, BGRA, 8192, 8192), image_of(7, BGRA, 0, 1),
		image_of(7, 3, 8, 8), image_of(7, RGBA, UINT32_MAX, UINT32_MAX)};
	struct gpu_resource image = image_of(7, BGRA, 8, 8);

	set_up();
	for (size_t i = 0; i < G_N_ELEMENTS(images); i++) {
		g_assert_cmpint(create(&images[i]), ==, -EINVAL);
		g_assert_null(images[i].renderer_data);
	}
	check_log("");
	rutabaga_fake.error = -ESRCH;
	g_assert_cmpint(create(&image), ==, -EINVAL);
	rutabaga_fake.error = 0;
	g_assert_cmpint(create(&image), ==, 0);
	destroy(&image);
	check_log(" create-7 create-7 unref-7");
	tear_down();
}

static void test_backing_that_is_short(void)
{
	struct gpu_resource image = image_of(7, BGRA, SIDE, SIDE);
	struct iovec iov[] = {{backing, 1000}, {backing + 1000, SIDE * SIDE * 4 - 1001}};

	set_up();
	g_assert_cmpint(create(&image), ==, 0);
	g_assert_cmpint(transfer_both(&image, &whole), ==, -EINVAL);
	check_log(" create-7");
	g_assert_cmpint(attach(&image, iov, 2), ==, 0);
	g_assert_cmpint(transfer_both(&image, &whole), ==, -EINVAL);
	check_log(" attach-7");
	renderer->ops->detach_backing(renderer, &image);
	iov[1].iov_len++;
	g_assert_cmpint(attach(&image, iov, 2), ==, 0);
	g_assert_cmpint(transfer_both(&image, &whole), ==, 0);
	check_log(" detach-7 attach-7 write-7 read-7");
	destroy(&image);
	tear_down();
}

/* gfxstream keeps a copy of what it is shown. */
static void test_backing_that_is_long(void)
{
	struct gpu_resource image = image_of(7, BGRA, SIDE, SIDE);
	struct iovec iov[] = {
		{backing, SIDE * SIDE * 4 - 10}, {backing + 100, 100}, {backing + 300, 100}};

	set_up();
	g_assert_cmpint(create(&image), ==, 0);
	g_assert_cmpint(attach(&image, iov, 3), ==, 0);
	g_assert_cmpuint(rutabaga_fake.backing_count, ==, 2);
	g_assert_cmpuint(rutabaga_fake.backing[1].iov_len, ==, 10);
	g_assert_cmpuint(iov[1].iov_len, ==, 100);
	destroy(&image);
	tear_down();
}

static void test_boxes_outside(void)
{
	static struct gpu_transfer_3d bad[] = {
		{.box = {.w = SIDE + 1, .h = SIDE, .d = 1}},
		{.box = {.w = SIDE, .h = SIDE + 1, .d = 1}},
		{.box = {.x = 1, .w = SIDE, .h = SIDE, .d = 1}},
		{.box = {.y = SIDE, .w = 1, .h = 1, .d = 1}},
		{.box = {.x = UINT32_MAX, .w = 2, .h = 1, .d = 1}},
		{.box = {.y = 2, .w = 1, .h = UINT32_MAX, .d = 1}},
		{.box = {.w = 0, .h = 1, .d = 1}},
		{.box = {.w = 1, .h = 0, .d = 1}},
		{.box = {.w = 1, .h = 1, .d = 2}},
		{.box = {.z = 1, .w = 1, .h = 1, .d = 1}},
		{.box = {.w = 1, .h = 1, .d = 1}, .level = 1},
	};
	struct gpu_resource image = image_of(7, BGRA, SIDE, SIDE);
	struct iovec iov = {backing, sizeof(backing)};

	set_up();
	g_assert_cmpint(create(&image), ==, 0);
	g_assert_cmpint(attach(&image, &iov, 1), ==, 0);
	check_log(" create-7 attach-7");
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_cmpint(transfer_both(&image, &bad[i]), ==, -EINVAL);
	check_log("");
	destroy(&image);
	tear_down();
}

/*
 * gfxstream would move what lies between the lines of a box too. The image is fetched, and either the
 * box of it is for the guest, or it is sent whole, out of memory that is its backing for a moment.
 */
static void test_box_inside(void)
{
	struct gpu_transfer_3d part = {.box = {.x = 15, .y = 15, .w = 1, .h = 1, .d = 1}};
	struct gpu_resource image = image_of(7, BGRA, SIDE, SIDE);
	struct iovec iov = {backing, sizeof(backing)};

	set_up();
	g_assert_cmpint(create(&image), ==, 0);
	g_assert_cmpint(attach(&image, &iov, 1), ==, 0);
	g_assert_cmpint(renderer->ops->transfer_to_host_3d(renderer, CTX, &image, &part), ==, 0);
	check_log(" create-7 attach-7 read-7 detach-7 attach-7 write-7 detach-7 attach-7");
	/* Its backing is the guest's again. */
	g_assert_true(rutabaga_fake.backing[0].iov_base == backing);
	memset(backing, 0xee, sizeof(backing));
	rutabaga_fake.pixel = 7;
	g_assert_cmpint(renderer->ops->transfer_from_host_3d(renderer, CTX, &image, &part), ==, 0);
	check_log(" read-7");
	for (size_t i = 0; i < sizeof(backing); i++)
		g_assert_cmpuint(backing[i], ==,
			i / 4 == SIDE * SIDE - 1 ? (uint8_t)(rutabaga_fake.pixel + i) : 0xee);
	rutabaga_fake.error = -EINVAL;
	g_assert_cmpint(transfer_both(&image, &whole), ==, -EINVAL);
	destroy(&image);
	tear_down();
}

/* The fake library's image: byte i is @pixel + i. */
static void check_pixels(const uint8_t *bytes, size_t stride, const struct gpu_rect *rect)
{
	for (uint32_t y = 0; y < rect->height; y++)
		for (uint32_t i = 0; i < 4 * rect->width; i++)
			g_assert_cmpuint(bytes[y * stride + i], ==,
				(uint8_t)(rutabaga_fake.pixel +
					  ((rect->y + y) * SIDE + rect->x) * 4 + i));
}

static void test_read_rect(void)
{
	const struct gpu_rect rect = {3, 2, 5, 4};
	struct gpu_resource image = image_of(7, BGRA, SIDE, SIDE);
	struct gpu_resource planar = image_of(8, 163, SIDE, SIDE);
	struct iovec iov = {backing, sizeof(backing)};
	uint8_t bytes[4 * 32];

	set_up();
	memset(backing, 0xee, sizeof(backing));
	g_assert_cmpint(create(&image), ==, 0);
	g_assert_cmpint(create(&planar), ==, 0);
	g_free(rutabaga_fake_take_log());
	rutabaga_fake.pixel = 11;
	/* Without backing gfxstream would crash; it gets one for a moment. */
	g_assert_cmpint(renderer->ops->read_rect(renderer, &image, &rect, bytes, 32), ==, 0);
	check_pixels(bytes, 32, &rect);
	check_log(" attach-7 read-7 detach-7");
	g_assert_cmpint(attach(&image, &iov, 1), ==, 0);
	rutabaga_fake.pixel = 99;
	g_assert_cmpint(renderer->ops->read_rect(renderer, &image, &rect, bytes, 32), ==, 0);
	check_pixels(bytes, 32, &rect);
	check_log(" attach-7 read-7");
	/* What is shown does not change the guest's memory. */
	g_assert_cmpuint(backing[0], ==, 0xee);
	g_assert_cmpint(
		renderer->ops->read_rect(renderer, &planar, &rect, bytes, 32), ==, -ENOTSUP);
	destroy(&planar);
	destroy(&image);
	tear_down();
}

/* A read for the display of an image whose backing is short leaves it with that. */
static void test_read_rect_of_short_backing(void)
{
	const struct gpu_rect rect = {0, 0, SIDE, SIDE};
	struct gpu_resource image = image_of(7, BGRA, SIDE, SIDE);
	struct iovec iov = {backing, 100};
	uint8_t bytes[SIDE * SIDE * 4];

	set_up();
	g_assert_cmpint(create(&image), ==, 0);
	g_assert_cmpint(attach(&image, &iov, 1), ==, 0);
	g_free(rutabaga_fake_take_log());
	g_assert_cmpint(renderer->ops->read_rect(renderer, &image, &rect, bytes, 4 * SIDE), ==, 0);
	check_pixels(bytes, 4 * SIDE, &rect);
	check_log(" attach-7 read-7 detach-7");
	destroy(&image);
	tear_down();
}

static void test_blobs_of_nothing(void)
{
	struct gpu_resource blob = blob_of(9, VIRTIO_GPU_BLOB_MEM_HOST3D, 5, 4096);
	struct gpu_resource both = blob_of(9, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, 5, 4096);

	set_up();
	/* The library says that all is well, and has nothing. */
	g_assert_cmpint(create(&blob), ==, -EINVAL);
	g_assert_null(blob.renderer_data);
	check_log(" blob-9 unref-9");
	rutabaga_fake.error = -EINVAL;
	rutabaga_fake.map_info = RUTABAGA_MAP_CACHE_CACHED;
	g_assert_cmpint(create(&blob), ==, -EINVAL);
	check_log(" blob-9");
	rutabaga_fake.error = 0;
	g_assert_cmpint(create(&both), ==, -EINVAL);
	check_log("");
	tear_down();
}

static int submit(const void *command, size_t len)
{
	/* Of its very length: what reads behind it is seen by a sanitizer. */
	g_autofree void *copy = g_memdup2(command, len);

	return renderer->ops->submit(renderer, CTX, copy, len, &(size_t){0});
}

/* RESOURCE_CREATE_3D: the blob that comes is an image. */
static int announce(uint32_t format, uint32_t width, uint32_t height, uint64_t blob_id)
{
	const uint32_t command[] = {0xa003, 2, format, 0, width, height, 1, 1, 0, 0, 0, 0,
		(uint32_t)blob_id, (uint32_t)(blob_id >> 32)};

	return submit(command, sizeof(command));
}

static void test_blob_that_is_an_image(void)
{
	const struct gpu_rect rect = {0, 1, SIDE, 3};
	const struct gpu_rect outside = {1, 0, SIDE, 1};
	struct gpu_resource blob = blob_of(9, VIRTIO_GPU_BLOB_MEM_HOST3D, 5, 4096);
	struct gpu_resource plain = blob_of(10, VIRTIO_GPU_BLOB_MEM_HOST3D, 5, 4096);
	struct renderer_blob out = {.fd = -1};
	uint8_t bytes[SIDE * 3 * 4];

	set_up();
	rutabaga_fake.map_info = RUTABAGA_MAP_CACHE_CACHED | RUTABAGA_MAP_ACCESS_RW;
	g_assert_cmpint(announce(RGBA, SIDE, SIDE, 5), ==, 0);
	g_assert_cmpint(create(&blob), ==, 0);
	g_assert_cmpint(create(&plain), ==, 0);
	check_log(" submit-1 blob-9 blob-10");
	g_assert_cmpint(renderer->ops->export_blob(renderer, &blob, &out), ==, -ENOTSUP);
	g_assert_cmpint(
		renderer->ops->read_blob(renderer, &blob, RGBA, &rect, bytes, 4 * SIDE), ==, 0);
	check_pixels(bytes, 4 * SIDE, &rect);
	check_log(" attach-9 read-9 detach-9");
	g_assert_cmpint(
		renderer->ops->read_blob(renderer, &blob, BGRA, &rect, bytes, 64), ==, -EINVAL);
	g_assert_cmpint(
		renderer->ops->read_blob(renderer, &blob, RGBA, &outside, bytes, 64), ==, -EINVAL);
	/* The announcement was for one blob. */
	g_assert_cmpint(
		renderer->ops->read_blob(renderer, &plain, RGBA, &rect, bytes, 64), ==, -EINVAL);
	check_log("");
	destroy(&plain);
	destroy(&blob);
	tear_down();
}

static int export(uint32_t handle_type, uint32_t map_info, uint64_t size, struct renderer_blob *out)
{
	struct gpu_resource blob = blob_of(9, VIRTIO_GPU_BLOB_MEM_HOST3D, 5, size);
	int ret;

	rutabaga_fake.handle_type = handle_type;
	rutabaga_fake.map_info = map_info;
	g_assert_cmpint(create(&blob), ==, 0);
	ret = renderer->ops->export_blob(renderer, &blob, out);
	destroy(&blob);
	if (ret == 0)
		close(out->fd);
	return ret;
}

static void test_export(void)
{
	const uint32_t cached = RUTABAGA_MAP_CACHE_CACHED;
	struct renderer_blob out;

	set_up();
	rutabaga_fake.blob_fd = memfd_create("blob", MFD_CLOEXEC);
	g_assert_cmpint(ftruncate(rutabaga_fake.blob_fd, 5000), ==, 0);
	g_assert_cmpint(
		export(RENDERER_RUTABAGA_MEM_SHM, cached | RUTABAGA_MAP_ACCESS_RW, 8192, &out), ==,
		0);
	g_assert_cmpint(out.type, ==, RENDERER_HANDLE_SHM);
	g_assert_cmpuint(out.map_info, ==, VIRTIO_GPU_MAP_CACHE_CACHED);
	g_assert_false(out.is_read_only);
	g_assert_cmpint(
		export(RENDERER_RUTABAGA_MEM_DMABUF, cached | RUTABAGA_MAP_ACCESS_READ, 1, &out),
		==, 0);
	g_assert_cmpint(out.type, ==, RENDERER_HANDLE_DMABUF);
	g_assert_true(out.is_read_only);
	/* A page that is not there would end whoever touches it. */
	g_assert_cmpint(export(RENDERER_RUTABAGA_MEM_SHM, cached, 8193, &out), ==, -ENOTSUP);
	g_assert_cmpint(export(1, cached, 4096, &out), ==, 0);
	g_assert_cmpint(out.type, ==, RENDERER_HANDLE_OPAQUE);
	close(rutabaga_fake.blob_fd);
	rutabaga_fake.blob_fd = -1;
	tear_down();
}

static void test_announcements(void)
{
	set_up();
	g_assert_cmpint(announce(RGBA, 8, 8, 0), ==, -EINVAL);
	g_assert_cmpint(announce(RGBA, 8, 8, UINT64_C(1) << 32), ==, -EINVAL);
	g_assert_cmpint(announce(3, 8, 8, 1), ==, -EINVAL);
	g_assert_cmpint(announce(RGBA, 8192, 8192, 1), ==, -EINVAL);
	check_log("");
	for (uint64_t id = 1; id <= 65536; id++)
		g_assert_cmpint(announce(RGBA, 8, 8, id), ==, 0);
	g_free(rutabaga_fake_take_log());
	g_assert_cmpint(announce(RGBA, 8, 8, 65537), ==, -EINVAL);
	check_log("");
	tear_down();
}

/* The library reads a whole structure, however short the command is. */
static void test_commands(void)
{
	static const uint32_t known[] = {
		0x1002, 0x1003, 0x9000, 0xa000, 0xa001, 0xa002, 0xa004, 0xf002};
	static const uint32_t unknown[] = {0, 1, 0x1000, 0x1004, 0xa005, UINT32_MAX};
	uint32_t words[32] = {0};

	set_up();
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		words[0] = known[i];
		memset(rutabaga_fake.command, 0xff, sizeof(rutabaga_fake.command));
		g_assert_cmpint(submit(words, 4), ==, 0);
		g_assert_cmphex(rutabaga_fake.command[0], ==, known[i]);
		g_assert_cmphex(rutabaga_fake.command[1], ==, 0);
		g_assert_cmpint(submit(words, sizeof(words)), ==, 0);
	}
	g_free(rutabaga_fake_take_log());
	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
		words[0] = unknown[i];
		g_assert_cmpint(submit(words, sizeof(words)), ==, -EINVAL);
	}
	words[0] = 0x1002;
	g_assert_cmpint(submit(words, 1), ==, -EINVAL);
	check_log("");
	tear_down();
}

static int create_stream(uint32_t resource_id)
{
	const uint32_t command[] = {0x1001, resource_id};

	return submit(command, sizeof(command));
}

static void test_streams(void)
{
	struct gpu_resource good = blob_of(20, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, STREAM);
	struct gpu_resource bad[] = {blob_of(21, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, STREAM - 1),
		blob_of(22, VIRTIO_GPU_BLOB_MEM_HOST3D, 3, STREAM),
		blob_of(23, VIRTIO_GPU_BLOB_MEM_GUEST, 0, STREAM), image_of(24, BGRA, 8, 8)};

	set_up();
	rutabaga_fake.map_info = RUTABAGA_MAP_CACHE_CACHED;
	g_assert_cmpint(create(&good), ==, 0);
	g_assert_cmpint(create_stream(20), ==, -EINVAL);
	g_assert_cmpint(create_stream(0), ==, -EINVAL);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_cmpint(create(&bad[i]), ==, 0);
		g_assert_cmpint(renderer->ops->ctx_attach_resource(renderer, CTX, &bad[i]), ==, 0);
		g_assert_cmpint(create_stream(bad[i].id), ==, -EINVAL);
		renderer->ops->ctx_detach_resource(renderer, CTX, &bad[i]);
		destroy(&bad[i]);
	}
	for (int turn = 0; turn < 2; turn++) {
		g_assert_cmpint(renderer->ops->ctx_attach_resource(renderer, CTX, &good), ==, 0);
		g_assert_cmpint(create_stream(20), ==, 0);
		/* Its thread runs. */
		g_assert_cmpint(create_stream(20), ==, -EINVAL);
		renderer->ops->ctx_detach_resource(renderer, CTX, &good);
	}
	destroy(&good);
	tear_down();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* What a guest does wrong is told. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/rutabaga/images/refused", test_images_that_are_refused);
	g_test_add_func("/rutabaga/images/short-backing", test_backing_that_is_short);
	g_test_add_func("/rutabaga/images/long-backing", test_backing_that_is_long);
	g_test_add_func("/rutabaga/images/boxes-outside", test_boxes_outside);
	g_test_add_func("/rutabaga/images/box-inside", test_box_inside);
	g_test_add_func("/rutabaga/images/read-rect", test_read_rect);
	g_test_add_func("/rutabaga/images/read-rect-short", test_read_rect_of_short_backing);
	g_test_add_func("/rutabaga/blobs/of-nothing", test_blobs_of_nothing);
	g_test_add_func("/rutabaga/blobs/image", test_blob_that_is_an_image);
	g_test_add_func("/rutabaga/blobs/export", test_export);
	g_test_add_func("/rutabaga/commands/announcements", test_announcements);
	g_test_add_func("/rutabaga/commands/all", test_commands);
	g_test_add_func("/rutabaga/commands/streams", test_streams);
	return g_test_run();
}
