/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blob resources: RESOURCE_CREATE_BLOB (virtio 1.3, section 5.7.6.8), and their memory as a
 * descriptor, as a picture, as a dma-buf.
 *
 * A guest blob is a list of the guest's pages; every mode has them. A host blob's memory is the
 * renderer's, and belongs to the context that made it. What is made here for showing a blob (our
 * mapping of a host blob, the dma-buf of a guest blob's pages) is made when it is first shown, kept
 * with the resource, and given back by gpu_blob_release().
 */
#include "gpu/blob.h"

#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/format.h"
#include "gpu/framebuffer.h"
#include "gpu/renderer_calls.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "util/checked.h"
#include "util/fd.h"
#include "util/iov.h"
#include "util/pages.h"
#include "util/shared_map.h"
#include "util/udmabuf.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALL_FLAGS                                                                                  \
	(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |                  \
		VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE)

static bool has_host_memory(const struct gpu_resource_blob *blob)
{
	return blob->mem != VIRTIO_GPU_BLOB_MEM_GUEST;
}

static bool has_guest_memory(const struct gpu_resource_blob *blob)
{
	return blob->mem != VIRTIO_GPU_BLOB_MEM_HOST3D;
}

/* Checks what the request says before its list is read. Return: GPU_OK or an error. */
static enum gpu_verdict check_arguments(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_resource *resource, uint32_t entry_count)
{
	const struct gpu_resource_blob *blob = &resource->blob;
	const char *why = NULL;

	if (blob->mem < VIRTIO_GPU_BLOB_MEM_GUEST || blob->mem > VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST)
		why = "this kind of memory does not exist";
	else if (blob->flags & ~ALL_FLAGS)
		why = "a flag is not known";
	else if (blob->size == 0)
		why = "its size is 0";
	else if (!has_guest_memory(blob) && entry_count != 0)
		why = "host memory has no guest pages";
	else if (has_host_memory(blob) && !device->renderer->has_blob)
		why = "this mode has no host blobs";
	if (why)
		return gpu_command_refuse(command, resource->id, GPU_ERR_INVALID_PARAMETER, why);
	if (has_host_memory(blob) && !gpu_context_find(device, blob->ctx_id))
		return gpu_command_refuse(command, resource->id, GPU_ERR_INVALID_CONTEXT_ID,
			"there is no such context");
	if (fd_is_scarce())
		return gpu_command_refuse(
			command, resource->id, GPU_ERR_OUT_OF_MEMORY, "descriptors are scarce");
	return GPU_OK;
}

/* What the command says, in this machine's byte order. */
static struct gpu_resource take_arguments(const struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_blob *args = &command->args.create_blob;

	return (struct gpu_resource){
		.id = le32toh(args->resource_id),
		.kind = GPU_RESOURCE_BLOB,
		.blob =
			{
				.mem = le32toh(args->blob_mem),
				.flags = le32toh(args->blob_flags),
				.ctx_id = command->hdr.ctx_id,
				.id = le64toh(args->blob_id),
				.size = le64toh(args->size),
			},
	};
}

static enum gpu_verdict create_blob(struct gpu_command *command,
	const struct gpu_resource *resource, struct gpu_page_list *list)
{
	const uint64_t host_len = has_host_memory(&resource->blob) ? resource->blob.size : 0;

	return gpu_resource_add_blob(command->device, command, resource, list, host_len);
}

static enum gpu_verdict refuse_list(const struct gpu_command *command, uint32_t id)
{
	return gpu_command_refuse(command, id, GPU_ERR_INVALID_PARAMETER,
		"its list of pages is short or not possible");
}

/* The list must hold all of the blob. */
static enum gpu_verdict list_step(struct gpu_command *command, struct gpu_tracked_resource *nothing)
{
	const struct gpu_resource resource = take_arguments(command);
	struct gpu_page_list *list = command->steps.opaque;
	int ret = gpu_page_list_read(list, command);

	if (ret == GPU_WALK_AGAIN)
		return GPU_AGAIN;
	if (ret == -EINVAL || (ret == 0 && list->backing.len < resource.blob.size))
		return refuse_list(command, resource.id);
	if (ret < 0)
		return gpu_command_fail(command, resource.id, ret);
	return create_blob(command, &resource, list);
}

enum gpu_verdict gpu_handle_resource_create_blob(
	struct gpu_device *device, struct gpu_command *command)
{
	const struct gpu_resource resource = take_arguments(command);
	const uint32_t entry_count = le32toh(command->args.create_blob.nr_entries);
	enum gpu_verdict verdict = gpu_resource_check_new(device, command, resource.id);
	struct gpu_page_list *list;
	int ret;

	if (verdict == GPU_OK)
		verdict = check_arguments(device, command, &resource, entry_count);
	if (verdict != GPU_OK)
		return verdict;
	if (!has_guest_memory(&resource.blob))
		return create_blob(command, &resource, NULL);
	ret = gpu_page_list_create(command, entry_count, &list);
	if (ret == -EINVAL)
		return refuse_list(command, resource.id);
	if (ret < 0)
		return gpu_command_fail(command, resource.id, ret);
	gpu_steps_keep(command, list, gpu_page_list_free);
	return gpu_steps_run(command, NULL, list_step);
}

