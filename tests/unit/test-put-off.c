/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Which transfers are put off until the flush that shows them, who has them done before, and how they
 * are answered. What the displays get is in test-put-off-shown.c.
 */
#include "put-off.h"

#include <errno.h>
#include <string.h>

/* Which are put off */

/* @data: what it is that a transfer of PUT_OFF_MIN_HEIGHT lines is not put off for. */
static const struct not_put_off {
	uint32_t height;
	uint32_t flags;
	bool is_last;
	bool has_no_image;
} not_put_off[] = {
	{.height = PUT_OFF_MIN_HEIGHT - 1},
	{.height = PUT_OFF_MIN_HEIGHT, .flags = VIRTIO_GPU_FLAG_FENCE},
	{.height = PUT_OFF_MIN_HEIGHT, .is_last = true},
	{.height = PUT_OFF_MIN_HEIGHT, .has_no_image = true},
};

static void test_not_put_off(struct put_off *t, gconstpointer data)
{
	const struct not_put_off *what = data;

	if (what->has_no_image) {
		t->f.renderer.image = NULL;
		t->f.renderer.copies = false;
	}
	t->f.has_next = !what->is_last;
	put_off_send(t, &t->transfer, 1, &(struct gpu_rect){0, 0, PUT_OFF_WIDTH, what->height},
		what->flags);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 1);
	if (what->flags & VIRTIO_GPU_FLAG_FENCE)
		gpu_fixture_signal(&t->f, 0);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void test_shortest(struct put_off *t, gconstpointer data)
{
	put_off_transfer(t, &(struct gpu_rect){0, 0, PUT_OFF_WIDTH, PUT_OFF_MIN_HEIGHT});
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_bands(t, 0, PUT_OFF_MIN_HEIGHT);
	put_off_assert_shown(
		t, &(struct gpu_rect){0, 0, PUT_OFF_WIDTH, PUT_OFF_MIN_HEIGHT}, &put_off_whole);
}

/* What takes more than a turn is not: 40 MiB are the longest. */
static void test_longest(struct put_off *t, gconstpointer data)
{
	const struct virtio_gpu_mem_entry entry = {
		.addr = htole64(UINT64_C(1) << 30), .length = htole32(16384 * 641 * 4)};

	t->f.renderer.copies = false;
	gpu_fixture_add_memory(&t->f, UINT64_C(1) << 30, 16384 * 641 * 4);
	g_assert_cmphex(gpu_fixture_create_2d(&t->f, 2, 16384, 641), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_attach(&t->f, 2, &entry, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	put_off_send(t, &t->transfer, 2, &(struct gpu_rect){0, 0, 16384, 641}, 0);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_array_set_size(t->f.renderer.transfers, 0);
	put_off_send(t, &t->transfer, 2, &(struct gpu_rect){0, 0, 16384, 640}, 0);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 0);
	gpu_device_settle(t->f.device);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 1);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* Who has it done at once */

/* Zeros behind the type: most are refused, which changes nothing. */
static void settle_by(struct put_off *t, uint32_t type)
{
	const union {
		struct virtio_gpu_ctrl_hdr hdr;
		uint8_t bytes[512];
	} command = {.hdr.type = htole32(type)};

	g_array_set_size(t->f.renderer.transfers, 0);
	put_off_draw(t, type);
	put_off_transfer(t, &put_off_whole);
	if (type == VIRTIO_GPU_CMD_UPDATE_CURSOR || type == VIRTIO_GPU_CMD_MOVE_CURSOR)
		gpu_fixture_send_cursor(&t->f, &t->next, &command, sizeof(command));
	else
		gpu_fixture_send(&t->f, &t->next, &command, sizeof(command));
	put_off_assert_settled(t);
	if (t->next.completed > 0)
		g_assert_cmpuint(t->transfer.order, <, t->next.order);
	/* Some wait for the display. */
	gpu_device_cancel(t->f.device);
	g_assert_cmpuint(t->next.completed, ==, 1);
}

static void test_any_command(struct put_off *t, gconstpointer data)
{
	for (uint32_t type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
		type <= VIRTIO_GPU_CMD_SET_SCANOUT_BLOB; type++)
		if (type != VIRTIO_GPU_CMD_SET_SCANOUT && type != VIRTIO_GPU_CMD_RESOURCE_FLUSH)
			settle_by(t, type);
	for (uint32_t type = VIRTIO_GPU_CMD_CTX_CREATE; type <= VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB;
		type++)
		settle_by(t, type);
	settle_by(t, VIRTIO_GPU_CMD_UPDATE_CURSOR);
	settle_by(t, VIRTIO_GPU_CMD_MOVE_CURSOR);
	settle_by(t, 0xdead);
}

/* @data: called with the device. */
static void test_call(struct put_off *t, gconstpointer data)
{
	void (*const call)(struct gpu_device * device) =
		*(void (*const *)(struct gpu_device *))data;

	put_off_transfer(t, &put_off_whole);
	call(t->f.device);
	put_off_assert_settled(t);
	gpu_device_settle(t->f.device);
	g_assert_cmpuint(t->transfer.completed, ==, 1);
}

static void (*const calls[])(struct gpu_device *device) = {
	gpu_device_settle,
	gpu_device_cancel,
	gpu_device_reset,
	gpu_device_memory_changing,
};

static void test_nothing_put_off(struct put_off *t, gconstpointer data)
{
	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
		calls[i](t->f.device);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 0);
}

