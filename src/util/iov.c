/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Copies between flat buffers and scattered memory. The memory may be shared with a guest that
 * writes at the same time: every byte is read once, and nothing here depends on its value.
 */
#include "util/iov.h"

#include <string.h>

size_t iov_len(const struct iovec *iov, size_t iov_count)
{
	size_t len = 0;

	for (size_t i = 0; i < iov_count; i++)
		len += iov[i].iov_len;
	return len;
}

/* Finds the part of element @iov that is behind *@offset; moves *@offset on past the element. */
static struct iovec iov_slice(const struct iovec *iov, size_t *offset, size_t len)
{
	struct iovec part = {0};

	if (*offset >= iov->iov_len) {
		*offset -= iov->iov_len;
		return part;
	}
	part.iov_base = (uint8_t *)iov->iov_base + *offset;
	part.iov_len = iov->iov_len - *offset;
	if (part.iov_len > len)
		part.iov_len = len;
	*offset = 0;
	return part;
}

size_t iov_read(const struct iovec *iov, size_t iov_count, size_t offset, void *buf, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < iov_count && done < len; i++) {
		struct iovec part = iov_slice(&iov[i], &offset, len - done);

		if (part.iov_len > 0)
			memcpy((uint8_t *)buf + done, part.iov_base, part.iov_len);
		done += part.iov_len;
	}
	return done;
}

size_t iov_write(
	const struct iovec *iov, size_t iov_count, size_t offset, const void *buf, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < iov_count && done < len; i++) {
		struct iovec part = iov_slice(&iov[i], &offset, len - done);

		if (part.iov_len > 0)
			memcpy(part.iov_base, (const uint8_t *)buf + done, part.iov_len);
		done += part.iov_len;
	}
	return done;
}

struct iov_cursor iov_cursor_find(
	const struct iovec *iov, const uint64_t *starts, size_t iov_count, size_t offset)
{
	size_t low = 0, high = iov_count;

	if (!starts || iov_count == 0)
		return iov_cursor_init(iov, iov_count);
	/* The last element that does not begin behind the offset. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (starts[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return (struct iov_cursor){
		.iov = iov + low, .iov_count = iov_count - low, .start = starts[low]};
}

static void cursor_advance(struct iov_cursor *cursor, size_t offset)
{
	while (cursor->iov_count > 0 && offset - cursor->start >= cursor->iov->iov_len) {
		cursor->start += cursor->iov->iov_len;
		cursor->iov++;
		cursor->iov_count--;
	}
}

size_t iov_cursor_read(struct iov_cursor *cursor, size_t offset, void *buf, size_t len)
{
	cursor_advance(cursor, offset);
	return iov_read(cursor->iov, cursor->iov_count, offset - cursor->start, buf, len);
}

size_t iov_cursor_write(struct iov_cursor *cursor, size_t offset, const void *buf, size_t len)
{
	cursor_advance(cursor, offset);
	return iov_write(cursor->iov, cursor->iov_count, offset - cursor->start, buf, len);
}
