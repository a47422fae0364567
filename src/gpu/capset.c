/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Capability sets (virtio 1.3, section 5.7.6.8, GET_CAPSET_INFO and GET_CAPSET): which there are
 * is the renderer's list, which it filled in when it started.
 */
#include "gpu/capset.h"

#include "gpu/command.h"
#include "gpu/renderer_calls.h"
#include "gpu/state.h"

#include <errno.h>

enum gpu_verdict gpu_handle_get_capset_info(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t index = le32toh(command->args.get_capset_info.capset_index);
	const struct renderer_capset *capset;
	uint32_t info[4] = {0};

	if (index >= device->renderer->capset_count)
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_PARAMETER, "there is no capset of this index");
	capset = &device->renderer->capsets[index];
	info[0] = htole32(capset->id);
	info[1] = htole32(capset->max_version);
	info[2] = htole32(capset->max_size);
	if (gpu_command_write(command, info, sizeof(info)) < 0)
		return GPU_ERR_UNSPEC;
	return GPU_OK_CAPSET_INFO;
}

const struct renderer_capset *gpu_capset_find(const struct renderer *renderer, uint32_t id)
{
	for (unsigned int i = 0; i < renderer->capset_count; i++)
		if (renderer->capsets[i].id == id)
			return &renderer->capsets[i];
	return NULL;
}

enum gpu_verdict gpu_handle_get_capset(struct gpu_device *device, struct gpu_command *command)
{
	struct renderer *renderer = device->renderer;
	uint32_t id = le32toh(command->args.get_capset.capset_id);
	uint32_t version = le32toh(command->args.get_capset.capset_version);
	const struct renderer_capset *capset = gpu_capset_find(renderer, id);
	g_autofree void *data = NULL;
	int ret;

	if (!capset || version > capset->max_version)
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_PARAMETER, "there is no such capset");
	if (capset->max_size > device->limits.max[GPU_LIMIT_CAPSET_LEN])
		return gpu_command_fail(command, 0, gpu_limit_error(GPU_LIMIT_CAPSET_LEN));
	data = g_try_malloc0(capset->max_size);
	if (!data)
		return gpu_command_fail(command, 0, -ENOMEM);
	ret = renderer_calls_get_capset(renderer, id, version, data, capset->max_size);
	if (ret == 0)
		ret = gpu_command_write(command, data, capset->max_size);
	return ret < 0 ? gpu_verdict_from_errno(ret) : GPU_OK_CAPSET;
}
