/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blobs. virtio 1.3, section 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB and RESOURCE_MAP_BLOB.
 *
 * The library says that it made a blob when gfxstream did not, so what it made is looked at: it has
 * memory, or it can be mapped, or it is an image. A descriptor is taken at once and kept: the
 * library lends one that it may give away (without SHAREABLE) only once, and not while a context
 * has the blob.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/fd.h"

#include <fcntl.h>

/* Reads back what was made. Return: whether there is anything. */
static bool look_at_blob(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource)
{
	struct rutabaga_resource *data = resource->renderer_data;
	struct rutabaga_handle handle = {.os_handle = -1};

	if (rutabaga_resource_map_info(rutabaga->rutabaga, resource->id, &data->map_info) != 0)
		data->map_info = 0;
	if (rutabaga_resource_export_blob(rutabaga->rutabaga, resource->id, &handle) == 0) {
		data->fd = (int)handle.os_handle;
		data->handle_type = handle.handle_type;
	}
	return data->map_info != 0 || data->fd >= 0;
}

static int create_host_blob(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource)
{
	struct rutabaga_resource *data = resource->renderer_data;
	struct rutabaga_context *context =
		renderer_rutabaga_context(rutabaga, resource->blob.ctx_id);
	const struct rutabaga_create_blob args = {
		.blob_mem = resource->blob.mem,
		.blob_flags = resource->blob.flags | RUTABAGA_BLOB_FLAG_USE_SHAREABLE,
		.blob_id = resource->blob.id,
		.size = resource->blob.size,
	};
	const gpointer image_id = GUINT_TO_POINTER((uint32_t)resource->blob.id);
	const struct rutabaga_image *image = g_hash_table_lookup(context->images, image_id);

	if (image)
		data->image = *image;
	g_hash_table_remove(context->images, image_id);
	if (rutabaga_resource_create_blob(
		    rutabaga->rutabaga, context->id, resource->id, &args, NULL, NULL) != 0)
		return -EINVAL;
	if (!look_at_blob(rutabaga, resource)) {
		rutabaga_resource_unref(rutabaga->rutabaga, resource->id);
		return -EINVAL;
	}
	data->is_known = true;
	return 0;
}

int renderer_rutabaga_create_blob(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource)
{
	switch (resource->blob.mem) {
	case VIRTIO_GPU_BLOB_MEM_GUEST: /* ring.c makes it known when it has to be */
		return 0;
	case VIRTIO_GPU_BLOB_MEM_HOST3D:
		return create_host_blob(rutabaga, resource);
	default:
		return -EINVAL;
	}
}

int renderer_rutabaga_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	const struct rutabaga_resource *data = resource->renderer_data;
	struct renderer_blob blob = {
		.type = RENDERER_HANDLE_OPAQUE,
		.map_info = data->map_info & RUTABAGA_MAP_CACHE_MASK,
		.is_read_only =
			(data->map_info & RUTABAGA_MAP_ACCESS_MASK) == RUTABAGA_MAP_ACCESS_READ,
	};

	if (data->fd < 0)
		return -ENOTSUP;
	if (data->handle_type == RENDERER_RUTABAGA_MEM_DMABUF)
		blob.type = RENDERER_HANDLE_DMABUF;
	else if (data->handle_type == RENDERER_RUTABAGA_MEM_SHM)
		blob.type = RENDERER_HANDLE_SHM;
	/* What another program of the host made is as long as it is, not as the guest says. */
	if (blob.type != RENDERER_HANDLE_OPAQUE && !fd_holds(data->fd, 0, resource->blob.size))
		return -ENOTSUP;
	blob.fd = fcntl(data->fd, F_DUPFD_CLOEXEC, 0);
	if (blob.fd < 0)
		return -errno;
	*ret_blob = blob;
	return 0;
}
