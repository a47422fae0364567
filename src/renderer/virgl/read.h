/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "renderer/virgl/layout.h"

/** RENDERER_VIRGL_MAX_WHOLE_LEN - The largest level that is read as a whole, bytes */
#define RENDERER_VIRGL_MAX_WHOLE_LEN (UINT64_C(64) << 20)

/** renderer_virgl_read_init() - Forget what an OpenGL before could do; the library runs. @has_gl: with OpenGL */
void renderer_virgl_read_init(bool has_gl);

/**
 * renderer_virgl_read_iov() - Read a part of a resource into memory of ours
 * @ctx_id: 0: context 0 is current
 * @id: of the resource
 * @transfer: a layout of it exists; its offset is not looked at
 * @iov: where it goes; as long as what the library wants
 *
 * Return: 0 or a negative errno.
 */
int renderer_virgl_read_iov(
	uint32_t ctx_id, uint32_t id, const struct gpu_transfer_3d *transfer, struct iovec *iov);

/** renderer_virgl_read_checked() - The same; -EINVAL as well where OpenGL says that it did not. */
int renderer_virgl_read_checked(
	uint32_t ctx_id, uint32_t id, const struct gpu_transfer_3d *transfer, struct iovec *iov);

/** renderer_virgl_is_buffer_read_sane() - Does the library stay inside, if this is a buffer? */
bool renderer_virgl_is_buffer_read_sane(
	const struct renderer_virgl_layout *layout, const struct gpu_transfer_3d *transfer);
