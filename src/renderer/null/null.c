/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The null renderer: draws nothing, keeps no image, and still checks what it is given. It offers
 * the 3D commands without a capset, and host blobs that are plain shared memory, so that rings,
 * contexts, submits, fences, and the mapping and showing of blobs can be tested and measured on
 * any machine.
 *
 * It is also the template. To begin a renderer: copy this file into a folder of its own, put the
 * library's handle into struct renderer_null, fill in the hooks, leave NULL what it cannot do,
 * declare its constructor in renderer/create.h and give it a row in renderers.c. What a hook must
 * do is written above it in gpu/renderer.h, which with util/ is all that may be included here.
 */
#include "renderer/create.h"
#include "util/checked.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES_PER_PIXEL 4

/* Each renderer embeds the base as its first member; renderer_null_of() is the way back. */
struct renderer_null {
	struct renderer base;
	unsigned int context_count;
	unsigned int resource_count;
};

static struct renderer_null *renderer_null_of(struct renderer *renderer)
{
	return (struct renderer_null *)renderer;
}

static void null_destroy(struct renderer *renderer)
{
	g_free(renderer_null_of(renderer));
}

/* Nothing was listed in capsets, so that the device asks for none. */
static int null_get_capset(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len)
{
	return -EINVAL;
}

static int null_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	if (ctx_id == 0 || capset_id != 0)
		return -EINVAL;
	renderer_null_of(renderer)->context_count++;
	return 0;
}

static void null_ctx_destroy(struct renderer *renderer, uint32_t ctx_id)
{
	renderer_null_of(renderer)->context_count--;
}

static int null_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	return 0;
}

static void null_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
}

static bool has_host_memory(const struct gpu_resource *resource)
{
	return resource->kind == GPU_RESOURCE_BLOB &&
	       resource->blob.mem != VIRTIO_GPU_BLOB_MEM_GUEST;
}

/*
 * Memory of zeros that never becomes shorter: who has it mapped is safe from SIGBUS. Whole pages,
 * as it is mapped. Return: a descriptor, or a negative errno.
 */
static int create_memory(uint64_t len)
{
	const uint64_t page_len = (uint64_t)sysconf(_SC_PAGESIZE);
	autofd fd = memfd_create("null-blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (len > INT64_MAX - page_len)
		return -ENOMEM;
	len = (len + page_len - 1) / page_len * page_len;
	if (fd < 0 || ftruncate(fd, (off_t)len) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return fd_take(&fd);
}

/* A host blob's renderer_data is its descriptor; a renderer with more to keep allocates it. */
static int null_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	if (resource->kind != GPU_RESOURCE_BLOB && resource->width == 0)
		return -EINVAL;
	if (has_host_memory(resource)) {
		int fd = create_memory(resource->blob.size);

		if (fd < 0)
			return fd;
		resource->renderer_data = GINT_TO_POINTER(fd);
	}
	renderer_null_of(renderer)->resource_count++;
	return 0;
}

static int null_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	if (has_host_memory(resource))
		close(GPOINTER_TO_INT(resource->renderer_data));
	renderer_null_of(renderer)->resource_count--;
	return 0;
}

static int null_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	return resource->iov ? 0 : -EINVAL;
}

static void null_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
}

static bool rect_is_inside(const struct gpu_resource *resource, const struct gpu_rect *rect)
{
	return rect->width > 0 && rect->height > 0 &&
	       checked_range(rect->x, rect->width, resource->width) &&
	       checked_range(rect->y, rect->height, resource->height);
}

static int null_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	uint64_t stride = (uint64_t)resource->width * BYTES_PER_PIXEL;
	uint64_t needed;

	if (!rect_is_inside(resource, rect))
		return -EINVAL;
	needed = (rect->height - 1) * stride + (uint64_t)rect->width * BYTES_PER_PIXEL;
	return checked_range(offset, needed, resource->backing_len) ? 0 : -EINVAL;
}

/* What a format's pixel takes is not known here, so that only the beginning can be checked. */
static int null_transfer_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	if (!resource->iov || transfer->offset > resource->backing_len)
		return -EINVAL;
	if (transfer->level > resource->args_3d.last_level)
		return -EINVAL;
	return 0;
}

static int null_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done)
{
	return ctx_id == 0 || len % sizeof(uint32_t) != 0 ? -EINVAL : 0;
}

/* All that was submitted is done, and a renderer may well say so before it returns. */
static int null_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	renderer->events->fence_signalled(renderer->events_opaque, fence);
	return 0;
}

static int null_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	if (!rect_is_inside(resource, rect))
		return -EINVAL;
	/* How many bytes a pixel has is the format's affair; lines are @stride bytes in any case. */
	memset(dst, 0, stride * rect->height);
	return 0;
}

static int null_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	int fd;

	if (!has_host_memory(resource))
		return -ENOTSUP;
	fd = fcntl(GPOINTER_TO_INT(resource->renderer_data), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	*ret_blob = (struct renderer_blob){
		.fd = fd,
		.type = RENDERER_HANDLE_SHM,
		.map_info = VIRTIO_GPU_MAP_CACHE_CACHED,
	};
	return 0;
}

/* No get_pixels and export_dmabuf: there is no image to lend. */
static const struct renderer_ops null_ops = {
	.destroy = null_destroy,
	.get_capset = null_get_capset,
	.ctx_create = null_ctx_create,
	.ctx_destroy = null_ctx_destroy,
	.ctx_attach_resource = null_ctx_attach_resource,
	.ctx_detach_resource = null_ctx_detach_resource,
	.resource_create = null_resource_create,
	.resource_destroy = null_resource_destroy,
	.attach_backing = null_attach_backing,
	.detach_backing = null_detach_backing,
	.transfer_to_host_2d = null_transfer_to_host_2d,
	.transfer_to_host_3d = null_transfer_3d,
	.transfer_from_host_3d = null_transfer_3d,
	.submit = null_submit,
	.create_fence = null_create_fence,
	.read_rect = null_read_rect,
	.export_blob = null_export_blob,
};

int renderer_null_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	struct renderer_null *null = g_try_new0(struct renderer_null, 1);

	if (!null) {
		*ret_message = g_strdup("null: out of memory");
		return -ENOMEM;
	}
	null->base.ops = &null_ops;
	null->base.has_3d = true;
	null->base.has_blob = true;
	*ret_renderer = &null->base;
	return 0;
}