int gpu_blob_export(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct renderer_blob *ret_blob)
{
	struct renderer_blob blob = {.fd = -1};
	int ret;

	if (!has_host_memory(&resource->base.blob))
		return -ENOTSUP;
	ret = renderer_calls_export_blob(device->renderer, &resource->base, &blob);
	if (ret < 0)
		return ret;
	if (blob.type == RENDERER_HANDLE_OPAQUE) {
		fd_clear(&blob.fd);
		return -ENOTSUP;
	}
	*ret_blob = blob;
	return 0;
}

/* Maps a host blob's memory for reading it. */
static const uint8_t *map_host_blob(
	struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct renderer_blob blob;
	void *hva;

	if (resource->blob_hva)
		return resource->blob_hva;
	if (gpu_blob_export(device, resource, &blob) < 0)
		return NULL;
	hva = shared_map_create(blob.fd, blob.fd_offset, resource->base.blob.size, PROT_READ,
		page_size(), "a blob's memory");
	close(blob.fd);
	if (hva == MAP_FAILED)
		return NULL;
	resource->blob_hva = hva;
	resource->blob_hva_len = resource->base.blob.size;
	return hva;
}

const uint8_t *gpu_blob_get_memory(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	const struct gpu_resource *base = &resource->base;

	if (has_host_memory(&base->blob))
		return map_host_blob(device, resource);
	return base->iov_count == 1 ? base->iov[0].iov_base : NULL;
}

int gpu_blob_read_rect(const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect,
	void *dst, size_t stride)
{
	const struct gpu_resource *base = &framebuffer->resource->base;
	const size_t bytes_per_pixel = framebuffer->format->bytes_per_pixel;
	const size_t line_len = rect->width * bytes_per_pixel;
	size_t offset = framebuffer->offset + (size_t)rect->y * framebuffer->stride +
			rect->x * bytes_per_pixel;
	struct iov_cursor cursor =
		iov_cursor_find(base->iov, base->iov_starts, base->iov_count, offset);

	for (uint32_t y = 0; y < rect->height; y++) {
		if (iov_cursor_read(&cursor, offset, (uint8_t *)dst + y * stride, line_len) !=
			line_len)
			return -EFAULT;
		offset += framebuffer->stride;
	}
	return 0;
}

/* The guest's pages as a dma-buf: possible where they are files of the front-end's. */
static int make_udmabuf(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	const struct gpu_backing *backing = &resource->backing;
	g_autofree struct udmabuf_part *parts = g_try_new(struct udmabuf_part, backing->count);
	int ret;

	if (resource->udmabuf_fd >= 0)
		return 0;
	if (!parts)
		return -ENOMEM;
	for (uint32_t i = 0; i < backing->count; i++) {
		parts[i].len = backing->entries[i].length;
		ret = guest_memory_file_at(device->memory, backing->entries[i].addr, parts[i].len,
			&parts[i].fd, &parts[i].offset);
		if (ret < 0)
			return ret;
	}
	ret = udmabuf_create(device->udmabuf_fd, parts, backing->count);
	if (ret < 0)
		return ret;
	resource->udmabuf_fd = ret;
	return 0;
}

/* Return: a descriptor owned by the caller, or a negative errno. */
static int get_dmabuf_fd(struct gpu_device *device, struct gpu_tracked_resource *resource)
{
	struct renderer_blob blob;
	int ret;

	if (has_host_memory(&resource->base.blob)) {
		ret = gpu_blob_export(device, resource, &blob);
		if (ret < 0)
			return ret;
		if (blob.type == RENDERER_HANDLE_DMABUF && blob.fd_offset == 0)
			return blob.fd;
		close(blob.fd);
		return -ENOTSUP;
	}
	ret = make_udmabuf(device, resource);
	if (ret < 0)
		return ret;
	ret = dup(resource->udmabuf_fd);
	return ret < 0 ? -errno : ret;
}

int gpu_blob_export_dmabuf(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	struct renderer_dmabuf *ret_dmabuf)
{
	int fd = get_dmabuf_fd(device, framebuffer->resource);

	if (fd < 0)
		return fd;
	*ret_dmabuf = (struct renderer_dmabuf){
		.fd = fd,
		.width = framebuffer->width,
		.height = framebuffer->height,
		.fourcc = framebuffer->format->fourcc,
		.modifier = DRM_FORMAT_MOD_LINEAR,
		.stride = framebuffer->stride,
		.offset = (uint32_t)framebuffer->offset,
	};
	return 0;
}

void gpu_blob_release(struct gpu_tracked_resource *resource)
{
	if (resource->blob_hva)
		shared_map_destroy(resource->blob_hva, resource->blob_hva_len);
	resource->blob_hva = NULL;
	fd_clear(&resource->udmabuf_fd);
}
