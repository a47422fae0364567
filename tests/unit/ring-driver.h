/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The other end of a virtqueue: a small driver for both layouts in a memfd, for tests. It keeps to
 * the rules of the specification; tests that break them write into its memory directly.
 */
#pragma once

#include "virtq/virtq.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define RING_DRIVER_MAX_SIZE 1024
#define RING_DRIVER_GPA	     UINT64_C(0x40000000)
#define RING_DRIVER_UVA	     UINT64_C(0x7f1200000000)
#define RING_DRIVER_LEN	     UINT64_C(0x100000)

/* Where things are in the memory, as offsets; buffers begin at RING_DRIVER_DATA. */
#define RING_DRIVER_DESC  0x0
#define RING_DRIVER_AVAIL 0x10000
#define RING_DRIVER_USED  0x20000
#define RING_DRIVER_TABLE 0x40000
#define RING_DRIVER_DATA  0x80000

#define FEATURE(bit) (UINT64_C(1) << (bit))

/** struct ring_buffer - One descriptor */
struct ring_buffer {
	uint64_t gpa;
	uint32_t len;
	bool writable;
};

/** struct ring_driver - The driver's state, and the queue that it talks to */
struct ring_driver {
	struct guest_memory *memory;
	struct virtq *vq;
	uint8_t *mem;
	int mem_fd;
	int call_fd;
	int err_fd;
	uint32_t size;
	bool packed;
	bool event_idx;

	/* Split: 16-bit free-running; packed: ring indices with wrap counters. */
	uint16_t next_avail;
	uint16_t next_used;
	bool avail_wrap;
	bool used_wrap;
	uint32_t free_count;
	/* By head (split) or buffer id (packed): descriptors taken, 0 where free. */
	uint16_t taken[RING_DRIVER_MAX_SIZE];
	bool desc_busy[RING_DRIVER_MAX_SIZE];
	uint16_t chain_next[RING_DRIVER_MAX_SIZE];
};

/** ring_driver_init() - Memory in one region, a started queue. The fds of both ends are ours. */
void ring_driver_init(struct ring_driver *d, bool packed, uint32_t size, uint64_t features);
void ring_driver_finish(struct ring_driver *d);

/** ring_driver_setup() - Give size, features, addresses, fds and base to a stopped queue. */
void ring_driver_setup(struct ring_driver *d, uint64_t features, uint32_t base);

/** ring_driver_add() - Make a chain available. Return: its id, or -1 where there is no room. */
int ring_driver_add(struct ring_driver *d, const struct ring_buffer *buffers, uint32_t count);

/** ring_driver_add_indirect() - The same with a table at an offset of the memory. */
int ring_driver_add_indirect(struct ring_driver *d, const struct ring_buffer *buffers,
	uint32_t count, uint64_t table_offset);

/** ring_driver_get_used() - Take back a used chain. Return: is there one? */
bool ring_driver_get_used(struct ring_driver *d, uint16_t *ret_id, uint32_t *ret_len);

/** ring_driver_wait_event() - Ask for a notification at the next used chain, nothing earlier. */
void ring_driver_wait_event(struct ring_driver *d);

/** ring_driver_disable_events() - Ask for none (with event idx: as far as that goes). */
void ring_driver_disable_events(struct ring_driver *d);

/** ring_driver_needs_kick() - Does the device want a kick for the last @count steps? */
bool ring_driver_needs_kick(struct ring_driver *d, uint16_t count);

/** ring_driver_signals() - Reads the eventfd. Return: its counter. */
uint64_t ring_driver_signals(int fd);

static inline struct vring_desc *ring_driver_desc(struct ring_driver *d)
{
	return (struct vring_desc *)(d->mem + RING_DRIVER_DESC);
}

static inline struct vring_packed_desc *ring_driver_packed_desc(struct ring_driver *d)
{
	return (struct vring_packed_desc *)(d->mem + RING_DRIVER_DESC);
}

static inline struct vring_avail *ring_driver_avail(struct ring_driver *d)
{
	return (struct vring_avail *)(d->mem + RING_DRIVER_AVAIL);
}

static inline struct vring_used *ring_driver_used(struct ring_driver *d)
{
	return (struct vring_used *)(d->mem + RING_DRIVER_USED);
}
