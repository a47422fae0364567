/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The table of resources. Inside gpu/ only. */
#pragma once

#include "gpu/backing.h"
#include "gpu/output.h"
#include "gpu/renderer.h"
#include "gpu/verdict.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct gpu_attachment;
struct gpu_command;
struct gpu_device;
struct gpu_mapping;
struct gpu_resources;

/**
 * struct gpu_tracked_resource - A resource and what the device alone needs of it
 * @base: what the renderer sees; first member
 * @refs: the table's, and one of each wait that is about it
 * @backing: guest addresses; base.iov is their resolution
 * @host_len: bytes counted against GPU_LIMIT_HOSTMEM for the image
 * @outputs: where it is shown
 * @attachments: to contexts (gpu/context.c)
 * @has_uuid: RESOURCE_ASSIGN_UUID was done
 * @is_renderers: the renderer has a side of it; false only for a guest blob in a mode without blobs
 * @mapping: where the guest sees it in the shared memory region, or NULL
 * @mapping_was_dropped: it was mapped until its context ended; the driver, which unmaps it later,
 *	is not told that this came first
 * @blob_hva, @blob_hva_len: our mapping of a host blob's memory, or NULL; made when first shown
 * @udmabuf_fd: a guest blob's pages as a dma-buf, or -1; made when first shown
 */
struct gpu_tracked_resource {
	struct gpu_resource base;
	unsigned int refs;
	struct gpu_backing backing;
	uint64_t host_len;
	gpu_output_mask outputs;
	LIST_HEAD(, gpu_attachment) attachments;
	bool has_uuid;
	uint8_t uuid[16];
	bool is_renderers;
	struct gpu_mapping *mapping;
	bool mapping_was_dropped;
	void *blob_hva;
	size_t blob_hva_len;
	int udmabuf_fd;
};

struct gpu_resources *gpu_resources_create(void);

/** gpu_resources_destroy() - The table; the resources were destroyed before. */
void gpu_resources_destroy(struct gpu_resources *resources);

/** gpu_resource_ref() - Keep the structure; what the guest destroys is empty, but stays. */
struct gpu_tracked_resource *gpu_resource_ref(struct gpu_tracked_resource *resource);
void gpu_resource_unref(struct gpu_tracked_resource *resource);

/** gpu_resource_find() - Return: borrowed, or NULL. */
struct gpu_tracked_resource *gpu_resource_find(struct gpu_device *device, uint32_t id);

/** gpu_resource_require() - The same for a command that needs it: says so where it is missing. */
struct gpu_tracked_resource *gpu_resource_require(
	struct gpu_device *device, const struct gpu_command *command, uint32_t id);

/** gpu_resource_check_new() - Can a new resource have this id? Return: GPU_OK or an error. */
enum gpu_verdict gpu_resource_check_new(
	struct gpu_device *device, struct gpu_command *command, uint32_t id);

/**
 * gpu_resource_add_blob() - Make a blob and enter it into the table
 * @prepared: what it is to be; copied
 * @list: of the guest's pages, read to its end; NULL for none; what is in it is taken, also on failure
 * @host_len: host memory that it will take, bytes
 *
 * Return: GPU_OK, or why not.
 */
enum gpu_verdict gpu_resource_add_blob(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_resource *prepared, struct gpu_page_list *list, uint64_t host_len);

/** gpu_resource_foreach() - Call @fn for each resource; it may not add or destroy any. */
void gpu_resource_foreach(struct gpu_device *device,
	void (*fn)(struct gpu_device *device, struct gpu_tracked_resource *resource, void *opaque),
	void *opaque);

/** gpu_resource_list() - All that are in the table. Return: the list's links are the caller's. */
GList *gpu_resource_list(struct gpu_device *device);

/** gpu_resource_destroy() - It leaves the table now, and its memory soon (gpu/teardown.h). */
void gpu_resource_destroy(struct gpu_device *device, struct gpu_tracked_resource *resource);

/** gpu_resource_destroy_more() - Of one that has left the table. Return: 0; RENDERER_AGAIN: call again. */
int gpu_resource_destroy_more(struct gpu_device *device, struct gpu_tracked_resource *resource);

/** gpu_resource_release_pages() - Let go of the guest's pages; the list of them is kept. */
void gpu_resource_release_pages(struct gpu_device *device, struct gpu_tracked_resource *resource);

/**
 * gpu_resource_take_pages() - Hand pages that were found to the resource, and to the renderer
 * @walk: at its end; what is in it is taken, also on failure
 *
 * Return: 0 or a negative errno.
 */
int gpu_resource_take_pages(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct gpu_page_walk *walk);

enum gpu_verdict gpu_handle_resource_create_2d(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_resource_create_3d(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_resource_unref(struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_resource_attach_backing(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_resource_detach_backing(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_resource_assign_uuid(
	struct gpu_device *device, struct gpu_command *command);
