/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The guest's memory, as QEMU's memory-backend-memfd makes it: a file that cannot shrink. */
#include "bench/memory.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <sys/mman.h>

int memory_init(struct memory *memory, uint64_t len)
{
	autofd fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base;

	if (fd < 0 || ftruncate(fd, (off_t)len) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return -errno;
	base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	*memory = (struct memory){.fd = fd_take(&fd), .base = base, .len = len};
	return 0;
}

void memory_finish(struct memory *memory)
{
	if (!memory->base)
		return;
	munmap(memory->base, memory->len);
	fd_clear(&memory->fd);
	memory->base = NULL;
}

uint64_t memory_alloc(struct memory *memory, uint64_t len, uint64_t align)
{
	const uint64_t start = (memory->used_len + align - 1) / align * align;

	if (start + len > memory->len)
		g_error("the guest's memory has no %" PRIu64 " bytes left", len);
	memory->used_len = start + len;
	return MEMORY_GPA + start;
}
