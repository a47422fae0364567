/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pictures: which resources can be shown, and the three ways to their pixels (where they are, a
 * copy, a dma-buf), of the renderer's images and of blobs.
 */
#include "gpu/framebuffer.h"

#include "gpu/blob.h"
#include "gpu/display.h"
#include "gpu/format.h"
#include "gpu/renderer_calls.h"
#include "gpu/resource.h"
#include "gpu/state.h"

/* Targets of RESOURCE_CREATE_3D, which are Gallium's enum pipe_texture_target. */
enum { TARGET_TEXTURE_2D = 2, TARGET_TEXTURE_RECT = 5 };

#define CURSOR_BYTES_PER_PIXEL 4

/* Lines of pixels, once? Anything else has no pixel at (x, y), or several. */
static bool is_image(const struct gpu_resource *resource)
{
	const struct gpu_resource_3d *args = &resource->args_3d;

	if (resource->kind != GPU_RESOURCE_3D)
		return resource->kind == GPU_RESOURCE_2D;
	return (args->target == TARGET_TEXTURE_2D || args->target == TARGET_TEXTURE_RECT) &&
	       args->depth <= 1 && args->array_size <= 1 && args->nr_samples <= 1;
}

bool gpu_framebuffer_of(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	const struct gpu_format *format = gpu_format_find(resource->base.format);

	if (!is_image(&resource->base) || !format)
		return false;
	*ret_framebuffer = (struct gpu_framebuffer){
		.resource = resource,
		.format = format,
		.width = resource->base.width,
		.height = resource->base.height,
	};
	return true;
}

static bool take_cursor_blob(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	const uint32_t stride = DISPLAY_CURSOR_SIZE * CURSOR_BYTES_PER_PIXEL;

	if (resource->base.kind != GPU_RESOURCE_BLOB ||
		resource->base.blob.size < (uint64_t)stride * DISPLAY_CURSOR_SIZE)
		return false;
	*ret_framebuffer = (struct gpu_framebuffer){
		.resource = resource,
		.format = gpu_format_find_2d(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM),
		.width = DISPLAY_CURSOR_SIZE,
		.height = DISPLAY_CURSOR_SIZE,
		.stride = stride,
	};
	return true;
}

const char *gpu_framebuffer_of_cursor(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	struct gpu_framebuffer framebuffer;

	if (!gpu_framebuffer_of(resource, &framebuffer) &&
		!take_cursor_blob(resource, &framebuffer))
		return "this resource cannot be a cursor";
	if (framebuffer.format->bytes_per_pixel != CURSOR_BYTES_PER_PIXEL)
		return "a cursor has 4 bytes for a pixel";
	if (framebuffer.width == 0 || framebuffer.width > DISPLAY_CURSOR_SIZE ||
		framebuffer.height == 0 || framebuffer.height > DISPLAY_CURSOR_SIZE)
		return "a cursor has at most 64 x 64 pixels";
	*ret_framebuffer = framebuffer;
	return NULL;
}

const uint8_t *gpu_framebuffer_get_image(
	struct gpu_device *device, const struct gpu_framebuffer *framebuffer, size_t *ret_stride)
{
	struct gpu_resource *resource = &framebuffer->resource->base;
	const uint8_t *blob;

	if (resource->kind != GPU_RESOURCE_BLOB)
		return renderer_calls_get_pixels(device->renderer, resource, ret_stride);
	blob = gpu_blob_get_memory(device, framebuffer->resource);
	*ret_stride = framebuffer->stride;
	return blob ? blob + framebuffer->offset : NULL;
}

int gpu_framebuffer_read(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct gpu_resource *resource = &framebuffer->resource->base;

	if (resource->kind == GPU_RESOURCE_BLOB && !resource->iov)
		return renderer_calls_read_blob(
			device->renderer, resource, framebuffer->format->id, rect, dst, stride);
	if (resource->kind == GPU_RESOURCE_BLOB)
		return gpu_blob_read_rect(framebuffer, rect, dst, stride);
	return renderer_calls_read_rect(device->renderer, resource, rect, dst, stride);
}

int gpu_framebuffer_export_dmabuf(struct gpu_device *device,
	const struct gpu_framebuffer *framebuffer, struct renderer_dmabuf *ret_dmabuf)
{
	struct gpu_resource *resource = &framebuffer->resource->base;

	if (resource->kind == GPU_RESOURCE_BLOB)
		return gpu_blob_export_dmabuf(device, framebuffer, ret_dmabuf);
	return renderer_calls_export_dmabuf(device->renderer, resource, ret_dmabuf);
}
