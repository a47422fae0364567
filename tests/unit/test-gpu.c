/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device, driven through its request interface with a renderer and a display of this file:
 * rectangles, formats, fence timelines, waiting, the count of host memory.
 */
#include "gpu/device.h"
#include "gpu/format.h"
#include "gpu/rect.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* A renderer whose fences signal when a test says so, from another thread. */

struct fake_renderer {
	struct renderer base;
	GArray *fences; /* of struct renderer_fence, in the order of creation */
	unsigned int resources;
};

static int fake_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	g_array_append_vals(((struct fake_renderer *)renderer)->fences, fence, 1);
	return 0;
}

static int fake_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	((struct fake_renderer *)renderer)->resources++;
	return 0;
}

static void fake_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	((struct fake_renderer *)renderer)->resources--;
}

static void fake_destroy(struct renderer *renderer)
{
	struct fake_renderer *fake = (struct fake_renderer *)renderer;

	g_assert_cmpuint(fake->resources, ==, 0);
	g_array_free(fake->fences, TRUE);
}

static int fake_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	*ret_blob = (struct renderer_blob){.fd = memfd_create("blob", MFD_CLOEXEC),
		.type = RENDERER_HANDLE_SHM,
		.map_info = 1};
	return 0;
}

static const struct renderer_ops fake_renderer_ops = {
	.export_blob = fake_export_blob,
	.destroy = fake_destroy,
	.create_fence = fake_create_fence,
	.resource_create = fake_resource_create,
	.resource_destroy = fake_resource_destroy,
};

/* A display that answers when a test says so. */

struct fake_display {
	struct display base;
	display_outputs_fn done;
	void *opaque;
	unsigned int cancelled;
};

static int fake_get_outputs(struct display *display, display_outputs_fn done, void *opaque)
{
	struct fake_display *fake = (struct fake_display *)display;

	fake->done = done;
	fake->opaque = opaque;
	return DISPLAY_PENDING;
}

static void fake_cancel(struct display *display, void *opaque)
{
	struct fake_display *fake = (struct fake_display *)display;

	fake->done = NULL;
	fake->cancelled++;
}

static const struct display_ops fake_display_ops = {
	.get_outputs = fake_get_outputs,
	.cancel = fake_cancel,
};

/* A request in flat memory. */

struct flat_request {
	struct gpu_request base;
	uint8_t out[256];
	uint8_t in[2048];
	unsigned int completed;
	size_t written_len;
};

static ssize_t flat_read(struct gpu_request *base, size_t offset, void *buf, size_t len)
{
	struct flat_request *request = (struct flat_request *)base;
	size_t part = offset < base->out_len ? MIN(len, base->out_len - offset) : 0;

	memcpy(buf, request->out + offset, part);
	return part;
}

static ssize_t flat_write(struct gpu_request *base, size_t offset, const void *buf, size_t len)
{
	struct flat_request *request = (struct flat_request *)base;
	size_t part = offset < base->in_len ? MIN(len, base->in_len - offset) : 0;

	memcpy(request->in + offset, buf, part);
	return part;
}

static void flat_complete(struct gpu_request *base, size_t written_len)
{
	struct flat_request *request = (struct flat_request *)base;

	request->completed++;
	request->written_len = written_len;
}

static const struct gpu_request_ops flat_ops = {
	.read = flat_read,
	.write = flat_write,
	.complete = flat_complete,
};

struct fixture {
	GMainContext *context;
	struct guest_memory *memory;
	struct fake_renderer renderer;
	struct fake_display display;
	struct gpu_device *device;
	unsigned int resumed;
};

static void on_resumed(void *opaque)
{
	((struct fixture *)opaque)->resumed++;
}

/* A front-end that carries maps and unmaps out when it is asked, and answers later. */

static unsigned int mapped;
static gpu_shmem_done_fn shmem_done;
static void *shmem_opaque;

static int fake_map(void *opaque, uint64_t offset, uint64_t len, const struct renderer_blob *blob,
	gpu_shmem_done_fn done, void *done_opaque)
{
	mapped++;
	shmem_done = done;
	shmem_opaque = done_opaque;
	return 0;
}

static int fake_unmap(
	void *opaque, uint64_t offset, uint64_t len, gpu_shmem_done_fn done, void *done_opaque)
{
	mapped--;
	return 0;
}

static const struct gpu_shmem_ops fake_shmem_ops = {.map = fake_map, .unmap = fake_unmap};

static const struct gpu_device_events events = {.resumed = on_resumed};

