/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The one way to wait, and what is waited with: stages, errors, ends that come early, parts.
 */
#include "gpu-fakes.h"
#include "gpu/command.h"
#include "gpu/fence.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/wait.h"

#include <errno.h>
#include <string.h>

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	gpu_fixture_set_up(f, NULL);
}

static unsigned int done_count, cancel_count;
static bool goes_on;

static enum gpu_verdict count_done(struct gpu_wait *wait)
{
	done_count++;
	return GPU_OK;
}

static enum gpu_verdict count_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	cancel_count++;
	return goes_on && reason != GPU_WAIT_STOPPED ? GPU_WAITS : GPU_ERR_UNSPEC;
}

static const struct gpu_wait_ops counting = {
	.holds_queue = true,
	.done = count_done,
	.cancel = count_cancel,
};

static enum gpu_verdict next_stage(struct gpu_wait *wait)
{
	gpu_wait_begin(wait, &counting, wait->resource);
	gpu_wait_add(wait);
	return gpu_wait_go(wait);
}

static const struct gpu_wait_ops first_of_two = {
	.holds_queue = true,
	.done = next_stage,
	.cancel = count_cancel,
};

static void reset_counts(void)
{
	done_count = cancel_count = 0;
	goes_on = false;
}

static void test_nothing_to_wait_for(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};

	reset_counts();
	gpu_wait_begin(&wait, &counting, NULL);
	g_assert_false(gpu_device_can_take(f->device));
	g_assert_cmpint(gpu_wait_go(&wait), ==, GPU_OK);
	g_assert_cmpuint(done_count, ==, 1);
	g_assert_true(gpu_device_can_take(f->device));
	g_assert_null(wait.ops);
}

static void test_all_have_to_come(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};

	reset_counts();
	gpu_wait_begin(&wait, &counting, NULL);
	gpu_wait_add(&wait);
	gpu_wait_add(&wait);
	g_assert_cmpint(gpu_wait_go(&wait), ==, GPU_WAITS);
	gpu_wait_arrived(&wait, -EIO);
	g_assert_cmpuint(done_count, ==, 0);
	g_assert_cmpuint(f->resumed, ==, 0);
	gpu_wait_arrived_last(&wait, -ENOMEM);
	g_assert_cmpuint(done_count, ==, 1);
	g_assert_cmpuint(f->resumed, ==, 1);
	/* The first error is kept. */
	g_assert_cmpint(wait.error, ==, -EIO);
}

static void test_stages(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};

	reset_counts();
	gpu_wait_begin(&wait, &first_of_two, NULL);
	gpu_wait_add(&wait);
	g_assert_cmpint(gpu_wait_go(&wait), ==, GPU_WAITS);
	gpu_wait_arrived(&wait, -EIO);
	g_assert_true(wait.ops == &counting);
	/* The second stage begins without the first one's error. */
	g_assert_cmpint(wait.error, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	gpu_wait_arrived(&wait, 0);
	g_assert_cmpuint(done_count, ==, 1);
	g_assert_true(gpu_device_can_take(f->device));
}

/* The resource is the same one, although the guest has destroyed it and made another. */
static void test_resource_is_kept(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};
	struct gpu_tracked_resource *resource;

	reset_counts();
	gpu_fixture_create_2d(f, 5, 8, 8);
	resource = gpu_resource_find(f->device, 5);
	gpu_wait_begin(&wait, &first_of_two, resource);
	gpu_wait_add(&wait);
	gpu_wait_go(&wait);
	gpu_fixture_unref(f, 5);
	gpu_fixture_create_2d(f, 5, 8, 8);
	g_assert_true(wait.resource == resource);
	g_assert_false(gpu_resource_find(f->device, 5) == resource);
	gpu_wait_arrived(&wait, 0);
	g_assert_true(wait.resource == resource);
	gpu_wait_arrived(&wait, 0);
	g_assert_null(wait.resource);
}

