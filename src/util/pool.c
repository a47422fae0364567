/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Lists of free objects. GLib has had such lists (g_slice) until 2.76; from then on they are calls of
 * malloc().
 *
 * Under AddressSanitizer nothing is kept, so that the use of an object that was given back is found.
 */
#include "util/pool.h"

#include <glib.h>

#ifdef __has_feature
#define HAS_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#else
#define HAS_ASAN 0
#endif

void *pool_take(struct pool *pool)
{
	void **object = pool->free;

	if (!object)
		return g_malloc(pool->object_len);
	pool->free = *object;
	return object;
}

void pool_put(struct pool *pool, void *object)
{
	if (HAS_ASAN) {
		g_free(object);
		return;
	}
	*(void **)object = pool->free;
	pool->free = object;
}

void pool_finish(struct pool *pool)
{
	void **object;

	while ((object = pool->free)) {
		pool->free = *object;
		g_free(object);
	}
}
