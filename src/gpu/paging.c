/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Changes of the memory table (see paging.h). What has no pages is listed, and looked up again; no
 * resource is made or destroyed until the list is done with, because the queues stand still, unless
 * all of them are.
 */
#include "gpu/paging.h"

#include "gpu/blob.h"
#include "gpu/output.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/teardown.h"
#include "gpu/wait.h"
#include "util/log.h"
#include "util/source.h"

struct gpu_paging {
	GPtrArray *lost; /* struct gpu_tracked_resource, borrowed; empty: nothing to do */
	guint next;	 /* of @lost */
	struct gpu_page_walk walk;
	GSource *turn;
	bool holds_queues;
	bool was_released;
};

struct gpu_paging *gpu_paging_create(void)
{
	struct gpu_paging *paging = g_new0(struct gpu_paging, 1);

	paging->lost = g_ptr_array_new();
	return paging;
}

void gpu_paging_destroy(struct gpu_paging *paging)
{
	source_clear(&paging->turn);
	gpu_page_walk_finish(&paging->walk);
	g_ptr_array_unref(paging->lost);
	g_free(paging);
}

bool gpu_paging_is_busy(const struct gpu_device *device)
{
	return device->paging->holds_queues;
}

static void hold_queues(struct gpu_device *device, bool holds)
{
	struct gpu_paging *paging = device->paging;

	if (paging->holds_queues == holds)
		return;
	paging->holds_queues = holds;
	if (holds)
		device->waits.holding++;
	else
		device->waits.holding--;
}

void gpu_paging_forget(struct gpu_device *device)
{
	struct gpu_paging *paging = device->paging;

	source_clear(&paging->turn);
	gpu_page_walk_finish(&paging->walk);
	g_ptr_array_set_size(paging->lost, 0);
	paging->next = 0;
	hold_queues(device, false);
}

static void release_one(
	struct gpu_device *device, struct gpu_tracked_resource *resource, void *opaque)
{
	gpu_resource_release_pages(device, resource);
	gpu_blob_release(resource);
}

static void list_lost(
	struct gpu_device *device, struct gpu_tracked_resource *resource, void *opaque)
{
	if (resource->backing.entries && !resource->base.iov)
		g_ptr_array_add(device->paging->lost, resource);
}

void gpu_paging_release(struct gpu_device *device)
{
	gpu_paging_forget(device);
	gpu_resource_foreach(device, release_one, NULL);
	device->paging->was_released = true;
}

/* Return: whether @resource is done with, for better or worse; false where the turn is over. */
static bool resolve_one(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct gpu_page_walk *walk = &device->paging->walk;
	int ret = gpu_page_walk_on(walk, &resource->backing, device->memory, &device->turn);

	if (ret == GPU_WALK_AGAIN)
		return false;
	if (ret == 0)
		ret = gpu_resource_take_pages(device, resource, walk);
	gpu_page_walk_finish(walk);
	if (ret < 0)
		log_peer("resource %u lost its pages when the memory table changed: %s",
			resource->base.id, g_strerror(-ret));
	return true;
}

/* Return: whether all lists are done with. */
static bool resolve_more(struct gpu_device *device)
{
	struct gpu_paging *paging = device->paging;

	turn_begin(&device->turn);
	while (paging->next < paging->lost->len) {
		if (!resolve_one(device, g_ptr_array_index(paging->lost, paging->next)))
			return false;
		paging->next++;
		if (turn_is_over(&device->turn))
			break;
	}
	return paging->next == paging->lost->len;
}

static void paging_done(struct gpu_device *device)
{
	gpu_paging_forget(device);
	/* Dma-bufs of guest pages went as well. */
	if (device->paging->was_released)
		gpu_outputs_memory_changed(device);
	device->paging->was_released = false;
}

static gboolean turn_came(gpointer opaque)
{
	struct gpu_device *device = opaque;

	if (!resolve_more(device))
		return G_SOURCE_CONTINUE;
	paging_done(device);
	gpu_waits_resume(device);
	return G_SOURCE_REMOVE;
}

void gpu_paging_resolve(struct gpu_device *device)
{
	gpu_paging_forget(device);
	if (!gpu_teardown_takes_all(device))
		gpu_resource_foreach(device, list_lost, NULL);
	if (device->paging->lost->len > 0)
		hold_queues(device, true);
	if (resolve_more(device))
		paging_done(device);
	else
		device->paging->turn = source_add_idle(device->context, turn_came, device);
}
