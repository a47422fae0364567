/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * RESOURCE_MAP_BLOB and RESOURCE_UNMAP_BLOB (virtio 1.3, section 5.7.6.8): which blob is where in
 * the shared memory region.
 *
 * Theory of operation. The front-end does the mapping, and answers when it is done; until then the
 * command waits. Its requests are carried out in the order in which they are sent, so the
 * table here says at each moment what will be mapped once everything sent has been carried out:
 * an entry is made when a map is sent and removed when an unmap is sent. That is why a range can
 * be given out again at once after an unmap, and why whatever ends a mapping without a command of
 * the guest (unref, reset, the end of a context) sends the unmap and waits for nothing.
 *
 * A request whose command was answered early (the queue stopped) has no wait any more: its own
 * answer only frees it, and a map without a wait is followed by an unmap at once.
 */
#include "gpu/mapping.h"

#include "gpu/blob.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "gpu/wait.h"
#include "util/checked.h"
#include "util/fd.h"
#include "util/id_table.h"
#include "util/log.h"
#include "util/pages.h"

#include <errno.h>
#include <sys/queue.h>

/* @shmem_ops: NULL where there is no region. */
struct gpu_mappings {
	const struct gpu_shmem_ops *shmem_ops;
	void *shmem_opaque;
	uint64_t shmem_len;
	GTree *by_offset;	/* uint64_t of the entry -> struct gpu_mapping, owned */
	GHashTable *by_context; /* id of the blob's context -> struct context_mappings, owned */
	GQueue requests;	/* of struct request: sent and not answered */
};

struct gpu_mapping {
	uint64_t offset;
	uint64_t len;
	struct gpu_tracked_resource *resource;
	LIST_ENTRY(gpu_mapping) link; /* in the list of its context */
};

/* Never empty. */
LIST_HEAD(context_mappings, gpu_mapping);

/* What the front-end was asked for. @wait: of the command that asked, or NULL. */
struct request {
	struct gpu_mappings *mappings;
	struct gpu_wait *wait;
	uint64_t offset;
	uint64_t len;
	GList link;
};

static gint compare_offsets(gconstpointer a, gconstpointer b, gpointer data)
{
	uint64_t first = *(const uint64_t *)a;
	uint64_t second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

struct gpu_mappings *gpu_mappings_create(void)
{
	struct gpu_mappings *mappings = g_new0(struct gpu_mappings, 1);

	mappings->by_offset = g_tree_new_full(compare_offsets, NULL, NULL, g_free);
	mappings->by_context = id_table_new(g_free);
	g_queue_init(&mappings->requests);
	return mappings;
}

void gpu_mappings_destroy(struct gpu_mappings *mappings)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&mappings->requests)))
		g_free(link->data);
	g_tree_destroy(mappings->by_offset);
	g_hash_table_destroy(mappings->by_context);
	g_free(mappings);
}

void gpu_mappings_set_shmem(
	struct gpu_mappings *mappings, const struct gpu_shmem_ops *ops, void *opaque, uint64_t len)
{
	mappings->shmem_ops = ops;
	mappings->shmem_opaque = opaque;
	mappings->shmem_len = len;
}

static bool mapping_overlaps(const struct gpu_mappings *mappings, uint64_t offset, uint64_t len)
{
	/* The first entry behind the start; the one before it may reach into the range. */
	GTreeNode *next = g_tree_upper_bound(mappings->by_offset, &offset);
	GTreeNode *previous =
		next ? g_tree_node_previous(next) : g_tree_node_last(mappings->by_offset);
	const struct gpu_mapping *mapping;

	if (next) {
		mapping = g_tree_node_value(next);
		if (mapping->offset - offset < len)
			return true;
	}
	if (previous) {
		mapping = g_tree_node_value(previous);
		if (offset - mapping->offset < mapping->len)
			return true;
	}
	return false;
}

static struct context_mappings *find_of_context(
	const struct gpu_mappings *mappings, uint32_t ctx_id)
{
	return g_hash_table_lookup(mappings->by_context, GUINT_TO_POINTER(ctx_id));
}

static void mapping_enter(struct gpu_device *device, struct gpu_tracked_resource *resource,
	uint64_t offset, uint64_t len)
{
	const uint32_t ctx_id = resource->base.blob.ctx_id;
	struct context_mappings *list = find_of_context(device->mappings, ctx_id);
	struct gpu_mapping *mapping = g_new(struct gpu_mapping, 1);

	*mapping = (struct gpu_mapping){.offset = offset, .len = len, .resource = resource};
	if (!list) {
		list = g_new0(struct context_mappings, 1);
		g_hash_table_insert(device->mappings->by_context, GUINT_TO_POINTER(ctx_id), list);
	}
	LIST_INSERT_HEAD(list, mapping, link);
	g_tree_insert(device->mappings->by_offset, &mapping->offset, mapping);
	resource->mapping = mapping;
}

