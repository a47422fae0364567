/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/verdict.h"

#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct gpu_tracked_resource;

enum gpu_verdict gpu_handle_transfer_to_host_2d(
	struct gpu_device *device, struct gpu_command *command);
/**
 * gpu_transfer_is_put_off() - Is a transfer to this resource still to be done?
 *
 * A guest shows a picture by a transfer and a flush. The flush that is known to come can do the
 * transfer as it goes, a few lines at a time, so that they are still in the cache when they are sent.
 * At most one transfer is put off, and only from one request to the next.
 */
bool gpu_transfer_is_put_off(
	const struct gpu_device *device, const struct gpu_tracked_resource *resource);

/** gpu_transfer_fetch() - Do so much of it that the resource's lines above @end_y are as the guest's. */
void gpu_transfer_fetch(struct gpu_device *device, uint32_t end_y);

/** gpu_transfer_settle() - Do what is left of a transfer that was put off, if any, and answer it. */
void gpu_transfer_settle(struct gpu_device *device);

/** gpu_handle_transfer_3d() - TRANSFER_TO_HOST_3D and TRANSFER_FROM_HOST_3D. */
enum gpu_verdict gpu_handle_transfer_3d(struct gpu_device *device, struct gpu_command *command);
