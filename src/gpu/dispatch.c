/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The table of commands, and the way of a request to its handler (virtio 1.3, section 5.7.6.7).
 *
 * The only place that reads a request's fixed part. What a handler gets is its own copy; the guest
 * can no longer change it.
 */
#include "gpu/dispatch.h"

#include "gpu/blob.h"
#include "gpu/capset.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/cursor.h"
#include "gpu/display_info.h"
#include "gpu/flush.h"
#include "gpu/mapping.h"
#include "gpu/resource.h"
#include "gpu/scanout.h"
#include "gpu/state.h"
#include "gpu/transfer.h"
#include "util/log.h"

#include <endian.h>

/* A row; what follows the handler is more members of struct gpu_command_type. */
#define COMMAND(name_, struct_, handler_, ...)                                                     \
	{                                                                                          \
		.name = #name_, .type = VIRTIO_GPU_CMD_##name_, .len = sizeof(struct struct_),     \
		.handler = (handler_), __VA_ARGS__                                                 \
	}

#define COMMAND_3D(name_, struct_, handler_) COMMAND(name_, struct_, handler_, .needs_3d = true)

/* clang-format off */
/* Commands of one queue, in blocks of consecutive numbers as the specification has them. */
static const struct gpu_command_type commands_2d[] = {
	COMMAND(GET_DISPLAY_INFO, virtio_gpu_ctrl_hdr, gpu_handle_get_display_info),
	COMMAND(RESOURCE_CREATE_2D, virtio_gpu_resource_create_2d, gpu_handle_resource_create_2d),
	COMMAND(RESOURCE_UNREF, virtio_gpu_resource_unref, gpu_handle_resource_unref),
	COMMAND(SET_SCANOUT, virtio_gpu_set_scanout, gpu_handle_set_scanout,
		.keeps_put_off = true),
	COMMAND(RESOURCE_FLUSH, virtio_gpu_resource_flush, gpu_handle_resource_flush,
		.keeps_put_off = true),
	COMMAND(TRANSFER_TO_HOST_2D, virtio_gpu_transfer_to_host_2d,
		gpu_handle_transfer_to_host_2d),
	COMMAND(RESOURCE_ATTACH_BACKING, virtio_gpu_resource_attach_backing,
		gpu_handle_resource_attach_backing),
	COMMAND(RESOURCE_DETACH_BACKING, virtio_gpu_resource_detach_backing,
		gpu_handle_resource_detach_backing),
	COMMAND_3D(GET_CAPSET_INFO, virtio_gpu_get_capset_info, gpu_handle_get_capset_info),
	COMMAND_3D(GET_CAPSET, virtio_gpu_get_capset, gpu_handle_get_capset),
	COMMAND(GET_EDID, virtio_gpu_cmd_get_edid, gpu_handle_get_edid),
	COMMAND(RESOURCE_ASSIGN_UUID, virtio_gpu_resource_assign_uuid,
		gpu_handle_resource_assign_uuid),
	COMMAND(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob,
		gpu_handle_resource_create_blob),
	COMMAND(SET_SCANOUT_BLOB, virtio_gpu_set_scanout_blob, gpu_handle_set_scanout_blob),
};

static const struct gpu_command_type commands_3d[] = {
	COMMAND_3D(CTX_CREATE, virtio_gpu_ctx_create, gpu_handle_ctx_create),
	COMMAND_3D(CTX_DESTROY, virtio_gpu_ctx_destroy, gpu_handle_ctx_destroy),
	COMMAND_3D(CTX_ATTACH_RESOURCE, virtio_gpu_ctx_resource, gpu_handle_ctx_attach_resource),
	COMMAND_3D(CTX_DETACH_RESOURCE, virtio_gpu_ctx_resource, gpu_handle_ctx_detach_resource),
	COMMAND_3D(RESOURCE_CREATE_3D, virtio_gpu_resource_create_3d,
		gpu_handle_resource_create_3d),
	COMMAND_3D(TRANSFER_TO_HOST_3D, virtio_gpu_transfer_host_3d, gpu_handle_transfer_3d),
	COMMAND_3D(TRANSFER_FROM_HOST_3D, virtio_gpu_transfer_host_3d, gpu_handle_transfer_3d),
	COMMAND_3D(SUBMIT_3D, virtio_gpu_cmd_submit, gpu_handle_submit_3d),
	COMMAND(RESOURCE_MAP_BLOB, virtio_gpu_resource_map_blob, gpu_handle_resource_map_blob),
	COMMAND(RESOURCE_UNMAP_BLOB, virtio_gpu_resource_unmap_blob,
		gpu_handle_resource_unmap_blob),
};
/* clang-format on */

