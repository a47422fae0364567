/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The table of commands, and the way of each from request to answer (virtio 1.3, section 5.7.6.7).
 *
 * The only place that reads a request's fixed part and that writes a response header. What a
 * handler gets is its own copy; the guest can no longer change it.
 */
#include "gpu/command.h"

#include "gpu/internal.h"
#include "util/log.h"

#include <endian.h>
#include <errno.h>

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
	COMMAND(SET_SCANOUT, virtio_gpu_set_scanout, gpu_handle_set_scanout),
	COMMAND(RESOURCE_FLUSH, virtio_gpu_resource_flush, gpu_handle_resource_flush),
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
	COMMAND_3D(TRANSFER_TO_HOST_3D, virtio_gpu_transfer_host_3d,
		gpu_handle_transfer_to_host_3d),
	COMMAND_3D(TRANSFER_FROM_HOST_3D, virtio_gpu_transfer_host_3d,
		gpu_handle_transfer_from_host_3d),
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

	if (found == NULL)
		found = find_in(commands_3d, G_N_ELEMENTS(commands_3d), type);
	return found != NULL ? found : &unknown_command;
}

static const struct gpu_command_type *find_cursor(uint32_t type)
{
	const struct gpu_command_type *found =
		find_in(commands_cursor, G_N_ELEMENTS(commands_cursor), type);

	return found != NULL ? found : &unknown_command;
}

uint32_t gpu_response_from_errno(int error)
{
	switch (error) {
	case 0:
		return VIRTIO_GPU_RESP_OK_NODATA;
	case -ENOMEM:
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	case -EINVAL:
	case -EOVERFLOW:
	case -EFAULT:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	default:
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
}

void gpu_command_log(const struct gpu_command *command, uint32_t resource_id, const char *why)
{
	log_peer("%s: resource %u, context %u: %s", command->type->name, resource_id,
		command->hdr.ctx_id, why);
}

size_t gpu_command_tail_len(const struct gpu_command *command)
{
	size_t out_len = command->request->out_len;

	return out_len > command->type->len ? out_len - command->type->len : 0;
}

int gpu_command_read(struct gpu_command *command, size_t offset, void *buf, size_t len)
{
	struct gpu_request *request = command->request;
	ssize_t done = request->ops->read(request, command->type->len + offset, buf, len);

	return done == (ssize_t)len ? 0 : -EINVAL;
}

int gpu_command_write(struct gpu_command *command, const void *data, size_t len)
{
	struct gpu_request *request = command->request;
	size_t offset = sizeof(struct virtio_gpu_ctrl_hdr) + command->response_len;

	if (request->ops->write(request, offset, data, len) != (ssize_t)len)
		return -ENOSPC;
	command->response_len += len;
	return 0;
}

void gpu_command_answer(struct gpu_command *command)
{
	struct gpu_request *request = command->request;
	bool is_fenced = command->hdr.flags & VIRTIO_GPU_FLAG_FENCE;
	struct virtio_gpu_ctrl_hdr hdr = {.type = htole32(command->response)};
	size_t written_len = sizeof(hdr);

	if (is_fenced) {
		bool has_ring = command->hdr.flags & VIRTIO_GPU_FLAG_INFO_RING_IDX;

		hdr.flags = htole32(command->hdr.flags &
				    (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX));
		hdr.fence_id = htole64(command->hdr.fence_id);
		hdr.ctx_id = htole32(command->hdr.ctx_id);
		hdr.ring_idx = has_ring ? command->hdr.ring_idx : 0;
	}
	if (command->response < VIRTIO_GPU_RESP_ERR_UNSPEC)
		written_len += command->response_len;
	if (request->ops->write(request, 0, &hdr, sizeof(hdr)) != sizeof(hdr))
		written_len = 0;
	request->ops->complete(request, written_len);
	g_slice_free(struct gpu_command, command);
}

static void decide(struct gpu_command *command, uint32_t response)
{
	command->response = response;
	log_debug("%s: context %u, flags 0x%x, fence %" G_GUINT64_FORMAT ": response 0x%x",
		command->type->name, command->hdr.ctx_id, command->hdr.flags,
		(guint64)command->hdr.fence_id, response);
	if ((command->hdr.flags & VIRTIO_GPU_FLAG_FENCE) &&
		gpu_fences_add(command->device->fences, command) == 0)
		return;
	gpu_command_answer(command);
}

void gpu_command_finish(struct gpu_command *command, uint32_t response)
{
	decide(command, response);
}

static struct gpu_command *command_create(struct gpu_device *device, struct gpu_request *request)
{
	struct gpu_command *command = g_slice_new(struct gpu_command);

	command->device = device;
	command->request = request;
	command->type = &unknown_command;
	command->hdr = (struct virtio_gpu_ctrl_hdr){0};
	command->response_len = 0;
	command->go_on = NULL;
	command->link = (GList){0};
	return command;
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

static void dispatch(struct gpu_device *device, struct gpu_request *request,
	const struct gpu_command_type *(*find)(uint32_t type))
{
	struct gpu_command *command = command_create(device, request);
	size_t want = MIN(request->out_len, sizeof(command->args));
	ssize_t have = request->ops->read(request, 0, &command->args, want);
	uint32_t response;

	if (have < (ssize_t)sizeof(command->hdr)) {
		log_peer("a request of %zu bytes is too short for a header", request->out_len);
		decide(command, VIRTIO_GPU_RESP_ERR_UNSPEC);
		return;
	}
	take_header(command);
	command->type = find(command->hdr.type);
	if (command->type->handler == NULL ||
		(command->type->needs_3d && !device->renderer->has_3d)) {
		log_peer("command 0x%x (%s) is not supported here", command->hdr.type,
			command->type->name);
		response = VIRTIO_GPU_RESP_ERR_UNSPEC;
	} else if (have < (ssize_t)command->type->len) {
		gpu_command_log(command, 0, "the request is too short");
		response = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	} else {
		response = command->type->handler(device, command);
	}
	if (response != GPU_PARKED)
		decide(command, response);
}

void gpu_command_dispatch_control(struct gpu_device *device, struct gpu_request *request)
{
	dispatch(device, request, find_control);
}

void gpu_command_dispatch_cursor(struct gpu_device *device, struct gpu_request *request)
{
	dispatch(device, request, find_cursor);
}
