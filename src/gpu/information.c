/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * GET_DISPLAY_INFO and GET_EDID (virtio 1.3, section 5.7.6.8): passed on to the display, whose
 * answer may take its time; the command is parked until then.
 */
#include "gpu/internal.h"

#include <errno.h>

/* Writes what follows the header of a response structure that a display gave. */
static uint32_t pass_on(
	struct gpu_command *command, uint32_t response, int error, const void *data, size_t len)
{
	const size_t hdr_len = sizeof(struct virtio_gpu_ctrl_hdr);

	if (error < 0)
		return gpu_response_from_errno(error);
	if (gpu_command_write(command, (const uint8_t *)data + hdr_len, len - hdr_len) < 0)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return response;
}

static void resume(struct gpu_device *device, struct gpu_command *command, uint32_t response)
{
	gpu_command_finish(command, response);
	device->events->resumed(device->events_opaque);
}

static void display_info_done(void *opaque, int error, const void *data, size_t len)
{
	struct gpu_device *device = opaque;
	struct gpu_command *command = gpu_device_unpark(device);

	resume(device, command,
		pass_on(command, VIRTIO_GPU_RESP_OK_DISPLAY_INFO, error, data, len));
}

static void edid_done(void *opaque, int error, const void *data, size_t len)
{
	struct gpu_device *device = opaque;
	struct gpu_command *command = gpu_device_unpark(device);

	resume(device, command, pass_on(command, VIRTIO_GPU_RESP_OK_EDID, error, data, len));
}

uint32_t gpu_handle_get_display_info(struct gpu_device *device, struct gpu_command *command)
{
	int ret =
		device->display->ops->get_display_info(device->display, display_info_done, device);

	if (ret < 0)
		return gpu_response_from_errno(ret);
	gpu_device_park(device, command, 1);
	return GPU_PARKED;
}

uint32_t gpu_handle_get_edid(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t scanout_id = le32toh(command->args.get_edid.scanout);
	int ret;

	if (scanout_id >= GPU_SCANOUT_COUNT) {
		gpu_command_log(command, 0, "there is no such scanout");
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	}
	ret = device->display->ops->get_edid(device->display, scanout_id, edid_done, device);
	if (ret < 0)
		return gpu_response_from_errno(ret);
	gpu_device_park(device, command, 1);
	return GPU_PARKED;
}
