/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The table of resources: creation, destruction, backing, UUIDs (virtio 1.3, section 5.7.6.8), and
 * the count of the host memory they take.
 */
#include "gpu/format.h"
#include "gpu/internal.h"
#include "util/checked.h"
#include "util/log.h"

#include <errno.h>
#include <sys/random.h>

struct gpu_tracked_resource *gpu_resource_find(struct gpu_device *device, uint32_t id)
{
	return id != 0 ? g_hash_table_lookup(device->resources, GUINT_TO_POINTER(id)) : NULL;
}

struct gpu_tracked_resource *gpu_resource_require(
	struct gpu_device *device, const struct gpu_command *command, uint32_t id)
{
	struct gpu_tracked_resource *resource = gpu_resource_find(device, id);

	if (resource == NULL)
		gpu_command_log(command, id, "there is no such resource");
	return resource;
}

int gpu_hostmem_charge(struct gpu_device *device, uint64_t len)
{
	if (!checked_range(device->hostmem_used, len, device->limits.max_hostmem))
		return -ENOMEM;
	device->hostmem_used += len;
	return 0;
}

void gpu_hostmem_release(struct gpu_device *device, uint64_t len)
{
	device->hostmem_used -= len;
}

/* Lets go of the guest's pages; the list of them is kept. */
static void release_pages(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct gpu_resource *base = &resource->base;

	if (base->iov != NULL && resource->is_renderers &&
		device->renderer->ops->detach_backing != NULL)
		device->renderer->ops->detach_backing(device->renderer, base);
	g_clear_pointer(&base->iov, g_free);
	base->iov_count = 0;
	base->backing_len = 0;
}

/* Finds the pages of @backing and hands them to the renderer. */
static int resolve_pages(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_backing *backing)
{
	struct renderer *renderer = device->renderer;
	struct gpu_resource *base = &resource->base;
	int ret = gpu_backing_resolve(backing, device->memory, &base->iov, &base->iov_count);

	if (ret < 0)
		return ret;
	base->backing_len = backing->len;
	if (resource->is_renderers && renderer->ops->attach_backing != NULL)
		ret = renderer->ops->attach_backing(renderer, base);
	if (ret < 0) {
		g_clear_pointer(&base->iov, g_free);
		base->iov_count = 0;
		base->backing_len = 0;
	}
	return ret;
}

void gpu_resource_release_memory(struct gpu_device *device)
{
	GHashTableIter iter;
	gpointer resource;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &resource)) {
		release_pages(device, resource);
		gpu_blob_release(resource);
	}
}

void gpu_resource_resolve_memory(struct gpu_device *device)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct gpu_tracked_resource *resource = value;
		int ret = 0;

		if (resource->backing.entries != NULL)
			ret = resolve_pages(device, resource, &resource->backing);
		if (ret < 0)
			log_peer("resource %u lost its pages when the memory table changed: %s",
				resource->base.id, g_strerror(-ret));
	}
}

static void detach_backing(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	if (resource->backing.entries == NULL)
		return;
	release_pages(device, resource);
	gpu_hostmem_release(device, gpu_backing_cost(resource->backing.count));
	gpu_backing_finish(&resource->backing);
}

static void resource_destroy(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct renderer *renderer = device->renderer;

	for (uint32_t i = 0; i < GPU_SCANOUT_COUNT; i++)
		if (resource->scanouts & 1u << i)
			gpu_scanout_disable(device, i);
	gpu_mapping_drop(device, resource);
	gpu_blob_release(resource);
	detach_backing(device, resource);
	gpu_context_forget_resource(device, resource);
	if (resource->is_renderers && renderer->ops->resource_destroy != NULL)
		renderer->ops->resource_destroy(renderer, &resource->base);
	gpu_hostmem_release(device, resource->host_len);
	g_hash_table_remove(device->resources, GUINT_TO_POINTER(resource->base.id));
	g_free(resource);
}

void gpu_resource_destroy_all(struct gpu_device *device)
{
	g_autoptr(GList) all = g_hash_table_get_values(device->resources);

	for (GList *link = all; link != NULL; link = link->next)
		resource_destroy(device, link->data);
}

