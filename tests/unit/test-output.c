/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Scanouts and the displays that look at them: what each is told, what it is sent, and when a flush
 * is answered.
 */
#include "gpu-fakes.h"
#include "util/turn.h"

#include <errno.h>
#include <string.h>

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	gpu_fixture_set_up(f, NULL);
	f->renderer.image = g_malloc0(64 * 32 * 4);
	f->renderer.image_stride = 64 * 4;
	g_assert_cmphex(gpu_fixture_create_2d(f, 1, 64, 32), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void tear_down(struct gpu_fixture *f, gconstpointer data)
{
	void *image = f->renderer.image;

	gpu_fixture_tear_down(f, data);
	g_free(image);
}

static const struct gpu_rect whole = {0, 0, 64, 32};

static void show_whole(struct gpu_fixture *f)
{
	g_assert_cmphex(gpu_fixture_set_scanout(f, 0, 1, &whole), ==, VIRTIO_GPU_RESP_OK_NODATA);
	fake_display_expect(&f->display, "scanout 0 64x32\n");
}

static void flush_now(struct gpu_fixture *f, const struct gpu_rect *rect)
{
	struct flat_request request;

	gpu_fixture_flush(f, &request, 1, rect);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* Damage is cut to what is shown, and moves by where that begins. */
static void test_damage(struct gpu_fixture *f, gconstpointer data)
{
	const struct gpu_rect part = {10, 5, 20, 10};
	uint32_t *image = f->renderer.image;

	image[7 * 64 + 12] = 0xabcdef;
	image[14 * 64 + 29] = 0x123456;
	flush_now(f, &whole);
	fake_display_expect(&f->display, "");
	g_assert_cmphex(gpu_fixture_set_scanout(f, 2, 1, &part), ==, VIRTIO_GPU_RESP_OK_NODATA);
	fake_display_expect(&f->display, "scanout 2 20x10\n");
	flush_now(f, &(struct gpu_rect){12, 7, 40, 20});
	fake_display_expect(&f->display, "update 2 2,2 18x8\n");
	g_assert_cmphex(f->display.first_pixel, ==, 0xabcdef);
	g_assert_cmphex(f->display.last_pixel, ==, 0x123456);
	flush_now(f, &(struct gpu_rect){0, 0, 10, 32});
	flush_now(f, &(struct gpu_rect){0, 0, 0, 0});
	fake_display_expect(&f->display, "");
}

static void test_two_outputs_of_one_resource(struct gpu_fixture *f, gconstpointer data)
{
	show_whole(f);
	gpu_fixture_set_scanout(f, 1, 1, &(struct gpu_rect){32, 0, 32, 32});
	fake_display_expect(&f->display, "scanout 1 32x32\n");
	flush_now(f, &(struct gpu_rect){16, 0, 32, 1});
	fake_display_expect(&f->display, "update 0 16,0 32x1\nupdate 1 0,0 16x1\n");
	g_assert_cmphex(gpu_fixture_unref(f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	fake_display_expect(&f->display, "scanout 0 0x0\nscanout 1 0x0\n");
}

static void test_bad_scanouts(struct gpu_fixture *f, gconstpointer data)
{
	g_assert_cmphex(gpu_fixture_set_scanout(f, 16, 1, &whole), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
	g_assert_cmphex(gpu_fixture_set_scanout(f, 0, 9, &whole), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmphex(gpu_fixture_set_scanout(f, 0, 1, &(struct gpu_rect){0, 0, 65, 32}), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	g_assert_cmphex(gpu_fixture_set_scanout(f, 0, 1, &(struct gpu_rect){0, 0, 0, 32}), ==,
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	fake_display_expect(&f->display, "");
}

/* A flush is answered when every display has taken it; the queue stands still until then. */
static void test_every_display(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display slow, looker;
	struct flat_request request;

	fake_display_init(&slow);
	fake_display_init(&looker);
	slow.is_slow = true;
	looker.base.wants_pixels = false;
	show_whole(f);
	gpu_device_add_display(f->device, &looker.base);
	fake_display_expect(&looker, "scanout 0 64x32\n");
	gpu_device_add_display(f->device, &slow.base);
	/* What is shown is sent to the new one, and holds the queue until it has taken it. */
	fake_display_expect(&slow, "scanout 0 64x32\nupdate 0 0,0 64x32\n");
	g_assert_false(gpu_device_can_take(f->device));
	fake_display_answer(&slow, 0);
	g_assert_true(gpu_device_can_take(f->device));

	gpu_fixture_flush(f, &request, 1, &whole);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	fake_display_expect(&slow, "update 0 0,0 64x32\n");
	fake_display_expect(&looker, "");
	g_assert_cmpuint(request.completed, ==, 0);
	fake_display_answer(&slow, -ECONNRESET);
	/* A display that went away is no error of the guest's. */
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);

	/* One that goes gives up what is in flight to it; the other stays. */
	gpu_fixture_flush(f, &request, 1, &whole);
	gpu_device_remove_display(f->device, &slow.base);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(slow.pending->len, ==, 0);
	gpu_device_remove_display(f->device, &looker.base);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	flush_now(f, &whole);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	fake_display_finish(&slow);
	fake_display_finish(&looker);
}

/* Pixels that have to be read back are read once, however many displays there are. */
static void test_read_once(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display second;
	void *image = f->renderer.image;

	fake_display_init(&second);
	f->renderer.image = NULL;
	show_whole(f);
	gpu_device_add_display(f->device, &second.base);
	f->renderer.reads = 0;
	flush_now(f, &whole);
	g_assert_cmpuint(f->renderer.reads, ==, 1);
	gpu_device_remove_display(f->device, &second.base);
	fake_display_finish(&second);
	f->renderer.image = image;
}

/* A display that is not ready is told nothing, and everything once it is. */
static void test_not_ready(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display late;

	fake_display_init(&late);
	late.base.ready = false;
	show_whole(f);
	gpu_device_add_display(f->device, &late.base);
	g_assert_false(gpu_device_can_take(f->device));
	gpu_fixture_set_scanout(f, 1, 1, &whole);
	flush_now(f, &whole);
	fake_display_expect(&late, "");
	late.base.ready = true;
	gpu_device_display_ready(f->device, &late.base);
	fake_display_expect(&late,
		"scanout 0 64x32\nupdate 0 0,0 64x32\nscanout 1 64x32\nupdate 1 0,0 64x32\n");
	g_assert_true(gpu_device_can_take(f->device));
	gpu_device_remove_display(f->device, &late.base);
	fake_display_finish(&late);
}

/* Each display reads a dma-buf or is sent pixels, as it can. */
static void test_dmabuf_for_one(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display second;
	struct flat_request request;

	fake_display_init(&second);
	second.base.accepts_dmabuf = true;
	f->renderer.dmabuf_error = 0;
	gpu_device_add_display(f->device, &second.base);
	show_whole(f);
	fake_display_expect(&second, "dmabuf 0 64x32\n");
	/* The renderer has to have drawn before. */
	gpu_fixture_flush(f, &request, 1, &whole);
	fake_display_expect(&f->display, "");
	g_assert_cmpuint(request.completed, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	gpu_fixture_signal(f, 0);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	fake_display_expect(&second, "flush 0 0,0 64x32\n");
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);

	/* And then none any more: it gets pixels. */
	f->renderer.dmabuf_error = -ENOTSUP;
	gpu_fixture_set_scanout(f, 0, 1, &whole);
	fake_display_expect(&second, "scanout 0 64x32\n");
	gpu_device_remove_display(f->device, &second.base);
	fake_display_finish(&second);
}

/* The newest display that says what the outputs are is asked. */
static void test_who_is_asked(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {
		.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};
	struct display_ops ops = {.scanout = NULL};
	struct display looker = {.ops = &ops, .ready = true};
	struct fake_display second;
	struct flat_request request;

	fake_display_init(&second);
	gpu_device_add_display(f->device, &second.base);
	gpu_device_add_display(f->device, &looker);
	gpu_fixture_send(f, &request, &command, sizeof(command));
	g_assert_cmpuint(f->display.pending->len, ==, 0);
	fake_display_answer(&second, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	/* One without any hook is a display too. */
	show_whole(f);
	flush_now(f, &whole);
	gpu_device_remove_display(f->device, &looker);
	gpu_device_remove_display(f->device, &second.base);
	fake_display_finish(&second);
	gpu_fixture_send(f, &request, &command, sizeof(command));
	fake_display_answer(&f->display, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	gpu_device_remove_display(f->device, &f->display.base);
	gpu_fixture_send(f, &request, &command, sizeof(command));
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
}

/* The guest's memory goes while a display still reads: the display copies, the guest is answered. */
static void test_memory_goes(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	show_whole(f);
	f->display.is_slow = true;
	gpu_fixture_flush(f, &request, 1, &whole);
	g_assert_cmpuint(request.completed, ==, 0);
	gpu_device_memory_changing(f->device);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(f->display.pending->len, ==, 0);
	gpu_device_memory_changed(f->device);
	g_assert_true(gpu_device_can_take(f->device));
}

/* What a display had not begun when the memory changed is shown when that is over. */
static void test_memory_goes_too_early(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	show_whole(f);
	f->display.is_slow = true;
	f->display.is_lossy = true;
	gpu_fixture_flush(f, &request, 1, &whole);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	gpu_device_memory_changing(f->device);
	g_assert_cmpuint(f->display.pending->len, ==, 0);
	gpu_device_memory_changed(f->device);
	g_assert_cmpuint(request.completed, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	gpu_fixture_iterate(f);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	fake_display_answer(&f->display, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_true(gpu_device_can_take(f->device));
}

/* So is what was not begun on one display when another one goes. */
static void test_display_goes_too_early(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display second;
	struct flat_request request;

	fake_display_init(&second);
	show_whole(f);
	gpu_device_add_display(f->device, &second.base);
	f->display.is_slow = true;
	f->display.is_lossy = true;
	gpu_fixture_flush(f, &request, 1, &whole);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	gpu_device_remove_display(f->device, &second.base);
	gpu_fixture_iterate(f);
	fake_display_expect(&f->display, "update 0 0,0 64x32\n");
	fake_display_answer(&f->display, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	fake_display_finish(&second);
}

/* Reading what is shown for a display that becomes ready takes as many turns as it takes. */
static void make_late(struct gpu_fixture *f, struct fake_display *late)
{
	fake_display_init(late);
	late->base.ready = false;
	g_clear_pointer(&f->renderer.image, g_free);
	f->renderer.work_us = TURN_US;
	show_whole(f);
	gpu_fixture_set_scanout(f, 1, 1, &whole);
	gpu_device_add_display(f->device, &late->base);
	late->base.ready = true;
	gpu_device_display_ready(f->device, &late->base);
}

static void test_shown_in_turns(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display late;

	make_late(f, &late);
	fake_display_expect(&late, "scanout 0 64x32\nupdate 0 0,0 64x32\n");
	g_assert_false(gpu_device_can_take(f->device));
	gpu_fixture_iterate(f);
	fake_display_expect(&late, "scanout 1 64x32\nupdate 1 0,0 64x32\n");
	g_assert_true(gpu_device_can_take(f->device));
	gpu_device_remove_display(f->device, &late.base);
	fake_display_finish(&late);
}

/* A stop of the queue does not end it, a reset and the display's end do. */
static void test_shown_after_a_stop(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display late;

	make_late(f, &late);
	late.is_slow = true;
	gpu_device_cancel(f->device);
	gpu_fixture_iterate(f);
	fake_display_expect(&late,
		"scanout 0 64x32\nupdate 0 0,0 64x32\nscanout 1 64x32\nupdate 1 0,0 64x32\n");
	gpu_device_display_ready(f->device, &late.base);
	gpu_device_reset(f->device);
	gpu_fixture_iterate(f);
	g_assert_cmpuint(late.pending->len, ==, 0);
	g_assert_true(gpu_device_can_take(f->device));
	gpu_device_remove_display(f->device, &late.base);
	fake_display_finish(&late);
}

static void test_gone_while_shown(struct gpu_fixture *f, gconstpointer data)
{
	struct fake_display late;

	make_late(f, &late);
	gpu_device_remove_display(f->device, &late.base);
	fake_display_expect(&late, "scanout 0 64x32\nupdate 0 0,0 64x32\n");
	gpu_fixture_iterate(f);
	fake_display_expect(&late, "");
	g_assert_true(gpu_device_can_take(f->device));
	fake_display_finish(&late);
}

#define ADD(path, test) g_test_add(path, struct gpu_fixture, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	ADD("/output/damage", test_damage);
	ADD("/output/two-outputs-of-one-resource", test_two_outputs_of_one_resource);
	ADD("/output/bad-scanouts", test_bad_scanouts);
	ADD("/output/every-display", test_every_display);
	ADD("/output/read-once", test_read_once);
	ADD("/output/not-ready", test_not_ready);
	ADD("/output/dmabuf-for-one", test_dmabuf_for_one);
	ADD("/output/who-is-asked", test_who_is_asked);
	ADD("/output/memory-goes", test_memory_goes);
	ADD("/output/memory-goes-too-early", test_memory_goes_too_early);
	ADD("/output/display-goes-too-early", test_display_goes_too_early);
	ADD("/output/shown-in-turns", test_shown_in_turns);
	ADD("/output/shown-after-a-stop", test_shown_after_a_stop);
	ADD("/output/gone-while-shown", test_gone_while_shown);
	return g_test_run();
}
