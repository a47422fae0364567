/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A picture in the guest's memory, in one piece or in pages that lie apart, with a pattern that
 * tells each pixel and each run from others, and the numbers of frames in it.
 */
#pragma once

#include "bench/guest.h"

#include <linux/virtio_gpu.h>
#include <stdint.h>

/**
 * struct image - A 2D resource with backing, or a blob
 * @id: of the resource
 * @step: each @step-th pixel of each @step-th row is the number of the frame
 * @is_blob: a blob of the guest's pages, which is read where it lies and needs no transfer
 * @pieces: our pointers to the pieces of the backing, @piece_len bytes each; owned
 */
struct image {
	uint32_t id;
	uint32_t width;
	uint32_t height;
	uint32_t step;
	uint32_t piece_len;
	bool is_blob;
	uint32_t piece_count;
	uint64_t entries_gpa;
	uint8_t **pieces;
};

/** image_init() - Reserve memory of the guest's; @piece_len is whole pages, or 0 for one piece. */
void image_init(struct image *image, struct guest *guest, uint32_t id, uint32_t width,
	uint32_t height, uint32_t piece_len);
void image_finish(struct image *image);

/** image_post_create() - Post the commands that make the resource. */
void image_post_create(const struct image *image, struct guest *guest);

/** image_post_scanout() - Post the command that puts it on an output. */
void image_post_scanout(const struct image *image, struct guest *guest, uint32_t scanout);

/** image_post_update() - Post what shows a rectangle that has changed. */
void image_post_update(
	const struct image *image, struct guest *guest, const struct virtio_gpu_rect *rect);

/** image_whole() - All of it */
static inline struct virtio_gpu_rect image_whole(const struct image *image)
{
	return (struct virtio_gpu_rect){.width = image->width, .height = image->height};
}

/** image_offset() - Of a pixel in the backing, bytes */
static inline uint64_t image_offset(const struct image *image, uint32_t x, uint32_t y)
{
	return 4 * ((uint64_t)y * image->width + x);
}

/** image_fill() - Draw the pattern of @seed in a rectangle. */
void image_fill(struct image *image, const struct virtio_gpu_rect *rect, uint32_t seed);

/** image_stamp() - Write the number of a frame into a rectangle. */
void image_stamp(struct image *image, const struct virtio_gpu_rect *rect, uint32_t number);

/**
 * image_compare() - Does an output show all of it? Return: 0, or -EILSEQ as screen_compare_row().
 */
int image_compare(const struct image *image, struct screen *screen, uint32_t scanout);
