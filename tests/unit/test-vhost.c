/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * vhost/: framing, the table of messages, answers and errors, memory, rings. No descriptor is left
 * open by any of it (peer_finish()).
 */
#include "vhost-peer.h"

#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ALL_PROTOCOL                                                                               \
	(BIT(VHOST_PROTOCOL_F_MQ) | BIT(VHOST_PROTOCOL_F_REPLY_ACK) |                              \
		BIT(VHOST_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_PROTOCOL_F_CONFIG) |                 \
		BIT(VHOST_PROTOCOL_F_BACKEND_SEND_FD) | BIT(VHOST_PROTOCOL_F_RESET_DEVICE) |       \
		BIT(VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | BIT(VHOST_PROTOCOL_F_STATUS))

#define ACK VHOST_FLAG_NEED_REPLY

static void kick(int fd)
{
	const uint64_t one = 1;

	g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
}

/* Both ends agree, memory is there, queue 0 runs. Return: its kick descriptor. */
static int start(struct peer *peer)
{
	int kick_fd;

	peer_init(peer, false);
	kick_fd = eventfd(0, EFD_CLOEXEC);
	peer_negotiate(peer, ALL_PROTOCOL);
	peer_set_memory(peer);
	peer_set_ring(peer, 0);
	peer_set_kick(peer, 0, kick_fd);
	peer_enable(peer, 0, true);
	return kick_fd;
}

static void finish(struct peer *peer, int kick_fd)
{
	close(kick_fd);
	peer_finish(peer);
}

static void test_handshake(void)
{
	uint64_t features = BIT(0) | BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_F_PROTOCOL_FEATURES) |
			    BIT(VIRTIO_F_ANY_LAYOUT);
	uint64_t offered;
	struct peer peer;

	peer_init(&peer, false);
	offered = peer_call(&peer, VHOST_GET_FEATURES, 0, NULL, 0, -1);
	g_assert_cmphex(offered, ==,
		BIT(0) | BIT(1) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(40) |
			BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) |
			BIT(VHOST_F_PROTOCOL_FEATURES));
	g_assert_cmphex(
		peer_call(&peer, VHOST_GET_PROTOCOL_FEATURES, 0, NULL, 0, -1), ==, ALL_PROTOCOL);
	peer_negotiate(&peer, ALL_PROTOCOL);
	g_assert_cmpuint(peer_call(&peer, VHOST_GET_QUEUE_NUM, 0, NULL, 0, -1), ==, PEER_QUEUES);
	g_assert_cmpuint(peer_call(&peer, VHOST_GET_MAX_MEM_SLOTS, ACK, NULL, 0, -1), ==,
		GUEST_MEMORY_MAX_REGIONS);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_FEATURES, ACK, &features, 8, -1), ==, 0);
	g_assert_cmphex(peer.seen.features, ==, BIT(0) | BIT(VIRTIO_F_VERSION_1));
	features |= BIT(5);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_FEATURES, ACK, &features, 8, -1), !=, 0);
	g_assert_cmpuint(peer.seen.set_features, ==, 2);
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	peer_finish(&peer);
}

/* TOLD: a status, or else the session ends; REPLY: it ends; GUEST: a status, or it goes on. */
enum outcome { TOLD, REPLY, GUEST };

/* A payload length and a number of descriptors that are fine, and a number that is not. */
struct shape {
	uint32_t request;
	uint16_t len;
	int8_t fds;
	int8_t bad_fds;
	enum outcome outcome;
};

