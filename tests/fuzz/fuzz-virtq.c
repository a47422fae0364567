/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A guest that writes anything into its rings, at any moment: the input is a picture of the guest's
 * memory, then the steps of device and guest in turn.
 *
 * Input: features, size, base (4), image length in units of 4 bytes, image, steps. The memory is
 * small and begins at guest address 0, so that addresses that are made up often exist; it consists
 * of two adjacent regions, the second of which comes and goes.
 */
#include "virtq/virtq.h"

#include <glib.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION_LEN 0x4000u
#define RING_SIZE  16u

/* Ring parts, at the beginning of the memory; what comes after the used ring is tables and data. */
#define DESC_AT	 0x000
#define AVAIL_AT 0x100
#define USED_AT	 0x140

/* Each step can at most pop one chain, so this is far more than the ring allows in flight. */
#define MAX_CHAINS 64

struct input {
	const uint8_t *data;
	size_t len;
};

struct machine {
	struct guest_memory *memory;
	struct virtq *vq;
	uint8_t *mem;
	int mem_fd;
	bool has_second;
	struct virtq_chain *chains[MAX_CHAINS];
	unsigned int chain_count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t next8(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

static uint16_t next16(struct input *in)
{
	uint8_t low = next8(in);

	return (uint16_t)(low | next8(in) << 8);
}

static struct guest_memory_region region_at(unsigned int index)
{
	return (struct guest_memory_region){.gpa = index * REGION_LEN,
		.len = REGION_LEN,
		.uva = 0x10000 + index * 2 * REGION_LEN,
		.fd_offset = index * REGION_LEN};
}

static void add_region(struct machine *m, unsigned int index)
{
	struct guest_memory_region region = region_at(index);

	g_assert(guest_memory_add(m->memory, &region, dup(m->mem_fd)) == 0);
}

static void toggle_second(struct machine *m)
{
	struct guest_memory_region region = region_at(1);

	if (m->has_second)
		g_assert(guest_memory_remove(m->memory, &region) == 0);
	else
		add_region(m, 1);
	m->has_second = !m->has_second;
}

static void start(struct machine *m, struct input *in)
{
	const uint64_t uva = region_at(0).uva;
	const struct virtq_addresses addresses = {uva + DESC_AT, uva + AVAIL_AT, uva + USED_AT};
	uint8_t choice = next8(in);
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1;
	uint32_t base;

	features |= (uint64_t)(choice & 1) << VIRTIO_F_RING_PACKED;
	features |= (uint64_t)(choice >> 1 & 1) << VIRTIO_RING_F_EVENT_IDX;
	features |= (uint64_t)(!(choice & 4)) << VIRTIO_RING_F_INDIRECT_DESC;
	virtq_set_size(m->vq, next8(in) % RING_SIZE + 1);
	base = next16(in);
	base |= (uint32_t)next16(in) << 16;
	virtq_set_base(m->vq, base);
	virtq_set_features(m->vq, features);
	virtq_set_addresses(m->vq, &addresses);
	virtq_start(m->vq);
}

static void restart(struct machine *m, struct input *in)
{
	virtq_stop(m->vq);
	m->chain_count = 0;
	start(m, in);
}

static void pop(struct machine *m)
{
	struct virtq_chain *chain = NULL;

	if (virtq_pop(m->vq, &chain) == 1) {
		g_assert(m->chain_count < RING_SIZE);
		m->chains[m->chain_count++] = chain;
	}
	g_assert(virtq_in_flight(m->vq) == m->chain_count);
}

static void copy(struct machine *m, struct input *in)
{
	struct virtq_chain *chain;
	uint8_t buf[300] = {0};
	size_t offset = next16(in);
	ssize_t copied;

	if (m->chain_count == 0)
		return;
	chain = m->chains[next8(in) % m->chain_count];
	copied = virtq_read(m->vq, chain, offset, buf, sizeof(buf));
	g_assert(copied < 0 || offset + (size_t)copied <= MAX(chain->out_len, offset));
	copied = virtq_write(m->vq, chain, offset, buf, sizeof(buf));
	g_assert(copied < 0 || offset + (size_t)copied <= MAX(chain->in_len, offset));
}

static void push(struct machine *m, struct input *in)
{
	unsigned int index;

	if (m->chain_count == 0)
		return;
	index = next8(in) % m->chain_count;
	virtq_push(m->vq, m->chains[index], next16(in));
	m->chains[index] = m->chains[--m->chain_count];
}

static void step(struct machine *m, struct input *in)
{
	uint16_t offset;

	switch (next8(in) % 10) {
	case 0:
	case 1:
		pop(m);
		break;
	case 2:
		push(m, in);
		break;
	case 3:
		copy(m, in);
		break;
	case 4:
		virtq_notify(m->vq);
		break;
	case 5:
		virtq_enable_kicks(m->vq);
		break;
	case 6:
		virtq_disable_kicks(m->vq);
		break;
	case 7:
		/* Mostly into the rings. */
		offset = next16(in);
		m->mem[offset & 0x8000 ? offset % (2 * REGION_LEN) : offset % 0x200] = next8(in);
		break;
	case 8:
		toggle_second(m);
		break;
	case 9:
		restart(m, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	struct machine m = {.has_second = true};
	size_t image_len;

	m.mem_fd = memfd_create("fuzz-virtq", MFD_CLOEXEC);
	g_assert(ftruncate(m.mem_fd, 2 * REGION_LEN) == 0);
	m.mem = mmap(NULL, 2 * REGION_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, m.mem_fd, 0);
	g_assert(m.mem != MAP_FAILED);
	m.memory = guest_memory_create();
	add_region(&m, 0);
	add_region(&m, 1);
	m.vq = virtq_create(m.memory);
	virtq_set_call_fd(m.vq, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));

	start(&m, &in);
	image_len = next8(&in) * 4u;
	image_len = MIN(image_len, in.len);
	memcpy(m.mem, in.data, image_len);
	in.data += image_len;
	in.len -= image_len;
	while (in.len > 0)
		step(&m, &in);

	virtq_destroy(m.vq);
	guest_memory_destroy(m.memory);
	munmap(m.mem, 2 * REGION_LEN);
	close(m.mem_fd);
	return 0;
}
