/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the files of virtq/ share: the queue, a chain, and the two ring layouts behind one table of
 * functions. Not for use outside of this folder.
 *
 * Ring memory belongs to the guest. It is read and written through the helpers below only, each
 * with the memory order that its place in the protocol needs; descriptors are copied out before
 * anything in them is looked at.
 */
#pragma once

#include "virtq/virtq.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/queue.h>

/** Segments a chain holds without an allocation of its own. */
#define CHAIN_INLINE_SEGMENTS 4

/**
 * Descriptors that a chain may always have. The specification (2.6.5.3.1) allows the ring's size;
 * drivers on small rings have long used indirect tables up to this.
 */
#define CHAIN_LIMIT_MIN 1024

/**
 * struct segment - A guest range, bytes
 * @hva: where it is, as long as the memory table is that of the chain's @generation; NULL where it
 *	lies in several regions
 */
struct segment {
	uint64_t gpa;
	uint64_t len;
	uint8_t *hva;
};

/**
 * struct chain - A struct virtq_chain as we see it
 * @base: what the caller holds; first, so that the two convert by a cast
 * @link: in the queue's list of chains in flight, or in its pool
 * @id: split: index of the head descriptor; packed: buffer id; what goes into the used ring
 * @slot_count: packed: ring entries that the chain takes
 * @desc_count: descriptors seen, empty ones included
 * @generation: of the memory table when the descriptors were collected
 * @has_writable: a device-writable descriptor was seen
 * @segments: first the readable ones, then the writable ones; inline_segments or allocated
 * @segment_count: segments in use
 * @out_count: how many of them are readable
 * @segment_room: segments that fit
 */
struct chain {
	struct virtq_chain base;
	LIST_ENTRY(chain) link;
	uint16_t id;
	uint16_t slot_count;
	uint32_t desc_count;
	uint64_t generation;
	bool has_writable;
	struct segment *segments;
	uint32_t segment_count;
	uint32_t out_count;
	uint32_t segment_room;
	struct segment inline_segments[CHAIN_INLINE_SEGMENTS];
};

LIST_HEAD(chain_list, chain);

/**
 * struct ring_layout - Split or packed
 *
 * resolve, has_avail and so on run with a valid ring; errors go through virtq_break().
 */
struct ring_layout {
	/** Find the ring in guest memory. Return: 0, -EINVAL or -EFAULT. */
	int (*resolve)(struct virtq *vq);
	/** Set the indices from vq->base, and from the ring where that has them. */
	int (*load_base)(struct virtq *vq);
	uint32_t (*save_base)(const struct virtq *vq);
	/** Is there something to collect? Orders what follows behind the driver's publication. */
	bool (*has_avail)(struct virtq *vq);
	/** Collect the next chain; the queue moves on only on success. */
	int (*collect)(struct virtq *vq, struct chain *chain);
	void (*push)(struct virtq *vq, const struct chain *chain, uint32_t written_len);
	bool (*wants_notification)(const struct virtq *vq);
	void (*set_kicks)(struct virtq *vq, bool enabled);
};

extern const struct ring_layout split_layout;
extern const struct ring_layout packed_layout;

/** struct split_ring - Virtio 1.3, section 2.7; @seen_avail is the available index last read */
struct split_ring {
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t seen_avail;
};

/** struct packed_ring - Virtio 1.3, section 2.8; events are {off_wrap, flags} in one 32-bit word */
struct packed_ring {
	struct vring_packed_desc *desc;
	const uint32_t *driver_event;
	uint32_t *device_event;
	uint32_t slots_in_flight;
	bool avail_wrap;
	bool used_wrap;
};

/**
 * struct virtq - A queue
 * @layout: chosen at virtq_start() by the features; the three bools below likewise
 * @base: as of virtq_set_base() or virtq_stop(); the indices count while it is started
 * @generation: of the memory table when the ring was resolved, 0 where it is not
 * @next_avail: split: free-running; packed: ring index
 * @next_used: likewise
 * @pushed_count: used index steps since the driver was last considered for a notification
 * @notify_first: nothing was notified since the start, so the driver's event index is not believed
 */
struct virtq {
	struct guest_memory *memory;
	const struct ring_layout *layout;
	uint32_t size;
	uint32_t base;
	uint64_t features;
	uint64_t generation;
	struct virtq_addresses addresses;
	bool has_addresses;
	bool has_event_idx;
	bool has_indirect;
	bool started;
	bool broken;
	bool notify_first;
	const char *broken_reason;
	int call_fd;
	bool call_fd_blocks;
	int err_fd;

	uint16_t next_avail;
	uint16_t next_used;
	uint32_t pushed_count;
	unsigned int in_flight_count;
	struct chain_list in_flight;
	struct chain_list pool;
	union {
		struct split_ring split;
		struct packed_ring packed;
	};
};

/**
 * virtq_break() - The driver broke the rules: note it, signal the ret fd
 * @ret: negative errno
 * @reason: a literal, for virtq_broken_reason()
 *
 * Return: @ret.
 */
int virtq_break(struct virtq *vq, int ret, const char *reason);

/** virtq_resolve_part() - A part of the ring. Return: hva, or NULL if not there or misaligned. */
void *virtq_resolve_part(struct virtq *vq, uint64_t uva, uint64_t len, uint64_t align);

/** chain_take() - An empty chain from the pool, or a new one; NULL without memory. */
struct chain *chain_take(struct virtq *vq);

/** chain_put() - Back to the pool; it is in no list. */
void chain_put(struct virtq *vq, struct chain *chain);

/** chain_free_list() - Free all chains of a list. */
void chain_free_list(struct chain_list *list);

/**
 * chain_add() - One more descriptor
 *
 * Return: 0, or after virtq_break() -EPROTO (order, length), -EFAULT (not memory), -ENOMEM.
 */
int chain_add(struct virtq *vq, struct chain *chain, uint64_t gpa, uint32_t len, bool writable);

/**
 * chain_check_indirect() - May this descriptor refer to a table of @len bytes?
 * @flags: its flags, host order
 *
 * Return: the number of descriptors in the table, or -EPROTO after virtq_break().
 */
int64_t chain_check_indirect(struct virtq *vq, uint16_t flags, uint32_t len);

/**
 * chain_read_table() - Copy one 16-byte descriptor out of an indirect table
 *
 * Return: 0 or, after virtq_break(), -EFAULT.
 */
int chain_read_table(struct virtq *vq, uint64_t gpa, uint32_t index, void *ret_desc);

/* A plain look at a value that the guest may change; no order with other accesses. */
static inline uint16_t ring_load16(const uint16_t *shared)
{
	return le16toh(__atomic_load_n(shared, __ATOMIC_RELAXED));
}

/* What the driver wrote before it published this value is visible after the load. */
static inline uint16_t ring_load16_acquire(const uint16_t *shared)
{
	return le16toh(__atomic_load_n(shared, __ATOMIC_ACQUIRE));
}

static inline void ring_store16(uint16_t *shared, uint16_t value)
{
	__atomic_store_n(shared, htole16(value), __ATOMIC_RELAXED);
}

/* Whoever sees the value also sees what was written before. */
static inline void ring_store16_release(uint16_t *shared, uint16_t value)
{
	__atomic_store_n(shared, htole16(value), __ATOMIC_RELEASE);
}

/* One 16-byte descriptor, read once: behind the fence the compiler may not read it again. */
static inline void ring_copy_desc(void *desc, const void *shared)
{
	memcpy(desc, shared, sizeof(struct vring_desc));
	atomic_signal_fence(memory_order_seq_cst);
}
