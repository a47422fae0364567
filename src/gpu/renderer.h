/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The contract between the device and a renderer. The only header of ours, util/ aside, that a
 * renderer includes.
 *
 * The device has checked everything that can be checked before it calls a hook: ids exist (or do
 * not, at creation), formats are known, rectangles and boxes lie inside the resource, the backing
 * is long enough for a 2D transfer, sizes are within the limits. What only the renderer can know
 * (the meaning of a 3D format, a command stream) it checks itself, and it survives all of it.
 *
 * All hooks are called on the main loop's thread, never from inside an event. Hooks return 0 or a
 * negative errno unless they say otherwise; after a failure everything is as before the call:
 *	-ENOMEM	 the guest sees VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
 *	-EINVAL	 the guest sees VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
 *	-ENOTSUP and all others: VIRTIO_GPU_RESP_ERR_UNSPEC
 * Hooks that may have much to do say so below. They work in parts of well under a millisecond,
 * charge each to @turn (util/turn.h), and return RENDERER_AGAIN when the turn is over and more is
 * left. The device then gives the main loop its turn and calls the hook again, with the same
 * arguments, until it returns something else. Each call does at least one part. In between
 *	- nothing else of the control queue is carried out, but the queue may stop, which ends the
 *	  command: the hook is not called again;
 *	- the backing may have moved to other addresses.
 *
 * A hook that is NULL means that the renderer cannot do this; gpu/renderer_calls.h supplies what
 * the device does then.
 */
#pragma once

#include <glib.h>
#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct renderer;
struct sandbox;
struct sandbox_needs;
struct turn;

/** RENDERER_AGAIN - Returned by a hook that has more to do when the turn is over */
#define RENDERER_AGAIN 1

/** enum gpu_resource_kind - Which command made the resource */
enum gpu_resource_kind {
	GPU_RESOURCE_2D,   /* RESOURCE_CREATE_2D */
	GPU_RESOURCE_3D,   /* RESOURCE_CREATE_3D */
	GPU_RESOURCE_BLOB, /* RESOURCE_CREATE_BLOB */
};

/** struct gpu_resource_3d - The arguments of RESOURCE_CREATE_3D that 2D has not */
struct gpu_resource_3d {
	uint32_t target;
	uint32_t bind;
	uint32_t depth;
	uint32_t array_size;
	uint32_t last_level;
	uint32_t nr_samples;
	uint32_t flags; /* VIRTIO_GPU_RESOURCE_FLAG_* */
};

/** struct gpu_resource_blob - The arguments of RESOURCE_CREATE_BLOB */
struct gpu_resource_blob {
	uint32_t mem;	/* VIRTIO_GPU_BLOB_MEM_* */
	uint32_t flags; /* VIRTIO_GPU_BLOB_FLAG_* */
	uint32_t ctx_id;
	uint64_t id;
	uint64_t size; /* bytes */
};

/**
 * struct gpu_resource - A resource, as a renderer sees it
 * @id: the guest's id, never 0
 * @format: 2D: enum virtio_gpu_formats; 3D: the renderer's own numbers; blob: 0
 * @width: pixels; blob: 0
 * @height: pixels; blob: 0
 * @iov: the guest memory attached as backing, resolved to our addresses; NULL without backing.
 *	It belongs to the device and stays in place until detach_backing().
 * @iov_starts: where each of them begins in the backing, bytes; NULL where nobody has said
 * @iov_count: elements in @iov
 * @backing_len: bytes in @iov
 * @renderer_data: the renderer's own
 * @progress: the renderer's own: how far resource_create() or resource_destroy() got; 0 at first
 * @has_lendable_image: what get_pixels() borrows is memory of util/lendable.h
 *
 * Belongs to the device; a renderer writes @renderer_data, @progress and @has_lendable_image only.
 */
struct gpu_resource {
	uint32_t id;
	enum gpu_resource_kind kind;
	uint32_t format;
	uint32_t width;
	uint32_t height;
	struct gpu_resource_3d args_3d;
	struct gpu_resource_blob blob;
	struct iovec *iov;
	uint64_t *iov_starts;
	unsigned int iov_count;
	uint64_t backing_len;
	void *renderer_data;
	uint64_t progress;
	bool has_lendable_image;
};

