/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a command costs does not grow with what there is besides. Steps are counted, not time: looks
 * into hash tables and steps along them, which are what the device's tables are made of. The
 * functions stand here in front of GLib's.
 */
#include "gpu-fakes.h"

#include <dlfcn.h>
#include <string.h>

#define CONTEXTS  500
#define RESOURCES 10000
#define BLOB_LEN  4096

/* Of one command; a context has 64 rings, each of which is looked up when it ends. */
#define MAX_STEPS 100

static unsigned int steps;

#define COUNTED(ret_, name_, params_, args_)                                                       \
	ret_ name_ params_                                                                         \
	{                                                                                          \
		static ret_(*next) params_;                                                        \
                                                                                                   \
		if (!next)                                                                         \
			*(void **)&next = dlsym(RTLD_NEXT, #name_);                                \
		steps++;                                                                           \
		return next args_;                                                                 \
	}

COUNTED(gpointer, g_hash_table_lookup, (GHashTable * table, gconstpointer key), (table, key))
COUNTED(gboolean, g_hash_table_contains, (GHashTable * table, gconstpointer key), (table, key))
COUNTED(gboolean, g_hash_table_insert, (GHashTable * table, gpointer key, gpointer value),
	(table, key, value))
COUNTED(gboolean, g_hash_table_remove, (GHashTable * table, gconstpointer key), (table, key))
COUNTED(gboolean, g_hash_table_iter_next, (GHashTableIter * iter, gpointer *key, gpointer *value),
	(iter, key, value))

static uint32_t ctx_of(uint32_t resource_id)
{
	return resource_id % CONTEXTS + 1;
}

static uint32_t context_command(struct gpu_fixture *f, uint32_t type, uint32_t ctx_id, uint32_t id)
{
	const struct virtio_gpu_ctx_resource command = {
		.hdr.type = htole32(type),
		.hdr.ctx_id = htole32(ctx_id),
		.resource_id = htole32(id),
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}

static uint32_t create_blob(struct gpu_fixture *f, uint32_t id)
{
	const struct virtio_gpu_resource_create_blob command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB),
		.hdr.ctx_id = htole32(ctx_of(id)),
		.resource_id = htole32(id),
		.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_HOST3D),
		.blob_flags = htole32(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE),
		.size = htole64(BLOB_LEN),
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}

static uint32_t map_blob(struct gpu_fixture *f, uint32_t id, uint64_t offset)
{
	const struct virtio_gpu_resource_map_blob command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB),
		.resource_id = htole32(id),
		.offset = htole64(offset),
	};
	struct flat_request request;

	gpu_fixture_send(f, &request, &command, sizeof(command));
	fake_shmem_answer(&f->shmem, 0);
	return flat_response(&request);
}

/* 500 contexts, 10,000 blobs of theirs, as many of them mapped as the region holds. */
static void set_up(struct gpu_fixture *f, gconstpointer data)
{
	struct gpu_limits limits;

	gpu_limits_init(&limits);
	limits.max[GPU_LIMIT_CONTEXTS] = CONTEXTS;
	gpu_fixture_set_up(f, &limits);
	for (uint32_t ctx_id = 1; ctx_id <= CONTEXTS; ctx_id++)
		g_assert_cmphex(
			gpu_fixture_ctx_create(f, ctx_id, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
	for (uint32_t id = 1; id <= RESOURCES; id++) {
		g_assert_cmphex(create_blob(f, id), ==, VIRTIO_GPU_RESP_OK_NODATA);
		g_assert_cmphex(
			context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, ctx_of(id), id), ==,
			VIRTIO_GPU_RESP_OK_NODATA);
	}
	for (uint32_t i = 0; i < FAKE_SHMEM_LEN / BLOB_LEN; i++)
		g_assert_cmphex(map_blob(f, i + 1, (uint64_t)i * BLOB_LEN), ==,
			VIRTIO_GPU_RESP_OK_MAP_INFO);
}

static void check_steps(uint32_t response)
{
	g_assert_cmphex(response, ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmpuint(steps, >, 0);
	g_assert_cmpuint(steps, <, MAX_STEPS);
	steps = 0;
}

static void test_resources(struct gpu_fixture *f, gconstpointer data)
{
	steps = 0;
	check_steps(create_blob(f, RESOURCES + 1));
	check_steps(context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 7, RESOURCES + 1));
	check_steps(context_command(f, VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, 7, RESOURCES + 1));
	check_steps(gpu_fixture_unref(f, RESOURCES + 1));
	/* One that a context has, and one that is mapped besides. */
	check_steps(gpu_fixture_unref(f, RESOURCES));
	check_steps(gpu_fixture_unref(f, 1));
}

static void test_context(struct gpu_fixture *f, gconstpointer data)
{
	const unsigned int mapped = f->shmem.mapped;

	/* Blob 1 is another one's too, so that it stays mapped. */
	g_assert_cmphex(context_command(f, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 9, 1), ==,
		VIRTIO_GPU_RESP_OK_NODATA);
	steps = 0;
	check_steps(context_command(f, VIRTIO_GPU_CMD_CTX_DESTROY, ctx_of(1), 0));
	g_assert_cmpuint(f->shmem.mapped, ==, mapped);
	check_steps(context_command(f, VIRTIO_GPU_CMD_CTX_DESTROY, ctx_of(2), 0));
	g_assert_cmpuint(f->shmem.mapped, ==, mapped - 1);
}

#define ADD(path, test)                                                                            \
	g_test_add(path, struct gpu_fixture, NULL, set_up, test, gpu_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("/linear/resources", test_resources);
	ADD("/linear/context", test_context);
	return g_test_run();
}
