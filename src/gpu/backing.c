/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Backing lists: read from the request once, kept as guest addresses, resolved when attached and
 * again whenever the memory table changes (virtio 1.3, section 5.7.6.8,
 * RESOURCE_ATTACH_BACKING).
 */
#include "gpu/backing.h"

#include "gpu/command.h"
#include "gpu/renderer.h"
#include "gpu/state.h"
#include "util/checked.h"

#include <endian.h>
#include <errno.h>

static int entry_from_guest(struct virtio_gpu_mem_entry *entry, uint64_t *total_len)
{
	uint64_t end;

	entry->addr = le64toh(entry->addr);
	entry->length = le32toh(entry->length);
	entry->padding = 0;
	if (entry->length == 0 || !checked_add(entry->addr, entry->length, &end) ||
		!checked_add(*total_len, entry->length, total_len))
		return -EINVAL;
	return 0;
}

int gpu_backing_read(struct gpu_command *command, uint32_t count, struct gpu_backing *ret_backing)
{
	struct gpu_backing backing = {.count = count};
	int ret;

	if (count > gpu_command_tail_len(command) / sizeof(*backing.entries))
		return -EINVAL;
	if (count > command->device->limits.max[GPU_LIMIT_BACKING_ENTRIES])
		return gpu_limit_error(GPU_LIMIT_BACKING_ENTRIES);
	backing.entries = g_try_new(struct virtio_gpu_mem_entry, MAX(count, 1));
	if (!backing.entries)
		return -ENOMEM;
	ret = gpu_command_read(command, 0, backing.entries, count * sizeof(*backing.entries));
	for (uint32_t i = 0; ret == 0 && i < count; i++)
		ret = entry_from_guest(&backing.entries[i], &backing.len);
	if (ret < 0) {
		g_free(backing.entries);
		return ret;
	}
	*ret_backing = backing;
	return 0;
}

void gpu_backing_finish(struct gpu_backing *backing)
{
	g_free(backing->entries);
	*backing = (struct gpu_backing){0};
}

/* Appends @part, or makes the last element longer where @part follows it. */
static void backing_append(struct iovec *iov, unsigned int *count, const struct iovec *part)
{
	struct iovec *last = *count > 0 ? &iov[*count - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == part->iov_base)
		last->iov_len += part->iov_len;
	else
		iov[(*count)++] = *part;
}

/* Regions that one entry may span; an entry is at most 4 GiB. */
#define MAX_PARTS 16

/* So that a transfer of a few lines need not walk to where they are. Return: NULL without memory. */
static uint64_t *list_starts(const struct iovec *iov, unsigned int count)
{
	uint64_t *starts = g_try_new(uint64_t, MAX(count, 1));
	uint64_t start = 0;

	for (unsigned int i = 0; starts && i < count; i++) {
		starts[i] = start;
		start += iov[i].iov_len;
	}
	return starts;
}

int gpu_backing_resolve(
	const struct gpu_backing *backing, struct guest_memory *memory, struct gpu_resource *base)
{
	size_t room = (size_t)backing->count + MAX_PARTS;
	g_autofree struct iovec *iov = g_try_new(struct iovec, room);
	unsigned int used = 0;

	if (!iov)
		return -ENOMEM;
	for (uint32_t i = 0; i < backing->count; i++) {
		struct iovec parts[MAX_PARTS];
		int part_count = guest_memory_to_iov(memory, backing->entries[i].addr,
			backing->entries[i].length, parts, MAX_PARTS);

		if (part_count < 0)
			return part_count;
		if (used + part_count > room - (backing->count - 1 - i))
			return -ENOMEM;
		for (int j = 0; j < part_count; j++)
			backing_append(iov, &used, &parts[j]);
	}
	base->iov_starts = list_starts(iov, used);
	if (!base->iov_starts)
		return -ENOMEM;
	base->iov = g_steal_pointer(&iov);
	base->iov_count = used;
	return 0;
}

uint64_t gpu_backing_cost(uint32_t count)
{
	return (uint64_t)count *
	       (sizeof(struct virtio_gpu_mem_entry) + sizeof(struct iovec) + sizeof(uint64_t));
}
