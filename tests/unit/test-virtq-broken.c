/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * virtq/ with a driver or a front-end that breaks the rules: each fault breaks the queue with its
 * errno and one signal, chains popped before are still answered, and a restart heals it.
 */
#include "ring-driver.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DATA	(RING_DRIVER_GPA + RING_DRIVER_DATA)
#define TABLE	(RING_DRIVER_GPA + RING_DRIVER_TABLE)
#define OUTSIDE (RING_DRIVER_GPA + RING_DRIVER_LEN)

#define F_INDIRECT FEATURE(VIRTIO_RING_F_INDIRECT_DESC)

#define DESC_LEN ((uint32_t)sizeof(struct vring_desc))

struct fault {
	const char *name;
	bool packed;
	int ret;
	void (*make)(struct ring_driver *d);
	bool no_indirect;
};

static const struct ring_buffer good[2] = {{DATA, 4, false}, {DATA + 16, 4, true}};

static void set_desc(void *table, uint32_t index, const struct vring_desc *desc)
{
	memcpy((uint8_t *)table + index * sizeof(*desc), desc, sizeof(*desc));
}

/* The next chain of the split ring begins at descriptor 8, which the good chains do not reach. */
static void split_make(struct ring_driver *d, const struct vring_desc *desc)
{
	struct vring_avail *avail = ring_driver_avail(d);

	set_desc(ring_driver_desc(d), 8, desc);
	avail->ring[d->next_avail % d->size] = 8;
	avail->idx = ++d->next_avail;
}

static void split_head_range(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){DATA, 4, 0, 0});
	ring_driver_avail(d)->ring[(d->next_avail - 1) % d->size] = (uint16_t)d->size;
}

static void split_next_range(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){DATA, 4, VRING_DESC_F_NEXT, (uint16_t)d->size});
}

static void split_self_loop(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){DATA, 4, VRING_DESC_F_NEXT, 8});
}

static void split_long_loop(struct ring_driver *d)
{
	set_desc(ring_driver_desc(d), 9, &(struct vring_desc){DATA, 1, VRING_DESC_F_NEXT, 10});
	set_desc(ring_driver_desc(d), 10, &(struct vring_desc){DATA, 1, VRING_DESC_F_NEXT, 8});
	split_make(d, &(struct vring_desc){DATA, 4, VRING_DESC_F_NEXT, 9});
}

static void split_empty_loop(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){0, 0, VRING_DESC_F_NEXT, 8});
}

static void split_jump(struct ring_driver *d)
{
	ring_driver_avail(d)->idx = (uint16_t)(d->next_avail + d->size + 1);
}

static void split_backwards(struct ring_driver *d)
{
	ring_driver_avail(d)->idx = (uint16_t)(d->next_avail - 1);
}

static void split_order(struct ring_driver *d)
{
	set_desc(ring_driver_desc(d), 9, &(struct vring_desc){DATA, 4, 0, 0});
	split_make(d, &(struct vring_desc){DATA, 4, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 9});
}

static void split_outside(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){OUTSIDE, 1, 0, 0});
}

static void split_past_end(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){OUTSIDE - 4, 5, VRING_DESC_F_WRITE, 0});
}

static void split_wrapping(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){UINT64_MAX, 2, 0, 0});
}

static void split_in_flight(struct ring_driver *d)
{
	/* One chain of the test's is in flight: the ring's size of others is one too many. */
	for (uint32_t i = 0; i < d->size; i++) {
		struct virtq_chain *chain;

		split_make(d, &(struct vring_desc){DATA, 4, 0, 0});
		if (i + 1 < d->size)
			g_assert_cmpint(virtq_pop(d->vq, &chain), ==, 1);
	}
}

static void split_table(struct ring_driver *d, uint32_t len, uint16_t more_flags)
{
	split_make(d, &(struct vring_desc){TABLE, len, VRING_DESC_F_INDIRECT | more_flags, 9});
}

static void split_table_nested(struct ring_driver *d)
{
	set_desc(d->mem + RING_DRIVER_TABLE, 0,
		&(struct vring_desc){TABLE, DESC_LEN, VRING_DESC_F_INDIRECT, 0});
	split_table(d, DESC_LEN, 0);
}

static void split_table_next(struct ring_driver *d)
{
	set_desc(d->mem + RING_DRIVER_TABLE, 0, &(struct vring_desc){DATA, 4, 0, 0});
	split_table(d, DESC_LEN, VRING_DESC_F_NEXT);
}

static void split_table_loop(struct ring_driver *d)
{
	set_desc(
		d->mem + RING_DRIVER_TABLE, 0, &(struct vring_desc){DATA, 1, VRING_DESC_F_NEXT, 0});
	split_table(d, DESC_LEN, 0);
}

