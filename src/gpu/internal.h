/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The device's state and the handlers of its commands. Inside gpu/ only.
 */
#pragma once

#include "gpu/backing.h"
#include "gpu/command.h"
#include "gpu/device.h"
#include "gpu/fence.h"
#include "gpu/mapping.h"
#include "gpu/pixels.h"

#include <endian.h>

/** VIRTIO_GPU_MAX_SCANOUTS outputs; those above the front-end's number never get a resource. */
#define GPU_SCANOUT_COUNT VIRTIO_GPU_MAX_SCANOUTS

/** Set of scanouts: bit i is scanout i. */
typedef uint32_t gpu_scanout_mask;

/**
 * struct gpu_tracked_resource - A resource and what the device alone needs of it
 * @base: what the renderer sees; first member
 * @backing: guest addresses; base.iov is their resolution
 * @host_len: bytes counted against max_hostmem for the image
 * @scanouts: where it is shown
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
	struct gpu_backing backing;
	uint64_t host_len;
	gpu_scanout_mask scanouts;
	bool has_uuid;
	uint8_t uuid[16];
	bool is_renderers;
	struct gpu_mapping *mapping;
	bool mapping_was_dropped;
	void *blob_hva;
	size_t blob_hva_len;
	int udmabuf_fd;
};

/**
 * struct gpu_context - A 3D context
 * @resources: set of ids attached to it
 */
struct gpu_context {
	uint32_t id;
	uint32_t capset_id;
	GHashTable *resources;
};

/**
 * struct gpu_scanout - An output
 * @framebuffer: what it shows; its resource is NULL for nothing
 * @rect: which part of it
 * @shown_width, @shown_height: what the display was last told; 0 when nothing or a dma-buf
 * @is_dmabuf: the display reads a dma-buf of the resource
 * @staging: pixels of one flush, when the image cannot be sent as it is
 */
struct gpu_scanout {
	struct gpu_framebuffer framebuffer;
	struct gpu_rect rect;
	uint32_t shown_width;
	uint32_t shown_height;
	bool is_dmabuf;
	struct gpu_pixel_buffer staging;
};

/** struct gpu_device - See gpu/device.h */
struct gpu_device {
	struct renderer *renderer;
	struct display *display;
	struct guest_memory *memory;
	struct gpu_limits limits;
	const struct gpu_device_events *events;
	void *events_opaque;

	GHashTable *resources; /* id -> struct gpu_tracked_resource, owned */
	GHashTable *contexts;  /* id -> struct gpu_context, owned */
	uint64_t hostmem_used;
	struct gpu_scanout scanouts[GPU_SCANOUT_COUNT];
	struct gpu_fences *fences;
	struct gpu_mappings *mappings;
	const struct gpu_shmem_ops *shmem_ops; /* NULL: no shared memory region */
	void *shmem_opaque;
	uint64_t shmem_len;
	struct gpu_pixel_buffer cursor_staging;
	void *submit_buf; /* kept from command to command */
	size_t submit_room;

	struct gpu_command *parked;
	unsigned int parked_requests; /* of the display, for the parked command */
	unsigned int reshow_requests; /* of the display, by gpu_scanout_reshow() */
};

/* resource.c */
/**
 * gpu_resource_add() - Make a resource and enter it into the table
 * @prepared: what it is to be; copied
 * @backing: of a blob, NULL for none; taken, also on failure
 * @host_len: host memory that it will take, bytes
 *
 * Return: VIRTIO_GPU_RESP_OK_NODATA, or why not.
 */
uint32_t gpu_resource_add(struct gpu_device *device, struct gpu_command *command,
	const struct gpu_resource *prepared, struct gpu_backing *backing, uint64_t host_len);
/** gpu_resource_check_new() - Can a new resource have this id? Return: 0 or a response code. */
uint32_t gpu_resource_check_new(
	struct gpu_device *device, struct gpu_command *command, uint32_t id);
struct gpu_tracked_resource *gpu_resource_find(struct gpu_device *device, uint32_t id);
/** gpu_resource_require() - The same for a command that needs it: says so where it is missing. */
struct gpu_tracked_resource *gpu_resource_require(
	struct gpu_device *device, const struct gpu_command *command, uint32_t id);
