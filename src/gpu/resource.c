/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The table of resources: creation, destruction, backing, UUIDs (virtio 1.3, section 5.7.6.8), and
 * what guest memory they hold.
 */
#include "gpu/resource.h"

#include "gpu/blob.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/format.h"
#include "gpu/hostmem.h"
#include "gpu/mapping.h"
#include "gpu/renderer_calls.h"
#include "gpu/state.h"
#include "gpu/teardown.h"
#include "util/checked.h"
#include "util/id_table.h"
#include "util/log.h"
#include "util/scarce.h"

#include <errno.h>
#include <sys/random.h>

/* @entry_count: of all backing lists, which are resolved together when the memory table changes. */
struct gpu_resources {
	GHashTable *by_id; /* id -> struct gpu_tracked_resource, a reference */
	uint64_t entry_count;
};

struct gpu_resources *gpu_resources_create(void)
{
	struct gpu_resources *resources = g_new0(struct gpu_resources, 1);

	resources->by_id = id_table_new(NULL);
	return resources;
}

void gpu_resources_destroy(struct gpu_resources *resources)
{
	g_hash_table_destroy(resources->by_id);
	g_free(resources);
}

struct gpu_tracked_resource *gpu_resource_ref(struct gpu_tracked_resource *resource)
{
	resource->refs++;
	return resource;
}

void gpu_resource_unref(struct gpu_tracked_resource *resource)
{
	if (--resource->refs == 0)
		g_free(resource);
}

struct gpu_tracked_resource *gpu_resource_find(struct gpu_device *device, uint32_t id)
{
	return id != 0 ? g_hash_table_lookup(device->resources->by_id, GUINT_TO_POINTER(id)) : NULL;
}

struct gpu_tracked_resource *gpu_resource_require(
	struct gpu_device *device, const struct gpu_command *command, uint32_t id)
{
	struct gpu_tracked_resource *resource = gpu_resource_find(device, id);

	if (!resource)
		gpu_command_refuse(
			command, id, GPU_ERR_INVALID_RESOURCE_ID, "there is no such resource");
	return resource;
}

void gpu_resource_foreach(struct gpu_device *device,
	void (*fn)(struct gpu_device *device, struct gpu_tracked_resource *resource, void *opaque),
	void *opaque)
{
	GHashTableIter iter;
	gpointer resource;

	g_hash_table_iter_init(&iter, device->resources->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &resource))
		fn(device, resource, opaque);
}

/* Backing */

/* Counts a list of @count entries. Return: 0 or a limit's error. */
static int charge_backing(struct gpu_device *device, uint32_t count)
{
	int ret;

	if (!checked_range(device->resources->entry_count, (uint64_t)count,
		    device->limits.max[GPU_LIMIT_TOTAL_BACKING_ENTRIES]))
		return gpu_limit_error(GPU_LIMIT_TOTAL_BACKING_ENTRIES);
	ret = gpu_hostmem_charge(device, gpu_backing_cost(count));
	if (ret == 0)
		device->resources->entry_count += count;
	return ret;
}

static void release_backing(struct gpu_device *device, uint32_t count)
{
	device->resources->entry_count -= count;
	gpu_hostmem_release(device, gpu_backing_cost(count));
}

static void forget_pages(struct gpu_resource *base)
{
	g_clear_pointer(&base->iov, g_free);
	g_clear_pointer(&base->iov_starts, g_free);
	base->iov_count = 0;
	base->backing_len = 0;
}

void gpu_resource_release_pages(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (resource->base.iov && resource->is_renderers)
		renderer_calls_detach_backing(device->renderer, &resource->base);
	forget_pages(&resource->base);
}

/* Moves what was found to the resource; the renderer does not know of it yet. */
static void move_pages(struct gpu_resource *base, struct gpu_page_walk *walk)
{
	base->iov = g_steal_pointer(&walk->iov);
	base->iov_starts = g_steal_pointer(&walk->starts);
	base->iov_count = walk->used;
	base->backing_len = walk->len;
}

int gpu_resource_take_pages(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct gpu_page_walk *walk)
{
	struct gpu_resource *base = &resource->base;
	int ret = 0;

	move_pages(base, walk);
	if (resource->is_renderers)
		ret = renderer_calls_attach_backing(device->renderer, base);
	if (ret < 0)
		forget_pages(base);
	return ret;
}

