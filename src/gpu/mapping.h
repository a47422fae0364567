/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Blobs in the host-visible shared memory region (VIRTIO_GPU_SHM_ID_HOST_VISIBLE). Inside gpu/
 * only; theory of operation in mapping.c.
 */
#pragma once

#include "gpu/verdict.h"

#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct gpu_mapping;
struct gpu_mappings;
struct gpu_shmem_ops;
struct gpu_tracked_resource;

struct gpu_mappings *gpu_mappings_create(void);

/** gpu_mappings_destroy() - Nothing is mapped any more; answers that are still out are lost. */
void gpu_mappings_destroy(struct gpu_mappings *mappings);

/** gpu_mappings_set_shmem() - Where blobs can be mapped; see gpu_device_set_shmem(). */
void gpu_mappings_set_shmem(
	struct gpu_mappings *mappings, const struct gpu_shmem_ops *ops, void *opaque, uint64_t len);

/** gpu_mapping_drop() - The resource goes: unmap it, if it is mapped, and wait for nothing. */
void gpu_mapping_drop(struct gpu_device *device, struct gpu_tracked_resource *resource);

/**
 * gpu_mapping_drop_context() - A context is gone: unmap the blobs that it made
 *
 * But for those that another context has attached: they are still in use.
 */
void gpu_mapping_drop_context(struct gpu_device *device, uint32_t ctx_id);

/** gpu_mapping_drop_lost() - Contexts of these capsets were lost: unmap the blobs they made. */
void gpu_mapping_drop_lost(struct gpu_device *device, uint64_t capset_mask);

enum gpu_verdict gpu_handle_resource_map_blob(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_resource_unmap_blob(
	struct gpu_device *device, struct gpu_command *command);
