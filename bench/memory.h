/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdint.h>

/** Where the guest's memory begins for the guest, and for the front-end's messages. */
#define MEMORY_GPA UINT64_C(0x10000000)
#define MEMORY_UVA UINT64_C(0x7f1200000000)

#define MEMORY_PAGE 4096

/**
 * struct memory - A guest's memory: one region in a memfd, given out from its start and never back
 * @base: our mapping
 * @len, @used_len: bytes
 */
struct memory {
	int fd;
	uint8_t *base;
	uint64_t len;
	uint64_t used_len;
};

/** memory_init() - Zeroed memory of @len bytes, none of it touched. Return: 0 or a negative errno. */
int memory_init(struct memory *memory, uint64_t len);
void memory_finish(struct memory *memory);

/**
 * memory_alloc() - Reserve @len bytes that begin at a multiple of @align
 *
 * Return: their guest-physical address. The work's own sizes fit: running out ends the program.
 */
uint64_t memory_alloc(struct memory *memory, uint64_t len, uint64_t align);

/** memory_at() - Our pointer to a guest-physical address */
static inline void *memory_at(const struct memory *memory, uint64_t gpa)
{
	return memory->base + (gpa - MEMORY_GPA);
}

/** memory_uva() - The front-end's address that the messages of rings have */
static inline uint64_t memory_uva(uint64_t gpa)
{
	return gpa - MEMORY_GPA + MEMORY_UVA;
}
