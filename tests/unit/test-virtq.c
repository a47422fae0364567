/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * virtq/ with a driver that keeps to the rules: both layouts, all features, wrap-around, chains
 * pushed out of order, one notification for a batch, changes of the memory table, the base.
 */
#include "ring-driver.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DATA (RING_DRIVER_GPA + RING_DRIVER_DATA)

#define F_INDIRECT  FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define F_EVENT_IDX FEATURE(VIRTIO_RING_F_EVENT_IDX)

static bool is_packed(gconstpointer layout)
{
	return GPOINTER_TO_INT(layout);
}

static struct virtq_chain *pop(struct ring_driver *d)
{
	struct virtq_chain *chain = NULL;

	g_assert_cmpint(virtq_pop(d->vq, &chain), ==, 1);
	g_assert_nonnull(chain);
	return chain;
}

static void expect_used(struct ring_driver *d, int id, uint32_t len)
{
	uint16_t used_id;
	uint32_t used_len;

	g_assert_true(ring_driver_get_used(d, &used_id, &used_len));
	g_assert_cmpint(used_id, ==, id);
	g_assert_cmpuint(used_len, ==, len);
}

static void expect_no_used(struct ring_driver *d)
{
	uint16_t id;
	uint32_t len;

	g_assert_false(ring_driver_get_used(d, &id, &len));
}

static void test_round_trip(gconstpointer layout)
{
	const struct ring_buffer buffers[] = {{DATA, 3, false}, {DATA + 0x100, 0, false},
		{DATA + 0x200, 5, false}, {DATA + 0x300, 4, true}, {DATA + 0x380, 0, true},
		{DATA + 0x400, 4, true}};
	struct virtq_chain *chain;
	struct ring_driver d;
	char buf[16];
	int id;

	ring_driver_init(&d, is_packed(layout), 16, 0);
	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 0);
	memcpy(d.mem + RING_DRIVER_DATA, "abc", 3);
	memcpy(d.mem + RING_DRIVER_DATA + 0x200, "defgh", 5);
	id = ring_driver_add(&d, buffers, G_N_ELEMENTS(buffers));
	chain = pop(&d);
	g_assert_cmpuint(virtq_in_flight(d.vq), ==, 1);
	g_assert_cmpuint(chain->out_len, ==, 8);
	g_assert_cmpuint(chain->in_len, ==, 8);

	g_assert_cmpint(virtq_read(d.vq, chain, 0, buf, sizeof(buf)), ==, 8);
	g_assert_cmpmem(buf, 8, "abcdefgh", 8);
	g_assert_cmpint(virtq_read(d.vq, chain, 2, buf, 3), ==, 3);
	g_assert_cmpmem(buf, 3, "cde", 3);
	g_assert_cmpint(virtq_read(d.vq, chain, 4, buf, 16), ==, 4);
	g_assert_cmpint(virtq_read(d.vq, chain, 8, buf, 16), ==, 0);
	g_assert_cmpint(virtq_read(d.vq, chain, SIZE_MAX, buf, 16), ==, 0);

	g_assert_cmpint(virtq_write(d.vq, chain, 0, "12", 2), ==, 2);
	g_assert_cmpint(virtq_write(d.vq, chain, 2, "3456789", 7), ==, 6);
	g_assert_cmpint(virtq_write(d.vq, chain, 8, "x", 1), ==, 0);
	g_assert_cmpmem(d.mem + RING_DRIVER_DATA + 0x300, 4, "1234", 4);
	g_assert_cmpmem(d.mem + RING_DRIVER_DATA + 0x400, 5, "5678", 5);
	g_assert_cmpmem(d.mem + RING_DRIVER_DATA, 3, "abc", 3);

	expect_no_used(&d);
	virtq_push(d.vq, chain, 8);
	g_assert_cmpuint(virtq_in_flight(d.vq), ==, 0);
	expect_used(&d, id, 8);
	expect_no_used(&d);
	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 0);
	ring_driver_finish(&d);
}

