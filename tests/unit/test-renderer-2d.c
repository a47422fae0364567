/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/pixman: transfers of random rectangles out of scattered memory, against a copy of the
 * picture that is made pixel by pixel; and the table of renderers.
 */
#include "renderer/renderers.h"

#include <errno.h>
#include <string.h>

#define BYTES_PER_PIXEL 4

static struct renderer *renderer_new(const char *mode)
{
	struct renderer_options options = {0};
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	g_assert_cmpint(renderer_type_find(mode)->create(&options, &renderer, &message), ==, 0);
	g_assert_null(message);
	return renderer;
}

/* Guest memory: @len random bytes in parts of the sizes that @part_lens lists, over and over. */
struct backing {
	uint8_t *flat;
	size_t len;
	GArray *iovs;
};

static void backing_init(struct backing *backing, size_t len, const size_t *part_lens, size_t parts)
{
	size_t done = 0;

	backing->flat = g_malloc(len);
	backing->len = len;
	backing->iovs = g_array_new(FALSE, FALSE, sizeof(struct iovec));
	for (size_t i = 0; i < len; i++)
		backing->flat[i] = (uint8_t)g_test_rand_int();
	for (size_t i = 0; done < len; i++) {
		size_t part_len = MIN(part_lens[i % parts], len - done);
		/* Each part of its own: a read across its end is found by ASan. */
		struct iovec iov = {g_memdup2(backing->flat + done, part_len), part_len};

		g_array_append_val(backing->iovs, iov);
		done += part_len;
	}
}

static void backing_finish(struct backing *backing)
{
	for (size_t i = 0; i < backing->iovs->len; i++)
		g_free(g_array_index(backing->iovs, struct iovec, i).iov_base);
	g_array_unref(backing->iovs);
	g_free(backing->flat);
}

static void resource_init(struct renderer *renderer, struct gpu_resource *resource, uint32_t width,
	uint32_t height, const struct backing *backing)
{
	*resource = (struct gpu_resource){
		.id = 1,
		.kind = GPU_RESOURCE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = width,
		.height = height,
	};
	g_assert_cmpint(renderer->ops->resource_create(renderer, resource), ==, 0);
	resource->iov = (struct iovec *)backing->iovs->data;
	resource->iov_count = backing->iovs->len;
	resource->backing_len = backing->len;
	/* It needs to know nothing of the backing before a transfer. */
	g_assert_null(renderer->ops->attach_backing);
}

static void resource_finish(struct renderer *renderer, struct gpu_resource *resource)
{
	resource->iov = NULL;
	renderer->ops->resource_destroy(renderer, resource);
}

static uint32_t random_in(uint32_t from, uint32_t to)
{
	return (uint32_t)g_test_rand_int_range((gint32)from, (gint32)to + 1);
}

static struct gpu_rect random_rect(uint32_t width, uint32_t height)
{
	struct gpu_rect rect = {random_in(0, width - 1), random_in(0, height - 1), 0, 0};

	/* Whole lines are a path of their own. */
	if (random_in(0, 3) == 0)
		rect.x = 0;
	rect.width = random_in(0, 3) == 0 ? width - rect.x : random_in(1, width - rect.x);
	rect.height = random_in(1, height - rect.y);
	return rect;
}

static void check_image(struct renderer *renderer, struct gpu_resource *resource,
	const uint8_t *expected, size_t stride)
{
	size_t ret_stride = 0;
	const uint8_t *pixels = renderer->ops->get_pixels(renderer, resource, &ret_stride);

	g_assert_cmpuint(ret_stride, ==, stride);
	g_assert_cmpmem(pixels, stride * resource->height, expected, stride * resource->height);
}

