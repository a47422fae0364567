/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * 3D contexts: creation, destruction, which resources are attached, command streams (virtio 1.3,
 * section 5.7.6.8, "Operations on contexts").
 */
#include "gpu/internal.h"

#include <errno.h>
#include <string.h>

struct gpu_context *gpu_context_find(struct gpu_device *device, uint32_t id)
{
	return id != 0 ? g_hash_table_lookup(device->contexts, GUINT_TO_POINTER(id)) : NULL;
}

static struct gpu_context *find_or_log(struct gpu_device *device, struct gpu_command *command)
{
	struct gpu_context *context = gpu_context_find(device, command->hdr.ctx_id);

	if (context == NULL)
		gpu_command_log(command, 0, "there is no such context");
	return context;
}

static void context_destroy(struct gpu_device *device, struct gpu_context *context)
{
	if (device->renderer->ops->ctx_destroy != NULL)
		device->renderer->ops->ctx_destroy(device->renderer, context->id);
	gpu_fences_finish_context(device->fences, context->id);
	gpu_mapping_drop_context(device, context->id);
	g_hash_table_remove(device->contexts, GUINT_TO_POINTER(context->id));
	g_hash_table_destroy(context->resources);
	g_free(context);
}

void gpu_context_destroy_all(struct gpu_device *device)
{
	g_autoptr(GList) all = g_hash_table_get_values(device->contexts);

	for (GList *link = all; link != NULL; link = link->next)
		context_destroy(device, link->data);
}

static void detach(struct gpu_device *device, struct gpu_context *context,
	struct gpu_tracked_resource *resource)
{
	struct renderer *renderer = device->renderer;

	if (!g_hash_table_remove(context->resources, GUINT_TO_POINTER(resource->base.id)))
		return;
	if (resource->is_renderers && renderer->ops->ctx_detach_resource != NULL)
		renderer->ops->ctx_detach_resource(renderer, context->id, &resource->base);
}

void gpu_context_forget_resource(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	GHashTableIter iter;
	gpointer context;

	g_hash_table_iter_init(&iter, device->contexts);
	while (g_hash_table_iter_next(&iter, NULL, &context))
		detach(device, context, resource);
}

static uint32_t check_new(
	struct gpu_device *device, struct gpu_command *command, uint32_t capset_id)
{
	uint32_t id = command->hdr.ctx_id;

	if (id == 0 || gpu_context_find(device, id) != NULL) {
		gpu_command_log(command, 0, "the context id is 0 or in use");
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	}
	/* 0 is the renderer's default. */
	if (capset_id != 0 && gpu_capset_find(device->renderer, capset_id) == NULL) {
		gpu_command_log(command, 0, "the capset is not offered");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (g_hash_table_size(device->contexts) >= device->limits.max_contexts) {
		gpu_command_log(command, 0, "too many contexts");
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return 0;
}

uint32_t gpu_handle_ctx_create(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_ctx_create *args = &command->args.ctx_create;
	uint32_t capset_id = le32toh(args->context_init) & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK;
	uint32_t error = check_new(device, command, capset_id);
	char name[sizeof(args->debug_name) + 1] = {0};
	struct gpu_context *context;
	int ret = 0;

	if (error != 0)
		return error;
	memcpy(name, args->debug_name, MIN(le32toh(args->nlen), sizeof(args->debug_name)));
	if (device->renderer->ops->ctx_create != NULL)
		ret = device->renderer->ops->ctx_create(
			device->renderer, command->hdr.ctx_id, capset_id, name);
	if (ret < 0) {
		gpu_command_log(command, 0, g_strerror(-ret));
		return gpu_response_from_errno(ret);
	}
	context = g_new0(struct gpu_context, 1);
	context->id = command->hdr.ctx_id;
	context->capset_id = capset_id;
	context->resources = g_hash_table_new(g_direct_hash, g_direct_equal);
	g_hash_table_insert(device->contexts, GUINT_TO_POINTER(context->id), context);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t gpu_handle_ctx_destroy(struct gpu_device *device, struct gpu_command *command)
{
	struct gpu_context *context = find_or_log(device, command);

	if (context == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	context_destroy(device, context);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t gpu_handle_ctx_attach_resource(struct gpu_device *device, struct gpu_command *command)
{
	struct renderer *renderer = device->renderer;
	uint32_t id = le32toh(command->args.ctx_resource.resource_id);
	struct gpu_context *context = find_or_log(device, command);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);
	int ret = 0;

	if (context == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (g_hash_table_contains(context->resources, GUINT_TO_POINTER(id)))
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (resource->is_renderers && renderer->ops->ctx_attach_resource != NULL)
		ret = renderer->ops->ctx_attach_resource(renderer, context->id, &resource->base);
	if (ret == 0)
		g_hash_table_add(context->resources, GUINT_TO_POINTER(id));
	return gpu_response_from_errno(ret);
}

uint32_t gpu_handle_ctx_detach_resource(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.ctx_resource.resource_id);
	struct gpu_context *context = find_or_log(device, command);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (context == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	detach(device, context, resource);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Room for a stream: the device's buffer, grown where it is too small. NULL without memory. */
static void *submit_buffer(struct gpu_device *device, size_t len)
{
	if (len > device->submit_room) {
		g_free(device->submit_buf);
		device->submit_buf = g_try_malloc(len);
		device->submit_room = device->submit_buf != NULL ? len : 0;
	}
	return device->submit_buf;
}

uint32_t gpu_handle_submit_3d(struct gpu_device *device, struct gpu_command *command)
{
	struct renderer *renderer = device->renderer;
	size_t len = le32toh(command->args.submit.size);
	struct gpu_context *context = find_or_log(device, command);
	void *commands;
	int ret;

	if (context == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (len % 4 != 0 || len > gpu_command_tail_len(command)) {
		gpu_command_log(command, 0, "the size is not a multiple of 4, or behind the end");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (len == 0 || renderer->ops->submit == NULL)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (len > device->limits.max_submit_len)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	commands = submit_buffer(device, len);
	if (commands == NULL)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	ret = gpu_command_read(command, 0, commands, len);
	if (ret == 0)
		ret = renderer->ops->submit(renderer, context->id, commands, len);
	if (ret < 0)
		gpu_command_log(command, 0, g_strerror(-ret));
	return gpu_response_from_errno(ret);
}
