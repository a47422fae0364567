/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/virgl on whatever EGL the machine has (llvmpipe where there is no GPU): pictures in and
 * out again in parts, a clear by a hand-made command stream, fences, and what a hostile guest
 * might ask for.
 */
#include "gl-leaks.h"
#include "renderer/options.h"
#include "renderer/renderers.h"
#include "virgl-risk.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#define WIDTH  67
#define HEIGHT 41
#define STRIDE (WIDTH * 4)

#define TARGET_BUFFER	     0
#define TARGET_2D	     2
#define TARGET_1D	     1
#define TARGET_3D	     3
#define TARGET_CUBE	     4
#define TARGET_1D_ARRAY	     6
#define TARGET_2D_ARRAY	     7
#define TARGET_CUBE_ARRAY    8
#define PIPE_RESOURCE_CREATE 48
#define BIND_RENDER	     (1 << 1)
#define BIND_SAMPLER	     (1 << 3)
#define FORMAT_R64_FLOAT     24
#define FORMAT_RGBA64_FLOAT  27
#define FORMAT_RGBA_FLOAT    31

#define UNWRITTEN 0xbe /* what AddressSanitizer fills fresh memory with, too */
#define SCAN_LEN  (1 << 20)

/* Without Vulkan, which test-renderer-venus.c is for */
#define GL_MASK ((1 << VIRTIO_GPU_CAPSET_VIRGL) | (1 << VIRTIO_GPU_CAPSET_VIRGL2))

/* Looks for libraries, in front of the C library's. */
static unsigned int opened;

void *dlopen(const char *path, int flags)
{
	static void *(*next)(const char *path, int flags);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "dlopen");
	opened++;
	return next(path, flags);
}

/* The fences that came back, from any thread. */
struct recorder {
	GMutex lock;
	GArray *fences;
};

struct fixture {
	struct renderer *renderer;
	struct recorder recorder;
	uint8_t picture[STRIDE * HEIGHT];
	struct iovec iov[8];
};

static void record_fence(void *opaque, const struct renderer_fence *fence)
{
	struct recorder *recorder = opaque;

	g_mutex_lock(&recorder->lock);
	g_array_append_val(recorder->fences, *fence);
	g_mutex_unlock(&recorder->lock);
	g_main_context_wakeup(NULL);
}

static const struct renderer_events events = {.fence_signalled = record_fence};

static int create(uint64_t capset_mask, struct renderer **ret_renderer, char **ret_message)
{
	const struct renderer_options options = {
		.settings = {{.option = &renderer_option_old_virglrenderer, .is_on = virgl_risk()}},
		.capset_mask = capset_mask,
	};

	return renderer_type_find("virglrenderer")->create(&options, ret_renderer, ret_message);
}

static void fixture_init(struct fixture *f)
{
	static const size_t lens[] = {1, 4096, 3, 700, 0, 64, 2048, SIZE_MAX};
	g_autofree char *message = NULL;
	size_t done = 0;

	memset(f, 0, sizeof(*f));
	if (create(GL_MASK, &f->renderer, &message) < 0)
		g_error("%s", message);
	f->recorder.fences = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	f->renderer->events = &events;
	f->renderer->events_opaque = &f->recorder;
	for (size_t i = 0; i < sizeof(f->picture); i++)
		f->picture[i] = (uint8_t)g_test_rand_int();
	for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
		size_t len = MIN(lens[i], sizeof(f->picture) - done);

		f->iov[i] = (struct iovec){f->picture + done, len};
		done += len;
	}
}

static void fixture_finish(struct fixture *f)
{
	f->renderer->ops->destroy(f->renderer);
	g_array_unref(f->recorder.fences);
}

static void attach(struct fixture *f, struct gpu_resource *resource)
{
	resource->iov = f->iov;
	resource->iov_count = G_N_ELEMENTS(f->iov);
	resource->backing_len = sizeof(f->picture);
	g_assert_cmpint(f->renderer->ops->attach_backing(f->renderer, resource), ==, 0);
}

static void resource_finish(struct fixture *f, struct gpu_resource *resource)
{
	f->renderer->ops->detach_backing(f->renderer, resource);
	resource->iov = NULL;
	f->renderer->ops->resource_destroy(f->renderer, resource);
}

static struct gpu_resource resource_3d(uint32_t flags)
{
	return (struct gpu_resource){
		.id = 7,
		.kind = GPU_RESOURCE_3D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.width = WIDTH,
		.height = HEIGHT,
		.args_3d = {TARGET_2D, BIND_RENDER | BIND_SAMPLER, 1, 1, 0, 0, flags},
	};
}

/* Compares pixels but for the byte that @mask leaves out, and what is between the lines. */
static void check_rect(struct fixture *f, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint32_t mask, const uint8_t *expected)
{
	const size_t stride = STRIDE + 12;
	g_autofree uint8_t *dst = g_malloc(stride * rect->height);

	memset(dst, 0x5a, stride * rect->height);
	g_assert_cmpint(
		f->renderer->ops->read_rect(f->renderer, resource, rect, dst, stride), ==, 0);
	for (uint32_t y = 0; y < rect->height; y++) {
		for (uint32_t x = 0; x < rect->width; x++) {
			uint32_t got, want;

			memcpy(&got, dst + y * stride + (size_t)x * 4, 4);
			memcpy(&want, expected + (rect->y + y) * STRIDE + (rect->x + x) * 4, 4);
			g_assert_cmphex(got & mask, ==, want & mask);
		}
		for (size_t i = (size_t)rect->width * 4; y + 1 < rect->height && i < stride; i++)
			g_assert_cmphex(dst[y * stride + i], ==, 0x5a);
	}
}

