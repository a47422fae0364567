/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The guest's pages that resources hold, when the memory table changes. Inside gpu/ only.
 *
 * Before a region goes everybody lets go of all pages, at once, since the mapping goes away. After each
 * change those that are missing are looked up again, in steps: a guest may have millions of entries in
 * its lists, and the front-end waits for the answer to its message. Both queues stand still until all are
 * found.
 */
#pragma once

#include <stdbool.h>

struct gpu_device;
struct gpu_paging;
struct gpu_tracked_resource;

struct gpu_paging *gpu_paging_create(void);
void gpu_paging_destroy(struct gpu_paging *paging);

/** gpu_paging_release() - Let go of all guest memory; the lists are kept. */
void gpu_paging_release(struct gpu_device *device);

/** gpu_paging_resolve() - Begin to look up all lists whose pages are missing. */
void gpu_paging_resolve(struct gpu_device *device);

/** gpu_paging_forget() - All resources are about to go. */
void gpu_paging_forget(struct gpu_device *device);

/** gpu_paging_is_busy() - Are there lists that have not been looked up again? */
bool gpu_paging_is_busy(const struct gpu_device *device);
