/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The wire format of vhost-user, as far as this device speaks it: numbers and layouts of the
 * vhost-user specification, sections "Message Specification", "Front-end message types" and
 * "Back-end message types". Everything is in the host's byte order.
 */
#pragma once

#include <linux/vhost_types.h>
#include <stdint.h>

#define VHOST_VERSION	      0x1u
#define VHOST_FLAG_VERSION    0x3u
#define VHOST_FLAG_REPLY      0x4u
#define VHOST_FLAG_NEED_REPLY 0x8u

/** Bit of the virtio features with which protocol features are announced. */
#define VHOST_F_PROTOCOL_FEATURES 30

/** Most descriptors in one message (memory regions of SET_MEM_TABLE). */
#define VHOST_MAX_FDS 8

/** Numbers of messages from the front-end. */
enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_LOG_BASE = 6,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SET_BACKEND_REQ_FD = 21,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_GPU_SET_SOCKET = 33,
	VHOST_RESET_DEVICE = 34,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_SET_STATUS = 39,
	VHOST_GET_STATUS = 40,
	VHOST_GET_SHMEM_CONFIG = 44,
	VHOST_REQUEST_COUNT
};

/** Numbers of messages to the front-end, over the back-end channel. */
enum vhost_backend_request {
	VHOST_BACKEND_CONFIG_CHANGE_MSG = 2,
	VHOST_BACKEND_SHARED_OBJECT_REMOVE = 7,
	VHOST_BACKEND_SHMEM_MAP = 9,
	VHOST_BACKEND_SHMEM_UNMAP = 10,
};

/** Bits of the protocol features. */
enum vhost_protocol_feature {
	VHOST_PROTOCOL_F_MQ = 0,
	VHOST_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_PROTOCOL_F_BACKEND_REQ = 5,
	VHOST_PROTOCOL_F_CONFIG = 9,
	VHOST_PROTOCOL_F_BACKEND_SEND_FD = 10,
	VHOST_PROTOCOL_F_RESET_DEVICE = 13,
	VHOST_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PROTOCOL_F_STATUS = 16,
	VHOST_PROTOCOL_F_SHMEM_MAP = 22,
};

/** SET_VRING_KICK, _CALL, _ERR: the queue's index, and "no descriptor comes along". */
#define VHOST_VRING_INDEX 0xffu
#define VHOST_VRING_NO_FD 0x100u

/** SHMEM_MAP: the pages are writable. */
#define VHOST_SHMEM_WRITABLE 0x1u

/** struct vhost_header - In front of each payload */
struct vhost_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

/** struct vhost_wire_region - A memory region; bytes */
struct vhost_wire_region {
	uint64_t gpa;
	uint64_t len;
	uint64_t uva;
	uint64_t fd_offset;
};

/** struct vhost_wire_table - SET_MEM_TABLE; as many regions as there are descriptors */
struct vhost_wire_table {
	uint32_t region_count;
	uint32_t padding;
	struct vhost_wire_region regions[VHOST_MAX_FDS];
};

/** struct vhost_wire_single - ADD_MEM_REG, REM_MEM_REG */
struct vhost_wire_single {
	uint64_t padding;
	struct vhost_wire_region region;
};

/** struct vhost_wire_config - Head of GET_CONFIG and SET_CONFIG; size bytes follow */
struct vhost_wire_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
};

/** struct vhost_wire_shmem_config - Answer to GET_SHMEM_CONFIG; sizes by shmid, bytes */
struct vhost_wire_shmem_config {
	uint32_t region_count;
	uint32_t padding;
	uint64_t sizes[256];
};

/** struct vhost_wire_mmap - SHMEM_MAP, SHMEM_UNMAP; bytes */
struct vhost_wire_mmap {
	uint8_t shmid;
	uint8_t padding[7];
	uint64_t fd_offset;
	uint64_t shm_offset;
	uint64_t len;
	uint64_t flags;
};

_Static_assert(sizeof(struct vhost_header) == 12, "header");
_Static_assert(sizeof(struct vhost_wire_table) == 8 + 32 * VHOST_MAX_FDS, "memory table");
_Static_assert(sizeof(struct vhost_wire_single) == 40, "single region");
_Static_assert(sizeof(struct vhost_wire_config) == 12, "config head");
_Static_assert(sizeof(struct vhost_wire_shmem_config) == 2056, "shared memory sizes");
_Static_assert(sizeof(struct vhost_wire_mmap) == 40, "mmap request");
_Static_assert(sizeof(struct vhost_vring_state) == 8, "vring state");
_Static_assert(sizeof(struct vhost_vring_addr) == 40, "vring addresses");
