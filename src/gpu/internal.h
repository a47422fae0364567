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
 */
struct gpu_tracked_resource {
	struct gpu_resource base;
	struct gpu_backing backing;
	uint64_t host_len;
	gpu_scanout_mask scanouts;
	bool has_uuid;
	uint8_t uuid[16];
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
 * @resource: what it shows, or NULL
 * @rect: which part of it
 * @shown_width, @shown_height: what the display was last told; 0 when nothing or a dma-buf
 * @is_dmabuf: the display reads a dma-buf of the resource
 * @staging: pixels of one flush, when the image cannot be sent as it is
 */
struct gpu_scanout {
	struct gpu_tracked_resource *resource;
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
	uint32_t scanout_count;

	GHashTable *resources; /* id -> struct gpu_tracked_resource, owned */
	GHashTable *contexts;  /* id -> struct gpu_context, owned */
	uint64_t hostmem_used;
	struct gpu_scanout scanouts[GPU_SCANOUT_COUNT];
	struct gpu_fences *fences;
	struct gpu_pixel_buffer cursor_staging;
	void *submit_buf; /* kept from command to command */
	size_t submit_room;

	struct gpu_command *parked;
	unsigned int parked_requests; /* of the display, for the parked command */
	int parked_error;	      /* first failure among them */
	unsigned int reshow_requests; /* of the display, by gpu_scanout_reshow() */
};

/* resource.c */
struct gpu_tracked_resource *gpu_resource_find(struct gpu_device *device, uint32_t id);
void gpu_resource_destroy_all(struct gpu_device *device);
uint32_t gpu_handle_resource_create_2d(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_create_3d(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_unref(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_attach_backing(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_detach_backing(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_assign_uuid(struct gpu_device *device, struct gpu_command *command);

/** gpu_hostmem_charge() - Count @len bytes. Return: 0 or -ENOMEM beyond the limit. */
int gpu_hostmem_charge(struct gpu_device *device, uint64_t len);
void gpu_hostmem_release(struct gpu_device *device, uint64_t len);

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
void gpu_scanout_disable_all(struct gpu_device *device);
uint32_t gpu_handle_set_scanout(struct gpu_device *device, struct gpu_command *command);
uint32_t gpu_handle_resource_flush(struct gpu_device *device, struct gpu_command *command);

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
struct gpu_command *gpu_device_unpark(struct gpu_device *device, int error);