static void check_all_rects(
	struct fixture *f, struct gpu_resource *resource, uint32_t mask, const uint8_t *expected)
{
	static const struct gpu_rect rects[] = {
		{0, 0, WIDTH, HEIGHT},
		{0, 0, 1, 1},
		{WIDTH - 1, HEIGHT - 1, 1, 1},
		{3, 5, 20, 7},
		{0, HEIGHT - 4, WIDTH, 4},
		{WIDTH - 9, 0, 9, HEIGHT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rects); i++)
		check_rect(f, resource, &rects[i], mask, expected);
}

static void test_start(void)
{
	struct renderer *first = NULL, *second = NULL;
	g_autofree char *busy = NULL, *message = NULL;

	g_assert_cmpint(create(GL_MASK, &first, &message), ==, 0);
	g_assert_true(first->has_3d);
	g_assert_cmpuint(first->capset_count, ==, 2);
	g_assert_cmpint(create(GL_MASK, &second, &busy), ==, -EBUSY);
	g_assert_nonnull(busy);
	first->ops->destroy(first);
}

static void test_refused(void)
{
	struct renderer_options options = {0};
	struct renderer *renderer = NULL;
	g_autofree char *no_gl = NULL, *no_node = NULL, *not_drm = NULL;
	const struct renderer_type *type = renderer_type_find("virglrenderer");

	renderer_option_set(&options, &renderer_option_use_egl, false);
	g_assert_cmpint(type->create(&options, &renderer, &no_gl), ==, -EINVAL);
	g_assert_nonnull(strstr(no_gl, "EGL"));
	renderer_option_set(&options, &renderer_option_use_egl, true);
	options.render_node = "/nonexistent/renderD128";
	g_assert_cmpint(type->create(&options, &renderer, &no_node), ==, -ENOENT);
	g_assert_nonnull(strstr(no_node, options.render_node));
	options.render_node = "/dev/null";
	g_assert_cmpint(type->create(&options, &renderer, &not_drm), ==, -ENODEV);
	g_assert_nonnull(strstr(not_drm, options.render_node));
}

static void test_capsets(void)
{
	static const uint32_t ids[] = {VIRTIO_GPU_CAPSET_VIRGL, VIRTIO_GPU_CAPSET_VIRGL2};

	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		struct renderer *renderer = NULL;
		g_autofree char *message = NULL;
		g_autofree uint8_t *caps = NULL;
		const struct renderer_capset *capset;

		g_assert_cmpint(create(UINT64_C(1) << ids[i], &renderer, &message), ==, 0);
		capset = &renderer->capsets[0];
		g_assert_cmpuint(renderer->capset_count, ==, 1);
		g_assert_cmpuint(capset->id, ==, ids[i]);
		caps = g_malloc0(capset->max_size);
		g_assert_cmpint(renderer->ops->get_capset(renderer, ids[i], capset->max_version,
					caps, capset->max_size - 1),
			==, -EINVAL);
		g_assert_cmpint(renderer->ops->get_capset(renderer, ids[i], capset->max_version,
					caps, capset->max_size),
			==, 0);
		/* It opens with the version. */
		g_assert_cmpuint(caps[0], ==, capset->max_version);
		g_assert_cmpint(
			renderer->ops->ctx_create(renderer, 1, ids[1 - i], "test"), ==, -EINVAL);
		g_assert_cmpint(renderer->ops->ctx_create(renderer, 1, ids[i], "test"), ==, 0);
		g_assert_cmpint(renderer->ops->ctx_create(renderer, 2, 0, ""), ==, 0);
		renderer->ops->ctx_destroy(renderer, 1);
		renderer->ops->ctx_destroy(renderer, 2);
		renderer->ops->destroy(renderer);
	}
}

/* @ctx_id: of a context that the image is attached to, so that it is a texture; 0: of none */
static void check_2d_format(struct fixture *f, uint32_t format, uint32_t mask, uint32_t ctx_id)
{
	const struct gpu_rect whole = {0, 0, WIDTH, HEIGHT}, part = {5, 6, 11, 3};
	struct gpu_resource resource = {
		.id = format,
		.kind = GPU_RESOURCE_2D,
		.format = format,
		.width = WIDTH,
		.height = HEIGHT,
	};
	g_autofree uint8_t *expected = g_memdup2(f->picture, sizeof(f->picture));
	const struct renderer_ops *ops = f->renderer->ops;

	g_assert_cmpint(ops->resource_create(f->renderer, &resource), ==, 0);
	attach(f, &resource);
	g_assert_cmpint(ops->transfer_to_host_2d(f->renderer, &resource, &whole, 0), ==, 0);
	check_all_rects(f, &resource, mask, expected);
	/* It has the same pixels then. */
	if (ctx_id != 0) {
		g_assert_cmpint(ops->ctx_attach_resource(f->renderer, ctx_id, &resource), ==, 0);
		check_all_rects(f, &resource, mask, expected);
	}

	/* A part from an offset that is not its place. */
	g_assert_cmpint(ops->transfer_to_host_2d(f->renderer, &resource, &part, 1236), ==, 0);
	for (uint32_t y = 0; y < part.height; y++)
		memcpy(expected + (part.y + y) * STRIDE + part.x * 4,
			f->picture + 1236 + y * STRIDE, part.width * 4);
	check_all_rects(f, &resource, mask, expected);
	g_assert_cmpint(ops->transfer_to_host_2d(f->renderer, &resource, &whole, 4), ==, -EINVAL);
	resource_finish(f, &resource);
}

