/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdint.h>
#include <unistd.h>

/** page_size() - Of this host, bytes. */
static inline uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/** page_align() - The next multiple of the page size; a length that has none is returned as it is. */
static inline uint64_t page_align(uint64_t len)
{
	const uint64_t size = page_size();

	return len > UINT64_MAX - size ? len : (len + size - 1) / size * size;
}
