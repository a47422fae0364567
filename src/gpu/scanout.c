/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Scanouts: SET_SCANOUT and RESOURCE_FLUSH (virtio 1.3, section 5.7.6.8).
 *
 * Theory of operation. SET_SCANOUT only remembers which part of which resource an output shows,
 * and tells the display the size (or hands it a dma-buf, where the renderer can export one and the
 * display takes it). Pixels move at RESOURCE_FLUSH: for each output that shows the resource, the
 * damaged rectangle is cut to the part that is shown and sent. The flush is answered when the
 * display has taken all of it; if the display cannot do that at once the command is parked, which
 * also keeps the guest from drawing into an image that is being sent.
 *
 * Who reads a dma-buf does not know when the renderer has drawn into it (some drivers tell nobody,
 * and some draw only when asked), so the flush of one waits for that before the display hears of
 * it.
 *
 * The display is told a size only when it changes. A front-end starts a new picture at each such
 * message, and a guest that flips between buffers with damage clips flushes only what differs
 * from the picture before.
 */
#include "gpu/format.h"
#include "gpu/internal.h"
#include "util/log.h"

#include <errno.h>

struct gpu_rect gpu_rect_from_guest(const struct virtio_gpu_rect *rect)
{
	return (struct gpu_rect){
		.x = le32toh(rect->x),
		.y = le32toh(rect->y),
		.width = le32toh(rect->width),
		.height = le32toh(rect->height),
	};
}

bool gpu_rect_is_inside(const struct gpu_rect *rect, uint32_t width, uint32_t height)
{
	return rect->x <= width && rect->width <= width - rect->x && rect->y <= height &&
	       rect->height <= height - rect->y;
}

/* The part that [a, a + a_len) and [b, b + b_len) share. */
static bool intersect(
	uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len, uint32_t *ret, uint32_t *ret_len)
{
	uint32_t start = MAX(a, b);
	uint64_t end = MIN((uint64_t)a + a_len, (uint64_t)b + b_len);

	if (end <= start)
		return false;
	*ret = start;
	*ret_len = end - start;
	return true;
}

bool gpu_rect_intersect(
	const struct gpu_rect *a, const struct gpu_rect *b, struct gpu_rect *ret_rect)
{
	return intersect(a->x, a->width, b->x, b->width, &ret_rect->x, &ret_rect->width) &&
	       intersect(a->y, a->height, b->y, b->height, &ret_rect->y, &ret_rect->height);
}

static int export_dmabuf(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	struct renderer_dmabuf *ret_dmabuf)
{
	struct gpu_resource *resource = &framebuffer->resource->base;
	struct renderer *renderer = device->renderer;

	if (resource->kind == GPU_RESOURCE_BLOB)
		return gpu_blob_export_dmabuf(device, framebuffer, ret_dmabuf);
	if (renderer->ops->export_dmabuf == NULL)
		return -ENOTSUP;
	return renderer->ops->export_dmabuf(renderer, resource, ret_dmabuf);
}

/* Tells the display what this output shows from now on. */
static void show(struct gpu_device *device, uint32_t scanout_id)
{
	struct gpu_scanout *scanout = &device->scanouts[scanout_id];
	struct display *display = device->display;
	struct renderer_dmabuf dmabuf;
	bool was_dmabuf = scanout->is_dmabuf;

	if (display == NULL || !display->ready)
		return;
	scanout->is_dmabuf = false;
	if (display->accepts_dmabuf && export_dmabuf(device, &scanout->framebuffer, &dmabuf) == 0) {
		scanout->is_dmabuf = display->ops->scanout_dmabuf(
					     display, scanout_id, &dmabuf, &scanout->rect) == 0;
		close(dmabuf.fd);
	}
	if (scanout->is_dmabuf) {
		scanout->shown_width = 0;
		scanout->shown_height = 0;
		return;
	}
	if (!was_dmabuf && scanout->shown_width == scanout->rect.width &&
		scanout->shown_height == scanout->rect.height)
		return;
	display->ops->scanout(display, scanout_id, scanout->rect.width, scanout->rect.height);
	scanout->shown_width = scanout->rect.width;
	scanout->shown_height = scanout->rect.height;
}

