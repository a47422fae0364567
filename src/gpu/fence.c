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
 * ready; the main loop takes the list and answers every command up to seqno. Answers of different
 * timelines overtake each other; on one timeline they do not. A timeline exists while something
 * waits on it.
 *
 * A command may also wait before it is carried out, with gpu_fences_wait(): it is parked then, and
 * goes on rather than being answered.
 */
#include "gpu/fence.h"

#include "gpu/internal.h"

#include <errno.h>

struct gpu_fences {
	struct gpu_device *device;
	GHashTable *timelines; /* key -> struct timeline, owned */
	uint64_t last_seqno;
	GSource *source;

	GMutex mutex;	   /* guards signalled */
	GArray *signalled; /* of struct renderer_fence */
	GArray *taken;	   /* the other buffer, main loop only */
};

/* ctx_id << 32 | ring_idx for a ring, GLOBAL_TIMELINE for the global one */
struct timeline {
	uint64_t key;
	GQueue waiting; /* of struct gpu_command, by its link */
};

#define GLOBAL_TIMELINE UINT64_MAX

struct fence_source {
	GSource source;
	struct gpu_fences *fences;
};

static uint64_t timeline_key(bool has_ring, uint32_t ctx_id, uint32_t ring_idx)
{
	return has_ring ? (uint64_t)ctx_id << 32 | ring_idx : GLOBAL_TIMELINE;
}

static void timeline_free(gpointer data)
{
	g_free(data);
}

static struct timeline *timeline_get(struct gpu_fences *fences, uint64_t key)
{
	struct timeline *timeline = g_hash_table_lookup(fences->timelines, &key);

	if (timeline == NULL) {
		timeline = g_new0(struct timeline, 1);
		timeline->key = key;
		g_queue_init(&timeline->waiting);
		g_hash_table_insert(fences->timelines, &timeline->key, timeline);
	}
	return timeline;
}

static struct gpu_command *timeline_pop(struct timeline *timeline)
{
	GList *link = g_queue_pop_head_link(&timeline->waiting);

	return link != NULL ? link->data : NULL;
}

/* The timeline has reached @command. */
static void reach(struct gpu_command *command)
{
	void (*go_on)(struct gpu_command * command) = command->go_on;

	command->go_on = NULL;
	if (go_on != NULL)
		go_on(command);
	else
		gpu_command_answer(command);
}

static void timeline_finish(struct timeline *timeline)
{
	struct gpu_command *command;

	while ((command = timeline_pop(timeline)) != NULL)
		gpu_command_answer(command);
}

/* Answers what waits up to @fence. Return: whether anything did. */
static bool retire(struct gpu_fences *fences, const struct renderer_fence *fence)
{
	uint64_t key = timeline_key(fence->has_ring, fence->ctx_id, fence->ring_idx);
	struct timeline *timeline;
	bool any = false;

	/* What goes on may come back to the timeline, or empty and end it. */
	while ((timeline = g_hash_table_lookup(fences->timelines, &key)) != NULL) {
		struct gpu_command *command = g_queue_peek_head(&timeline->waiting);

		if (command != NULL && command->seqno > fence->seqno)
			break;
		if (command == NULL) {
			g_hash_table_remove(fences->timelines, &key);
			break;
		}
		timeline_pop(timeline);
		reach(command);
		any = true;
	}
	return any;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
	struct gpu_fences *fences = ((struct fence_source *)source)->fences;
	struct gpu_device *device = fences->device;
	bool any = false;

	g_source_set_ready_time(source, -1);
	g_mutex_lock(&fences->mutex);
	GArray *taken = fences->signalled;
	fences->signalled = fences->taken;
	fences->taken = taken;
	g_mutex_unlock(&fences->mutex);

	for (guint i = 0; i < taken->len; i++)
		any |= retire(fences, &g_array_index(taken, struct renderer_fence, i));
	g_array_set_size(taken, 0);
	if (any && device->events != NULL)
		device->events->resumed(device->events_opaque);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

struct gpu_fences *gpu_fences_create(struct gpu_device *device, GMainContext *context)
{
	struct gpu_fences *fences = g_new0(struct gpu_fences, 1);

	fences->device = device;
	fences->timelines = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, timeline_free);
	g_mutex_init(&fences->mutex);
	fences->signalled = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	fences->taken = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	fences->source = g_source_new(&source_funcs, sizeof(struct fence_source));
	((struct fence_source *)fences->source)->fences = fences;
	g_source_attach(fences->source, context);
	return fences;
}

