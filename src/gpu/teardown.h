/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The end of resources and contexts, in steps: giving back gigabytes, or all that a guest had before a
 * reset, takes longer than a turn. Both queues stand still until it is done, so that nobody meets what
 * is half gone. Inside gpu/ only.
 */
#pragma once

#include <stdbool.h>

struct gpu_context;
struct gpu_device;
struct gpu_teardown;
struct gpu_tracked_resource;

struct gpu_teardown *gpu_teardown_create(void);

/** gpu_teardown_destroy() - After gpu_teardown_finish(). */
void gpu_teardown_destroy(struct gpu_teardown *teardown);

/** gpu_teardown_resource() - A resource that has left the table, and is not gone yet; taken. */
void gpu_teardown_resource(struct gpu_device *device, struct gpu_tracked_resource *resource);

/** gpu_teardown_context() - A context that is in its table, and half gone. */
void gpu_teardown_context(struct gpu_device *device, struct gpu_context *context);

/** gpu_teardown_all() - All contexts and resources, for a reset. */
void gpu_teardown_all(struct gpu_device *device);

/** gpu_teardown_finish() - Do what is left now, however long it takes: the session ends. */
void gpu_teardown_finish(struct gpu_device *device);

/** gpu_teardown_is_busy() - Is something half gone? */
bool gpu_teardown_is_busy(const struct gpu_device *device);

/** gpu_teardown_takes_all() - Is everything going, so that nobody needs a resource any more? */
bool gpu_teardown_takes_all(const struct gpu_device *device);
