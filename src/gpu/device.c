/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device as a whole: creation, features, configuration space, reset, displays, changes of the
 * memory table.
 */
#include "gpu/device.h"

#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/dispatch.h"
#include "gpu/fence.h"
#include "gpu/mapping.h"
#include "gpu/output.h"
#include "gpu/paging.h"
#include "gpu/renderer_calls.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/teardown.h"
#include "gpu/transfer.h"
#include "util/fd.h"
#include "util/pages.h"
#include "util/udmabuf.h"

#include <endian.h>

static void fence_signalled(void *opaque, const struct renderer_fence *fence)
{
	struct gpu_device *device = opaque;

	gpu_fences_signal(device->fences, fence);
}

static void contexts_lost(void *opaque, uint64_t capset_mask)
{
	gpu_mapping_drop_lost(opaque, capset_mask);
}

static const struct renderer_events renderer_events = {
	.fence_signalled = fence_signalled,
	.contexts_lost = contexts_lost,
};

struct gpu_device *gpu_device_create(struct renderer *renderer, struct guest_memory *memory,
	const struct gpu_limits *limits, GMainContext *context)
{
	struct gpu_device *device = g_new0(struct gpu_device, 1);

	device->renderer = renderer;
	device->memory = memory;
	device->limits = *limits;
	device->context = context;
	device->scanout_count = 1;
	device->udmabuf_fd = udmabuf_open();
	device->commands = POOL_INIT(struct gpu_command);
	device->resources = gpu_resources_create();
	device->contexts = gpu_contexts_create();
	device->outputs = gpu_outputs_create();
	device->fences = gpu_fences_create(device, context);
	device->mappings = gpu_mappings_create();
	device->paging = gpu_paging_create();
	device->teardown = gpu_teardown_create();
	renderer->events = &renderer_events;
	renderer->events_opaque = device;
	renderer->turn = &device->turn;
	return device;
}

void gpu_device_destroy(struct gpu_device *device)
{
	if (!device)
		return;
	gpu_device_reset(device);
	gpu_teardown_finish(device);
	/* No event comes any more after this. */
	renderer_calls_destroy(device->renderer);
	gpu_fences_destroy(device->fences);
	gpu_mappings_destroy(device->mappings);
	gpu_paging_destroy(device->paging);
	gpu_teardown_destroy(device->teardown);
	gpu_outputs_destroy(device);
	gpu_resources_destroy(device->resources);
	gpu_contexts_destroy(device->contexts);
	pool_finish(&device->commands);
	fd_clear(&device->udmabuf_fd);
	g_free(device);
}

void gpu_device_set_events(
	struct gpu_device *device, const struct gpu_device_events *events, void *opaque)
{
	device->events = events;
	device->events_opaque = opaque;
}

void gpu_device_set_shmem(
	struct gpu_device *device, const struct gpu_shmem_ops *ops, void *opaque, uint64_t len)
{
	gpu_mappings_set_shmem(device->mappings, ops, opaque, len);
}

uint64_t gpu_device_get_features(const struct renderer *renderer)
{
	uint64_t features = UINT64_C(1) << VIRTIO_GPU_F_EDID |
			    UINT64_C(1) << VIRTIO_GPU_F_RESOURCE_UUID |
			    UINT64_C(1) << VIRTIO_GPU_F_RESOURCE_BLOB;

	if (renderer->has_3d)
		features |= UINT64_C(1) << VIRTIO_GPU_F_VIRGL |
			    UINT64_C(1) << VIRTIO_GPU_F_CONTEXT_INIT;
	return features;
}

void gpu_device_get_config(const struct gpu_device *device, struct gpu_config *config)
{
	*config = (struct gpu_config){
		.events_read = htole32(device->events_read),
		.num_scanouts = htole32(device->scanout_count),
		.num_capsets = htole32(device->renderer->capset_count),
		.blob_alignment = htole32((uint32_t)page_size()),
	};
}

void gpu_device_set_scanout_count(struct gpu_device *device, uint32_t count)
{
	device->scanout_count = count;
}

void gpu_device_clear_events(struct gpu_device *device, uint32_t events)
{
	device->events_read &= ~events;
}

void gpu_device_outputs_changed(struct gpu_device *device)
{
	device->events_read |= VIRTIO_GPU_EVENT_DISPLAY;
	if (device->events && device->events->config_changed)
		device->events->config_changed(device->events_opaque);
}

/* Nothing may be in flight while displays come and go: a buffer may be used again for the new one. */
void gpu_device_add_display(struct gpu_device *device, struct display *display)
{
	gpu_waits_cancel(device, GPU_WAIT_DISPLAYS);
	gpu_outputs_add_display(device, display);
}

void gpu_device_remove_display(struct gpu_device *device, struct display *display)
{
	gpu_waits_cancel(device, GPU_WAIT_DISPLAYS);
	gpu_outputs_remove_display(device, display);
}

void gpu_device_display_ready(struct gpu_device *device, struct display *display)
{
	gpu_waits_cancel(device, GPU_WAIT_DISPLAYS);
	gpu_outputs_show_on(device, display);
	gpu_waits_resume(device);
}

bool gpu_device_can_take(const struct gpu_device *device)
{
	return device->waits.holding == 0 && gpu_outputs_are_ready(device->outputs);
}

bool gpu_device_can_take_cursor(const struct gpu_device *device)
{
	return !gpu_paging_is_busy(device) && !gpu_teardown_is_busy(device);
}

bool gpu_device_turn_is_over(struct gpu_device *device)
{
	return turn_is_over(&device->turn);
}

void gpu_device_control(struct gpu_device *device, struct gpu_request *request)
{
	gpu_dispatch_control(device, request);
}

void gpu_device_settle(struct gpu_device *device)
{
	gpu_transfer_settle(device);
}

void gpu_device_cursor(struct gpu_device *device, struct gpu_request *request)
{
	gpu_dispatch_cursor(device, request);
}

bool gpu_device_retire_fences(struct gpu_device *device)
{
	return gpu_fences_retire(device->fences);
}

void gpu_device_poll_fences(struct gpu_device *device, bool is_polled)
{
	gpu_fences_poll(device->fences, is_polled);
}

bool gpu_device_is_waiting(const struct gpu_device *device)
{
	return device->waits.all.length > 0;
}

static void cancel_all(struct gpu_device *device)
{
	gpu_transfer_settle(device);
	gpu_waits_cancel(device, GPU_WAIT_STOPPED);
}

void gpu_device_cancel(struct gpu_device *device)
{
	cancel_all(device);
	gpu_outputs_show_again(device);
}

void gpu_device_reset(struct gpu_device *device)
{
	cancel_all(device);
	gpu_paging_forget(device);
	gpu_outputs_disable_all(device);
	gpu_teardown_all(device);
	device->events_read = 0;
}

void gpu_device_memory_changing(struct gpu_device *device)
{
	gpu_transfer_settle(device);
	/* Displays may be reading the guest's pages: they copy what is left. */
	gpu_waits_cancel(device, GPU_WAIT_MEMORY);
	gpu_paging_release(device);
}

void gpu_device_memory_changed(struct gpu_device *device)
{
	gpu_paging_resolve(device);
}