static const struct shape shapes[] = {
	{VHOST_GET_FEATURES, 0, 0, 1, REPLY},
	{VHOST_SET_FEATURES, 8, 0, 1, TOLD},
	{VHOST_SET_OWNER, 0, 0, 1, TOLD},
	{VHOST_RESET_OWNER, 0, 0, 1, TOLD},
	{VHOST_SET_MEM_TABLE, 40, 1, 2, TOLD},
	{VHOST_SET_VRING_NUM, 8, 0, 1, GUEST},
	{VHOST_SET_VRING_ADDR, 40, 0, 1, GUEST},
	{VHOST_SET_VRING_BASE, 8, 0, 1, TOLD},
	{VHOST_GET_VRING_BASE, 8, 0, 1, REPLY},
	{VHOST_SET_VRING_KICK, 8, 1, 2, TOLD},
	{VHOST_SET_VRING_CALL, 8, 1, 0, TOLD},
	{VHOST_SET_VRING_ERR, 8, 1, 0, TOLD},
	{VHOST_GET_PROTOCOL_FEATURES, 0, 0, 1, REPLY},
	{VHOST_SET_PROTOCOL_FEATURES, 8, 0, 1, TOLD},
	{VHOST_GET_QUEUE_NUM, 0, 0, 1, REPLY},
	{VHOST_SET_VRING_ENABLE, 8, 0, 1, TOLD},
	{VHOST_SET_BACKEND_REQ_FD, 0, 1, 0, TOLD},
	{VHOST_SET_CONFIG, 12, 0, 1, GUEST},
	{VHOST_GPU_SET_SOCKET, 0, 1, 2, TOLD},
	{VHOST_RESET_DEVICE, 0, 0, 1, TOLD},
	{VHOST_GET_MAX_MEM_SLOTS, 0, 0, 1, REPLY},
	{VHOST_ADD_MEM_REG, 40, 1, 0, TOLD},
	{VHOST_REM_MEM_REG, 40, 0, 2, TOLD},
	{VHOST_SET_STATUS, 8, 0, 1, GUEST},
	{VHOST_GET_STATUS, 0, 0, 1, REPLY},
	{VHOST_GET_SHMEM_CONFIG, 0, 0, 1, REPLY},
};

/* Sends @len bytes of zeros, all but the byte that makes a memory table one of one region. */
static void send_shape(
	struct peer *peer, const struct shape *shape, uint32_t flags, uint32_t len, int fd_count)
{
	struct vhost_header header = {shape->request, VHOST_VERSION | flags, len};
	const int fds[2] = {peer->mem_fd, peer->mem_fd};
	uint8_t bytes[sizeof(header) + VHOST_MAX_CONFIG_LEN * 2] = {0};

	memcpy(bytes, &header, sizeof(header));
	if (shape->request == VHOST_SET_MEM_TABLE)
		bytes[sizeof(header)] = 1;
	peer_send_bytes(peer->fd, bytes, sizeof(header) + len, fds, (size_t)fd_count);
	peer_pump(peer);
}

/* One malformed message: with and without the wish for a status. */
static void check_shape(const struct shape *shape, uint32_t len, int fd_count)
{
	struct vhost_header header;
	struct peer peer;
	uint64_t status = 0;

	peer_init(&peer, false);
	peer_negotiate(&peer, ALL_PROTOCOL);
	if (shape->outcome != REPLY) {
		send_shape(&peer, shape, ACK, len, fd_count);
		g_assert_true(peer_receive(peer.fd, &header, &status, NULL));
		g_assert_cmpuint(header.request, ==, shape->request);
		g_assert_cmpuint(header.size, ==, sizeof(status));
		g_assert_cmpuint(status, !=, 0);
		g_assert_cmpuint(peer.seen.closed, ==, 0);
	}
	send_shape(&peer, shape, 0, len, fd_count);
	g_assert_false(peer_receive(peer.fd, &header, &status, NULL));
	g_assert_cmpuint(peer.seen.closed, ==, shape->outcome == GUEST ? 0 : 1);
	if (shape->outcome != GUEST)
		g_assert_cmpint(peer.seen.error, <, 0);
	peer_finish(&peer);
}

static void test_shapes(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
		const struct shape *shape = &shapes[i];

		if (shape->len > 0) {
			check_shape(shape, 0, shape->fds);
			check_shape(shape, shape->len - 1u, shape->fds);
		}
		check_shape(shape, 400, shape->fds);
		check_shape(shape, shape->len, shape->bad_fds);
	}
}

