/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Fills the structures of linux/virtio_gpu.h in and posts them. Keeps nothing. */
#include "bench/command.h"

#include "bench/stream.h"

#include <string.h>

#define HEADER(command) ((struct virtio_gpu_ctrl_hdr){.type = VIRTIO_GPU_CMD_##command})

static void post_request(struct guest *guest, const void *request, size_t len)
{
	const struct queue_command command = {
		.request = request,
		.request_len = len,
		.answer_len = sizeof(struct virtio_gpu_ctrl_hdr),
		.expected = VIRTIO_GPU_RESP_OK_NODATA,
	};

	queue_post(&guest->control, &command);
}

#define POST(guest, request) post_request(guest, &(request), sizeof(request))

/* With data that follow the request. */
static void post_with_data(
	struct guest *guest, const void *request, size_t len, uint64_t data_gpa, uint32_t data_len)
{
	const struct queue_command command = {
		.request = request,
		.request_len = len,
		.data_gpa = data_gpa,
		.data_len = data_len,
		.answer_len = sizeof(struct virtio_gpu_ctrl_hdr),
		.expected = VIRTIO_GPU_RESP_OK_NODATA,
	};

	queue_post(&guest->control, &command);
}

static void add_fence(struct guest *guest, struct virtio_gpu_ctrl_hdr *hdr)
{
	hdr->flags |= VIRTIO_GPU_FLAG_FENCE;
	hdr->fence_id = ++guest->last_fence;
}

void command_create_2d(struct guest *guest, uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_resource_create_2d request = {.hdr = HEADER(RESOURCE_CREATE_2D),
		.resource_id = id,
		.format = COMMAND_FORMAT,
		.width = width,
		.height = height};

	POST(guest, request);
}

void command_unref(struct guest *guest, uint32_t id)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr = HEADER(RESOURCE_UNREF), .resource_id = id};

	POST(guest, request);
}

void command_attach(struct guest *guest, uint32_t id, uint64_t entries_gpa, uint32_t count)
{
	const struct virtio_gpu_resource_attach_backing request = {
		.hdr = HEADER(RESOURCE_ATTACH_BACKING), .resource_id = id, .nr_entries = count};

	post_with_data(guest, &request, sizeof(request), entries_gpa,
		count * (uint32_t)sizeof(struct virtio_gpu_mem_entry));
}

void command_detach(struct guest *guest, uint32_t id)
{
	const struct virtio_gpu_resource_detach_backing request = {
		.hdr = HEADER(RESOURCE_DETACH_BACKING), .resource_id = id};

	POST(guest, request);
}

void command_set_scanout(
	struct guest *guest, uint32_t scanout, uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_rect whole = {.width = width, .height = height};

	command_set_scanout_rect(guest, scanout, id, &whole);
}

void command_set_scanout_rect(
	struct guest *guest, uint32_t scanout, uint32_t id, const struct virtio_gpu_rect *rect)
{
	const struct virtio_gpu_set_scanout request = {
		.hdr = HEADER(SET_SCANOUT), .r = *rect, .scanout_id = scanout, .resource_id = id};

	POST(guest, request);
}

void command_transfer_2d(
	struct guest *guest, uint32_t id, const struct virtio_gpu_rect *rect, uint64_t offset)
{
	const struct virtio_gpu_transfer_to_host_2d request = {.hdr = HEADER(TRANSFER_TO_HOST_2D),
		.r = *rect,
		.offset = offset,
		.resource_id = id};

	POST(guest, request);
}

void command_set_scanout_blob(
	struct guest *guest, uint32_t scanout, uint32_t id, uint32_t width, uint32_t height)
{
	command_set_scanout_format(guest, scanout, id, width, height, COMMAND_FORMAT);
}

void command_set_scanout_format(struct guest *guest, uint32_t scanout, uint32_t id, uint32_t width,
	uint32_t height, uint32_t format)
{
	const struct virtio_gpu_set_scanout_blob request = {.hdr = HEADER(SET_SCANOUT_BLOB),
		.r = {.width = width, .height = height},
		.scanout_id = scanout,
		.resource_id = id,
		.width = width,
		.height = height,
		.format = format,
		.strides = {width * 4}};

	POST(guest, request);
}

void command_flush(struct guest *guest, uint32_t id, const struct virtio_gpu_rect *rect)
{
	const struct virtio_gpu_resource_flush request = {
		.hdr = HEADER(RESOURCE_FLUSH), .r = *rect, .resource_id = id};

	POST(guest, request);
}

void command_flush_blob(struct guest *guest, uint32_t id, const struct virtio_gpu_rect *rect)
{
	struct virtio_gpu_resource_flush request = {
		.hdr = HEADER(RESOURCE_FLUSH), .r = *rect, .resource_id = id};

	add_fence(guest, &request.hdr);
	POST(guest, request);
}

void command_capset_info(struct guest *guest, uint32_t index)
{
	const struct virtio_gpu_get_capset_info request = {
		.hdr = HEADER(GET_CAPSET_INFO), .capset_index = index};
	const struct queue_command command = {
		.request = &request,
		.request_len = sizeof(request),
		.answer_len = sizeof(struct virtio_gpu_resp_capset_info),
		.expected = VIRTIO_GPU_RESP_OK_CAPSET_INFO,
	};

	queue_post(&guest->control, &command);
}

