/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The queues as the front-end sets them up: the vring messages, kicks, starting and stopping
 * (vhost-user specification, section "Ring states").
 *
 * A ring is armed by SET_VRING_KICK. It starts as soon as it is armed, enabled and fully described,
 * without waiting for a first kick: what the guest left in it before must not be missed. Where its
 * memory is not there yet, the next kick or memory table tries again. It is processed only while
 * started and enabled; GET_VRING_BASE and a reset stop and disarm it. What is inside a ring is for
 * virtq/ alone.
 */
#include "util/fd.h"
#include "util/log.h"
#include "util/source.h"
#include "vhost/private.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

/* Features that decide what a ring looks like. */
#define RING_FEATURES                                                                              \
	(UINT64_C(1) << VIRTIO_F_RING_PACKED | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX |            \
		UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

static struct vhost_queue *find_queue(struct vhost *vhost, uint64_t index)
{
	return index < vhost->device.queue_count ? &vhost->queues[index] : NULL;
}

static bool is_processed(const struct vhost_queue *queue)
{
	return queue->enabled && !queue->lost && virtq_is_started(queue->vq);
}

/* Both wrap counters of a packed ring begin at 1 (virtio 1.3, section 2.8.1). */
static bool is_at_first_index(const struct vhost_queue *queue)
{
	bool is_packed = queue->vhost->features & UINT64_C(1) << VIRTIO_F_RING_PACKED;

	return virtq_get_base(queue->vq) == (is_packed ? UINT32_C(0x80008000) : 0);
}

/* Starts the ring, or finds a lost one again, if it may run. Return: is it processed now? */
static bool queue_start(struct vhost_queue *queue)
{
	bool was_started = virtq_is_started(queue->vq);
	int ret;

	if (!queue->enabled || !queue->armed || !queue->has_size || !queue->has_addresses)
		return false;
	if (is_processed(queue))
		return true;
	ret = virtq_start(queue->vq);
	if (ret < 0) {
		log_peer("queue %u does not start: %s", queue->index, g_strerror(-ret));
		return false;
	}
	queue->lost = false;
	log_debug("queue %u runs", queue->index);
	if (!was_started)
		queue->vhost->events->queue_started(
			queue->vhost->opaque, queue->index, is_at_first_index(queue));
	return true;
}

static void queue_poke(struct vhost_queue *queue)
{
	struct vhost *vhost = queue->vhost;

	if (queue_start(queue))
		vhost->events->queue_ready(vhost->opaque, queue->index);
}

static void drop_kick(struct vhost_queue *queue)
{
	source_clear(&queue->kick_source);
	fd_clear(&queue->kick_fd);
}

static void queue_stop(struct vhost_queue *queue)
{
	struct vhost *vhost = queue->vhost;

	drop_kick(queue);
	queue->armed = false;
	if (virtq_is_started(queue->vq)) {
		vhost->events->queue_stopping(vhost->opaque, queue->index);
		virtq_stop(queue->vq);
		log_debug("queue %u is stopped", queue->index);
	}
	queue->lost = false;
}

/* The count stays as it is, as with the kernel's vhost. */
static gboolean handle_kick(int fd, GIOCondition condition, void *opaque)
{
	queue_poke(opaque);
	return G_SOURCE_CONTINUE;
}

void vhost_queues_init(struct vhost *vhost)
{
	vhost->queues = g_new0(struct vhost_queue, vhost->device.queue_count);
	for (unsigned int i = 0; i < vhost->device.queue_count; i++) {
		vhost->queues[i] = (struct vhost_queue){
			.vhost = vhost,
			.index = i,
			.vq = virtq_create(vhost->memory),
			.kick_fd = -1,
		};
	}
}

void vhost_queues_finish(struct vhost *vhost)
{
	vhost_queues_quiet(vhost);
	for (unsigned int i = 0; i < vhost->device.queue_count; i++)
		virtq_destroy(vhost->queues[i].vq);
	g_clear_pointer(&vhost->queues, g_free);
}

void vhost_queues_quiet(struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->device.queue_count; i++)
		drop_kick(&vhost->queues[i]);
}

int vhost_queues_set_features(struct vhost *vhost, uint64_t features)
{
	bool changes_rings = (features ^ vhost->features) & RING_FEATURES;

	for (unsigned int i = 0; i < vhost->device.queue_count && changes_rings; i++)
		if (virtq_is_started(vhost->queues[i].vq))
			return -EBUSY;
	for (unsigned int i = 0; i < vhost->device.queue_count; i++)
		virtq_set_features(vhost->queues[i].vq, features);
	return 0;
}

void vhost_queues_enable_all(struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->device.queue_count; i++)
		vhost->queues[i].enabled = true;
	vhost_queues_poke(vhost);
}

void vhost_queues_reset(struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->device.queue_count; i++) {
		struct vhost_queue *queue = &vhost->queues[i];

		queue_stop(queue);
		queue->enabled = false;
		queue->has_size = false;
		queue->has_addresses = false;
		virtq_set_base(queue->vq, 0);
	}
}

bool vhost_queues_are_broken(const struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->device.queue_count; i++)
		if (virtq_is_broken(vhost->queues[i].vq))
			return true;
	return false;
}

void vhost_queues_resolve(struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->device.queue_count; i++) {
		struct vhost_queue *queue = &vhost->queues[i];

		if (!virtq_is_started(queue->vq))
			continue;
		queue->lost = virtq_start(queue->vq) < 0;
		if (queue->lost)
			log_debug("queue %u is not in guest memory for now", i);
	}
}

void vhost_queues_poke(struct vhost *vhost)
{
	for (unsigned int i = 0; i < vhost->device.queue_count; i++)
		queue_poke(&vhost->queues[i]);
}

