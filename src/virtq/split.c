/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The split ring (virtio 1.3, section 2.7): a descriptor table, a ring of available heads that the
 * driver fills, a ring of used elements that we fill. The indices run freely over 16 bits.
 */
#include "virtq/ring.h"

#include <errno.h>

/* A descriptor table: the ring's own, or an indirect one, which has no hva. */
struct table {
	const struct vring_desc *hva;
	uint64_t gpa;
	int64_t count;
};

static int split_resolve(struct virtq *vq)
{
	const struct virtq_addresses *at = &vq->addresses;
	uint64_t size = vq->size;
	uint64_t event_len = vq->has_event_idx ? sizeof(uint16_t) : 0;
	uint64_t avail_len = sizeof(struct vring_avail) + size * sizeof(uint16_t) + event_len;
	uint64_t used_len =
		sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + event_len;

	if (size & (size - 1))
		return -EINVAL;
	vq->split.desc = virtq_resolve_part(
		vq, at->desc, size * sizeof(struct vring_desc), VRING_DESC_ALIGN_SIZE);
	vq->split.avail = virtq_resolve_part(vq, at->avail, avail_len, VRING_AVAIL_ALIGN_SIZE);
	vq->split.used = virtq_resolve_part(vq, at->used, used_len, VRING_USED_ALIGN_SIZE);
	return vq->split.desc && vq->split.avail && vq->split.used ? 0 : -EFAULT;
}

static int split_load_base(struct virtq *vq)
{
	vq->next_avail = (uint16_t)vq->base;
	vq->split.seen_avail = vq->next_avail;
	/* The protocol carries no used index for this layout: the ring itself has it. */
	vq->next_used = ring_load16(&vq->split.used->idx);
	return 0;
}

static uint32_t split_save_base(const struct virtq *vq)
{
	return vq->next_avail;
}

static bool split_has_avail(struct virtq *vq)
{
	if (vq->split.seen_avail == vq->next_avail)
		/* Acquire: heads and descriptors were written before the index that covers them. */
		vq->split.seen_avail = ring_load16_acquire(&vq->split.avail->idx);
	return vq->split.seen_avail != vq->next_avail;
}

static int read_desc(
	struct virtq *vq, const struct table *table, uint32_t index, struct vring_desc *ret_desc)
{
	struct vring_desc desc;

	if (index >= table->count)
		return virtq_break(vq, -EPROTO, "a descriptor index outside of its table");
	if (table->hva) {
		ring_copy_desc(&desc, &table->hva[index]);
	} else {
		int ret = chain_read_table(vq, table->gpa, index, &desc);

		if (ret < 0)
			return ret;
	}
	ret_desc->addr = le64toh(desc.addr);
	ret_desc->len = le32toh(desc.len);
	ret_desc->flags = le16toh(desc.flags);
	ret_desc->next = le16toh(desc.next);
	return 0;
}

static int enter_indirect(struct virtq *vq, struct table *table, const struct vring_desc *desc)
{
	int64_t count;

	if (!table->hva)
		return virtq_break(vq, -EPROTO, "an indirect table inside of another");
	count = chain_check_indirect(vq, desc->flags, desc->len);
	if (count < 0)
		return (int)count;
	*table = (struct table){.gpa = desc->addr, .count = count};
	return 0;
}

/* Loops end at the limit in chain_add(); an indirect table is entered once. */
static int collect_from(struct virtq *vq, struct chain *chain, uint32_t index)
{
	struct table table = {.hva = vq->split.desc, .count = vq->size};
	struct vring_desc desc = {0};
	int ret;

	for (;;) {
		ret = read_desc(vq, &table, index, &desc);
		if (ret < 0)
			return ret;
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			ret = enter_indirect(vq, &table, &desc);
			if (ret < 0)
				return ret;
			index = 0;
			continue;
		}
		ret = chain_add(vq, chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		if (ret < 0 || !(desc.flags & VRING_DESC_F_NEXT))
			return ret;
		index = desc.next;
	}
}

static int split_collect(struct virtq *vq, struct chain *chain)
{
	int ret;

	if ((uint16_t)(vq->split.seen_avail - vq->next_avail) > vq->size)
		return virtq_break(vq, -EPROTO, "the available index jumped");
	/* Relaxed: ordered behind the index by has_avail(). */
	chain->id = ring_load16(&vq->split.avail->ring[vq->next_avail & (vq->size - 1)]);
	ret = collect_from(vq, chain, chain->id);
	if (ret < 0)
		return ret;
	vq->next_avail++;
	return 0;
}

static void split_push(struct virtq *vq, const struct chain *chain, uint32_t written_len)
{
	struct vring_used *used = vq->split.used;
	vring_used_elem_t *elem = &used->ring[vq->next_used & (vq->size - 1)];

	__atomic_store_n(&elem->id, htole32(chain->id), __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, htole32(written_len), __ATOMIC_RELAXED);
	vq->next_used++;
	vq->pushed_count++;
	/* Release: the element and the answer in the buffers, before the index that covers them. */
	ring_store16_release(&used->idx, vq->next_used);
}

static bool split_wants_notification(const struct virtq *vq)
{
	const struct vring_avail *avail = vq->split.avail;
	uint16_t event;

	if (!vq->has_event_idx)
		return !(ring_load16(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = ring_load16(&avail->ring[vq->size]);
	/* Was the element with that index among those that were pushed? */
	return vq->notify_first || (uint16_t)(vq->next_used - event - 1) < vq->pushed_count;
}

static void split_set_kicks(struct virtq *vq, bool enabled)
{
	struct vring_used *used = vq->split.used;

	if (!vq->has_event_idx)
		ring_store16(&used->flags, enabled ? 0 : VRING_USED_F_NO_NOTIFY);
	else if (enabled)
		ring_store16((uint16_t *)&used->ring[vq->size], vq->next_avail);
	/* Else the event index falls behind by itself as the driver goes on. */
}

const struct ring_layout split_layout = {
	.resolve = split_resolve,
	.load_base = split_load_base,
	.save_base = split_save_base,
	.has_avail = split_has_avail,
	.collect = split_collect,
	.push = split_push,
	.wants_notification = split_wants_notification,
	.set_kicks = split_set_kicks,
};
