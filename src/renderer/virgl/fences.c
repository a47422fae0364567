/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Fences, from the device to the library and back; virgl.c's top tells their life. Owns the list
 * of pending fences, the only thing here that two threads touch, and the source that polls the
 * library. virtio 1.3, section 5.7.6.7, VIRTIO_GPU_FLAG_FENCE.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/log.h"
#include "util/source.h"

#define POLL_INTERVAL_MS 1
#define FINISH_TRIES	 1000 /* of 1 ms each */

struct pending_fence {
	GList link;
	uint32_t serial;
	struct renderer_fence fence;
};

/* Serials wrap. Far fewer than 2^31 fences are pending at a time. */
static bool is_reached(uint32_t serial, uint32_t by)
{
	return (int32_t)(by - serial) >= 0;
}

static bool is_idle(struct renderer_virgl *virgl)
{
	bool idle;

	g_mutex_lock(&virgl->fence_lock);
	idle = g_queue_is_empty(&virgl->pending);
	g_mutex_unlock(&virgl->fence_lock);
	return idle;
}

static gboolean handle_poll_fd(gint fd, GIOCondition condition, gpointer opaque)
{
	virgl_renderer_poll();
	return G_SOURCE_CONTINUE;
}

static gboolean handle_poll_timer(gpointer opaque)
{
	struct renderer_virgl *virgl = opaque;

	virgl_renderer_poll();
	if (!is_idle(virgl))
		return G_SOURCE_CONTINUE;
	g_clear_pointer(&virgl->poll_source, g_source_unref);
	return G_SOURCE_REMOVE;
}

void renderer_virgl_fences_init(struct renderer_virgl *virgl, GMainContext *context)
{
	virgl->context = context ? g_main_context_ref(context) : NULL;
	virgl->fence_pool = POOL_INIT(struct pending_fence);
	/*
	 * Its thread leaves fences to us that end with a query: results of queries can be read in
	 * the context of our thread only, and it waits until we did.
	 */
	if (virgl->has_gl && virgl->has_fence_thread)
		virgl->poll_source = source_add_fd(virgl->context, virgl_renderer_get_poll_fd(),
			G_IO_IN, handle_poll_fd, virgl);
}

int renderer_virgl_fences_finish(struct renderer_virgl *virgl)
{
	int ret = 0;

	source_clear(&virgl->poll_source);
	g_clear_pointer(&virgl->context, g_main_context_unref);
	/* The library ends its thread without a look at whether that waits for a poll from us. */
	for (int tries = 0; !is_idle(virgl) && ret == 0; tries++) {
		virgl_renderer_poll();
		g_usleep(1000);
		if (tries == FINISH_TRIES)
			ret = -ETIMEDOUT;
	}
	return ret;
}

static struct pending_fence *push_fence(
	struct renderer_virgl *virgl, const struct renderer_fence *fence, uint32_t *ret_serial)
{
	struct pending_fence *pending;

	g_mutex_lock(&virgl->fence_lock);
	pending = pool_take(&virgl->fence_pool);
	*pending = (struct pending_fence){
		.link = {.data = pending}, .serial = ++virgl->last_serial, .fence = *fence};
	g_queue_push_tail_link(&virgl->pending, &pending->link);
	*ret_serial = pending->serial;
	g_mutex_unlock(&virgl->fence_lock);
	return pending;
}

/* Takes a fence back that the library did not want. It cannot have signalled. */
static void drop_fence(struct renderer_virgl *virgl, struct pending_fence *pending)
{
	g_mutex_lock(&virgl->fence_lock);
	g_queue_unlink(&virgl->pending, &pending->link);
	pool_put(&virgl->fence_pool, pending);
	g_mutex_unlock(&virgl->fence_lock);
}

static int create_gl_fence(struct renderer_virgl *virgl, const struct renderer_fence *fence)
{
	uint32_t serial;
	/* On the list first: the callback may come before the library's function returns. */
	struct pending_fence *pending = push_fence(virgl, fence, &serial);
	int ret = virgl_renderer_create_fence((int)serial, fence->ctx_id);

	if (ret != 0) {
		drop_fence(virgl, pending);
		return renderer_virgl_errno(ret);
	}
	if (!virgl->has_fence_thread && !virgl->poll_source)
		virgl->poll_source = source_add_timeout(
			virgl->context, POLL_INTERVAL_MS, handle_poll_timer, virgl);
	return 0;
}

int renderer_virgl_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);

	if (fence->has_ring && renderer_virgl_has_timelines(virgl, fence->ctx_id))
		return renderer_virgl_errno(virgl_renderer_context_create_fence(
			fence->ctx_id, 0, fence->ring_idx, fence->seqno));
	if (virgl->has_gl)
		return create_gl_fence(virgl, fence);
	/* Off the rings nothing runs on its own: what came before is done. */
	renderer->events->fence_signalled(renderer->events_opaque, fence);
	return 0;
}

void renderer_virgl_fences_sweep(struct renderer_virgl *virgl)
{
	uint32_t serial;

	if (is_idle(virgl))
		return;
	g_mutex_lock(&virgl->fence_lock);
	serial = ++virgl->last_serial;
	g_mutex_unlock(&virgl->fence_lock);
	if (virgl_renderer_create_fence((int)serial, 0) != 0)
		log_warning("virglrenderer: no fence could be made to follow the pending ones");
}

/* Takes the oldest fence when it is reached. Return: was it? */
static bool pop_fence(
	struct renderer_virgl *virgl, uint32_t serial, struct renderer_fence *ret_fence)
{
	struct pending_fence *oldest;
	bool reached;

	g_mutex_lock(&virgl->fence_lock);
	oldest = g_queue_peek_head(&virgl->pending);
	reached = oldest && is_reached(oldest->serial, serial);
	if (reached) {
		*ret_fence = oldest->fence;
		g_queue_unlink(&virgl->pending, &oldest->link);
		pool_put(&virgl->fence_pool, oldest);
	}
	g_mutex_unlock(&virgl->fence_lock);
	return reached;
}

void renderer_virgl_fences_close(struct renderer_virgl *virgl)
{
	g_mutex_lock(&virgl->event_lock);
	virgl->is_closed = true;
	g_mutex_unlock(&virgl->event_lock);
}

/* The receiver only enqueues, and calls nothing of ours. */
static void tell_device(struct renderer_virgl *virgl, const struct renderer_fence *fence)
{
	g_mutex_lock(&virgl->event_lock);
	if (!virgl->is_closed)
		virgl->base.events->fence_signalled(virgl->base.events_opaque, fence);
	g_mutex_unlock(&virgl->event_lock);
}

void renderer_virgl_write_fence(void *cookie, uint32_t serial)
{
	struct renderer_virgl *virgl = cookie;
	struct renderer_fence fence;

	while (pop_fence(virgl, serial, &fence))
		tell_device(virgl, &fence);
}

void renderer_virgl_write_context_fence(
	void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t seqno)
{
	struct renderer_virgl *virgl = cookie;
	struct renderer_fence fence = {
		.has_ring = true,
		.ctx_id = ctx_id,
		.ring_idx = ring_idx,
		.seqno = seqno,
	};

	tell_device(virgl, &fence);
}