static void forget(struct gpu_device *device, uint32_t scanout_id)
{
	struct gpu_scanout *scanout = &device->scanouts[scanout_id];

	if (scanout->framebuffer.resource != NULL)
		scanout->framebuffer.resource->scanouts &= ~(1u << scanout_id);
	scanout->framebuffer.resource = NULL;
}

void gpu_scanout_disable(struct gpu_device *device, uint32_t scanout_id)
{
	struct gpu_scanout *scanout = &device->scanouts[scanout_id];

	if (scanout->framebuffer.resource == NULL)
		return;
	forget(device, scanout_id);
	if (device->display != NULL)
		device->display->ops->scanout(device->display, scanout_id, 0, 0);
	scanout->shown_width = 0;
	scanout->shown_height = 0;
	scanout->is_dmabuf = false;
	/* Nothing is being sent out of it: that parks the queue, or was cancelled before. */
	gpu_pixel_buffer_finish(device, &scanout->staging);
}

void gpu_scanout_disable_all(struct gpu_device *device)
{
	for (uint32_t i = 0; i < GPU_SCANOUT_COUNT; i++)
		gpu_scanout_disable(device, i);
}

void gpu_scanout_set(struct gpu_device *device, uint32_t scanout_id,
	const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect)
{
	struct gpu_scanout *scanout = &device->scanouts[scanout_id];

	forget(device, scanout_id);
	scanout->framebuffer = *framebuffer;
	scanout->rect = *rect;
	framebuffer->resource->scanouts |= 1u << scanout_id;
	show(device, scanout_id);
}

