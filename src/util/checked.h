/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Checked arithmetic for sizes that come from a guest or a front-end.
 *
 * Each macro computes into *ret and is true when the result fits its type. *ret is undefined when
 * it does not, so the result is used only behind the check:
 *
 *	if (!checked_mul(width, bytes_per_pixel, &stride))
 *		return -EOVERFLOW;
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define checked_add(a, b, ret) (!__builtin_add_overflow((a), (b), (ret)))
#define checked_sub(a, b, ret) (!__builtin_sub_overflow((a), (b), (ret)))
#define checked_mul(a, b, ret) (!__builtin_mul_overflow((a), (b), (ret)))

/**
 * checked_range() - Is [offset, offset + len) inside [0, size)?
 * @offset: start, bytes (or any unit, the same for all three)
 * @len: length
 * @size: size of the whole
 *
 * An empty range at offset == size is inside.
 */
static inline bool checked_range(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}