void gpu_fences_destroy(struct gpu_fences *fences)
{
	g_source_destroy(fences->source);
	g_source_unref(fences->source);
	g_hash_table_destroy(fences->timelines);
	g_array_free(fences->signalled, TRUE);
	g_array_free(fences->taken, TRUE);
	g_mutex_clear(&fences->mutex);
	g_free(fences);
}

/* Fills @fence for @command. Return: 0, or -EINVAL for a ring of a context that is not there. */
static int fence_for(
	struct gpu_fences *fences, struct gpu_command *command, struct renderer_fence *fence)
{
	fence->has_ring = command->hdr.flags & VIRTIO_GPU_FLAG_INFO_RING_IDX;
	fence->ctx_id = command->hdr.ctx_id;
	fence->ring_idx = fence->has_ring ? command->hdr.ring_idx : 0;
	if (fence->has_ring &&
		(fence->ring_idx >= 64 || gpu_context_find(fences->device, fence->ctx_id) == NULL))
		return -EINVAL;
	if (!fence->has_ring && gpu_context_find(fences->device, fence->ctx_id) == NULL)
		fence->ctx_id = 0;
	fence->seqno = ++fences->last_seqno;
	return 0;
}

static void timeline_remove(
	struct gpu_fences *fences, struct timeline *timeline, struct gpu_command *command)
{
	g_queue_unlink(&timeline->waiting, &command->link);
	if (g_queue_is_empty(&timeline->waiting))
		g_hash_table_remove(fences->timelines, &timeline->key);
}

/* Return: 0 when @command waits for @fence, or the renderer's error. */
static int wait_for(
	struct gpu_fences *fences, struct gpu_command *command, const struct renderer_fence *fence)
{
	struct renderer *renderer = fences->device->renderer;
	struct timeline *timeline =
		timeline_get(fences, timeline_key(fence->has_ring, fence->ctx_id, fence->ring_idx));
	int ret;

	command->seqno = fence->seqno;
	command->link.data = command;
	g_queue_push_tail_link(&timeline->waiting, &command->link);
	ret = renderer->ops->create_fence(renderer, fence);
	if (ret < 0)
		timeline_remove(fences, timeline, command);
	return ret < 0 ? ret : 0;
}

int gpu_fences_add(struct gpu_fences *fences, struct gpu_command *command)
{
	struct renderer_fence fence;
	int ret;

	if (fences->device->renderer->ops->create_fence == NULL)
		return 1;
	ret = fence_for(fences, command, &fence);
	return ret < 0 ? ret : wait_for(fences, command, &fence);
}

int gpu_fences_wait(struct gpu_fences *fences, struct gpu_command *command,
	void (*go_on)(struct gpu_command *command))
{
	struct renderer_fence fence = {0};
	int ret;

	if (fences->device->renderer->ops->create_fence == NULL)
		return 1;
	fence.seqno = ++fences->last_seqno;
	command->go_on = go_on;
	ret = wait_for(fences, command, &fence);
	if (ret < 0)
		command->go_on = NULL;
	return ret;
}

void gpu_fences_forget(struct gpu_fences *fences, struct gpu_command *command)
{
	const uint64_t key = GLOBAL_TIMELINE;

	if (command->go_on == NULL)
		return;
	command->go_on = NULL;
	timeline_remove(fences, g_hash_table_lookup(fences->timelines, &key), command);
}

void gpu_fences_signal(struct gpu_fences *fences, const struct renderer_fence *fence)
{
	g_mutex_lock(&fences->mutex);
	g_array_append_vals(fences->signalled, fence, 1);
	g_mutex_unlock(&fences->mutex);
	/* Thread-safe, and wakes the main context when it sleeps. */
	g_source_set_ready_time(fences->source, 0);
}

void gpu_fences_finish_all(struct gpu_fences *fences)
{
	GHashTableIter iter;
	gpointer timeline;

	g_hash_table_iter_init(&iter, fences->timelines);
	while (g_hash_table_iter_next(&iter, NULL, &timeline)) {
		timeline_finish(timeline);
		g_hash_table_iter_remove(&iter);
	}
}

void gpu_fences_finish_context(struct gpu_fences *fences, uint32_t ctx_id)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, fences->timelines);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct timeline *timeline = value;

		if (timeline->key == GLOBAL_TIMELINE || timeline->key >> 32 != ctx_id)
			continue;
		timeline_finish(timeline);
		g_hash_table_iter_remove(&iter);
	}
}
