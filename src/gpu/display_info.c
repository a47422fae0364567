/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * GET_DISPLAY_INFO and GET_EDID (virtio 1.3, section 5.7.6.8): passed on to a display, whose answer
 * may take its time.
 */
#include "gpu/display_info.h"

#include "gpu/command.h"
#include "gpu/display.h"
#include "gpu/output.h"
#include "gpu/state.h"
#include "gpu/wait.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Writes what follows the header of a response structure. */
static int write_body(struct gpu_command *command, const void *response, size_t len)
{
	const size_t hdr_len = sizeof(struct virtio_gpu_ctrl_hdr);

	return gpu_command_write(command, (const uint8_t *)response + hdr_len, len - hdr_len);
}

static void outputs_arrived(void *opaque, int error, const struct display_outputs *outputs)
{
	struct virtio_gpu_resp_display_info info = {0};
	struct gpu_wait *wait = opaque;

	for (unsigned int i = 0; error == 0 && i < DISPLAY_MAX_OUTPUTS; i++) {
		const struct display_output *output = &outputs->output[i];

		info.pmodes[i].r.x = htole32(output->rect.x);
		info.pmodes[i].r.y = htole32(output->rect.y);
		info.pmodes[i].r.width = htole32(output->rect.width);
		info.pmodes[i].r.height = htole32(output->rect.height);
		info.pmodes[i].enabled = htole32(output->connected);
		info.pmodes[i].flags = htole32(output->flags);
	}
	if (error == 0)
		error = write_body(wait->command, &info, sizeof(info));
	gpu_wait_arrived_last(wait, error);
}

static void edid_arrived(void *opaque, int error, const struct display_edid *edid)
{
	struct virtio_gpu_resp_edid response = {0};
	struct gpu_wait *wait = opaque;

	if (error == 0) {
		response.size = htole32(edid->len);
		memcpy(response.edid, edid->data, MIN(edid->len, sizeof(response.edid)));
		error = write_body(wait->command, &response, sizeof(response));
	}
	gpu_wait_arrived_last(wait, error);
}

static enum gpu_verdict outputs_done(struct gpu_wait *wait)
{
	return wait->error < 0 ? gpu_verdict_from_errno(wait->error) : GPU_OK_DISPLAY_INFO;
}

static enum gpu_verdict edid_done(struct gpu_wait *wait)
{
	return wait->error < 0 ? gpu_verdict_from_errno(wait->error) : GPU_OK_EDID;
}

static enum gpu_verdict question_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	return reason == GPU_WAIT_MEMORY ? GPU_WAITS : GPU_ERR_UNSPEC;
}

static const struct gpu_wait_ops outputs_ops = {
	.holds_queue = true,
	.done = outputs_done,
	.cancel = question_cancel,
};

static const struct gpu_wait_ops edid_ops = {
	.holds_queue = true,
	.done = edid_done,
	.cancel = question_cancel,
};

/* @ret: of the display's hook. */
static enum gpu_verdict wait_for_answer(struct gpu_wait *wait, int ret)
{
	if (ret == DISPLAY_PENDING)
		gpu_wait_add(wait);
	else
		gpu_wait_fail(wait, ret < 0 ? ret : -EIO);
	return gpu_wait_go(wait);
}

enum gpu_verdict gpu_handle_get_display_info(struct gpu_device *device, struct gpu_command *command)
{
	struct display *display = gpu_outputs_get_answerer(device->outputs);

	if (!display)
		return gpu_command_refuse(command, 0, GPU_ERR_UNSPEC, "there is no display");
	gpu_wait_begin(&command->wait, &outputs_ops, NULL);
	return wait_for_answer(&command->wait,
		display->ops->get_outputs(display, outputs_arrived, &command->wait));
}

enum gpu_verdict gpu_handle_get_edid(struct gpu_device *device, struct gpu_command *command)
{
	struct display *display = gpu_outputs_get_answerer(device->outputs);
	uint32_t scanout_id = le32toh(command->args.get_edid.scanout);

	if (scanout_id >= GPU_OUTPUT_COUNT)
		return gpu_command_refuse(
			command, 0, GPU_ERR_INVALID_SCANOUT_ID, "there is no such scanout");
	if (!display)
		return gpu_command_refuse(command, 0, GPU_ERR_UNSPEC, "there is no display");
	gpu_wait_begin(&command->wait, &edid_ops, NULL);
	return wait_for_answer(&command->wait,
		display->ops->get_edid(display, scanout_id, edid_arrived, &command->wait));
}
