/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The guest's memory, as the front-end shares it: a table of regions, each a part of a file
 * (usually a memfd) that is mapped here.
 *
 * Three address spaces meet in a region (vhost-user specification, "Memory region description"):
 * gpa, what the guest's descriptors hold; uva, the front-end's own addresses, used only for the
 * rings; hva, ours. Main loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/** Most regions in a table; what GET_MAX_MEM_SLOTS answers. */
#define GUEST_MEMORY_MAX_REGIONS 509

struct guest_memory;

/** struct guest_memory_region - One region, as a front-end describes it; all in bytes. */
struct guest_memory_region {
	uint64_t gpa;
	uint64_t len;
	uint64_t uva;
	uint64_t fd_offset;
};

struct guest_memory *guest_memory_create(void);
void guest_memory_destroy(struct guest_memory *memory);

/**
 * guest_memory_add() - Map one more region
 * @region: where it stands
 * @fd: file behind it; the table keeps it on success, the caller keeps it on failure
 *
 * Return: 0; -EINVAL for an empty or wrapping region, one that overlaps another in gpa or uva, or
 * one that lies behind the end of the file; -ENOSPC when the table is full; mmap()'s errno.
 */
int guest_memory_add(struct guest_memory *memory, const struct guest_memory_region *region, int fd);

/** guest_memory_remove() - Unmap the region with this gpa, uva and len. Return: 0 or -ENOENT. */
int guest_memory_remove(struct guest_memory *memory, const struct guest_memory_region *region);

/** guest_memory_clear() - Unmap everything. */
void guest_memory_clear(struct guest_memory *memory);

/**
 * guest_memory_generation() - A number that changes whenever the table does
 *
 * Whoever holds hva pointers remembers it, and resolves its guest addresses again when it differs.
 */
uint64_t guest_memory_generation(const struct guest_memory *memory);

/**
 * guest_memory_at_gpa() - Our address of a guest range that lies in one region
 * @gpa: guest physical address
 * @len: bytes, at least 1
 *
 * Return: hva, or NULL where the range is not wholly inside one region.
 */
void *guest_memory_at_gpa(struct guest_memory *memory, uint64_t gpa, uint64_t len);

/**
 * guest_memory_span() - Our address of the beginning of a guest range
 * @gpa: guest physical address
 * @len: bytes wanted, at least 1; made shorter where the region ends before
 *
 * For walking over a range that may cross adjacent regions. Return: hva, or NULL where @gpa is in
 * no region.
 */
void *guest_memory_span(struct guest_memory *memory, uint64_t gpa, uint64_t *len);

/** guest_memory_at_uva() - The same for a front-end address (rings). */
void *guest_memory_at_uva(struct guest_memory *memory, uint64_t uva, uint64_t len);

/**
 * guest_memory_to_iov() - Resolve a guest range that may cross adjacent regions
 * @gpa: guest physical address
 * @len: bytes; 0 gives no element
 * @iov: filled on success
 * @max_count: room in @iov
 *
 * Return: number of elements used, or -EFAULT where a part of the range is in no region, or
 * -E2BIG where @iov is too small.
 */
int guest_memory_to_iov(
	struct guest_memory *memory, uint64_t gpa, uint64_t len, struct iovec *iov, int max_count);

/**
 * guest_memory_file_at() - The file behind a guest range that lies in one region (for udmabuf)
 * @ret_fd: borrowed, valid until the table changes
 * @ret_offset: offset of @gpa in the file, bytes
 *
 * Return: 0 or -EFAULT.
 */
int guest_memory_file_at(
	struct guest_memory *memory, uint64_t gpa, uint64_t len, int *ret_fd, uint64_t *ret_offset);
