/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The cursor queue: UPDATE_CURSOR and MOVE_CURSOR (virtio 1.3, section 5.7.6.10).
 *
 * The display's cursor is always 64 x 64; a smaller image stands in its upper left corner, the
 * rest is transparent. Nothing here waits, so this queue goes on while the control queue is
 * parked.
 */
#include "gpu/format.h"
#include "gpu/internal.h"

#include <string.h>

/* A blob has no size and no format; as a cursor it is 64 x 64 pixels from its start on. */
static bool take_blob(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	if (resource->base.kind != GPU_RESOURCE_BLOB ||
		resource->base.blob.size < (uint64_t)DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE * 4)
		return false;
	*ret_framebuffer = (struct gpu_framebuffer){
		.resource = resource,
		.format = gpu_format_find_2d(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM),
		.width = DISPLAY_CURSOR_SIZE,
		.height = DISPLAY_CURSOR_SIZE,
		.stride = DISPLAY_CURSOR_SIZE * 4,
	};
	return true;
}

/* Reads the cursor's image into @image. Return: 0 or a response code. */
static uint32_t read_image(
	struct gpu_device *device, struct gpu_command *command, uint32_t id, uint32_t *image)
{
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);
	struct gpu_framebuffer framebuffer;
	struct gpu_rect rect = {0};
	struct display_pixels pixels;
	int ret;

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!gpu_framebuffer_of(resource, &framebuffer) && !take_blob(resource, &framebuffer)) {
		gpu_command_log(command, id, "this resource cannot be a cursor");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	rect.width = framebuffer.width;
	rect.height = framebuffer.height;
	if (rect.width == 0 || rect.width > DISPLAY_CURSOR_SIZE || rect.height == 0 ||
		rect.height > DISPLAY_CURSOR_SIZE) {
		gpu_command_log(command, id, "a cursor has at most 64 x 64 pixels");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	ret = gpu_pixels_get(
		device, &framebuffer, &rect, PIXMAN_a8r8g8b8, &device->cursor_staging, &pixels);
	if (ret < 0)
		return gpu_response_from_errno(ret);
	for (uint32_t y = 0; y < rect.height; y++)
		memcpy(image + y * DISPLAY_CURSOR_SIZE,
			(const uint8_t *)pixels.data + y * pixels.stride, rect.width * 4);
	return 0;
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
	return cursor->scanout_id < GPU_SCANOUT_COUNT;
}

uint32_t gpu_handle_update_cursor(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t image[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE] = {0};
	uint32_t id = le32toh(command->args.update_cursor.resource_id);
	struct display_cursor cursor;
	uint32_t error;

	if (!take_cursor(command, &cursor)) {
		gpu_command_log(command, id, "there is no such scanout");
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	}
	if (id == 0) {
		if (device->display != NULL)
			device->display->ops->cursor_hide(device->display, &cursor);
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	error = read_image(device, command, id, image);
	if (error != 0)
		return error;
	if (device->display != NULL)
		device->display->ops->cursor_update(device->display, &cursor, image);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t gpu_handle_move_cursor(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.update_cursor.resource_id);
	struct display_cursor cursor;

	if (!take_cursor(command, &cursor)) {
		gpu_command_log(command, id, "there is no such scanout");
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	}
	if (device->display == NULL)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (id == 0)
		device->display->ops->cursor_hide(device->display, &cursor);
	else
		device->display->ops->cursor_move(device->display, &cursor);
	return VIRTIO_GPU_RESP_OK_NODATA;
}
