/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Messages of the vhost-user-gpu display socket as they are on the wire (QEMU's
 * docs/interop/vhost-user-gpu.rst). All numbers are in this machine's byte order.
 */
#pragma once

#include "gpu/display.h"

#include <stdint.h>

/** enum display_request - Types of messages */
enum display_request {
	DISPLAY_GET_PROTOCOL_FEATURES = 1,
	DISPLAY_SET_PROTOCOL_FEATURES = 2,
	DISPLAY_GET_DISPLAY_INFO = 3,
	DISPLAY_CURSOR_POS = 4,
	DISPLAY_CURSOR_POS_HIDE = 5,
	DISPLAY_CURSOR_UPDATE = 6,
	DISPLAY_SCANOUT = 7,
	DISPLAY_UPDATE = 8,
	DISPLAY_DMABUF_SCANOUT = 9,
	DISPLAY_DMABUF_UPDATE = 10,
	DISPLAY_GET_EDID = 11,
	DISPLAY_DMABUF_SCANOUT2 = 12,
};

/* Bits of the protocol features. */
#define DISPLAY_FEATURE_EDID	(UINT64_C(1) << 0)
#define DISPLAY_FEATURE_DMABUF2 (UINT64_C(1) << 1)

/** Set in the flags of each answer. */
#define DISPLAY_FLAG_REPLY (1u << 2)

/** struct display_header - Before each message; @size: bytes that follow */
struct display_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

/** struct display_wire_features - SET_PROTOCOL_FEATURES */
struct display_wire_features {
	struct display_header header;
	uint64_t features;
} __attribute__((packed));

/** struct display_wire_edid_request - GET_EDID */
struct display_wire_edid_request {
	struct display_header header;
	uint32_t scanout_id;
};

/** struct display_wire_scanout - SCANOUT; 0 x 0 switches it off */
struct display_wire_scanout {
	struct display_header header;
	uint32_t scanout_id;
	uint32_t width;
	uint32_t height;
};

/** struct display_wire_update - UPDATE, followed by its pixels, and DMABUF_UPDATE */
struct display_wire_update {
	struct display_header header;
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

/** struct display_wire_dmabuf - DMABUF_SCANOUT2; DMABUF_SCANOUT ends before @modifier */
struct display_wire_dmabuf {
	struct display_header header;
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
	uint32_t fd_width;
	uint32_t fd_height;
	uint32_t fd_stride;
	uint32_t fd_flags; /* VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP */
	uint32_t fourcc;
	uint64_t modifier;
} __attribute__((packed));

/** struct display_wire_cursor_pos - CURSOR_POS and CURSOR_POS_HIDE */
struct display_wire_cursor_pos {
	struct display_header header;
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
};

/** struct display_wire_cursor_update - CURSOR_UPDATE */
struct display_wire_cursor_update {
	struct display_header header;
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t hot_x;
	uint32_t hot_y;
	uint32_t pixels[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE];
};