static void test_2d(void)
{
	static const struct {
		uint32_t format;
		uint32_t mask;
	} formats[] = {
		{VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0xffffffff},
		{VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0x00ffffff},
		{VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 0xffffffff},
		{VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 0xffffff00},
		{VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0xffffffff},
		{VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 0xffffff00},
		{VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 0xffffffff},
		{VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0x00ffffff},
	};
	struct fixture f;

	fixture_init(&f);
	g_assert_cmpint(f.renderer->ops->ctx_create(f.renderer, 1, 0, "images"), ==, 0);
	for (size_t i = 0; i < 2 * G_N_ELEMENTS(formats); i++)
		check_2d_format(
			&f, formats[i / 2].format, GUINT32_FROM_LE(formats[i / 2].mask), i % 2);
	f.renderer->ops->ctx_destroy(f.renderer, 1);
	fixture_finish(&f);
}

/* A new image is black, and not what another one was whose memory it got. */
static void test_2d_is_black(void)
{
	const struct gpu_rect whole = {0, 0, WIDTH, HEIGHT};
	struct fixture f;

	fixture_init(&f);
	g_assert_cmpint(f.renderer->ops->ctx_create(f.renderer, 1, 0, "images"), ==, 0);
	for (uint32_t id = 1; id <= 20; id++) {
		static const uint8_t black[STRIDE * HEIGHT];
		struct gpu_resource resource = {
			.id = id,
			.kind = GPU_RESOURCE_2D,
			.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
			.width = WIDTH,
			.height = HEIGHT,
		};
		const struct renderer_ops *ops = f.renderer->ops;

		g_assert_cmpint(ops->resource_create(f.renderer, &resource), ==, 0);
		check_all_rects(&f, &resource, UINT32_MAX, black);
		g_assert_cmpint(ops->ctx_attach_resource(f.renderer, 1, &resource), ==, 0);
		check_all_rects(&f, &resource, UINT32_MAX, black);
		attach(&f, &resource);
		g_assert_cmpint(ops->transfer_to_host_2d(f.renderer, &resource, &whole, 0), ==, 0);
		resource_finish(&f, &resource);
	}
	f.renderer->ops->ctx_destroy(f.renderer, 1);
	fixture_finish(&f);
}

/* The first line in is the first line out, whichever end of the texture it is at. */
static void test_3d_orientation(void)
{
	static const uint32_t flags[] = {0, VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP};
	struct gpu_transfer_3d whole = {.box = {.w = WIDTH, .h = HEIGHT, .d = 1}};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		struct gpu_resource resource = resource_3d(flags[i]);
		const struct renderer_ops *ops = f.renderer->ops;
		g_autofree uint8_t *expected = g_memdup2(f.picture, sizeof(f.picture));

		g_assert_cmpint(ops->resource_create(f.renderer, &resource), ==, 0);
		attach(&f, &resource);
		g_assert_cmpint(ops->transfer_to_host_3d(f.renderer, 0, &resource, &whole), ==, 0);
		check_all_rects(&f, &resource, UINT32_MAX, expected);
		/* And back to the guest. */
		memset(f.picture, 0, sizeof(f.picture));
		g_assert_cmpint(
			ops->transfer_from_host_3d(f.renderer, 0, &resource, &whole), ==, 0);
		g_assert_cmpmem(f.picture, sizeof(f.picture), expected, sizeof(f.picture));
		resource_finish(&f, &resource);
	}
	fixture_finish(&f);
}

static void wait_for_fences(struct fixture *f, size_t count)
{
	gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
	size_t got = 0;

	while (got < count && g_get_monotonic_time() < deadline) {
		/* Threads of the library do not wake this context by themselves. */
		g_main_context_iteration(NULL, FALSE);
		g_usleep(200);
		g_mutex_lock(&f->recorder.lock);
		got = f->recorder.fences->len;
		g_mutex_unlock(&f->recorder.lock);
	}
	g_assert_cmpuint(got, ==, count);
}

static uint32_t header(uint32_t command, uint32_t object, uint32_t len)
{
	return command | object << 8 | len << 16;
}

