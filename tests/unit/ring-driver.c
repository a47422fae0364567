/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A small virtqueue driver for tests (virtio 1.3, sections 2.7 and 2.8, the driver's part). Host
 * byte order is taken to be little endian. Owns its memfd and its mapping of it; touches the queue
 * only through the public functions.
 */
#include "ring-driver.h"

#include <glib.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

void ring_driver_setup(struct ring_driver *d, uint64_t features, uint32_t base)
{
	const struct virtq_addresses addresses = {
		.desc = RING_DRIVER_UVA + RING_DRIVER_DESC,
		.avail = RING_DRIVER_UVA + RING_DRIVER_AVAIL,
		.used = RING_DRIVER_UVA + RING_DRIVER_USED,
	};

	if (d->packed)
		features |= FEATURE(VIRTIO_F_RING_PACKED);
	d->event_idx = features & FEATURE(VIRTIO_RING_F_EVENT_IDX);
	g_assert_cmpint(virtq_set_size(d->vq, d->size), ==, 0);
	g_assert_cmpint(virtq_set_addresses(d->vq, &addresses), ==, 0);
	virtq_set_features(d->vq, features | FEATURE(VIRTIO_F_VERSION_1));
	virtq_set_base(d->vq, base);
	virtq_set_call_fd(d->vq, dup(d->call_fd));
	virtq_set_err_fd(d->vq, dup(d->err_fd));
}

void ring_driver_init(struct ring_driver *d, bool packed, uint32_t size, uint64_t features)
{
	const struct guest_memory_region region = {
		.gpa = RING_DRIVER_GPA, .len = RING_DRIVER_LEN, .uva = RING_DRIVER_UVA};

	*d = (struct ring_driver){.packed = packed,
		.size = size,
		.free_count = size,
		.avail_wrap = true,
		.used_wrap = true};
	d->mem_fd = memfd_create("ring-driver", MFD_CLOEXEC);
	g_assert_cmpint(ftruncate(d->mem_fd, RING_DRIVER_LEN), ==, 0);
	d->mem = mmap(NULL, RING_DRIVER_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, d->mem_fd, 0);
	g_assert_true(d->mem != MAP_FAILED);
	d->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->err_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->memory = guest_memory_create();
	g_assert_cmpint(guest_memory_add(d->memory, &region, dup(d->mem_fd)), ==, 0);
	d->vq = virtq_create(d->memory);
	ring_driver_setup(d, features, packed ? 0x80008000 : 0);
	g_assert_cmpint(virtq_start(d->vq), ==, 0);
}

void ring_driver_finish(struct ring_driver *d)
{
	virtq_destroy(d->vq);
	guest_memory_destroy(d->memory);
	munmap(d->mem, RING_DRIVER_LEN);
	close(d->mem_fd);
	close(d->call_fd);
	close(d->err_fd);
}

static int split_publish(struct ring_driver *d, uint16_t head, uint16_t count)
{
	struct vring_avail *avail = ring_driver_avail(d);

	d->taken[head] = count;
	d->free_count -= count;
	avail->ring[d->next_avail++ % d->size] = head;
	__atomic_store_n(&avail->idx, d->next_avail, __ATOMIC_RELEASE);
	return head;
}

static uint16_t split_find_free(struct ring_driver *d)
{
	uint16_t i = 0;

	while (d->desc_busy[i])
		i++;
	d->desc_busy[i] = true;
	return i;
}

static int split_add(struct ring_driver *d, const struct ring_buffer *buffers, uint32_t count,
	uint16_t extra_flags)
{
	struct vring_desc *desc = ring_driver_desc(d);
	uint16_t head = split_find_free(d);
	uint16_t at = head;

	for (uint32_t i = 0; i < count; i++) {
		desc[at] = (struct vring_desc){.addr = buffers[i].gpa, .len = buffers[i].len};
		desc[at].flags = extra_flags | (buffers[i].writable ? VRING_DESC_F_WRITE : 0);
		if (i + 1 == count)
			break;
		d->chain_next[at] = split_find_free(d);
		desc[at].next = d->chain_next[at];
		desc[at].flags |= VRING_DESC_F_NEXT;
		at = d->chain_next[at];
	}
	return split_publish(d, head, (uint16_t)count);
}

static int packed_find_id(struct ring_driver *d)
{
	int id = (int)d->size - 1;

	/* From the top, so that ids and ring positions do not happen to be the same. */
	while (d->taken[id])
		id--;
	return id;
}

static int packed_add(struct ring_driver *d, const struct ring_buffer *buffers, uint32_t count,
	uint16_t extra_flags)
{
	struct vring_packed_desc *ring = ring_driver_packed_desc(d);
	uint16_t head = d->next_avail, head_flags = 0;
	int id = packed_find_id(d);

	for (uint32_t i = 0; i < count; i++) {
		struct vring_packed_desc *desc = &ring[d->next_avail];
		uint16_t flags = extra_flags | (buffers[i].writable ? VRING_DESC_F_WRITE : 0) |
				 (i + 1 < count ? VRING_DESC_F_NEXT : 0) |
				 (d->avail_wrap ? 1u << VRING_PACKED_DESC_F_AVAIL
						: 1u << VRING_PACKED_DESC_F_USED);

		desc->addr = buffers[i].gpa;
		desc->len = buffers[i].len;
		desc->id = (uint16_t)(i + 1 == count ? id : 0xdead);
		if (i == 0)
			head_flags = flags;
		else
			desc->flags = flags;
		if (++d->next_avail == d->size) {
			d->next_avail = 0;
			d->avail_wrap = !d->avail_wrap;
		}
	}
	d->taken[id] = (uint16_t)count;
	d->free_count -= count;
	__atomic_store_n(&ring[head].flags, head_flags, __ATOMIC_RELEASE);
	return id;
}

int ring_driver_add(struct ring_driver *d, const struct ring_buffer *buffers, uint32_t count)
{
	if (count > d->free_count)
		return -1;
	return d->packed ? packed_add(d, buffers, count, 0) : split_add(d, buffers, count, 0);
}

int ring_driver_add_indirect(struct ring_driver *d, const struct ring_buffer *buffers,
	uint32_t count, uint64_t table_offset)
{
	const struct ring_buffer table = {
		.gpa = RING_DRIVER_GPA + table_offset, .len = count * sizeof(struct vring_desc)};

	if (d->free_count == 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t write = buffers[i].writable ? VRING_DESC_F_WRITE : 0;
		uint16_t next = i + 1 < count ? VRING_DESC_F_NEXT : 0;
		struct vring_desc desc = {
			buffers[i].gpa, buffers[i].len, write | next, (uint16_t)(i + 1)};
		struct vring_packed_desc packed = {buffers[i].gpa, buffers[i].len, 0, write};

		memcpy(d->mem + table_offset + i * sizeof(desc),
			d->packed ? (const void *)&packed : (const void *)&desc, sizeof(desc));
	}
	return d->packed ? packed_add(d, &table, 1, VRING_DESC_F_INDIRECT)
			 : split_add(d, &table, 1, VRING_DESC_F_INDIRECT);
}

static bool split_get_used(struct ring_driver *d, uint16_t *ret_id, uint32_t *ret_len)
{
	struct vring_used *used = ring_driver_used(d);
	uint16_t at, count;

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == d->next_used)
		return false;
	*ret_id = (uint16_t)used->ring[d->next_used % d->size].id;
	*ret_len = used->ring[d->next_used % d->size].len;
	d->next_used++;
	at = *ret_id;
	count = d->taken[at];
	g_assert_cmpuint(count, >, 0);
	d->taken[at] = 0;
	d->free_count += count;
	for (uint16_t i = 0; i < count; i++) {
		d->desc_busy[at] = false;
		at = d->chain_next[at];
	}
	return true;
}