static void mapping_leave(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	const uint32_t ctx_id = resource->base.blob.ctx_id;
	uint64_t offset = resource->mapping->offset;

	LIST_REMOVE(resource->mapping, link);
	if (LIST_EMPTY(find_of_context(device->mappings, ctx_id)))
		g_hash_table_remove(device->mappings->by_context, GUINT_TO_POINTER(ctx_id));
	resource->mapping = NULL;
	g_tree_remove(device->mappings->by_offset, &offset);
}

static void request_done(void *opaque, int error)
{
	g_autofree struct request *request = opaque;

	g_queue_unlink(&request->mappings->requests, &request->link);
	if (request->wait)
		gpu_wait_arrived_last(request->wait, error);
}

/* @wait: of the command that waits for it, or NULL. */
static struct request *request_create(
	struct gpu_mappings *mappings, struct gpu_wait *wait, uint64_t offset, uint64_t len)
{
	struct request *request = g_new0(struct request, 1);

	*request =
		(struct request){.mappings = mappings, .wait = wait, .offset = offset, .len = len};
	request->link.data = request;
	return request;
}

/* @ret: of the front-end's hook. Return: the same. */
static int request_sent(struct request *request, int ret)
{
	if (ret < 0) {
		g_free(request);
		return ret;
	}
	g_queue_push_tail_link(&request->mappings->requests, &request->link);
	if (request->wait) {
		request->wait->opaque = request;
		gpu_wait_add(request->wait);
	}
	return 0;
}

/* Return: 0, or a negative errno where there is nobody to send it to. */
static int send_unmap(
	struct gpu_mappings *mappings, struct gpu_wait *wait, uint64_t offset, uint64_t len)
{
	struct request *request = request_create(mappings, wait, offset, len);
	int ret = request_sent(request, mappings->shmem_ops->unmap(mappings->shmem_opaque, offset,
						len, request_done, request));

	/* It has hung up, and its region is gone with it. */
	if (ret < 0)
		log_debug("the front-end cannot be asked to unmap: %s", g_strerror(-ret));
	return ret;
}

static int send_map(struct gpu_mappings *mappings, struct gpu_wait *wait,
	const struct renderer_blob *blob, uint64_t offset, uint64_t len)
{
	struct request *request = request_create(mappings, wait, offset, len);

	return request_sent(request, mappings->shmem_ops->map(mappings->shmem_opaque, offset, len,
					     blob, request_done, request));
}

void gpu_mapping_drop(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (!resource->mapping)
		return;
	send_unmap(device->mappings, NULL, resource->mapping->offset, resource->mapping->len);
	mapping_leave(device, resource);
}

/* Unmaps without a command of the guest, which will unmap it later. */
static void drop_unasked(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (!resource->mapping)
		return;
	gpu_mapping_drop(device, resource);
	resource->mapping_was_dropped = true;
}

void gpu_mapping_drop_context(struct gpu_device *device, uint32_t ctx_id)
{
	const struct context_mappings *list = find_of_context(device->mappings, ctx_id);
	struct gpu_mapping *next;

	/* The list goes with its last entry, so that it is not looked at again behind that. */
	for (struct gpu_mapping *mapping = list ? LIST_FIRST(list) : NULL; mapping;
		mapping = next) {
		next = LIST_NEXT(mapping, link);
		if (!gpu_context_has_elsewhere(mapping->resource, ctx_id))
			drop_unasked(device, mapping->resource);
	}
}

static void drop_lost(
	struct gpu_device *device, struct gpu_tracked_resource *resource, void *opaque)
{
	uint64_t capset_mask = *(const uint64_t *)opaque;
	const struct gpu_context *context = gpu_context_find(device, resource->base.blob.ctx_id);

	if (context && capset_mask & UINT64_C(1) << context->capset_id)
		drop_unasked(device, resource);
}

void gpu_mapping_drop_lost(struct gpu_device *device, uint64_t capset_mask)
{
	gpu_resource_foreach(device, drop_lost, &capset_mask);
}

/* Waiting for the front-end */

static enum gpu_verdict mapping_refused(struct gpu_wait *wait)
{
	return gpu_command_refuse(
		wait->command, wait->resource->base.id, GPU_ERR_UNSPEC, "the front-end refused");
}

static enum gpu_verdict map_done(struct gpu_wait *wait)
{
	if (wait->error == 0)
		return GPU_OK_MAP_INFO;
	/* The table is put back to what is true; a lost context may have done so already. */
	if (wait->resource->mapping)
		mapping_leave(wait->device, wait->resource);
	return mapping_refused(wait);
}

