/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The packed ring (virtio 1.3, section 2.8): one ring of descriptors in which the driver makes
 * chains available and we overwrite them with used descriptors. Two wrap counters, flipped each
 * time an index passes the end, tell old entries from new ones. A used descriptor stands at our
 * next used index, whichever chain it is for, and the index moves on by the entries of that chain.
 */
#include "virtq/ring.h"

#include <errno.h>

#define DESC_F_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define DESC_F_USED  (1u << VRING_PACKED_DESC_F_USED)

/* A 15-bit ring index and its wrap counter, as event offsets and the queue's base hold them. */
#define INDEX_MASK ((1u << VRING_PACKED_EVENT_F_WRAP_CTR) - 1)

static uint16_t join_index(uint16_t index, bool wrap)
{
	return (uint16_t)(index | (wrap ? 1u << VRING_PACKED_EVENT_F_WRAP_CTR : 0));
}

static int packed_resolve(struct virtq *vq)
{
	const struct virtq_addresses *at = &vq->addresses;
	struct packed_ring *ring = &vq->packed;
	const uint64_t event_len = sizeof(struct vring_packed_desc_event);

	ring->desc = virtq_resolve_part(vq, at->desc,
		(uint64_t)vq->size * sizeof(struct vring_packed_desc), VRING_DESC_ALIGN_SIZE);
	ring->driver_event = virtq_resolve_part(vq, at->avail, event_len, event_len);
	ring->device_event = virtq_resolve_part(vq, at->used, event_len, event_len);
	return ring->desc && ring->driver_event && ring->device_event ? 0 : -EFAULT;
}

static int packed_load_base(struct virtq *vq)
{
	uint16_t avail = (uint16_t)vq->base;
	uint16_t used = (uint16_t)(vq->base >> 16);

	if ((avail & INDEX_MASK) >= vq->size || (used & INDEX_MASK) >= vq->size)
		return -EINVAL;
	vq->next_avail = avail & INDEX_MASK;
	vq->next_used = used & INDEX_MASK;
	vq->packed.avail_wrap = avail >> VRING_PACKED_EVENT_F_WRAP_CTR;
	vq->packed.used_wrap = used >> VRING_PACKED_EVENT_F_WRAP_CTR;
	vq->packed.slots_in_flight = 0;
	return 0;
}

static uint32_t packed_save_base(const struct virtq *vq)
{
	return join_index(vq->next_avail, vq->packed.avail_wrap) |
	       (uint32_t)join_index(vq->next_used, vq->packed.used_wrap) << 16;
}

/* Moves a ring index on and flips its wrap counter where it passes the end. */
static void packed_advance(const struct virtq *vq, uint16_t *index, bool *wrap, uint32_t count)
{
	uint32_t next = *index + count;

	if (next >= vq->size) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*index = (uint16_t)next;
}

/* Did the driver make the descriptor available, in the lap in which its counter is @wrap? */
static bool is_avail(uint16_t flags, bool wrap)
{
	return !!(flags & DESC_F_AVAIL) == wrap && !!(flags & DESC_F_USED) != wrap;
}

static bool packed_has_avail(struct virtq *vq)
{
	/* Acquire: the driver writes the head's flags after everything else in the chain. */
	uint16_t flags = ring_load16_acquire(&vq->packed.desc[vq->next_avail].flags);

	return is_avail(flags, vq->packed.avail_wrap);
}

static void desc_to_host(struct vring_packed_desc *desc)
{
	desc->addr = le64toh(desc->addr);
	desc->len = le32toh(desc->len);
	desc->id = le16toh(desc->id);
	desc->flags = le16toh(desc->flags);
}

/* Section 2.8.8: the entries are used one after the other, of the flags only WRITE counts. */
static int collect_indirect(
	struct virtq *vq, struct chain *chain, const struct vring_packed_desc *head)
{
	int64_t count = chain_check_indirect(vq, head->flags, head->len);

