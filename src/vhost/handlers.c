/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The messages of the front-end: one table with the shape of each, checked once before its handler
 * runs (vhost-user specification, "Front-end message types"), and all handlers but those of the
 * vrings (queues.c).
 *
 * A handler sees a payload and a number of descriptors that the table allows; what is inside is
 * its own to check. It takes the descriptors it wants. It neither replies nor ends the session:
 * vhost.c does, from what it returns.
 */
#include "util/checked.h"
#include "util/fd.h"
#include "util/log.h"
#include "vhost/private.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>

/* VIRTIO_F_RING_RESET, which older kernel headers lack. */
#define RING_RESET 40

/*
 * What QEMU lets a driver have although it was not offered here: of the legacy interface, and
 * without a meaning under VIRTIO_F_VERSION_1.
 */
#define IGNORED_FEATURES                                                                           \
	(UINT64_C(1) << VIRTIO_F_NOTIFY_ON_EMPTY | UINT64_C(1) << VIRTIO_F_ANY_LAYOUT)

static uint64_t offered_features(const struct vhost *vhost)
{
	const struct vhost_device *device = &vhost->device;
	uint64_t features = device->features;

	if (vhost->config_read_len >= device->config_len)
		features |= device->config_features;
	return features | UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_RING_PACKED |
	       UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX |
	       UINT64_C(1) << RING_RESET | UINT64_C(1) << VHOST_F_PROTOCOL_FEATURES;
}

static uint64_t offered_protocol_features(const struct vhost *vhost)
{
	uint64_t features = UINT64_C(1) << VHOST_PROTOCOL_F_MQ |
			    UINT64_C(1) << VHOST_PROTOCOL_F_REPLY_ACK |
			    UINT64_C(1) << VHOST_PROTOCOL_F_BACKEND_REQ |
			    UINT64_C(1) << VHOST_PROTOCOL_F_CONFIG |
			    UINT64_C(1) << VHOST_PROTOCOL_F_BACKEND_SEND_FD |
			    UINT64_C(1) << VHOST_PROTOCOL_F_RESET_DEVICE |
			    UINT64_C(1) << VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS |
			    UINT64_C(1) << VHOST_PROTOCOL_F_STATUS;

	if (vhost->device.has_shmem)
		features |= UINT64_C(1) << VHOST_PROTOCOL_F_SHMEM_MAP;
	return features;
}

static int reply_value(struct vhost_reply *reply, uint64_t value)
{
	reply->value = value;
	reply->len = sizeof(value);
	return 0;
}

static int get_features(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	return reply_value(reply, offered_features(vhost));
}

static int set_features(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	uint64_t features;
	int ret;

	vhost_message_get(message, &features, sizeof(features));
	features &= ~IGNORED_FEATURES;
	if (features & ~offered_features(vhost)) {
		log_peer("features that were not offered: 0x%" G_GINT64_MODIFIER "x",
			features & ~offered_features(vhost));
		return -EINVAL;
	}
	ret = vhost_queues_set_features(vhost, features);
	if (ret < 0)
		return ret;
	vhost->features = features;
	vhost->events->set_features(
		vhost->opaque, features & ~(UINT64_C(1) << VHOST_F_PROTOCOL_FEATURES));
	if (!(features & (UINT64_C(1) << VHOST_F_PROTOCOL_FEATURES)))
		vhost_queues_enable_all(vhost);
	return 0;
}

static int get_protocol_features(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	return reply_value(reply, offered_protocol_features(vhost));
}

static int set_protocol_features(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	uint64_t features;

	vhost_message_get(message, &features, sizeof(features));
	if (features & ~offered_protocol_features(vhost))
		return -EINVAL;
	vhost->protocol_features = features;
	return 0;
}

static int set_owner(struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	return 0;
}

/* RESET_OWNER too: it is what front-ends send to a back-end without RESET_DEVICE. */
static int reset_device(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	vhost->status = 0;
	vhost_queues_reset(vhost);
	vhost->events->reset(vhost->opaque);
	return 0;
}

/*
 * The device status (virtio 1.3, section 2.1). 0 stops the queues and no more: front-ends send it
 * when the VM is only stopped, too, whose resources have to stay (quirks.h). A driver that begins
 * anew is known by its queue, or by RESET_DEVICE.
 */
static int set_status(struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	uint64_t status;

	vhost_message_get(message, &status, sizeof(status));
	if (status > UINT8_MAX)
		return -EINVAL;
	vhost->status = (uint8_t)status & ~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (status == 0)
		vhost_queues_reset(vhost);
	return 0;
}

static int get_status(struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	const bool needs_reset = vhost_queues_are_broken(vhost);

	return reply_value(reply, vhost->status | (needs_reset ? VIRTIO_CONFIG_S_NEEDS_RESET : 0));
}