/* The guest hears that it failed, so it must not stay mapped. */
static enum gpu_verdict map_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	struct request *request = wait->opaque;

	if (reason != GPU_WAIT_STOPPED)
		return GPU_WAITS;
	request->wait = NULL;
	gpu_mapping_drop(wait->device, wait->resource);
	return GPU_ERR_UNSPEC;
}

static const struct gpu_wait_ops map_ops = {
	.holds_queue = true,
	.done = map_done,
	.cancel = map_cancel,
};

static enum gpu_verdict unmap_done(struct gpu_wait *wait)
{
	const struct request *request = wait->opaque;

	if (wait->error == 0)
		return GPU_OK;
	mapping_enter(wait->device, wait->resource, request->offset, request->len);
	return mapping_refused(wait);
}

static enum gpu_verdict unmap_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	struct request *request = wait->opaque;

	if (reason != GPU_WAIT_STOPPED)
		return GPU_WAITS;
	request->wait = NULL;
	return GPU_ERR_UNSPEC;
}

static const struct gpu_wait_ops unmap_ops = {
	.holds_queue = true,
	.done = unmap_done,
	.cancel = unmap_cancel,
};

/* The commands */

/* Return: why a map is not possible, or NULL. */
static const char *why_not_map(const struct gpu_mappings *mappings,
	const struct gpu_tracked_resource *resource, uint64_t offset, uint64_t len)
{
	if (resource->base.kind != GPU_RESOURCE_BLOB ||
		resource->base.blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST ||
		!(resource->base.blob.flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE))
		return "it is not a mappable host blob";
	if (resource->mapping)
		return "it is mapped already";
	if (offset % page_size() != 0 || !checked_range(offset, len, mappings->shmem_len))
		return "the offset is not on a page, or behind the end of the region";
	if (mapping_overlaps(mappings, offset, len))
		return "another blob is mapped there";
	return NULL;
}

/* The answer is written before: what the driver left no room for is not mapped at all. */
static int write_map_info(struct gpu_command *command, const struct renderer_blob *blob)
{
	const uint32_t map_info[2] = {htole32(blob->map_info), 0};

	return gpu_command_write(command, map_info, sizeof(map_info));
}

/* All was checked. */
static enum gpu_verdict mapping_map(struct gpu_device *device, struct gpu_command *command,
	struct gpu_tracked_resource *resource, uint64_t offset, uint64_t len)
{
	struct renderer_blob blob = {.fd = -1};
	int ret = gpu_blob_export(device, resource, &blob);

	if (ret == 0)
		ret = write_map_info(command, &blob);
	if (ret == 0) {
		gpu_wait_begin(&command->wait, &map_ops, resource);
		ret = send_map(device->mappings, &command->wait, &blob, offset, len);
		if (ret == 0)
			mapping_enter(device, resource, offset, len);
		else
			gpu_wait_abandon(&command->wait);
	}
	fd_clear(&blob.fd);
	if (ret < 0)
		return gpu_command_refuse(
			command, resource->base.id, GPU_ERR_UNSPEC, g_strerror(-ret));
	resource->mapping_was_dropped = false;
	return gpu_wait_go(&command->wait);
}

enum gpu_verdict gpu_handle_resource_map_blob(
	struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_map_blob *args = &command->args.map_blob;
	uint64_t offset = le64toh(args->offset);
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);
	const char *why;
	uint64_t len;

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (!device->mappings->shmem_ops)
		return gpu_command_refuse(
			command, id, GPU_ERR_UNSPEC, "the front-end has no shared memory region");
	len = page_align(resource->base.blob.size);
	why = why_not_map(device->mappings, resource, offset, len);
	if (why)
		return gpu_command_refuse(command, id, GPU_ERR_INVALID_PARAMETER, why);
	return mapping_map(device, command, resource, offset, len);
}

enum gpu_verdict gpu_handle_resource_unmap_blob(
	struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.unmap_blob.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (!resource->mapping && resource->mapping_was_dropped) {
		resource->mapping_was_dropped = false;
		return GPU_OK;
	}
	if (!resource->mapping)
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_PARAMETER, "it is not mapped");
	gpu_wait_begin(&command->wait, &unmap_ops, resource);
	if (send_unmap(device->mappings, &command->wait, resource->mapping->offset,
		    resource->mapping->len) < 0) {
		gpu_wait_abandon(&command->wait);
		return GPU_ERR_UNSPEC;
	}
	mapping_leave(device, resource);
	return gpu_wait_go(&command->wait);
}
