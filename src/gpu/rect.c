/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Rectangles as guests give them: 32-bit corners and sizes whose sums may wrap. */
#include "gpu/rect.h"

#include <endian.h>
#include <glib.h>

struct gpu_rect gpu_rect_from_guest(const struct virtio_gpu_rect *rect)
{
	return (struct gpu_rect){
		.x = le32toh(rect->x),
		.y = le32toh(rect->y),
		.width = le32toh(rect->width),
		.height = le32toh(rect->height),
	};
}

struct virtio_gpu_rect gpu_rect_to_guest(const struct gpu_rect *rect)
{
	return (struct virtio_gpu_rect){
		.x = htole32(rect->x),
		.y = htole32(rect->y),
		.width = htole32(rect->width),
		.height = htole32(rect->height),
	};
}

bool gpu_rect_is_inside(const struct gpu_rect *rect, uint32_t width, uint32_t height)
{
	return rect->x <= width && rect->width <= width - rect->x && rect->y <= height &&
	       rect->height <= height - rect->y;
}

/* The part that [a, a + a_len) and [b, b + b_len) share. */
static bool rect_intersect(
	uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len, uint32_t *ret, uint32_t *ret_len)
{
	uint32_t start = MAX(a, b);
	uint64_t end = MIN((uint64_t)a + a_len, (uint64_t)b + b_len);

	if (end <= start)
		return false;
	*ret = start;
	*ret_len = end - start;
	return true;
}

bool gpu_rect_intersect(
	const struct gpu_rect *a, const struct gpu_rect *b, struct gpu_rect *ret_rect)
{
	return rect_intersect(a->x, a->width, b->x, b->width, &ret_rect->x, &ret_rect->width) &&
	       rect_intersect(a->y, a->height, b->y, b->height, &ret_rect->y, &ret_rect->height);
}