static uint32_t bits_of(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* Surface 1 on resource 7 as the only colour buffer, and a clear of it. */
static int submit_clear(struct fixture *f, uint32_t ctx_id, float red, float green, float blue)
{
	uint32_t commands[] = {
		header(1, 8, 5),
		1,
		7,
		VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		0,
		0,
		header(5, 0, 3),
		1,
		0,
		1,
		header(7, 0, 8),
		1 << 2,
		bits_of(red),
		bits_of(green),
		bits_of(blue),
		bits_of(1),
		0,
		0,
		0,
	};

	return f->renderer->ops->submit(
		f->renderer, ctx_id, commands, sizeof(commands), &(size_t){0});
}

static void test_clear(void)
{
	const struct renderer_fence fence = {.ctx_id = 3, .seqno = UINT64_C(0x500000001)};
	g_autofree uint8_t *expected = g_malloc(STRIDE * HEIGHT);
	struct gpu_resource resource = resource_3d(0);
	const struct renderer_ops *ops;
	struct fixture f;

	fixture_init(&f);
	ops = f.renderer->ops;
	g_assert_cmpint(ops->ctx_create(f.renderer, 3, 0, "clear"), ==, 0);
	g_assert_cmpint(ops->resource_create(f.renderer, &resource), ==, 0);
	g_assert_cmpint(ops->ctx_attach_resource(f.renderer, 3, &resource), ==, 0);
	g_assert_cmpint(submit_clear(&f, 3, 1.0f, 0.0f, 0.2f), ==, 0);
	g_assert_cmpint(ops->create_fence(f.renderer, &fence), ==, 0);
	wait_for_fences(&f, 1);
	g_assert_cmpuint(
		g_array_index(f.recorder.fences, struct renderer_fence, 0).seqno, ==, fence.seqno);
	for (size_t i = 0; i < WIDTH * HEIGHT; i++)
		memcpy(expected + i * 4, "\x33\x00\xff\xff", 4);
	check_all_rects(&f, &resource, UINT32_MAX, expected);
	ops->ctx_detach_resource(f.renderer, 3, &resource);
	/* What a context cannot see it cannot draw on; then it is broken, the others are not. */
	g_assert_cmpint(ops->ctx_create(f.renderer, 4, 0, "blind"), ==, 0);
	g_assert_cmpint(submit_clear(&f, 4, 0.0f, 0.0f, 0.0f), ==, -EINVAL);
	check_all_rects(&f, &resource, UINT32_MAX, expected);
	g_assert_cmpint(submit_clear(&f, 5, 0.0f, 0.0f, 0.0f), ==, -EINVAL);
	ops->ctx_destroy(f.renderer, 4);
	ops->ctx_destroy(f.renderer, 3);
	resource_finish(&f, &resource);
	fixture_finish(&f);
}

/*
 * A query that is pending when a fence is made: the library's thread holds the fence back until
 * our thread has polled and the answer is in the guest's memory.
 */
static void test_query(void)
{
	struct query_state {
		uint32_t state;
		uint32_t result_size;
		uint64_t result;
	} state = {0};
	struct iovec iov = {&state, sizeof(state)};
	const struct renderer_fence fence = {.ctx_id = 3, .seqno = 1};
	struct gpu_resource buffer = resource_3d(0);
	uint32_t commands[] = {
		header(1, 9, 4),
		2,
		0,
		0,
		8, /* an occlusion counter into resource 8 */
		header(19, 0, 1),
		2,
		header(20, 0, 1),
		2,
		header(21, 0, 2),
		2,
		0,
	};
	const struct renderer_ops *ops;
	struct fixture f;

	fixture_init(&f);
	ops = f.renderer->ops;
	buffer.id = 8;
	buffer.args_3d.target = TARGET_BUFFER;
	buffer.args_3d.bind = 1 << 17;
	buffer.format = 64;
	buffer.width = sizeof(state);
	buffer.height = 1;
	g_assert_cmpint(ops->resource_create(f.renderer, &buffer), ==, 0);
	buffer.iov = &iov;
	buffer.iov_count = 1;
	buffer.backing_len = sizeof(state);
	g_assert_cmpint(ops->attach_backing(f.renderer, &buffer), ==, 0);
	g_assert_cmpint(ops->ctx_create(f.renderer, 3, 0, "query"), ==, 0);
	g_assert_cmpint(ops->ctx_attach_resource(f.renderer, 3, &buffer), ==, 0);
	g_assert_cmpint(
		ops->submit(f.renderer, 3, commands, sizeof(commands), &(size_t){0}), ==, 0);
	g_assert_cmpint(ops->create_fence(f.renderer, &fence), ==, 0);
	wait_for_fences(&f, 1);
	g_assert_cmpuint(state.state, ==, 1);
	g_assert_cmpuint(state.result, ==, 0);
	/* Once more, and away before it is polled for. */
	g_assert_cmpint(
		ops->submit(f.renderer, 3, commands + 5, sizeof(commands) - 20, &(size_t){0}), ==,
		0);
	g_assert_cmpint(ops->create_fence(f.renderer, &fence), ==, 0);
	ops->ctx_destroy(f.renderer, 3);
	resource_finish(&f, &buffer);
	fixture_finish(&f);
}

/* Many, on several timelines, while contexts come and go: all come back, each timeline in order. */
static void check_fences(void)
{
	enum { COUNT = 200 };
	uint64_t last[3] = {0};
	struct fixture f;

	fixture_init(&f);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct renderer_fence fence = {.seqno = (UINT64_C(1) << 32) + i + 1};
		uint32_t timeline = i % 3;

		if (timeline > 0) {
			fence.has_ring = true;
			fence.ctx_id = 1;
			fence.ring_idx = timeline - 1;
		}
		g_assert_cmpint(f.renderer->ops->ctx_create(f.renderer, i + 1, 0, "fence"), ==, 0);
		g_assert_cmpint(f.renderer->ops->create_fence(f.renderer, &fence), ==, 0);
		f.renderer->ops->ctx_destroy(f.renderer, i + 1);
	}
	wait_for_fences(&f, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		const struct renderer_fence *fence =
			&g_array_index(f.recorder.fences, struct renderer_fence, i);
		uint64_t *timeline = &last[fence->has_ring ? fence->ring_idx + 1 : 0];

		g_assert_cmpuint(fence->seqno, >, *timeline);
		*timeline = fence->seqno;
	}
	fixture_finish(&f);
}

static void test_fences(void)
{
	check_fences();
}

/*
 * The same where the library runs no thread. In a process of its own, because the library does not
 * forget that it had one.
 */
