/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blob resources: RESOURCE_CREATE_BLOB, and a blob's memory as a descriptor, as a picture, as a
 * dma-buf. Inside gpu/ only.
 */
#pragma once

#include "gpu/renderer.h"
#include "gpu/verdict.h"

#include <stddef.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct gpu_framebuffer;
struct gpu_tracked_resource;

enum gpu_verdict gpu_handle_resource_create_blob(
	struct gpu_device *device, struct gpu_command *command);

/**
 * gpu_blob_export() - A host blob's memory as a descriptor that can be mapped
 *
 * Return: 0; -ENOTSUP where it has none; the renderer's error.
 */
int gpu_blob_export(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct renderer_blob *ret_blob);

/** gpu_blob_get_memory() - A blob's memory in one piece, or NULL where it is not. Borrowed. */
const uint8_t *gpu_blob_get_memory(
	struct gpu_device *device, struct gpu_tracked_resource *resource);

/** gpu_blob_read_rect() - Copy a rectangle out of scattered guest pages. Return: 0 or -EFAULT. */
int gpu_blob_read_rect(const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect,
	void *dst, size_t stride);

/** gpu_blob_export_dmabuf() - As the renderer's hook, for a blob. */
int gpu_blob_export_dmabuf(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	struct renderer_dmabuf *ret_dmabuf);

/** gpu_blob_release() - Give back what the three above made of a blob. */
void gpu_blob_release(struct gpu_tracked_resource *resource);
