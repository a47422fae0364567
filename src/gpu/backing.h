/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A resource's backing: the guest's pages, as guest addresses, and their resolution into our
 * mappings. Inside gpu/ only.
 */
#pragma once

#include "memory/guest_memory.h"

#include <linux/virtio_gpu.h>
#include <stdint.h>
#include <sys/uio.h>

struct gpu_command;
struct gpu_resource;

/**
 * struct gpu_backing - The list of ATTACH_BACKING
 * @entries: guest addresses and lengths, byte order of this machine; NULL without backing
 * @count: their number
 * @len: their total, bytes
 */
struct gpu_backing {
	struct virtio_gpu_mem_entry *entries;
	uint32_t count;
	uint64_t len;
};

/**
 * gpu_backing_read() - Copy a list out of a command's tail
 * @count: nr_entries; checked against its limit and against what the request really holds before
 *	anything is allocated
 *
 * Return: 0; -EINVAL for a short list or an empty or wrapping entry; -ENOMEM; the limit's error.
 */
int gpu_backing_read(struct gpu_command *command, uint32_t count, struct gpu_backing *ret_backing);

void gpu_backing_finish(struct gpu_backing *backing);

/**
 * gpu_backing_resolve() - Find the guest's pages in our mappings
 * @base: iov, iov_starts, both g_free(), and iov_count are filled in on success
 *
 * Neighbouring entries become one element. Return: 0; -EFAULT where a page is in no region;
 * -ENOMEM.
 */
int gpu_backing_resolve(
	const struct gpu_backing *backing, struct guest_memory *memory, struct gpu_resource *base);

/** gpu_backing_cost() - Bytes of host memory that a list of @count entries takes. */
uint64_t gpu_backing_cost(uint32_t count);