static void detach_backing(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (!resource->backing.entries)
		return;
	gpu_resource_release_pages(device, resource);
	release_backing(device, resource->backing.count);
	turn_charge(&device->turn, gpu_backing_cost(resource->backing.count));
	gpu_backing_finish(&resource->backing);
}

/* Life and death */

/* All but the renderer's side, which may take longer. */
static void resource_let_go(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	for (uint32_t i = 0; i < GPU_OUTPUT_COUNT; i++)
		if (resource->outputs & 1u << i)
			gpu_output_disable(device, i);
	gpu_mapping_drop(device, resource);
	gpu_blob_release(resource);
	detach_backing(device, resource);
	gpu_context_forget_resource(device, resource);
	g_hash_table_remove(device->resources->by_id, GUINT_TO_POINTER(resource->base.id));
}

int gpu_resource_destroy_more(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	int ret = 0;

	if (resource->is_renderers)
		ret = renderer_calls_resource_destroy(device->renderer, &resource->base);
	if (ret == RENDERER_AGAIN)
		return ret;
	gpu_hostmem_release(device, resource->host_len);
	gpu_resource_unref(resource);
	return 0;
}

void gpu_resource_destroy(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	resource_let_go(device, resource);
	if (gpu_resource_destroy_more(device, resource) == RENDERER_AGAIN)
		gpu_teardown_resource(device, resource);
}

GList *gpu_resource_list(struct gpu_device *device)
{
	return g_hash_table_get_values(device->resources->by_id);
}

enum gpu_verdict gpu_resource_check_new(
	struct gpu_device *device, struct gpu_command *command, uint32_t id)
{
	if (id == 0 || gpu_resource_find(device, id))
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_RESOURCE_ID, "the id is 0 or in use");
	if (g_hash_table_size(device->resources->by_id) >= device->limits.max[GPU_LIMIT_RESOURCES])
		return gpu_command_fail(command, id, gpu_limit_error(GPU_LIMIT_RESOURCES));
	if (memory_is_scarce())
		return gpu_command_fail(command, id, gpu_limit_error(GPU_LIMIT_MEMORY));
	return GPU_OK;
}

/* Counts what it takes, and moves what is in @list to it. Return: 0 or a negative errno. */
static int resource_charge(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct gpu_page_list *list)
{
	const uint32_t count = list ? list->backing.count : 0;
	int ret = gpu_hostmem_charge(device, resource->host_len);

	if (ret < 0)
		return ret;
	ret = charge_backing(device, count);
	if (ret < 0) {
		gpu_hostmem_release(device, resource->host_len);
		return ret;
	}
	if (list) {
		resource->backing = gpu_backing_steal(&list->backing);
		move_pages(&resource->base, &list->walk);
	}
	return 0;
}

/* The reverse, of a resource that is in no table. */
static void resource_discard(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	release_backing(device, resource->backing.count);
	gpu_hostmem_release(device, resource->host_len);
	gpu_backing_finish(&resource->backing);
	forget_pages(&resource->base);
	g_free(resource);
}

/* A resource that is not in the table yet. Return: 0 or a negative errno. */
static int resource_prepare(struct gpu_device *device, const struct gpu_resource *prepared,
	struct gpu_page_list *list, uint64_t host_len, struct gpu_tracked_resource **ret_resource)
{
	struct gpu_tracked_resource *resource = g_new0(struct gpu_tracked_resource, 1);
	int ret;

	resource->base = *prepared;
	resource->refs = 1;
	resource->host_len = host_len;
	resource->udmabuf_fd = -1;
	resource->is_renderers = prepared->kind != GPU_RESOURCE_BLOB || device->renderer->has_blob;
	ret = resource_charge(device, resource, list);
	if (ret < 0)
		g_free(resource);
	else
		*ret_resource = resource;
	return ret;
}

/* Makes the renderer's side. Return: 0, RENDERER_AGAIN or a negative errno. */
static int create_renderers(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	int ret = 0;

	if (resource->is_renderers)
		ret = renderer_calls_resource_create(device->renderer, &resource->base);
	return ret;
}

