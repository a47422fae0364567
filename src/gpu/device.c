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
#include "util/pages.h"

/* Outputs in the configuration space. A front-end with a display puts its own number there. */
#define CONFIG_SCANOUTS 1

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
	device->resources = g_hash_table_new(g_direct_hash, g_direct_equal);
	device->contexts = g_hash_table_new(g_direct_hash, g_direct_equal);
	device->fences = gpu_fences_create(device, context);
	device->mappings = gpu_mappings_create();
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
	gpu_mappings_destroy(device->mappings);
	for (unsigned int i = 0; i < GPU_SCANOUT_COUNT; i++)
		gpu_pixel_buffer_finish(device, &device->scanouts[i].staging);
	gpu_pixel_buffer_finish(device, &device->cursor_staging);
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

void gpu_device_set_shmem(
	struct gpu_device *device, const struct gpu_shmem_ops *ops, void *opaque, uint64_t len)
{
	device->shmem_ops = ops;
	device->shmem_opaque = opaque;
	device->shmem_len = len;
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
		.num_scanouts = htole32(CONFIG_SCANOUTS),
		.num_capsets = htole32(device->renderer->capset_count),
		.blob_alignment = htole32((uint32_t)page_size()),
	};
}

/* Takes back what the display was asked for; the command that waits for it fails. */
static void cancel_parked(struct gpu_device *device)
{
	struct gpu_command *parked = device->parked;

	if (parked == NULL && device->reshow_requests == 0)
		return;
	device->display->ops->cancel(device->display);
	gpu_mapping_cancel(device);
	if (parked != NULL)
		gpu_fences_forget(device->fences, parked);
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
}

struct gpu_command *gpu_device_unpark(struct gpu_device *device)
{
	struct gpu_command *command = device->parked;

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

/* A flush may be sending straight out of the guest's pages: let the display copy what is left. */
static void finish_flush(struct gpu_device *device)
{
	struct gpu_command *parked = device->parked;

	if (parked == NULL || parked->type->type != VIRTIO_GPU_CMD_RESOURCE_FLUSH)
		return;
	/* It waits for the renderer, and has sent nothing yet. */
	if (parked->go_on != NULL)
		return;
	device->display->ops->cancel(device->display);
	device->parked = NULL;
	gpu_command_finish(parked, VIRTIO_GPU_RESP_OK_NODATA);
}

void gpu_device_memory_changing(struct gpu_device *device)
{
	finish_flush(device);
	if (device->reshow_requests > 0) {
		device->display->ops->cancel(device->display);
		device->reshow_requests = 0;
	}
	gpu_resource_release_memory(device);
}

void gpu_device_memory_changed(struct gpu_device *device)
{
	gpu_resource_resolve_memory(device);
	gpu_scanout_memory_changed(device);
}
