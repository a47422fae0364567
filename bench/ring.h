/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The driver's side of a split virtqueue (virtio 1.3, section 2.7). Chains are added one after the
 * other and published together.
 */
#pragma once

#include "bench/memory.h"

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define RING_MAX_SIZE 1024

/** struct ring_buffer - One descriptor; bytes */
struct ring_buffer {
	uint64_t gpa;
	uint32_t len;
	bool is_writable;
};

/**
 * struct ring - A split ring
 * @desc_gpa, @avail_gpa, @used_gpa: where its parts are
 * @kick_fd, @call_fd: owned, non-blocking as QEMU's
 * @next_avail: where the next chain is added; the device sees those before @published
 * @chain_len: by head, descriptors of a chain in flight
 */
struct ring {
	uint64_t desc_gpa;
	uint64_t avail_gpa;
	uint64_t used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;
	bool has_event_idx;
	int kick_fd;
	int call_fd;
	uint16_t next_avail;
	uint16_t published;
	uint16_t last_used;
	uint16_t first_free;
	uint16_t free_count;
	uint16_t chain_len[RING_MAX_SIZE];
};

/** ring_init() - An empty ring of @size descriptors in @memory. Return: 0 or a negative errno. */
int ring_init(struct ring *ring, struct memory *memory, uint16_t size, bool has_event_idx);
void ring_finish(struct ring *ring);

/** ring_add() - Add a chain, not published yet. Return: its head, or -ENOSPC. */
int ring_add(struct ring *ring, const struct ring_buffer *buffers, uint16_t count);

/** ring_peek_head() - The head that the next ring_add() returns */
static inline uint16_t ring_peek_head(const struct ring *ring)
{
	return ring->first_free;
}

/** ring_publish() - Show the device all that was added, and kick it if it wants to be. */
void ring_publish(struct ring *ring);

/** ring_take_used() - Take back a chain. Return: its head, or -EAGAIN where none is used. */
int ring_take_used(struct ring *ring);

/** ring_want_call() - Ask to be notified of the next used chain. Return: is one there already? */
bool ring_want_call(struct ring *ring);

/** ring_want_no_call() - Ask for none, as a driver does while it looks. */
void ring_want_no_call(struct ring *ring);

/**
 * ring_wait_call() - Sleep until the device notifies
 * @peer_fd: a socket whose hang-up ends the waiting
 *
 * Return: 0; -ETIMEDOUT; -EPIPE where the peer hung up.
 */
int ring_wait_call(struct ring *ring, int peer_fd, int limit_ms);

/** ring_wait_used() - The same, and look at the ring all the time instead of sleeping. */
int ring_wait_used(const struct ring *ring, int peer_fd, int limit_ms);
