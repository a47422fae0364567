/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The commands of virtio-gpu that the bench sends (virtio 1.3, section 5.7). Each is posted to the
 * guest's control queue, unless it says otherwise; guest_run() lets the device see them.
 */
#pragma once

#include "bench/guest.h"

#include <linux/virtio_gpu.h>

/** Format of all pictures: bytes B, G, R, X. */
#define COMMAND_FORMAT VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

void command_create_2d(struct guest *guest, uint32_t id, uint32_t width, uint32_t height);
void command_unref(struct guest *guest, uint32_t id);

/** command_attach() - @entries_gpa: @count struct virtio_gpu_mem_entry in the guest's memory */
void command_attach(struct guest *guest, uint32_t id, uint64_t entries_gpa, uint32_t count);
void command_detach(struct guest *guest, uint32_t id);
void command_set_scanout(
	struct guest *guest, uint32_t scanout, uint32_t id, uint32_t width, uint32_t height);

/** command_set_scanout_rect() - The same of a part of the picture */
void command_set_scanout_rect(
	struct guest *guest, uint32_t scanout, uint32_t id, const struct virtio_gpu_rect *rect);

/** command_transfer_2d() - @offset: of the rectangle's first pixel in the backing, bytes */
void command_transfer_2d(
	struct guest *guest, uint32_t id, const struct virtio_gpu_rect *rect, uint64_t offset);
void command_flush(struct guest *guest, uint32_t id, const struct virtio_gpu_rect *rect);
void command_capset_info(struct guest *guest, uint32_t index);

/** command_get_capset() - A capability set, of which there is room for the beginning */
void command_get_capset(struct guest *guest, uint32_t id, uint32_t version);

/** command_update_cursor() - In the cursor queue: another picture, which is a resource of 64x64 */
void command_update_cursor(struct guest *guest, uint32_t scanout, uint32_t id);

/** command_move_cursor() - In the cursor queue, where nothing is answered */
void command_move_cursor(struct guest *guest, uint32_t scanout, uint32_t x, uint32_t y);

/** command_create_context() - @capset: VIRTIO_GPU_CAPSET_*, or 0 to leave it to the device */
void command_create_context(struct guest *guest, uint32_t ctx, uint32_t capset);
void command_destroy_context(struct guest *guest, uint32_t ctx);
void command_attach_resource(struct guest *guest, uint32_t ctx, uint32_t id);

/** command_create_3d() - A texture that can be drawn to and shown */
void command_create_3d(struct guest *guest, uint32_t id, uint32_t width, uint32_t height);

/** struct command_texture - What RESOURCE_CREATE_3D describes; the protocol's numbers */
struct command_texture {
	uint32_t target;
	uint32_t format;
	uint32_t bind;
	uint32_t width;
	uint32_t height;
	uint32_t depth;
	uint32_t layers;
	uint32_t last_level;
};

/** command_create_texture() - Any 3D resource */
void command_create_texture(
	struct guest *guest, uint32_t id, const struct command_texture *texture);

/** struct command_transfer - Of a 3D resource; @stride, @layer_stride, @offset: bytes */
struct command_transfer {
	struct virtio_gpu_box box;
	uint64_t offset;
	uint32_t level;
	uint32_t stride;
	uint32_t layer_stride;
};

/** command_transfer_3d() - @to_host: from the backing to the resource, else the other way round */
void command_transfer_3d(
	struct guest *guest, uint32_t id, const struct command_transfer *transfer, bool to_host);

/** command_submit() - @len bytes of a stream, with a fence: it is answered when they are drawn */
void command_submit(struct guest *guest, uint32_t ctx, uint64_t stream_gpa, uint32_t len);

/** command_set_scanout_blob() - The same for a blob that holds a picture, row after row */
void command_set_scanout_blob(
	struct guest *guest, uint32_t scanout, uint32_t id, uint32_t width, uint32_t height);

/** command_set_scanout_format() - The same in a format of its own */
void command_set_scanout_format(struct guest *guest, uint32_t scanout, uint32_t id, uint32_t width,
	uint32_t height, uint32_t format);

/** command_flush_blob() - With a fence, as Linux does: its pages are read until it is answered */
void command_flush_blob(struct guest *guest, uint32_t id, const struct virtio_gpu_rect *rect);

/** command_create_guest_blob() - Of the guest's pages; @entries_gpa as in command_attach() */
void command_create_guest_blob(
	struct guest *guest, uint32_t id, uint64_t len, uint64_t entries_gpa, uint32_t count);

/** command_create_blob() - Of the host's memory, that the guest can map */
void command_create_blob(struct guest *guest, uint32_t ctx, uint32_t id, uint64_t len);
void command_map_blob(struct guest *guest, uint32_t id, uint64_t offset);
void command_unmap_blob(struct guest *guest, uint32_t id);