static void set_up(struct fixture *f, gconstpointer data)
{
	struct gpu_limits limits = GPU_LIMITS_DEFAULT;

	limits.max_hostmem = 1 << 20;
	limits.max_resources = 4;
	f->context = g_main_context_new();
	f->memory = guest_memory_create();
	f->renderer.base.ops = &fake_renderer_ops;
	f->renderer.base.has_3d = true;
	f->renderer.fences = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	f->display.base.ops = &fake_display_ops;
	f->display.base.ready = true;
	f->device = gpu_device_create(&f->renderer.base, f->memory, &limits, f->context);
	gpu_device_set_events(f->device, &events, f);
	gpu_device_add_display(f->device, &f->display.base);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
	gpu_device_destroy(f->device);
	guest_memory_destroy(f->memory);
	g_main_context_unref(f->context);
}

static void send(struct fixture *f, struct flat_request *request, const void *command, size_t len)
{
	memset(request, 0, sizeof(*request));
	request->base.ops = &flat_ops;
	request->base.out_len = len;
	request->base.in_len = sizeof(request->in);
	memcpy(request->out, command, len);
	gpu_device_control(f->device, &request->base);
}

static const struct virtio_gpu_ctrl_hdr *answer(const struct flat_request *request)
{
	g_assert_cmpuint(request->completed, ==, 1);
	return (const void *)request->in;
}

static uint32_t create_2d(struct fixture *f, uint32_t id, uint32_t width, uint32_t height)
{
	struct virtio_gpu_resource_create_2d command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
		.resource_id = htole32(id),
		.format = htole32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
		.width = htole32(width),
		.height = htole32(height),
	};
	struct flat_request request;

	send(f, &request, &command, sizeof(command));
	return le32toh(answer(&request)->type);
}

static void send_fenced(
	struct fixture *f, struct flat_request *request, uint32_t ctx_id, int ring, uint64_t id)
{
	struct virtio_gpu_resource_unref command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
		.hdr.flags = htole32(
			VIRTIO_GPU_FLAG_FENCE | (ring >= 0 ? VIRTIO_GPU_FLAG_INFO_RING_IDX : 0)),
		.hdr.fence_id = htole64(id),
		.hdr.ctx_id = htole32(ctx_id),
		.hdr.ring_idx = ring >= 0 ? ring : 0,
		.resource_id = htole32(1),
	};

	send(f, request, &command, sizeof(command));
}