uint32_t gpu_resource_check_new(struct gpu_device *device, struct gpu_command *command, uint32_t id)
{
	if (id == 0 || gpu_resource_find(device, id) != NULL) {
		gpu_command_log(command, id, "the id is 0 or in use");
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	if (g_hash_table_size(device->resources) >= device->limits.max_resources) {
		gpu_command_log(command, id, "too many resources");
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return 0;
}

/* Makes the renderer's side. Return: 0 or a negative errno. */
static int create_renderers(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct renderer *renderer = device->renderer;

	resource->is_renderers = resource->base.kind != GPU_RESOURCE_BLOB || renderer->has_blob;
	if (!resource->is_renderers || renderer->ops->resource_create == NULL)
		return 0;
	return renderer->ops->resource_create(renderer, &resource->base);
}

/* Everything that can fail in gpu_resource_add(). Return: 0 or a negative errno. */
static int set_up(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct gpu_resource *base = &resource->base;
	uint64_t cost = resource->host_len + gpu_backing_cost(resource->backing.count);
	int ret = gpu_hostmem_charge(device, cost);

	if (ret < 0)
		return ret;
	if (resource->backing.entries != NULL) {
		ret = gpu_backing_resolve(
			&resource->backing, device->memory, &base->iov, &base->iov_count);
		base->backing_len = resource->backing.len;
	}
	if (ret == 0)
		ret = create_renderers(device, resource);
	if (ret < 0) {
		g_clear_pointer(&base->iov, g_free);
		gpu_hostmem_release(device, cost);
	}
	return ret;
}

uint32_t gpu_resource_add(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_resource *prepared, struct gpu_backing *backing, uint64_t host_len)
{
	struct gpu_tracked_resource *resource = g_new0(struct gpu_tracked_resource, 1);
	int ret;

	resource->base = *prepared;
	resource->host_len = host_len;
	resource->udmabuf_fd = -1;
	if (backing != NULL)
		resource->backing = *backing;
	ret = set_up(device, resource);
	if (ret < 0) {
		gpu_command_log(command, prepared->id, g_strerror(-ret));
		gpu_backing_finish(&resource->backing);
		g_free(resource);
		return gpu_response_from_errno(ret);
	}
	g_hash_table_insert(device->resources, GUINT_TO_POINTER(prepared->id), resource);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t gpu_handle_resource_create_2d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_2d *args = &command->args.create_2d;
	const struct gpu_resource resource = {
		.id = le32toh(args->resource_id),
		.kind = GPU_RESOURCE_2D,
		.format = le32toh(args->format),
		.width = le32toh(args->width),
		.height = le32toh(args->height),
	};
	uint32_t error = gpu_resource_check_new(device, command, resource.id);

	if (error != 0)
		return error;
	if (gpu_format_find_2d(resource.format) == NULL || resource.width == 0 ||
		resource.height == 0 || resource.width > GPU_MAX_2D_SIZE ||
		resource.height > GPU_MAX_2D_SIZE) {
		gpu_command_log(command, resource.id, "the format or the size is not possible");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	return gpu_resource_add(device, command, &resource, NULL,
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

uint32_t gpu_handle_resource_create_3d(struct gpu_device *device, struct gpu_command *command)
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
	uint32_t error = gpu_resource_check_new(device, command, resource.id);
	uint64_t host_len;

	if (error != 0)
		return error;
	if (!estimate_3d(&resource, &host_len)) {
		gpu_command_log(command, resource.id, "the size is not possible");
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return gpu_resource_add(device, command, &resource, NULL, host_len);
}

uint32_t gpu_handle_resource_unref(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.resource_unref.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	resource_destroy(device, resource);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* On success @backing belongs to @resource. */
static int attach_backing(struct gpu_device *device, struct gpu_tracked_resource *resource,
	const struct gpu_backing *backing)
{
	int ret = gpu_hostmem_charge(device, gpu_backing_cost(backing->count));

	if (ret < 0)
		return ret;
	ret = resolve_pages(device, resource, backing);
	if (ret < 0) {
		gpu_hostmem_release(device, gpu_backing_cost(backing->count));
		return ret;
	}
	resource->backing = *backing;
	return 0;
}

uint32_t gpu_handle_resource_attach_backing(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_attach_backing *args = &command->args.attach_backing;
	uint32_t id = le32toh(args->resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);
	struct gpu_backing backing;
	int ret;

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (resource->base.kind == GPU_RESOURCE_BLOB) {
		gpu_command_log(command, id, "a blob has its pages for life");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (resource->backing.entries != NULL) {
		gpu_command_log(command, id, "it has backing already");
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	ret = gpu_backing_read(
		command, le32toh(args->nr_entries), device->limits.max_backing_entries, &backing);
	if (ret == 0) {
		ret = attach_backing(device, resource, &backing);
		if (ret < 0)
			gpu_backing_finish(&backing);
	}
	if (ret < 0)
		gpu_command_log(command, id, g_strerror(-ret));
	return gpu_response_from_errno(ret);
}

uint32_t gpu_handle_resource_detach_backing(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.detach_backing.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (resource->base.kind == GPU_RESOURCE_BLOB) {
		gpu_command_log(command, id, "a blob has its pages for life");
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (resource->backing.entries == NULL) {
		gpu_command_log(command, id, "it has no backing");
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	detach_backing(device, resource);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t gpu_handle_resource_assign_uuid(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = le32toh(command->args.assign_uuid.resource_id);
	struct gpu_tracked_resource *resource = gpu_resource_require(device, command, id);

	if (resource == NULL)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!resource->has_uuid) {
		uint8_t *uuid = resource->uuid;

		if (getrandom(uuid, sizeof(resource->uuid), 0) != sizeof(resource->uuid))
			return VIRTIO_GPU_RESP_ERR_UNSPEC;
		/* RFC 9562, section 5.4: version 4, and the variant of that document. */
		uuid[6] = (uuid[6] & 0x0f) | 0x40;
		uuid[8] = (uuid[8] & 0x3f) | 0x80;
		resource->has_uuid = true;
	}
	if (gpu_command_write(command, resource->uuid, sizeof(resource->uuid)) < 0)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return VIRTIO_GPU_RESP_OK_RESOURCE_UUID;
}
