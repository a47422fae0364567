/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Loaded into the render server (LD_PRELOAD, see virgl/server.c) where Vulkan runs on the CPU and there
 * is no udmabuf. The software driver keeps memory in a sealed file whose length is what the guest's
 * program asked for. A guest maps whole pages, and QEMU refuses to map more than a file has. So
 * such a file is made with whole pages. virglrenderer 1.3 asks for them itself.
 *
 * Runs inside another program: it owns nothing, prints nothing, and leaves all other files alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MEMORY_NAME "/memfd:llvmpipe"

int ftruncate64(int fd, off64_t len);

static int is_memory(int fd)
{
	char path[32], name[sizeof(MEMORY_NAME)];
	const int saved_errno = errno;
	ssize_t name_len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	name_len = readlink(path, name, sizeof(MEMORY_NAME) - 1);
	errno = saved_errno;
	return name_len == sizeof(MEMORY_NAME) - 1 &&
	       memcmp(name, MEMORY_NAME, (size_t)name_len) == 0;
}

static off64_t whole_pages(int fd, off64_t len)
{
	const off64_t page_len = sysconf(_SC_PAGESIZE);
	off64_t padded;

	if (len <= 0 || !is_memory(fd) || __builtin_add_overflow(len, page_len - 1, &padded))
		return len;
	return padded / page_len * page_len;
}

static int set_len(const char *symbol, int fd, off64_t len)
{
	int (*next)(int fd, off64_t len) = NULL;

	*(void **)&next = dlsym(RTLD_NEXT, symbol);
	if (!next) {
		errno = ENOSYS;
		return -1;
	}
	return next(fd, whole_pages(fd, len));
}

int ftruncate64(int fd, off64_t len)
{
	return set_len("ftruncate64", fd, len);
}

#if __SIZEOF_LONG__ == 8
int ftruncate(int fd, off_t len)
{
	return set_len("ftruncate", fd, len);
}
#endif
