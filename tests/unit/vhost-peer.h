/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The front-end's end of a vhost-user connection, for tests, and a record of the events that the
 * back-end's end brought about. Everything runs in one thread: peer_pump() runs the back-end's main
 * loop until it has nothing to do.
 */
#pragma once

#include "vhost/protocol.h"
#include "vhost/vhost.h"

#define PEER_QUEUES    2u
#define PEER_MEM_LEN   UINT64_C(0x10000)
#define PEER_GPA       UINT64_C(0x40000000)
#define PEER_UVA       UINT64_C(0x7f1200000000)
#define PEER_RING_SIZE 8u

/* Offsets in the memory: each queue's ring takes 0x3000 bytes. */
#define PEER_DESC(queue)  (0x3000u * (queue))
#define PEER_AVAIL(queue) (0x3000u * (queue) + 0x1000u)
#define PEER_USED(queue)  (0x3000u * (queue) + 0x2000u)

#define BIT(n) (UINT64_C(1) << (n))

/** struct peer_events - What was called, how often, with what */
struct peer_events {
	unsigned int set_features, changing, changed, reset, display, closed;
	bool is_changing;
	unsigned int ready[PEER_QUEUES], stopping[PEER_QUEUES], popped[PEER_QUEUES];
	unsigned int started[PEER_QUEUES];
	bool is_new[PEER_QUEUES];
	uint64_t features;
	uint32_t config_offset, config_len;
	uint8_t config[VHOST_MAX_CONFIG_LEN];
	int display_fd;
	int error;
	char reason[128];
};

/** struct peer - A connection with its two ends */
struct peer {
	GMainContext *context;
	struct vhost *vhost;
	int fd;
	int mem_fd;
	uint8_t *mem;
	unsigned int fds_before;
	struct peer_events seen;
};

/** peer_init() - Connect; @has_shmem offers the region of shmid 1. */
void peer_init(struct peer *peer, bool has_shmem);

/** peer_finish() - Take all down, and check that no descriptor is left open. */
void peer_finish(struct peer *peer);

/** peer_negotiate() - Protocol features, SET_OWNER and VERSION_1, as a front-end begins. */
void peer_negotiate(struct peer *peer, uint64_t protocol_features);

void peer_pump(struct peer *peer);

/** peer_send() - Send one message; @fd goes along where it is not -1. */
void peer_send(struct peer *peer, uint32_t request, uint32_t flags, const void *payload,
	uint32_t len, int fd);

/** peer_send_bytes() - Send any bytes with any descriptors on any socket. */
void peer_send_bytes(int socket_fd, const void *bytes, size_t len, const int *fds, size_t fd_count);

/** peer_receive() - Read one message, if there is one. Return: whether; *ret_fd -1 for none. */
bool peer_receive(int socket_fd, struct vhost_header *header, void *payload, int *ret_fd);

/** peer_call() - Send, run the loop, and take the 64-bit answer. */
uint64_t peer_call(struct peer *peer, uint32_t request, uint32_t flags, const void *payload,
	uint32_t len, int fd);

/** peer_set_memory() - SET_MEM_TABLE with the whole memory in one region. */
void peer_set_memory(struct peer *peer);

/** peer_region() - That region. */
struct vhost_wire_region peer_region(void);

/** peer_set_ring() - NUM, BASE and ADDR of a queue. */
void peer_set_ring(struct peer *peer, unsigned int queue);

/** peer_set_kick() - SET_VRING_KICK; the descriptor stays ours. */
void peer_set_kick(struct peer *peer, unsigned int queue, int fd);

void peer_enable(struct peer *peer, unsigned int queue, bool enable);

/** peer_add_chain() - Make a chain of one empty writable descriptor available. */
void peer_add_chain(struct peer *peer, unsigned int queue);

unsigned int peer_count_fds(void);