uint32_t gpu_scanout_find(struct gpu_device *device, struct gpu_command *command,
	uint32_t scanout_id, uint32_t resource_id, struct gpu_tracked_resource **ret_resource)
{
	struct gpu_tracked_resource *resource = gpu_resource_find(device, resource_id);

	if (scanout_id >= GPU_SCANOUT_COUNT) {
		gpu_command_log(command, resource_id, "there is no such scanout");
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	}
	if (resource == NULL && resource_id != 0) {
		gpu_command_log(command, resource_id, "there is no such resource");
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	*ret_resource = resource;
	return 0;
}

uint32_t gpu_handle_set_scanout(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout *args = &command->args.set_scanout;
	const struct gpu_rect rect = gpu_rect_from_guest(&args->r);
	uint32_t scanout_id = le32toh(args->scanout_id);
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource;
	struct gpu_framebuffer framebuffer;
	uint32_t error = gpu_scanout_find(device, command, scanout_id, id, &resource);

	if (error != 0)
		return error;
	if (resource == NULL) {
		gpu_scanout_disable(device, scanout_id);
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	if (!gpu_framebuffer_of(resource, &framebuffer) || rect.width == 0 || rect.height == 0 ||
		!gpu_rect_is_inside(&rect, framebuffer.width, framebuffer.height)) {
		gpu_command_log(command, id, "the rectangle or the format cannot be shown");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	gpu_scanout_set(device, scanout_id, &framebuffer, &rect);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static void flush_done(void *opaque, int error, const void *data, size_t len)
{
	struct gpu_device *device = opaque;
	struct gpu_command *command = gpu_device_unpark(device);

	if (command == NULL)
		return;
	/* A display that went away is no error of the guest's. */
	gpu_command_finish(command, VIRTIO_GPU_RESP_OK_NODATA);
	device->events->resumed(device->events_opaque);
}

/* Brings @damage (of the resource) onto one output. Return: as the hooks of struct display_ops. */
static int flush_scanout(struct gpu_device *device, uint32_t scanout_id,
	const struct gpu_rect *damage, display_done_fn done)
{
	struct gpu_scanout *scanout = &device->scanouts[scanout_id];
	struct display *display = device->display;
	struct display_pixels pixels;
	struct gpu_rect source;
	struct gpu_rect target;
	int ret;

	if (!gpu_rect_intersect(damage, &scanout->rect, &source))
		return 0;
	target = source;
	target.x -= scanout->rect.x;
	target.y -= scanout->rect.y;
	if (scanout->is_dmabuf)
		return display->ops->update_dmabuf(display, scanout_id, &target, done, device);
	if (!display->wants_pixels)
		return 0;
	ret = gpu_pixels_get(device, &scanout->framebuffer, &source, PIXMAN_x8r8g8b8,
		&scanout->staging, &pixels);
	if (ret < 0)
		return ret;
	return display->ops->update(display, scanout_id, &target, &pixels, done, device);
}

/* Brings the damage onto all outputs. Return: as a handler. */
static uint32_t flush_all(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_tracked_resource *resource)
{
	const struct gpu_rect rect = gpu_rect_from_guest(&command->args.flush.r);
	unsigned int pending = 0;
	int error = 0;

	for (uint32_t i = 0; i < GPU_SCANOUT_COUNT; i++) {
		int ret = 0;

		if (resource->scanouts & 1u << i)
			ret = flush_scanout(device, i, &rect, flush_done);
		if (ret == DISPLAY_PENDING)
			pending++;
		else if (ret < 0)
			error = ret;
	}
	if (pending > 0) {
		gpu_device_park(device, command, pending);
		return GPU_PARKED;
	}
	return gpu_response_from_errno(error);
}

static void flush_rendered(struct gpu_command *command)
{
	struct gpu_device *device = command->device;
	uint32_t id = le32toh(command->args.flush.resource_id);
	uint32_t response;

	gpu_device_unpark(device);
	/* The control queue stood still, so the resource is there. */
	response = flush_all(device, command, gpu_resource_find(device, id));
	if (response != GPU_PARKED)
		gpu_command_finish(command, response);
}

/* Will somebody read the renderer's own memory, who does not know when it has drawn? */
static bool is_read_elsewhere(
	const struct gpu_device *device, const struct gpu_tracked_resource *resource)
{
	if (resource->base.kind == GPU_RESOURCE_BLOB)
		return false;
	for (uint32_t i = 0; i < GPU_SCANOUT_COUNT; i++)
		if ((resource->scanouts & 1u << i) && device->scanouts[i].is_dmabuf)
			return true;
	return false;
}

uint32_t gpu_handle_resource_flush(struct gpu_device *device, struct gpu_command *command)
{
	const struct gpu_rect rect = gpu_rect_from_guest(&command->args.flush.r);
	uint32_t id = le32toh(command->args.flush.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	/* A blob has no size of its own; what is damaged is cut to each scanout. */
	if (resource->base.kind != GPU_RESOURCE_BLOB &&
		!gpu_rect_is_inside(&rect, resource->base.width, resource->base.height)) {
		gpu_command_log(command, id, "the rectangle is outside the resource");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (is_read_elsewhere(device, resource) &&
		gpu_fences_wait(device->fences, command, flush_rendered) == 0) {
		gpu_device_park(device, command, 1);
		return GPU_PARKED;
	}
	return flush_all(device, command, resource);
}

void gpu_scanout_memory_changed(struct gpu_device *device)
{
	for (uint32_t i = 0; i < GPU_SCANOUT_COUNT; i++) {
		const struct gpu_scanout *scanout = &device->scanouts[i];
		const struct gpu_tracked_resource *resource = scanout->framebuffer.resource;

		/* The dma-buf is of pages that may no longer be the guest's. */
		if (scanout->is_dmabuf && resource != NULL && resource->backing.entries != NULL &&
			resource->base.kind == GPU_RESOURCE_BLOB)
			show(device, i);
	}
}

/* While pixels are on their way the control queue stands still, as behind a parked flush. */
static void reshow_done(void *opaque, int error, const void *data, size_t len)
{
	struct gpu_device *device = opaque;

	if (--device->reshow_requests == 0)
		device->events->resumed(device->events_opaque);
}

void gpu_scanout_reshow(struct gpu_device *device)
{
	for (uint32_t i = 0; i < GPU_SCANOUT_COUNT; i++) {
		struct gpu_scanout *scanout = &device->scanouts[i];
		int ret;

		scanout->shown_width = 0;
		scanout->shown_height = 0;
		scanout->is_dmabuf = false;
		if (scanout->framebuffer.resource == NULL)
			continue;
		show(device, i);
		ret = flush_scanout(device, i, &scanout->rect, reshow_done);
		if (ret == DISPLAY_PENDING)
			device->reshow_requests++;
		else if (ret < 0)
			log_peer("scanout %u cannot be shown again on the new display", i);
	}
}