static void resource_enter(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	g_hash_table_insert(
		device->resources->by_id, GUINT_TO_POINTER(resource->base.id), resource);
}

enum gpu_verdict gpu_resource_add_blob(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_resource *prepared, struct gpu_page_list *list, uint64_t host_len)
{
	struct gpu_tracked_resource *resource;
	int ret = resource_prepare(device, prepared, list, host_len, &resource);

	if (ret < 0)
		return gpu_command_fail(command, prepared->id, ret);
	ret = create_renderers(device, resource);
	if (ret == 0)
		resource_enter(device, resource);
	else
		resource_discard(device, resource);
	return gpu_command_fail(command, prepared->id, ret);
}

/* An image that its renderer is making. @resource: NULL when it is in the table. */
struct making {
	struct gpu_device *device;
	struct gpu_tracked_resource *resource;
	bool has_begun;
};

static void making_free(void *opaque)
{
	struct making *making = opaque;
	struct gpu_tracked_resource *resource = making->resource;

	if (resource && making->has_begun) {
		resource->base.progress = 0;
		if (gpu_resource_destroy_more(making->device, resource) == RENDERER_AGAIN)
			gpu_teardown_resource(making->device, resource);
	} else if (resource) {
		resource_discard(making->device, resource);
	}
	g_free(making);
}

static enum gpu_verdict making_step(
	struct gpu_command *command, struct gpu_tracked_resource *nothing)
{
	struct making *making = command->steps.opaque;
	const uint32_t id = making->resource->base.id;
	int ret = create_renderers(making->device, making->resource);

	making->has_begun = ret == RENDERER_AGAIN;
	if (making->has_begun)
		return GPU_AGAIN;
	making->resource->base.progress = 0;
	if (ret == 0)
		resource_enter(making->device, g_steal_pointer(&making->resource));
	return gpu_command_fail(command, id, ret);
}

/* Makes an image and enters it into the table. */
static enum gpu_verdict add_image(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_resource *prepared, uint64_t host_len)
{
	struct gpu_tracked_resource *resource;
	struct making *making;
	int ret = resource_prepare(device, prepared, NULL, host_len, &resource);

	if (ret < 0)
		return gpu_command_fail(command, prepared->id, ret);
	making = g_new0(struct making, 1);
	making->device = device;
	making->resource = resource;
	gpu_steps_keep(command, making, making_free);
	return gpu_steps_run(command, NULL, making_step);
}

/* The commands */

enum gpu_verdict gpu_handle_resource_create_2d(
	struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_2d *args = &command->args.create_2d;
	const struct gpu_resource resource = {
		.id = le32toh(args->resource_id),
		.kind = GPU_RESOURCE_2D,
		.format = le32toh(args->format),
		.width = le32toh(args->width),
		.height = le32toh(args->height),
	};
	enum gpu_verdict verdict = gpu_resource_check_new(device, command, resource.id);

	if (verdict != GPU_OK)
		return verdict;
	if (!gpu_format_find_2d(resource.format) || resource.width == 0 || resource.height == 0 ||
		resource.width > GPU_MAX_2D_SIZE || resource.height > GPU_MAX_2D_SIZE)
		return gpu_command_refuse(command, resource.id, GPU_ERR_INVALID_PARAMETER,
			"the format or the size is not possible");
	return add_image(device, command, &resource,
		(uint64_t)resource.width * resource.height * GPU_2D_BYTES_PER_PIXEL);
}

/* What the host will need, about: 3D formats are the renderer's, so 4 bytes for a texel. */
static bool estimate_3d(const struct gpu_resource *resource, uint64_t *ret_len)
{
	const struct gpu_resource_3d *args = &resource->args_3d;
	const bool is_buffer = args->target == 0;
	uint64_t len = is_buffer ? 1 : 4;

	return checked_mul(len, MAX(resource->width, 1), &len) &&
	       checked_mul(len, MAX(resource->height, 1), &len) &&
	       checked_mul(len, MAX(args->depth, 1), &len) &&
	       checked_mul(len, MAX(args->array_size, 1), &len) &&
	       checked_mul(len, MAX(args->nr_samples, 1), &len) &&
	       checked_add(len, args->last_level > 0 ? len / 3 : 0, ret_len);
}