/* A length that the chain has no room for is our own fault; the driver must not see it. */
static void test_written_len(gconstpointer layout)
{
	const struct ring_buffer buffers[] = {{DATA, 3, false}, {DATA + 16, 4, true}};
	struct ring_driver d;
	int id;

	ring_driver_init(&d, is_packed(layout), 4, 0);
	id = ring_driver_add(&d, buffers, 2);
	virtq_push(d.vq, pop(&d), 100);
	expect_used(&d, id, 4);
	id = ring_driver_add(&d, buffers, 1);
	virtq_push(d.vq, pop(&d), 100);
	expect_used(&d, id, 0);
	ring_driver_finish(&d);
}

/* Often enough that the 16-bit indices of the split ring wrap, with chains across the ring's end. */
static void test_wrap(gconstpointer layout)
{
	const uint32_t size = is_packed(layout) ? 7 : 8;
	struct ring_driver d;

	ring_driver_init(&d, is_packed(layout), size, F_EVENT_IDX);
	for (uint32_t round = 0; round < 70000; round++) {
		const struct ring_buffer buffers[] = {
			{DATA, 2, false}, {DATA + 2, 2, false}, {DATA + 8, 4, true}};
		struct virtq_chain *chain;
		uint32_t seen = 0;
		int id;

		memcpy(d.mem + RING_DRIVER_DATA, &round, 4);
		id = ring_driver_add(&d, buffers, 3);
		g_assert_cmpint(id, >=, 0);
		chain = pop(&d);
		g_assert_cmpint(virtq_read(d.vq, chain, 0, &seen, 4), ==, 4);
		g_assert_cmpuint(seen, ==, round);
		g_assert_cmpint(virtq_write(d.vq, chain, 0, &seen, 4), ==, 4);
		virtq_push(d.vq, chain, 4);
		expect_used(&d, id, 4);
		g_assert_cmpmem(d.mem + RING_DRIVER_DATA + 8, 4, &round, 4);
	}
	g_assert_cmpint(virtq_is_broken(d.vq), ==, false);
	ring_driver_finish(&d);
}

static void test_out_of_order(gconstpointer layout)
{
	static const int order[4] = {2, 0, 3, 1};
	struct ring_driver d;

	ring_driver_init(&d, is_packed(layout), 16, 0);
	for (uint32_t round = 0; round < 1000; round++) {
		struct ring_buffer buffers[4];
		struct virtq_chain *chains[4];
		int ids[4];

		for (uint32_t i = 0; i < 4; i++)
			buffers[i] = (struct ring_buffer){DATA + i * 16, 16, true};
		/* Chains of 1, 2, 3 and 4 descriptors: 10 of 16 slots, so each round is shifted. */
		for (uint32_t i = 0; i < 4; i++)
			ids[i] = ring_driver_add(&d, buffers, i + 1);
		for (uint32_t i = 0; i < 4; i++)
			chains[i] = pop(&d);
		for (uint32_t i = 0; i < 4; i++)
			virtq_push(d.vq, chains[order[i]], (size_t)order[i] + 1);
		for (uint32_t i = 0; i < 4; i++)
			expect_used(&d, ids[order[i]], (uint32_t)order[i] + 1);
		expect_no_used(&d);
		g_assert_cmpuint(d.free_count, ==, 16);
	}
	ring_driver_finish(&d);
}

