/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the tests of transfers that are put off share: a picture in the guest's memory, its resource, and
 * a display that fetches it.
 *
 * Requests say here that another one follows, the last ones too, so that nothing is done only because
 * they end.
 */
#pragma once

#include "gpu-fakes.h"

#define PUT_OFF_WIDTH  256
#define PUT_OFF_HEIGHT 512
#define PUT_OFF_LEN    (PUT_OFF_WIDTH * PUT_OFF_HEIGHT * sizeof(uint32_t))

/** So many whole lines are just long enough. */
#define PUT_OFF_MIN_HEIGHT 256

/** So many lines the display fetches together. */
#define PUT_OFF_BAND 100

/**
 * struct put_off - A device, and what it shows
 * @guest: the resource's pixels in the guest's memory
 * @image: the same in the renderer's
 * @canvas: what the display shows
 * @transfer: the request that is put off
 * @next: the one behind it
 */
struct put_off {
	struct gpu_fixture f;
	uint32_t *guest;
	uint32_t *image;
	uint32_t *canvas;
	struct flat_request transfer;
	struct flat_request next;
};

/** The picture's rectangle */
extern const struct gpu_rect put_off_whole;

/** put_off_set_up() - Resource 1 is shown as a whole on scanout 0. */
void put_off_set_up(struct put_off *t, gconstpointer data);
void put_off_tear_down(struct put_off *t, gconstpointer data);

/** put_off_draw() - Another picture in the guest's memory. */
void put_off_draw(struct put_off *t, uint32_t seed);

/** put_off_create() - A resource of the picture's size. Return: the response code. */
uint32_t put_off_create(struct put_off *t, uint32_t id, uint32_t format);

/** put_off_create_backed() - One whose backing is the picture, in elements that end inside lines. */
void put_off_create_backed(struct put_off *t, uint32_t id, uint32_t format);

/** put_off_show() - SET_SCANOUT */
void put_off_show(struct put_off *t, uint32_t scanout_id, uint32_t id, const struct gpu_rect *rect);

/** put_off_send() - Send a transfer, whatever becomes of it. */
void put_off_send(struct put_off *t, struct flat_request *request, uint32_t id,
	const struct gpu_rect *rect, uint32_t flags);

/** put_off_transfer() - Send one to resource 1, which has to be put off. */
void put_off_transfer(struct put_off *t, const struct gpu_rect *rect);

/** put_off_flush() - Send a flush as @t->next. */
void put_off_flush(struct put_off *t, uint32_t id, const struct gpu_rect *rect);

/** put_off_assert_both() - Both were answered, and in the order in which they were sent. */
void put_off_assert_both(const struct put_off *t);

/** put_off_assert_settled() - The transfer was done as a whole, and answered. */
void put_off_assert_settled(const struct put_off *t);

/** put_off_assert_bands() - Lines @y to @end were transferred once, as the display fetches them. */
void put_off_assert_bands(const struct put_off *t, uint32_t y, uint32_t end);

/** put_off_assert_shown() - @rect of the canvas, which is at @origin of the picture, is the guest's. */
void put_off_assert_shown(
	const struct put_off *t, const struct gpu_rect *rect, const struct gpu_rect *origin);
