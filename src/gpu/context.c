/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * 3D contexts: creation, destruction, which resources are attached, command streams (virtio 1.3,
 * section 5.7.6.8, "Operations on contexts").
 */
#include "gpu/context.h"

#include "gpu/capset.h"
#include "gpu/command.h"
#include "gpu/fence.h"
#include "gpu/hostmem.h"
#include "gpu/mapping.h"
#include "gpu/renderer_calls.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/teardown.h"
#include "gpu/wait.h"
#include "util/fd.h"
#include "util/id_table.h"
#include "util/scarce.h"

#include <errno.h>
#include <string.h>

/*
 * A resource in a context. The context finds it by the resource's id, the resource has its own in a
 * list: neither looks through all contexts there are.
 */
struct gpu_attachment {
	struct gpu_context *context;
	struct gpu_tracked_resource *resource;
	LIST_ENTRY(gpu_attachment) link;
};

/*
 * What an attachment takes of the host, bytes, about. Ours are 90 with their place in the table. The
 * library has a place in a table of its context too, or an object in a list, 50 to 80 bytes; for Vulkan
 * it has one in the session's process, and the render server's another one with an object, 170.
 */
#define ATTACHMENT_LEN 256

/* @by_id: id -> struct gpu_context, owned. @submit_buf: kept from command to command. */
struct gpu_contexts {
	GHashTable *by_id;
	void *submit_buf;
	size_t submit_room;
};

struct gpu_contexts *gpu_contexts_create(void)
{
	struct gpu_contexts *contexts = g_new0(struct gpu_contexts, 1);

	contexts->by_id = id_table_new(NULL);
	return contexts;
}

void gpu_contexts_destroy(struct gpu_contexts *contexts)
{
	g_hash_table_destroy(contexts->by_id);
	g_free(contexts->submit_buf);
	g_free(contexts);
}

struct gpu_context *gpu_context_find(struct gpu_device *device, uint32_t id)
{
	return id != 0 ? g_hash_table_lookup(device->contexts->by_id, GUINT_TO_POINTER(id)) : NULL;
}

static void attachment_free(gpointer data)
{
	struct gpu_attachment *attachment = data;

	gpu_hostmem_release(attachment->context->device, ATTACHMENT_LEN);
	LIST_REMOVE(attachment, link);
	g_free(attachment);
}

static void attachment_add(struct gpu_context *context, struct gpu_tracked_resource *resource)
{
	struct gpu_attachment *attachment = g_new(struct gpu_attachment, 1);

	attachment->context = context;
	attachment->resource = resource;
	LIST_INSERT_HEAD(&resource->attachments, attachment, link);
	g_hash_table_insert(context->resources, GUINT_TO_POINTER(resource->base.id), attachment);
}

static struct gpu_context *find_or_log(struct gpu_device *device, struct gpu_command *command)
{
	struct gpu_context *context = gpu_context_find(device, command->hdr.ctx_id);

	if (!context)
		gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_CONTEXT_ID, "there is no such context");
	return context;
}

static void context_detach(struct gpu_device *device, struct gpu_context *context,
	struct gpu_tracked_resource *resource)
{
	if (!g_hash_table_remove(context->resources, GUINT_TO_POINTER(resource->base.id)))
		return;
	if (resource->is_renderers)
		renderer_calls_ctx_detach_resource(device->renderer, context->id, &resource->base);
}

/* More than so many are detached one by one, as a renderer lets go of them all at once. */
#define FEW_ATTACHMENTS 1024

/* Return: whether few are left; false where the turn is over. */
static bool detach_most(struct gpu_device *device, struct gpu_context *context)
{
	GHashTableIter iter;
	gpointer attachment;

	if (g_hash_table_size(context->resources) <= FEW_ATTACHMENTS)
		return true;
	g_hash_table_iter_init(&iter, context->resources);
	while (g_hash_table_iter_next(&iter, NULL, &attachment)) {
		struct gpu_tracked_resource *resource =
			((struct gpu_attachment *)attachment)->resource;

		if (resource->is_renderers)
			renderer_calls_ctx_detach_resource(
				device->renderer, context->id, &resource->base);
		g_hash_table_iter_remove(&iter);
		if (turn_is_over(&device->turn))
			break;
	}
	return g_hash_table_size(context->resources) <= FEW_ATTACHMENTS;
}

