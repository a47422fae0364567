/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */

/*
 * Lets Mesa's vtest server and its Venus client run on a host without /dev/udmabuf, so that there
 * is something to compare ours with; both load this library with LD_PRELOAD. There lavapipe hands
 * out host-visible memory as an opaque fd only, and the server refuses to pass such a thing on.
 * The fd is a sealed memfd: a header { u64 file length, u64 offset of the data, 16 bytes of driver
 * identity }, and from that offset on, which is page-aligned, the memory itself. So the server is
 * told that it is shared memory, and the client's mmap() starts at the data.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define BLOB_FD_TYPE_OPAQUE 2
#define BLOB_FD_TYPE_SHM    3

static const char lavapipe_name[] = "/memfd:llvmpipe memory fd";

static bool is_lavapipe_memory(int fd)
{
	char path[64];
	char name[64];
	ssize_t name_len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	name_len = readlink(path, name, sizeof(name));
	return name_len >= (ssize_t)strlen(lavapipe_name) &&
	       memcmp(name, lavapipe_name, strlen(lavapipe_name)) == 0;
}

/* The library's own declarations are not at hand here, and both callers bind to these by name. */
int virgl_renderer_resource_export_blob(uint32_t res_id, uint32_t *fd_type, int *fd);
int virgl_renderer_resource_export_blob(uint32_t res_id, uint32_t *fd_type, int *fd)
{
	int (*next)(uint32_t, uint32_t *, int *) =
		dlsym(RTLD_NEXT, "virgl_renderer_resource_export_blob");
	int ret = next(res_id, fd_type, fd);

	if (ret == 0 && *fd_type == BLOB_FD_TYPE_OPAQUE && is_lavapipe_memory(*fd))
		*fd_type = BLOB_FD_TYPE_SHM;
	return ret;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	void *(*next)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
	uint64_t header[2];

	/* Only whole-object mappings are the client's; the drivers know of the header. */
	if (fd >= 0 && offset == 0 && getenv("VTEST_SHIM_CLIENT") && is_lavapipe_memory(fd) &&
		pread(fd, header, sizeof(header), 0) == sizeof(header))
		offset = (off_t)header[1];
	return next(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return mmap(address, length, protection, flags, fd, offset);
}