/** struct gpu_rect - A rectangle, pixels; never empty and inside its resource when a hook sees it */
struct gpu_rect {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

/**
 * struct gpu_transfer_3d - TRANSFER_TO_HOST_3D and TRANSFER_FROM_HOST_3D
 * @done: the renderer's own: how far it got; 0 at the first call, and when there is no other
 */
struct gpu_transfer_3d {
	struct virtio_gpu_box box; /* host byte order; not checked against 3D formats */
	uint64_t offset;	   /* into the backing, bytes */
	uint32_t level;
	uint32_t stride;       /* bytes, 0: tight */
	uint32_t layer_stride; /* bytes, 0: tight */
	uint64_t done;
};

/**
 * struct renderer_fence - A point on a timeline
 * @has_ring: true: the timeline is (ctx_id, ring_idx); false: the global one
 * @ctx_id: context that made it; on the global timeline the one of the command, or 0
 * @ring_idx: below 64
 * @seqno: given by the device, strictly increasing on each timeline (not the guest's fence_id)
 */
struct renderer_fence {
	bool has_ring;
	uint32_t ctx_id;
	uint32_t ring_idx;
	uint64_t seqno;
};

/** struct renderer_capset - A capability set that the running renderer has */
struct renderer_capset {
	uint32_t id; /* VIRTIO_GPU_CAPSET_* */
	uint32_t max_version;
	uint32_t max_size; /* bytes */
};

/**
 * struct renderer_dmabuf - A resource's image as a dma-buf
 * @fd: owned by the caller of export_dmabuf()
 * @modifier: DRM_FORMAT_MOD_*, DRM_FORMAT_MOD_INVALID where it is not known
 * @y_0_top: the resource has VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP: whatever the name says, the last
 *	line in memory is then the top of the picture; false where the first one is
 */
struct renderer_dmabuf {
	int fd;
	uint32_t width;
	uint32_t height;
	uint32_t fourcc; /* DRM_FORMAT_* */
	uint64_t modifier;
	uint32_t stride; /* bytes */
	uint32_t offset; /* bytes */
	bool y_0_top;
};

/** enum renderer_handle_type - What kind of descriptor a blob is exported as */
enum renderer_handle_type {
	RENDERER_HANDLE_DMABUF,
	RENDERER_HANDLE_SHM,
	RENDERER_HANDLE_OPAQUE, /* cannot be mapped */
};

/**
 * struct renderer_blob - A blob's memory as a descriptor
 * @fd: owned by the caller of export_blob()
 * @fd_offset: where the blob begins in the file, bytes; a multiple of the page size
 * @map_info: VIRTIO_GPU_MAP_CACHE_*
 * @is_read_only: the memory is another's, who lets it be read
 */
struct renderer_blob {
	int fd;
	uint64_t fd_offset;
	enum renderer_handle_type type;
	uint32_t map_info;
	bool is_read_only;
};

/** struct renderer_events - Calls upward; set by the device before its first call */
struct renderer_events {
	/**
	 * A fence signalled, and with it all earlier ones of its timeline. May be called on any
	 * thread, and from inside create_fence(). The receiver only enqueues.
	 */
	void (*fence_signalled)(void *opaque, const struct renderer_fence *fence);

	/**
	 * What carried out the contexts of these capsets is gone: they do nothing any more, and
	 * their memory is no longer what the guest believes. Main loop's thread, not from a hook.
	 * @capset_mask: bit (1 << VIRTIO_GPU_CAPSET_*) for each capset
	 */
	void (*contexts_lost)(void *opaque, uint64_t capset_mask);
};

/** struct renderer_ops - The hooks; see the top of the file for threads and errors */
struct renderer_ops {
	/**
	 * Free everything. All contexts and resources were destroyed before. When it returns no
	 * event comes any more, whatever a thread of the renderer's still does.
	 */
	void (*destroy)(struct renderer *renderer);

	/** Write at most @len (the capset's max_size) bytes of a capset this renderer listed. */
	int (*get_capset)(struct renderer *renderer, uint32_t capset_id, uint32_t version,
		void *buf, size_t len);

	/**
	 * @capset_id: what CONTEXT_INIT asked for, one of ours; 0: the renderer's default.
	 * @name: a debug name, NUL-terminated, valid for the call only.
	 */
	int (*ctx_create)(
		struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name);

	/**
	 * Resources attached to the context stay, and are not detached before. Pending fences of it
	 * signal or never do.
	 */
	void (*ctx_destroy)(struct renderer *renderer, uint32_t ctx_id);

	/** May return RENDERER_AGAIN. */
	int (*ctx_attach_resource)(
		struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource);
	void (*ctx_detach_resource)(
		struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource);

