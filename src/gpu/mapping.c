/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * RESOURCE_MAP_BLOB and RESOURCE_UNMAP_BLOB (virtio 1.3, section 5.7.6.8): which blob is where in
 * the shared memory region.
 *
 * Theory of operation. The front-end does the mapping, and answers when it is done; until then the
 * command is parked. Its requests are carried out in the order in which they are sent, so the
 * table here says at each moment what will be mapped once everything sent has been carried out:
 * an entry is made when a map is sent and removed when an unmap is sent. That is why a range can
 * be given out again at once after an unmap, and why whatever ends a mapping without a command of
 * the guest (unref, reset, the end of a context) sends the unmap and waits for nothing.
 *
 * A request whose command was answered early (the queue stopped) is an orphan: its own answer only
 * frees it, and a map that was orphaned is followed by an unmap at once.
 */
#include "gpu/mapping.h"

#include "gpu/internal.h"
#include "util/checked.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/pages.h"

#include <errno.h>
#include <unistd.h>

struct gpu_mappings {
	GTree *by_offset;	/* uint64_t of the entry -> struct gpu_mapping, owned */
	GQueue requests;	/* of struct request: sent and not answered */
	struct request *parked; /* the one that the parked command waits for, or NULL */
};

struct gpu_mapping {
	uint64_t offset;
	uint64_t len;
	struct gpu_tracked_resource *resource;
};

struct request {
	struct gpu_device *device;
	bool is_map;
	uint32_t map_info;
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
	g_queue_init(&mappings->requests);
	return mappings;
}

void gpu_mappings_destroy(struct gpu_mappings *mappings)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&mappings->requests)) != NULL)
		g_free(link->data);
	g_tree_destroy(mappings->by_offset);
	g_free(mappings);
}

static bool overlaps(struct gpu_mappings *mappings, uint64_t offset, uint64_t len)
{
	/* The first entry behind the start; the one before it may reach into the range. */
	GTreeNode *next = g_tree_upper_bound(mappings->by_offset, &offset);
	GTreeNode *previous =
		next != NULL ? g_tree_node_previous(next) : g_tree_node_last(mappings->by_offset);
	const struct gpu_mapping *mapping;

	if (next != NULL) {
		mapping = g_tree_node_value(next);
		if (mapping->offset - offset < len)
			return true;
	}
	if (previous != NULL) {
		mapping = g_tree_node_value(previous);
		if (offset - mapping->offset < mapping->len)
			return true;
	}
	return false;
}

static void enter(struct gpu_device *device, struct gpu_tracked_resource *resource, uint64_t offset,
	uint64_t len)
{
	struct gpu_mapping *mapping = g_new(struct gpu_mapping, 1);

	*mapping = (struct gpu_mapping){.offset = offset, .len = len, .resource = resource};
	g_tree_insert(device->mappings->by_offset, &mapping->offset, mapping);
	resource->mapping = mapping;
}

static void leave(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	uint64_t offset = resource->mapping->offset;

	resource->mapping = NULL;
	g_tree_remove(device->mappings->by_offset, &offset);
}

/* The front-end refused: the table is put back to what is true. */
static void undo(struct gpu_device *device, const struct request *request, uint32_t resource_id)
{
	struct gpu_tracked_resource *resource = gpu_resource_find(device, resource_id);

	if (resource == NULL)
		return;
	/* A map may have been taken back already, its context being lost. */
	if (request->is_map && resource->mapping != NULL)
		leave(device, resource);
	else if (!request->is_map)
		enter(device, resource, request->offset, request->len);
}

/* The answer to the command that waits for @request. */
static uint32_t finish(struct gpu_command *command, const struct request *request, int error)
{
	const uint32_t map_info[2] = {htole32(request->map_info), 0};
	/* The resource id stands at the same place for both commands. */
	uint32_t id = le32toh(command->args.map_blob.resource_id);

	if (error < 0) {
		gpu_command_log(command, id, "the front-end refused");
		undo(command->device, request, id);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (!request->is_map)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (gpu_command_write(command, map_info, sizeof(map_info)) < 0) {
		/* The guest hears that it failed, so it must not stay mapped. */
		gpu_mapping_drop(command->device, gpu_resource_find(command->device, id));
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	return VIRTIO_GPU_RESP_OK_MAP_INFO;
}

static void request_done(void *opaque, int error)
{
	g_autofree struct request *request = opaque;
	struct gpu_device *device = request->device;
	struct gpu_mappings *mappings = device->mappings;
	struct gpu_command *command;

	g_queue_unlink(&mappings->requests, &request->link);
	if (mappings->parked != request)
		return;
	mappings->parked = NULL;
	command = gpu_device_unpark(device);
	gpu_command_finish(command, finish(command, request, error));
	device->events->resumed(device->events_opaque);
}

static struct request *request_create(
	struct gpu_device *device, bool is_map, uint64_t offset, uint64_t len)
{
	struct request *request = g_new0(struct request, 1);

	*request =
		(struct request){.device = device, .is_map = is_map, .offset = offset, .len = len};
	request->link.data = request;
	return request;
}

/* Sends an unmap. Return: the request, or NULL where there is nobody to send it to. */
static struct request *send_unmap(struct gpu_device *device, uint64_t offset, uint64_t len)
{
	struct request *request = request_create(device, false, offset, len);
	int ret =
		device->shmem_ops->unmap(device->shmem_opaque, offset, len, request_done, request);

	if (ret < 0) {
		/* It has hung up, and its region is gone with it. */
		log_debug("the front-end cannot be asked to unmap: %s", g_strerror(-ret));
		g_free(request);
		return NULL;
	}
	g_queue_push_tail_link(&device->mappings->requests, &request->link);
	return request;
}

static int send_map(
	struct gpu_device *device, const struct renderer_blob *blob, uint64_t offset, uint64_t len)
{
	struct request *request = request_create(device, true, offset, len);
	int ret;

	request->map_info = blob->map_info;
	ret = device->shmem_ops->map(
		device->shmem_opaque, offset, len, blob, request_done, request);
	if (ret < 0) {
		g_free(request);
		return ret;
	}
	g_queue_push_tail_link(&device->mappings->requests, &request->link);
	device->mappings->parked = request;
	return 0;
}

void gpu_mapping_drop(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (resource->mapping == NULL)
		return;
	send_unmap(device, resource->mapping->offset, resource->mapping->len);
	leave(device, resource);
}

/* Does a context other than @ctx_id have the resource attached? */
static bool is_attached_elsewhere(
	struct gpu_device *device, const struct gpu_tracked_resource *resource, uint32_t ctx_id)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, device->contexts);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct gpu_context *context = value;

		if (context->id != ctx_id && g_hash_table_contains(context->resources,
						     GUINT_TO_POINTER(resource->base.id)))
			return true;
	}
	return false;
}

