/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The table of guest memory regions (vhost-user specification, "Memory regions description").
 *
 * Owns the mappings and the files behind them. The regions stand in one array, sorted by guest
 * address; a lookup tries the region of the last hit and then searches by halves. A region is
 * believed only as far as its file goes, because an access behind the end of a file is a SIGBUS; a
 * file that becomes shorter afterwards is dealt with in util/shared_map.h.
 */
#include "memory/guest_memory.h"

#include "util/checked.h"
#include "util/fd.h"
#include "util/shared_map.h"

#include <errno.h>
#include <glib.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* One region with its mapping; the mapping begins before hva where fd_offset is not aligned. */
struct mapping {
	struct guest_memory_region region;
	uint8_t *hva;
	void *map;
	size_t map_len;
	int fd;
};

/* last_hit is a hint, checked like any other candidate: it may be out of date. */
struct guest_memory {
	struct mapping *mappings;
	unsigned int count;
	unsigned int last_hit;
	uint64_t generation;
};

struct guest_memory *guest_memory_create(void)
{
	struct guest_memory *memory = g_new0(struct guest_memory, 1);

	memory->mappings = g_new0(struct mapping, GUEST_MEMORY_MAX_REGIONS);
	memory->generation = 1;
	return memory;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	if (!memory)
		return;
	guest_memory_clear(memory);
	g_free(memory->mappings);
	g_free(memory);
}

uint64_t guest_memory_generation(const struct guest_memory *memory)
{
	return memory->generation;
}

static bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static int check_region(const struct guest_memory *memory, const struct guest_memory_region *region)
{
	uint64_t end;

	if (region->len == 0 || !checked_add(region->gpa, region->len, &end) ||
		!checked_add(region->uva, region->len, &end))
		return -EINVAL;
	for (unsigned int i = 0; i < memory->count; i++) {
		const struct guest_memory_region *other = &memory->mappings[i].region;

		if (ranges_overlap(region->gpa, region->len, other->gpa, other->len) ||
			ranges_overlap(region->uva, region->len, other->uva, other->len))
			return -EINVAL;
	}
	return 0;
}

/* The unit in which a file can be mapped: huge pages can neither be mapped nor unmapped in parts. */
static uint64_t file_page_len(int fd)
{
	uint64_t page_len = (uint64_t)sysconf(_SC_PAGESIZE);
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == HUGETLBFS_MAGIC &&
		(uint64_t)fs.f_bsize > page_len)
		page_len = (uint64_t)fs.f_bsize;
	return page_len;
}

static int map_region(struct mapping *mapping, int fd)
{
	const struct guest_memory_region *region = &mapping->region;
	uint64_t page_len = file_page_len(fd);
	uint64_t lead_len = region->fd_offset % page_len;
	uint64_t end, map_len;
	struct stat st;

	if (!checked_add(region->fd_offset, region->len, &end) || end > INT64_MAX - page_len)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Only regular files (memfd and hugetlbfs are) have a size that means something. */
	if (S_ISREG(st.st_mode) && end > (uint64_t)st.st_size)
		return -EINVAL;

	map_len = (lead_len + region->len + page_len - 1) / page_len * page_len;
	mapping->map = shared_map_create(fd, region->fd_offset - lead_len, map_len,
		PROT_READ | PROT_WRITE, page_len, "the guest's memory");
	if (mapping->map == MAP_FAILED)
		return -errno;
	/* A core dump of ours has no business with the guest's data; a failure costs nothing. */
	(void)madvise(mapping->map, map_len, MADV_DONTDUMP);
	mapping->map_len = map_len;
	mapping->hva = (uint8_t *)mapping->map + lead_len;
	mapping->fd = fd;
	return 0;
}

int guest_memory_add(struct guest_memory *memory, const struct guest_memory_region *region, int fd)
{
	struct mapping mapping = {.region = *region};
	unsigned int at = memory->count;
	int ret;

	ret = check_region(memory, region);
	if (ret < 0)
		return ret;
	if (memory->count == GUEST_MEMORY_MAX_REGIONS)
		return -ENOSPC;
	ret = map_region(&mapping, fd);
	if (ret < 0)
		return ret;

	while (at > 0 && memory->mappings[at - 1].region.gpa > region->gpa)
		at--;
	memmove(&memory->mappings[at + 1], &memory->mappings[at],
		(memory->count - at) * sizeof(mapping));
	memory->mappings[at] = mapping;
	memory->count++;
	memory->generation++;
	return 0;
}