/* The backing that it reads goes only after it. */
static void test_backing_goes(struct put_off *t, gconstpointer data)
{
	const struct virtio_gpu_resource_detach_backing command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING),
		.resource_id = htole32(1),
	};

	put_off_transfer(t, &put_off_whole);
	gpu_fixture_send(&t->f, &t->next, &command, sizeof(command));
	put_off_assert_settled(t);
	put_off_assert_both(t);
}

/* And the resource. */
static void test_resource_goes(struct put_off *t, gconstpointer data)
{
	put_off_transfer(t, &put_off_whole);
	g_assert_cmphex(gpu_fixture_unref(&t->f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	put_off_assert_settled(t);
	g_assert_cmpuint(t->f.renderer.resources, ==, 0);
	put_off_flush(t, 1, &put_off_whole);
	g_assert_cmphex(flat_response(&t->next), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmpuint(t->transfer.completed, ==, 1);
}

static void test_resource_goes_after_its_flush(struct put_off *t, gconstpointer data)
{
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	g_assert_cmphex(gpu_fixture_unref(&t->f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(t->f.renderer.resources, ==, 0);
	/* The number is free, for one of which nothing was put off. */
	g_array_set_size(t->f.renderer.transfers, 0);
	put_off_create_backed(t, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
	put_off_show(t, 0, 1, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, 0);
}

/* One is put off at a time. */
static void test_second_transfer(struct put_off *t, gconstpointer data)
{
	struct flat_request second;

	put_off_transfer(t, &put_off_whole);
	put_off_send(t, &second, 1, &put_off_whole, 0);
	put_off_assert_settled(t);
	g_assert_cmpuint(second.completed, ==, 0);
	put_off_draw(t, 2);
	g_array_set_size(t->f.renderer.transfers, 0);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	g_assert_cmphex(flat_response(&second), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(second.order, <, t->next.order);
	put_off_assert_bands(t, 0, PUT_OFF_HEIGHT);
	put_off_assert_shown(t, &put_off_whole, &put_off_whole);
}

/* Page flips come in between. */
static void test_set_scanout(struct put_off *t, gconstpointer data)
{
	const struct gpu_rect part = {100, 200, 100, 250};

	put_off_transfer(t, &put_off_whole);
	put_off_show(t, 0, 1, &part);
	put_off_show(t, 0, 1, &put_off_whole);
	put_off_show(t, 0, 1, &part);
	g_assert_cmpuint(t->transfer.completed, ==, 0);
	put_off_draw(t, 2);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	g_assert_cmpuint(t->f.display.fetches, ==, 3);
	put_off_assert_shown(t, &(struct gpu_rect){0, 0, part.width, part.height}, &part);
	g_assert_cmpmem(t->image, PUT_OFF_LEN, t->guest, PUT_OFF_LEN);
}

static void send_scanout(struct put_off *t, uint32_t flags, size_t len)
{
	const struct virtio_gpu_set_scanout command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_SET_SCANOUT),
		.hdr.flags = htole32(flags),
	};

	gpu_fixture_send(&t->f, &t->next, &command, len);
}

/* A fence says that all before it is done, and nothing comes behind the last request. */
static void test_end(struct put_off *t, gconstpointer data)
{
	put_off_transfer(t, &put_off_whole);
	send_scanout(t, VIRTIO_GPU_FLAG_FENCE, sizeof(struct virtio_gpu_set_scanout));
	put_off_assert_settled(t);
	g_assert_cmpuint(t->f.renderer.transfers_before, ==, 1);
	g_assert_cmpuint(t->next.completed, ==, 0);
	gpu_fixture_signal(&t->f, 0);
	put_off_assert_both(t);

	/* A handler, or none: a request without its header, or that is too short. */
	for (size_t len = 1; len <= sizeof(struct virtio_gpu_set_scanout); len++) {
		g_array_set_size(t->f.renderer.transfers, 0);
		t->f.has_next = true;
		put_off_transfer(t, &put_off_whole);
		t->f.has_next = false;
		send_scanout(t, 0, len);
		put_off_assert_settled(t);
		g_assert_cmpuint(t->next.completed, ==, 1);
		g_assert_cmpuint(t->transfer.order, <, t->next.order);
	}
}

static void test_fenced_flush(struct put_off *t, gconstpointer data)
{
	const struct virtio_gpu_resource_flush command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
		.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE),
		.r = {.width = htole32(PUT_OFF_WIDTH), .height = htole32(PUT_OFF_HEIGHT)},
		.resource_id = htole32(1),
	};

	put_off_transfer(t, &put_off_whole);
	gpu_fixture_send(&t->f, &t->next, &command, sizeof(command));
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(t->next.completed, ==, 0);
	gpu_fixture_signal(&t->f, 0);
	put_off_assert_both(t);
	put_off_assert_bands(t, 0, PUT_OFF_HEIGHT);
}

/* Errors */

/* A flush that is refused still has it done, and so has one of nothing that is shown. */
static void test_bad_flush(struct put_off *t, gconstpointer data)
{
	const struct {
		uint32_t id;
		struct gpu_rect rect;
		uint32_t response;
	} cases[] = {
		{1, {0, 1, PUT_OFF_WIDTH, PUT_OFF_HEIGHT}, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER},
		{1, {PUT_OFF_WIDTH, 0, 1, 1}, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER},
		{9, {0, 0, PUT_OFF_WIDTH, PUT_OFF_HEIGHT}, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID},
		{2, {0, 0, PUT_OFF_WIDTH, PUT_OFF_HEIGHT}, VIRTIO_GPU_RESP_OK_NODATA},
	};

	put_off_create(t, 2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_array_set_size(t->f.renderer.transfers, 0);
		put_off_draw(t, 20 + i);
		put_off_transfer(t, &put_off_whole);
		put_off_flush(t, cases[i].id, &cases[i].rect);
		g_assert_cmphex(flat_response(&t->next), ==, cases[i].response);
		put_off_assert_settled(t);
		g_assert_cmpuint(t->transfer.order, <, t->next.order);
	}
}

/* The renderer's error in a part is the transfer's, and ends it; @data: parts that are good. */
static void test_renderer_fails(struct put_off *t, gconstpointer data)
{
	const unsigned int good = GPOINTER_TO_UINT(data);

	t->f.renderer.transfer_error = -EINVAL;
	t->f.renderer.transfers_good = good;
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(flat_response(&t->next), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(t->f.renderer.transfers->len, ==, good + 1);
	/* The next one does not inherit it. */
	t->f.renderer.transfer_error = 0;
	put_off_transfer(t, &put_off_whole);
	put_off_flush(t, 1, &put_off_whole);
	put_off_assert_both(t);
	put_off_assert_shown(t, &put_off_whole, &put_off_whole);
}

/* With no flush either. */
static void test_renderer_fails_alone(struct put_off *t, gconstpointer data)
{
	t->f.renderer.transfer_error = -ENOMEM;
	put_off_transfer(t, &put_off_whole);
	gpu_device_settle(t->f.device);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
}

/* The end of the device answers it. @data: after a cancel? What it held is the sanitizer's to say. */
static void test_destroyed(gconstpointer data)
{
	struct put_off *t = g_new0(struct put_off, 1);

	put_off_set_up(t, NULL);
	put_off_transfer(t, &put_off_whole);
	if (GPOINTER_TO_INT(data))
		gpu_device_cancel(t->f.device);
	put_off_tear_down(t, NULL);
	g_assert_cmphex(flat_response(&t->transfer), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_free(t);
}

#define ADD(name, data, test)                                                                      \
	g_test_add("/put-off/" name, struct put_off, data, put_off_set_up, test, put_off_tear_down)

static void add_which(void)
{
	ADD("which/short", &not_put_off[0], test_not_put_off);
	ADD("which/fenced", &not_put_off[1], test_not_put_off);
	ADD("which/last", &not_put_off[2], test_not_put_off);
	ADD("which/no-image", &not_put_off[3], test_not_put_off);
	ADD("which/shortest", NULL, test_shortest);
	ADD("which/longest", NULL, test_longest);
}

static void add_settled(void)
{
	ADD("settled/any-command", NULL, test_any_command);
	ADD("settled/settle", &calls[0], test_call);
	ADD("settled/cancel", &calls[1], test_call);
	ADD("settled/reset", &calls[2], test_call);
	ADD("settled/memory-changing", &calls[3], test_call);
	ADD("settled/nothing", NULL, test_nothing_put_off);
	ADD("settled/backing-goes", NULL, test_backing_goes);
	ADD("settled/resource-goes", NULL, test_resource_goes);
	ADD("settled/resource-goes-after", NULL, test_resource_goes_after_its_flush);
	ADD("settled/second-transfer", NULL, test_second_transfer);
	ADD("settled/set-scanout", NULL, test_set_scanout);
	ADD("settled/end", NULL, test_end);
	ADD("settled/fenced-flush", NULL, test_fenced_flush);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	add_which();
	add_settled();
	ADD("bad-flush", NULL, test_bad_flush);
	ADD("renderer-fails/first", GUINT_TO_POINTER(0), test_renderer_fails);
	ADD("renderer-fails/second", GUINT_TO_POINTER(1), test_renderer_fails);
	ADD("renderer-fails/alone", NULL, test_renderer_fails_alone);
	g_test_add_data_func("/put-off/destroyed", GINT_TO_POINTER(false), test_destroyed);
	g_test_add_data_func(
		"/put-off/cancelled-and-destroyed", GINT_TO_POINTER(true), test_destroyed);
	return g_test_run();
}