static void check_random_transfer(struct renderer *renderer, struct gpu_resource *resource,
	const struct backing *backing, uint8_t *expected, size_t stride)
{
	struct gpu_rect rect = random_rect(resource->width, resource->height);
	size_t needed = (rect.height - 1) * stride + (size_t)rect.width * BYTES_PER_PIXEL;
	size_t offset = random_in(0, (uint32_t)(backing->len - needed));

	g_assert_cmpint(
		renderer->ops->transfer_to_host_2d(renderer, resource, &rect, offset), ==, 0);
	for (uint32_t y = 0; y < rect.height; y++) {
		for (size_t i = 0; i < (size_t)rect.width * BYTES_PER_PIXEL; i++)
			expected[(rect.y + y) * stride + (size_t)rect.x * BYTES_PER_PIXEL + i] =
				backing->flat[offset + y * stride + i];
	}
	check_image(renderer, resource, expected, stride);
}

static void check_transfers(uint32_t width, uint32_t height, const size_t *part_lens, size_t parts)
{
	struct renderer *renderer = renderer_new("2d");
	size_t stride = (size_t)width * BYTES_PER_PIXEL;
	g_autofree uint8_t *expected = g_malloc0(stride * height);
	struct gpu_resource resource;
	struct backing backing;

	backing_init(&backing, stride * height + 57, part_lens, parts);
	resource_init(renderer, &resource, width, height, &backing);
	check_image(renderer, &resource, expected, stride);
	for (int i = 0; i < 300; i++)
		check_random_transfer(renderer, &resource, &backing, expected, stride);
	resource_finish(renderer, &resource);
	backing_finish(&backing);
	renderer->ops->destroy(renderer);
}

static void test_transfer(void)
{
	static const size_t one[] = {SIZE_MAX}, pages[] = {4096}, odd[] = {1, 7, 4096, 3, 64, 129};

	check_transfers(61, 47, one, G_N_ELEMENTS(one));
	check_transfers(61, 47, pages, G_N_ELEMENTS(pages));
	check_transfers(61, 47, odd, G_N_ELEMENTS(odd));
	check_transfers(1, 33, odd, G_N_ELEMENTS(odd));
	check_transfers(33, 1, odd, G_N_ELEMENTS(odd));
	check_transfers(1, 1, odd, G_N_ELEMENTS(odd));
}

/* The device checks the length; should it ever not, the end of the memory is the end. */
static void test_transfer_short(void)
{
	static const size_t pages[] = {100};
	const struct gpu_rect whole = {0, 0, 8, 8}, part = {1, 1, 2, 7};
	struct renderer *renderer = renderer_new("2d");
	struct gpu_resource resource;
	struct backing backing;

	backing_init(&backing, 8 * 8 * 4, pages, 1);
	resource_init(renderer, &resource, 8, 8, &backing);
	g_assert_cmpint(
		renderer->ops->transfer_to_host_2d(renderer, &resource, &whole, 1), ==, -EINVAL);
	g_assert_cmpint(
		renderer->ops->transfer_to_host_2d(renderer, &resource, &part, 57), ==, -EINVAL);
	g_assert_cmpint(renderer->ops->transfer_to_host_2d(renderer, &resource, &part, 1 << 20), ==,
		-EINVAL);
	resource_finish(renderer, &resource);
	backing_finish(&backing);
	renderer->ops->destroy(renderer);
}

static void test_read_rect(void)
{
	static const size_t odd[] = {5, 300};
	const struct gpu_rect whole = {0, 0, 9, 5}, part = {2, 1, 3, 4};
	const size_t stride = 9 * 4, dst_stride = 5 * 4;
	struct renderer *renderer = renderer_new("2d");
	struct gpu_resource resource;
	struct backing backing;
	uint8_t dst[4 * 5 * 4];

	backing_init(&backing, stride * 5, odd, 2);
	resource_init(renderer, &resource, 9, 5, &backing);
	g_assert_cmpint(renderer->ops->transfer_to_host_2d(renderer, &resource, &whole, 0), ==, 0);
	memset(dst, 0xee, sizeof(dst));
	g_assert_cmpint(
		renderer->ops->read_rect(renderer, &resource, &part, dst, dst_stride), ==, 0);
	for (uint32_t y = 0; y < 4; y++) {
		g_assert_cmpmem(dst + y * dst_stride, 12, backing.flat + (y + 1) * stride + 8, 12);
		/* What is behind a line is not ours. */
		for (size_t i = 12; i < dst_stride; i++)
			g_assert_cmpuint(dst[y * dst_stride + i], ==, 0xee);
	}
	resource_finish(renderer, &resource);
	backing_finish(&backing);
	renderer->ops->destroy(renderer);
}