static void test_cancel(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};

	reset_counts();
	goes_on = true;
	gpu_wait_begin(&wait, &counting, NULL);
	gpu_wait_add(&wait);
	gpu_wait_go(&wait);
	gpu_waits_cancel(f->device, GPU_WAIT_MEMORY);
	g_assert_cmpuint(cancel_count, ==, 1);
	g_assert_nonnull(wait.ops);
	gpu_waits_cancel(f->device, GPU_WAIT_STOPPED);
	g_assert_cmpuint(cancel_count, ==, 2);
	g_assert_null(wait.ops);
	g_assert_cmpuint(done_count, ==, 0);
	g_assert_true(gpu_device_can_take(f->device));
}

/* A fence that signals for a wait that ended finds nobody. */
static void test_fence_forgets(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};

	reset_counts();
	gpu_wait_begin(&wait, &counting, NULL);
	gpu_fences_add_all(f->device->fences, &wait);
	g_assert_cmpint(gpu_wait_go(&wait), ==, GPU_WAITS);
	gpu_wait_cancel(&wait, GPU_WAIT_STOPPED);
	memset(&wait, 0xee, sizeof(wait));
	gpu_fixture_signal(f, 0);
	g_assert_cmpuint(done_count, ==, 0);
}

static void test_turn(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_wait wait = {.device = f->device};

	reset_counts();
	gpu_wait_begin(&wait, &counting, NULL);
	gpu_wait_add_turn(&wait);
	g_assert_cmpint(gpu_wait_go(&wait), ==, GPU_WAITS);
	gpu_fixture_iterate(f);
	g_assert_cmpuint(done_count, ==, 1);
	gpu_wait_begin(&wait, &counting, NULL);
	gpu_wait_add_turn(&wait);
	gpu_wait_go(&wait);
	gpu_wait_cancel(&wait, GPU_WAIT_STOPPED);
	gpu_fixture_iterate(f);
	g_assert_cmpuint(done_count, ==, 1);
}

/* A stop answers a flush early, whose fence is then waited for no longer either. */
static void test_stop_ends_both(struct gpu_fixture *f, gconstpointer data)
{
	struct virtio_gpu_resource_flush command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
		.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE),
		.r = {.width = htole32(8), .height = htole32(8)},
		.resource_id = htole32(1),
	};
	struct flat_request request;

	gpu_fixture_create_2d(f, 1, 8, 8);
	gpu_fixture_set_scanout(f, 0, 1, &(struct gpu_rect){0, 0, 8, 8});
	f->display.is_slow = true;
	gpu_fixture_send(f, &request, &command, sizeof(command));
	g_assert_cmpuint(f->renderer.fences->len, ==, 0);
	gpu_device_cancel(f->device);
	g_assert_cmpuint(f->renderer.fences->len, ==, 1);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_fixture_signal(f, 0);
	g_assert_cmpuint(request.completed, ==, 1);
}

/* 1 GiB is copied in parts of 1 MiB, 64 of them in a turn, and everything else has its turn in between. */
#define LARGE_WIDTH   16384
#define LARGE_HEIGHT  16384
#define PART_HEIGHT   16
#define PARTS_OF_TURN 64
#define BAND_HEIGHT   (PART_HEIGHT * PARTS_OF_TURN)

