/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * One command from request to answer. Inside gpu/ only.
 *
 * Life of a command: dispatched from a request (gpu/dispatch.c), its fixed part copied out of guest
 * memory once; its handler returns a verdict, or GPU_WAITS, and the command's wait finishes it
 * later. A command with VIRTIO_GPU_FLAG_FENCE then waits on its timeline (gpu/fence.c); all others
 * are answered at once. Answering writes the header, completes the request and frees the command.
 */
#pragma once

#include "gpu/device.h"
#include "gpu/steps.h"
#include "gpu/verdict.h"
#include "gpu/wait.h"

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>

struct gpu_command;

/**
 * struct gpu_command_type - A row of the command table
 * @name: as in the specification, without VIRTIO_GPU_CMD_
 * @len: size of its fixed part, bytes; shorter requests are refused before the handler
 * @needs_3d: only for renderers with 3D
 * @keeps_put_off: a transfer that was put off need not be done before it
 */
struct gpu_command_type {
	const char *name;
	uint32_t type;
	size_t len;
	bool needs_3d;
	bool keeps_put_off;
	enum gpu_verdict (*handler)(struct gpu_device *device, struct gpu_command *command);
};

/**
 * struct gpu_command - A command that is being processed
 * @hdr: in the byte order of this machine
 * @args: the fixed part, still little-endian; args.hdr is not to be used
 * @response_len: bytes of answer behind the header that were already written
 * @verdict: the response code, once @is_decided
 * @wait: for whatever it waits for
 * @steps: what it is in the middle of
 * @transfer_3d: of TRANSFER_TO_HOST_3D and TRANSFER_FROM_HOST_3D, how far it got
 * @done_len: of SUBMIT_3D, bytes of the stream that were carried out
 * @flush_lines: of RESOURCE_FLUSH, lines that are being shown; what is left stands in @args
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
	enum gpu_verdict verdict;
	bool is_decided;
	struct gpu_wait wait;
	struct gpu_steps steps;
	struct gpu_transfer_3d transfer_3d;
	size_t done_len;
	uint32_t flush_lines;
};

/** gpu_command_create() - A command of @request, nothing read yet. */
struct gpu_command *gpu_command_create(struct gpu_device *device, struct gpu_request *request);

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
 * The driver sees them only where the verdict is no error. Return: 0, or -ENOSPC where it left too
 * little room.
 */
int gpu_command_write(struct gpu_command *command, const void *data, size_t len);

/** gpu_command_refuse() - Say, rate-limited, why a command is refused. Return: @verdict. */
enum gpu_verdict gpu_command_refuse(const struct gpu_command *command, uint32_t resource_id,
	enum gpu_verdict verdict, const char *why);

/**
 * gpu_command_fail() - The same for an errno, or for a limit (gpu/limits.h), whose option is named
 *
 * Return: its verdict; GPU_OK, silently, for 0.
 */
enum gpu_verdict gpu_command_fail(
	const struct gpu_command *command, uint32_t resource_id, int error);

/**
 * gpu_command_finish() - A verdict was reached; answer it, after its fence
 * @verdict: not GPU_WAITS
 *
 * The command is freed, now or by its wait.
 */
void gpu_command_finish(struct gpu_command *command, enum gpu_verdict verdict);
