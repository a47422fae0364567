/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The end of resources and contexts (see teardown.h). Nothing is made while the queues stand still, so
 * that what was listed at a reset is what there is.
 */
#include "gpu/teardown.h"

#include "gpu/context.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/wait.h"
#include "util/source.h"

struct gpu_teardown {
	GQueue half_gone; /* struct gpu_tracked_resource, owned; in no table */
	GList *contexts;  /* struct gpu_context, borrowed; links owned */
	GList *resources; /* struct gpu_tracked_resource, likewise */
	GSource *turn;	  /* NULL: nothing is left */
	bool takes_all;
};

struct gpu_teardown *gpu_teardown_create(void)
{
	return g_new0(struct gpu_teardown, 1);
}

void gpu_teardown_destroy(struct gpu_teardown *teardown)
{
	g_free(teardown);
}

bool gpu_teardown_is_busy(const struct gpu_device *device)
{
	return device->teardown->turn != NULL;
}

bool gpu_teardown_takes_all(const struct gpu_device *device)
{
	return device->teardown->takes_all;
}

/* One piece of work. Return: whether something is left. */
static bool teardown_step(struct gpu_device *device)
{
	struct gpu_teardown *teardown = device->teardown;
	GList **contexts = &teardown->contexts;
	GList **resources = &teardown->resources;

	if (teardown->half_gone.head) {
		struct gpu_tracked_resource *resource = teardown->half_gone.head->data;

		if (gpu_resource_destroy_more(device, resource) == 0)
			g_queue_pop_head(&teardown->half_gone);
	} else if (*contexts) {
		if (gpu_context_destroy_more(device, (*contexts)->data) == 0)
			*contexts = g_list_delete_link(*contexts, *contexts);
	} else if (*resources) {
		gpu_resource_destroy(device, (*resources)->data);
		*resources = g_list_delete_link(*resources, *resources);
	}
	return teardown->half_gone.head || *contexts || *resources;
}

static void teardown_end(struct gpu_device *device)
{
	device->teardown->takes_all = false;
	if (!gpu_teardown_is_busy(device))
		return;
	source_clear(&device->teardown->turn);
	device->waits.holding--;
}

static gboolean turn_came(gpointer opaque)
{
	struct gpu_device *device = opaque;

	turn_begin(&device->turn);
	do {
		if (teardown_step(device))
			continue;
		teardown_end(device);
		gpu_waits_resume(device);
		return G_SOURCE_REMOVE;
	} while (!turn_is_over(&device->turn));
	return G_SOURCE_CONTINUE;
}

/* Something is left: the queues stand still. */
static void teardown_begin(struct gpu_device *device)
{
	if (gpu_teardown_is_busy(device))
		return;
	device->teardown->turn = source_add_idle(device->context, turn_came, device);
	device->waits.holding++;
}

void gpu_teardown_resource(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	g_queue_push_tail(&device->teardown->half_gone, resource);
	teardown_begin(device);
}

void gpu_teardown_context(struct gpu_device *device, struct gpu_context *context)
{
	device->teardown->contexts = g_list_prepend(device->teardown->contexts, context);
	teardown_begin(device);
}

void gpu_teardown_all(struct gpu_device *device)
{
	struct gpu_teardown *teardown = device->teardown;

	/* What an earlier reset has listed goes with the rest. */
	g_clear_list(&teardown->contexts, NULL);
	g_clear_list(&teardown->resources, NULL);
	teardown->takes_all = true;
	teardown->contexts = gpu_context_list(device);
	teardown->resources = gpu_resource_list(device);
	turn_begin(&device->turn);
	while (teardown_step(device)) {
		if (!turn_is_over(&device->turn))
			continue;
		teardown_begin(device);
		return;
	}
	teardown_end(device);
}

void gpu_teardown_finish(struct gpu_device *device)
{
	while (teardown_step(device))
		;
	teardown_end(device);
}
