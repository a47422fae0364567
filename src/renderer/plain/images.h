/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

/*
 * A 2D resource's image in plain memory: its renderer_data, top line first, without gaps. Named after
 * the hooks of struct renderer_ops, whose contract they keep.
 */
int plain_image_create(struct gpu_resource *resource);

/** plain_image_destroy() - @turn: as the renderer's. Return: as the hook. */
int plain_image_destroy(struct gpu_resource *resource, struct turn *turn);

/** plain_image_len() - Size of an image that there is, bytes. */
size_t plain_image_len(const struct gpu_resource *resource);

int plain_image_transfer(
	struct gpu_resource *resource, const struct gpu_rect *rect, uint64_t offset);
const void *plain_image_get_pixels(struct gpu_resource *resource, size_t *ret_stride);
int plain_image_read_rect(
	struct gpu_resource *resource, const struct gpu_rect *rect, void *dst, size_t stride);

/**
 * renderer_plain_wrap() - Keep the 2D images of a renderer that has none
 * @inner: taken; everything but 2D resources goes on to it, and its events come through
 *
 * Return: the renderer to use instead, or NULL without memory, with @inner as it was.
 */
struct renderer *renderer_plain_wrap(struct renderer *inner);

/**
 * renderer_plain_keep() - Keep the 2D images of a renderer that has them, until a context wants one
 * @inner: as above; with resource_create() for 2D resources, attach_backing(), detach_backing() and
 *	transfer_to_host_2d()
 *
 * For one to which images are slower than plain memory. The first context that a resource is attached
 * to makes it the inner renderer's, with the pixels that it has; so it stays until it is destroyed.
 */
struct renderer *renderer_plain_keep(struct renderer *inner);
