/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Backing lists: read from the request once, kept as guest addresses, looked up when attached and
 * again whenever the memory table changes (virtio 1.3, section 5.7.6.8,
 * RESOURCE_ATTACH_BACKING).
 */
#include "gpu/backing.h"

#include "gpu/command.h"
#include "gpu/state.h"
#include "util/checked.h"

#include <endian.h>
#include <errno.h>

/* Entries between two looks at the clock. */
#define ENTRIES_OF_PART 4096u

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

int gpu_backing_init(struct gpu_backing *backing, struct gpu_command *command, uint32_t count)
{
	if (count > gpu_command_tail_len(command) / sizeof(*backing->entries))
		return -EINVAL;
	if (count > command->device->limits.max[GPU_LIMIT_BACKING_ENTRIES])
		return gpu_limit_error(GPU_LIMIT_BACKING_ENTRIES);
	*backing = (struct gpu_backing){.count = count};
	backing->entries = g_try_new(struct virtio_gpu_mem_entry, MAX(count, 1));
	return backing->entries ? 0 : -ENOMEM;
}

int gpu_backing_read(struct gpu_backing *backing, struct gpu_command *command, uint32_t *have)
{
	struct turn *turn = &command->device->turn;

	while (*have < backing->count) {
		struct virtio_gpu_mem_entry *entries = &backing->entries[*have];
		const uint32_t count = MIN(backing->count - *have, ENTRIES_OF_PART);
		int ret = gpu_command_read(
			command, *have * sizeof(*entries), entries, count * sizeof(*entries));

		for (uint32_t i = 0; ret == 0 && i < count; i++)
			ret = entry_from_guest(&entries[i], &backing->len);
		if (ret < 0)
			return ret;
		*have += count;
		turn_charge(turn, count * sizeof(*entries));
		if (*have < backing->count && turn_is_over(turn))
			return GPU_WALK_AGAIN;
	}
	return 0;
}

void gpu_backing_finish(struct gpu_backing *backing)
{
	g_free(backing->entries);
	*backing = (struct gpu_backing){0};
}

struct gpu_backing gpu_backing_steal(struct gpu_backing *backing)
{
	const struct gpu_backing stolen = *backing;

	*backing = (struct gpu_backing){0};
	return stolen;
}

/* Appends @part, or makes the last element longer where @part follows it. */
static void walk_append(struct gpu_page_walk *walk, const struct iovec *part)
{
	struct iovec *last = walk->used > 0 ? &walk->iov[walk->used - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == part->iov_base) {
		last->iov_len += part->iov_len;
	} else {
		walk->starts[walk->used] = walk->len;
		walk->iov[walk->used++] = *part;
	}
	walk->len += part->iov_len;
}

/* Regions that one entry may span; an entry is at most 4 GiB. */
#define MAX_PARTS 16

static int walk_begin(struct gpu_page_walk *walk, const struct gpu_backing *backing,
	const struct guest_memory *memory)
{
	const size_t room = (size_t)backing->count + MAX_PARTS;

	gpu_page_walk_finish(walk);
	walk->iov = g_try_new(struct iovec, room);
	walk->starts = g_try_new(uint64_t, room);
	walk->generation = guest_memory_generation(memory);
	return walk->iov && walk->starts ? 0 : -ENOMEM;
}

/* Looks one entry up. Return: 0 or a negative errno. */
static int walk_entry(
	struct gpu_page_walk *walk, const struct gpu_backing *backing, struct guest_memory *memory)
{
	const struct virtio_gpu_mem_entry *entry = &backing->entries[walk->next];
	const size_t room = (size_t)backing->count + MAX_PARTS;
	struct iovec parts[MAX_PARTS];
	int count = guest_memory_to_iov(memory, entry->addr, entry->length, parts, MAX_PARTS);

	if (count < 0)
		return count;
	/* Each entry that follows has one element at least. */
	if (walk->used + count > room - (backing->count - 1 - walk->next))
		return -ENOMEM;
	for (int i = 0; i < count; i++)
		walk_append(walk, &parts[i]);
	walk->next++;
	return 0;
}

int gpu_page_walk_on(struct gpu_page_walk *walk, const struct gpu_backing *backing,
	struct guest_memory *memory, struct turn *turn)
{
	int ret = 0;

	if (!walk->iov || walk->generation != guest_memory_generation(memory))
		ret = walk_begin(walk, backing, memory);
	while (ret == 0 && walk->next < backing->count) {
		ret = walk_entry(walk, backing, memory);
		if (ret < 0 || walk->next % ENTRIES_OF_PART != 0)
			continue;
		turn_charge(turn, 0);
		if (walk->next < backing->count && turn_is_over(turn))
			return GPU_WALK_AGAIN;
	}
	return ret;
}

void gpu_page_walk_finish(struct gpu_page_walk *walk)
{
	g_free(walk->iov);
	g_free(walk->starts);
	*walk = (struct gpu_page_walk){0};
}

int gpu_page_list_create(
	struct gpu_command *command, uint32_t count, struct gpu_page_list **ret_list)
{
	struct gpu_page_list *list = g_new0(struct gpu_page_list, 1);
	int ret = gpu_backing_init(&list->backing, command, count);

	if (ret < 0)
		gpu_page_list_free(list);
	else
		*ret_list = list;
	return ret;
}

int gpu_page_list_read(struct gpu_page_list *list, struct gpu_command *command)
{
	struct gpu_device *device = command->device;
	int ret = gpu_backing_read(&list->backing, command, &list->have);

	if (ret != 0)
		return ret;
	return gpu_page_walk_on(&list->walk, &list->backing, device->memory, &device->turn);
}

void gpu_page_list_free(void *opaque)
{
	struct gpu_page_list *list = opaque;

	gpu_backing_finish(&list->backing);
	gpu_page_walk_finish(&list->walk);
	g_free(list);
}

uint64_t gpu_backing_cost(uint32_t count)
{
	return (uint64_t)count *
	       (sizeof(struct virtio_gpu_mem_entry) + sizeof(struct iovec) + sizeof(uint64_t));
}
