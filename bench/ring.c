/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* A split ring as Linux's driver keeps it. Owns the two eventfds, borrows the memory. */
#include "bench/ring.h"

#include "bench/clock.h"
#include "util/fd.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

/* Looks at the ring for each look at the clock and the peer. The daemon may need this very CPU. */
#define LOOKS 1000

int ring_init(struct ring *ring, struct memory *memory, uint16_t size, bool has_event_idx)
{
	*ring = (struct ring){.size = size, .has_event_idx = has_event_idx, .free_count = size};
	ring->desc_gpa = memory_alloc(memory, sizeof(struct vring_desc) * size, MEMORY_PAGE);
	ring->avail_gpa = memory_alloc(memory, 6 + 2u * size, MEMORY_PAGE);
	ring->used_gpa =
		memory_alloc(memory, 6 + sizeof(struct vring_used_elem) * size, MEMORY_PAGE);
	ring->desc = memory_at(memory, ring->desc_gpa);
	ring->avail = memory_at(memory, ring->avail_gpa);
	ring->used = memory_at(memory, ring->used_gpa);
	for (uint16_t i = 0; i < size; i++)
		ring->desc[i].next = i + 1;
	ring->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ring->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return ring->kick_fd < 0 || ring->call_fd < 0 ? -errno : 0;
}

void ring_finish(struct ring *ring)
{
	if (ring->size == 0)
		return;
	fd_clear(&ring->kick_fd);
	fd_clear(&ring->call_fd);
	ring->size = 0;
}

int ring_add(struct ring *ring, const struct ring_buffer *buffers, uint16_t count)
{
	const uint16_t head = ring->first_free;

	if (count > ring->free_count)
		return -ENOSPC;
	for (uint16_t i = 0; i < count; i++) {
		struct vring_desc *desc = &ring->desc[ring->first_free];

		desc->addr = buffers[i].gpa;
		desc->len = buffers[i].len;
		desc->flags = (buffers[i].is_writable ? VRING_DESC_F_WRITE : 0) |
			      (i + 1 < count ? VRING_DESC_F_NEXT : 0);
		ring->first_free = desc->next;
	}
	ring->free_count -= count;
	ring->chain_len[head] = count;
	ring->avail->ring[ring->next_avail++ % ring->size] = head;
	return head;
}

static bool wants_kick(const struct ring *ring, uint16_t old)
{
	const uint16_t *event = (const uint16_t *)&ring->used->ring[ring->size];

	if (ring->has_event_idx)
		return vring_need_event(
			__atomic_load_n(event, __ATOMIC_RELAXED), ring->published, old);
	return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

void ring_publish(struct ring *ring)
{
	const uint16_t old = ring->published;

	ring->published = ring->next_avail;
	__atomic_store_n(&ring->avail->idx, ring->published, __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
	if (wants_kick(ring, old))
		eventfd_write(ring->kick_fd, 1);
}

static bool has_used(const struct ring *ring)
{
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != ring->last_used;
}

int ring_take_used(struct ring *ring)
{
	uint16_t head, last;

	if (!has_used(ring))
		return -EAGAIN;
	head = (uint16_t)ring->used->ring[ring->last_used % ring->size].id;
	if (head >= ring->size || ring->chain_len[head] == 0)
		return -EPROTO;
	ring->last_used++;
	/* The chain's own links are the free list's, but for the last. */
	last = head;
	for (uint16_t i = 1; i < ring->chain_len[head]; i++)
		last = ring->desc[last].next;
	ring->desc[last].next = ring->first_free;
	ring->first_free = head;
	ring->free_count += ring->chain_len[head];
	ring->chain_len[head] = 0;
	return head;
}

bool ring_want_call(struct ring *ring)
{
	if (ring->has_event_idx)
		__atomic_store_n(&ring->avail->ring[ring->size], ring->last_used, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->avail->flags, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
	return has_used(ring);
}

/* With event idx the index asked for last stands behind us already: that is "none" for long. */
void ring_want_no_call(struct ring *ring)
{
	if (!ring->has_event_idx)
		__atomic_store_n(&ring->avail->flags, VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
}

int ring_wait_call(struct ring *ring, int peer_fd, int limit_ms)
{
	struct pollfd items[] = {{.fd = ring->call_fd, .events = POLLIN}, {.fd = peer_fd}};
	eventfd_t count;
	int ret;

	do
		ret = poll(items, 2, limit_ms);
	while (ret < 0 && errno == EINTR);
	if (ret == 0)
		return -ETIMEDOUT;
	if (items[0].revents & POLLIN) {
		eventfd_read(ring->call_fd, &count);
		return 0;
	}
	return -EPIPE;
}

static void relax_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

int ring_wait_used(const struct ring *ring, int peer_fd, int limit_ms)
{
	const double end = clock_now() + limit_ms * 1e-3;
	struct pollfd peer = {.fd = peer_fd};

	for (unsigned int looks = 1; !has_used(ring); looks++) {
		relax_cpu();
		if (looks % LOOKS != 0)
			continue;
		sched_yield();
		if (poll(&peer, 1, 0) > 0)
			return -EPIPE;
		if (clock_now() > end)
			return -ETIMEDOUT;
	}
	return 0;
}
