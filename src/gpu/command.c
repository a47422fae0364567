/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * One command: its request's bytes, its verdict, its answer (virtio 1.3, section 5.7.6.7). The only
 * place that writes a response header.
 */
#include "gpu/command.h"

#include "gpu/fence.h"
#include "gpu/state.h"
#include "util/log.h"

#include <endian.h>
#include <errno.h>

enum gpu_verdict gpu_verdict_from_errno(int error)
{
	if (gpu_limit_of_error(error))
		return GPU_ERR_OUT_OF_MEMORY;
	switch (error) {
	case 0:
		return GPU_OK;
	case -ENOMEM:
		return GPU_ERR_OUT_OF_MEMORY;
	case -EINVAL:
	case -EOVERFLOW:
	case -EFAULT:
		return GPU_ERR_INVALID_PARAMETER;
	default:
		return GPU_ERR_UNSPEC;
	}
}

struct gpu_command *gpu_command_create(struct gpu_device *device, struct gpu_request *request)
{
	struct gpu_command *command = pool_take(&device->commands);

	command->device = device;
	command->request = request;
	command->hdr = (struct virtio_gpu_ctrl_hdr){0};
	command->response_len = 0;
	command->is_decided = false;
	command->wait = (struct gpu_wait){.device = device, .command = command};
	command->steps = (struct gpu_steps){0};
	return command;
}

enum gpu_verdict gpu_command_refuse(const struct gpu_command *command, uint32_t resource_id,
	enum gpu_verdict verdict, const char *why)
{
	log_peer("%s: resource %u, context %u: %s", command->type->name, resource_id,
		command->hdr.ctx_id, why);
	return verdict;
}

/* One line for each limit, which other lines do not crowd out. */
static void log_limit(
	const struct gpu_command *command, uint32_t resource_id, const struct gpu_limit_row *limit)
{
	static struct log_limit said[GPU_LIMIT_COUNT];

	log_with_limit(&said[limit - gpu_limit_rows],
		"%s: resource %u, context %u: the guest reached its limit (--%s)",
		command->type->name, resource_id, command->hdr.ctx_id, limit->option);
}

enum gpu_verdict gpu_command_fail(
	const struct gpu_command *command, uint32_t resource_id, int error)
{
	const struct gpu_limit_row *limit = gpu_limit_of_error(error);

	if (error == 0)
		return GPU_OK;
	if (limit) {
		log_limit(command, resource_id, limit);
		return gpu_verdict_from_errno(error);
	}
	return gpu_command_refuse(
		command, resource_id, gpu_verdict_from_errno(error), g_strerror(-error));
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

static void command_answer(struct gpu_command *command)
{
	struct gpu_request *request = command->request;
	bool is_fenced = command->hdr.flags & VIRTIO_GPU_FLAG_FENCE;
	struct virtio_gpu_ctrl_hdr hdr = {.type = htole32(command->verdict)};
	size_t written_len = sizeof(hdr);

	if (is_fenced) {
		bool has_ring = command->hdr.flags & VIRTIO_GPU_FLAG_INFO_RING_IDX;

		hdr.flags = htole32(command->hdr.flags &
				    (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX));
		hdr.fence_id = htole64(command->hdr.fence_id);
		hdr.ctx_id = htole32(command->hdr.ctx_id);
		hdr.ring_idx = has_ring ? command->hdr.ring_idx : 0;
	}
	if (command->verdict < GPU_ERR_UNSPEC)
		written_len += command->response_len;
	if (request->ops->write(request, 0, &hdr, sizeof(hdr)) != sizeof(hdr))
		written_len = 0;
	request->ops->complete(request, written_len);
	pool_put(&command->device->commands, command);
}

void gpu_command_finish(struct gpu_command *command, enum gpu_verdict verdict)
{
	if (!command->is_decided) {
		command->is_decided = true;
		command->verdict = verdict;
		log_debug("%s: context %u, flags 0x%x, fence %" G_GUINT64_FORMAT ": response 0x%x",
			command->type->name, command->hdr.ctx_id, command->hdr.flags,
			(guint64)command->hdr.fence_id, verdict);
		if ((command->hdr.flags & VIRTIO_GPU_FLAG_FENCE) &&
			gpu_fences_hold(command->device->fences, command) == GPU_WAITS)
			return;
	}
	command_answer(command);
}