int gpu_context_destroy_more(struct gpu_device *device, struct gpu_context *context)
{
	if (!detach_most(device, context))
		return RENDERER_AGAIN;
	renderer_calls_ctx_destroy(device->renderer, context->id);
	gpu_fences_finish_context(device->fences, context->id);
	gpu_mapping_drop_context(device, context->id);
	g_hash_table_remove(device->contexts->by_id, GUINT_TO_POINTER(context->id));
	g_hash_table_destroy(context->resources);
	g_free(context);
	return 0;
}

GList *gpu_context_list(struct gpu_device *device)
{
	return g_hash_table_get_values(device->contexts->by_id);
}

void gpu_context_forget_resource(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct gpu_attachment *attachment;

	while ((attachment = LIST_FIRST(&resource->attachments)))
		context_detach(device, attachment->context, resource);
}

bool gpu_context_has_elsewhere(const struct gpu_tracked_resource *resource, uint32_t ctx_id)
{
	const struct gpu_attachment *attachment;

	/* Ends at the second one at the latest. */
	LIST_FOREACH(attachment, &resource->attachments, link)
	{
		if (attachment->context->id != ctx_id)
			return true;
	}
	return false;
}

static enum gpu_verdict check_new(
	struct gpu_device *device, struct gpu_command *command, uint32_t capset_id)
{
	uint32_t id = command->hdr.ctx_id;

	if (id == 0 || gpu_context_find(device, id))
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_CONTEXT_ID, "the context id is 0 or in use");
	/* 0 is the renderer's default. */
	if (capset_id != 0 && !gpu_capset_find(device->renderer, capset_id))
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_PARAMETER, "the capset is not offered");
	if (g_hash_table_size(device->contexts->by_id) >= device->limits.max[GPU_LIMIT_CONTEXTS])
		return gpu_command_fail(command, 0, gpu_limit_error(GPU_LIMIT_CONTEXTS));
	if (memory_is_scarce())
		return gpu_command_fail(command, 0, gpu_limit_error(GPU_LIMIT_MEMORY));
	/* A context has sockets and processes of its own, where it is Vulkan's. */
	if (fd_is_scarce())
		return gpu_command_refuse(
			command, 0, GPU_ERR_OUT_OF_MEMORY, "descriptors are scarce");
	return GPU_OK;
}

enum gpu_verdict gpu_handle_ctx_create(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_ctx_create *args = &command->args.ctx_create;
	uint32_t capset_id = le32toh(args->context_init) & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK;
	enum gpu_verdict verdict = check_new(device, command, capset_id);
	char name[sizeof(args->debug_name) + 1] = {0};
	struct gpu_context *context;
	int ret;

	if (verdict != GPU_OK)
		return verdict;
	memcpy(name, args->debug_name, MIN(le32toh(args->nlen), sizeof(args->debug_name)));
	ret = renderer_calls_ctx_create(device->renderer, command->hdr.ctx_id, capset_id, name);
	if (ret < 0)
		return gpu_command_fail(command, 0, ret);
	context = g_new0(struct gpu_context, 1);
	context->device = device;
	context->id = command->hdr.ctx_id;
	context->capset_id = capset_id;
	context->resources = id_table_new(attachment_free);
	g_hash_table_insert(device->contexts->by_id, GUINT_TO_POINTER(context->id), context);
	return GPU_OK;
}

enum gpu_verdict gpu_handle_ctx_destroy(struct gpu_device *device, struct gpu_command *command)
{
	struct gpu_context *context = find_or_log(device, command);

	if (!context)
		return GPU_ERR_INVALID_CONTEXT_ID;
	if (gpu_context_destroy_more(device, context) == RENDERER_AGAIN)
		gpu_teardown_context(device, context);
	return GPU_OK;
}