static void split_table_range(struct ring_driver *d)
{
	set_desc(
		d->mem + RING_DRIVER_TABLE, 0, &(struct vring_desc){DATA, 1, VRING_DESC_F_NEXT, 1});
	split_table(d, DESC_LEN, 0);
}

static void split_table_empty(struct ring_driver *d)
{
	split_table(d, 0, 0);
}

static void split_table_odd(struct ring_driver *d)
{
	split_table(d, DESC_LEN + 1, 0);
}

static void split_table_outside(struct ring_driver *d)
{
	split_make(d, &(struct vring_desc){OUTSIDE, DESC_LEN, VRING_DESC_F_INDIRECT, 0});
}

static void split_table_plain(struct ring_driver *d)
{
	set_desc(d->mem + RING_DRIVER_TABLE, 0, &(struct vring_desc){DATA, 4, 0, 0});
	split_table(d, DESC_LEN, 0);
}

/* Allowed by its count, but describing more than 4 GiB by naming the same memory again. */
static void any_too_much(struct ring_driver *d)
{
	static struct ring_buffer buffers[1024];
	const struct guest_memory_region big = {
		.gpa = UINT64_C(1) << 40, .len = 64u << 20, .uva = 0x10000};
	int fd = memfd_create("big", MFD_CLOEXEC);

	g_assert_cmpint(ftruncate(fd, (off_t)big.len), ==, 0);
	g_assert_cmpint(guest_memory_add(d->memory, &big, fd), ==, 0);
	for (int i = 0; i < 1024; i++)
		buffers[i] = (struct ring_buffer){big.gpa, (uint32_t)big.len, false};
	ring_driver_add_indirect(d, buffers, 65, RING_DRIVER_TABLE);
}

static void any_too_long(struct ring_driver *d)
{
	static struct ring_buffer buffers[1025];

	for (int i = 0; i < 1025; i++)
		buffers[i] = (struct ring_buffer){DATA, 1, false};
	ring_driver_add_indirect(d, buffers, 1025, RING_DRIVER_TABLE);
}

static void packed_make(struct ring_driver *d, uint32_t count, const struct ring_buffer *buffers)
{
	g_assert_cmpint(ring_driver_add(d, buffers, count), >=, 0);
}

static struct vring_packed_desc *packed_next(struct ring_driver *d)
{
	return &ring_driver_packed_desc(d)[d->next_avail];
}

static void packed_loop(struct ring_driver *d)
{
	for (uint32_t i = 0; i < d->size; i++)
		ring_driver_packed_desc(d)[i] = (struct vring_packed_desc){
			DATA, 1, 0, VRING_DESC_F_NEXT | 1u << VRING_PACKED_DESC_F_AVAIL};
}

/* The second descriptor is of the lap before, or of the next. */
static void packed_wrap_bits(struct ring_driver *d)
{
	struct vring_packed_desc *second = packed_next(d) + 1;

	packed_make(d, 2, good);
	second->flags ^= 1u << VRING_PACKED_DESC_F_AVAIL | 1u << VRING_PACKED_DESC_F_USED;
}

/* It looks as if it was used. */
static void packed_used_bit(struct ring_driver *d)
{
	struct vring_packed_desc *second = packed_next(d) + 1;

	packed_make(d, 2, good);
	second->flags |= 1u << VRING_PACKED_DESC_F_USED;
}

static void packed_order(struct ring_driver *d)
{
	packed_make(d, 2, (const struct ring_buffer[]){{DATA, 4, true}, {DATA, 4, false}});
}

static void packed_outside(struct ring_driver *d)
{
	packed_make(d, 1, &(const struct ring_buffer){OUTSIDE, 1, false});
}

static void packed_past_end(struct ring_driver *d)
{
	packed_make(d, 1, &(const struct ring_buffer){OUTSIDE - 4, 5, true});
}

static void packed_wrapping(struct ring_driver *d)
{
	packed_make(d, 1, &(const struct ring_buffer){UINT64_MAX, 2, false});
}

/* All others are in use up to ours, and the last one claims to go on. */
static void packed_runs_into_used(struct ring_driver *d)
{
	const struct ring_buffer buffer = {DATA, 4, false};
	struct vring_packed_desc *last;
	struct virtq_chain *chain;

	while (d->free_count > 1) {
		packed_make(d, 1, &buffer);
		g_assert_cmpint(virtq_pop(d->vq, &chain), ==, 1);
	}
	last = packed_next(d);
	packed_make(d, 1, &buffer);
	last->flags |= VRING_DESC_F_NEXT;
}