static void test_bad_index(void)
{
	static const uint32_t requests[] = {VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE,
		VHOST_SET_VRING_ENABLE, VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR};
	struct vhost_vring_state state = {.index = PEER_QUEUES, .num = 1};
	struct vhost_vring_addr addr = {.index = UINT32_MAX};
	uint64_t value = PEER_QUEUES | VHOST_VRING_NO_FD;
	struct peer peer;

	peer_init(&peer, false);
	peer_negotiate(&peer, ALL_PROTOCOL);
	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++)
		g_assert_cmpuint(peer_call(&peer, requests[i], ACK,
					 i < 3 ? (void *)&state : (void *)&value, 8, -1),
			!=, 0);
	g_assert_cmpuint(
		peer_call(&peer, VHOST_SET_VRING_ADDR, ACK, &addr, sizeof(addr), -1), !=, 0);
	state = (struct vhost_vring_state){.index = 0, .num = 1025};
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_NUM, ACK, &state, 8, -1), !=, 0);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_ENABLE, ACK, &state, 8, -1), !=, 0);
	g_assert_cmpuint(peer.seen.closed, ==, 0);

	/* GET_VRING_BASE has no way to say no. */
	state.index = PEER_QUEUES;
	peer_send(&peer, VHOST_GET_VRING_BASE, ACK, &state, sizeof(state), -1);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.closed, ==, 1);
	g_assert_nonnull(strstr(peer.seen.reason, "GET_VRING_BASE"));
	peer_finish(&peer);
}

static void test_unknown(void)
{
	struct vhost_header header;
	struct peer peer;
	uint64_t value = 0;

	peer_init(&peer, false);
	/* The flag means nothing before REPLY_ACK is negotiated. */
	peer_send(&peer, VHOST_SET_LOG_BASE, ACK, &value, 8, peer.mem_fd);
	peer_send(&peer, 1000, 0, &value, 5, -1);
	peer_pump(&peer);
	g_assert_false(peer_receive(peer.fd, &header, &value, NULL));
	peer_negotiate(&peer, ALL_PROTOCOL);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_LOG_BASE, ACK, &value, 8, -1), !=, 0);
	g_assert_cmpuint(peer_call(&peer, VHOST_GET_QUEUE_NUM, 0, NULL, 0, -1), ==, PEER_QUEUES);
	peer_finish(&peer);
}

static void test_framing(void)
{
	static const struct vhost_header headers[] = {
		{VHOST_GET_FEATURES, 0, 0},
		{VHOST_GET_FEATURES, 2, 0},
		{VHOST_GET_FEATURES, VHOST_VERSION | VHOST_FLAG_REPLY, 0},
		{VHOST_SET_CONFIG, VHOST_VERSION, 4097},
		{VHOST_SET_CONFIG, VHOST_VERSION, UINT32_MAX},
	};
	const struct vhost_header too_many = {VHOST_SET_MEM_TABLE, VHOST_VERSION, 8};
	struct peer peer;
	int fds[9];

	for (size_t i = 0; i < G_N_ELEMENTS(headers); i++) {
		peer_init(&peer, false);
		peer_send_bytes(peer.fd, &headers[i], sizeof(headers[i]), &peer.mem_fd, 1);
		peer_pump(&peer);
		g_assert_cmpuint(peer.seen.closed, ==, 1);
		g_assert_cmpint(peer.seen.error, ==, -EPROTO);
		peer_finish(&peer);
	}
	peer_init(&peer, false);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = peer.mem_fd;
	peer_send_bytes(peer.fd, &too_many, sizeof(too_many), fds, G_N_ELEMENTS(fds));
	peer_pump(&peer);
	g_assert_cmpint(peer.seen.error, ==, -E2BIG);
	peer_finish(&peer);
	/* As many, but in two pieces of one message. */
	peer_init(&peer, false);
	peer_send_bytes(peer.fd, &too_many, sizeof(too_many), fds, 5);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = peer.mem_fd;
	peer_send_bytes(peer.fd, "12345678", 8, fds, 4);
	peer_pump(&peer);
	g_assert_cmpint(peer.seen.error, ==, -E2BIG);
	peer_finish(&peer);
}

