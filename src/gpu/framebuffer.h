/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A resource's memory seen as a picture: which resources can be one, and how its pixels are
 * reached. Inside gpu/ only.
 */
#pragma once

#include "gpu/renderer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_device;
struct gpu_format;
struct gpu_tracked_resource;

/**
 * struct gpu_framebuffer - How a resource's memory is seen as a picture
 * @resource: NULL: nothing
 * @format: of its pixels
 * @width, @height: pixels
 * @stride: bytes from line to line, blobs only
 * @offset: first pixel in the blob, bytes; blobs only
 *
 * A 2D resource is its own picture, as are some 3D ones; a blob becomes one by SET_SCANOUT_BLOB.
 */
struct gpu_framebuffer {
	struct gpu_tracked_resource *resource;
	const struct gpu_format *format;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint64_t offset;
};

/**
 * gpu_framebuffer_of() - A 2D or 3D resource as a picture
 *
 * Return: false for a blob, and for what is no picture: of the targets of RESOURCE_CREATE_3D only
 * 2D and rectangle textures are, of one layer and one sample, and of a format of gpu/format.c.
 */
bool gpu_framebuffer_of(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer);

/**
 * gpu_framebuffer_of_cursor() - A resource as a cursor's picture
 *
 * What gpu_framebuffer_of() takes and has 4 bytes for a pixel, or a blob, which has no size and no
 * format: it is DISPLAY_CURSOR_SIZE squared pixels of B8G8R8A8 from its start on. At most that
 * size. Return: NULL, or why it cannot be one.
 */
const char *gpu_framebuffer_of_cursor(
	struct gpu_tracked_resource *resource, struct gpu_framebuffer *ret_framebuffer);

/** gpu_framebuffer_get_image() - The image where it is in our memory in one piece, or NULL. */
const uint8_t *gpu_framebuffer_get_image(
	struct gpu_device *device, const struct gpu_framebuffer *framebuffer, size_t *ret_stride);

/**
 * gpu_framebuffer_read() - Copy a rectangle out
 * @stride: bytes from line to line in @dst, a multiple of 4
 *
 * Return: 0 or a negative errno; all of @dst was written then.
 */
int gpu_framebuffer_read(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	const struct gpu_rect *rect, void *dst, size_t stride);

/** gpu_framebuffer_export_dmabuf() - As the renderer's hook, for any picture. */
int gpu_framebuffer_export_dmabuf(struct gpu_device *device,
	const struct gpu_framebuffer *framebuffer, struct renderer_dmabuf *ret_dmabuf);
