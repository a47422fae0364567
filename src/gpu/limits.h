/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdint.h>

/**
 * struct gpu_limits - What one guest may use at most
 * @max_resources: resources at a time
 * @max_contexts: 3D contexts at a time
 * @max_hostmem: host memory for images, backing lists and blobs, bytes; images of 3D resources
 *	are counted by an estimate
 * @max_backing_entries: entries of one backing list
 * @max_total_backing_entries: of all of them: what SET_MEM_TABLE has to resolve again while the
 *	front-end waits
 * @max_submit_len: one command stream, bytes
 *
 * Every limit of the device is here. What goes beyond one gets
 * VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY.
 */
struct gpu_limits {
	uint32_t max_resources;
	uint32_t max_contexts;
	uint64_t max_hostmem;
	uint32_t max_backing_entries;
	uint32_t max_total_backing_entries;
	uint32_t max_submit_len;
};

/**
 * GPU_MAX_COPY_LEN - Bytes that a command copies before everything else gets its turn
 *
 * No vhost-user message waits longer than that takes. A 4K frame is 32 MiB, and is copied at once.
 */
#define GPU_MAX_COPY_LEN (UINT64_C(64) << 20)

#define GPU_LIMITS_DEFAULT                                                                         \
	((struct gpu_limits){                                                                      \
		.max_resources = 65536,                                                            \
		.max_contexts = 1024,                                                              \
		.max_hostmem = UINT64_C(4) << 30,                                                  \
		.max_backing_entries = 1 << 20,                                                    \
		.max_total_backing_entries = 4 << 20,                                              \
		.max_submit_len = 16 << 20,                                                        \
	})