static void ctx_create_with(struct fixture *f, uint32_t ctx_id, uint32_t capset_id)
{
	struct virtio_gpu_ctx_create command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE),
		.hdr.ctx_id = htole32(ctx_id),
		.context_init = htole32(capset_id),
	};
	struct flat_request request;

	send(f, &request, &command, sizeof(command));
	g_assert_cmphex(le32toh(answer(&request)->type), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void ctx_create(struct fixture *f, uint32_t ctx_id)
{
	ctx_create_with(f, ctx_id, 0);
}

static gpointer signal_fence(gpointer data)
{
	struct fixture *f = ((gpointer *)data)[0];
	struct renderer_fence *fence = ((gpointer *)data)[1];

	f->renderer.base.events->fence_signalled(f->renderer.base.events_opaque, fence);
	return NULL;
}

/* As a renderer does it: from a thread of its own. */
static void signal_nth(struct fixture *f, guint n)
{
	struct renderer_fence fence = g_array_index(f->renderer.fences, struct renderer_fence, n);
	gpointer data[] = {f, &fence};

	g_thread_join(g_thread_new("fence", signal_fence, data));
	while (g_main_context_iteration(f->context, FALSE))
		;
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

static void test_fence_waits(struct fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_fenced(f, &request, 0, -1, UINT64_C(0x123456789abc));
	g_assert_cmpuint(request.completed, ==, 0);
	signal_nth(f, 0);
	g_assert_cmphex(
		le32toh(answer(&request)->type), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmphex(le64toh(answer(&request)->fence_id), ==, UINT64_C(0x123456789abc));
	g_assert_cmphex(le32toh(answer(&request)->flags), ==, VIRTIO_GPU_FLAG_FENCE);
	g_assert_cmpuint(f->resumed, ==, 1);
}

static void test_fence_order(struct fixture *f, gconstpointer data)
{
	struct flat_request requests[4];

	/* The guest's ids run backwards; the order is that of submission all the same. */
	for (int i = 0; i < 4; i++)
		send_fenced(f, &requests[i], 0, -1, 100 - i);
	signal_nth(f, 1);
	g_assert_cmpuint(requests[0].completed, ==, 1);
	g_assert_cmpuint(requests[1].completed, ==, 1);
	g_assert_cmpuint(requests[2].completed, ==, 0);
	/* An old fence again changes nothing. */
	signal_nth(f, 0);
	g_assert_cmpuint(requests[2].completed, ==, 0);
	signal_nth(f, 3);
	g_assert_cmpuint(requests[2].completed, ==, 1);
	g_assert_cmpuint(requests[3].completed, ==, 1);
}

static void test_fence_timelines(struct fixture *f, gconstpointer data)
{
	struct flat_request global;
	struct flat_request ring_0;
	struct flat_request ring_63;
	struct flat_request other;

	ctx_create(f, 1);
	ctx_create(f, 2);
	send_fenced(f, &global, 1, -1, 1);
	send_fenced(f, &ring_0, 1, 0, 2);
	send_fenced(f, &ring_63, 1, 63, 3);
	send_fenced(f, &other, 2, 0, 4);
	signal_nth(f, 3);
	g_assert_cmpuint(other.completed, ==, 1);
	g_assert_cmpuint(global.completed + ring_0.completed + ring_63.completed, ==, 0);
	signal_nth(f, 2);
	g_assert_cmpuint(ring_63.completed, ==, 1);
	g_assert_cmpuint(answer(&ring_63)->ring_idx, ==, 63);
	g_assert_cmpuint(global.completed + ring_0.completed, ==, 0);
	signal_nth(f, 1);
	signal_nth(f, 0);
	g_assert_cmpuint(global.completed, ==, 1);
	g_assert_cmpuint(ring_0.completed, ==, 1);
}

static void test_fence_of_no_context(struct fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_fenced(f, &request, 7, 0, 1);
	g_assert_cmpuint(request.completed, ==, 1);
	ctx_create(f, 7);
	send_fenced(f, &request, 7, 64, 1);
	g_assert_cmpuint(request.completed, ==, 1);
}

static void test_fences_end_with_context(struct fixture *f, gconstpointer data)
{
	struct virtio_gpu_ctx_destroy command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_CTX_DESTROY),
		.hdr.ctx_id = htole32(1),
	};
	struct flat_request ring;
	struct flat_request global;
	struct flat_request destroy;

	ctx_create(f, 1);
	send_fenced(f, &ring, 1, 0, 1);
	send_fenced(f, &global, 1, -1, 2);
	send(f, &destroy, &command, sizeof(command));
	g_assert_cmpuint(ring.completed, ==, 1);
	g_assert_cmpuint(global.completed, ==, 0);
	gpu_device_cancel(f->device);
	g_assert_cmpuint(global.completed, ==, 1);
	/* Late signals find nothing. */
	signal_nth(f, 0);
	signal_nth(f, 1);
}

static void test_parked(struct fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {
		.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};
	const struct display_outputs outputs = {.output[15] = {.rect.width = 4711}};
	const struct virtio_gpu_resp_display_info *got;
	struct flat_request request;

	send(f, &request, &command, sizeof(command));
	g_assert_cmpuint(request.completed, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	f->display.done(f->display.opaque, 0, &outputs);
	g_assert_true(gpu_device_can_take(f->device));
	g_assert_cmpuint(f->resumed, ==, 1);
	got = (const void *)answer(&request);
	g_assert_cmphex(le32toh(got->hdr.type), ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	g_assert_cmpuint(le32toh(got->pmodes[15].r.width), ==, 4711);
	g_assert_cmpuint(request.written_len, ==, sizeof(*got));
}

static void test_parked_is_cancelled(struct fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {
		.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};
	struct flat_request request;

	send(f, &request, &command, sizeof(command));
	gpu_device_cancel(f->device);
	g_assert_cmpuint(f->display.cancelled, ==, 1);
	g_assert_cmphex(le32toh(answer(&request)->type), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	g_assert_cmpuint(request.written_len, ==, sizeof(command));
	g_assert_true(gpu_device_can_take(f->device));
}

static void start_map(struct fixture *f, struct flat_request *request)
{
	const struct virtio_gpu_resource_create_blob create = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB),
		.hdr.ctx_id = htole32(1),
		.resource_id = htole32(1),
		.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_HOST3D),
		.blob_flags = htole32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
		.size = htole64(4096),
	};
	const struct virtio_gpu_resource_map_blob map = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB),
		.resource_id = htole32(1),
	};

	f->renderer.base.has_blob = true;
	f->renderer.base.capsets[0] = (struct renderer_capset){.id = VIRTIO_GPU_CAPSET_VENUS};
	f->renderer.base.capset_count = 1;
	mapped = 0;
	gpu_device_set_shmem(f->device, &fake_shmem_ops, NULL, 1 << 20);
	ctx_create_with(f, 1, VIRTIO_GPU_CAPSET_VENUS);
	send(f, request, &create, sizeof(create));
	g_assert_cmphex(le32toh(answer(request)->type), ==, VIRTIO_GPU_RESP_OK_NODATA);
	send(f, request, &map, sizeof(map));
	g_assert_cmpuint(request->completed, ==, 0);
	g_assert_cmpuint(mapped, ==, 1);
}

