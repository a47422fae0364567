/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>

/** gpu_rect_from_guest() - Byte order; the rectangle is not checked. */
struct gpu_rect gpu_rect_from_guest(const struct virtio_gpu_rect *rect);

/** gpu_rect_to_guest() - The way back. */
struct virtio_gpu_rect gpu_rect_to_guest(const struct gpu_rect *rect);

/** gpu_rect_is_inside() - The one rectangle check: is all of @rect in @width x @height? */
bool gpu_rect_is_inside(const struct gpu_rect *rect, uint32_t width, uint32_t height);

/** gpu_rect_intersect() - Return: false where nothing is left. */
bool gpu_rect_intersect(
	const struct gpu_rect *a, const struct gpu_rect *b, struct gpu_rect *ret_rect);