	/**
	 * Make the host's side of a resource, of the kind that @resource->kind says. Of an image, not of a
	 * blob, it may return RENDERER_AGAIN; if the command ends then, resource_destroy() is called.
	 */
	int (*resource_create)(struct renderer *renderer, struct gpu_resource *resource);

	/**
	 * Its backing, and all contexts that had it, were detached before. Return: 0; RENDERER_AGAIN:
	 * call again, no other hook of this resource comes any more.
	 */
	int (*resource_destroy)(struct renderer *renderer, struct gpu_resource *resource);

	/**
	 * @resource->iov was just set. For blobs it is set before resource_create(), which is not
	 * followed by this; but detach and attach are when the guest's memory table changes.
	 */
	int (*attach_backing)(struct renderer *renderer, struct gpu_resource *resource);

	/** Forget @resource->iov; it is freed when this returns. */
	void (*detach_backing)(struct renderer *renderer, struct gpu_resource *resource);

	/**
	 * TRANSFER_TO_HOST_2D: line i of the rectangle is at @offset + i * (width of the resource
	 * in bytes) of the backing; the device checked that all of it is there.
	 */
	int (*transfer_to_host_2d)(struct renderer *renderer, struct gpu_resource *resource,
		const struct gpu_rect *rect, uint64_t offset);

	/**
	 * @ctx_id: 0 or an existing context. The resource has backing. May return RENDERER_AGAIN, and
	 * keeps in @transfer->done how far it got.
	 */
	int (*transfer_to_host_3d)(struct renderer *renderer, uint32_t ctx_id,
		struct gpu_resource *resource, struct gpu_transfer_3d *transfer);
	int (*transfer_from_host_3d)(struct renderer *renderer, uint32_t ctx_id,
		struct gpu_resource *resource, struct gpu_transfer_3d *transfer);

	/**
	 * @commands: a private copy, aligned to 8, written to; @len: bytes, not 0.
	 * @done: bytes that earlier calls have carried out, 0 at first. May return RENDERER_AGAIN.
	 */
	int (*submit)(struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len,
		size_t *done);

	/**
	 * Signal @fence when all that was submitted before on its timeline is done. NULL: the
	 * renderer is synchronous, and the device answers at once.
	 */
	int (*create_fence)(struct renderer *renderer, const struct renderer_fence *fence);

	/**
	 * Borrow the image in our memory, top line first, in @resource->format: valid until the
	 * resource changes. NULL hook or NULL returned: use read_rect().
	 */
	const void *(*get_pixels)(
		struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride);

	/**
	 * Copy a rectangle out, top line first, in @resource->format.
	 * @dst: @stride times @rect->height bytes; all that the lines' pixels take is written
	 * @stride: bytes from line to line in @dst, a multiple of 4; at least what a line takes
	 */
	int (*read_rect)(struct renderer *renderer, struct gpu_resource *resource,
		const struct gpu_rect *rect, void *dst, size_t stride);

	/**
	 * The same of a host blob that is an image of the renderer's own, where its memory cannot be
	 * mapped. @format: what the guest takes its pixels for, enum virtio_gpu_formats. -EINVAL where
	 * the rectangle is not inside the image or the format is another.
	 */
	int (*read_blob)(struct renderer *renderer, struct gpu_resource *resource, uint32_t format,
		const struct gpu_rect *rect, void *dst, size_t stride);

	/** Is there a dma-buf of this resource's image? -ENOTSUP where the host has none. */
	int (*export_dmabuf)(struct renderer *renderer, struct gpu_resource *resource,
		struct renderer_dmabuf *ret_dmabuf);

