/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The cross-domain protocol, as rutabaga_gfx speaks it (its cross_domain_protocol.rs, versions 0.1.3
 * and 0.1.85). All numbers are in the byte order of the machine, which guest and host share.
 */
#pragma once

#include <stdint.h>

enum cross_domain_command {
	CROSS_DOMAIN_INIT = 1,
	CROSS_DOMAIN_GET_IMAGE_REQUIREMENTS = 2,
	CROSS_DOMAIN_POLL = 3,
	CROSS_DOMAIN_SEND = 4,
	CROSS_DOMAIN_RECEIVE = 5, /* in the ring */
	CROSS_DOMAIN_READ = 6,	  /* in the ring */
	CROSS_DOMAIN_WRITE = 7,
	CROSS_DOMAIN_READ_CREATE_EVENT = 11,  /* 0.1.85 */
	CROSS_DOMAIN_ASSIGN_SOCKET_UUID = 13, /* 0.1.85 */
};

#define CROSS_DOMAIN_MAX_IDENTIFIERS 28

/* A message of a channel may fill it, but for data of pipes, which come as the ring has room. */
#define CROSS_DOMAIN_MIN_RING_LEN 4096

/* enum of identifier_types: the guest reads, the host gets the other end */
#define CROSS_DOMAIN_READ_PIPE 3

/* Timelines of a context */
#define CROSS_DOMAIN_QUERY_RING	  0
#define CROSS_DOMAIN_CHANNEL_RING 1

struct cross_domain_header {
	uint8_t command;
	uint8_t ring_idx;
	uint16_t len; /* of the command, bytes */
	uint32_t padding;
};

/* 0.1.85 has a longer one too, which ends in a UUID of 16 bytes. */
struct cross_domain_init {
	struct cross_domain_header header;
	uint32_t query_ring_id;
	uint32_t channel_ring_id;
	uint32_t channel_type; /* 0: none */
};

/* ChromeOS' old one: its ring is for both. */
struct cross_domain_init_legacy {
	struct cross_domain_header header;
	uint32_t ring_id;
	uint32_t channel_type;
};

/* SEND and RECEIVE; data follows */
struct cross_domain_receive {
	struct cross_domain_header header;
	uint32_t identifier_count;
	uint32_t data_len;
	uint32_t identifiers[CROSS_DOMAIN_MAX_IDENTIFIERS];
	uint32_t identifier_types[CROSS_DOMAIN_MAX_IDENTIFIERS];
	uint32_t identifier_sizes[CROSS_DOMAIN_MAX_IDENTIFIERS];
};

/* READ and WRITE; data follows */
struct cross_domain_read {
	struct cross_domain_header header;
	uint32_t identifier;
	uint32_t hang_up;
	uint32_t data_len;
	uint32_t padding;
};

/* GET_IMAGE_REQUIREMENTS */
struct cross_domain_query {
	struct cross_domain_header header;
	uint32_t width;
	uint32_t height;
	uint32_t drm_format;
	uint32_t flags;
};

/* and its answer */
struct cross_domain_requirements {
	uint32_t strides[4];
	uint32_t offsets[4];
	uint64_t modifier;
	uint64_t size;
	uint32_t blob_id;
	uint32_t map_info;
	int32_t memory_index;
	int32_t physical_device_index;
};