static void test_byte_by_byte(void)
{
	struct vhost_wire_table table = {.region_count = 1, .regions[0] = peer_region()};
	const struct vhost_header header = {VHOST_SET_MEM_TABLE, VHOST_VERSION | ACK, 40};
	uint8_t bytes[52];
	struct vhost_header answer;
	uint64_t status = 1;
	struct peer peer;

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), &table, 40);
	/* The descriptor comes with any of the bytes. */
	for (size_t with = 0; with < sizeof(bytes); with += 17) {
		peer_init(&peer, false);
		peer_negotiate(&peer, ALL_PROTOCOL);
		for (size_t i = 0; i < sizeof(bytes); i++) {
			g_assert_cmpuint(peer.seen.changed, ==, 0);
			peer_send_bytes(peer.fd, &bytes[i], 1, &peer.mem_fd, i == with ? 1 : 0);
			peer_pump(&peer);
		}
		g_assert_true(peer_receive(peer.fd, &answer, &status, NULL));
		g_assert_cmpuint(status, ==, 0);
		g_assert_cmpuint(peer.seen.changed, ==, 1);
		g_assert_nonnull(
			guest_memory_at_gpa(vhost_get_memory(peer.vhost), PEER_GPA, PEER_MEM_LEN));
		peer_finish(&peer);
	}
}

static void test_hang_up(void)
{
	struct vhost_header header = {VHOST_SET_FEATURES, VHOST_VERSION, 8};
	struct peer peer;

	for (size_t len = 0; len <= sizeof(header); len += 6) {
		peer_init(&peer, false);
		if (len > 0)
			peer_send_bytes(peer.fd, &header, len, &peer.mem_fd, 1);
		peer_pump(&peer);
		close(peer.fd);
		peer.fd = -1;
		g_assert_cmpuint(peer.seen.closed, ==, 0);
		peer_pump(&peer);
		g_assert_cmpuint(peer.seen.closed, ==, 1);
		g_assert_cmpint(peer.seen.error, ==, len == 0 ? 0 : -ECONNRESET);
		peer_finish(&peer);
	}
	/* A peer that leaves without reading its answers is no error either. */
	peer_init(&peer, false);
	peer_send(&peer, VHOST_GET_FEATURES, 0, NULL, 0, -1);
	peer_pump(&peer);
	close(peer.fd);
	peer.fd = -1;
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.closed, ==, 1);
	g_assert_cmpint(peer.seen.error, ==, 0);
	peer_finish(&peer);
	/* Nor is taking it down in the middle of a message. */
	peer_init(&peer, false);
	peer_send_bytes(peer.fd, &header, sizeof(header), &peer.mem_fd, 1);
	peer_pump(&peer);
	peer_finish(&peer);
}

static void check_config(struct peer *peer, uint32_t offset, uint32_t size, bool with_room)
{
	struct vhost_wire_config config = {offset, size, 0x55};
	uint8_t payload[sizeof(config) + VHOST_MAX_CONFIG_LEN] = {0};
	struct vhost_header header;

	memcpy(payload, &config, sizeof(config));
	peer_send(peer, VHOST_GET_CONFIG, ACK, payload,
		(uint32_t)sizeof(config) + (with_room ? size : 0), -1);
	peer_pump(peer);
	memset(payload, 0xee, sizeof(payload));
	g_assert_true(peer_receive(peer->fd, &header, payload, NULL));
	g_assert_cmpuint(header.size, ==, sizeof(config) + size);
	g_assert_cmpmem(payload, sizeof(config), &config, sizeof(config));
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = (uint64_t)offset + i;
		uint8_t expected = at < VHOST_MAX_CONFIG_LEN ? (uint8_t)(at + 1) : 0;

		g_assert_cmpuint(payload[sizeof(config) + i], ==, expected);
	}
}

