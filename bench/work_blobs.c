/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blobs: of the host's memory, that the guest maps, writes and removes; and of the guest's pages,
 * which are made and removed.
 */
#include "bench/command.h"
#include "bench/image.h"
#include "bench/work.h"

#include <errno.h>

#define CTX_ID	    1
#define RESOURCE_ID 1
#define BLOB_LEN    (SIDE * SIDE * 4)
#define SIDE	    128
#define GUEST_BATCH 16
#define OFFSET	    (1 << 20)

/* Not in each linux/virtio_gpu.h. */
#define CAPSET_VENUS 4

/* Venus has such blobs where a device has it; else the device may have some of its own. */
static int find_capset(struct work_run *run, uint32_t *ret_capset)
{
	const struct virtio_gpu_resp_capset_info *info;

	*ret_capset = 0;
	for (uint32_t i = 0; i < run->guest.capset_count; i++) {
		int ret;

		command_capset_info(&run->guest, i);
		ret = guest_run(&run->guest);
		if (ret < 0)
			return ret;
		info = queue_answer(&run->guest.control);
		if (info->capset_id == CAPSET_VENUS)
			*ret_capset = CAPSET_VENUS;
	}
	return 0;
}

static int map_and_unmap(struct work_run *run)
{
	struct guest *guest = &run->guest;
	uint32_t *place = (uint32_t *)(guest->shmem.base + OFFSET);
	int ret;

	command_create_blob(guest, CTX_ID, RESOURCE_ID, BLOB_LEN);
	command_map_blob(guest, RESOURCE_ID, OFFSET);
	ret = guest_run(guest);
	if (ret < 0)
		return ret;
	__atomic_store_n(place, ++run->seed, __ATOMIC_RELAXED);
	command_unmap_blob(guest, RESOURCE_ID);
	command_map_blob(guest, RESOURCE_ID, OFFSET);
	ret = guest_run(guest);
	if (ret == 0 && __atomic_load_n(place, __ATOMIC_RELAXED) != run->seed)
		return work_fail(run, -EILSEQ, "a blob lost what was written to it");
	command_unmap_blob(guest, RESOURCE_ID);
	command_unref(guest, RESOURCE_ID);
	return ret < 0 ? ret : guest_run(guest);
}

/* A renderer may have no memory that can be handed over, as OpenGL has not without a GPU. */
static int setup_blobs(struct work_run *run)
{
	uint32_t capset;
	int ret = find_capset(run, &capset);

	if (ret < 0)
		return ret;
	command_create_context(&run->guest, CTX_ID, capset);
	command_create_blob(&run->guest, CTX_ID, RESOURCE_ID, BLOB_LEN);
	ret = guest_try(&run->guest);
	if (ret == -EPROTO)
		return work_skip(run, "it makes no blob of host memory in a context that is %s",
			capset ? "Venus" : "not Venus");
	command_unref(&run->guest, RESOURCE_ID);
	work_note(run, capset ? "memory of Venus" : "memory of a context that is not Venus");
	return ret < 0 ? ret : map_and_unmap(run);
}

/* Each turn maps twice. */
static int run_blobs(struct work_run *run, double *ret_value)
{
	return work_rate(run, map_and_unmap, 2, ret_value);
}

static int make_and_remove(struct work_run *run)
{
	for (int i = 0; i < GUEST_BATCH; i++) {
		image_post_create(run->state, &run->guest);
		command_unref(&run->guest, RESOURCE_ID);
	}
	return guest_run(&run->guest);
}

/* As long as those of the host, in pages that lie apart. */
static int setup_guest_blobs(struct work_run *run)
{
	struct image *image = run->state = g_new0(struct image, 1);

	image_init(image, &run->guest, RESOURCE_ID, SIDE, SIDE, MEMORY_PAGE);
	image->is_blob = true;
	return work_setup_error(run, make_and_remove(run));
}

static int run_guest_blobs(struct work_run *run, double *ret_value)
{
	return work_rate(run, make_and_remove, GUEST_BATCH, ret_value);
}

static void teardown_guest_blobs(struct work_run *run)
{
	if (run->state)
		image_finish(run->state);
}

const struct work work_blobs[] = {
	{.name = "blobs",
		.unit = "maps/s",
		.more_is_better = true,
		.needs = WORK_NEEDS_SHMEM | WORK_NEEDS_VIRGL,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = 1,
		.setup = setup_blobs,
		.run = run_blobs},
	{.name = "guest-blobs",
		.unit = "blobs/s",
		.more_is_better = true,
		.needs = WORK_NEEDS_BLOB,
		.limit = LIMIT_WAKE_UPS,
		.limit_count = GUEST_BATCH,
		.setup = setup_guest_blobs,
		.run = run_guest_blobs,
		.teardown = teardown_guest_blobs},
	{0},
};
