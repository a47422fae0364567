/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Turns: the budget itself, and lists of the guest's pages that take more than one.
 */
#include "gpu-fakes.h"
#include "gpu/paging.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "util/source.h"
#include "util/turn.h"

#define MEMORY_GPA UINT64_C(0x100000)
#define PAGE	   4096u

/* Of a list that takes several turns when each look at the clock takes half of one. */
#define MANY 20000u

static gint64 now_us;

static gint64 get_now(void)
{
	return now_us;
}

static void test_ends_by_time(void)
{
	struct turn turn = {.now_us = get_now};

	turn_begin(&turn);
	turn_charge(&turn, 1);
	g_assert_false(turn_is_over(&turn));
	now_us += TURN_US;
	turn_charge(&turn, 1);
	g_assert_true(turn_is_over(&turn));
	turn_begin(&turn);
	turn_charge(&turn, 1);
	g_assert_false(turn_is_over(&turn));
}

static void test_ends_by_bytes(void)
{
	struct turn turn = {.now_us = get_now};

	turn_begin(&turn);
	turn_charge(&turn, TURN_LEN - 1);
	g_assert_false(turn_is_over(&turn));
	turn_charge(&turn, UINT64_MAX);
	g_assert_true(turn_is_over(&turn));
	g_assert_true(turn_is_over(&turn));
}

/* Work that charges nothing is looked at once in a while. */
static void test_cheap_work(void)
{
	struct turn turn = {.now_us = get_now};
	unsigned int count = 0;

	turn_begin(&turn);
	now_us += TURN_US;
	while (!turn_is_over(&turn))
		count++;
	g_assert_cmpuint(count, >, 1);
	g_assert_cmpuint(count, <, 256);
}

/* All work of one round of the main loop shares a turn. */
static gboolean work_in_round(gpointer opaque)
{
	struct turn *turn = opaque;

	turn_begin(turn);
	turn_charge(turn, TURN_LEN / 2);
	return G_SOURCE_REMOVE;
}

static void test_one_for_a_round(void)
{
	GMainContext *context = g_main_context_new();
	struct turn turn = {.now_us = get_now};
	GSource *first, *second;

	g_assert_cmpint(source_epoll_begin(context), ==, 0);
	first = source_add_idle(context, work_in_round, &turn);
	second = source_add_idle(context, work_in_round, &turn);
	g_main_context_iteration(context, FALSE);
	g_assert_true(turn_is_over(&turn));
	source_clear(&first);
	first = source_add_idle(context, work_in_round, &turn);
	g_main_context_iteration(context, FALSE);
	g_assert_false(turn_is_over(&turn));
	source_clear(&first);
	source_clear(&second);
	source_epoll_end();
	g_main_context_unref(context);
}

static void test_no_turn(void)
{
	turn_charge(NULL, TURN_LEN);
	g_assert_false(turn_is_over(NULL));
}

/* Lists */

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	gpu_fixture_set_up(f, NULL);
	gpu_fixture_add_memory(f, MEMORY_GPA, 2 * PAGE);
	gpu_fixture_create_2d(f, 1, 64, 64);
	gpu_fixture_set_tick(TURN_US / 2);
}

/* Every other page, so that no two entries become one. */
static struct virtio_gpu_mem_entry *make_entries(unsigned int count)
{
	struct virtio_gpu_mem_entry *entries = g_new0(struct virtio_gpu_mem_entry, count);

	for (unsigned int i = 0; i < count; i++) {
		entries[i].addr = htole64(MEMORY_GPA + i % 2 * PAGE);
		entries[i].length = htole32(16);
	}
	return entries;
}

static void *make_attach(size_t *ret_len)
{
	const struct virtio_gpu_resource_attach_backing head = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
		.resource_id = htole32(1),
		.nr_entries = htole32(MANY),
	};
	g_autofree struct virtio_gpu_mem_entry *entries = make_entries(MANY);
	uint8_t *command = g_malloc(sizeof(head) + MANY * sizeof(*entries));

	*ret_len = sizeof(head) + MANY * sizeof(*entries);
	memcpy(command, &head, sizeof(head));
	memcpy(command + sizeof(head), entries, MANY * sizeof(*entries));
	return command;
}

