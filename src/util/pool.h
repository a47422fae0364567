/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Objects of one size that come and go with each command: what was given back is handed out again,
 * so that a device that is warm allocates nothing. One thread.
 */
#pragma once

#include <stddef.h>

/**
 * struct pool - Objects that nobody uses
 * @object_len: bytes of an object, at least a pointer's; multiples of its alignment
 * @free: the first of them; each begins with the address of the next
 *
 * It keeps as many objects as there ever were at a time. Who takes them has a limit for that.
 */
struct pool {
	size_t object_len;
	void *free;
};

/** POOL_INIT - A pool of objects of a type, empty. */
#define POOL_INIT(type) ((struct pool){.object_len = sizeof(type)})

/** pool_take() - An object whose bytes are undefined; never NULL. */
void *pool_take(struct pool *pool);

/** pool_put() - Give an object back. */
void pool_put(struct pool *pool, void *object);

/** pool_finish() - Free what was given back. */
void pool_finish(struct pool *pool);