static int add_region(struct vhost *vhost, const struct vhost_wire_region *wire,
	struct vhost_message *message, size_t fd_index)
{
	const struct guest_memory_region region = {
		.gpa = wire->gpa,
		.len = wire->len,
		.uva = wire->uva,
		.fd_offset = wire->fd_offset,
	};
	int ret = guest_memory_add(vhost->memory, &region, message->fds[fd_index]);

	if (ret == 0)
		vhost_message_take_fd(message, fd_index);
	return ret;
}

/* Before a part of the table goes: nobody keeps an old pointer. */
static void begin_memory_change(struct vhost *vhost)
{
	vhost->events->memory_changing(vhost->opaque);
}

/* After each change: rings are found again, and so is what was not there before. */
static void end_memory_change(struct vhost *vhost)
{
	vhost_queues_resolve(vhost);
	vhost->events->memory_changed(vhost->opaque);
	vhost_queues_poke(vhost);
}

static int set_mem_table(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_wire_table table;
	size_t head_len = offsetof(struct vhost_wire_table, regions);
	int ret = 0;

	vhost_message_get(message, &table, sizeof(table));
	if (table.region_count != message->fd_count ||
		message->header.size < head_len + table.region_count * sizeof(table.regions[0]))
		return -EINVAL;
	begin_memory_change(vhost);
	guest_memory_clear(vhost->memory);
	for (size_t i = 0; i < table.region_count && ret == 0; i++)
		ret = add_region(vhost, &table.regions[i], message, i);
	/* Half a table would be a trap. */
	if (ret < 0)
		guest_memory_clear(vhost->memory);
	end_memory_change(vhost);
	return ret;
}

static int add_mem_reg(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_wire_single single;
	int ret;

	vhost_message_get(message, &single, sizeof(single));
	/* What is mapped stays where it is. */
	ret = add_region(vhost, &single.region, message, 0);
	end_memory_change(vhost);
	return ret;
}

static int rem_mem_reg(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_wire_single single;
	struct guest_memory_region region;
	int ret;

	vhost_message_get(message, &single, sizeof(single));
	region = (struct guest_memory_region){
		.gpa = single.region.gpa,
		.len = single.region.len,
		.uva = single.region.uva,
	};
	begin_memory_change(vhost);
	ret = guest_memory_remove(vhost->memory, &region);
	end_memory_change(vhost);
	return ret;
}

static int get_max_mem_slots(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	return reply_value(reply, GUEST_MEMORY_MAX_REGIONS);
}

static int get_queue_num(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	return reply_value(reply, vhost->device.queue_count);
}

static int get_config(struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_wire_config config;
	uint8_t *space = reply->payload + sizeof(config);

	/* The space itself comes along as room for the answer; some leave it out. */
	vhost_message_get(message, &config, sizeof(config));
	if (config.size > VHOST_MAX_CONFIG_LEN)
		return -EINVAL;
	memcpy(reply->payload, &config, sizeof(config));
	memset(space, 0, config.size);
	reply->len = (uint32_t)sizeof(config) + config.size;
	vhost->config_read_len = MAX(vhost->config_read_len, (uint64_t)config.offset + config.size);
	if (config.size > 0 && config.offset < VHOST_MAX_CONFIG_LEN)
		vhost->events->get_config(vhost->opaque, config.offset, space,
			MIN(config.size, VHOST_MAX_CONFIG_LEN - config.offset));
	return 0;
}

static int set_config(struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_wire_config config;

	vhost_message_get(message, &config, sizeof(config));
	if (message->header.size != sizeof(config) + (uint64_t)config.size ||
		!checked_range(config.offset, config.size, VHOST_MAX_CONFIG_LEN))
		return -EINVAL;
	return vhost->events->set_config(
		vhost->opaque, config.offset, message->payload + sizeof(config), config.size);
}

static int set_backend_req_fd(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	vhost_backend_open(vhost, vhost_message_take_fd(message, 0));
	return 0;
}

static int gpu_set_socket(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	vhost->events->set_display_socket(vhost->opaque, vhost_message_take_fd(message, 0));
	return 0;
}

static int get_shmem_config(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply)
{
	struct vhost_wire_shmem_config config = {0};

	for (size_t i = 0; i < VHOST_MAX_SHMEM_REGIONS && vhost->device.has_shmem; i++) {
		config.sizes[i] = vhost->device.shmem_sizes[i];
		config.region_count += config.sizes[i] > 0;
	}
	memcpy(reply->payload, &config, sizeof(config));
	reply->len = sizeof(config);
	return 0;
}

#define EXACTLY(len)  .min_len = (len), .max_len = (len)
#define FDS(min, max) .min_fds = (min), .max_fds = (max)
#define STATE	      EXACTLY(sizeof(struct vhost_vring_state))