static void test_fences_by_timer(void)
{
	if (g_test_subprocess()) {
		g_setenv("VIRGL_DISABLE_MT", "1", TRUE);
		check_fences();
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
}

/* Whether a host can export is its own affair; that it says so, and in sane words, is ours. */
static void test_export(void)
{
	struct gpu_resource resource = resource_3d(0), buffer = resource_3d(0);
	struct renderer_dmabuf dmabuf = {.fd = -1};
	const struct renderer_ops *ops;
	struct fixture f;
	int ret;

	fixture_init(&f);
	ops = f.renderer->ops;
	g_assert_cmpint(ops->resource_create(f.renderer, &resource), ==, 0);
	ret = ops->export_dmabuf(f.renderer, &resource, &dmabuf);
	if (ret == 0) {
		g_assert_cmpint(dmabuf.fd, >=, 0);
		g_assert_cmpuint(dmabuf.width, ==, WIDTH);
		g_assert_cmpuint(dmabuf.stride, >=, STRIDE);
		close(dmabuf.fd);
	} else {
		g_assert_cmpint(ret, ==, -ENOTSUP);
		g_assert_cmpint(dmabuf.fd, ==, -1);
	}
	buffer.id = 8;
	buffer.args_3d.target = TARGET_BUFFER;
	buffer.args_3d.bind = 1 << 4;
	buffer.height = 1;
	g_assert_cmpint(ops->resource_create(f.renderer, &buffer), ==, 0);
	g_assert_cmpint(ops->export_dmabuf(f.renderer, &buffer, &dmabuf), ==, -ENOTSUP);
	ops->resource_destroy(f.renderer, &buffer);
	ops->resource_destroy(f.renderer, &resource);
	fixture_finish(&f);
}

/* Each layer is the guest's own, and what is between them stays. */
static void test_3d_layers(void)
{
	enum { SIDE = 8, LAYERS = 3, LAYER_LEN = SIDE * SIDE * 4, STEP = LAYER_LEN + 64 };
	struct gpu_transfer_3d whole = {
		.box = {0, 0, 0, SIDE, SIDE, LAYERS}, .stride = SIDE * 4, .layer_stride = STEP};
	struct gpu_transfer_3d part = {
		.box = {0, 0, 1, SIDE, SIDE, 2}, .stride = SIDE * 4, .layer_stride = STEP};
	static const uint32_t targets[] = {TARGET_3D, TARGET_2D_ARRAY};
	struct fixture f;

	fixture_init(&f);
	for (size_t t = 0; t < G_N_ELEMENTS(targets); t++) {
		struct gpu_resource resource = resource_3d(0);
		g_autofree uint8_t *expected = g_memdup2(f.picture, sizeof(f.picture));
		const struct renderer_ops *ops = f.renderer->ops;

		resource.width = resource.height = SIDE;
		resource.args_3d.target = targets[t];
		if (targets[t] == TARGET_3D)
			resource.args_3d.depth = LAYERS;
		else
			resource.args_3d.array_size = LAYERS;
		g_assert_cmpint(ops->resource_create(f.renderer, &resource), ==, 0);
		attach(&f, &resource);
		g_assert_cmpint(ops->transfer_to_host_3d(f.renderer, 0, &resource, &whole), ==, 0);
		for (int i = 0; i < LAYERS; i++)
			memset(f.picture + i * STEP, 0, LAYER_LEN);
		g_assert_cmpint(
			ops->transfer_from_host_3d(f.renderer, 0, &resource, &whole), ==, 0);
		g_assert_cmpmem(f.picture, sizeof(f.picture), expected, sizeof(f.picture));

		memset(f.picture, 0, 2 * STEP);
		g_assert_cmpint(ops->transfer_from_host_3d(f.renderer, 0, &resource, &part), ==, 0);
		g_assert_cmpmem(f.picture, LAYER_LEN, expected + STEP, LAYER_LEN);
		g_assert_cmpmem(f.picture + STEP, LAYER_LEN, expected + 2 * STEP, LAYER_LEN);
		memcpy(f.picture, expected, sizeof(f.picture));
		part.layer_stride = 0;
		g_assert_cmpint(ops->transfer_from_host_3d(f.renderer, 0, &resource, &part), ==, 0);
		g_assert_cmpmem(f.picture, LAYER_LEN, expected + STEP, LAYER_LEN);
		g_assert_cmpmem(f.picture + LAYER_LEN, LAYER_LEN, expected + 2 * STEP, LAYER_LEN);
		memcpy(f.picture, expected, sizeof(f.picture));
		part.layer_stride = STEP;
		resource_finish(&f, &resource);
	}
	fixture_finish(&f);
}

/* Guest memory as it is, with a place in the library's table and a backing that can move. */
static void test_guest_blob(void)
{
	struct gpu_resource blob = {
		.id = 7,
		.kind = GPU_RESOURCE_BLOB,
		.blob = {VIRTIO_GPU_BLOB_MEM_GUEST, VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE, 0, 0, 4096},
	};
	struct renderer_blob exported = {.fd = -1};
	const struct renderer_ops *ops;
	struct gpu_resource twin, host, both, nothing;
	struct fixture f;

	fixture_init(&f);
	ops = f.renderer->ops;
	g_assert_true(f.renderer->has_blob);
	blob.iov = f.iov;
	blob.iov_count = G_N_ELEMENTS(f.iov);
	blob.backing_len = sizeof(f.picture);
	twin = host = both = nothing = blob;
	g_assert_cmpint(ops->resource_create(f.renderer, &blob), ==, 0);
	g_assert_cmpint(ops->resource_create(f.renderer, &twin), ==, -EINVAL);
	g_assert_cmpint(ops->export_blob(f.renderer, &blob, &exported), ==, -ENOTSUP);
	g_assert_cmpint(exported.fd, ==, -1);
	g_assert_cmpint(ops->ctx_create(f.renderer, 3, 0, "blob"), ==, 0);
	g_assert_cmpint(ops->ctx_attach_resource(f.renderer, 3, &blob), ==, 0);
	ops->ctx_detach_resource(f.renderer, 3, &blob);
	/* The memory table changed. */
	ops->detach_backing(f.renderer, &blob);
	g_assert_cmpint(ops->attach_backing(f.renderer, &blob), ==, 0);
	/* It has no image. */
	g_assert_cmpint(ops->transfer_to_host_3d(f.renderer, 0, &blob,
				&(struct gpu_transfer_3d){.box = {0, 0, 0, 1, 1, 1}}),
		==, -EINVAL);
	/* Host memory that no command of the context has made. */
	host.id = both.id = nothing.id = 8;
	host.blob = (struct gpu_resource_blob){VIRTIO_GPU_BLOB_MEM_HOST3D, 1, 3, 5, 4096};
	host.iov = NULL;
	host.iov_count = 0;
	g_assert_cmpint(ops->resource_create(f.renderer, &host), ==, -EINVAL);
	both.blob = (struct gpu_resource_blob){VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, 1, 3, 5, 4096};
	g_assert_cmpint(ops->resource_create(f.renderer, &both), ==, -EINVAL);
	nothing.blob.size = sizeof(f.picture) + 1;
	g_assert_cmpint(ops->resource_create(f.renderer, &nothing), ==, -EINVAL);
	ops->ctx_destroy(f.renderer, 3);
	resource_finish(&f, &blob);
	fixture_finish(&f);
}

/*
 * A texture that the guest's driver makes by a command and then takes as a blob. Whether the host
 * can export it is its own affair, as above.
 */
static void test_host_blob(void)
{
	uint32_t commands[] = {
		header(PIPE_RESOURCE_CREATE, 0, 11), TARGET_2D, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		BIND_RENDER | BIND_SAMPLER, WIDTH, HEIGHT, 1, 1, 0, 0, 0, 42, /* blob id */
	};
	struct gpu_resource blob = {
		.id = 7,
		.kind = GPU_RESOURCE_BLOB,
		.blob = {VIRTIO_GPU_BLOB_MEM_HOST3D, VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE, 3, 42,
			STRIDE * HEIGHT},
	};
	struct renderer_blob exported = {.fd = -1};
	const struct renderer_ops *ops;
	struct gpu_resource again;
	struct fixture f;
	int ret;

	fixture_init(&f);
	ops = f.renderer->ops;
	again = blob;
	again.id = 8;
	g_assert_cmpint(ops->ctx_create(f.renderer, 3, 0, "blob"), ==, 0);
	g_assert_cmpint(
		ops->submit(f.renderer, 3, commands, sizeof(commands), &(size_t){0}), ==, 0);
	g_assert_cmpint(ops->resource_create(f.renderer, &blob), ==, 0);
	g_assert_cmpint(ops->resource_create(f.renderer, &again), ==, -EINVAL);
	g_assert_cmpint(ops->ctx_attach_resource(f.renderer, 3, &blob), ==, 0);
	ret = ops->export_blob(f.renderer, &blob, &exported);
	if (ret == 0)
		close(exported.fd);
	else
		g_assert_cmpint(ret, ==, -ENOTSUP);
	ops->ctx_detach_resource(f.renderer, 3, &blob);
	ops->resource_destroy(f.renderer, &blob);
	ops->ctx_destroy(f.renderer, 3);
	fixture_finish(&f);
}

/* Memory may have room for an image that no texture has. */
static void test_huge_2d(void)
{
	struct gpu_resource flat = {
		.id = 1,
		.kind = GPU_RESOURCE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.width = 1 << 20,
		.height = 1,
	};
	const struct renderer_ops *ops;
	struct fixture f;
	int ret;

	fixture_init(&f);
	ops = f.renderer->ops;
	g_assert_cmpint(ops->ctx_create(f.renderer, 1, 0, "images"), ==, 0);
	ret = ops->resource_create(f.renderer, &flat);
	if (ret == 0) {
		ret = ops->ctx_attach_resource(f.renderer, 1, &flat);
		ops->resource_destroy(f.renderer, &flat);
	}
	g_assert_cmpint(ret, ==, -EINVAL);
	ops->ctx_destroy(f.renderer, 1);
	fixture_finish(&f);
}

static void test_hostile_sizes(void)
{
	const uint32_t huge[] = {1 << 15, 1 << 20, INT32_MAX, UINT32_MAX};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(huge); i++) {
		struct gpu_resource flat = resource_3d(0), deep = resource_3d(0),
				    buffer = resource_3d(0), samples = resource_3d(0);
		const struct renderer_ops *ops = f.renderer->ops;

		flat.width = flat.height = huge[i];
		g_assert_cmpint(ops->resource_create(f.renderer, &flat), ==, -EINVAL);
		deep.args_3d.target = TARGET_3D;
		deep.args_3d.depth = huge[i];
		g_assert_cmpint(ops->resource_create(f.renderer, &deep), ==, -EINVAL);
		buffer.args_3d.target = huge[i];
		g_assert_cmpint(ops->resource_create(f.renderer, &buffer), ==, -EINVAL);
		samples.args_3d.nr_samples = huge[i];
		g_assert_cmpint(ops->resource_create(f.renderer, &samples), ==, -EINVAL);
		samples.args_3d.nr_samples = 0;
		samples.args_3d.last_level = huge[i];
		g_assert_cmpint(ops->resource_create(f.renderer, &samples), ==, -EINVAL);
	}
	fixture_finish(&f);
}

