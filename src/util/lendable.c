/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Mappings of their own, private and anonymous. */
#include "util/lendable.h"

#include "util/pages.h"

#include <errno.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

static void *map_pages(size_t len)
{
	void *data = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? NULL : data;
}

void *lendable_alloc(size_t len)
{
	return lendable_is(len) ? map_pages(len) : g_try_malloc0(len);
}

void lendable_free(void *data, size_t len)
{
	if (!data)
		return;
	if (lendable_is(len))
		munmap(data, len);
	else
		g_free(data);
}

int lendable_take_back(const void *start, size_t len)
{
	const uintptr_t mask = (uintptr_t)page_size() - 1;
	const uintptr_t first = (uintptr_t)start & ~mask;
	const size_t map_len = (((uintptr_t)start + len + mask) & ~mask) - first;
	void *copy;

	if (len == 0)
		return 0;
	copy = map_pages(map_len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, (const void *)first, map_len);
	if (mremap(copy, map_len, map_len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)first) ==
		MAP_FAILED) {
		int error = errno;

		munmap(copy, map_len);
		return -error;
	}
	return 0;
}
