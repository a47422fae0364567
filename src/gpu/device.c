/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device as a whole: creation, features, configuration space, reset, changes of the memory
 * table, and the parking of commands that wait for the display.
 *
 * At most one command is parked. While it is, the control queue stands still
 * (gpu_device_can_take()), the cursor queue and everything else go on.
 */
#include "gpu/device.h"

#include "gpu/internal.h"
#include "util/log.h"

#include <errno.h>

static void fence_signalled(void *opaque, const struct renderer_fence *fence)
{
	struct gpu_device *device = opaque;

	gpu_fences_signal(device->fences, fence);
}

static const struct renderer_events renderer_events = {.fence_signalled = fence_signalled};

struct gpu_device *gpu_device_create(struct renderer *renderer, struct guest_memory *memory,
	const struct gpu_limits *limits, GMainContext *context)
{
	struct gpu_device *device = g_new0(struct gpu_device, 1);

	device->renderer = renderer;
	device->memory = memory;
	device->limits = *limits;
	device->scanout_count = 1;
	device->resources = g_hash_table_new(g_direct_hash, g_direct_equal);
	device->contexts = g_hash_table_new(g_direct_hash, g_direct_equal);
	device->fences = gpu_fences_create(device, context);
	renderer->events = &renderer_events;
	renderer->events_opaque = device;
	return device;
}

void gpu_device_destroy(struct gpu_device *device)
{
	if (device == NULL)
		return;
	gpu_device_reset(device);
	device->renderer->ops->destroy(device->renderer);
	gpu_fences_destroy(device->fences);
	for (unsigned int i = 0; i < GPU_SCANOUT_COUNT; i++)
		gpu_pixel_buffer_finish(&device->scanouts[i].staging);
	gpu_pixel_buffer_finish(&device->cursor_staging);
	g_free(device->submit_buf);
	g_hash_table_destroy(device->resources);
	g_hash_table_destroy(device->contexts);
	g_free(device);
}

void gpu_device_set_events(
	struct gpu_device *device, const struct gpu_device_events *events, void *opaque)
{
	device->events = events;
	device->events_opaque = opaque;
}

uint64_t gpu_device_get_features(const struct renderer *renderer)
{
	uint64_t features =
		UINT64_C(1) << VIRTIO_GPU_F_EDID | UINT64_C(1) << VIRTIO_GPU_F_RESOURCE_UUID;

	if (renderer->has_3d)
		features |= UINT64_C(1) << VIRTIO_GPU_F_VIRGL |
			    UINT64_C(1) << VIRTIO_GPU_F_CONTEXT_INIT;
	return features;
}

void gpu_device_get_config(const struct gpu_device *device, struct virtio_gpu_config *config)
{
	*config = (struct virtio_gpu_config){
		.num_scanouts = htole32(device->scanout_count),
		.num_capsets = htole32(device->renderer->capset_count),
	};
}

void gpu_device_set_scanout_count(struct gpu_device *device, uint32_t count)
{
	device->scanout_count = count;
}

/* Takes back what the display was asked for; the command that waits for it fails. */
static void cancel_parked(struct gpu_device *device)
{
	struct gpu_command *parked = device->parked;

	if (parked == NULL && device->reshow_requests == 0)
		return;
	device->display->ops->cancel(device->display);
	device->parked = NULL;
	device->reshow_requests = 0;
	if (parked != NULL)
		gpu_command_finish(parked, VIRTIO_GPU_RESP_ERR_UNSPEC);
}

void gpu_device_set_display(struct gpu_device *device, struct display *display)
{
	cancel_parked(device);
	device->display = display;
	if (display != NULL && display->ready)
		gpu_scanout_reshow(device);
}

void gpu_device_display_ready(struct gpu_device *device)
{
	gpu_scanout_reshow(device);
	if (device->events != NULL)
		device->events->resumed(device->events_opaque);
}

bool gpu_device_can_take(const struct gpu_device *device)
{
	return device->parked == NULL && device->reshow_requests == 0 && device->display != NULL &&
	       device->display->ready;
}

void gpu_device_control(struct gpu_device *device, struct gpu_request *request)
{
	gpu_command_dispatch_control(device, request);
}

void gpu_device_cursor(struct gpu_device *device, struct gpu_request *request)
{
	gpu_command_dispatch_cursor(device, request);
}

void gpu_device_park(struct gpu_device *device, struct gpu_command *command, unsigned int requests)
{
	device->parked = command;
	device->parked_requests = requests;
	device->parked_error = 0;
}

struct gpu_command *gpu_device_unpark(struct gpu_device *device, int error)
{
	struct gpu_command *command = device->parked;

	if (error < 0 && device->parked_error == 0)
		device->parked_error = error;
	if (--device->parked_requests > 0)
		return NULL;
	device->parked = NULL;
	return command;
}

void gpu_device_cancel(struct gpu_device *device)
{
	cancel_parked(device);
	gpu_fences_finish_all(device->fences);
}

void gpu_device_reset(struct gpu_device *device)
{
	gpu_device_cancel(device);
	gpu_scanout_disable_all(device);
	gpu_context_destroy_all(device);
	gpu_resource_destroy_all(device);
}

static void detach(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (resource->base.iov != NULL && device->renderer->ops->detach_backing != NULL)
		device->renderer->ops->detach_backing(device->renderer, &resource->base);
	g_clear_pointer(&resource->base.iov, g_free);
	resource->base.iov_count = 0;
	resource->base.backing_len = 0;
}

void gpu_device_memory_changing(struct gpu_device *device)
{
	GHashTableIter iter;
	gpointer resource;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &resource))
		detach(device, resource);
}

static void attach(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct gpu_resource *base = &resource->base;
	int ret;

	if (resource->backing.entries == NULL)
		return;
	ret = gpu_backing_resolve(&resource->backing, device->memory, &base->iov, &base->iov_count);
	if (ret == 0) {
		base->backing_len = resource->backing.len;
		if (device->renderer->ops->attach_backing != NULL)
			ret = device->renderer->ops->attach_backing(device->renderer, base);
	}
	if (ret < 0)
		log_peer("resource %u lost its backing when the memory table changed: %s", base->id,
			g_strerror(-ret));
}

void gpu_device_memory_changed(struct gpu_device *device)
{
	GHashTableIter iter;
	gpointer resource;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &resource))
		attach(device, resource);
}
