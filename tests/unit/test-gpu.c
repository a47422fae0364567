/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device, driven through its request interface: fence timelines, commands that wait, limits,
 * answers.
 */
#include "gpu-fakes.h"
#include "gpu/device.h"
#include "util/scarce.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_limits limits;

	gpu_limits_init(&limits);
	limits.max[GPU_LIMIT_HOSTMEM] = 1 << 20;
	limits.max[GPU_LIMIT_RESOURCES] = 4;
	gpu_fixture_set_up(f, &limits);
}

static void send_fenced(
	struct gpu_fixture *f, struct flat_request *request, uint32_t ctx_id, int ring, uint64_t id)
{
	struct virtio_gpu_resource_unref command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
		.hdr.flags = htole32(
			VIRTIO_GPU_FLAG_FENCE | (ring >= 0 ? VIRTIO_GPU_FLAG_INFO_RING_IDX : 0)),
		.hdr.fence_id = htole64(id),
		.hdr.ctx_id = htole32(ctx_id),
		.hdr.ring_idx = ring >= 0 ? ring : 0,
		.resource_id = htole32(1),
	};

	gpu_fixture_send(f, request, &command, sizeof(command));
}

static void test_fence_waits(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_fenced(f, &request, 0, -1, UINT64_C(0x123456789abc));
	g_assert_cmpuint(request.completed, ==, 0);
	gpu_fixture_signal(f, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmphex(le64toh(flat_answer(&request)->fence_id), ==, UINT64_C(0x123456789abc));
	g_assert_cmphex(le32toh(flat_answer(&request)->flags), ==, VIRTIO_GPU_FLAG_FENCE);
	g_assert_cmpuint(f->resumed, ==, 1);
}

static void test_fence_order(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request requests[4];

	/* The guest's ids run backwards; the order is that of submission all the same. */
	for (int i = 0; i < 4; i++)
		send_fenced(f, &requests[i], 0, -1, 100 - i);
	gpu_fixture_signal(f, 1);
	g_assert_cmpuint(requests[0].completed, ==, 1);
	g_assert_cmpuint(requests[1].completed, ==, 1);
	g_assert_cmpuint(requests[2].completed, ==, 0);
	/* An old fence again changes nothing. */
	gpu_fixture_signal(f, 0);
	g_assert_cmpuint(requests[2].completed, ==, 0);
	gpu_fixture_signal(f, 3);
	g_assert_cmpuint(requests[2].completed, ==, 1);
	g_assert_cmpuint(requests[3].completed, ==, 1);
}

/* Who looks more often than the main loop turns need not wait for its turn. */
static void test_fence_is_retired_early(struct gpu_fixture *f, gconstpointer data)
{
	const struct renderer_events *events = f->renderer.base.events;
	struct flat_request request;

	send_fenced(f, &request, 0, -1, 1);
	g_assert_false(gpu_device_retire_fences(f->device));
	events->fence_signalled(f->renderer.base.events_opaque,
		&g_array_index(f->renderer.fences, struct renderer_fence, 0));
	g_assert_cmpuint(request.completed, ==, 0);
	g_assert_true(gpu_device_retire_fences(f->device));
	g_assert_cmpuint(request.completed, ==, 1);
	g_assert_cmpuint(f->resumed, ==, 1);
	g_assert_false(gpu_device_retire_fences(f->device));
	gpu_fixture_iterate(f);
	g_assert_cmpuint(f->resumed, ==, 1);
}

static unsigned int ready_fds;

static gint count_ready(GPollFD *fds, guint count, gint timeout_ms)
{
	gint ret = poll((struct pollfd *)fds, count, timeout_ms);

	ready_fds += ret > 0 ? (unsigned int)ret : 0;
	return ret;
}

/* Who polls is not woken, and what signalled is answered when it stops. */
static void test_fence_while_polled(struct gpu_fixture *f, gconstpointer data)
{
	const struct renderer_events *events = f->renderer.base.events;
	struct flat_request requests[3];

	gpu_device_poll_fences(f->device, true);
	gpu_fixture_iterate(f);
	ready_fds = 0;
	g_main_context_set_poll_func(f->context, count_ready);
	for (int i = 0; i < 3; i++) {
		send_fenced(f, &requests[i], 0, -1, 1);
		events->fence_signalled(f->renderer.base.events_opaque,
			&g_array_index(f->renderer.fences, struct renderer_fence, i));
	}
	g_assert_false(g_main_context_iteration(f->context, FALSE));
	g_assert_cmpuint(ready_fds, ==, 0);
	gpu_device_poll_fences(f->device, false);
	for (int i = 0; i < 3; i++)
		g_assert_cmpuint(requests[i].completed, ==, 1);
}

#define RACES 20000

static gint sent;

/* A renderer's thread: signals each fence when the command behind it is sent. */
static gpointer signal_all(gpointer data)
{
	struct gpu_fixture *f = data;
	const struct renderer_events *events = f->renderer.base.events;

	for (uint64_t seqno = 1; seqno <= RACES; seqno++) {
		while (g_atomic_int_get(&sent) < (gint)seqno)
			g_thread_yield();
		events->fence_signalled(
			f->renderer.base.events_opaque, &(struct renderer_fence){.seqno = seqno});
	}
	return NULL;
}

static gboolean sleeps_for_ever(gpointer data)
{
	g_error("a fence signalled, and the main loop was not woken");
	return G_SOURCE_REMOVE;
}

/* Whenever it signals, before the loop sleeps, while it falls asleep, when somebody stops polling, it is seen. */
static void test_fence_wakes(struct gpu_fixture *f, gconstpointer data)
{
	GThread *thread = g_thread_new("renderer", signal_all, f);
	GSource *late = g_timeout_source_new_seconds(60);

	g_source_set_callback(late, sleeps_for_ever, NULL, NULL);
	g_source_attach(late, f->context);
	for (int i = 0; i < RACES; i++) {
		struct flat_request request;

		send_fenced(f, &request, 0, -1, 1);
		gpu_device_poll_fences(f->device, i % 2);
		g_atomic_int_inc(&sent);
		gpu_device_retire_fences(f->device);
		gpu_device_poll_fences(f->device, false);
		while (request.completed == 0)
			g_main_context_iteration(f->context, TRUE);
	}
	g_thread_join(thread);
	g_source_destroy(late);
	g_source_unref(late);
}

static void test_fence_timelines(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request global;
	struct flat_request ring_0;
	struct flat_request ring_63;
	struct flat_request other;

	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_ctx_create(f, 2, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	send_fenced(f, &global, 1, -1, 1);
	send_fenced(f, &ring_0, 1, 0, 2);
	send_fenced(f, &ring_63, 1, 63, 3);
	send_fenced(f, &other, 2, 0, 4);
	gpu_fixture_signal(f, 3);
	g_assert_cmpuint(other.completed, ==, 1);
	g_assert_cmpuint(global.completed + ring_0.completed + ring_63.completed, ==, 0);
	gpu_fixture_signal(f, 2);
	g_assert_cmpuint(ring_63.completed, ==, 1);
	g_assert_cmpuint(flat_answer(&ring_63)->ring_idx, ==, 63);
	g_assert_cmpuint(global.completed + ring_0.completed, ==, 0);
	gpu_fixture_signal(f, 1);
	gpu_fixture_signal(f, 0);
	g_assert_cmpuint(global.completed, ==, 1);
	g_assert_cmpuint(ring_0.completed, ==, 1);
}

static void test_fence_of_no_context(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	send_fenced(f, &request, 7, 0, 1);
	g_assert_cmpuint(request.completed, ==, 1);
	g_assert_cmphex(gpu_fixture_ctx_create(f, 7, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	send_fenced(f, &request, 7, 64, 1);
	g_assert_cmpuint(request.completed, ==, 1);
}

static void test_fences_end_with_context(struct gpu_fixture *f, gconstpointer data)
{
	struct virtio_gpu_ctx_destroy command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_CTX_DESTROY),
		.hdr.ctx_id = htole32(1),
	};
	struct flat_request ring;
	struct flat_request global;
	struct flat_request destroy;

	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	send_fenced(f, &ring, 1, 0, 1);
	send_fenced(f, &global, 1, -1, 2);
	gpu_fixture_send(f, &destroy, &command, sizeof(command));
	g_assert_cmpuint(ring.completed, ==, 1);
	g_assert_cmpuint(global.completed, ==, 0);
	gpu_device_cancel(f->device);
	g_assert_cmpuint(global.completed, ==, 1);
	/* Late signals find nothing. */
	gpu_fixture_signal(f, 0);
	gpu_fixture_signal(f, 1);
}

static void test_parked(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {
		.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};
	const struct virtio_gpu_resp_display_info *got;
	struct flat_request request;

	gpu_fixture_send(f, &request, &command, sizeof(command));
	g_assert_cmpuint(request.completed, ==, 0);
	g_assert_false(gpu_device_can_take(f->device));
	fake_display_answer(&f->display, 0);
	g_assert_true(gpu_device_can_take(f->device));
	g_assert_cmpuint(f->resumed, ==, 1);
	got = (const void *)flat_answer(&request);
	g_assert_cmphex(le32toh(got->hdr.type), ==, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	g_assert_cmpuint(le32toh(got->pmodes[15].r.width), ==, 4711);
	g_assert_cmpuint(request.written_len, ==, sizeof(*got));
}

static void test_parked_is_cancelled(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {
		.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};
	struct flat_request request;

	gpu_fixture_send(f, &request, &command, sizeof(command));
	gpu_device_cancel(f->device);
	g_assert_cmpuint(f->display.cancelled, >, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	g_assert_cmpuint(request.written_len, ==, sizeof(command));
	g_assert_true(gpu_device_can_take(f->device));
}

static void test_edid(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_cmd_get_edid command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_GET_EDID), .scanout = htole32(3)};
	const struct virtio_gpu_resp_edid *got;
	struct flat_request request;

	gpu_fixture_send(f, &request, &command, sizeof(command));
	fake_display_answer(&f->display, 0);
	got = (const void *)flat_answer(&request);
	g_assert_cmphex(le32toh(got->hdr.type), ==, VIRTIO_GPU_RESP_OK_EDID);
	g_assert_cmpuint(le32toh(got->size), ==, 128);
	g_assert_cmpuint(got->edid[2], ==, 3);
	g_assert_cmpuint(request.written_len, ==, sizeof(*got));
	gpu_fixture_send(f, &request, &command, sizeof(command));
	fake_display_answer(&f->display, -ECONNRESET);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	g_assert_cmpuint(request.written_len, ==, sizeof(got->hdr));
}

/* The driver is told of new outputs once, until it has cleared the event. */
static void test_outputs_changed(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_config config;

	gpu_device_outputs_changed(f->device);
	g_assert_cmpuint(f->config_changed, ==, 1);
	gpu_device_get_config(f->device, &config);
	g_assert_cmpuint(le32toh(config.events_read), ==, VIRTIO_GPU_EVENT_DISPLAY);
	gpu_device_clear_events(f->device, ~VIRTIO_GPU_EVENT_DISPLAY);
	gpu_device_get_config(f->device, &config);
	g_assert_cmpuint(le32toh(config.events_read), ==, VIRTIO_GPU_EVENT_DISPLAY);
	gpu_device_clear_events(f->device, VIRTIO_GPU_EVENT_DISPLAY);
	gpu_device_get_config(f->device, &config);
	g_assert_cmpuint(config.events_read, ==, 0);
}

static void test_limits(struct gpu_fixture *f, gconstpointer data)
{
	/* 512 x 512 x 4 is 1 MiB, all that is allowed. */
	g_assert_cmphex(
		gpu_fixture_create_2d(f, 1, 512, 513), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(gpu_fixture_create_2d(f, 1, 512, 512), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_create_2d(f, 2, 1, 1), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	gpu_device_reset(f->device);
	for (uint32_t id = 1; id <= 4; id++)
		g_assert_cmphex(
			gpu_fixture_create_2d(f, id, 16, 16), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_create_2d(f, 5, 16, 16), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(
		gpu_fixture_create_2d(f, 4, 16, 16), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	g_assert_cmphex(
		gpu_fixture_create_2d(f, 0, 16, 16), ==, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
}

static uint32_t context_command(struct gpu_fixture *f, uint32_t type, uint32_t ctx_id)
{
	const struct virtio_gpu_ctx_resource command = {.hdr.type = htole32(type),
		.hdr.ctx_id = htole32(ctx_id),
		.resource_id = htole32(1)};

	return gpu_fixture_run(f, &command, sizeof(command));
}

/* Attaches to one context after the other. Return: how many it took. */
static uint32_t count_attachments(struct gpu_fixture *f)
{
	uint32_t ctx_id = 1, response;

	while ((response = context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, ctx_id)) ==
		VIRTIO_GPU_RESP_OK_NODATA)
		g_assert_cmpuint(++ctx_id, <=, 200);
	g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	return ctx_id - 1;
}

/* A resource can be in each context: 65536 x 256 attachments, none of which is for nothing. */
static void test_attachments(struct gpu_fixture *f, gconstpointer data)
{
	const uint32_t left_len = 512 * 4; /* of the limit, behind the image */
	uint32_t count;

	for (uint32_t ctx_id = 1; ctx_id <= 200; ctx_id++)
		g_assert_cmphex(
			gpu_fixture_ctx_create(f, ctx_id, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_create_2d(f, 1, 512, 511), ==, VIRTIO_GPU_RESP_OK_NODATA);
	count = count_attachments(f);
	g_assert_cmpuint(count, >, 0);
	g_assert_cmpuint(count, <=, left_len / 90);
	/* One that is there already is none more. */
	g_assert_cmphex(context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	/* What goes makes room, however it goes. */
	g_assert_cmphex(context_command(f, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 1), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(count_attachments(f), ==, count);
	g_assert_cmphex(
		context_command(f, VIRTIO_GPU_CMD_CTX_DESTROY, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(count_attachments(f), ==, count);
	g_assert_cmphex(gpu_fixture_unref(f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_create_2d(f, 1, 512, 512), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(count_attachments(f), ==, 0);
}

/* One that the renderer refuses takes nothing. */
static void test_attachment_fails(struct gpu_fixture *f, gconstpointer data)
{
	uint32_t count;

	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_create_2d(f, 1, 512, 511), ==, VIRTIO_GPU_RESP_OK_NODATA);
	f->renderer.attach_error = -EIO;
	for (count = 0; count < 100; count++)
		g_assert_cmphex(context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1), ==,
			VIRTIO_GPU_RESP_ERR_UNSPEC);
	f->renderer.attach_error = 0;
	g_assert_cmphex(context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
}

/* What a renderer says of itself is not believed beyond the limit. */
static void test_capset_limit(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_get_capset command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_GET_CAPSET),
		.capset_id = htole32(VIRTIO_GPU_CAPSET_VENUS),
	};
	struct flat_request request;

	f->renderer.base.capsets[0].max_size =
		(uint32_t)gpu_limit_rows[GPU_LIMIT_CAPSET_LEN].initial + 1;
	gpu_fixture_send(f, &request, &command, sizeof(command));
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
}

/* Nothing new where the process is near its limit; what is there can be used, and given back. */
static void test_scarce_memory(struct gpu_fixture *f, gconstpointer data)
{
	g_assert_cmphex(gpu_fixture_create_2d(f, 1, 16, 16), ==, VIRTIO_GPU_RESP_OK_NODATA);
	memory_set_scarce(true);
	g_assert_cmphex(gpu_fixture_create_2d(f, 2, 16, 16), ==, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	g_assert_cmphex(gpu_fixture_unref(f, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	memory_set_scarce(false);
	g_assert_cmphex(gpu_fixture_create_2d(f, 2, 16, 16), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void test_answer_without_room(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_ctrl_hdr command = {.type = htole32(0xdead)};
	struct flat_request request;

	gpu_fixture_send_with_room(f, &request, &command, sizeof(command), 23);
	g_assert_cmpuint(request.completed, ==, 1);
	g_assert_cmpuint(request.written_len, ==, 0);
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	ADD("/gpu/fence/waits", test_fence_waits);
	ADD("/gpu/fence/order", test_fence_order);
	ADD("/gpu/fence/retired-early", test_fence_is_retired_early);
	ADD("/gpu/fence/while-polled", test_fence_while_polled);
	ADD("/gpu/fence/wakes", test_fence_wakes);
	ADD("/gpu/fence/timelines", test_fence_timelines);
	ADD("/gpu/fence/no-context", test_fence_of_no_context);
	ADD("/gpu/fence/context-ends", test_fences_end_with_context);
	ADD("/gpu/parked/answer", test_parked);
	ADD("/gpu/parked/cancel", test_parked_is_cancelled);
	ADD("/gpu/edid", test_edid);
	ADD("/gpu/outputs-changed", test_outputs_changed);
	ADD("/gpu/limits", test_limits);
	ADD("/gpu/attachments", test_attachments);
	ADD("/gpu/attachment-fails", test_attachment_fails);
	ADD("/gpu/capset-limit", test_capset_limit);
	ADD("/gpu/scarce-memory", test_scarce_memory);
	ADD("/gpu/answer-without-room", test_answer_without_room);
	return g_test_run();
}