static void guest_memory_unmap(struct mapping *mapping)
{
	shared_map_destroy(mapping->map, mapping->map_len);
	fd_clear(&mapping->fd);
}

int guest_memory_remove(struct guest_memory *memory, const struct guest_memory_region *region)
{
	for (unsigned int i = 0; i < memory->count; i++) {
		struct mapping *mapping = &memory->mappings[i];

		if (mapping->region.gpa != region->gpa || mapping->region.uva != region->uva ||
			mapping->region.len != region->len)
			continue;
		guest_memory_unmap(mapping);
		memory->count--;
		memmove(mapping, mapping + 1, (memory->count - i) * sizeof(*mapping));
		memory->generation++;
		return 0;
	}
	return -ENOENT;
}

void guest_memory_clear(struct guest_memory *memory)
{
	for (unsigned int i = 0; i < memory->count; i++)
		guest_memory_unmap(&memory->mappings[i]);
	memory->count = 0;
	memory->generation++;
}

static inline bool mapping_has_gpa(const struct mapping *mapping, uint64_t gpa)
{
	/* A gpa below the region's wraps to a large number. */
	return gpa - mapping->region.gpa < mapping->region.len;
}

static struct mapping *search_gpa(struct guest_memory *memory, uint64_t gpa)
{
	unsigned int low = 0, high = memory->count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		struct mapping *mapping = &memory->mappings[middle];

		if (mapping_has_gpa(mapping, gpa)) {
			memory->last_hit = middle;
			return mapping;
		}
		if (gpa < mapping->region.gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static struct mapping *find_gpa(struct guest_memory *memory, uint64_t gpa)
{
	struct mapping *mapping = &memory->mappings[memory->last_hit];

	if (memory->last_hit < memory->count && mapping_has_gpa(mapping, gpa))
		return mapping;
	return search_gpa(memory, gpa);
}

void *guest_memory_span(struct guest_memory *memory, uint64_t gpa, uint64_t *len)
{
	const struct mapping *mapping = find_gpa(memory, gpa);
	uint64_t offset, left;

	if (!mapping)
		return NULL;
	offset = gpa - mapping->region.gpa;
	left = mapping->region.len - offset;
	if (*len > left)
		*len = left;
	return mapping->hva + offset;
}

void *guest_memory_at_gpa(struct guest_memory *memory, uint64_t gpa, uint64_t len)
{
	uint64_t span_len = len;
	void *hva = guest_memory_span(memory, gpa, &span_len);

	return hva && len > 0 && span_len == len ? hva : NULL;
}

void *guest_memory_at_uva(struct guest_memory *memory, uint64_t uva, uint64_t len)
{
	for (unsigned int i = 0; i < memory->count; i++) {
		const struct mapping *mapping = &memory->mappings[i];
		uint64_t offset = uva - mapping->region.uva;

		if (offset < mapping->region.len)
			return len > 0 && len <= mapping->region.len - offset
				       ? mapping->hva + offset
				       : NULL;
	}
	return NULL;
}

int guest_memory_to_iov(
	struct guest_memory *memory, uint64_t gpa, uint64_t len, struct iovec *iov, int max_count)
{
	int count = 0;

	while (len > 0) {
		uint64_t span_len = len;
		void *hva = guest_memory_span(memory, gpa, &span_len);

		if (!hva)
			return -EFAULT;
		if (count >= max_count)
			return -E2BIG;
		iov[count++] = (struct iovec){.iov_base = hva, .iov_len = span_len};
		gpa += span_len;
		len -= span_len;
	}
	return count;
}

int guest_memory_file_at(
	struct guest_memory *memory, uint64_t gpa, uint64_t len, int *ret_fd, uint64_t *ret_offset)
{
	const struct mapping *mapping = find_gpa(memory, gpa);
	uint64_t offset;

	if (!mapping)
		return -EFAULT;
	offset = gpa - mapping->region.gpa;
	if (!checked_range(offset, len, mapping->region.len))
		return -EFAULT;
	*ret_fd = mapping->fd;
	*ret_offset = mapping->region.fd_offset + offset;
	return 0;
}