/* Fill the whole ring, keep everything in flight, then more again. */
static void test_full_ring(gconstpointer layout)
{
	const struct ring_buffer buffer = {DATA, 4, true};
	struct virtq_chain *chains[16];
	struct ring_driver d;

	ring_driver_init(&d, is_packed(layout), 16, 0);
	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < 16; i++)
			g_assert_cmpint(ring_driver_add(&d, &buffer, 1), >=, 0);
		g_assert_cmpint(ring_driver_add(&d, &buffer, 1), ==, -1);
		for (uint32_t i = 0; i < 16; i++)
			chains[i] = pop(&d);
		g_assert_cmpuint(virtq_in_flight(d.vq), ==, 16);
		g_assert_cmpint(virtq_pop(d.vq, &chains[0]), ==, 0);
		g_assert_false(virtq_is_broken(d.vq));
		for (uint32_t i = 16; i-- > 0;) {
			uint16_t id;
			uint32_t len;

			virtq_push(d.vq, chains[i], 4);
			g_assert_true(ring_driver_get_used(&d, &id, &len));
		}
	}
	ring_driver_finish(&d);
}

static void test_indirect(gconstpointer layout)
{
	static struct ring_buffer buffers[1024];
	struct virtq_chain *chain;
	struct ring_driver d;
	uint8_t buf[2048];
	int id;

	for (uint32_t i = 0; i < 1024; i++)
		buffers[i] = (struct ring_buffer){DATA + i * 4, 2, i >= 512};
	ring_driver_init(&d, is_packed(layout), 4, F_INDIRECT);
	for (uint32_t i = 0; i < 4096; i++)
		d.mem[RING_DRIVER_DATA + i] = (uint8_t)(i * 7);
	/* More rounds than slots, so that a slot count that is wrong shows. */
	for (uint32_t round = 0; round < 20; round++) {
		id = ring_driver_add_indirect(&d, buffers, 1024, RING_DRIVER_TABLE);
		chain = pop(&d);
		g_assert_cmpuint(chain->out_len, ==, 1024);
		g_assert_cmpuint(chain->in_len, ==, 1024);
		g_assert_cmpint(virtq_read(d.vq, chain, 0, buf, sizeof(buf)), ==, 1024);
		for (uint32_t i = 0; i < 1024; i++)
			g_assert_cmpuint(buf[i], ==, (uint8_t)((i / 2 * 4 + i % 2) * 7));
		virtq_push(d.vq, chain, 1024);
		expect_used(&d, id, 1024);
	}
	ring_driver_finish(&d);
}

/* Two adjacent regions: a table with a descriptor on the boundary, and a buffer across it. */
static void test_across_regions(gconstpointer layout)
{
	const struct ring_buffer buffers[] = {
		{RING_DRIVER_GPA + RING_DRIVER_LEN - 3, 6, false}, {DATA, 4, true}};
	const uint64_t table_offset = RING_DRIVER_LEN - 24;
	struct guest_memory_region region = {.gpa = RING_DRIVER_GPA + RING_DRIVER_LEN,
		.len = 4096,
		.uva = 0x10000,
		.fd_offset = 4096};
	struct virtq_chain *chain;
	struct ring_driver d;
	char buf[6];
	int id;

	ring_driver_init(&d, is_packed(layout), 4, F_INDIRECT);
	/* The second region is a part of the same file, elsewhere, so not adjacent in our space. */
	g_assert_cmpint(guest_memory_add(d.memory, &region, dup(d.mem_fd)), ==, 0);
	id = ring_driver_add_indirect(&d, buffers, 2, RING_DRIVER_TABLE);
	memcpy(d.mem + table_offset, d.mem + RING_DRIVER_TABLE, 24);
	memcpy(d.mem + 4096, d.mem + RING_DRIVER_TABLE + 24, 8);
	if (d.packed)
		ring_driver_packed_desc(&d)[0].addr = RING_DRIVER_GPA + table_offset;
	else
		ring_driver_desc(&d)[0].addr = RING_DRIVER_GPA + table_offset;
	chain = pop(&d);
	g_assert_cmpuint(chain->out_len, ==, 6);
	/* Popped already, so the table may be overwritten with the buffer's content. */
	memcpy(d.mem + RING_DRIVER_LEN - 3, "abc", 3);
	memcpy(d.mem + 4096, "def", 3);
	g_assert_cmpint(virtq_read(d.vq, chain, 0, buf, 6), ==, 6);
	g_assert_cmpmem(buf, 6, "abcdef", 6);
	virtq_push(d.vq, chain, 0);
	expect_used(&d, id, 0);
	ring_driver_finish(&d);
}

