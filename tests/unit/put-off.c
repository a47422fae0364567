/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* See the header. */
#include "put-off.h"

#include <string.h>

#define GPA UINT64_C(0x100000)

const struct gpu_rect put_off_whole = {0, 0, PUT_OFF_WIDTH, PUT_OFF_HEIGHT};

void put_off_draw(struct put_off *t, uint32_t seed)
{
	for (uint32_t i = 0; i < PUT_OFF_WIDTH * PUT_OFF_HEIGHT; i++)
		t->guest[i] = (i + seed) * UINT32_C(2654435761);
}

uint32_t put_off_create(struct put_off *t, uint32_t id, uint32_t format)
{
	const struct virtio_gpu_resource_create_2d command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
		.resource_id = htole32(id),
		.format = htole32(format),
		.width = htole32(PUT_OFF_WIDTH),
		.height = htole32(PUT_OFF_HEIGHT),
	};

	return gpu_fixture_run(&t->f, &command, sizeof(command));
}

void put_off_create_backed(struct put_off *t, uint32_t id, uint32_t format)
{
	const struct virtio_gpu_mem_entry entries[] = {
		{.addr = htole64(GPA), .length = htole32(100020)},
		{.addr = htole64(GPA + 100020), .length = htole32(4)},
		{.addr = htole64(GPA + 100024), .length = htole32(PUT_OFF_LEN - 100024)},
	};

	g_assert_cmphex(put_off_create(t, id, format), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_attach(&t->f, id, entries, G_N_ELEMENTS(entries)), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
}

void put_off_show(struct put_off *t, uint32_t scanout_id, uint32_t id, const struct gpu_rect *rect)
{
	g_assert_cmphex(gpu_fixture_set_scanout(&t->f, scanout_id, id, rect), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
}

void put_off_set_up(struct put_off *t, gconstpointer data)
{
	struct gpu_fixture *f = &t->f;

	gpu_fixture_set_up(f, NULL);
	f->has_next = true;
	t->guest = (uint32_t *)gpu_fixture_add_memory(f, GPA, PUT_OFF_LEN);
	t->image = g_malloc0(PUT_OFF_LEN);
	t->canvas = g_malloc0(PUT_OFF_LEN);
	f->renderer.copies = true;
	f->renderer.image = t->image;
	f->renderer.image_stride = PUT_OFF_WIDTH * sizeof(uint32_t);
	f->display.base.fetches_pixels = true;
	f->display.band = PUT_OFF_BAND;
	f->display.canvas = t->canvas;
	f->display.canvas_width = PUT_OFF_WIDTH;
	put_off_create_backed(t, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
	put_off_show(t, 0, 1, &put_off_whole);
	fake_display_expect(&f->display, "scanout 0 256x512\n");
	put_off_draw(t, 1);
}

void put_off_tear_down(struct put_off *t, gconstpointer data)
{
	gpu_fixture_tear_down(&t->f, data);
	g_free(t->image);
	g_free(t->canvas);
}

void put_off_send(struct put_off *t, struct flat_request *request, uint32_t id,
	const struct gpu_rect *rect, uint32_t flags)
{
	const uint64_t first = (uint64_t)rect->y * PUT_OFF_WIDTH + rect->x;
	const struct virtio_gpu_transfer_to_host_2d command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.hdr.flags = htole32(flags),
		.r = {htole32(rect->x), htole32(rect->y), htole32(rect->width),
			htole32(rect->height)},
		.offset = htole64(first * sizeof(uint32_t)),
		.resource_id = htole32(id),
	};

	gpu_fixture_send(&t->f, request, &command, sizeof(command));
}

void put_off_transfer(struct put_off *t, const struct gpu_rect *rect)
{
	const unsigned int before = t->f.renderer.transfers->len;

	put_off_send(t, &t->transfer, 1, rect, 0);
	g_assert_cmpuint(t->transfer.completed, ==, 0);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, before);
}

void put_off_flush(struct put_off *t, uint32_t id, const struct gpu_rect *rect)
{
	gpu_fixture_flush(&t->f, &t->next, id, rect);
}

void put_off_assert_both(const struct put_off *t)
{
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(flat_response(&t->next), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(t->transfer.order, <, t->next.order);
}

void put_off_assert_settled(const struct put_off *t)
{
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 1);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
}

void put_off_assert_bands(const struct put_off *t, uint32_t y, uint32_t end)
{
	const GArray *transfers = t->f.renderer.transfers;

	g_assert_cmpuint(transfers->len, ==, (end - y + PUT_OFF_BAND - 1) / PUT_OFF_BAND);
	for (guint i = 0; i < transfers->len; i++) {
		const struct gpu_rect *part = &g_array_index(transfers, struct gpu_rect, i);

		g_assert_cmpuint(part->y, ==, y);
		g_assert_cmpuint(part->height, ==, MIN(PUT_OFF_BAND, end - y));
		y += part->height;
	}
}

void put_off_assert_shown(
	const struct put_off *t, const struct gpu_rect *rect, const struct gpu_rect *origin)
{
	for (uint32_t y = rect->y; y < rect->y + rect->height; y++)
		g_assert_cmpmem(t->canvas + y * PUT_OFF_WIDTH + rect->x,
			rect->width * sizeof(uint32_t),
			t->guest + (y + origin->y) * PUT_OFF_WIDTH + rect->x + origin->x,
			rect->width * sizeof(uint32_t));
}
