/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Fences. The library signals them on the thread of a cross-domain channel, on gfxstream's workers,
 * which hold locks, or from inside rutabaga_create_fence(). Most go on to the device at once, which
 * enqueues them. Those of a channel bring a message along (ring.c) and take the way over the main
 * loop, which writes it into the guest's memory first. virtio 1.3, section 5.7.6.7.
 */
#include "renderer/rutabaga/cross_domain.h"
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/fd.h"
#include "util/source.h"

#include <sys/eventfd.h>

/* @message: of the ring @resource_id; or NULL. */
struct arrived_fence {
	struct renderer_fence fence;
	uint32_t resource_id;
	GBytes *message;
};

static void arrived_free(void *opaque)
{
	struct arrived_fence *arrived = opaque;

	if (arrived->message)
		g_bytes_unref(arrived->message);
	g_free(arrived);
}

static struct arrived_fence *pop_arrived(struct renderer_rutabaga *rutabaga)
{
	struct arrived_fence *arrived;

	g_mutex_lock(&rutabaga->lock);
	arrived = g_queue_pop_head(&rutabaga->arrived);
	g_mutex_unlock(&rutabaga->lock);
	return arrived;
}

static void deliver_fence(struct renderer_rutabaga *rutabaga, struct arrived_fence *arrived)
{
	struct rutabaga_context *context =
		renderer_rutabaga_context(rutabaga, arrived->fence.ctx_id);

	if (arrived->message && context && context->channel_ring_id == arrived->resource_id)
		renderer_rutabaga_ring_deliver(
			rutabaga, context, arrived->resource_id, arrived->message);
	rutabaga->base.events->fence_signalled(rutabaga->base.events_opaque, &arrived->fence);
	arrived_free(arrived);
}

static gboolean handle_arrived(gint fd, GIOCondition condition, gpointer opaque)
{
	struct renderer_rutabaga *rutabaga = opaque;
	struct arrived_fence *arrived;
	eventfd_t count;

	eventfd_read(fd, &count);
	while ((arrived = pop_arrived(rutabaga)))
		deliver_fence(rutabaga, arrived);
	return G_SOURCE_CONTINUE;
}

int renderer_rutabaga_fences_init(struct renderer_rutabaga *rutabaga, GMainContext *context)
{
	rutabaga->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rutabaga->wake_fd < 0)
		return -errno;
	rutabaga->wake_source =
		source_add_fd(context, rutabaga->wake_fd, G_IO_IN, handle_arrived, rutabaga);
	return 0;
}

void renderer_rutabaga_fences_finish(struct renderer_rutabaga *rutabaga)
{
	source_clear(&rutabaga->wake_source);
	g_mutex_lock(&rutabaga->lock);
	rutabaga->is_closed = true;
	g_queue_clear_full(&rutabaga->arrived, arrived_free);
	fd_clear(&rutabaga->wake_fd);
	g_mutex_unlock(&rutabaga->lock);
}

void renderer_rutabaga_fences_forget_context(struct renderer_rutabaga *rutabaga, uint32_t ctx_id)
{
	GList *link, *next;

	g_mutex_lock(&rutabaga->lock);
	for (link = rutabaga->arrived.head; link; link = next) {
		struct arrived_fence *arrived = link->data;

		next = link->next;
		if (arrived->fence.ctx_id != ctx_id)
			continue;
		g_queue_delete_link(&rutabaga->arrived, link);
		arrived_free(arrived);
	}
	g_mutex_unlock(&rutabaga->lock);
}

/* Ring 1 of a cross-domain context without a channel: the library forgets such a fence. */
static bool is_lost(struct renderer_rutabaga *rutabaga, const struct renderer_fence *fence)
{
	const struct rutabaga_context *context = renderer_rutabaga_context(rutabaga, fence->ctx_id);

	return context && renderer_rutabaga_is_cross_domain(context) &&
	       (!context->has_channel || fence->ring_idx != CROSS_DOMAIN_CHANNEL_RING);
}

int renderer_rutabaga_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	const struct rutabaga_fence args = {
		.flags = RUTABAGA_FLAG_FENCE | (fence->has_ring ? RUTABAGA_FLAG_INFO_RING_IDX : 0),
		.fence_id = fence->seqno,
		.ctx_id = fence->ctx_id,
		.ring_idx = fence->ring_idx,
	};

	/* Off the channel nothing of cross-domain's runs on its own: what came before is done. */
	if (fence->has_ring ? is_lost(rutabaga, fence) : !rutabaga->has_gfxstream) {
		renderer->events->fence_signalled(renderer->events_opaque, fence);
		return 0;
	}
	return renderer_rutabaga_errno(rutabaga_create_fence(rutabaga->rutabaga, &args));
}

/* Under the lock. Return: whether it brings a message along, and waits for the main loop. */
static bool take_message(struct renderer_rutabaga *rutabaga, const struct renderer_fence *fence)
{
	const struct rutabaga_context *context = renderer_rutabaga_context(rutabaga, fence->ctx_id);
	struct arrived_fence *arrived;

	if (!fence->has_ring || fence->ring_idx != CROSS_DOMAIN_CHANNEL_RING || !context ||
		!renderer_rutabaga_is_cross_domain(context))
		return false;
	arrived = g_new0(struct arrived_fence, 1);
	arrived->fence = *fence;
	arrived->resource_id = context->channel_ring_id;
	arrived->message = renderer_rutabaga_ring_message(rutabaga, context);
	g_queue_push_tail(&rutabaga->arrived, arrived);
	eventfd_write(rutabaga->wake_fd, 1);
	return true;
}

void renderer_rutabaga_write_fence(uint64_t user_data, const struct rutabaga_fence *args)
{
	struct renderer_rutabaga *rutabaga = (struct renderer_rutabaga *)(uintptr_t)user_data;
	const struct renderer_fence fence = {
		.has_ring = (args->flags & RUTABAGA_FLAG_INFO_RING_IDX) != 0,
		.ctx_id = args->ctx_id,
		.ring_idx = args->ring_idx & 0xff, /* the library has 8 bits, and padding */
		.seqno = args->fence_id,
	};

	if (!rutabaga)
		return;
	g_mutex_lock(&rutabaga->lock);
	if (!rutabaga->is_closed && !take_message(rutabaga, &fence))
		rutabaga->base.events->fence_signalled(rutabaga->base.events_opaque, &fence);
	g_mutex_unlock(&rutabaga->lock);
}
