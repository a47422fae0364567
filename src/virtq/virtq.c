/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The queue, whichever its layout: set-up, start and stop, the pool of chains, notification
 * (virtio 1.3, sections 2.6 to 2.8; "Starting and stopping rings" in the vhost-user specification).
 *
 * The ring's pointers are good for one generation of the memory table. Each verb checks that first
 * and resolves the ring again where the table changed, so no pointer outlives its mapping.
 */
#include "virtq/virtq.h"

#include "util/fd.h"
#include "virtq/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <unistd.h>

struct virtq *virtq_create(struct guest_memory *memory)
{
	struct virtq *vq = g_new0(struct virtq, 1);

	vq->memory = memory;
	vq->call_fd = -1;
	vq->err_fd = -1;
	LIST_INIT(&vq->in_flight);
	LIST_INIT(&vq->pool);
	return vq;
}

void virtq_destroy(struct virtq *vq)
{
	if (!vq)
		return;
	virtq_stop(vq);
	fd_clear(&vq->call_fd);
	fd_clear(&vq->err_fd);
	g_free(vq);
}

int virtq_set_size(struct virtq *vq, uint32_t size)
{
	if (vq->started)
		return -EBUSY;
	if (size == 0 || size > VIRTQ_MAX_SIZE)
		return -EINVAL;
	vq->size = size;
	return 0;
}

int virtq_set_addresses(struct virtq *vq, const struct virtq_addresses *addresses)
{
	/* The packed layout asks for more; virtq_start(), which knows the layout, checks it. */
	if (addresses->desc % VRING_DESC_ALIGN_SIZE || addresses->avail % VRING_AVAIL_ALIGN_SIZE ||
		addresses->used % VRING_USED_ALIGN_SIZE)
		return -EINVAL;
	vq->addresses = *addresses;
	vq->has_addresses = true;
	vq->generation = 0;
	return 0;
}

void virtq_set_features(struct virtq *vq, uint64_t features)
{
	vq->features = features;
}

void virtq_set_base(struct virtq *vq, uint32_t base)
{
	/* Read at the start only; where the queue is started, virtq_stop() writes it anew. */
	vq->base = base;
}

uint32_t virtq_get_base(const struct virtq *vq)
{
	return vq->started ? vq->layout->save_base(vq) : vq->base;
}

