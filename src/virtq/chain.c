/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Chains: descriptors collected into guest ranges, and copies out of and into them (virtio 1.3,
 * section 2.6.4 on the order of a chain, 2.7.5 and 2.8.7 on descriptors).
 *
 * A chain holds guest addresses, and beside each where it was found when the chain was collected. That
 * counts as long as the memory table is the same; it may change while the chain is in flight, and then
 * the addresses are looked up again at each copy. What a chain can cost is bounded: descriptors by the ring's size, chains likewise.
 */
#include "virtq/ring.h"

#include <errno.h>
#include <glib.h>

/* Longer segment arrays are not kept in the pool, 4 KiB for each chain are. */
#define CHAIN_POOLED_SEGMENTS 256

/* Most bytes that one chain may describe (section 2.6.4: 2^32). */
#define CHAIN_MAX_LEN (UINT64_C(1) << 32)

static void free_segments(struct chain *chain)
{
	if (chain->segments != chain->inline_segments)
		g_free(chain->segments);
	chain->segments = chain->inline_segments;
	chain->segment_room = CHAIN_INLINE_SEGMENTS;
}

struct chain *chain_take(struct virtq *vq)
{
	struct chain *chain = LIST_FIRST(&vq->pool);

	if (chain) {
		LIST_REMOVE(chain, link);
	} else {
		chain = g_try_new(struct chain, 1);
		if (!chain)
			return NULL;
		chain->segments = chain->inline_segments;
		chain->segment_room = CHAIN_INLINE_SEGMENTS;
	}
	chain->base = (struct virtq_chain){0};
	chain->id = 0;
	chain->slot_count = 0;
	chain->desc_count = 0;
	chain->generation = guest_memory_generation(vq->memory);
	chain->has_writable = false;
	chain->segment_count = 0;
	chain->out_count = 0;
	return chain;
}

void chain_put(struct virtq *vq, struct chain *chain)
{
	if (chain->segment_room > CHAIN_POOLED_SEGMENTS)
		free_segments(chain);
	LIST_INSERT_HEAD(&vq->pool, chain, link);
}

void chain_free_list(struct chain_list *list)
{
	struct chain *chain;

	while ((chain = LIST_FIRST(list))) {
		LIST_REMOVE(chain, link);
		free_segments(chain);
		g_free(chain);
	}
}

static bool grow_segments(struct chain *chain)
{
	uint32_t room = chain->segment_room * 2;
	bool is_inline = chain->segments == chain->inline_segments;
	struct segment *segments =
		g_try_renew(struct segment, is_inline ? NULL : chain->segments, room);

	if (!segments)
		return false;
	if (is_inline)
		memcpy(segments, chain->inline_segments, sizeof(chain->inline_segments));
	chain->segments = segments;
	chain->segment_room = room;
	return true;
}

/* Finds a range. Return: false where a part of it is no guest memory. */
static bool find_segment(
	struct guest_memory *memory, uint64_t gpa, uint64_t len, struct segment *ret_segment)
{
	uint64_t span_len = len;

	*ret_segment = (struct segment){.gpa = gpa, .len = len};
	ret_segment->hva = guest_memory_span(memory, gpa, &span_len);
	if (!ret_segment->hva)
		return false;
	while (span_len < len) {
		uint64_t left = len - span_len;

		ret_segment->hva = NULL;
		if (!guest_memory_span(memory, gpa + span_len, &left))
			return false;
		span_len += left;
	}
	return true;
}

static int chain_append(struct virtq *vq, struct chain *chain, uint64_t gpa, uint32_t len)
{
	struct segment segment;

	if (chain->base.out_len + chain->base.in_len + len > CHAIN_MAX_LEN)
		return virtq_break(vq, -EPROTO, "a chain of more than 4 GiB");
	if (!find_segment(vq->memory, gpa, len, &segment))
		return virtq_break(vq, -EFAULT, "a descriptor outside of guest memory");
	if (chain->segment_count == chain->segment_room && !grow_segments(chain))
		return virtq_break(vq, -ENOMEM, "no memory for a chain");
	chain->segments[chain->segment_count++] = segment;
	return 0;
}

int chain_add(struct virtq *vq, struct chain *chain, uint64_t gpa, uint32_t len, bool writable)
{
	int ret;

	/* Empty descriptors count too: a loop may consist of nothing else. */
	if (chain->desc_count++ >= MAX(vq->size, CHAIN_LIMIT_MIN))
		return virtq_break(vq, -EPROTO, "a looped or too long chain");
	if (chain->has_writable && !writable)
		return virtq_break(vq, -EPROTO, "a readable descriptor behind a writable one");
	chain->has_writable = writable;
	if (len == 0)
		return 0;
	ret = chain_append(vq, chain, gpa, len);
	if (ret < 0)
		return ret;
	if (writable) {
		chain->base.in_len += len;
	} else {
		chain->base.out_len += len;
		chain->out_count++;
	}
	return 0;
}