static void send_large_transfer(struct gpu_fixture *f, struct flat_request *request)
{
	const struct virtio_gpu_mem_entry entry = {
		.addr = htole64(1 << 20), .length = htole32(1u << 30)};
	const struct virtio_gpu_transfer_to_host_2d command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.r = {.width = htole32(LARGE_WIDTH), .height = htole32(LARGE_HEIGHT)},
		.resource_id = htole32(1),
	};

	gpu_fixture_add_memory(f, 1 << 20, 1u << 30);
	gpu_fixture_create_2d(f, 1, LARGE_WIDTH, LARGE_HEIGHT);
	g_assert_cmphex(gpu_fixture_attach(f, 1, &entry, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_fixture_send(f, request, &command, sizeof(command));
}

static void test_transfer_in_parts(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_large_transfer(f, &request);
	for (guint i = 1; i <= LARGE_HEIGHT / BAND_HEIGHT; i++) {
		g_assert_cmpuint(f->renderer.transfers->len, ==, i * PARTS_OF_TURN);
		g_assert_cmpuint(request.completed, ==, i == LARGE_HEIGHT / BAND_HEIGHT);
		g_main_context_iteration(f->context, FALSE);
	}
	for (guint i = 0; i < LARGE_HEIGHT / PART_HEIGHT; i++) {
		const struct gpu_rect *part =
			&g_array_index(f->renderer.transfers, struct gpu_rect, i);

		g_assert_cmpuint(part->y, ==, i * PART_HEIGHT);
		g_assert_cmpuint(part->height, ==, PART_HEIGHT);
		g_assert_cmpuint(part->width, ==, LARGE_WIDTH);
	}
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* Where a part takes long, a turn has fewer of them. */
static void test_transfer_takes_long(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	f->renderer.work_us = TURN_US / 2;
	send_large_transfer(f, &request);
	g_assert_cmpuint(f->renderer.transfers->len, ==, 2);
	g_main_context_iteration(f->context, FALSE);
	g_assert_cmpuint(f->renderer.transfers->len, ==, 4);
	gpu_fixture_iterate(f);
	g_assert_cmpuint(f->renderer.transfers->len, ==, LARGE_HEIGHT / PART_HEIGHT);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void test_transfer_is_stopped(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_large_transfer(f, &request);
	gpu_device_cancel(f->device);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_fixture_iterate(f);
	g_assert_cmpuint(f->renderer.transfers->len, ==, PARTS_OF_TURN);
}

static void test_transfer_loses_its_memory(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_large_transfer(f, &request);
	gpu_device_memory_changing(f->device);
	guest_memory_clear(f->memory);
	gpu_device_memory_changed(f->device);
	g_assert_cmpuint(request.completed, ==, 0);
	gpu_fixture_iterate(f);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	g_assert_cmpuint(f->renderer.transfers->len, ==, PARTS_OF_TURN);
}

static void test_flush_in_parts(struct gpu_fixture *f, gconstpointer data)
{
	const struct gpu_rect whole = {0, 0, LARGE_WIDTH, LARGE_HEIGHT};
	struct flat_request request;

	gpu_fixture_create_2d(f, 1, LARGE_WIDTH, LARGE_HEIGHT);
	f->renderer.work_us = TURN_US / 2;
	gpu_fixture_set_scanout(f, 0, 1, &whole);
	fake_display_expect(&f->display, "scanout 0 16384x16384\n");
	gpu_fixture_flush(f, &request, 1, &whole);
	fake_display_expect(&f->display, "update 0 0,0 16384x128\nupdate 0 0,128 16384x128\n");
	g_assert_cmpuint(request.completed, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	g_main_context_iteration(f->context, FALSE);
	fake_display_expect(&f->display, "update 0 0,256 16384x128\nupdate 0 0,384 16384x128\n");
	gpu_fixture_iterate(f);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_true(g_str_has_suffix(f->display.log->str, "update 0 0,16256 16384x128\n"));
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	ADD("/wait/nothing-to-wait-for", test_nothing_to_wait_for);
	ADD("/wait/all-have-to-come", test_all_have_to_come);
	ADD("/wait/stages", test_stages);
	ADD("/wait/resource-is-kept", test_resource_is_kept);
	ADD("/wait/cancel", test_cancel);
	ADD("/wait/fence-forgets", test_fence_forgets);
	ADD("/wait/turn", test_turn);
	ADD("/wait/stop-ends-both", test_stop_ends_both);
	ADD("/wait/transfer-in-parts", test_transfer_in_parts);
	ADD("/wait/transfer-takes-long", test_transfer_takes_long);
	ADD("/wait/transfer-is-stopped", test_transfer_is_stopped);
	ADD("/wait/transfer-loses-its-memory", test_transfer_loses_its_memory);
	ADD("/wait/flush-in-parts", test_flush_in_parts);
	return g_test_run();
}
