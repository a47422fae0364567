/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The renderer's limits: the streams that the daemons get, given to virglrenderer by a process
 * that does nothing else. The library's thread says when a fence signals; to ask again and again
 * takes the processor from the threads that draw.
 */
#define VIRGL_RENDERER_UNSTABLE_APIS

#include "bench/clock.h"
#include "bench/limit.h"
#include "bench/stats.h"
#include "bench/stream.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <sys/uio.h>
#include <virgl/virglrenderer.h>

#define CTX_ID	      1
#define RESOURCE_ID   1
#define MAX_LATENCIES 100000

#define FENCE_FLAGS (VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_ASYNC_FENCE_CB)

static GMutex lock;
static GCond changed;
static uint32_t signalled;

/* In the library's thread. */
static void write_fence(void *cookie, uint32_t fence)
{
	g_mutex_lock(&lock);
	signalled = fence;
	g_cond_signal(&changed);
	g_mutex_unlock(&lock);
}

static void wait_fence(uint32_t fence)
{
	g_mutex_lock(&lock);
	while (signalled != fence)
		g_cond_wait(&changed, &lock);
	g_mutex_unlock(&lock);
}

static struct virgl_renderer_callbacks callbacks = {.version = 1, .write_fence = write_fence};

static int run_stream(uint32_t *words, size_t count, uint32_t fence)
{
	int ret = virgl_renderer_submit_cmd(words, CTX_ID, (int)count);

	if (ret != 0)
		return -EIO;
	if (virgl_renderer_create_fence((int)fence, CTX_ID) != 0)
		return -EIO;
	wait_fence(fence);
	return 0;
}

static int start_renderer(void)
{
	const int surfaceless =
		VIRGL_RENDERER_USE_EGL | VIRGL_RENDERER_USE_SURFACELESS | FENCE_FLAGS;

	if (virgl_renderer_init(&callbacks, surfaceless, &callbacks) == 0)
		return 0;
	return virgl_renderer_init(&callbacks, VIRGL_RENDERER_USE_EGL | FENCE_FLAGS, &callbacks) ==
			       0
		       ? 0
		       : -ENODEV;
}

static int make_target(const struct limit *limit)
{
	struct virgl_renderer_resource_create_args args = {.handle = RESOURCE_ID,
		.target = STREAM_TEXTURE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.bind = STREAM_BIND,
		.width = limit->width,
		.height = limit->height,
		.depth = 1,
		.array_size = 1};
	uint32_t words[STREAM_TARGET_WORDS];

	if (virgl_renderer_resource_create(&args, NULL, 0) != 0 ||
		virgl_renderer_context_create(CTX_ID, 5, "bench") != 0)
		return -EIO;
	virgl_renderer_ctx_attach_resource(CTX_ID, RESOURCE_ID);
	return run_stream(words, (size_t)(stream_target(words, RESOURCE_ID) - words), 1);
}

/* The library's struct virgl_box is laid out as virtio's, and its header does not define it. */
static int read_back(const struct limit *limit, void *pixels)
{
	struct virtio_gpu_box box = {.w = limit->width, .h = limit->height, .d = 1};
	struct iovec iov = {.iov_base = pixels, .iov_len = 4ul * limit->width * limit->height};

	return virgl_renderer_transfer_read_iov(
		RESOURCE_ID, 0, 0, limit->width * 4, 0, (struct virgl_box *)&box, 0, &iov, 1);
}

int limit_submit_here(enum limit_id id, double seconds, double *ret_seconds)
{
	const struct limit *limit = &limits[id];
	g_autofree uint32_t *words = g_new(uint32_t, STREAM_LARGE_WORDS);
	g_autofree double *latencies = g_new(double, MAX_LATENCIES);
	g_autofree void *pixels = g_malloc0(4ul * limit->width * limit->height);
	const double end = clock_now() + seconds;
	uint32_t *stop = id == LIMIT_SUBMIT_LARGE ? stream_large(words, 0x204060)
						  : stream_clear(words, 0x204060);
	size_t count = 0;
	int ret = start_renderer();

	if (ret == 0)
		ret = make_target(limit);
	while (ret == 0 && count < MAX_LATENCIES && (clock_now() < end || count < 5)) {
		const double start = clock_now();

		ret = run_stream(words, (size_t)(stop - words), (uint32_t)count + 2);
		if (ret == 0 && id == LIMIT_DRAW_AND_READ)
			ret = read_back(limit, pixels);
		latencies[count++] = clock_now() - start;
	}
	if (ret == 0)
		*ret_seconds = stats_of(latencies, count).median;
	return ret;
}