void command_get_capset(struct guest *guest, uint32_t id, uint32_t version)
{
	const struct virtio_gpu_get_capset request = {
		.hdr = HEADER(GET_CAPSET), .capset_id = id, .capset_version = version};
	const struct queue_command command = {
		.request = &request,
		.request_len = sizeof(request),
		.answer_len = QUEUE_ANSWER_SIZE,
		.expected = VIRTIO_GPU_RESP_OK_CAPSET,
	};

	queue_post(&guest->control, &command);
}

void command_update_cursor(struct guest *guest, uint32_t scanout, uint32_t id)
{
	const struct virtio_gpu_update_cursor request = {
		.hdr = HEADER(UPDATE_CURSOR), .pos = {.scanout_id = scanout}, .resource_id = id};

	const struct queue_command command = {.request = &request, .request_len = sizeof(request)};

	queue_post(&guest->cursor, &command);
}

void command_move_cursor(struct guest *guest, uint32_t scanout, uint32_t x, uint32_t y)
{
	const struct virtio_gpu_update_cursor request = {
		.hdr = HEADER(MOVE_CURSOR), .pos = {.scanout_id = scanout, .x = x, .y = y}};

	const struct queue_command command = {.request = &request, .request_len = sizeof(request)};

	queue_post(&guest->cursor, &command);
}

void command_create_context(struct guest *guest, uint32_t ctx, uint32_t capset)
{
	struct virtio_gpu_ctx_create request = {
		.hdr = HEADER(CTX_CREATE), .nlen = 5, .context_init = capset};

	request.hdr.ctx_id = ctx;
	memcpy(request.debug_name, "bench", 5);
	POST(guest, request);
}

void command_destroy_context(struct guest *guest, uint32_t ctx)
{
	struct virtio_gpu_ctx_destroy request = {.hdr = HEADER(CTX_DESTROY)};

	request.hdr.ctx_id = ctx;
	POST(guest, request);
}

void command_attach_resource(struct guest *guest, uint32_t ctx, uint32_t id)
{
	struct virtio_gpu_ctx_resource request = {
		.hdr = HEADER(CTX_ATTACH_RESOURCE), .resource_id = id};

	request.hdr.ctx_id = ctx;
	POST(guest, request);
}

void command_create_3d(struct guest *guest, uint32_t id, uint32_t width, uint32_t height)
{
	const struct command_texture texture = {.target = STREAM_TEXTURE_2D,
		.format = COMMAND_FORMAT,
		.bind = STREAM_BIND,
		.width = width,
		.height = height,
		.depth = 1,
		.layers = 1};

	command_create_texture(guest, id, &texture);
}

void command_create_texture(struct guest *guest, uint32_t id, const struct command_texture *texture)
{
	const struct virtio_gpu_resource_create_3d request = {.hdr = HEADER(RESOURCE_CREATE_3D),
		.resource_id = id,
		.target = texture->target,
		.format = texture->format,
		.bind = texture->bind,
		.width = texture->width,
		.height = texture->height,
		.depth = texture->depth,
		.array_size = texture->layers,
		.last_level = texture->last_level};

	POST(guest, request);
}

void command_transfer_3d(
	struct guest *guest, uint32_t id, const struct command_transfer *transfer, bool to_host)
{
	struct virtio_gpu_transfer_host_3d request = {.hdr = HEADER(TRANSFER_TO_HOST_3D),
		.box = transfer->box,
		.offset = transfer->offset,
		.resource_id = id,
		.level = transfer->level,
		.stride = transfer->stride,
		.layer_stride = transfer->layer_stride};

	if (!to_host)
		request.hdr.type = VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D;
	POST(guest, request);
}

void command_submit(struct guest *guest, uint32_t ctx, uint64_t stream_gpa, uint32_t len)
{
	struct virtio_gpu_cmd_submit request = {.hdr = HEADER(SUBMIT_3D), .size = len};

	request.hdr.ctx_id = ctx;
	add_fence(guest, &request.hdr);
	post_with_data(guest, &request, sizeof(request), stream_gpa, len);
}

void command_create_guest_blob(
	struct guest *guest, uint32_t id, uint64_t len, uint64_t entries_gpa, uint32_t count)
{
	const struct virtio_gpu_resource_create_blob request = {.hdr = HEADER(RESOURCE_CREATE_BLOB),
		.resource_id = id,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE,
		.nr_entries = count,
		.size = len};

	post_with_data(guest, &request, sizeof(request), entries_gpa,
		count * (uint32_t)sizeof(struct virtio_gpu_mem_entry));
}

void command_create_blob(struct guest *guest, uint32_t ctx, uint32_t id, uint64_t len)
{
	struct virtio_gpu_resource_create_blob request = {.hdr = HEADER(RESOURCE_CREATE_BLOB),
		.resource_id = id,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
		.size = len};

	request.hdr.ctx_id = ctx;
	POST(guest, request);
}

void command_map_blob(struct guest *guest, uint32_t id, uint64_t offset)
{
	const struct virtio_gpu_resource_map_blob request = {
		.hdr = HEADER(RESOURCE_MAP_BLOB), .resource_id = id, .offset = offset};
	const struct queue_command command = {
		.request = &request,
		.request_len = sizeof(request),
		.answer_len = sizeof(struct virtio_gpu_resp_map_info),
		.expected = VIRTIO_GPU_RESP_OK_MAP_INFO,
	};

	queue_post(&guest->control, &command);
}

void command_unmap_blob(struct guest *guest, uint32_t id)
{
	const struct virtio_gpu_resource_unmap_blob request = {
		.hdr = HEADER(RESOURCE_UNMAP_BLOB), .resource_id = id};

	POST(guest, request);
}