static void packed_table(struct ring_driver *d, uint64_t gpa, uint32_t len, uint16_t more_flags)
{
	struct vring_packed_desc *desc = packed_next(d);

	packed_make(d, 1, &(const struct ring_buffer){gpa, len, false});
	desc->flags |= VRING_DESC_F_INDIRECT | more_flags;
}

static void packed_table_nested(struct ring_driver *d)
{
	*(struct vring_packed_desc *)(d->mem + RING_DRIVER_TABLE) =
		(struct vring_packed_desc){TABLE, DESC_LEN, 0, VRING_DESC_F_INDIRECT};
	packed_table(d, TABLE, DESC_LEN, 0);
}

static void packed_table_next(struct ring_driver *d)
{
	packed_table(d, TABLE, DESC_LEN, VRING_DESC_F_NEXT);
}

static void packed_table_empty(struct ring_driver *d)
{
	packed_table(d, TABLE, 0, 0);
}

static void packed_table_odd(struct ring_driver *d)
{
	packed_table(d, TABLE, DESC_LEN - 1, 0);
}

static void packed_table_outside(struct ring_driver *d)
{
	packed_table(d, OUTSIDE - DESC_LEN, 2 * DESC_LEN, 0);
}

static void packed_table_plain(struct ring_driver *d)
{
	packed_table(d, TABLE, DESC_LEN, 0);
}

static const struct fault faults[] = {
	{"head-range", false, -EPROTO, split_head_range, false},
	{"next-range", false, -EPROTO, split_next_range, false},
	{"self-loop", false, -EPROTO, split_self_loop, false},
	{"long-loop", false, -EPROTO, split_long_loop, false},
	{"empty-loop", false, -EPROTO, split_empty_loop, false},
	{"jump", false, -EPROTO, split_jump, false},
	{"backwards", false, -EPROTO, split_backwards, false},
	{"order", false, -EPROTO, split_order, false},
	{"outside", false, -EFAULT, split_outside, false},
	{"past-end", false, -EFAULT, split_past_end, false},
	{"wrapping", false, -EFAULT, split_wrapping, false},
	{"in-flight", false, -EPROTO, split_in_flight, false},
	{"table-nested", false, -EPROTO, split_table_nested, false},
	{"table-next", false, -EPROTO, split_table_next, false},
	{"table-loop", false, -EPROTO, split_table_loop, false},
	{"table-range", false, -EPROTO, split_table_range, false},
	{"table-empty", false, -EPROTO, split_table_empty, false},
	{"table-odd", false, -EPROTO, split_table_odd, false},
	{"table-outside", false, -EFAULT, split_table_outside, false},
	{"table-without-feature", false, -EPROTO, split_table_plain, true},
	{"too-much", false, -EPROTO, any_too_much, false},
	{"too-long", false, -EPROTO, any_too_long, false},
	{"loop", true, -EPROTO, packed_loop, false},
	{"wrap-bits", true, -EPROTO, packed_wrap_bits, false},
	{"used-bit", true, -EPROTO, packed_used_bit, false},
	{"order", true, -EPROTO, packed_order, false},
	{"outside", true, -EFAULT, packed_outside, false},
	{"past-end", true, -EFAULT, packed_past_end, false},
	{"wrapping", true, -EFAULT, packed_wrapping, false},
	{"runs-into-used", true, -EPROTO, packed_runs_into_used, false},
	{"table-nested", true, -EPROTO, packed_table_nested, false},
	{"table-next", true, -EPROTO, packed_table_next, false},
	{"table-empty", true, -EPROTO, packed_table_empty, false},
	{"table-odd", true, -EPROTO, packed_table_odd, false},
	{"table-outside", true, -EFAULT, packed_table_outside, false},
	{"table-without-feature", true, -EPROTO, packed_table_plain, true},
	{"too-much", true, -EPROTO, any_too_much, false},
	{"too-long", true, -EPROTO, any_too_long, false},
};

/* As after a reset of the device: new ring, indices at the beginning. */
static void restart(struct ring_driver *d)
{
	virtq_stop(d->vq);
	g_assert_false(virtq_is_broken(d->vq));
	g_assert_null(virtq_broken_reason(d->vq));
	memset(d->mem, 0, RING_DRIVER_TABLE);
	memset(d->taken, 0, sizeof(d->taken));
	memset(d->desc_busy, 0, sizeof(d->desc_busy));
	d->next_avail = d->next_used = 0;
	d->avail_wrap = d->used_wrap = true;
	d->free_count = d->size;
	virtq_set_base(d->vq, d->packed ? 0x80008000 : 0);
	g_assert_cmpint(virtq_start(d->vq), ==, 0);
}