static void answer(struct ring_driver *d, uint32_t count)
{
	const struct ring_buffer buffer = {DATA, 4, true};
	uint16_t id;
	uint32_t len;

	for (uint32_t i = 0; i < count; i++)
		g_assert_cmpint(ring_driver_add(d, &buffer, 1), >=, 0);
	for (uint32_t i = 0; i < count; i++)
		virtq_push(d->vq, pop(d), 4);
	g_assert_cmpuint(ring_driver_signals(d->call_fd), ==, 0);
	virtq_notify(d->vq);
	for (uint32_t i = 0; i < count; i++)
		g_assert_true(ring_driver_get_used(d, &id, &len));
}

static void check_notify(bool packed, uint64_t features)
{
	struct ring_driver d;

	ring_driver_init(&d, packed, 8, features);
	ring_driver_wait_event(&d);
	virtq_notify(d.vq);
	g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 0);
	/* One signal for a batch, each time round the ring. */
	for (int i = 0; i < 20; i++) {
		answer(&d, 3);
		g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 1);
		virtq_notify(d.vq);
		g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 0);
		ring_driver_wait_event(&d);
	}
	ring_driver_disable_events(&d);
	for (int i = 0; i < 20; i++) {
		answer(&d, 3);
		g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 0);
	}
	ring_driver_wait_event(&d);
	answer(&d, 1);
	g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 1);

	/* Without a call fd the wish is kept for when there is one. */
	ring_driver_wait_event(&d);
	virtq_set_call_fd(d.vq, -1);
	answer(&d, 1);
	virtq_set_call_fd(d.vq, dup(d.call_fd));
	virtq_notify(d.vq);
	g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 1);
	ring_driver_finish(&d);
}

static void test_notify(gconstpointer layout)
{
	check_notify(is_packed(layout), 0);
	check_notify(is_packed(layout), F_EVENT_IDX);
}

/* A call fd that would block: its counter is full, so the driver has its signal. */
static void test_full_call_fd(void)
{
	struct ring_driver d;
	int call_fd = eventfd(0, EFD_CLOEXEC);

	ring_driver_init(&d, false, 8, 0);
	g_assert_cmpint(eventfd_write(call_fd, UINT64_MAX - 1), ==, 0);
	virtq_set_call_fd(d.vq, dup(call_fd));
	answer(&d, 1);
	g_assert_cmpuint(ring_driver_signals(call_fd), ==, UINT64_MAX - 1);
	answer(&d, 1);
	g_assert_cmpuint(ring_driver_signals(call_fd), ==, 1);
	close(call_fd);
	ring_driver_finish(&d);
}

static void set_event(struct ring_driver *d, uint32_t steps_ahead)
{
	uint32_t at = d->next_used + steps_ahead;
	bool wrap = d->used_wrap;

	if (!d->packed) {
		ring_driver_avail(d)->ring[d->size] = (uint16_t)at;
		return;
	}
	if (at >= d->size) {
		at -= d->size;
		wrap = !wrap;
	}
	*(uint32_t *)(d->mem + RING_DRIVER_AVAIL) =
		VRING_PACKED_EVENT_FLAG_DESC << 16 | at | (wrap ? 0x8000u : 0);
}

