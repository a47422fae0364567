/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Fences (virtio 1.3, section 5.7.6.7, VIRTIO_GPU_FLAG_FENCE and VIRTIO_GPU_FLAG_INFO_RING_IDX).
 *
 * A command with a fence is answered when the work before it is done. It waits on a timeline: one
 * for each (context, ring index), and the global one for commands without a ring index. A
 * timeline is a queue in the order of submission. Each waiting command has a sequence number that
 * we give, strictly increasing; the guest's fence_id is only copied into the answer, so a guest
 * that reuses or reorders its ids confuses nobody but itself.
 *
 * The renderer signals (timeline, seqno) from any thread, perhaps with its own locks held and
 * perhaps inside create_fence(). That only appends to a list under a mutex and makes the source
 * ready, where the list was empty and nobody polls it; the main loop takes the list and answers every
 * command up to seqno. Answers of different timelines overtake each other; on one timeline they do not.
 * The timeline of a ring exists from the first wait on it to the end of its context.
 *
 * What stands on a timeline are waits (gpu/wait.c): a fence is one of the things that a wait waits
 * for, be it a decided command's answer or the flush of an image that is still being drawn.
 */
#include "gpu/fence.h"

#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/renderer_calls.h"
#include "gpu/state.h"
#include "util/id_table.h"
#include "util/source.h"

#include <errno.h>
#include <stdatomic.h>

/* Rings of a context (virtio 1.3, section 5.7.6.7, ring_idx). */
#define MAX_RINGS 64

struct gpu_fences {
	struct gpu_device *device;
	GHashTable *timelines; /* key -> struct timeline, owned */
	uint64_t last_seqno;
	GSource *source;

	GMutex mutex;		   /* guards signalled, is_polled, and setting any_signalled */
	GArray *signalled;	   /* of struct renderer_fence */
	GArray *taken;		   /* the other buffer, main loop only */
	atomic_bool any_signalled; /* there are some in signalled */
	bool is_polled;		   /* somebody looks at it, and need not be woken */
};

/* ctx_id << 32 | ring_idx for a ring, GLOBAL_TIMELINE for the global one */
struct timeline {
	uint64_t key;
	GQueue waiting; /* of struct gpu_wait, by its fence_link */
};

#define GLOBAL_TIMELINE UINT64_MAX

static uint64_t timeline_key(const struct renderer_fence *fence)
{
	return fence->has_ring ? (uint64_t)fence->ctx_id << 32 | fence->ring_idx : GLOBAL_TIMELINE;
}

static struct timeline *timeline_get(struct gpu_fences *fences, uint64_t key)
{
	struct timeline *timeline = g_hash_table_lookup(fences->timelines, &key);

	if (!timeline) {
		timeline = g_new0(struct timeline, 1);
		timeline->key = key;
		g_queue_init(&timeline->waiting);
		g_hash_table_insert(fences->timelines, &timeline->key, timeline);
	}
	return timeline;
}

/* Ends what waits up to @fence. Return: whether anything did. */
static bool fence_retire(struct gpu_fences *fences, const struct renderer_fence *fence)
{
	uint64_t key = timeline_key(fence);
	struct timeline *timeline;
	bool any = false;

	/* What goes on may come back to the timeline, or end it. */
	while ((timeline = g_hash_table_lookup(fences->timelines, &key))) {
		struct gpu_wait *wait = g_queue_peek_head(&timeline->waiting);

		if (!wait || wait->seqno > fence->seqno)
			break;
		gpu_fences_forget(fences, wait);
		gpu_wait_arrived(wait, 0);
		any = true;
	}
	return any;
}

bool gpu_fences_retire(struct gpu_fences *fences)
{
	bool any = false;
	GArray *taken;

	if (!atomic_load_explicit(&fences->any_signalled, memory_order_relaxed))
		return false;
	g_mutex_lock(&fences->mutex);
	fences->any_signalled = false;
	taken = fences->signalled;
	fences->signalled = fences->taken;
	fences->taken = taken;
	g_mutex_unlock(&fences->mutex);

	for (guint i = 0; i < taken->len; i++)
		any |= fence_retire(fences, &g_array_index(taken, struct renderer_fence, i));
	g_array_set_size(taken, 0);
	if (any)
		gpu_waits_resume(fences->device);
	return any;
}

void gpu_fences_poll(struct gpu_fences *fences, bool is_polled)
{
	g_mutex_lock(&fences->mutex);
	fences->is_polled = is_polled;
	g_mutex_unlock(&fences->mutex);
	/* What signalled meanwhile has set off nothing. */
	if (!is_polled)
		gpu_fences_retire(fences);
}

static gboolean fences_arrived(gpointer opaque)
{
	gpu_fences_retire(opaque);
	return G_SOURCE_CONTINUE;
}

struct gpu_fences *gpu_fences_create(struct gpu_device *device, GMainContext *context)
{
	struct gpu_fences *fences = g_new0(struct gpu_fences, 1);