int64_t chain_check_indirect(struct virtq *vq, uint16_t flags, uint32_t len)
{
	if (!vq->has_indirect)
		return virtq_break(vq, -EPROTO, "an indirect table without the feature");
	if (flags & VRING_DESC_F_NEXT)
		return virtq_break(vq, -EPROTO, "a chain that goes on behind an indirect table");
	if (len == 0 || len % sizeof(struct vring_desc) != 0)
		return virtq_break(vq, -EPROTO, "an indirect table of a bad length");
	return (int64_t)(len / sizeof(struct vring_desc));
}

static inline void copy_bytes(void *hva, void *buf, size_t len, bool to_guest)
{
	if (to_guest)
		memcpy(hva, buf, len);
	else
		memcpy(buf, hva, len);
}

/* Looks the range up anew. */
static bool copy_range(
	struct guest_memory *memory, const struct segment *range, void *buf, bool to_guest)
{
	uint64_t gpa = range->gpa;
	uint64_t left = range->len;
	uint8_t *at = buf;

	while (left > 0) {
		uint64_t len = left;
		void *hva = guest_memory_span(memory, gpa, &len);

		if (!hva)
			return false;
		copy_bytes(hva, at, len, to_guest);
		at += len;
		gpa += len;
		left -= len;
	}
	return true;
}

int chain_read_table(struct virtq *vq, uint64_t gpa, uint32_t index, void *ret_desc)
{
	const struct segment range = {
		.gpa = gpa + (uint64_t)index * sizeof(struct vring_desc),
		.len = sizeof(struct vring_desc),
	};
	uint8_t desc[sizeof(struct vring_desc)];

	/* The table may cross adjacent regions, even in the middle of a descriptor. */
	if (!copy_range(vq->memory, &range, desc, false))
		return virtq_break(vq, -EFAULT, "an indirect table outside of guest memory");
	ring_copy_desc(ret_desc, desc);
	return 0;
}

/* The bytes that are copied: @segments from @offset on. @is_found: their hva count. */
struct copy {
	const struct segment *segments;
	uint32_t segment_count;
	bool is_found;
	size_t offset;
	uint8_t *buf;
	size_t len;
	bool to_guest;
};

static ssize_t copy_chain(struct guest_memory *memory, const struct copy *copy)
{
	size_t offset = copy->offset;
	size_t done = 0;

	for (uint32_t i = 0; i < copy->segment_count && done < copy->len; i++) {
		struct segment part = copy->segments[i];

		if (offset >= part.len) {
			offset -= part.len;
			continue;
		}
		part.gpa += offset;
		part.len = MIN(part.len - offset, copy->len - done);
		if (copy->is_found && part.hva)
			copy_bytes(part.hva + offset, copy->buf + done, part.len, copy->to_guest);
		else if (!copy_range(memory, &part, copy->buf + done, copy->to_guest))
			return -EFAULT;
		offset = 0;
		done += part.len;
	}
	return (ssize_t)done;
}

static bool is_found(struct virtq *vq, const struct chain *chain)
{
	return chain->generation == guest_memory_generation(vq->memory);
}

/* Where all of the bytes are, if the first of @count segments has them: it mostly does. Or NULL. */
static inline uint8_t *find_whole(struct virtq *vq, const struct chain *chain,
	const struct segment *segment, uint32_t count, size_t offset, size_t len)
{
	if (count == 0 || offset > segment->len || len > segment->len - offset)
		return NULL;
	return segment->hva && is_found(vq, chain) ? segment->hva + offset : NULL;
}

ssize_t virtq_read(
	struct virtq *vq, struct virtq_chain *chain, size_t offset, void *buf, size_t len)
{
	const struct chain *c = (const struct chain *)chain;
	const uint8_t *whole = find_whole(vq, c, c->segments, c->out_count, offset, len);

	if (whole) {
		memcpy(buf, whole, len);
		return (ssize_t)len;
	}
	return copy_chain(vq->memory, &(struct copy){.segments = c->segments,
					      .segment_count = c->out_count,
					      .is_found = is_found(vq, c),
					      .offset = offset,
					      .buf = buf,
					      .len = len,
					      .to_guest = false});
}

ssize_t virtq_write(
	struct virtq *vq, struct virtq_chain *chain, size_t offset, const void *buf, size_t len)
{
	const struct chain *c = (const struct chain *)chain;
	uint8_t *whole = find_whole(
		vq, c, c->segments + c->out_count, c->segment_count - c->out_count, offset, len);

	if (whole) {
		memcpy(whole, buf, len);
		return (ssize_t)len;
	}
	return copy_chain(vq->memory, &(struct copy){.segments = c->segments + c->out_count,
					      .segment_count = c->segment_count - c->out_count,
					      .is_found = is_found(vq, c),
					      .offset = offset,
					      .buf = (uint8_t *)(uintptr_t)buf,
					      .len = len,
					      .to_guest = true});
}