/* Return: 0, RENDERER_AGAIN, a limit's error or the renderer's. */
static int context_attach(struct gpu_device *device, struct gpu_context *context,
	struct gpu_tracked_resource *resource)
{
	int ret = gpu_hostmem_charge(device, ATTACHMENT_LEN);

	if (ret < 0)
		return ret;
	if (resource->is_renderers)
		ret = renderer_calls_ctx_attach_resource(
			device->renderer, context->id, &resource->base);
	if (ret != 0)
		gpu_hostmem_release(device, ATTACHMENT_LEN);
	else
		attachment_add(context, resource);
	return ret;
}

static enum gpu_verdict attach_step(
	struct gpu_command *command, struct gpu_tracked_resource *resource)
{
	struct gpu_device *device = command->device;
	struct gpu_context *context = gpu_context_find(device, command->hdr.ctx_id);
	int ret;

	/* A display that came in between may be sent the image, which goes when it is a texture. */
	if (resource->outputs)
		gpu_waits_cancel(device, GPU_WAIT_DISPLAYS);
	ret = context_attach(device, context, resource);
	return ret == RENDERER_AGAIN ? GPU_AGAIN
				     : gpu_command_fail(command, resource->base.id, ret);
}

enum gpu_verdict gpu_handle_ctx_attach_resource(
	struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.ctx_resource.resource_id);
	struct gpu_context *context = find_or_log(device, command);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!context)
		return GPU_ERR_INVALID_CONTEXT_ID;
	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (g_hash_table_contains(context->resources, GUINT_TO_POINTER(id)))
		return GPU_OK;
	return gpu_steps_run(command, resource, attach_step);
}

enum gpu_verdict gpu_handle_ctx_detach_resource(
	struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.ctx_resource.resource_id);
	struct gpu_context *context = find_or_log(device, command);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!context)
		return GPU_ERR_INVALID_CONTEXT_ID;
	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	context_detach(device, context, resource);
	return GPU_OK;
}

/* Room for a stream: the device's buffer, grown where it is too small. NULL without memory. */
static void *submit_buffer(struct gpu_device *device, size_t len)
{
	if (len > device->contexts->submit_room) {
		g_free(device->contexts->submit_buf);
		device->contexts->submit_buf = g_try_malloc(len);
		device->contexts->submit_room = device->contexts->submit_buf ? len : 0;
	}
	return device->contexts->submit_buf;
}

static enum gpu_verdict submit_step(
	struct gpu_command *command, struct gpu_tracked_resource *nothing)
{
	struct gpu_device *device = command->device;
	int ret = renderer_calls_submit(device->renderer, command->hdr.ctx_id,
		device->contexts->submit_buf, le32toh(command->args.submit.size),
		&command->done_len);

	return ret == RENDERER_AGAIN ? GPU_AGAIN : gpu_command_fail(command, 0, ret);
}

enum gpu_verdict gpu_handle_submit_3d(struct gpu_device *device, struct gpu_command *command)
{
	size_t len = le32toh(command->args.submit.size);
	struct gpu_context *context = find_or_log(device, command);
	void *commands;
	int ret;

	if (!context)
		return GPU_ERR_INVALID_CONTEXT_ID;
	if (len > gpu_command_tail_len(command))
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_PARAMETER, "the size is behind the end");
	if (len == 0)
		return GPU_OK;
	if (len > device->limits.max[GPU_LIMIT_SUBMIT_LEN])
		return gpu_command_fail(command, 0, gpu_limit_error(GPU_LIMIT_SUBMIT_LEN));
	commands = submit_buffer(device, len);
	if (!commands)
		return gpu_command_fail(command, 0, -ENOMEM);
	ret = gpu_command_read(command, 0, commands, len);
	if (ret < 0)
		return gpu_command_fail(command, 0, ret);
	command->done_len = 0;
	return gpu_steps_run(command, NULL, submit_step);
}