	fences->device = device;
	fences->timelines = id_table_new_64(g_free);
	g_mutex_init(&fences->mutex);
	fences->signalled = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	fences->taken = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	fences->source = source_add_event(context, fences_arrived, fences);
	return fences;
}

void gpu_fences_destroy(struct gpu_fences *fences)
{
	source_clear(&fences->source);
	g_hash_table_destroy(fences->timelines);
	g_array_free(fences->signalled, TRUE);
	g_array_free(fences->taken, TRUE);
	g_mutex_clear(&fences->mutex);
	g_free(fences);
}

void gpu_fences_forget(struct gpu_fences *fences, struct gpu_wait *wait)
{
	struct timeline *timeline;

	if (!wait->is_fenced)
		return;
	wait->is_fenced = false;
	timeline = g_hash_table_lookup(fences->timelines, &wait->key);
	g_queue_unlink(&timeline->waiting, &wait->fence_link);
}

/* Adds @fence to what @wait waits for, where the renderer can make one. */
static void fence_join(
	struct gpu_fences *fences, struct gpu_wait *wait, const struct renderer_fence *fence)
{
	wait->key = timeline_key(fence);
	wait->seqno = fence->seqno;
	wait->fence_link = (GList){.data = wait};
	wait->is_fenced = true;
	/* First the timeline: the fence may signal before it is made. */
	g_queue_push_tail_link(&timeline_get(fences, wait->key)->waiting, &wait->fence_link);
	if (renderer_calls_create_fence(fences->device->renderer, fence) < 0)
		gpu_fences_forget(fences, wait);
	else
		gpu_wait_add(wait);
}

/* Fills @fence for @command. Return: 0, or -EINVAL for a ring of a context that is not there. */
static int fence_for(
	struct gpu_fences *fences, const struct gpu_command *command, struct renderer_fence *fence)
{
	const bool has_context = gpu_context_find(fences->device, command->hdr.ctx_id) != NULL;

	fence->has_ring = command->hdr.flags & VIRTIO_GPU_FLAG_INFO_RING_IDX;
	fence->ctx_id = has_context ? command->hdr.ctx_id : 0;
	fence->ring_idx = fence->has_ring ? command->hdr.ring_idx : 0;
	if (fence->has_ring && (fence->ring_idx >= MAX_RINGS || !has_context))
		return -EINVAL;
	fence->seqno = ++fences->last_seqno;
	return 0;
}

static enum gpu_verdict hold_done(struct gpu_wait *wait)
{
	return wait->command->verdict;
}

/*
 * The command itself was carried out: a queue that stops, or a context that is gone, only means that
 * its completion on the host is no longer waited for.
 */
static enum gpu_verdict hold_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	if (reason == GPU_WAIT_STOPPED || reason == GPU_WAIT_CONTEXT)
		return wait->command->verdict;
	return GPU_WAITS;
}

static const struct gpu_wait_ops hold_ops = {.done = hold_done, .cancel = hold_cancel};

enum gpu_verdict gpu_fences_hold(struct gpu_fences *fences, struct gpu_command *command)
{
	struct renderer_fence fence;

	if (!renderer_calls_has_fences(fences->device->renderer) ||
		fence_for(fences, command, &fence) < 0)
		return command->verdict;
	gpu_wait_begin(&command->wait, &hold_ops, NULL);
	fence_join(fences, &command->wait, &fence);
	return gpu_wait_go(&command->wait);
}

void gpu_fences_add_all(struct gpu_fences *fences, struct gpu_wait *wait)
{
	const struct renderer_fence fence = {.seqno = fences->last_seqno + 1};

	if (!renderer_calls_has_fences(fences->device->renderer))
		return;
	fences->last_seqno++;
	fence_join(fences, wait, &fence);
}

void gpu_fences_signal(struct gpu_fences *fences, const struct renderer_fence *fence)
{
	bool is_first;

	g_mutex_lock(&fences->mutex);
	g_array_append_vals(fences->signalled, fence, 1);
	is_first = !atomic_exchange(&fences->any_signalled, true) && !fences->is_polled;
	g_mutex_unlock(&fences->mutex);
	if (is_first)
		source_signal(fences->source);
}

void gpu_fences_finish_context(struct gpu_fences *fences, uint32_t ctx_id)
{
	/* By name: contexts that end do not walk over each other's timelines. */
	for (uint32_t ring = 0; ring < MAX_RINGS; ring++) {
		const struct renderer_fence any = {
			.has_ring = true, .ctx_id = ctx_id, .ring_idx = ring};
		uint64_t key = timeline_key(&any);
		struct timeline *timeline = g_hash_table_lookup(fences->timelines, &key);

		if (!timeline)
			continue;
		while (!g_queue_is_empty(&timeline->waiting))
			gpu_wait_cancel(g_queue_peek_head(&timeline->waiting), GPU_WAIT_CONTEXT);
		g_hash_table_remove(fences->timelines, &key);
	}
}