	/** The memory of a HOST3D blob. */
	int (*export_blob)(struct renderer *renderer, struct gpu_resource *resource,
		struct renderer_blob *ret_blob);
};

/** Longest description of a renderer, its NUL included. */
#define RENDERER_DESCRIPTION_LEN 512

/** Room for the capsets of one renderer. */
#define RENDERER_MAX_CAPSETS 8

/**
 * struct renderer - Base of every renderer, embedded as its first member
 * @ops: constant
 * @capsets: what runs, in the order of GET_CAPSET_INFO's index; filled by create()
 * @capset_count: 0 for a renderer without 3D
 * @description: what draws, and what could not be had, for one line of the log; empty: nothing to say;
 *	filled by create()
 * @has_3d: offer VIRTIO_GPU_F_VIRGL and the 3D commands
 * @has_blob: offer VIRTIO_GPU_F_RESOURCE_BLOB with host blobs
 * @events, @events_opaque: the device's
 * @turn: the device's; NULL without one: a turn that never ends
 */
struct renderer {
	const struct renderer_ops *ops;
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned int capset_count;
	char description[RENDERER_DESCRIPTION_LEN];
	bool has_3d;
	bool has_blob;
	const struct renderer_events *events;
	void *events_opaque;
	struct turn *turn;
};

/**
 * struct renderer_option - A command line option that a mode has
 * @name: without the two dashes
 * @metavar: what the value that follows is called; NULL: true or false follows. An option with a
 *	value can be given several times, and each counts.
 * @initial: "true" or "false"; NULL where there is a value
 * @help: a few words, for --help
 * @man: whole sentences in man(7) markup, for the man page
 * @confine: where it is given, or on: add to the sandbox what @value needs; NULL: nothing
 *
 * Modes that understand the same option share the row: it is known by its address.
 */
struct renderer_option {
	const char *name;
	const char *metavar;
	const char *initial;
	const char *help;
	const char *man;
	void (*confine)(struct sandbox *sandbox, const char *value);
};

/** Most options that all modes have together, and most that can be given to one. */
#define RENDERER_MAX_OPTIONS  16
#define RENDERER_MAX_SETTINGS 32

/**
 * struct renderer_setting - What the user said about an option; @option NULL: no more follow
 * @value: where the option has one; borrowed, it outlives the options
 */
struct renderer_setting {
	const struct renderer_option *option;
	bool is_on;
	const char *value;
};

/**
 * struct renderer_options - What the user asked for
 * @settings: options of the mode; those that are not there have their initial value
 * @capset_mask: bit (1 << VIRTIO_GPU_CAPSET_*) for each capset asked for; 0: all that start
 * @tried_capset_mask: the capsets that a probe with these options found; 0: there was no probe
 * @render_node: path such as /dev/dri/renderD128, or NULL: choose, or do without
 * @sandbox: what helper programs are confined by, or NULL; borrowed
 * @context: main context for the renderer's own sources
 */
struct renderer_options {
	struct renderer_setting settings[RENDERER_MAX_SETTINGS + 1];
	uint64_t capset_mask;
	uint64_t tried_capset_mask;
	const char *render_node;
	const struct sandbox *sandbox;
	GMainContext *context;
};

/** struct renderer_capset_name - A capset that a mode can have, as --capset spells it */
struct renderer_capset_name {
	const char *name;
	uint32_t id;
	const char *summary;
};

/**
 * struct renderer_type - A row of the table of renderers: one value of --gpu-mode
 * @name: the value
 * @summary: for --help
 * @meson_option: what switches it on in a build; NULL: it always is
 * @package: what a distribution calls the library it needs; NULL for none
 * @capsets: what it can have, ended by a NULL name; NULL for none
 * @options: what it understands on the command line, ended by NULL; NULL for none
 * @needs: what the sandbox leaves open for it; NULL for nothing of its own
 * @create: NULL where it was not built
 *
 * @create returns 0 with the renderer, or a negative errno with *ret_message, one line that says,
 * without the mode's name, what was tried and what failed, freed by the caller with g_free(). It may start threads and
 * helper processes. It runs before the first byte from the front-end is read, in the sandbox's first
 * stage.
 */
struct renderer_type {
	const char *name;
	const char *summary;
	const char *meson_option;
	const char *package;
	const struct renderer_capset_name *capsets;
	const struct renderer_option *const *options;
	const struct sandbox_needs *needs;
	int (*create)(const struct renderer_options *options, struct renderer **ret_renderer,
		char **ret_message);
};

/* Capset numbers that an older linux/virtio_gpu.h does not have (virtio 1.3, section 5.7.6.7). */
#ifndef VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN
#define VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN 3
#endif
#ifndef VIRTIO_GPU_CAPSET_VENUS
#define VIRTIO_GPU_CAPSET_VENUS 4
#endif
#ifndef VIRTIO_GPU_CAPSET_CROSS_DOMAIN
#define VIRTIO_GPU_CAPSET_CROSS_DOMAIN 5
#endif
#ifndef VIRTIO_GPU_CAPSET_DRM
#define VIRTIO_GPU_CAPSET_DRM 6
#endif
#ifndef VIRTIO_GPU_CAPSET_GFXSTREAM_GLES
#define VIRTIO_GPU_CAPSET_GFXSTREAM_GLES 8
#endif
#ifndef VIRTIO_GPU_CAPSET_GFXSTREAM_COMPOSER
#define VIRTIO_GPU_CAPSET_GFXSTREAM_COMPOSER 9
#endif
