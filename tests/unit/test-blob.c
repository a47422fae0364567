/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blob resources: what can be made, and a guest blob as a picture.
 */
#include "gpu-fakes.h"

#include <errno.h>
#include <string.h>

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	gpu_fixture_set_up(f, NULL);
}

#define GPA UINT64_C(0x100000)

static uint32_t create(struct gpu_fixture *f, uint32_t id, uint32_t mem, uint64_t size,
	const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
	const struct virtio_gpu_resource_create_blob command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB),
		.hdr.ctx_id = htole32(1),
		.resource_id = htole32(id),
		.blob_mem = htole32(mem),
		.blob_flags = htole32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
		.size = htole64(size),
		.nr_entries = htole32(count),
	};
	uint8_t bytes[512];

	memcpy(bytes, &command, sizeof(command));
	if (count > 0)
		memcpy(bytes + sizeof(command), entries, count * sizeof(*entries));
	return gpu_fixture_run(f, bytes, sizeof(command) + count * sizeof(*entries));
}

static struct virtio_gpu_mem_entry entry(uint64_t offset, uint32_t len)
{
	return (struct virtio_gpu_mem_entry){.addr = htole64(GPA + offset), .length = htole32(len)};
}

static void test_what_can_be_made(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_mem_entry page = entry(0, 4096);
	const struct virtio_gpu_mem_entry outside = entry(1 << 20, 4096);

	gpu_fixture_add_memory(f, GPA, 1 << 20);
	/* A host blob needs its context. */
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_HOST3D, 4096, NULL, 0), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	gpu_fixture_ctx_create(f, 1, 0);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, NULL, 0), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_HOST3D, 4096, &page, 1), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(create(f, 1, 4, 4096, &page, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_GUEST, 4097, &page, 1), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_GUEST, 4096, &outside, 1), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_GUEST, 4096, &page, 1), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_GUEST, 4096, &page, 1), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmphex(create(f, 2, VIRTIO_GPU_BLOB_MEM_HOST3D, 4096, NULL, 0), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	/* Its pages are its own for life. */
	g_assert_cmphex(
		gpu_fixture_attach(f, 1, &page, 1), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static uint32_t set_scanout_blob(struct gpu_fixture *f, uint32_t stride, uint32_t offset)
{
	const struct virtio_gpu_set_scanout_blob command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_SET_SCANOUT_BLOB),
		.r = {.width = htole32(4), .height = htole32(2)},
		.resource_id = htole32(1),
		.width = htole32(4),
		.height = htole32(2),
		.format = htole32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
		.strides = {htole32(stride)},
		.offsets = {htole32(offset)},
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}

/* Return: the answer to a picture of a blob of @size bytes that has no pages of its own. */
static uint32_t show_large(
	struct gpu_fixture *f, uint64_t size, uint32_t width, uint32_t height, uint32_t stride)
{
	const struct virtio_gpu_set_scanout_blob command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_SET_SCANOUT_BLOB),
		.r = {.width = htole32(1), .height = htole32(1)},
		.resource_id = htole32(1),
		.width = htole32(width),
		.height = htole32(height),
		.format = htole32(VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM),
		.strides = {htole32(stride)},
	};
	uint32_t response;

	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_HOST3D, size, NULL, 0), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	response = gpu_fixture_run(f, &command, sizeof(command));
	g_assert_cmphex(gpu_fixture_unref(f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	return response;
}

/* pixman multiplies a line's number by its length in words, as ints: 8 GiB is the end. */
static void test_large_pictures(void)
{
	const uint64_t size = UINT64_C(1) << 46;
	const uint32_t error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	struct gpu_fixture fixture = {0}, *f = &fixture;
	struct gpu_limits limits;

	gpu_limits_init(&limits);
	limits.max[GPU_LIMIT_HOSTMEM] = size;
	gpu_fixture_set_up(f, &limits);
	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	/* 2^31 - 1 words are 32766 lines of 65540 words, and 7 more. */
	g_assert_cmphex(show_large(f, size, 64, 32766, 65540 * 4), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(show_large(f, size, 64, 32766, 65541 * 4), ==, error);
	g_assert_cmphex(show_large(f, size, 64, 32766, INT32_MAX - 3), ==, error);
	g_assert_cmphex(show_large(f, size, 64, 4, INT32_MAX - 3), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(show_large(f, size, 64, 5, INT32_MAX - 3), ==, error);
	g_assert_cmphex(show_large(f, size, 64, 1, (uint32_t)INT32_MAX + 1), ==, error);
	g_assert_cmphex(show_large(f, size, 32767, 1, 32767 * 4), ==, error);
	g_assert_cmphex(show_large(f, size, 1, 32767, 4), ==, error);
	gpu_fixture_tear_down(f, NULL);
}

/* A texture's sides are the renderer's to limit; what is shown has the same limits as a blob. */
static void test_large_texture(struct gpu_fixture *f, gconstpointer data)
{
	struct virtio_gpu_resource_create_3d create_3d = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_3D),
		.resource_id = htole32(1),
		.target = htole32(2),
		.format = htole32(VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM),
		.width = htole32(1 << 29),
		.height = htole32(1),
		.depth = htole32(1),
		.array_size = htole32(1),
	};
	const struct virtio_gpu_set_scanout show = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_SET_SCANOUT),
		.r = {.width = htole32(1 << 29), .height = htole32(1)},
		.resource_id = htole32(1),
	};

	g_assert_cmphex(
		gpu_fixture_run(f, &create_3d, sizeof(create_3d)), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(
		gpu_fixture_run(f, &show, sizeof(show)), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

/* Scattered pages are put together line by line; one piece is lent as it is. */
static void test_pages_as_a_picture(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_mem_entry pages[] = {entry(0, 20), entry(4096, 44)};
	uint8_t *memory = gpu_fixture_add_memory(f, GPA, 1 << 20);
	const uint32_t first = GUINT32_TO_LE(0x112233), last = GUINT32_TO_LE(0x445566);
	struct flat_request request;

	/* The picture begins at byte 16 of the list; its last pixel ends at byte 16 + 32. */
	memcpy(memory + 16, &first, 4);
	memcpy(memory + 4096 + (16 + 28 - 20), &last, 4);
	g_assert_cmphex(create(f, 1, VIRTIO_GPU_BLOB_MEM_GUEST, 64, pages, 2), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(set_scanout_blob(f, 16, 36), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(set_scanout_blob(f, 12, 16), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(set_scanout_blob(f, 16, 16), ==, VIRTIO_GPU_RESP_OK_NODATA);
	/* The damage of a blob has no bound but what is shown. */
	gpu_fixture_flush(f, &request, 1, &(struct gpu_rect){0, 0, UINT32_MAX, UINT32_MAX});
	while (request.completed == 0)
		g_assert_true(g_main_context_iteration(f->context, FALSE));
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	fake_display_expect(&f->display, "scanout 0 4x2\nupdate 0 0,0 4x2\n");
	g_assert_cmphex(GUINT32_FROM_LE(f->display.first_pixel), ==, 0x112233);
	g_assert_cmphex(GUINT32_FROM_LE(f->display.last_pixel), ==, 0x445566);
}

/* All lists together have so many entries at most: they are resolved while the front-end waits. */
static void test_entries_of_all(void)
{
	struct gpu_limits limits;
	const struct virtio_gpu_mem_entry pages[] = {entry(0, 1), entry(2, 1), entry(4, 1)};
	struct gpu_fixture f = {0};

	gpu_limits_init(&limits);
	limits.max[GPU_LIMIT_TOTAL_BACKING_ENTRIES] = 5;
	gpu_fixture_set_up(&f, &limits);
	gpu_fixture_add_memory(&f, GPA, 1 << 20);
	gpu_fixture_create_2d(&f, 1, 1, 1);
	gpu_fixture_create_2d(&f, 2, 1, 1);
	g_assert_cmphex(gpu_fixture_attach(&f, 1, pages, 3), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_attach(&f, 2, pages, 3), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(create(&f, 3, VIRTIO_GPU_BLOB_MEM_GUEST, 3, pages, 3), ==,
		VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(create(&f, 3, VIRTIO_GPU_BLOB_MEM_GUEST, 2, pages, 2), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_unref(&f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_attach(&f, 2, pages, 3), ==, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_fixture_tear_down(&f, NULL);
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	ADD("/blob/what-can-be-made", test_what_can_be_made);
	ADD("/blob/pages-as-a-picture", test_pages_as_a_picture);
	ADD("/blob/large-texture", test_large_texture);
	g_test_add_func("/blob/large-pictures", test_large_pictures);
	g_test_add_func("/blob/entries-of-all", test_entries_of_all);
	return g_test_run();
}
