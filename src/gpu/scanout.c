/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * SET_SCANOUT and SET_SCANOUT_BLOB (virtio 1.3, section 5.7.6.8): which part of which resource an
 * output shows. A blob's request says besides how its bytes make up a picture. All of it is checked
 * here, once; from then on the two are the same (gpu/output.c).
 */
#include "gpu/scanout.h"

#include "gpu/command.h"
#include "gpu/format.h"
#include "gpu/output.h"
#include "gpu/rect.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "util/checked.h"

/* What both requests say. */
struct scanout_request {
	uint32_t scanout_id;
	uint32_t resource_id;
	struct gpu_rect rect;
};

/*
 * Finds the resource; NULL for resource 0: show nothing. Return: GPU_OK, or an error where the
 * scanout or the resource does not exist.
 */
static enum gpu_verdict find_resource(struct gpu_device *device, struct gpu_command *command,
	const struct scanout_request *request, struct gpu_tracked_resource **ret_resource)
{
	uint32_t id = request->resource_id;

	*ret_resource = NULL;
	if (request->scanout_id >= GPU_OUTPUT_COUNT)
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_SCANOUT_ID, "there is no such scanout");
	if (id == 0)
		return GPU_OK;
	*ret_resource = gpu_resource_require(device, command, id);
	return *ret_resource ? GPU_OK : GPU_ERR_INVALID_RESOURCE_ID;
}

/*
 * pixman, which converts formats, has 16 bits for a coordinate, an int for the bytes of a line, and
 * multiplies a line's number by its 32-bit words as ints. What is shown fits into all of them.
 */
static bool is_in_ints(const struct gpu_framebuffer *framebuffer)
{
	return framebuffer->width <= GPU_MAX_2D_SIZE && framebuffer->height <= GPU_MAX_2D_SIZE &&
	       framebuffer->stride <= INT32_MAX &&
	       (uint64_t)framebuffer->height * (framebuffer->stride / sizeof(uint32_t)) <=
		       INT32_MAX;
}

/* @framebuffer: of a resource; @why: it is none. */
static enum gpu_verdict set_scanout(struct gpu_device *device, struct gpu_command *command,
	const struct scanout_request *request, const struct gpu_framebuffer *framebuffer,
	const char *why)
{
	const struct gpu_rect *rect = &request->rect;

	if (!why && !is_in_ints(framebuffer))
		why = "the picture is too large to be shown";
	if (!why && (rect->width == 0 || rect->height == 0 ||
			    !gpu_rect_is_inside(rect, framebuffer->width, framebuffer->height)))
		why = "the rectangle is outside the picture";
	if (why)
		return gpu_command_refuse(
			command, request->resource_id, GPU_ERR_INVALID_PARAMETER, why);
	gpu_output_set(device, request->scanout_id, framebuffer, rect);
	return GPU_OK;
}

enum gpu_verdict gpu_handle_set_scanout(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout *args = &command->args.set_scanout;
	const struct scanout_request request = {
		.scanout_id = le32toh(args->scanout_id),
		.resource_id = le32toh(args->resource_id),
		.rect = gpu_rect_from_guest(&args->r),
	};
	struct gpu_tracked_resource *resource;
	struct gpu_framebuffer framebuffer;
	enum gpu_verdict verdict = find_resource(device, command, &request, &resource);
	const char *why = NULL;

	if (verdict != GPU_OK)
		return verdict;
	if (!resource) {
		gpu_output_disable(device, request.scanout_id);
		return GPU_OK;
	}
	if (!gpu_framebuffer_of(resource, &framebuffer))
		why = "it is no picture that can be shown";
	return set_scanout(device, command, &request, &framebuffer, why);
}

/* Does plane 0, the only one that these formats have, lie inside the blob? */
static bool is_picture_inside(const struct gpu_framebuffer *framebuffer, uint64_t size)
{
	const uint64_t line_len =
		(uint64_t)framebuffer->width * framebuffer->format->bytes_per_pixel;
	uint64_t len;

	if (framebuffer->stride < line_len || framebuffer->stride % 4 != 0 ||
		framebuffer->offset % 4 != 0)
		return false;
	/* 32 bits times 32 bits, and one line: it does not wrap. */
	len = (uint64_t)(framebuffer->height - 1) * framebuffer->stride + line_len;
	return checked_range(framebuffer->offset, len, size);
}

/* The planes that are not used still have to lie inside the blob, where they say anything. */
static bool are_other_planes_sane(const struct virtio_gpu_set_scanout_blob *args, uint64_t size)
{
	for (unsigned int i = 1; i < G_N_ELEMENTS(args->offsets); i++)
		if (!checked_range(le32toh(args->offsets[i]), le32toh(args->strides[i]), size))
			return false;
	return true;
}

/* Fills in the picture. Return: why it is not possible, or NULL. */
static const char *take_framebuffer(const struct virtio_gpu_set_scanout_blob *args,
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer)
{
	const struct gpu_framebuffer framebuffer = {
		.resource = resource,
		.format = gpu_format_find_2d(le32toh(args->format)),
		.width = le32toh(args->width),
		.height = le32toh(args->height),
		.stride = le32toh(args->strides[0]),
		.offset = le32toh(args->offsets[0]),
	};
	const uint64_t size = resource->base.blob.size;

	if (resource->base.kind != GPU_RESOURCE_BLOB)
		return "it is not a blob";
	if (!framebuffer.format)
		return "the format cannot be shown";
	if (framebuffer.width == 0 || framebuffer.height == 0)
		return "the picture is empty";
	if (!is_picture_inside(&framebuffer, size) || !are_other_planes_sane(args, size))
		return "the strides and offsets do not fit into the blob";
	*ret_framebuffer = framebuffer;
	return NULL;
}

enum gpu_verdict gpu_handle_set_scanout_blob(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout_blob *args = &command->args.set_scanout_blob;
	const struct scanout_request request = {
		.scanout_id = le32toh(args->scanout_id),
		.resource_id = le32toh(args->resource_id),
		.rect = gpu_rect_from_guest(&args->r),
	};
	struct gpu_tracked_resource *resource;
	struct gpu_framebuffer framebuffer;
	enum gpu_verdict verdict = find_resource(device, command, &request, &resource);
	const char *why;

	if (verdict != GPU_OK)
		return verdict;
	if (!resource) {
		gpu_output_disable(device, request.scanout_id);
		return GPU_OK;
	}
	why = take_framebuffer(args, resource, &framebuffer);
	return set_scanout(device, command, &request, &framebuffer, why);
}