static bool can_block(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

void virtq_set_call_fd(struct virtq *vq, int fd)
{
	fd_clear(&vq->call_fd);
	vq->call_fd = fd;
	vq->call_fd_blocks = can_block(fd);
}

void virtq_set_err_fd(struct virtq *vq, int fd)
{
	fd_clear(&vq->err_fd);
	vq->err_fd = fd;
}

/* O_NONBLOCK is the front-end's to choose, it shares the file: a blocking one is asked first. */
static void signal_fd(int fd, bool blocks)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	const uint64_t one = 1;
	ssize_t written;

	if (fd < 0 || (blocks && poll(&poll_fd, 1, 0) != 1))
		return;
	/* Any other failure is a full counter, which is a signal too, or a peer that has gone. */
	do
		written = write(fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

int virtq_break(struct virtq *vq, int ret, const char *reason)
{
	vq->broken = true;
	vq->broken_reason = reason;
	signal_fd(vq->err_fd, true);
	return ret;
}

bool virtq_is_started(const struct virtq *vq)
{
	return vq->started;
}

bool virtq_is_broken(const struct virtq *vq)
{
	return vq->broken;
}

const char *virtq_broken_reason(const struct virtq *vq)
{
	return vq->broken_reason;
}

unsigned int virtq_in_flight(const struct virtq *vq)
{
	return vq->in_flight_count;
}

void *virtq_resolve_part(struct virtq *vq, uint64_t uva, uint64_t len, uint64_t align)
{
	void *hva = guest_memory_at_uva(vq->memory, uva, len);

	/* An odd fd offset makes an aligned uva a misaligned hva, which atomics do not take. */
	return hva && (uintptr_t)hva % align == 0 ? hva : NULL;
}

static int virtq_resolve(struct virtq *vq)
{
	int ret = vq->layout->resolve(vq);

	vq->generation = ret < 0 ? 0 : guest_memory_generation(vq->memory);
	return ret;
}

/* Are the ring's pointers good? */
static inline bool is_ready(struct virtq *vq)
{
	if (!vq->started)
		return false;
	return vq->generation == guest_memory_generation(vq->memory) || virtq_resolve(vq) == 0;
}

int virtq_start(struct virtq *vq)
{
	int ret;

	if (vq->size == 0 || !vq->has_addresses)
		return -EINVAL;
	if (vq->started)
		return virtq_resolve(vq);

	vq->layout = vq->features & (UINT64_C(1) << VIRTIO_F_RING_PACKED) ? &packed_layout
									  : &split_layout;
	vq->has_event_idx = vq->features & (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX);
	vq->has_indirect = vq->features & (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC);
	ret = virtq_resolve(vq);
	if (ret < 0)
		return ret;
	ret = vq->layout->load_base(vq);
	if (ret < 0)
		return ret;
	vq->pushed_count = 0;
	vq->notify_first = true;
	vq->started = true;
	vq->layout->set_kicks(vq, true);
	return 0;
}

void virtq_stop(struct virtq *vq)
{
	if (vq->started)
		vq->base = vq->layout->save_base(vq);
	vq->started = false;
	vq->broken = false;
	vq->broken_reason = NULL;
	vq->generation = 0;
	vq->in_flight_count = 0;
	chain_free_list(&vq->in_flight);
	chain_free_list(&vq->pool);
}

int virtq_pop(struct virtq *vq, struct virtq_chain **ret_chain)
{
	struct chain *chain;
	int ret;

	if (!vq->started || vq->broken)
		return 0;
	if (!is_ready(vq))
		return virtq_break(vq, -EFAULT, "the ring is no longer in guest memory");
	if (!vq->layout->has_avail(vq))
		return 0;
	if (vq->in_flight_count >= vq->size)
		return virtq_break(vq, -EPROTO, "more chains than the ring has entries");
	chain = chain_take(vq);
	if (!chain)
		return virtq_break(vq, -ENOMEM, "no memory for a chain");
	ret = vq->layout->collect(vq, chain);
	if (ret < 0) {
		chain_put(vq, chain);
		return ret;
	}
	LIST_INSERT_HEAD(&vq->in_flight, chain, link);
	vq->in_flight_count++;
	*ret_chain = &chain->base;
	return 1;
}

void virtq_push(struct virtq *vq, struct virtq_chain *chain, size_t written_len)
{
	struct chain *c = (struct chain *)chain;

	assert(vq->in_flight_count > 0);
	/* Without a ring there is nobody to tell; the next pop finds out and breaks the queue. */
	if (is_ready(vq))
		vq->layout->push(vq, c, (uint32_t)MIN(MIN(written_len, chain->in_len), UINT32_MAX));
	LIST_REMOVE(c, link);
	vq->in_flight_count--;
	chain_put(vq, c);
}

void virtq_notify(struct virtq *vq)
{
	bool wanted;

	if (vq->pushed_count == 0 || vq->call_fd < 0 || !is_ready(vq))
		return;
	/*
	 * Full fence: our used index goes out before the driver's wish is read. The driver does the
	 * two the other way round, so that at least one side sees what the other wrote.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	wanted = vq->layout->wants_notification(vq);
	vq->pushed_count = 0;
	vq->notify_first = false;
	if (wanted)
		signal_fd(vq->call_fd, vq->call_fd_blocks);
}

bool virtq_has_chains(struct virtq *vq)
{
	return !vq->broken && is_ready(vq) && vq->layout->has_avail(vq);
}

bool virtq_enable_kicks(struct virtq *vq)
{
	if (vq->broken || !is_ready(vq))
		return false;
	vq->layout->set_kicks(vq, true);
	/* Full fence: our wish goes out before the look for chains that came without a kick. */
	atomic_thread_fence(memory_order_seq_cst);
	return vq->layout->has_avail(vq);
}

void virtq_disable_kicks(struct virtq *vq)
{
	if (!vq->broken && is_ready(vq))
		vq->layout->set_kicks(vq, false);
}