static void test_config(void)
{
	static const uint32_t sizes[] = {0, 1, 16, 20, 24, 255, 256};
	struct {
		struct vhost_wire_config head;
		uint8_t space[8];
	} config = {{4, 8, 0}, "abcdefg"};
	struct vhost_header header;
	struct peer peer;
	uint8_t payload[16];

	peer_init(&peer, false);
	peer_negotiate(&peer, ALL_PROTOCOL);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		check_config(&peer, 0, sizes[i], true);
		check_config(&peer, 0, sizes[i], false);
		check_config(&peer, 250, sizes[i], true);
		check_config(&peer, UINT32_MAX, sizes[i], true);
	}
	g_assert_cmpuint(
		peer_call(&peer, VHOST_SET_CONFIG, ACK, &config, sizeof(config), -1), ==, 0);
	g_assert_cmpuint(peer.seen.config_offset, ==, 4);
	g_assert_cmpuint(peer.seen.config_len, ==, 8);
	g_assert_cmpmem(peer.seen.config, 8, config.space, 8);
	config.head.offset = 249;
	g_assert_cmpuint(
		peer_call(&peer, VHOST_SET_CONFIG, ACK, &config, sizeof(config), -1), !=, 0);
	config.head = (struct vhost_wire_config){0, 9, 0};
	g_assert_cmpuint(
		peer_call(&peer, VHOST_SET_CONFIG, ACK, &config, sizeof(config), -1), !=, 0);

	config.head = (struct vhost_wire_config){0, 257, 0};
	peer_send(&peer, VHOST_GET_CONFIG, 0, &config, sizeof(config), -1);
	peer_pump(&peer);
	g_assert_true(peer_receive(peer.fd, &header, payload, NULL));
	g_assert_cmpuint(header.size, ==, 0);
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	peer_finish(&peer);
}

static void test_memory(void)
{
	struct vhost_wire_single single = {.region = peer_region()};
	struct vhost_wire_table table = {.region_count = 1, .regions[0] = peer_region()};
	struct guest_memory *memory;
	struct peer peer;

	peer_init(&peer, false);
	peer_negotiate(&peer, ALL_PROTOCOL);
	memory = vhost_get_memory(peer.vhost);
	g_assert_cmpuint(
		peer_call(&peer, VHOST_ADD_MEM_REG, ACK, &single, sizeof(single), peer.mem_fd), ==,
		0);
	g_assert_nonnull(guest_memory_at_gpa(memory, PEER_GPA, PEER_MEM_LEN));
	/* Twice is an overlap. */
	g_assert_cmpuint(
		peer_call(&peer, VHOST_ADD_MEM_REG, ACK, &single, sizeof(single), peer.mem_fd), !=,
		0);
	g_assert_cmpuint(
		peer_call(&peer, VHOST_REM_MEM_REG, ACK, &single, sizeof(single), peer.mem_fd), ==,
		0);
	g_assert_null(guest_memory_at_gpa(memory, PEER_GPA, 1));
	g_assert_cmpuint(
		peer_call(&peer, VHOST_REM_MEM_REG, ACK, &single, sizeof(single), -1), !=, 0);
	/* What is added makes nobody let go of what there is. */
	g_assert_cmpuint(peer.seen.changing, ==, 2);
	g_assert_cmpuint(peer.seen.changed, ==, 4);

	peer_set_memory(&peer);
	g_assert_nonnull(guest_memory_at_gpa(memory, PEER_GPA, PEER_MEM_LEN));
	peer_set_memory(&peer);
	g_assert_nonnull(guest_memory_at_gpa(memory, PEER_GPA, PEER_MEM_LEN));
	g_assert_cmpuint(peer.seen.closed, ==, 0);

	/* Nobody would know that this one failed. */
	table.regions[0].len = PEER_MEM_LEN * 2;
	peer_send(&peer, VHOST_SET_MEM_TABLE, 0, &table, 40, peer.mem_fd);
	peer_pump(&peer);
	g_assert_null(guest_memory_at_gpa(memory, PEER_GPA, 1));
	g_assert_cmpuint(peer.seen.closed, ==, 1);
	g_assert_nonnull(strstr(peer.seen.reason, "SET_MEM_TABLE"));
	peer_finish(&peer);
}