/* Exactly the push that the driver waits for makes the signal, at all positions of the ring. */
static void test_event_idx(gconstpointer layout)
{
	struct ring_driver d;

	ring_driver_init(&d, is_packed(layout), 8, F_EVENT_IDX);
	ring_driver_wait_event(&d);
	answer(&d, 1);
	g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 1);
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t ahead = 0; ahead < 7; ahead++) {
			set_event(&d, ahead);
			for (uint32_t i = 0; i < ahead; i++) {
				answer(&d, 1);
				g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 0);
			}
			answer(&d, 1);
			g_assert_cmpuint(ring_driver_signals(d.call_fd), ==, 1);
		}
	}
	ring_driver_finish(&d);
}

static void check_kicks(bool packed, uint64_t features)
{
	const struct ring_buffer buffer = {DATA, 4, true};
	struct ring_driver d;

	ring_driver_init(&d, packed, 8, features);
	for (int i = 0; i < 30; i++) {
		/* Enabled: the next chain, and with event idx only that one, is worth a kick. */
		ring_driver_add(&d, &buffer, 1);
		g_assert_true(ring_driver_needs_kick(&d, 1));
		ring_driver_add(&d, &buffer, 1);
		g_assert_cmpint(ring_driver_needs_kick(&d, 1), ==, !(features & F_EVENT_IDX));
		virtq_disable_kicks(d.vq);
		ring_driver_add(&d, &buffer, 1);
		g_assert_false(ring_driver_needs_kick(&d, 1));

		virtq_push(d.vq, pop(&d), 0);
		virtq_push(d.vq, pop(&d), 0);
		g_assert_true(virtq_enable_kicks(d.vq));
		virtq_push(d.vq, pop(&d), 0);
		g_assert_false(virtq_enable_kicks(d.vq));
		for (int used = 0; used < 3; used++) {
			uint16_t id;
			uint32_t len;

			g_assert_true(ring_driver_get_used(&d, &id, &len));
		}
	}
	ring_driver_finish(&d);
}

static void test_kicks(gconstpointer layout)
{
	check_kicks(is_packed(layout), 0);
	check_kicks(is_packed(layout), F_EVENT_IDX);
}

/* The memory moves to another file while chains are in flight; then it goes away. */
static void test_memory_replaced(gconstpointer layout)
{
	const struct ring_buffer buffers[] = {{DATA, 4, false}, {DATA + 16, 4, true}};
	struct ring_driver d, other;
	struct virtq_chain *first, *second;
	char buf[4];
	int id;

	struct guest_memory_region region = {
		.gpa = RING_DRIVER_GPA, .len = RING_DRIVER_LEN, .uva = RING_DRIVER_UVA};

	ring_driver_init(&d, is_packed(layout), 8, 0);
	ring_driver_init(&other, is_packed(layout), 8, 0);
	id = ring_driver_add(&d, buffers, 2);
	ring_driver_add(&d, buffers, 2);
	first = pop(&d);
	memcpy(other.mem, d.mem, RING_DRIVER_LEN);
	memcpy(other.mem + RING_DRIVER_DATA, "new!", 4);
	guest_memory_clear(d.memory);
	g_assert_cmpint(guest_memory_add(d.memory, &region, dup(other.mem_fd)), ==, 0);

	second = pop(&d);
	g_assert_cmpint(virtq_read(d.vq, first, 0, buf, 4), ==, 4);
	g_assert_cmpmem(buf, 4, "new!", 4);
	g_assert_cmpint(virtq_write(d.vq, first, 0, "back", 4), ==, 4);
	virtq_push(d.vq, first, 4);
	expect_no_used(&d);
	memcpy(d.mem, other.mem, RING_DRIVER_LEN);
	g_assert_cmpmem(d.mem + RING_DRIVER_DATA + 16, 4, "back", 4);
	expect_used(&d, id, 4);

	guest_memory_clear(d.memory);
	g_assert_cmpint(virtq_read(d.vq, second, 0, buf, 4), ==, -EFAULT);
	g_assert_cmpint(virtq_write(d.vq, second, 0, buf, 4), ==, -EFAULT);
	virtq_push(d.vq, second, 4);
	virtq_notify(d.vq);
	g_assert_false(virtq_enable_kicks(d.vq));
	g_assert_cmpuint(ring_driver_signals(d.err_fd), ==, 0);
	g_assert_cmpint(virtq_start(d.vq), ==, -EFAULT);
	g_assert_cmpint(virtq_pop(d.vq, &first), ==, -EFAULT);
	g_assert_cmpuint(ring_driver_signals(d.err_fd), ==, 1);
	ring_driver_finish(&other);
	ring_driver_finish(&d);
}

