/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blob resources, and their memory as a descriptor that the front-end maps into the guest. virtio
 * 1.3, section 5.7.6.8, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB and RESOURCE_MAP_BLOB.
 *
 * What a Vulkan driver exports as an opaque descriptor is its own affair, and only the driver can
 * map it. Software drivers give a plain file, though, in which the memory begins behind a header.
 * So the library maps it, which asks the driver, and the kernel says which file is behind that
 * mapping, and where in it: if it is the exported one, then anyone can map it there.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/checked.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/pages.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WARM_UP_ID 1 /* of a resource, when there are no others yet */

/* A line of the kernel's list of mappings. */
struct mapping {
	unsigned long start;
	unsigned long end;
	unsigned long offset;
	dev_t dev;
	ino_t ino;
};

int renderer_virgl_create_blob(struct gpu_resource *resource)
{
	const struct gpu_resource_blob *blob = &resource->blob;
	const bool has_guest_memory = blob->mem != VIRTIO_GPU_BLOB_MEM_HOST3D;
	const struct virgl_renderer_resource_create_blob_args args = {
		.res_handle = resource->id,
		.ctx_id = blob->ctx_id,
		.blob_mem = blob->mem,
		.blob_flags = blob->flags,
		.blob_id = blob->id,
		.size = blob->size,
		.iovecs = has_guest_memory ? resource->iov : NULL,
		.num_iovs = has_guest_memory ? resource->iov_count : 0,
	};

	if (resource->iov_count > INT_MAX)
		return -EINVAL;
	return renderer_virgl_errno(virgl_renderer_resource_create_blob(&args));
}

/*
 * A Venus context takes memory of others in as a dma-buf only. With anything else older libraries
 * stop the process, where they were built with assertions.
 */
bool renderer_virgl_may_attach(
	struct renderer_virgl *virgl, uint32_t ctx_id, const struct gpu_resource *resource)
{
	uint32_t type = 0;
	autofd fd = -1;

	if (!renderer_virgl_has_timelines(virgl, ctx_id))
		return true;
	if (resource->kind != GPU_RESOURCE_BLOB ||
		resource->blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST || resource->blob.ctx_id == ctx_id)
		return true;
	return virgl_renderer_resource_export_blob(resource->id, &type, &fd) == 0 &&
	       type == VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF;
}

static bool read_mapping(FILE *maps, char **line, size_t *line_size, struct mapping *ret_mapping)
{
	unsigned int major, minor;
	unsigned long ino;

	while (getline(line, line_size, maps) >= 0) {
		if (sscanf(*line, "%lx-%lx %*4s %lx %x:%x %lu", &ret_mapping->start,
			    &ret_mapping->end, &ret_mapping->offset, &major, &minor, &ino) != 6)
			continue;
		ret_mapping->dev = makedev(major, minor);
		ret_mapping->ino = ino;
		return true;
	}
	return false;
}

/* Which mapping of ours covers the address? Sees it through a descriptor that is older than the
 * sandbox. */
static int find_mapping(int maps_fd, const void *address, struct mapping *ret_mapping)
{
	const unsigned long wanted = (unsigned long)address;
	autofd fd = fcntl(maps_fd, F_DUPFD_CLOEXEC, 0);
	size_t line_size = 0;
	char *line = NULL;
	int ret = -ENOENT;
	FILE *maps;

	if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0)
		return -errno;
	maps = fdopen(fd, "r");
	if (!maps)
		return -errno;
	fd_take(&fd);
	while (ret < 0 && read_mapping(maps, &line, &line_size, ret_mapping)) {
		if (wanted >= ret_mapping->start && wanted < ret_mapping->end)
			ret = 0;
	}
	free(line);
	fclose(maps);
	return ret;
}

/* Is @mapping, from @address on, all of the blob, and are its pages those of @fd? */
static int place_in_file(const struct mapping *mapping, const void *address, uint64_t len, int fd,
	uint64_t *ret_offset)
{
	const uint64_t skip = (unsigned long)address - mapping->start;
	const uint64_t offset = mapping->offset + skip;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != mapping->dev || st.st_ino != mapping->ino)
		return -ENOTSUP;
	if (!checked_range(skip, len, (uint64_t)(mapping->end - mapping->start)))
		return -ENOTSUP;
	if (page_align(offset) != offset || !fd_holds(fd, offset, len))
		return -ENOTSUP;
	*ret_offset = offset;
	return 0;
}

static int find_in_file(struct renderer_virgl *virgl, const struct gpu_resource *resource, int fd,
	uint64_t *ret_offset)
{
	struct mapping mapping = {0};
	struct stat st;
	uint64_t len;
	void *address;
	int ret;

	/* A GPU's memory is no plain file, and its driver need not be loaded here to see that. */
	if (virgl->maps_fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (virgl_renderer_resource_map(resource->id, &address, &len) != 0)
		return -ENOTSUP;
	ret = find_mapping(virgl->maps_fd, address, &mapping);
	if (ret == 0)
		ret = place_in_file(&mapping, address, resource->blob.size, fd, ret_offset);
	virgl_renderer_resource_unmap(resource->id);
	return ret;
}

int renderer_virgl_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);
	struct renderer_blob blob = {.type = RENDERER_HANDLE_OPAQUE};
	autofd fd = -1;
	uint32_t type;

	virgl_renderer_force_ctx_0();
	if (virgl_renderer_resource_export_blob(resource->id, &type, &fd) != 0 || fd < 0)
		return -ENOTSUP;
	/* It has none for a blob that was not made to be mapped. */
	if (virgl_renderer_resource_get_map_info(resource->id, &blob.map_info) != 0)
		blob.map_info = 0;
	blob.map_info &= VIRGL_RENDERER_MAP_CACHE_MASK;

	switch (type) {
	case VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF:
		blob.type = RENDERER_HANDLE_DMABUF;
		break;
	case VIRGL_RENDERER_BLOB_FD_TYPE_SHM:
		blob.type = RENDERER_HANDLE_SHM;
		break;
	case VIRGL_RENDERER_BLOB_FD_TYPE_OPAQUE:
		if (blob.map_info != 0 && find_in_file(virgl, resource, fd, &blob.fd_offset) == 0)
			blob.type = RENDERER_HANDLE_SHM;
		break;
	}
	if (blob.type != RENDERER_HANDLE_OPAQUE &&
		!fd_holds(fd, blob.fd_offset, resource->blob.size))
		return -ENOTSUP;
	blob.fd = fd_take(&fd);
	*ret_blob = blob;
	return 0;
}

/*
 * The library opens the Vulkan driver here when it maps the first opaque blob. A resource that
 * cannot be mapped makes it do so now, while files can still be opened.
 */
void renderer_virgl_warm_up(void)
{
	struct virgl_renderer_resource_import_blob_args args = {
		.res_handle = WARM_UP_ID,
		.blob_mem = VIRGL_RENDERER_BLOB_MEM_HOST3D,
		.fd_type = VIRGL_RENDERER_BLOB_FD_TYPE_OPAQUE,
		.fd = memfd_create("vhost-device-gpu", MFD_CLOEXEC),
		.size = 1,
	};
	uint64_t len;
	void *address;

	/* The descriptor is then the library's. */
	if (args.fd < 0 || virgl_renderer_resource_import_blob(&args) != 0)
		return;
	if (virgl_renderer_resource_map(WARM_UP_ID, &address, &len) == 0)
		virgl_renderer_resource_unmap(WARM_UP_ID);
	virgl_renderer_resource_unref(WARM_UP_ID);
}