static void test_ring(void)
{
	struct vhost_vring_state state = {.index = 0};
	struct vhost_header header;
	struct peer peer;
	int kick_fd;

	peer_init(&peer, false);
	kick_fd = eventfd(0, EFD_CLOEXEC);
	peer_negotiate(&peer, ALL_PROTOCOL);
	peer_set_memory(&peer);
	peer_set_ring(&peer, 0);
	peer_add_chain(&peer, 0);
	peer_set_kick(&peer, 0, kick_fd);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.ready[0], ==, 0);
	g_assert_false(vhost_queue_is_enabled(peer.vhost, 0));

	/* What was there before is not missed. */
	peer_enable(&peer, 0, true);
	g_assert_cmpuint(peer.seen.started[0], ==, 1);
	g_assert_true(peer.seen.is_new[0]);
	g_assert_cmpuint(peer.seen.popped[0], ==, 1);
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 2);

	peer_enable(&peer, 0, false);
	g_assert_false(vhost_queue_is_enabled(peer.vhost, 0));
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 2);
	peer_enable(&peer, 0, true);
	g_assert_cmpuint(peer.seen.popped[0], ==, 3);

	/* It cannot be changed while it runs. */
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_NUM, ACK, &state, 8, -1), !=, 0);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_BASE, ACK, &state, 8, -1), !=, 0);

	peer_send(&peer, VHOST_GET_VRING_BASE, 0, &state, sizeof(state), -1);
	peer_pump(&peer);
	g_assert_true(peer_receive(peer.fd, &header, &state, NULL));
	g_assert_cmpuint(header.size, ==, sizeof(state));
	g_assert_cmpuint(state.index, ==, 0);
	g_assert_cmpuint(state.num, ==, 3);
	g_assert_cmpuint(peer.seen.stopping[0], ==, 1);
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_enable(&peer, 0, true);
	g_assert_cmpuint(peer.seen.popped[0], ==, 3);

	/* And goes on where it was. */
	peer_send(&peer, VHOST_SET_VRING_BASE, 0, &state, sizeof(state), -1);
	peer_set_kick(&peer, 0, kick_fd);
	g_assert_cmpuint(peer.seen.popped[0], ==, 4);
	g_assert_cmpuint(peer.seen.started[0], ==, 2);
	g_assert_false(peer.seen.is_new[0]);
	g_assert_cmpuint(peer.seen.ready[1], ==, 0);
	finish(&peer, kick_fd);
}

static void test_ring_before_memory(void)
{
	struct vhost_wire_single single = {.region = peer_region()};
	struct peer peer;
	int kick_fd;

	peer_init(&peer, false);
	kick_fd = eventfd(0, EFD_CLOEXEC);
	peer_negotiate(&peer, ALL_PROTOCOL);
	peer_add_chain(&peer, 0);
	peer_set_ring(&peer, 0);
	peer_set_kick(&peer, 0, kick_fd);
	peer_enable(&peer, 0, true);
	g_assert_cmpuint(peer.seen.ready[0], ==, 0);
	peer_set_memory(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 1);

	/* The table changes under a running ring: it goes on with the new one, without a kick. */
	peer_add_chain(&peer, 0);
	peer_set_memory(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 2);

	g_assert_cmpuint(
		peer_call(&peer, VHOST_REM_MEM_REG, ACK, &single, sizeof(single), -1), ==, 0);
	g_assert_false(vhost_queue_is_enabled(peer.vhost, 0));
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 2);
	g_assert_cmpuint(
		peer_call(&peer, VHOST_ADD_MEM_REG, ACK, &single, sizeof(single), peer.mem_fd), ==,
		0);
	g_assert_cmpuint(peer.seen.popped[0], ==, 3);
	g_assert_false(virtq_is_broken(vhost_get_queue(peer.vhost, 0)));
	finish(&peer, kick_fd);
}

