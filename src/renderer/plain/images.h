/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

/*
 * A 2D resource's image in plain memory: its renderer_data, top line first, without gaps. Named after
 * the hooks of struct renderer_ops, whose contract they keep.
 */
int plain_image_create(struct gpu_resource *resource);
void plain_image_destroy(struct gpu_resource *resource);
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