	if (count < 0)
		return (int)count;
	for (uint32_t i = 0; i < count; i++) {
		struct vring_packed_desc desc;
		int ret = chain_read_table(vq, head->addr, i, &desc);

		if (ret < 0)
			return ret;
		desc_to_host(&desc);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return virtq_break(vq, -EPROTO, "an indirect table inside of another");
		ret = chain_add(vq, chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int packed_collect(struct virtq *vq, struct chain *chain)
{
	uint16_t index = vq->next_avail;
	bool wrap = vq->packed.avail_wrap;
	uint32_t slot_count = 0;
	struct vring_packed_desc desc;
	int ret;

	do {
		/* More would run into entries that are still ours, or around the ring for ever. */
		if (slot_count >= vq->size - vq->packed.slots_in_flight)
			return virtq_break(
				vq, -EPROTO, "a chain longer than the ring has room for");
		ring_copy_desc(&desc, &vq->packed.desc[index]);
		desc_to_host(&desc);
		/* What is left of another lap is no part of a chain of this one (section 2.8.6). */
		if (!is_avail(desc.flags, wrap))
			return virtq_break(
				vq, -EPROTO, "a chain with a descriptor that is not available");
		if (desc.flags & VRING_DESC_F_INDIRECT)
			ret = collect_indirect(vq, chain, &desc);
		else
			ret = chain_add(
				vq, chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		if (ret < 0)
			return ret;
		packed_advance(vq, &index, &wrap, 1);
		slot_count++;
	} while (desc.flags & VRING_DESC_F_NEXT);

	/* The last descriptor has the chain's id (section 2.8.6). */
	chain->id = desc.id;
	chain->slot_count = (uint16_t)slot_count;
	vq->next_avail = index;
	vq->packed.avail_wrap = wrap;
	vq->packed.slots_in_flight += slot_count;
	return 0;
}

static void packed_push(struct virtq *vq, const struct chain *chain, uint32_t written_len)
{
	struct vring_packed_desc *desc = &vq->packed.desc[vq->next_used];
	uint16_t flags = vq->packed.used_wrap ? DESC_F_AVAIL | DESC_F_USED : 0;

	/* The length counts only with this flag (section 2.8.4). */
	if (written_len > 0)
		flags |= VRING_DESC_F_WRITE;
	__atomic_store_n(&desc->len, htole32(written_len), __ATOMIC_RELAXED);
	ring_store16(&desc->id, chain->id);
	packed_advance(vq, &vq->next_used, &vq->packed.used_wrap, chain->slot_count);
	vq->pushed_count += chain->slot_count;
	vq->packed.slots_in_flight -= chain->slot_count;
	/* Release: the descriptor and the answer in the buffers, before the flags publish them. */
	ring_store16_release(&desc->flags, flags);
}

static bool packed_wants_notification(const struct virtq *vq)
{
	/* Offset and flags in one load, so that they belong together. */
	uint32_t event = le32toh(__atomic_load_n(vq->packed.driver_event, __ATOMIC_RELAXED));
	uint16_t flags = (event >> 16) & 3;
	bool wrap = (event >> VRING_PACKED_EVENT_F_WRAP_CTR) & 1;
	int32_t distance;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->has_event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* How far behind our index the entry is that the driver waits for; not positive: ahead. */
	distance = (int32_t)vq->next_used - (int32_t)(event & INDEX_MASK);
	if (wrap != vq->packed.used_wrap)
		distance += (int32_t)vq->size;
	return vq->notify_first || vq->pushed_count >= vq->size ||
	       (distance > 0 && (uint32_t)distance <= vq->pushed_count);
}

static void packed_set_kicks(struct virtq *vq, bool enabled)
{
	uint32_t event = VRING_PACKED_EVENT_FLAG_DISABLE << 16;

	if (enabled && vq->has_event_idx)
		event = VRING_PACKED_EVENT_FLAG_DESC << 16 |
			join_index(vq->next_avail, vq->packed.avail_wrap);
	else if (enabled)
		event = VRING_PACKED_EVENT_FLAG_ENABLE << 16;
	/* One store for both halves: the driver never sees a new flag with an old offset. */
	__atomic_store_n(vq->packed.device_event, htole32(event), __ATOMIC_RELAXED);
}

const struct ring_layout packed_layout = {
	.resolve = packed_resolve,
	.load_base = packed_load_base,
	.save_base = packed_save_base,
	.has_avail = packed_has_avail,
	.collect = packed_collect,
	.push = packed_push,
	.wants_notification = packed_wants_notification,
	.set_kicks = packed_set_kicks,
};
