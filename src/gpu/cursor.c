/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The cursor queue: UPDATE_CURSOR and MOVE_CURSOR (virtio 1.3, section 5.7.6.10).
 *
 * The display's cursor is always 64 x 64; a smaller image stands in its upper left corner, the
 * rest is transparent. Nothing here waits, so this queue goes on while the control queue is held.
 */
#include "gpu/cursor.h"

#include "gpu/command.h"
#include "gpu/output.h"
#include "gpu/pixels.h"
#include "gpu/resource.h"
#include "gpu/state.h"

#include <string.h>

/* Reads the cursor's picture into @image. Return: GPU_OK or an error. */
static enum gpu_verdict read_image(
	struct gpu_device *device, struct gpu_command *command, uint32_t id, uint32_t *image)
{
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);
	struct gpu_framebuffer framebuffer;
	struct gpu_buffer staging = {0};
	struct display_pixels pixels;
	struct gpu_rect rect = {0};
	const char *why;
	int ret;

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	why = gpu_framebuffer_of_cursor(resource, &framebuffer);
	if (why)
		return gpu_command_refuse(command, id, GPU_ERR_INVALID_PARAMETER, why);
	rect.width = framebuffer.width;
	rect.height = framebuffer.height;
	ret = gpu_pixels_get(device, &framebuffer, &rect, PIXMAN_a8r8g8b8, &staging, &pixels);
	for (uint32_t y = 0; ret == 0 && y < rect.height; y++)
		memcpy(image + (size_t)y * DISPLAY_CURSOR_SIZE,
			(const uint8_t *)pixels.data + y * pixels.stride, (size_t)rect.width * 4);
	gpu_buffer_finish(device, &staging);
	return gpu_command_fail(command, id, ret);
}

static bool take_cursor(const struct gpu_command *command, struct display_cursor *cursor)
{
	const struct virtio_gpu_update_cursor *args = &command->args.update_cursor;

	*cursor = (struct display_cursor){
		.scanout_id = le32toh(args->pos.scanout_id),
		.x = le32toh(args->pos.x),
		.y = le32toh(args->pos.y),
		.hot_x = le32toh(args->hot_x),
		.hot_y = le32toh(args->hot_y),
	};
	return cursor->scanout_id < GPU_OUTPUT_COUNT;
}

enum gpu_verdict gpu_handle_update_cursor(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t image[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE] = {0};
	uint32_t id = le32toh(command->args.update_cursor.resource_id);
	struct display_cursor cursor;
	enum gpu_verdict verdict = GPU_OK;

	if (!take_cursor(command, &cursor))
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_SCANOUT_ID, "there is no such scanout");
	if (id != 0)
		verdict = read_image(device, command, id, image);
	if (verdict == GPU_OK)
		gpu_outputs_update_cursor(device->outputs, &cursor, id != 0 ? image : NULL);
	return verdict;
}

enum gpu_verdict gpu_handle_move_cursor(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.update_cursor.resource_id);
	struct display_cursor cursor;

	if (!take_cursor(command, &cursor))
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_SCANOUT_ID, "there is no such scanout");
	if (id == 0)
		gpu_outputs_update_cursor(device->outputs, &cursor, NULL);
	else
		gpu_outputs_move_cursor(device->outputs, &cursor);
	return GPU_OK;
}
