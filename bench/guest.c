/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The order in which QEMU brings a vhost-user-gpu device up, and what it owns. */
#include "bench/guest.h"

#include "util/fd.h"
#include "vhost/protocol.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>

#define BIT(bit) (UINT64_C(1) << (bit))

#define MEMORY_LEN   (UINT64_C(384) << 20)
#define CONTROL_SIZE 256
#define CURSOR_SIZE  16

/* QEMU's version before 11.1 asks for as many bytes. */
#define CONFIG_LEN 16

/* A region that is offered may be terabytes; no more of it is used than this. */
#define MAX_SHMEM_LEN (UINT64_C(256) << 20)

static const uint64_t wanted_features =
	BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_F_PROTOCOL_FEATURES) | BIT(VIRTIO_GPU_F_VIRGL) |
	BIT(VIRTIO_GPU_F_EDID) | BIT(VIRTIO_GPU_F_RESOURCE_UUID) | BIT(VIRTIO_GPU_F_RESOURCE_BLOB) |
	BIT(VIRTIO_GPU_F_CONTEXT_INIT);
static const uint64_t wanted_protocol =
	BIT(VHOST_PROTOCOL_F_MQ) | BIT(VHOST_PROTOCOL_F_REPLY_ACK) |
	BIT(VHOST_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_PROTOCOL_F_CONFIG) |
	BIT(VHOST_PROTOCOL_F_BACKEND_SEND_FD) | BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |
	BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | BIT(VHOST_PROTOCOL_F_SHMEM_MAP);

int guest_describe(struct guest *guest, const char *what, int ret)
{
	if (ret < 0 && !guest->problem)
		guest->problem = g_strdup_printf("%s: %s", what, g_strerror(-ret));
	return ret;
}

/* The region, where one is offered. */
static int give_shmem(struct guest *guest)
{
	autofd peer_fd = -1;
	uint64_t len = 0;
	int ret;

	if (!(guest->protocol & BIT(VHOST_PROTOCOL_F_SHMEM_MAP)))
		return 0;
	ret = vhost_user_get_shmem_size(&guest->user, &len);
	if (ret < 0 || len == 0)
		return ret;
	ret = shmem_start(&guest->shmem, MIN(len, MAX_SHMEM_LEN), &peer_fd);
	if (ret < 0)
		return ret;
	return vhost_user_tell_nothing(&guest->user, VHOST_SET_BACKEND_REQ_FD, peer_fd);
}

static int negotiate_features(struct guest *guest)
{
	uint64_t queue_count;
	int ret = vhost_user_ask(&guest->user, VHOST_GET_FEATURES, &guest->offered);

	if (ret == 0 && !(guest->offered & BIT(VHOST_F_PROTOCOL_FEATURES)))
		ret = -EPROTO;
	if (ret == 0)
		ret = vhost_user_ask(&guest->user, VHOST_GET_PROTOCOL_FEATURES, &guest->protocol);
	guest->protocol &= wanted_protocol;
	if (ret == 0)
		ret = vhost_user_set_protocol_features(&guest->user, guest->protocol);
	if (ret == 0 && guest->protocol & BIT(VHOST_PROTOCOL_F_MQ))
		ret = vhost_user_ask(&guest->user, VHOST_GET_QUEUE_NUM, &queue_count);
	if (ret == 0)
		ret = vhost_user_tell_nothing(&guest->user, VHOST_SET_OWNER, -1);
	return ret == 0 ? give_shmem(guest) : ret;
}

static int read_config(struct guest *guest)
{
	uint32_t config[CONFIG_LEN / sizeof(uint32_t)];
	int ret;

	if (!(guest->protocol & BIT(VHOST_PROTOCOL_F_CONFIG)))
		return 0;
	ret = vhost_user_get_config(&guest->user, config, CONFIG_LEN);
	if (ret == 0)
		guest->capset_count = config[3];
	return ret;
}

int guest_connect(struct guest *guest, const char *socket_path, bool use_event_idx)
{
	int ret;

	*guest = GUEST_NONE;
	ret = vhost_user_connect(&guest->user, socket_path, QUEUE_PATIENCE_MS);
	if (ret < 0)
		return guest_describe(guest, "connect", ret);
	ret = negotiate_features(guest);
	if (ret == 0)
		ret = read_config(guest);
	if (ret < 0)
		return guest_describe(guest, "handshake", ret);
	if (!use_event_idx)
		guest->offered &= ~BIT(VIRTIO_RING_F_EVENT_IDX);
	return 0;
}

/* The memory, and the rings in it. */
static int make_rings(struct guest *guest)
{
	const bool has_event_idx = guest_has(guest, VIRTIO_RING_F_EVENT_IDX);
	const uint16_t control_size = guest->queue_size ? guest->queue_size : CONTROL_SIZE;
	const uint16_t cursor_size = guest->queue_size ? guest->queue_size : CURSOR_SIZE;
	int ret = memory_init(&guest->memory, MEMORY_LEN);

	if (ret == 0)
		ret = queue_init(&guest->control, &guest->memory, control_size, has_event_idx);
	if (ret == 0)
		ret = queue_init(&guest->cursor, &guest->memory, cursor_size, has_event_idx);
	guest->control.peer_fd = guest->cursor.peer_fd = guest->user.fd;
	return ret;
}

static int give_display(struct guest *guest)
{
	autofd peer_fd = -1;
	int ret = screen_start(&guest->screen, GUEST_WIDTH, GUEST_HEIGHT, 2, &peer_fd);

	return ret < 0 ? ret : vhost_user_set_display(&guest->user, peer_fd);
}

int guest_start(struct guest *guest)
{
	const uint64_t features = guest->offered & (wanted_features | BIT(VIRTIO_RING_F_EVENT_IDX));
	int ret = make_rings(guest);

	if (ret == 0)
		ret = vhost_user_tell(&guest->user, VHOST_SET_FEATURES, features, -1);
	if (ret == 0)
		ret = vhost_user_set_memory(&guest->user, &guest->memory);
	if (ret == 0)
		ret = give_display(guest);
	if (ret == 0)
		ret = vhost_user_start_ring(&guest->user, 0, &guest->control.ring, 0);
	if (ret == 0)
		ret = vhost_user_start_ring(&guest->user, 1, &guest->cursor.ring, 0);
	return guest_describe(guest, "start of the queues", ret);
}

void guest_finish(struct guest *guest)
{
	vhost_user_close(&guest->user);
	screen_stop(&guest->screen);
	shmem_stop(&guest->shmem);
	queue_finish(&guest->control);
	queue_finish(&guest->cursor);
	memory_finish(&guest->memory);
	g_clear_pointer(&guest->problem, g_free);
}

static int run_queue(struct guest *guest, struct queue *queue)
{
	int ret = queue_run(queue);

	if (ret == -EPROTO && queue->wrong && !guest->problem)
		guest->problem = g_strdup(queue->wrong);
	return ret == 0 ? 0 : guest_describe(guest, "waiting for an answer", ret);
}

int guest_run(struct guest *guest)
{
	return run_queue(guest, &guest->control);
}

int guest_try(struct guest *guest)
{
	int ret = queue_run(&guest->control);

	if (!guest->control.wrong)
		return guest_describe(guest, "waiting for an answer", ret);
	queue_forgive(&guest->control);
	return ret;
}

/* The other thread describes what fails, so that nothing is written by two. */
int guest_run_cursor(struct guest *guest)
{
	return queue_run(&guest->cursor);
}
