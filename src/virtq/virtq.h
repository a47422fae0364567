/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Virtqueues, device side: split and packed rings, with VIRTIO_F_INDIRECT_DESC and
 * VIRTIO_F_EVENT_IDX (virtio 1.3, sections 2.6 to 2.8). The only place that touches descriptors.
 *
 * Five verbs: virtq_pop() takes a chain that the driver made available, virtq_read() and
 * virtq_write() copy out of and into it, virtq_push() gives it back, virtq_notify() tells the
 * driver once for a batch. Chains may be pushed in any order.
 *
 * Everything in the ring belongs to the guest and may change at any moment: each index, descriptor
 * and flag is read once. What is malformed makes the queue broken: it pops nothing more until it is
 * set up again, and nothing else happens. Main loop thread only.
 */
#pragma once

#include "memory/guest_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Largest ring (split: a power of two; packed: any), virtio 1.3, section 2.6 and 2.8.10.1. */
#define VIRTQ_MAX_SIZE 32768

struct virtq;

/**
 * struct virtq_chain - One request of the driver, from virtq_pop() to virtq_push()
 * @out_len: device-readable bytes
 * @in_len: device-writable bytes
 *
 * Allocated by the queue, from a pool that is reused. It stays valid, and can be pushed, when the
 * memory table changes in between: addresses are resolved again when they are used.
 */
struct virtq_chain {
	size_t out_len;
	size_t in_len;
};

/** struct virtq_addresses - SET_VRING_ADDR; front-end user addresses (uva) */
struct virtq_addresses {
	uint64_t desc;	/* split: descriptor table;  packed: descriptor ring */
	uint64_t avail; /* split: available ring;    packed: driver event suppression */
	uint64_t used;	/* split: used ring;         packed: device event suppression */
};

/** virtq_create() - A stopped queue. @memory is borrowed and outlives it. Never fails. */
struct virtq *virtq_create(struct guest_memory *memory);

/** virtq_destroy() - Also frees the chains that were not pushed. */
void virtq_destroy(struct virtq *vq);

/** virtq_set_size() - Number of ring entries. Return: 0, -EINVAL, or -EBUSY while started. */
int virtq_set_size(struct virtq *vq, uint32_t size);

/** virtq_set_addresses() - Where the ring is. Return: 0, -EINVAL for a misaligned address. */
int virtq_set_addresses(struct virtq *vq, const struct virtq_addresses *addresses);

/** virtq_set_features() - The negotiated virtio feature bits; they count from the next start on. */
void virtq_set_features(struct virtq *vq, uint64_t features);

/**
 * virtq_set_base() - Where to go on (SET_VRING_BASE); ignored while started
 * @base: split: next available index, 16 bits; packed: bits 0-14 and 15 next available index and
 *	its wrap counter, bits 16-30 and 31 the same for used (vhost-user specification).
 */
void virtq_set_base(struct virtq *vq, uint32_t base);

/** virtq_get_base() - The counterpart (GET_VRING_BASE). */
uint32_t virtq_get_base(const struct virtq *vq);

/** virtq_set_call_fd() - Who is notified; takes @fd (an eventfd), -1 for none. */
void virtq_set_call_fd(struct virtq *vq, int fd);

/** virtq_set_err_fd() - Signalled when the ring breaks; takes @fd (an eventfd), -1 for none. */
void virtq_set_err_fd(struct virtq *vq, int fd);

/**
 * virtq_start() - Resolve the ring and begin
 *
 * Return: 0; -EINVAL without size or addresses, for a split ring whose size is no power of two, or
 * a base behind the end of a packed ring; -EFAULT where the ring is not in guest memory.
 * Starting a started queue is fine and resolves it again. Kicks are enabled at first.
 */
int virtq_start(struct virtq *vq);

/**
 * virtq_stop() - End; popped chains that were not pushed are forgotten and freed
 *
 * The caller completes what is in flight first. The base is kept for virtq_get_base().
 */
void virtq_stop(struct virtq *vq);

bool virtq_is_started(const struct virtq *vq);

/** virtq_is_broken() - Did the driver break the ring's rules? Until virtq_stop(). */
bool virtq_is_broken(const struct virtq *vq);

/** virtq_broken_reason() - What the driver did, a literal for the log; NULL if not broken. */
const char *virtq_broken_reason(const struct virtq *vq);

/**
 * virtq_pop() - The next chain the driver made available
 * @ret_chain: valid until pushed, or the queue is stopped
 *
 * Return: 1 with a chain; 0 where there is none, or the queue is stopped or was broken before;
 * -EPROTO where the driver broke the ring just now (looped, out-of-range, misordered or too long
 * chains, bad indirect tables, an index that jumped), -EFAULT where an address is not in guest
 * memory, -ENOMEM. After an error the queue is broken and its ret fd was signalled.
 */
int virtq_pop(struct virtq *vq, struct virtq_chain **ret_chain);

/** virtq_read() - Copy device-readable bytes out. Return: bytes copied, or -EFAULT. */
ssize_t virtq_read(
	struct virtq *vq, struct virtq_chain *chain, size_t offset, void *buf, size_t len);

/** virtq_write() - Copy into the device-writable bytes. Return: bytes copied, or -EFAULT. */
ssize_t virtq_write(
	struct virtq *vq, struct virtq_chain *chain, size_t offset, const void *buf, size_t len);

/**
 * virtq_push() - Give a chain back
 * @chain: popped from this queue; invalid afterwards
 * @written_len: bytes written from the start of its device-writable part
 *
 * Chains that were popped before the queue broke are still answered.
 */
void virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written_len);

/** virtq_notify() - Signal the driver if it wants it for what was pushed since the last call. */
void virtq_notify(struct virtq *vq);

/** virtq_has_chains() - Would virtq_pop() find something? For who looks without being kicked. */
bool virtq_has_chains(struct virtq *vq);

/**
 * virtq_enable_kicks() - Ask the driver for a kick when it next makes a chain available
 *
 * Return: true where chains came in meanwhile: pop again rather than wait for a kick.
 */
bool virtq_enable_kicks(struct virtq *vq);

/** virtq_disable_kicks() - A hint that kicks are not needed, while the queue is processed. */
void virtq_disable_kicks(struct virtq *vq);

/** virtq_in_flight() - Chains popped and not yet pushed. */
unsigned int virtq_in_flight(const struct virtq *vq);