static void test_hostile_transfers(void)
{
	static struct gpu_transfer_3d bad[] = {
		{.box = {0, 0, 0, WIDTH + 1, 1, 1}},
		{.box = {1, 0, 0, WIDTH, 1, 1}},
		{.box = {0, HEIGHT, 0, 1, 1, 1}},
		{.box = {0, 0, 1, 1, 1, 1}},
		{.box = {0, 0, UINT32_MAX, 1, 1, 2}},
		{.box = {UINT32_MAX, 0, 0, 2, 1, 1}},
		{.box = {0, 0, 0, 1, UINT32_MAX, 1}},
		{.box = {0, 0, 0, WIDTH, 2, 1}, .level = 1},
		{.box = {0, 0, 0, WIDTH, 2, 1}, .level = UINT32_MAX},
		{.box = {0, 0, 0, WIDTH, 1, 1}, .offset = STRIDE * HEIGHT},
		{.box = {0, 0, 0, WIDTH, 1, 1}, .offset = UINT64_MAX - 7},
		{.box = {0, 0, 0, WIDTH, 3, 1}, .stride = UINT32_C(1) << 31},
		{.box = {0, 0, 0, WIDTH, 3, 1}, .stride = UINT32_C(1) << 31, .layer_stride = 4},
		{.box = {0, 0, 0, WIDTH, 3, 1}, .stride = 4},
	};
	struct gpu_resource resource = resource_3d(0);
	struct gpu_transfer_3d empty = {.box = {0, 0, 0, WIDTH, 0, 1}};
	const struct renderer_ops *ops;
	struct fixture f;

	fixture_init(&f);
	ops = f.renderer->ops;
	g_assert_cmpint(ops->resource_create(f.renderer, &resource), ==, 0);
	attach(&f, &resource);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_cmpint(
			ops->transfer_to_host_3d(f.renderer, 0, &resource, &bad[i]), ==, -EINVAL);
		g_assert_cmpint(
			ops->transfer_from_host_3d(f.renderer, 0, &resource, &bad[i]), ==, -EINVAL);
	}
	g_assert_cmpint(ops->transfer_to_host_3d(f.renderer, 0, &resource, &empty), ==, 0);
	/* A context that was never made. */
	g_assert_cmpint(ops->transfer_to_host_3d(f.renderer, 9, &resource,
				&(struct gpu_transfer_3d){.box = {0, 0, 0, 1, 1, 1}}),
		==, -EINVAL);
	resource_finish(&f, &resource);
	fixture_finish(&f);
}