static bool packed_get_used(struct ring_driver *d, uint16_t *ret_id, uint32_t *ret_len)
{
	struct vring_packed_desc *desc = &ring_driver_packed_desc(d)[d->next_used];
	uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);
	bool avail = flags & (1u << VRING_PACKED_DESC_F_AVAIL);
	bool used = flags & (1u << VRING_PACKED_DESC_F_USED);

	if (avail != used || used != d->used_wrap)
		return false;
	*ret_id = desc->id;
	*ret_len = flags & VRING_DESC_F_WRITE ? desc->len : 0;
	g_assert_cmpuint(*ret_id, <, d->size);
	g_assert_cmpuint(d->taken[*ret_id], >, 0);
	d->free_count += d->taken[*ret_id];
	d->next_used += d->taken[*ret_id];
	d->taken[*ret_id] = 0;
	if (d->next_used >= d->size) {
		d->next_used -= d->size;
		d->used_wrap = !d->used_wrap;
	}
	return true;
}

bool ring_driver_get_used(struct ring_driver *d, uint16_t *ret_id, uint32_t *ret_len)
{
	return d->packed ? packed_get_used(d, ret_id, ret_len) : split_get_used(d, ret_id, ret_len);
}

static void write_driver_event(struct ring_driver *d, uint32_t flags)
{
	uint32_t *event = (uint32_t *)(d->mem + RING_DRIVER_AVAIL);

	__atomic_store_n(
		event, flags << 16 | d->next_used | (d->used_wrap ? 0x8000u : 0), __ATOMIC_RELAXED);
}

void ring_driver_wait_event(struct ring_driver *d)
{
	struct vring_avail *avail = ring_driver_avail(d);

	if (d->packed)
		write_driver_event(d, d->event_idx ? VRING_PACKED_EVENT_FLAG_DESC
						   : VRING_PACKED_EVENT_FLAG_ENABLE);
	else if (d->event_idx)
		__atomic_store_n(&avail->ring[d->size], d->next_used, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&avail->flags, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
}

void ring_driver_disable_events(struct ring_driver *d)
{
	struct vring_avail *avail = ring_driver_avail(d);

	if (d->packed)
		write_driver_event(d, VRING_PACKED_EVENT_FLAG_DISABLE);
	else if (d->event_idx)
		avail->ring[d->size] = d->next_used - 1;
	else
		avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

static bool packed_needs_kick(struct ring_driver *d, uint16_t count)
{
	const uint32_t *at = (const uint32_t *)(d->mem + RING_DRIVER_USED);
	uint32_t event = __atomic_load_n(at, __ATOMIC_RELAXED);
	uint16_t flags = (uint16_t)(event >> 16);
	int distance = (int)d->next_avail - (int)(event & 0x7fff);

	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	if (!!(event & 0x8000) != d->avail_wrap)
		distance += (int)d->size;
	return distance > 0 && distance <= count;
}

bool ring_driver_needs_kick(struct ring_driver *d, uint16_t count)
{
	struct vring_used *used = ring_driver_used(d);
	uint16_t event;

	atomic_thread_fence(memory_order_seq_cst);
	if (d->packed)
		return packed_needs_kick(d, count);
	if (!d->event_idx)
		return !(__atomic_load_n(&used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((uint16_t *)&used->ring[d->size], __ATOMIC_RELAXED);
	return vring_need_event(event, d->next_avail, d->next_avail - count);
}

uint64_t ring_driver_signals(int fd)
{
	uint64_t value = 0;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		return 0;
	return value;
}
