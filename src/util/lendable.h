/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Memory whose pages may be lent to the kernel (vmsplice(2)): who sends them does not copy them, and
 * the other side reads the very pages. It is never used for anything else afterwards: it goes back to
 * the kernel page by page, and what is still lent stays as it is with the borrower.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Shorter memory is the allocator's, and not to be lent: bytes. */
#define LENDABLE_MIN_LEN (256u << 10)

/** lendable_is() - May memory that was allocated with this length be lent? */
static inline bool lendable_is(size_t len)
{
	return len >= LENDABLE_MIN_LEN;
}

/** lendable_alloc() - Memory full of zeroes; NULL where there is none. */
void *lendable_alloc(size_t len);

/** lendable_free() - Give it back. @len: as it was allocated; @data may be NULL. */
void lendable_free(void *data, size_t len);

/**
 * lendable_take_back() - Put copies in the place of pages that are lent
 * @start: of the lent bytes, anywhere in lendable memory
 * @len: bytes
 *
 * The borrower keeps the pages as they are; what is written here from now on, it does not see.
 * Return: 0 or a negative errno, and nothing has changed.
 */
int lendable_take_back(const void *start, size_t len);