static void test_without_protocol_features(void)
{
	uint64_t features = BIT(VIRTIO_F_VERSION_1);
	struct peer peer;

	peer_init(&peer, false);
	peer_send(&peer, VHOST_SET_OWNER, 0, NULL, 0, -1);
	peer_send(&peer, VHOST_SET_FEATURES, 0, &features, sizeof(features), -1);
	peer_set_memory(&peer);
	peer_set_ring(&peer, 1);
	peer_add_chain(&peer, 1);
	/* No descriptor either: it starts, and nothing is watched. */
	peer_set_kick(&peer, 1, -1);
	g_assert_cmpuint(peer.seen.popped[1], ==, 1);
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	peer_finish(&peer);
}

static void test_vring_fds(void)
{
	struct peer peer;
	int kick_fd = start(&peer);
	int call_fd = eventfd(0, EFD_CLOEXEC);
	uint64_t value = 0;

	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 1);
	/* The chain was pushed while nobody could be told. */
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_CALL, ACK, &value, 8, call_fd), ==, 0);
	g_assert_cmpint(read(call_fd, &value, sizeof(value)), ==, sizeof(value));
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpint(read(call_fd, &value, sizeof(value)), ==, sizeof(value));

	value = VHOST_VRING_NO_FD;
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_CALL, ACK, &value, 8, -1), ==, 0);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_ERR, ACK, &value, 8, -1), ==, 0);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_VRING_CALL, ACK, &value, 8, call_fd), !=, 0);

	close(call_fd);
	finish(&peer, kick_fd);
}

/* What is no eventfd is refused; a kick that is readable for ever would keep the loop spinning. */
static void test_odd_vring_fds(void)
{
	static const uint32_t requests[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR};
	const uint64_t value = 0;
	struct peer peer;
	int kick_fd = start(&peer);
	const int odd_fds[] = {open("/dev/zero", O_RDWR | O_CLOEXEC),
		memfd_create("odd", MFD_CLOEXEC), socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		/* From here on for a kick only. */
		eventfd(7, EFD_CLOEXEC | EFD_SEMAPHORE), epoll_create1(EPOLL_CLOEXEC),
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};

	for (size_t i = 0; i < G_N_ELEMENTS(odd_fds); i++) {
		for (size_t j = 0; j < (i < 3 ? G_N_ELEMENTS(requests) : 1); j++)
			g_assert_cmpuint(peer_call(&peer, requests[j], ACK, &value, 8, odd_fds[i]),
				==, EBADFD);
		close(odd_fds[i]);
	}
	/* The kick of before is still the one. */
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 1);
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	finish(&peer, kick_fd);
}

/* A front-end that asks for no answer hears of it by the end. */
static void test_odd_kick_without_answer(void)
{
	struct peer peer;
	int kick_fd = start(&peer);
	int zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	peer_set_kick(&peer, 0, zero_fd);
	close(zero_fd);
	g_assert_cmpuint(peer.seen.closed, ==, 1);
	g_assert_cmpint(peer.seen.error, ==, -EBADFD);
	g_assert_nonnull(strstr(peer.seen.reason, "SET_VRING_KICK"));
	finish(&peer, kick_fd);
}

/* A guest's wrong ring address stops that ring only, and does not run on the old one. */
static void test_guest_driven(void)
{
	struct vhost_vring_addr addr = {.index = 0, .desc_user_addr = PEER_UVA + 1};
	struct peer peer;
	int kick_fd = start(&peer);

	g_assert_true(vhost_queue_is_enabled(peer.vhost, 0));
	peer_send(&peer, VHOST_SET_VRING_ADDR, 0, &addr, sizeof(addr), -1);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.closed, ==, 0);
	g_assert_false(vhost_queue_is_enabled(peer.vhost, 0));
	peer_add_chain(&peer, 0);
	kick(kick_fd);
	peer_pump(&peer);
	g_assert_cmpuint(peer.seen.popped[0], ==, 0);
	finish(&peer, kick_fd);
}

