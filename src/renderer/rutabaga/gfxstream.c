/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands of gfxstream's contexts. What Vulkan and OpenGL ES are asked to do goes through a ring in
 * a blob, which gfxstream's threads read; only what a command to the device can do passes here. A
 * command is one structure, which the library reads whole however short it is. The names are those
 * of gfxstream's virtgpu_gfxstream_protocol.h.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/log.h"

#include <string.h>

#define COMMAND_LEN 64 /* more than the longest */

/* The ring and the buffer behind it, as gfxstream's capsets have their sizes. */
#define MIN_STREAM_LEN (12288 + 1048576)

#define MAX_ANNOUNCED_IMAGES 65536

enum gfxstream_command {
	GFXSTREAM_CONTEXT_CREATE = 0x1001,
	GFXSTREAM_CONTEXT_PING = 0x1002,
	GFXSTREAM_CONTEXT_PING_WITH_RESPONSE = 0x1003,
	GFXSTREAM_CREATE_EXPORT_SYNC = 0x9000,
	GFXSTREAM_CREATE_EXPORT_SYNC_VK = 0xa000,
	GFXSTREAM_CREATE_IMPORT_SYNC_VK = 0xa001,
	GFXSTREAM_CREATE_QSRI_EXPORT_VK = 0xa002,
	GFXSTREAM_RESOURCE_CREATE_3D = 0xa003,
	GFXSTREAM_ACQUIRE_SYNC = 0xa004,
	GFXSTREAM_PLACEHOLDER_COMMAND_VK = 0xf002,
};

struct context_command {
	uint32_t command;
	uint32_t resource_id;
};

struct resource_create_3d {
	uint32_t command;
	uint32_t target;
	uint32_t format;
	uint32_t bind;
	uint32_t width;
	uint32_t height;
	uint32_t depth;
	uint32_t array_size;
	uint32_t last_level;
	uint32_t nr_samples;
	uint32_t flags;
	uint32_t padding;
	uint64_t blob_id;
};

/* A command, with zeroes behind a short one. */
union gfxstream_request {
	uint32_t command;
	struct context_command context;
	struct resource_create_3d create_3d;
	uint8_t bytes[COMMAND_LEN];
};

/* The thread that reads a stream has to end before there can be another one for the same blob. */
static const char *check_create(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, const struct context_command *command)
{
	const gpointer id = GUINT_TO_POINTER(command->resource_id);
	struct gpu_resource *resource = g_hash_table_lookup(rutabaga->resources, id);
	struct rutabaga_resource *data = resource ? resource->renderer_data : NULL;

	if (!resource || !g_hash_table_contains(context->resources, id))
		return "its ring is no resource of the context";
	if (resource->kind != GPU_RESOURCE_BLOB ||
		resource->blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST || resource->blob.id != 0 ||
		resource->blob.size < MIN_STREAM_LEN)
		return "its ring is no host blob of the right size";
	if (data->has_stream)
		return "its ring is in use";
	data->has_stream = true;
	return NULL;
}

static const char *check_image(
	struct rutabaga_context *context, const struct resource_create_3d *command)
{
	const struct rutabaga_image image = {command->format, command->width, command->height};
	unsigned int bytes_per_pixel;
	uint64_t len;

	/* The library takes the lower half of the id. */
	if (command->blob_id == 0 || command->blob_id > UINT32_MAX)
		return "its blob's id is not possible";
	if (!renderer_rutabaga_image_len(&image, &bytes_per_pixel, &len))
		return "its format or its size is not possible";
	if (g_hash_table_size(context->images) >= MAX_ANNOUNCED_IMAGES)
		return "too many images are announced";
	g_hash_table_insert(context->images, GUINT_TO_POINTER((uint32_t)command->blob_id),
		g_memdup2(&image, sizeof(image)));
	return NULL;
}

/* Return: why the command is refused, or NULL. */
static const char *check_command(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, const union gfxstream_request *request)
{
	switch (request->command) {
	case GFXSTREAM_CONTEXT_CREATE:
		return check_create(rutabaga, context, &request->context);
	case GFXSTREAM_RESOURCE_CREATE_3D:
		return check_image(context, &request->create_3d);
	case GFXSTREAM_CONTEXT_PING:
	case GFXSTREAM_CONTEXT_PING_WITH_RESPONSE:
	case GFXSTREAM_CREATE_EXPORT_SYNC:
	case GFXSTREAM_CREATE_EXPORT_SYNC_VK:
	case GFXSTREAM_CREATE_IMPORT_SYNC_VK:
	case GFXSTREAM_CREATE_QSRI_EXPORT_VK:
	case GFXSTREAM_ACQUIRE_SYNC:
	case GFXSTREAM_PLACEHOLDER_COMMAND_VK:
		return NULL;
	default:
		return "it is not known";
	}
}

int renderer_rutabaga_gfxstream_submit(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, uint8_t *commands, size_t len)
{
	union gfxstream_request request = {.bytes = {0}};
	struct rutabaga_command command = {
		.ctx_id = context->id,
		.cmd_size = (uint32_t)len,
		.cmd = len < sizeof(request) ? request.bytes : commands,
	};
	const char *why;

#ifndef HAVE_RUTABAGA_FEATURES
	uint64_t no_fence = 0;

	command.fence_ids = &no_fence;
#endif
	memcpy(request.bytes, commands, MIN(len, sizeof(request)));
	why = check_command(rutabaga, context, &request);
	if (why) {
		log_peer("gfxstream: context %u: command %#x: %s", context->id, request.command,
			why);
		return -EINVAL;
	}
	return renderer_rutabaga_errno(rutabaga_submit_command(rutabaga->rutabaga, &command));
}