/* Unmaps without a command of the guest, which will unmap it later. */
static void drop_unasked(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (resource->mapping == NULL)
		return;
	gpu_mapping_drop(device, resource);
	resource->mapping_was_dropped = true;
}

void gpu_mapping_drop_context(struct gpu_device *device, uint32_t ctx_id)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct gpu_tracked_resource *resource = value;

		if (resource->base.blob.ctx_id == ctx_id &&
			!is_attached_elsewhere(device, resource, ctx_id))
			drop_unasked(device, resource);
	}
}

void gpu_mapping_drop_lost(struct gpu_device *device, uint64_t capset_mask)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct gpu_tracked_resource *resource = value;
		const struct gpu_context *context =
			gpu_context_find(device, resource->base.blob.ctx_id);

		if (context != NULL && capset_mask & UINT64_C(1) << context->capset_id)
			drop_unasked(device, resource);
	}
}

void gpu_mapping_cancel(struct gpu_device *device)
{
	struct request *request = device->mappings->parked;
	struct gpu_tracked_resource *resource;
	struct gpu_command *command = device->parked;

	device->mappings->parked = NULL;
	if (request == NULL || !request->is_map)
		return;
	/* The guest will hear that it failed. */
	resource = gpu_resource_find(device, le32toh(command->args.map_blob.resource_id));
	if (resource != NULL)
		gpu_mapping_drop(device, resource);
}

/* Checks the arguments of a map. Return: 0 or a response code. */
static uint32_t check_map(struct gpu_device *device, struct gpu_command *command,
	struct gpu_tracked_resource *resource, uint64_t offset, uint64_t len)
{
	uint32_t id = le32toh(command->args.map_blob.resource_id);
	const char *why = NULL;

	if (resource == NULL) {
		gpu_command_log(command, id, "there is no such resource");
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (device->shmem_ops == NULL) {
		gpu_command_log(command, id, "the front-end has no shared memory region");
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (resource->base.kind != GPU_RESOURCE_BLOB ||
		resource->base.blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST ||
		!(resource->base.blob.flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE))
		why = "it is not a mappable host blob";
	else if (resource->mapping != NULL)
		why = "it is mapped already";
	else if (offset % page_size() != 0 || !checked_range(offset, len, device->shmem_len))
		why = "the offset is not on a page, or behind the end of the region";
	else if (overlaps(device->mappings, offset, len))
		why = "another blob is mapped there";
	if (why != NULL) {
		gpu_command_log(command, id, why);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	return 0;
}

uint32_t gpu_handle_resource_map_blob(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_map_blob *args = &command->args.map_blob;
	uint64_t offset = le64toh(args->offset);
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_find(device, id);
	uint64_t len = resource != NULL ? page_align(resource->base.blob.size) : 0;
	uint32_t error = check_map(device, command, resource, offset, len);
	struct renderer_blob blob = {.fd = -1};
	int ret;

	if (error != 0)
		return error;
	ret = gpu_blob_export(device, resource, &blob);
	if (ret == 0)
		ret = send_map(device, &blob, offset, len);
	fd_clear(&blob.fd);
	if (ret < 0) {
		gpu_command_log(command, id, g_strerror(-ret));
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	enter(device, resource, offset, len);
	resource->mapping_was_dropped = false;
	gpu_device_park(device, command, 1);
	return GPU_PARKED;
}

uint32_t gpu_handle_resource_unmap_blob(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.unmap_blob.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (resource->mapping == NULL && resource->mapping_was_dropped) {
		resource->mapping_was_dropped = false;
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	if (resource->mapping == NULL) {
		gpu_command_log(command, id, "it is not mapped");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	device->mappings->parked =
		send_unmap(device, resource->mapping->offset, resource->mapping->len);
	if (device->mappings->parked == NULL)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	leave(device, resource);
	gpu_device_park(device, command, 1);
	return GPU_PARKED;
}
