/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Messages of vhost-user from the front-end (QEMU's docs/interop/vhost-user.rst). */
#include "bench/vhost_user.h"

#include "bench/wire.h"
#include "util/fd.h"
#include "vhost/protocol.h"

#include <errno.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MAX_BODY 4096

int vhost_user_connect(struct vhost_user *user, const char *path, int limit_ms)
{
	const struct timeval limit = {limit_ms / 1000, limit_ms % 1000 * 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	*user = (struct vhost_user){.fd = fd_take(&fd)};
	return 0;
}

void vhost_user_close(struct vhost_user *user)
{
	fd_clear(&user->fd);
}

static int send_message(struct vhost_user *user, uint32_t request, uint32_t flags, const void *body,
	uint32_t len, int fd)
{
	struct {
		struct vhost_header header;
		uint8_t body[MAX_BODY];
	} message = {.header = {.request = request, .flags = flags | VHOST_VERSION, .size = len}};

	g_assert(len <= MAX_BODY);
	if (len > 0)
		memcpy(message.body, body, len);
	return wire_send(user->fd, &message, sizeof(message.header) + len, fd);
}

/* The answer to @request, whose body has to have @len bytes. */
static int recv_answer(struct vhost_user *user, uint32_t request, void *body, uint32_t len)
{
	struct vhost_header header;
	int ret = wire_recv(user->fd, &header, sizeof(header), NULL);

	if (ret < 0)
		return ret;
	if (header.request != request || header.size != len || !(header.flags & VHOST_FLAG_REPLY))
		return -EPROTO;
	return wire_recv(user->fd, body, len, NULL);
}

/* A request without an answer of its own; acknowledged where that was agreed on. */
static int tell_body(
	struct vhost_user *user, uint32_t request, const void *body, uint32_t len, int fd)
{
	const uint32_t flags = user->has_reply_ack ? VHOST_FLAG_NEED_REPLY : 0;
	uint64_t result = 0;
	int ret = send_message(user, request, flags, body, len, fd);

	if (ret == 0 && user->has_reply_ack)
		ret = recv_answer(user, request, &result, sizeof(result));
	return ret == 0 && result != 0 ? -EREMOTEIO : ret;
}

int vhost_user_ask(struct vhost_user *user, uint32_t request, uint64_t *ret_value)
{
	int ret = send_message(user, request, 0, NULL, 0, -1);

	return ret < 0 ? ret : recv_answer(user, request, ret_value, sizeof(*ret_value));
}

int vhost_user_tell(struct vhost_user *user, uint32_t request, uint64_t value, int fd)
{
	return tell_body(user, request, &value, sizeof(value), fd);
}

int vhost_user_tell_nothing(struct vhost_user *user, uint32_t request, int fd)
{
	return tell_body(user, request, NULL, 0, fd);
}

int vhost_user_set_protocol_features(struct vhost_user *user, uint64_t features)
{
	user->has_reply_ack = features & UINT64_C(1) << VHOST_PROTOCOL_F_REPLY_ACK;
	return send_message(user, VHOST_SET_PROTOCOL_FEATURES, 0, &features, sizeof(features), -1);
}

int vhost_user_set_memory(struct vhost_user *user, const struct memory *memory)
{
	const struct {
		uint32_t region_count;
		uint32_t padding;
		struct vhost_wire_region region;
	} table = {.region_count = 1,
		.region = {.gpa = MEMORY_GPA, .len = memory->len, .uva = MEMORY_UVA}};

	return tell_body(user, VHOST_SET_MEM_TABLE, &table, sizeof(table), memory->fd);
}

static int tell_state(struct vhost_user *user, uint32_t request, uint32_t index, uint32_t number)
{
	const struct vhost_vring_state state = {.index = index, .num = number};

	return tell_body(user, request, &state, sizeof(state), -1);
}

/* Behind the guest's memory for all who address it. */
static struct vhost_wire_single next_region(const struct memory *memory, uint64_t len)
{
	return (struct vhost_wire_single){.region = {
						  .gpa = MEMORY_GPA + memory->len,
						  .len = len,
						  .uva = MEMORY_UVA + memory->len,
					  }};
}

int vhost_user_add_region(
	struct vhost_user *user, const struct memory *memory, uint64_t len, int fd)
{
	const struct vhost_wire_single single = next_region(memory, len);

	return tell_body(user, VHOST_ADD_MEM_REG, &single, sizeof(single), fd);
}

int vhost_user_remove_region(struct vhost_user *user, const struct memory *memory, uint64_t len)
{
	const struct vhost_wire_single single = next_region(memory, len);

	return tell_body(user, VHOST_REM_MEM_REG, &single, sizeof(single), -1);
}

int vhost_user_stop_ring(struct vhost_user *user, uint32_t index, uint32_t *ret_base)
{
	struct vhost_vring_state state = {.index = index};
	int ret = send_message(user, VHOST_GET_VRING_BASE, 0, &state, sizeof(state), -1);

	if (ret == 0)
		ret = recv_answer(user, VHOST_GET_VRING_BASE, &state, sizeof(state));
	if (ret == 0)
		*ret_base = state.num;
	return ret;
}

int vhost_user_start_ring(
	struct vhost_user *user, uint32_t index, const struct ring *ring, uint32_t base)
{
	const struct vhost_vring_addr addresses = {
		.index = index,
		.desc_user_addr = memory_uva(ring->desc_gpa),
		.used_user_addr = memory_uva(ring->used_gpa),
		.avail_user_addr = memory_uva(ring->avail_gpa),
	};
	int ret = tell_state(user, VHOST_SET_VRING_NUM, index, ring->size);

	if (ret == 0)
		ret = tell_state(user, VHOST_SET_VRING_BASE, index, base);
	if (ret == 0)
		ret = tell_body(user, VHOST_SET_VRING_ADDR, &addresses, sizeof(addresses), -1);
	if (ret == 0)
		ret = vhost_user_tell(user, VHOST_SET_VRING_KICK, index, ring->kick_fd);
	if (ret == 0)
		ret = vhost_user_tell(user, VHOST_SET_VRING_CALL, index, ring->call_fd);
	if (ret == 0)
		ret = tell_state(user, VHOST_SET_VRING_ENABLE, index, 1);
	return ret;
}

int vhost_user_get_config(struct vhost_user *user, void *buf, uint32_t len)
{
	uint8_t message[sizeof(struct vhost_wire_config) + MAX_BODY / 2] = {0};
	const struct vhost_wire_config head = {.size = len};
	const uint32_t message_len = (uint32_t)sizeof(head) + len;
	int ret;

	g_assert(message_len <= sizeof(message));
	memcpy(message, &head, sizeof(head));
	ret = send_message(user, VHOST_GET_CONFIG, 0, message, message_len, -1);
	if (ret == 0)
		ret = recv_answer(user, VHOST_GET_CONFIG, message, message_len);
	if (ret == 0)
		memcpy(buf, message + sizeof(head), len);
	return ret;
}

int vhost_user_get_shmem_size(struct vhost_user *user, uint64_t *ret_len)
{
	struct vhost_wire_shmem_config config;
	int ret = send_message(user, VHOST_GET_SHMEM_CONFIG, 0, NULL, 0, -1);

	if (ret == 0)
		ret = recv_answer(user, VHOST_GET_SHMEM_CONFIG, &config, sizeof(config));
	if (ret == 0)
		*ret_len = config.sizes[VIRTIO_GPU_SHM_ID_HOST_VISIBLE];
	return ret;
}

int vhost_user_set_display(struct vhost_user *user, int fd)
{
	return send_message(user, VHOST_GPU_SET_SOCKET, 0, NULL, 0, fd);
}