struct virtq *vhost_get_queue(struct vhost *vhost, unsigned int index)
{
	return index < vhost->device.queue_count ? vhost->queues[index].vq : NULL;
}

bool vhost_queue_is_enabled(const struct vhost *vhost, unsigned int index)
{
	return index < vhost->device.queue_count && is_processed(&vhost->queues[index]);
}

/* The queue that a message with a struct vhost_vring_state is about, or NULL. */
static struct vhost_queue *get_state(
	struct vhost *vhost, const struct vhost_message *message, struct vhost_vring_state *state)
{
	vhost_message_get(message, state, sizeof(*state));
	return find_queue(vhost, state->index);
}

int vhost_handle_set_vring_num(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_vring_state state;
	struct vhost_queue *queue = get_state(vhost, message, &state);
	int ret;

	if (!queue)
		return -EINVAL;
	if (virtq_is_started(queue->vq))
		return -EBUSY;
	ret = state.num > vhost->device.max_queue_size ? -EINVAL
						       : virtq_set_size(queue->vq, state.num);
	queue->has_size = ret == 0;
	return ret;
}

int vhost_handle_set_vring_addr(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_vring_addr addr;
	struct virtq_addresses addresses;
	struct vhost_queue *queue;
	int ret;

	vhost_message_get(message, &addr, sizeof(addr));
	queue = find_queue(vhost, addr.index);
	if (!queue)
		return -EINVAL;
	addresses = (struct virtq_addresses){
		.desc = addr.desc_user_addr,
		.avail = addr.avail_user_addr,
		.used = addr.used_user_addr,
	};
	ret = virtq_set_addresses(queue->vq, &addresses);
	queue->has_addresses = ret == 0;
	/* Front-ends send it again while the ring runs, with other flags or another address. */
	if (ret == 0 && virtq_is_started(queue->vq)) {
		ret = virtq_start(queue->vq);
		queue->lost = ret < 0;
	} else if (ret < 0) {
		queue->lost = true;
	}
	return ret;
}

int vhost_handle_set_vring_base(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_vring_state state;
	struct vhost_queue *queue = get_state(vhost, message, &state);

	if (!queue)
		return -EINVAL;
	if (virtq_is_started(queue->vq))
		return -EBUSY;
	virtq_set_base(queue->vq, state.num);
	return 0;
}

int vhost_handle_get_vring_base(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_vring_state state;
	struct vhost_queue *queue = get_state(vhost, message, &state);

	if (!queue)
		return -EINVAL;
	queue_stop(queue);
	state.num = virtq_get_base(queue->vq);
	memcpy(reply->payload, &state, sizeof(state));
	reply->len = sizeof(state);
	return 0;
}

/* The queue and the descriptor (-1 for none) of SET_VRING_KICK, _CALL and _ERR. */
static int take_vring_fd(struct vhost *vhost, struct vhost_message *message,
	struct vhost_queue **ret_queue, int *ret_fd)
{
	uint64_t value;
	int ret;

	vhost_message_get(message, &value, sizeof(value));
	*ret_queue = find_queue(vhost, value & VHOST_VRING_INDEX);
	if (!*ret_queue || message->fd_count != (value & VHOST_VRING_NO_FD ? 0 : 1))
		return -EINVAL;
	if (message->fd_count == 0) {
		*ret_fd = -1;
		return 0;
	}
	if (!fd_may_be_eventfd(message->fds[0])) {
		log_peer("queue %u: a descriptor is no eventfd", (*ret_queue)->index);
		return -EBADFD;
	}
	/* A full or empty counter must not stop the loop. */
	ret = fd_set_nonblocking(message->fds[0]);
	if (ret == 0)
		*ret_fd = vhost_message_take_fd(message, 0);
	return ret;
}

int vhost_handle_set_vring_kick(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_queue *queue;
	int fd = -1;
	int ret = take_vring_fd(vhost, message, &queue, &fd);

	if (ret < 0)
		return ret;
	/* What it counted before is not lost: the queue is looked at below. */
	if (fd >= 0 && !fd_is_counter(fd)) {
		log_peer("queue %u: the kick descriptor is no eventfd, or a semaphore",
			queue->index);
		fd_clear(&fd);
		return -EBADFD;
	}
	drop_kick(queue);
	queue->kick_fd = fd;
	if (fd >= 0)
		queue->kick_source = source_add_eventfd(vhost->context, fd, handle_kick, queue);
	queue->armed = true;
	queue_poke(queue);
	return 0;
}

int vhost_handle_set_vring_call(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	const uint64_t one = 1;
	struct vhost_queue *queue;
	int fd = -1;
	int ret = take_vring_fd(vhost, message, &queue, &fd);

	if (ret < 0)
		return ret;
	/* What was pushed before had nobody to tell; a call too many does no harm. */
	if (fd >= 0 && virtq_is_started(queue->vq) && write(fd, &one, sizeof(one)) < 0)
		log_debug("queue %u: call: %s", queue->index, g_strerror(errno));
	virtq_set_call_fd(queue->vq, fd);
	return 0;
}

int vhost_handle_set_vring_err(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_queue *queue;
	int fd = -1;
	int ret = take_vring_fd(vhost, message, &queue, &fd);

	if (ret == 0)
		virtq_set_err_fd(queue->vq, fd);
	return ret;
}

int vhost_handle_set_vring_enable(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_vring_state state;
	struct vhost_queue *queue = get_state(vhost, message, &state);

	if (!queue || state.num > 1)
		return -EINVAL;
	queue->enabled = state.num == 1;
	queue_poke(queue);
	return 0;
}
