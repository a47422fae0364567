/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blobs in the shared memory region, with a front-end that answers when a test says so.
 */
#include "gpu-fakes.h"

#include <errno.h>
#include <string.h>

static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	gpu_fixture_set_up(f, NULL);
}

static void start_map(struct gpu_fixture *f, struct flat_request *request)
{
	const struct virtio_gpu_resource_create_blob create = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB),
		.hdr.ctx_id = htole32(1),
		.resource_id = htole32(1),
		.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_HOST3D),
		.blob_flags = htole32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
		.size = htole64(4096),
	};
	const struct virtio_gpu_resource_map_blob map = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB),
		.resource_id = htole32(1),
	};

	g_assert_cmphex(gpu_fixture_ctx_create(f, 1, VIRTIO_GPU_CAPSET_VENUS), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	gpu_fixture_send(f, request, &create, sizeof(create));
	g_assert_cmphex(flat_response(request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_fixture_send(f, request, &map, sizeof(map));
	g_assert_cmpuint(request->completed, ==, 0);
	g_assert_cmpuint(f->shmem.mapped, ==, 1);
}

static void lose_venus(struct gpu_fixture *f)
{
	const struct renderer *renderer = &f->renderer.base;

	renderer->events->contexts_lost(
		renderer->events_opaque, UINT64_C(1) << VIRTIO_GPU_CAPSET_VENUS);
}

/* The driver unmaps later what was unmapped when its context was lost. */
static void unmap_succeeds(struct gpu_fixture *f)
{
	const struct virtio_gpu_resource_unmap_blob unmap = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB),
		.resource_id = htole32(1),
	};
	struct flat_request request;

	gpu_fixture_send(f, &request, &unmap, sizeof(unmap));
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_fixture_send(f, &request, &unmap, sizeof(unmap));
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static void test_lost_context(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	start_map(f, &request);
	fake_shmem_answer(&f->shmem, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_MAP_INFO);
	f->renderer.base.events->contexts_lost(
		f->renderer.base.events_opaque, UINT64_C(1) << VIRTIO_GPU_CAPSET_DRM);
	g_assert_cmpuint(f->shmem.mapped, ==, 1);
	lose_venus(f);
	g_assert_cmpuint(f->shmem.mapped, ==, 0);
	unmap_succeeds(f);
}

static void test_lost_while_mapping(struct gpu_fixture *f, gconstpointer data)
{
	const int *error = data;
	struct flat_request request;

	start_map(f, &request);
	lose_venus(f);
	g_assert_cmpuint(f->shmem.mapped, ==, 0);
	fake_shmem_answer(&f->shmem, *error);
	g_assert_cmpuint(request.completed, ==, 1);
	unmap_succeeds(f);
}

static void send_unmap(struct gpu_fixture *f, struct flat_request *request)
{
	const struct virtio_gpu_resource_unmap_blob unmap = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB),
		.resource_id = htole32(1),
	};

	gpu_fixture_send(f, request, &unmap, sizeof(unmap));
}

static void test_map_and_unmap(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request map, unmap;

	start_map(f, &map);
	g_assert_false(gpu_device_can_take(f->device));
	fake_shmem_answer(&f->shmem, 0);
	g_assert_cmphex(flat_response(&map), ==, VIRTIO_GPU_RESP_OK_MAP_INFO);
	g_assert_cmpuint(map.written_len, ==, sizeof(struct virtio_gpu_resp_map_info));
	g_assert_cmpuint(f->resumed, ==, 1);
	send_unmap(f, &unmap);
	g_assert_cmpuint(unmap.completed, ==, 0);
	fake_shmem_answer(&f->shmem, 0);
	g_assert_cmphex(flat_response(&unmap), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_true(gpu_device_can_take(f->device));
}

/* A refused unmap leaves the blob mapped: it can be unmapped again. */
static void test_unmap_refused(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	start_map(f, &request);
	fake_shmem_answer(&f->shmem, 0);
	send_unmap(f, &request);
	fake_shmem_answer(&f->shmem, -EIO);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	send_unmap(f, &request);
	fake_shmem_answer(&f->shmem, 0);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* The answers that come after a stop reach nobody, above all not the next command. */
static void test_late_answers(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request map, next;

	start_map(f, &map);
	gpu_device_cancel(f->device);
	g_assert_cmphex(flat_response(&map), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	/* The guest heard that it failed, so it is unmapped at once. */
	g_assert_cmpuint(f->shmem.mapped, ==, 0);
	send_unmap(f, &next);
	g_assert_cmphex(flat_response(&next), ==, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	f->resumed = 0;
	fake_shmem_answer(&f->shmem, 0);
	fake_shmem_answer(&f->shmem, 0);
	g_assert_cmpuint(f->resumed, ==, 0);
	g_assert_cmpuint(map.completed, ==, 1);
}

/* A display that goes, or memory that changes, is no reason to give up a map. */
static void test_goes_on(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request map;

	start_map(f, &map);
	gpu_device_memory_changing(f->device);
	gpu_device_memory_changed(f->device);
	gpu_device_remove_display(f->device, &f->display.base);
	g_assert_cmpuint(map.completed, ==, 0);
	fake_shmem_answer(&f->shmem, 0);
	g_assert_cmphex(flat_response(&map), ==, VIRTIO_GPU_RESP_OK_MAP_INFO);
}

/* There is no room for the answer: the guest would not know where it is, so it is not mapped. */
static void test_no_room(struct gpu_fixture *f, gconstpointer data)
{
	const struct virtio_gpu_resource_map_blob command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB),
		.resource_id = htole32(1),
		.offset = htole64(8192),
	};
	struct flat_request request;

	start_map(f, &request);
	fake_shmem_answer(&f->shmem, 0);
	send_unmap(f, &request);
	fake_shmem_answer(&f->shmem, 0);
	gpu_fixture_send_with_room(f, &request, &command, sizeof(command), 28);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	g_assert_cmpuint(f->shmem.mapped, ==, 0);
	g_assert_cmpuint(f->shmem.done->len, ==, 0);
}

static void test_gone_front_end(struct gpu_fixture *f, gconstpointer data)
{
	struct flat_request request;

	start_map(f, &request);
	fake_shmem_answer(&f->shmem, 0);
	f->shmem.error = -EPIPE;
	send_unmap(f, &request);
	g_assert_cmphex(flat_response(&request), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
	g_assert_true(gpu_device_can_take(f->device));
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	static const int no_error = 0;
	static const int refused = -EIO;

	g_test_init(&argc, &argv, NULL);
	g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
	ADD("/mapping/map-and-unmap", test_map_and_unmap);
	ADD("/mapping/unmap-refused", test_unmap_refused);
	ADD("/mapping/late-answers", test_late_answers);
	ADD("/mapping/goes-on", test_goes_on);
	ADD("/mapping/no-room", test_no_room);
	ADD("/mapping/gone-front-end", test_gone_front_end);
	ADD("/mapping/lost", test_lost_context);
	g_test_add("/mapping/lost-while-mapping", struct gpu_fixture, &no_error, set_up,
		test_lost_while_mapping, gpu_fixture_tear_down);
	g_test_add("/mapping/lost-while-refused", struct gpu_fixture, &refused, set_up,
		test_lost_while_mapping, gpu_fixture_tear_down);
	return g_test_run();
}