static void lose_venus(struct fixture *f)
{
	const struct renderer *renderer = &f->renderer.base;

	renderer->events->contexts_lost(
		renderer->events_opaque, UINT64_C(1) << VIRTIO_GPU_CAPSET_VENUS);
}

/* The driver unmaps later what was unmapped when its context was lost. */
static void unmap_succeeds(struct fixture *f)
{
	const struct virtio_gpu_resource_unmap_blob unmap = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB),
		.resource_id = htole32(1),
	};
	struct flat_request request;

	send(f, &request, &unmap, sizeof(unmap));
	g_assert_cmphex(le32toh(answer(&request)->type), ==, VIRTIO_GPU_RESP_OK_NODATA);
	send(f, &request, &unmap, sizeof(unmap));
	g_assert_cmphex(le32toh(answer(&request)->type), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static void test_lost_context(struct fixture *f, gconstpointer data)
{
	struct flat_request request;

	start_map(f, &request);
	shmem_done(shmem_opaque, 0);
	g_assert_cmphex(le32toh(answer(&request)->type), ==, VIRTIO_GPU_RESP_OK_MAP_INFO);
	f->renderer.base.events->contexts_lost(
		f->renderer.base.events_opaque, UINT64_C(1) << VIRTIO_GPU_CAPSET_DRM);
	g_assert_cmpuint(mapped, ==, 1);
	lose_venus(f);
	g_assert_cmpuint(mapped, ==, 0);
	unmap_succeeds(f);
}

static void test_lost_while_mapping(struct fixture *f, gconstpointer data)
{
	const int *error = data;
	struct flat_request request;

	start_map(f, &request);
	lose_venus(f);
	g_assert_cmpuint(mapped, ==, 0);
	shmem_done(shmem_opaque, *error);
	g_assert_cmpuint(request.completed, ==, 1);
	unmap_succeeds(f);
}

static void test_limits(struct fixture *f, gconstpointer data)
{
	/* 512 x 512 x 4 is 1 MiB, all that is allowed. */
	g_assert_cmphex(create_2d(f, 1, 512, 513), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(create_2d(f, 1, 512, 512), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(create_2d(f, 2, 1, 1), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	gpu_device_reset(f->device);
	for (uint32_t id = 1; id <= 4; id++)
		g_assert_cmphex(create_2d(f, id, 16, 16), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(create_2d(f, 5, 16, 16), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(create_2d(f, 4, 16, 16), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmphex(create_2d(f, 0, 16, 16), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
}

static void test_answer_without_room(struct fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {.type = htole32(0xdead)};
	struct flat_request request = {
		.base = {.ops = &flat_ops, .out_len = sizeof(command), .in_len = 23}};

	memcpy(request.out, &command, sizeof(command));
	gpu_device_control(f->device, &request.base);
	g_assert_cmpuint(request.completed, ==, 1);
	g_assert_cmpuint(request.written_len, ==, 0);
}

#define ADD(path, test) g_test_add(path, struct fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	static const int no_error = 0;
	static const int refused = -EIO;

	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	g_test_add_func("/gpu/rect/inside", test_rect_is_inside);
	g_test_add_func("/gpu/rect/intersect", test_rect_intersect);
	g_test_add_func("/gpu/formats", test_formats);
	ADD("/gpu/fence/waits", test_fence_waits);
	ADD("/gpu/fence/order", test_fence_order);
	ADD("/gpu/fence/timelines", test_fence_timelines);
	ADD("/gpu/fence/no-context", test_fence_of_no_context);
	ADD("/gpu/fence/context-ends", test_fences_end_with_context);
	ADD("/gpu/parked/answer", test_parked);
	ADD("/gpu/parked/cancel", test_parked_is_cancelled);
	ADD("/gpu/lost/mapped", test_lost_context);
	g_test_add("/gpu/lost/mapping", struct fixture, &no_error, set_up, test_lost_while_mapping,
		tear_down);
	g_test_add("/gpu/lost/mapping-refused", struct fixture, &refused, set_up,
		test_lost_while_mapping, tear_down);
	ADD("/gpu/limits", test_limits);
	ADD("/gpu/answer-without-room", test_answer_without_room);
	return g_test_run();
}