/* Sends a list that is not done with in its first turn. Return: the command, to be freed at the end. */
static void *begin_attach(struct gpu_fixture *f, struct flat_request *request)
{
	size_t len;
	void *command = make_attach(&len);

	gpu_fixture_send(f, request, command, len);
	g_assert_cmpuint(request->completed, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	g_assert_true(gpu_device_can_take_cursor(f->device));
	return command;
}

static void assert_pages(struct gpu_fixture *f, unsigned int count)
{
	const struct gpu_resource *base = &gpu_resource_find(f->device, 1)->base;

	g_assert_cmpuint(base->iov_count, ==, count);
	g_assert_cmpuint(base->backing_len, ==, count * 16);
	for (unsigned int i = 0; i < count; i++) {
		g_assert_true(base->iov[i].iov_base ==
			      guest_memory_at_gpa(f->memory, MEMORY_GPA + i % 2 * PAGE, 16));
		g_assert_cmpuint(base->iov_starts[i], ==, i * 16);
	}
}

static void test_attach(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;
	g_autofree void *command G_GNUC_UNUSED = begin_attach(f, &request);
	unsigned int rounds = 0;

	while (request.completed == 0 && rounds++ < MANY)
		g_main_context_iteration(f->context, FALSE);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(rounds, >, 2);
	assert_pages(f, MANY);
	g_assert_true(gpu_device_can_take(f->device));
}

static void test_attach_is_stopped(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;
	g_autofree void *command G_GNUC_UNUSED = begin_attach(f, &request);
	const uint64_t used = f->device->hostmem_used;

	gpu_device_cancel(f->device);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_fixture_iterate(f);
	g_assert_cmpuint(f->device->hostmem_used, ==, used);
	g_assert_null(gpu_resource_find(f->device, 1)->base.iov);
}

/* What was looked up before the table changed is looked up again. */
static void test_attach_meets_a_change(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;
	g_autofree void *command G_GNUC_UNUSED = begin_attach(f, &request);

	for (unsigned int i = 0; i < 3; i++)
		g_main_context_iteration(f->context, FALSE);
	g_assert_cmpuint(request.completed, ==, 0);
	gpu_device_memory_changing(f->device);
	guest_memory_clear(f->memory);
	gpu_fixture_add_memory(f, MEMORY_GPA, 2 * PAGE);
	gpu_device_memory_changed(f->device);
	gpu_fixture_iterate(f);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	assert_pages(f, MANY);
}

static void attach_many(struct gpu_fixture *f)
{
	struct flat_request request;
	g_autofree void *command G_GNUC_UNUSED = begin_attach(f, &request);

	gpu_fixture_iterate(f);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void change_memory(struct gpu_fixture *f)
{
	gpu_device_memory_changing(f->device);
	g_assert_null(gpu_resource_find(f->device, 1)->base.iov);
	guest_memory_clear(f->memory);
	gpu_fixture_add_memory(f, MEMORY_GPA, 2 * PAGE);
	gpu_device_memory_changed(f->device);
}

/* The front-end has its answer; both queues stand still until all pages are found. */
static void test_change(struct gpu_fixture *f, gconstpointer data)
{
	attach_many(f);
	change_memory(f);
	g_assert_true(gpu_paging_is_busy(f->device));
	g_assert_false(gpu_device_can_take(f->device));
	g_assert_false(gpu_device_can_take_cursor(f->device));
	f->resumed = 0;
	gpu_fixture_iterate(f);
	g_assert_cmpuint(f->resumed, ==, 1);
	g_assert_true(gpu_device_can_take(f->device));
	g_assert_true(gpu_device_can_take_cursor(f->device));
	assert_pages(f, MANY);
}

static void test_change_and_change(struct gpu_fixture *f, gconstpointer data)
{
	attach_many(f);
	change_memory(f);
	g_main_context_iteration(f->context, FALSE);
	change_memory(f);
	gpu_fixture_iterate(f);
	g_assert_true(gpu_device_can_take(f->device));
	assert_pages(f, MANY);
}

static void test_change_and_stop(struct gpu_fixture *f, gconstpointer data)
{
	attach_many(f);
	change_memory(f);
	gpu_device_cancel(f->device);
	g_assert_false(gpu_device_can_take(f->device));
	gpu_fixture_iterate(f);
	assert_pages(f, MANY);
}

static void test_change_and_reset(struct gpu_fixture *f, gconstpointer data)
{
	attach_many(f);
	change_memory(f);
	gpu_device_reset(f->device);
	g_assert_true(gpu_device_can_take(f->device));
	gpu_fixture_iterate(f);
	g_assert_null(gpu_resource_find(f->device, 1));
}

/* A region that comes brings back what was missing, and touches nothing else. */
static void test_region_comes(struct gpu_fixture *f, gconstpointer data)
{
	const struct gpu_resource *base;
	struct iovec *iov;

	attach_many(f);
	gpu_device_memory_changing(f->device);
	guest_memory_clear(f->memory);
	gpu_device_memory_changed(f->device);
	gpu_fixture_iterate(f);
	base = &gpu_resource_find(f->device, 1)->base;
	g_assert_null(base->iov);
	gpu_fixture_add_memory(f, MEMORY_GPA, 2 * PAGE);
	gpu_device_memory_changed(f->device);
	gpu_fixture_iterate(f);
	assert_pages(f, MANY);
	iov = base->iov;
	gpu_fixture_add_memory(f, MEMORY_GPA + 2 * PAGE, PAGE);
	gpu_device_memory_changed(f->device);
	g_assert_false(gpu_paging_is_busy(f->device));
	g_assert_true(base->iov == iov);
}

/* Who waits for a turn waits for the pages besides. */
static void test_change_under_a_flush(struct gpu_fixture *f, gconstpointer data)
{
	const struct gpu_rect whole = {0, 0, 64, 64};
	struct flat_request request;

	attach_many(f);
	gpu_fixture_set_scanout(f, 0, 1, &whole);
	f->display.is_slow = true;
	f->display.is_lossy = true;
	gpu_fixture_flush(f, &request, 1, &whole);
	fake_display_expect(&f->display, "scanout 0 64x64\nupdate 0 0,0 64x64\n");
	change_memory(f);
	g_main_context_iteration(f->context, FALSE);
	fake_display_expect(&f->display, "");
	gpu_fixture_iterate(f);
	fake_display_expect(&f->display, "update 0 0,0 64x64\n");
	fake_display_answer(&f->display, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* A reset with much to free ends with the turns that follow; a new table does not bring it back. */
static void make_many(struct gpu_fixture *f)
{
	gpu_fixture_set_tick(0);
	for (uint32_t id = 2; id < 200; id++)
		g_assert_cmphex(gpu_fixture_create_2d(f, id, 8, 8), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_fixture_set_tick(TURN_US / 2);
}

static void assert_all_gone(struct gpu_fixture *f)
{
	g_assert_cmpuint(f->renderer.resources, ==, 0);
	g_assert_cmpuint(f->device->hostmem_used, ==, 0);
	g_assert_true(gpu_device_can_take(f->device));
	g_assert_true(gpu_device_can_take_cursor(f->device));
}

static void test_reset(struct gpu_fixture *f, gconstpointer data)
{
	make_many(f);
	gpu_device_reset(f->device);
	g_assert_cmpuint(f->renderer.resources, >, 0);
	g_assert_false(gpu_device_can_take(f->device));
	g_assert_false(gpu_device_can_take_cursor(f->device));
	gpu_fixture_iterate(f);
	assert_all_gone(f);
}

static void test_reset_and_reset(struct gpu_fixture *f, gconstpointer data)
{
	make_many(f);
	gpu_device_reset(f->device);
	g_main_context_iteration(f->context, FALSE);
	gpu_device_reset(f->device);
	gpu_fixture_iterate(f);
	assert_all_gone(f);
}

static void test_reset_and_change(struct gpu_fixture *f, gconstpointer data)
{
	attach_many(f);
	make_many(f);
	gpu_device_reset(f->device);
	gpu_device_memory_changing(f->device);
	guest_memory_clear(f->memory);
	gpu_fixture_add_memory(f, MEMORY_GPA, 2 * PAGE);
	gpu_device_memory_changed(f->device);
	gpu_fixture_iterate(f);
	assert_all_gone(f);
}

/* At the end of a session nobody waits for turns. */
static void test_end(struct gpu_fixture *f, gconstpointer data)
{
	make_many(f);
	gpu_device_reset(f->device);
	g_assert_cmpuint(f->renderer.resources, >, 0);
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	g_test_add_func("/turn/ends-by-time", test_ends_by_time);
	g_test_add_func("/turn/ends-by-bytes", test_ends_by_bytes);
	g_test_add_func("/turn/cheap-work", test_cheap_work);
	g_test_add_func("/turn/one-for-a-round", test_one_for_a_round);
	g_test_add_func("/turn/no-turn", test_no_turn);
	ADD("/turn/attach", test_attach);
	ADD("/turn/attach-is-stopped", test_attach_is_stopped);
	ADD("/turn/attach-meets-a-change", test_attach_meets_a_change);
	ADD("/turn/change", test_change);
	ADD("/turn/change-and-change", test_change_and_change);
	ADD("/turn/change-and-stop", test_change_and_stop);
	ADD("/turn/change-and-reset", test_change_and_reset);
	ADD("/turn/region-comes", test_region_comes);
	ADD("/turn/change-under-a-flush", test_change_under_a_flush);
	ADD("/turn/reset", test_reset);
	ADD("/turn/reset-and-reset", test_reset_and_reset);
	ADD("/turn/reset-and-change", test_reset_and_change);
	ADD("/turn/end", test_end);
	return g_test_run();
}