static const struct gpu_command_type commands_cursor[] = {
	COMMAND(UPDATE_CURSOR, virtio_gpu_update_cursor, gpu_handle_update_cursor),
	COMMAND(MOVE_CURSOR, virtio_gpu_update_cursor, gpu_handle_move_cursor),
};

/* What stands for a number that no table has. */
static const struct gpu_command_type unknown_command = {
	.name = "unknown",
	.len = sizeof(struct virtio_gpu_ctrl_hdr),
};

static const struct gpu_command_type *find_in(
	const struct gpu_command_type *types, size_t count, uint32_t type)
{
	return type >= types[0].type && type - types[0].type < count ? &types[type - types[0].type]
								     : NULL;
}

static const struct gpu_command_type *find_control(uint32_t type)
{
	const struct gpu_command_type *found =
		find_in(commands_2d, G_N_ELEMENTS(commands_2d), type);

	if (!found)
		found = find_in(commands_3d, G_N_ELEMENTS(commands_3d), type);
	return found ? found : &unknown_command;
}

static const struct gpu_command_type *find_cursor(uint32_t type)
{
	const struct gpu_command_type *found =
		find_in(commands_cursor, G_N_ELEMENTS(commands_cursor), type);

	return found ? found : &unknown_command;
}

/* The first bytes of @args are the header: all request structures begin with it. */
static void take_header(struct gpu_command *command)
{
	const struct virtio_gpu_ctrl_hdr *guest = &command->args.flush.hdr;

	command->hdr.type = le32toh(guest->type);
	command->hdr.flags = le32toh(guest->flags);
	command->hdr.fence_id = le64toh(guest->fence_id);
	command->hdr.ctx_id = le32toh(guest->ctx_id);
	command->hdr.ring_idx = guest->ring_idx;
}

/* @have: bytes of the fixed part that were there. */
static enum gpu_verdict call_handler(
	struct gpu_device *device, struct gpu_command *command, size_t have)
{
	const struct gpu_command_type *type = command->type;

	if (!type->handler || (type->needs_3d && !device->renderer->has_3d)) {
		log_peer("command 0x%x (%s) is not supported here", command->hdr.type, type->name);
		return GPU_ERR_UNSPEC;
	}
	if (have < type->len)
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_PARAMETER, "the request is too short");
	return type->handler(device, command);
}

static void dispatch_request(struct gpu_device *device, struct gpu_request *request,
	const struct gpu_command_type *(*find)(uint32_t type))
{
	struct gpu_command *command = gpu_command_create(device, request);
	size_t want = MIN(request->out_len, sizeof(command->args));
	ssize_t have = request->ops->read(request, 0, &command->args, want);
	enum gpu_verdict verdict;

	turn_begin(&device->turn);
	command->type = &unknown_command;
	if (have < (ssize_t)sizeof(command->hdr)) {
		log_peer("a request of %zu bytes is too short for a header", request->out_len);
		gpu_transfer_settle(device);
		gpu_command_finish(command, GPU_ERR_UNSPEC);
		return;
	}
	take_header(command);
	command->type = find(command->hdr.type);
	if (!command->type->keeps_put_off)
		gpu_transfer_settle(device);
	verdict = call_handler(device, command, have);
	/* A fence says that all commands before it are done; and behind the last one nobody comes. */
	if (command->hdr.flags & VIRTIO_GPU_FLAG_FENCE || !request->has_next)
		gpu_transfer_settle(device);
	if (verdict != GPU_WAITS)
		gpu_command_finish(command, verdict);
}

void gpu_dispatch_control(struct gpu_device *device, struct gpu_request *request)
{
	dispatch_request(device, request, find_control);
}

void gpu_dispatch_cursor(struct gpu_device *device, struct gpu_request *request)
{
	dispatch_request(device, request, find_cursor);
}
