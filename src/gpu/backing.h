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
struct turn;

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
 * GPU_WALK_AGAIN - Returned where the turn is over and a part of a list is left: call again
 */
#define GPU_WALK_AGAIN 1

/**
 * gpu_backing_init() - Make room for a list
 * @count: nr_entries; checked against its limit and against what the request really holds before
 *	anything is allocated
 *
 * Return: 0; -EINVAL for a short list; -ENOMEM; the limit's error.
 */
int gpu_backing_init(struct gpu_backing *backing, struct gpu_command *command, uint32_t count);

/**
 * gpu_backing_read() - Copy the list out of the command's tail, a part of it each time
 * @have: entries that are there, 0 at first
 *
 * Return: 0; GPU_WALK_AGAIN; -EINVAL for an empty or wrapping entry.
 */
int gpu_backing_read(struct gpu_backing *backing, struct gpu_command *command, uint32_t *have);

void gpu_backing_finish(struct gpu_backing *backing);

/** gpu_backing_steal() - The list, which is then the caller's. */
struct gpu_backing gpu_backing_steal(struct gpu_backing *backing);

/**
 * struct gpu_page_walk - The look-up of a list's pages in our mappings; zero at first
 * @iov: what was found so far; neighbouring entries become one element. @used: elements of it
 * @starts: where each begins in the whole, bytes; @len: of the whole so far
 * @next: entry to look up next
 * @generation: of the memory table; the walk begins anew where that changes
 */
struct gpu_page_walk {
	struct iovec *iov;
	uint64_t *starts;
	unsigned int used;
	uint64_t len;
	uint32_t next;
	uint64_t generation;
};

/**
 * gpu_page_walk_on() - Look up more of a list
 *
 * Return: 0, and all is found; GPU_WALK_AGAIN; -EFAULT where a page is in no region; -ENOMEM.
 */
int gpu_page_walk_on(struct gpu_page_walk *walk, const struct gpu_backing *backing,
	struct guest_memory *memory, struct turn *turn);

/** gpu_page_walk_finish() - Free what nobody took. */
void gpu_page_walk_finish(struct gpu_page_walk *walk);

/**
 * struct gpu_page_list - A list on its way from a command to a resource; zero at first
 * @have: entries of @backing that were read
 */
struct gpu_page_list {
	struct gpu_backing backing;
	uint32_t have;
	struct gpu_page_walk walk;
};

/** gpu_page_list_create() - As gpu_backing_init(). @ret_list: freed by gpu_page_list_free() */
int gpu_page_list_create(
	struct gpu_command *command, uint32_t count, struct gpu_page_list **ret_list);

/** gpu_page_list_read() - Read more of it, then look up more. Return: as the two do. */
int gpu_page_list_read(struct gpu_page_list *list, struct gpu_command *command);

/** gpu_page_list_free() - And what nobody took of it. @list: struct gpu_page_list. */
void gpu_page_list_free(void *list);

/** gpu_backing_cost() - Bytes of host memory that a list of @count entries takes. */
uint64_t gpu_backing_cost(uint32_t count);