/* 0.10.4 would copy 16 bytes for each that it mapped. */
static void test_hostile_buffer_read(void)
{
	struct gpu_transfer_3d whole = {.box = {0, 0, 0, 64, 1, 1}};
	struct gpu_transfer_3d part = {.box = {0, 0, 0, 4, 1, 1}};
	struct gpu_resource buffer = resource_3d(0);
	struct fixture f;

	fixture_init(&f);
	buffer.args_3d.target = TARGET_BUFFER;
	buffer.args_3d.bind = 1 << 4;
	buffer.format = FORMAT_RGBA_FLOAT;
	buffer.width = 64;
	buffer.height = 1;
	g_assert_cmpint(f.renderer->ops->resource_create(f.renderer, &buffer), ==, 0);
	attach(&f, &buffer);
	g_assert_cmpint(f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &buffer, &whole), ==,
		-EINVAL);
	g_assert_cmpint(
		f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &buffer, &part), ==, 0);
	resource_finish(&f, &buffer);
	fixture_finish(&f);
}

/* A pixel of 32 bytes is longer than any that a texture can have, and a buffer takes every format. */
static void test_hostile_buffer_formats(void)
{
	struct gpu_transfer_3d part = {.box = {0, 0, 0, 4, 1, 1}};
	struct fixture f;

	fixture_init(&f);
	for (uint32_t format = FORMAT_R64_FLOAT; format <= FORMAT_RGBA64_FLOAT; format++) {
		const uint32_t pixel_len = (format - FORMAT_R64_FLOAT + 1) * 8;
		struct gpu_resource buffer = resource_3d(0);
		int ret;

		buffer.args_3d.target = TARGET_BUFFER;
		buffer.args_3d.bind = 1 << 4;
		buffer.format = format;
		buffer.width = 64;
		buffer.height = 1;
		if (f.renderer->ops->resource_create(f.renderer, &buffer) < 0)
			continue;
		attach(&f, &buffer);
		ret = f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &buffer, &part);
		if (part.box.w * pixel_len > buffer.width)
			g_assert_cmpint(ret, ==, -EINVAL);
		resource_finish(&f, &buffer);
	}
	fixture_finish(&f);
}

static bool holds_unwritten(const uint8_t *memory, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += memory[i] == UNWRITTEN;
	return count > 8;
}

/* Draws black, where that can be, and reads it back with a heap in which fresh memory shows. */
static bool read_shows_heap(struct fixture *f, struct gpu_resource *resource, uint8_t *memory)
{
	struct gpu_transfer_3d layer = {.box = {0, 0, 0, resource->width, resource->height, 1}};
	const struct renderer_ops *ops = f->renderer->ops;
	struct iovec iov[] = {{memory, 100}, {memory + 100, SCAN_LEN - 100}};

	resource->iov = iov;
	resource->iov_count = G_N_ELEMENTS(iov);
	resource->backing_len = SCAN_LEN;
	memset(memory, 0, SCAN_LEN);
	g_assert_cmpint(ops->attach_backing(f->renderer, resource), ==, 0);
	ops->transfer_to_host_3d(f->renderer, 0, resource, &layer);
	/* 64 x 64 pixels are more than glibc keeps in its per-thread cache, which it does not fill. */
	mallopt(M_PERTURB, UNWRITTEN ^ 0xff);
	ops->transfer_from_host_3d(f->renderer, 0, resource, &layer);
	mallopt(M_PERTURB, 0);
	resource_finish(f, resource);
	return holds_unwritten(memory, SCAN_LEN);
}

/* Of no format and target does a guest get memory that nobody wrote. */
static void test_unwritten(void)
{
	static const uint32_t binds[] = {1 << 0, BIND_RENDER, BIND_SAMPLER};
	g_autofree uint8_t *memory = g_malloc(SCAN_LEN);
	unsigned int made = 0, wrong = 0;
	struct fixture f;

	fixture_init(&f);
	for (uint32_t i = 0; i < 8 * 314 * G_N_ELEMENTS(binds); i++) {
		const uint32_t target = i % 8 + 1, format = i / 8 % 314 + 1;
		struct gpu_resource resource = resource_3d(0);
		const bool is_line = target == TARGET_1D || target == TARGET_1D_ARRAY;
		const bool is_cube = target == TARGET_CUBE || target == TARGET_CUBE_ARRAY;

		resource.format = format;
		resource.width = 64;
		resource.height = is_line ? 1 : 64;
		resource.args_3d.target = target;
		resource.args_3d.bind = binds[i / 8 / 314];
		resource.args_3d.depth = target == TARGET_3D ? 4 : 1;
		resource.args_3d.array_size = is_cube ? 6 : target >= TARGET_1D_ARRAY ? 4 : 1;
		if (f.renderer->ops->resource_create(f.renderer, &resource) < 0)
			continue;
		made++;
		if (read_shows_heap(&f, &resource, memory)) {
			g_test_message("target %u, format %u", target, format);
			wrong++;
		}
	}
	fixture_finish(&f);
	g_assert_cmpuint(made, >, 500);
	g_assert_cmpuint(wrong, ==, 0);
}