enum gpu_verdict gpu_handle_resource_create_3d(
	struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_3d *args = &command->args.create_3d;
	const struct gpu_resource resource = {
		.id = le32toh(args->resource_id),
		.kind = GPU_RESOURCE_3D,
		.format = le32toh(args->format),
		.width = le32toh(args->width),
		.height = le32toh(args->height),
		.args_3d =
			{
				.target = le32toh(args->target),
				.bind = le32toh(args->bind),
				.depth = le32toh(args->depth),
				.array_size = le32toh(args->array_size),
				.last_level = le32toh(args->last_level),
				.nr_samples = le32toh(args->nr_samples),
				.flags = le32toh(args->flags),
			},
	};
	enum gpu_verdict verdict = gpu_resource_check_new(device, command, resource.id);
	uint64_t host_len;

	if (verdict != GPU_OK)
		return verdict;
	if (!estimate_3d(&resource, &host_len))
		return gpu_command_refuse(
			command, resource.id, GPU_ERR_OUT_OF_MEMORY, "the size is not possible");
	return add_image(device, command, &resource, host_len);
}

enum gpu_verdict gpu_handle_resource_unref(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.resource_unref.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	gpu_resource_destroy(device, resource);
	return GPU_OK;
}

/* On success what is in @list belongs to @resource. */
static int attach_list(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct gpu_page_list *list)
{
	int ret = charge_backing(device, list->backing.count);

	if (ret < 0)
		return ret;
	ret = gpu_resource_take_pages(device, resource, &list->walk);
	if (ret < 0) {
		release_backing(device, list->backing.count);
		return ret;
	}
	resource->backing = gpu_backing_steal(&list->backing);
	return 0;
}

static enum gpu_verdict attach_step(
	struct gpu_command *command, struct gpu_tracked_resource *resource)
{
	struct gpu_page_list *list = command->steps.opaque;
	int ret = gpu_page_list_read(list, command);

	if (ret == GPU_WALK_AGAIN)
		return GPU_AGAIN;
	if (ret == 0)
		ret = attach_list(command->device, resource, list);
	return gpu_command_fail(command, resource->base.id, ret);
}

enum gpu_verdict gpu_handle_resource_attach_backing(
	struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_attach_backing *args = &command->args.attach_backing;
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);
	struct gpu_page_list *list;
	int ret;

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (resource->base.kind == GPU_RESOURCE_BLOB)
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_PARAMETER, "a blob has its pages for life");
	if (resource->backing.entries)
		return gpu_command_refuse(command, id, GPU_ERR_UNSPEC, "it has backing already");
	ret = gpu_page_list_create(command, le32toh(args->nr_entries), &list);
	if (ret < 0)
		return gpu_command_fail(command, id, ret);
	gpu_steps_keep(command, list, gpu_page_list_free);
	return gpu_steps_run(command, resource, attach_step);
}

enum gpu_verdict gpu_handle_resource_detach_backing(
	struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.detach_backing.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (resource->base.kind == GPU_RESOURCE_BLOB)
		return gpu_command_refuse(
			command, id, GPU_ERR_INVALID_PARAMETER, "a blob has its pages for life");
	if (!resource->backing.entries)
		return gpu_command_refuse(command, id, GPU_ERR_UNSPEC, "it has no backing");
	detach_backing(device, resource);
	return GPU_OK;
}

enum gpu_verdict gpu_handle_resource_assign_uuid(
	struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.assign_uuid.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (!resource)
		return GPU_ERR_INVALID_RESOURCE_ID;
	if (!resource->has_uuid) {
		uint8_t *uuid = resource->uuid;

		if (getrandom(uuid, sizeof(resource->uuid), 0) != sizeof(resource->uuid))
			return GPU_ERR_UNSPEC;
		/* RFC 9562, section 5.4: version 4, and the variant of that document. */
		uuid[6] = (uuid[6] & 0x0f) | 0x40;
		uuid[8] = (uuid[8] & 0x3f) | 0x80;
		resource->has_uuid = true;
	}
	if (gpu_command_write(command, resource->uuid, sizeof(resource->uuid)) < 0)
		return GPU_ERR_UNSPEC;
	return GPU_OK_RESOURCE_UUID;
}