static void test_fault(gconstpointer data)
{
	const struct fault *fault = data;
	struct virtq_chain *before, *chain = NULL;
	struct ring_driver d;
	uint32_t len;
	uint16_t id;
	int good_id;

	ring_driver_init(&d, fault->packed, 16, fault->no_indirect ? 0 : F_INDIRECT);
	good_id = ring_driver_add(&d, good, 2);
	g_assert_cmpint(virtq_pop(d.vq, &before), ==, 1);
	fault->make(&d);
	g_assert_false(virtq_is_broken(d.vq));
	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, fault->ret);
	g_assert_null(chain);
	g_assert_true(virtq_is_broken(d.vq));
	g_assert_nonnull(virtq_broken_reason(d.vq));
	g_assert_cmpuint(ring_driver_signals(d.err_fd), ==, 1);

	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 0);
	g_assert_false(virtq_enable_kicks(d.vq));
	virtq_disable_kicks(d.vq);
	g_assert_cmpuint(ring_driver_signals(d.err_fd), ==, 0);
	virtq_push(d.vq, before, 4);
	virtq_notify(d.vq);
	g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 1);
	g_assert_true(ring_driver_get_used(&d, &id, &len));
	g_assert_cmpint(id, ==, good_id);
	g_assert_cmpuint(len, ==, 4);

	restart(&d);
	ring_driver_add(&d, good, 2);
	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 1);
	g_assert_cmpuint(chain->out_len, ==, 4);
	virtq_push(d.vq, chain, 0);
	ring_driver_finish(&d);
}

static int start_with(struct ring_driver *d, uint32_t size, uint32_t base, uint64_t desc_uva)
{
	const struct virtq_addresses addresses = {.desc = desc_uva,
		.avail = RING_DRIVER_UVA + RING_DRIVER_AVAIL,
		.used = RING_DRIVER_UVA + RING_DRIVER_USED};
	int ret;

	virtq_stop(d->vq);
	g_assert_cmpint(virtq_set_size(d->vq, size), ==, 0);
	g_assert_cmpint(virtq_set_addresses(d->vq, &addresses), ==, 0);
	virtq_set_base(d->vq, base);
	ret = virtq_start(d->vq);
	g_assert_cmpint(virtq_is_started(d->vq), ==, ret == 0);
	return ret;
}

static void test_start(void)
{
	const struct virtq_addresses odd[] = {{8, 0, 0}, {0, 1, 0}, {0, 0, 2}};
	struct ring_driver d;
	struct virtq *bare;

	ring_driver_init(&d, false, 16, 0);
	bare = virtq_create(d.memory);
	g_assert_cmpint(virtq_start(bare), ==, -EINVAL);
	g_assert_cmpint(virtq_set_size(bare, 0), ==, -EINVAL);
	g_assert_cmpint(virtq_set_size(bare, VIRTQ_MAX_SIZE + 1), ==, -EINVAL);
	g_assert_cmpint(virtq_set_size(bare, VIRTQ_MAX_SIZE), ==, 0);
	g_assert_cmpint(virtq_start(bare), ==, -EINVAL);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(virtq_set_addresses(bare, &odd[i]), ==, -EINVAL);
	virtq_destroy(bare);

	g_assert_cmpint(virtq_set_size(d.vq, 8), ==, -EBUSY);
	g_assert_cmpint(start_with(&d, 12, 0, RING_DRIVER_UVA), ==, -EINVAL);
	g_assert_cmpint(start_with(&d, 16, 0, RING_DRIVER_UVA - 16), ==, -EFAULT);
	g_assert_cmpint(
		start_with(&d, 16, 0, RING_DRIVER_UVA + RING_DRIVER_LEN - 240), ==, -EFAULT);
	g_assert_cmpint(start_with(&d, 16, 0, RING_DRIVER_UVA), ==, 0);
	/* Any size, but a base inside the ring. */
	virtq_set_features(d.vq, FEATURE(VIRTIO_F_RING_PACKED));
	g_assert_cmpint(start_with(&d, 12, 0x80008000, RING_DRIVER_UVA), ==, 0);
	g_assert_cmpint(start_with(&d, 12, 0x8000800c, RING_DRIVER_UVA), ==, -EINVAL);
	g_assert_cmpint(start_with(&d, 12, 0x800c8000, RING_DRIVER_UVA), ==, -EINVAL);
	g_assert_cmpint(start_with(&d, 12, 0x800b800b, RING_DRIVER_UVA), ==, 0);
	ring_driver_finish(&d);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtq/start", test_start);
	for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
		g_autofree char *path = g_strdup_printf("/virtq/broken/%s/%s",
			faults[i].packed ? "packed" : "split", faults[i].name);

		g_test_add_data_func(path, &faults[i], test_fault);
	}
	return g_test_run();
}
