/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/** iov_len() - The sum of the lengths, bytes. The caller's iov is bounded, so it does not wrap. */
size_t iov_len(const struct iovec *iov, size_t iov_count);

/**
 * iov_read() - Copy out of scattered memory
 * @iov: source
 * @iov_count: number of elements
 * @offset: where to begin, bytes from the start of the first element
 * @buf: destination
 * @len: bytes wanted
 *
 * Return: bytes copied, less than @len where the source ends first.
 */
size_t iov_read(const struct iovec *iov, size_t iov_count, size_t offset, void *buf, size_t len);

/** iov_write() - Copy into scattered memory; the mirror of iov_read(). */
size_t iov_write(
	const struct iovec *iov, size_t iov_count, size_t offset, const void *buf, size_t len);

/**
 * struct iov_cursor - A place in scattered memory, for reading on with offsets that only grow
 *
 * Each element is passed once, however many pieces are read.
 */
struct iov_cursor {
	const struct iovec *iov;
	size_t iov_count;
	size_t start; /* offset of iov[0] in the whole, bytes */
};

static inline struct iov_cursor iov_cursor_init(const struct iovec *iov, size_t iov_count)
{
	return (struct iov_cursor){.iov = iov, .iov_count = iov_count};
}

/**
 * iov_cursor_find() - A cursor at an offset, without a look at all that comes before it
 * @starts: where each element begins, bytes from the start of the first; NULL: not known
 * @offset: bytes from there
 */
struct iov_cursor iov_cursor_find(
	const struct iovec *iov, const uint64_t *starts, size_t iov_count, size_t offset);

/**
 * iov_cursor_read() - As iov_read(); @offset, from the start of the whole, never goes back
 */
size_t iov_cursor_read(struct iov_cursor *cursor, size_t offset, void *buf, size_t len);

/** iov_cursor_write() - As iov_write(), likewise. */
size_t iov_cursor_write(struct iov_cursor *cursor, size_t offset, const void *buf, size_t len);