static void test_create_refused(void)
{
	struct renderer *renderer = renderer_new("2d");
	struct gpu_resource huge = {.id = 1, .kind = GPU_RESOURCE_2D};
	struct gpu_resource blob = {.id = 1, .kind = GPU_RESOURCE_BLOB};

	huge.width = huge.height = UINT32_MAX;
	g_assert_cmpint(renderer->ops->resource_create(renderer, &huge), ==, -ENOMEM);
	huge.height = 0;
	g_assert_cmpint(renderer->ops->resource_create(renderer, &huge), ==, -EINVAL);
	g_assert_cmpint(renderer->ops->resource_create(renderer, &blob), ==, -ENOTSUP);
	renderer->ops->destroy(renderer);
}

static void count_fence(void *opaque, const struct renderer_fence *fence)
{
	*(uint64_t *)opaque += fence->seqno;
}

static void test_null(void)
{
	static const struct renderer_events events = {.fence_signalled = count_fence};
	const struct renderer_fence fence = {.seqno = 42};
	const struct gpu_rect part = {1, 1, 2, 1}, outside = {1, 1, 4, 1};
	struct renderer *renderer = renderer_new("null");
	struct gpu_resource resource = {.id = 1, .width = 4, .height = 2};
	uint8_t dst[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint64_t sum = 0;

	renderer->events = &events;
	renderer->events_opaque = &sum;
	g_assert_true(renderer->has_3d);
	g_assert_cmpint(renderer->ops->resource_create(renderer, &resource), ==, 0);
	g_assert_cmpint(renderer->ops->read_rect(renderer, &resource, &part, dst, 8), ==, 0);
	g_assert_cmpmem(dst, 8, "\0\0\0\0\0\0\0\0", 8);
	g_assert_cmpint(renderer->ops->read_rect(renderer, &resource, &outside, dst, 8), <, 0);
	g_assert_cmpint(
		renderer->ops->transfer_to_host_2d(renderer, &resource, &part, 0), ==, -EINVAL);
	g_assert_cmpint(renderer->ops->submit(renderer, 1, dst, 6, &(size_t){0}), ==, -EINVAL);
	g_assert_cmpint(renderer->ops->create_fence(renderer, &fence), ==, 0);
	g_assert_cmpuint(sum, ==, 42);
	renderer->ops->resource_destroy(renderer, &resource);
	renderer->ops->destroy(renderer);
}

static void test_table(void)
{
	const struct renderer_type *virgl = renderer_type_find("virglrenderer");

	g_assert_nonnull(virgl);
	g_assert_cmpuint(renderer_capset_find(virgl, "venus")->id, ==, 4);
	g_assert_null(renderer_capset_find(virgl, "cross-domain"));
	g_assert_cmpuint(
		renderer_capset_find(renderer_type_find("gfxstream"), "cross-domain")->id, ==, 5);
	g_assert_null(renderer_capset_find(renderer_type_find("2d"), "virgl"));
	g_assert_null(renderer_type_find("3d"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/renderer/table", test_table);
	g_test_add_func("/renderer/null", test_null);
	g_test_add_func("/renderer/2d/create-refused", test_create_refused);
	g_test_add_func("/renderer/2d/read-rect", test_read_rect);
	g_test_add_func("/renderer/2d/transfer", test_transfer);
	g_test_add_func("/renderer/2d/transfer-short", test_transfer_short);
	return g_test_run();
}
