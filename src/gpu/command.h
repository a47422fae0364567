/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * One command from request to answer. Inside gpu/ only.
 *
 * Life of a command: dispatched from a request, its fixed part copied out of guest memory once;
 * its handler returns a response code, or GPU_PARKED and calls gpu_command_finish() later. A
 * command with VIRTIO_GPU_FLAG_FENCE then waits on its timeline (gpu/fence.c); all others are
 * answered at once. Answering writes the header, completes the request and frees the command.
 */
#pragma once

#include "gpu/device.h"

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>

struct gpu_command;

/** GPU_PARKED - Returned by a handler that will call gpu_command_finish() later. */
#define GPU_PARKED 0

/**
 * struct gpu_command_type - A row of the command table
 * @name: as in the specification, without VIRTIO_GPU_CMD_
 * @len: size of its fixed part, bytes; shorter requests are refused before the handler
 * @needs_3d: only for renderers with 3D
 * @handler: returns VIRTIO_GPU_RESP_* or GPU_PARKED
 */
struct gpu_command_type {
	const char *name;
	uint32_t type;
	size_t len;
	bool needs_3d;
	uint32_t (*handler)(struct gpu_device *device, struct gpu_command *command);
};

/**
 * struct gpu_command - A command that is being processed
 * @hdr: in the byte order of this machine
 * @args: the fixed part, still little-endian; args.hdr is not to be used
 * @response_len: bytes of answer behind the header that were already written
 * @response: the code, once the handler has returned one
 * @seqno: position on its timeline while it waits there
 * @go_on: what to do when the timeline reaches it, if it is not to be answered then
 * @link: in the timeline's queue
 */
struct gpu_command {
	struct gpu_device *device;
	struct gpu_request *request;
	const struct gpu_command_type *type;
	struct virtio_gpu_ctrl_hdr hdr;
	union {
		struct virtio_gpu_update_cursor update_cursor;
		struct virtio_gpu_resource_unref resource_unref;
		struct virtio_gpu_resource_create_2d create_2d;
		struct virtio_gpu_resource_create_3d create_3d;
		struct virtio_gpu_set_scanout set_scanout;
		struct virtio_gpu_resource_flush flush;
		struct virtio_gpu_transfer_to_host_2d transfer_2d;
		struct virtio_gpu_transfer_host_3d transfer_3d;
		struct virtio_gpu_resource_attach_backing attach_backing;
		struct virtio_gpu_resource_detach_backing detach_backing;
		struct virtio_gpu_ctx_create ctx_create;
		struct virtio_gpu_ctx_resource ctx_resource;
		struct virtio_gpu_cmd_submit submit;
		struct virtio_gpu_get_capset_info get_capset_info;
		struct virtio_gpu_get_capset get_capset;
		struct virtio_gpu_cmd_get_edid get_edid;
		struct virtio_gpu_resource_assign_uuid assign_uuid;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_set_scanout_blob set_scanout_blob;
		struct virtio_gpu_resource_map_blob map_blob;
		struct virtio_gpu_resource_unmap_blob unmap_blob;
	} args;
	size_t response_len;
	uint32_t response;
	uint64_t seqno;
	void (*go_on)(struct gpu_command *command);
	GList link;
};

/** gpu_command_dispatch_control() - Run a request of the control queue through the table. */
void gpu_command_dispatch_control(struct gpu_device *device, struct gpu_request *request);

/** gpu_command_dispatch_cursor() - The same for the cursor queue. */
void gpu_command_dispatch_cursor(struct gpu_device *device, struct gpu_request *request);

/**
 * gpu_command_read() - Copy what follows the fixed part
 * @offset: bytes behind the fixed part
 *
 * Return: 0, or -EINVAL where the request ends before @len bytes.
 */
int gpu_command_read(struct gpu_command *command, size_t offset, void *buf, size_t len);

/** gpu_command_tail_len() - Bytes of the request behind the fixed part. */
size_t gpu_command_tail_len(const struct gpu_command *command);

/**
 * gpu_command_write() - Write a part of the answer that follows its header
 * @data: little-endian
 * @len: bytes; the parts are put one behind the other
 *
 * Return: 0, or -ENOSPC where the driver left too little room.
 */
int gpu_command_write(struct gpu_command *command, const void *data, size_t len);

/** gpu_command_finish() - The answer of a command that was parked. */
void gpu_command_finish(struct gpu_command *command, uint32_t response);

/** gpu_command_answer() - Send the answer that was decided, and free the command. */
void gpu_command_answer(struct gpu_command *command);

/** gpu_response_from_errno() - The one mapping: 0 is VIRTIO_GPU_RESP_OK_NODATA. */
uint32_t gpu_response_from_errno(int error);

/** gpu_command_log() - Say, rate-limited, why a command of the guest is refused. */
void gpu_command_log(const struct gpu_command *command, uint32_t resource_id, const char *why);