static void test_reset(void)
{
	static const uint32_t requests[] = {VHOST_RESET_DEVICE, VHOST_RESET_OWNER};

	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		struct peer peer;
		int kick_fd = start(&peer);

		g_assert_cmpuint(peer_call(&peer, requests[i], ACK, NULL, 0, -1), ==, 0);
		g_assert_cmpuint(peer.seen.reset, ==, 1);
		g_assert_cmpuint(peer.seen.stopping[0], ==, 1);
		g_assert_cmpuint(peer.seen.stopping[1], ==, 0);
		g_assert_false(vhost_queue_is_enabled(peer.vhost, 0));

		/* Memory and protocol features stay; the rings are set up anew. */
		peer_set_ring(&peer, 0);
		peer_add_chain(&peer, 0);
		peer_set_kick(&peer, 0, kick_fd);
		g_assert_cmpuint(peer.seen.popped[0], ==, 0);
		peer_enable(&peer, 0, true);
		g_assert_cmpuint(peer.seen.popped[0], ==, 1);
		finish(&peer, kick_fd);
	}
}

static void test_features_while_running(void)
{
	uint64_t features = BIT(VHOST_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1);
	struct peer peer;
	int kick_fd = start(&peer);

	g_assert_cmpuint(peer_call(&peer, VHOST_SET_FEATURES, ACK, &features, 8, -1), ==, 0);
	features |= BIT(VIRTIO_F_RING_PACKED);
	g_assert_cmpuint(peer_call(&peer, VHOST_SET_FEATURES, ACK, &features, 8, -1), !=, 0);
	g_assert_true(vhost_queue_is_enabled(peer.vhost, 0));
	finish(&peer, kick_fd);
}

static void test_display_socket(void)
{
	struct peer peer;

	peer_init(&peer, false);
	peer_negotiate(&peer, ALL_PROTOCOL);
	for (unsigned int i = 1; i <= 3; i++) {
		peer_send(&peer, VHOST_GPU_SET_SOCKET, 0, NULL, 0, peer.mem_fd);
		peer_pump(&peer);
		g_assert_cmpuint(peer.seen.display, ==, i);
		g_assert_cmpint(peer.seen.display_fd, >=, 0);
	}
	peer_finish(&peer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	log_init(G_LOG_LEVEL_CRITICAL);
	g_test_add_func("/vhost/handshake", test_handshake);
	g_test_add_func("/vhost/shapes", test_shapes);
	g_test_add_func("/vhost/bad-index", test_bad_index);
	g_test_add_func("/vhost/unknown", test_unknown);
	g_test_add_func("/vhost/framing", test_framing);
	g_test_add_func("/vhost/byte-by-byte", test_byte_by_byte);
	g_test_add_func("/vhost/hang-up", test_hang_up);
	g_test_add_func("/vhost/config", test_config);
	g_test_add_func("/vhost/memory", test_memory);
	g_test_add_func("/vhost/ring", test_ring);
	g_test_add_func("/vhost/ring-before-memory", test_ring_before_memory);
	g_test_add_func("/vhost/without-protocol-features", test_without_protocol_features);
	g_test_add_func("/vhost/vring-fds", test_vring_fds);
	g_test_add_func("/vhost/odd-vring-fds", test_odd_vring_fds);
	g_test_add_func("/vhost/odd-kick-without-answer", test_odd_kick_without_answer);
	g_test_add_func("/vhost/guest-driven", test_guest_driven);
	g_test_add_func("/vhost/reset", test_reset);
	g_test_add_func("/vhost/features-while-running", test_features_while_running);
	g_test_add_func("/vhost/display-socket", test_display_socket);
	return g_test_run();
}
