/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Pictures of the guest. Owns nothing but the list of pieces. */
#include "bench/image.h"

#include "bench/command.h"

void image_init(struct image *image, struct guest *guest, uint32_t id, uint32_t width,
	uint32_t height, uint32_t piece_len)
{
	struct memory *memory = &guest->memory;
	const uint32_t len = width * height * 4;
	struct virtio_gpu_mem_entry *entries;

	*image = (struct image){.id = id, .width = width, .height = height, .step = 128};
	image->piece_len = piece_len > 0 ? piece_len : len;
	image->piece_count = (len + image->piece_len - 1) / image->piece_len;
	image->pieces = g_new(uint8_t *, image->piece_count);
	image->entries_gpa =
		memory_alloc(memory, sizeof(*entries) * (uint64_t)image->piece_count, MEMORY_PAGE);
	entries = memory_at(memory, image->entries_gpa);
	/* From the last to the first: no two that follow each other can be made one. */
	for (uint32_t i = image->piece_count; i-- > 0;) {
		entries[i] = (struct virtio_gpu_mem_entry){
			.addr = memory_alloc(memory, image->piece_len, MEMORY_PAGE),
			.length = image->piece_len};
		image->pieces[i] = memory_at(memory, entries[i].addr);
	}
}

void image_finish(struct image *image)
{
	g_clear_pointer(&image->pieces, g_free);
}

void image_post_create(const struct image *image, struct guest *guest)
{
	if (image->is_blob) {
		command_create_guest_blob(guest, image->id, 4ull * image->width * image->height,
			image->entries_gpa, image->piece_count);
		return;
	}
	command_create_2d(guest, image->id, image->width, image->height);
	command_attach(guest, image->id, image->entries_gpa, image->piece_count);
}

void image_post_scanout(const struct image *image, struct guest *guest, uint32_t scanout)
{
	if (image->is_blob)
		command_set_scanout_blob(guest, scanout, image->id, image->width, image->height);
	else
		command_set_scanout(guest, scanout, image->id, image->width, image->height);
}

void image_post_update(
	const struct image *image, struct guest *guest, const struct virtio_gpu_rect *rect)
{
	if (image->is_blob) {
		command_flush_blob(guest, image->id, rect);
		return;
	}
	command_transfer_2d(guest, image->id, rect, image_offset(image, rect->x, rect->y));
	command_flush(guest, image->id, rect);
}

/* Pixels from here on that lie together, up to the end of the row. */
static uint32_t *image_span(const struct image *image, uint32_t x, uint32_t y, uint32_t *ret_count)
{
	const uint64_t offset = image_offset(image, x, y);
	const uint64_t in_piece = offset % image->piece_len;

	*ret_count = MIN((uint32_t)(image->piece_len - in_piece) / 4, image->width - x);
	return (uint32_t *)(image->pieces[offset / image->piece_len] + in_piece);
}

static uint32_t pattern_at(uint32_t seed, uint32_t x, uint32_t y)
{
	const uint32_t mixed = (x * 0x9e3779b1u) ^ (y * 0x85ebca6bu) ^ (seed * 0xc2b2ae35u);

	return mixed ^ mixed >> 13;
}

void image_fill(struct image *image, const struct virtio_gpu_rect *rect, uint32_t seed)
{
	const uint32_t right = rect->x + rect->width;
	uint32_t count;

	for (uint32_t y = rect->y; y < rect->y + rect->height; y++) {
		for (uint32_t x = rect->x; x < right; x += count) {
			uint32_t *pixels = image_span(image, x, y, &count);

			count = MIN(count, right - x);
			for (uint32_t i = 0; i < count; i++)
				pixels[i] = pattern_at(seed, x + i, y);
		}
	}
}

void image_stamp(struct image *image, const struct virtio_gpu_rect *rect, uint32_t number)
{
	const uint32_t step = image->step;
	uint32_t count;

	for (uint32_t y = (rect->y + step - 1) / step * step; y < rect->y + rect->height; y += step)
		for (uint32_t x = (rect->x + step - 1) / step * step; x < rect->x + rect->width;
			x += step)
			*image_span(image, x, y, &count) = number;
}

int image_compare(const struct image *image, struct screen *screen, uint32_t scanout)
{
	uint32_t count;
	int ret = 0;

	for (uint32_t y = 0; y < image->height && ret == 0; y++) {
		for (uint32_t x = 0; x < image->width && ret == 0; x += count) {
			const uint32_t *pixels = image_span(image, x, y, &count);

			ret = screen_compare_row(screen, scanout, x, y, count, pixels);
		}
	}
	return ret;
}