/* clang-format off */
static const struct vhost_handler handlers[VHOST_REQUEST_COUNT] = {
	[VHOST_GET_FEATURES] = {"GET_FEATURES", EXACTLY(0), .reply = VHOST_REPLY_VALUE,
		.handle = get_features},
	[VHOST_SET_FEATURES] = {"SET_FEATURES", EXACTLY(8), .handle = set_features},
	[VHOST_SET_OWNER] = {"SET_OWNER", EXACTLY(0), .handle = set_owner},
	[VHOST_RESET_OWNER] = {"RESET_OWNER", EXACTLY(0), .handle = reset_device},
	[VHOST_SET_MEM_TABLE] = {"SET_MEM_TABLE", .min_len = 8,
		.max_len = sizeof(struct vhost_wire_table), FDS(0, VHOST_MAX_FDS),
		.handle = set_mem_table},
	[VHOST_SET_VRING_NUM] = {"SET_VRING_NUM", STATE, .guest_driven = true,
		.handle = vhost_handle_set_vring_num},
	[VHOST_SET_VRING_ADDR] = {"SET_VRING_ADDR", EXACTLY(sizeof(struct vhost_vring_addr)),
		.guest_driven = true, .handle = vhost_handle_set_vring_addr},
	[VHOST_SET_VRING_BASE] = {"SET_VRING_BASE", STATE, .handle = vhost_handle_set_vring_base},
	[VHOST_GET_VRING_BASE] = {"GET_VRING_BASE", STATE, .reply = VHOST_REPLY_PAYLOAD,
		.handle = vhost_handle_get_vring_base},
	[VHOST_SET_VRING_KICK] = {"SET_VRING_KICK", EXACTLY(8), FDS(0, 1),
		.handle = vhost_handle_set_vring_kick},
	[VHOST_SET_VRING_CALL] = {"SET_VRING_CALL", EXACTLY(8), FDS(0, 1),
		.handle = vhost_handle_set_vring_call},
	[VHOST_SET_VRING_ERR] = {"SET_VRING_ERR", EXACTLY(8), FDS(0, 1),
		.handle = vhost_handle_set_vring_err},
	[VHOST_GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", EXACTLY(0),
		.reply = VHOST_REPLY_VALUE, .handle = get_protocol_features},
	[VHOST_SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", EXACTLY(8),
		.handle = set_protocol_features},
	[VHOST_GET_QUEUE_NUM] = {"GET_QUEUE_NUM", EXACTLY(0), .reply = VHOST_REPLY_VALUE,
		.handle = get_queue_num},
	[VHOST_SET_VRING_ENABLE] = {"SET_VRING_ENABLE", STATE,
		.handle = vhost_handle_set_vring_enable},
	/* Some front-ends put a number into these two, which means nothing. */
	[VHOST_SET_BACKEND_REQ_FD] = {"SET_BACKEND_REQ_FD", .max_len = 8, FDS(1, 1),
		.handle = set_backend_req_fd},
	[VHOST_GPU_SET_SOCKET] = {"GPU_SET_SOCKET", .max_len = 8, FDS(1, 1),
		.handle = gpu_set_socket},
	[VHOST_GET_CONFIG] = {"GET_CONFIG", .min_len = sizeof(struct vhost_wire_config),
		.max_len = sizeof(struct vhost_wire_config) + VHOST_MAX_CONFIG_LEN,
		.reply = VHOST_REPLY_PAYLOAD, .empty_on_error = true, .handle = get_config},
	[VHOST_SET_CONFIG] = {"SET_CONFIG", .min_len = sizeof(struct vhost_wire_config),
		.max_len = sizeof(struct vhost_wire_config) + VHOST_MAX_CONFIG_LEN,
		.guest_driven = true, .handle = set_config},
	[VHOST_RESET_DEVICE] = {"RESET_DEVICE", EXACTLY(0), .handle = reset_device},
	[VHOST_GET_MAX_MEM_SLOTS] = {"GET_MAX_MEM_SLOTS", EXACTLY(0), .reply = VHOST_REPLY_VALUE,
		.handle = get_max_mem_slots},
	[VHOST_ADD_MEM_REG] = {"ADD_MEM_REG", EXACTLY(sizeof(struct vhost_wire_single)),
		FDS(1, 1), .handle = add_mem_reg},
	/* Older front-ends send the descriptor along; it is closed. */
	[VHOST_REM_MEM_REG] = {"REM_MEM_REG", EXACTLY(sizeof(struct vhost_wire_single)),
		FDS(0, 1), .handle = rem_mem_reg},
	[VHOST_SET_STATUS] = {"SET_STATUS", EXACTLY(8), .guest_driven = true,
		.handle = set_status},
	[VHOST_GET_STATUS] = {"GET_STATUS", EXACTLY(0), .reply = VHOST_REPLY_VALUE,
		.handle = get_status},
	[VHOST_GET_SHMEM_CONFIG] = {"GET_SHMEM_CONFIG", EXACTLY(0), .reply = VHOST_REPLY_PAYLOAD,
		.handle = get_shmem_config},
};
/* clang-format on */

const struct vhost_handler *vhost_find_handler(uint32_t request)
{
	if (request >= VHOST_REQUEST_COUNT || !handlers[request].handle)
		return NULL;
	return &handlers[request];
}