/* Stop anywhere, hand the base to a queue that knows nothing, go on: nothing is lost or repeated. */
static void test_base(gconstpointer layout)
{
	const struct ring_buffer buffers[] = {{DATA, 4, false}, {DATA + 16, 4, true}};
	struct ring_driver d;

	ring_driver_init(&d, is_packed(layout), 8, F_EVENT_IDX);
	for (uint32_t round = 0; round < 50; round++) {
		int ids[3];
		uint32_t base;

		for (int i = 0; i < 3; i++)
			ids[i] = ring_driver_add(&d, buffers, 2);
		virtq_push(d.vq, pop(&d), 4);
		base = virtq_get_base(d.vq);
		virtq_set_base(d.vq, 3); /* ignored while started */
		virtq_stop(d.vq);
		g_assert_false(virtq_is_started(d.vq));
		g_assert_cmpuint(virtq_get_base(d.vq), ==, base);

		virtq_destroy(d.vq);
		d.vq = virtq_create(d.memory);
		ring_driver_setup(&d, F_EVENT_IDX, base);
		g_assert_cmpuint(virtq_get_base(d.vq), ==, base);
		g_assert_cmpint(virtq_start(d.vq), ==, 0);
		virtq_push(d.vq, pop(&d), 4);
		virtq_push(d.vq, pop(&d), 4);
		for (int i = 0; i < 3; i++)
			expect_used(&d, ids[i], 4);
		expect_no_used(&d);
	}
	ring_driver_finish(&d);
}

/* A stop forgets what is in flight; the queue starts again. */
static void test_stop_in_flight(gconstpointer layout)
{
	const struct ring_buffer buffer = {DATA, 4, true};
	struct virtq_chain *chain;
	struct ring_driver d;
	int ids[3];

	ring_driver_init(&d, is_packed(layout), 8, 0);
	for (int i = 0; i < 3; i++)
		ids[i] = ring_driver_add(&d, &buffer, 1);
	pop(&d);
	pop(&d);
	virtq_stop(d.vq);
	g_assert_cmpuint(virtq_in_flight(d.vq), ==, 0);
	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 0);
	g_assert_cmpint(virtq_start(d.vq), ==, 0);
	/* The used ring goes on where it was, not where the available one is. */
	virtq_push(d.vq, pop(&d), 0);
	expect_used(&d, ids[2], 0);
	expect_no_used(&d);
	g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 0);
	ring_driver_finish(&d);
}

static void add_layout_tests(const char *layout_name, int layout)
{
	static const struct {
		const char *name;
		GTestDataFunc run;
	} tests[] = {
		{"round-trip", test_round_trip},
		{"written-len", test_written_len},
		{"wrap", test_wrap},
		{"out-of-order", test_out_of_order},
		{"full-ring", test_full_ring},
		{"indirect", test_indirect},
		{"across-regions", test_across_regions},
		{"notify", test_notify},
		{"event-idx", test_event_idx},
		{"kicks", test_kicks},
		{"memory-replaced", test_memory_replaced},
		{"base", test_base},
		{"stop-in-flight", test_stop_in_flight},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strdup_printf("/virtq/%s/%s", layout_name, tests[i].name);

		g_test_add_data_func(path, GINT_TO_POINTER(layout), tests[i].run);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtq/full-call-fd", test_full_call_fd);
	add_layout_tests("split", false);
	add_layout_tests("packed", true);
	return g_test_run();
}