void gpu_resource_destroy_all(struct gpu_device *device);
uint32_t gpu_handle_resource_create_2d(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_create_3d(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_unref(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_attach_backing(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_detach_backing(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_assign_uuid(struct gpu_device *device, struct gpu_command *command);

/** gpu_resource_release_memory() - Let go of all guest memory; the lists are kept. */
void gpu_resource_release_memory(struct gpu_device *device);
/** gpu_resource_resolve_memory() - Resolve all lists again. */
void gpu_resource_resolve_memory(struct gpu_device *device);

/** gpu_hostmem_charge() - Count @len bytes. Return: 0 or -ENOMEM beyond the limit. */
int gpu_hostmem_charge(struct gpu_device *device, uint64_t len);
void gpu_hostmem_release(struct gpu_device *device, uint64_t len);

/* blob.c */
uint32_t gpu_handle_resource_create_blob(struct gpu_device *device, struct gpu_command *command);
/**
 * gpu_blob_export() - A host blob's memory as a descriptor that can be mapped
 *
 * Return: 0; -ENOTSUP where it has none; the renderer's error.
 */
int gpu_blob_export(struct gpu_device *device, struct gpu_tracked_resource *resource,
	struct renderer_blob *ret_blob);
/** gpu_blob_memory() - A blob's memory in one piece, or NULL where it is not. Borrowed. */
const uint8_t *gpu_blob_memory(struct gpu_device *device, struct gpu_tracked_resource *resource);
/** gpu_blob_read_rect() - Copy a rectangle out of scattered guest pages. Return: 0 or -EFAULT. */
int gpu_blob_read_rect(const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect,
	void *dst, size_t stride);
/** gpu_blob_export_dmabuf() - As the renderer's hook, for a blob. */
int gpu_blob_export_dmabuf(struct gpu_device *device, const struct gpu_framebuffer *framebuffer,
	struct renderer_dmabuf *ret_dmabuf);
/** gpu_blob_release() - Give back what the three above made of a blob. */
void gpu_blob_release(struct gpu_tracked_resource *resource);

/* transfer.c */
uint32_t gpu_handle_transfer_to_host_2d(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_transfer_to_host_3d(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_transfer_from_host_3d(struct gpu_device *device, struct gpu_command *command);

/* context.c */
struct gpu_context *gpu_context_find(struct gpu_device *device, uint32_t id);
void gpu_context_destroy_all(struct gpu_device *device);
void gpu_context_forget_resource(struct gpu_device *device, struct gpu_tracked_resource *resource);
uint32_t gpu_handle_ctx_create(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_ctx_destroy(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_ctx_attach_resource(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_ctx_detach_resource(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_submit_3d(struct gpu_device *device, struct gpu_command *command);

/* capset.c */
/** gpu_capset_find() - A capset that the renderer has. Return: a row of its list, or NULL. */
const struct renderer_capset *gpu_capset_find(const struct renderer *renderer, uint32_t id);
uint32_t gpu_handle_get_capset_info(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_get_capset(struct gpu_device *device, struct gpu_command *command);

/* scanout.c */
/** gpu_rect_from_guest() - Byte order; the rectangle is not checked. */
struct gpu_rect gpu_rect_from_guest(const struct virtio_gpu_rect *rect);
/** gpu_rect_is_inside() - The one rectangle check: is all of @rect in @width x @height? */
bool gpu_rect_is_inside(const struct gpu_rect *rect, uint32_t width, uint32_t height);
/** gpu_rect_intersect() - Return: false where nothing is left. */
bool gpu_rect_intersect(
	const struct gpu_rect *a, const struct gpu_rect *b, struct gpu_rect *ret_rect);
/** gpu_scanout_disable() - Show nothing on this output. */
void gpu_scanout_disable(struct gpu_device *device, uint32_t scanout_id);
/** gpu_scanout_reshow() - Tell a new display what is shown. */
void gpu_scanout_reshow(struct gpu_device *device);
/** gpu_scanout_memory_changed() - Hand out dma-bufs of guest pages again, after the resolution. */
void gpu_scanout_memory_changed(struct gpu_device *device);
void gpu_scanout_disable_all(struct gpu_device *device);
/**
 * gpu_scanout_find() - The resource of a SET_SCANOUT
 * @ret_resource: NULL for resource 0: show nothing
 *
 * Return: 0, or a response code where the scanout or the resource does not exist.
 */
uint32_t gpu_scanout_find(struct gpu_device *device, struct gpu_command *command,
	uint32_t scanout_id, uint32_t resource_id, struct gpu_tracked_resource **ret_resource);
/** gpu_scanout_set() - Show @rect of @framebuffer; both were checked. */
void gpu_scanout_set(struct gpu_device *device, uint32_t scanout_id,
	const struct gpu_framebuffer *framebuffer, const struct gpu_rect *rect);
uint32_t gpu_handle_set_scanout(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_flush(struct gpu_device *device, struct gpu_command *command);

/* scanout_blob.c */
uint32_t gpu_handle_set_scanout_blob(struct gpu_device *device, struct gpu_command *command);

/* cursor.c */
uint32_t gpu_handle_update_cursor(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_move_cursor(struct gpu_device *device, struct gpu_command *command);

/* information.c */
uint32_t gpu_handle_get_display_info(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_get_edid(struct gpu_device *device, struct gpu_command *command);

/* device.c */
/**
 * gpu_device_park() - Stop the control queue behind a command that waits for the display
 * @requests: how many answers it waits for
 */
void gpu_device_park(struct gpu_device *device, struct gpu_command *command, unsigned int requests);

/**
 * gpu_device_unpark() - One of the answers came
 *
 * Return: the command when it was the last; its handler finishes it. NULL before that.
 */
struct gpu_command *gpu_device_unpark(struct gpu_device *device);