/* The same where the host has OpenGL ES only, which reads fewer formats back. */
static void test_unwritten_gles(void)
{
	if (g_test_subprocess()) {
		/* virglrenderer then finds no OpenGL to start with. */
		g_setenv("MESA_GL_VERSION_OVERRIDE", "1.0", TRUE);
		test_unwritten();
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
}

/* An image that has more bytes for a pixel than the display asked for. */
static void test_hostile_read_rect(void)
{
	const struct gpu_rect whole = {0, 0, WIDTH, HEIGHT};
	g_autofree uint8_t *dst = g_malloc(STRIDE * HEIGHT);
	struct gpu_resource resource = resource_3d(0);
	struct fixture f;

	fixture_init(&f);
	resource.format = FORMAT_RGBA_FLOAT;
	g_assert_cmpint(f.renderer->ops->resource_create(f.renderer, &resource), ==, 0);
	g_assert_cmpint(f.renderer->ops->read_rect(f.renderer, &resource, &whole, dst, STRIDE), ==,
		-EINVAL);
	f.renderer->ops->resource_destroy(f.renderer, &resource);
	fixture_finish(&f);
}

/* Each frame that is shown is read back; what that needs of the process is found once. */
static void test_read_opens_nothing(void)
{
	const struct gpu_rect whole = {0, 0, WIDTH, HEIGHT};
	g_autofree uint8_t *dst = g_malloc(STRIDE * HEIGHT);
	struct gpu_resource resource = resource_3d(0);
	struct fixture f;

	fixture_init(&f);
	g_assert_cmpuint(opened, >, 0);
	g_assert_cmpint(f.renderer->ops->resource_create(f.renderer, &resource), ==, 0);
	for (int i = 0; i < 10; i++) {
		g_assert_cmpint(
			f.renderer->ops->read_rect(f.renderer, &resource, &whole, dst, STRIDE), ==,
			0);
		/* The first one may. */
		if (i == 0)
			opened = 0;
	}
	g_assert_cmpuint(opened, ==, 0);
	f.renderer->ops->resource_destroy(f.renderer, &resource);
	fixture_finish(&f);
}

/* A buffer has no lines, whatever its format says. */
static void test_buffer_is_no_image(void)
{
	const struct gpu_rect rect = {0, 0, 16, 1};
	uint8_t dst[64];
	struct gpu_resource buffer = resource_3d(0);
	struct renderer_dmabuf dmabuf;
	struct fixture f;

	fixture_init(&f);
	buffer.args_3d.target = TARGET_BUFFER;
	buffer.args_3d.bind = 1 << 4;
	buffer.width = 64;
	buffer.height = 1;
	g_assert_cmpint(f.renderer->ops->resource_create(f.renderer, &buffer), ==, 0);
	g_assert_cmpint(f.renderer->ops->read_rect(f.renderer, &buffer, &rect, dst, sizeof(dst)),
		==, -EINVAL);
	g_assert_cmpint(f.renderer->ops->export_dmabuf(f.renderer, &buffer, &dmabuf), ==, -ENOTSUP);
	f.renderer->ops->resource_destroy(f.renderer, &buffer);
	fixture_finish(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* A hostile guest is worth a warning, which GLib's tests would die of. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/renderer/virgl/start", test_start);
	g_test_add_func("/renderer/virgl/refused", test_refused);
	g_test_add_func("/renderer/virgl/capsets", test_capsets);
	g_test_add_func("/renderer/virgl/2d", test_2d);
	g_test_add_func("/renderer/virgl/2d-is-black", test_2d_is_black);
	g_test_add_func("/renderer/virgl/huge-2d", test_huge_2d);
	g_test_add_func("/renderer/virgl/3d-orientation", test_3d_orientation);
	g_test_add_func("/renderer/virgl/clear", test_clear);
	g_test_add_func("/renderer/virgl/export", test_export);
	g_test_add_func("/renderer/virgl/3d-layers", test_3d_layers);
	g_test_add_func("/renderer/virgl/guest-blob", test_guest_blob);
	g_test_add_func("/renderer/virgl/host-blob", test_host_blob);
	g_test_add_func("/renderer/virgl/query", test_query);
	g_test_add_func("/renderer/virgl/fences", test_fences);
	g_test_add_func("/renderer/virgl/fences-by-timer", test_fences_by_timer);
	g_test_add_func("/renderer/virgl/hostile-sizes", test_hostile_sizes);
	g_test_add_func("/renderer/virgl/hostile-transfers", test_hostile_transfers);
	g_test_add_func("/renderer/virgl/hostile-buffer-read", test_hostile_buffer_read);
	g_test_add_func("/renderer/virgl/hostile-buffer-formats", test_hostile_buffer_formats);
	g_test_add_func("/renderer/virgl/unwritten", test_unwritten);
	g_test_add_func("/renderer/virgl/unwritten-gles", test_unwritten_gles);
	g_test_add_func("/renderer/virgl/hostile-read-rect", test_hostile_read_rect);
	g_test_add_func("/renderer/virgl/read-opens-nothing", test_read_opens_nothing);
	g_test_add_func("/renderer/virgl/buffer-is-no-image", test_buffer_is_no_image);
	return g_test_run();
}
