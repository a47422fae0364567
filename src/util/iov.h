/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>
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
