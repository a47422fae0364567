/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The back-end side of a vhost-user connection (QEMU's docs/interop/vhost-user.rst): messages and
 * their file descriptors, the memory table, the queues' set-up, the back-end channel.
 *
 * It never waits for the front-end: the socket is non-blocking, messages are put together as they
 * arrive, answers that do not fit into the socket are queued. One GMainContext, one thread.
 *
 * Life of a message: its descriptors belong to the message; a handler that wants one takes it; the
 * rest are closed when the handler returns. A handler returns 0 or a negative errno; one place
 * sends the answer (a value, or the REPLY_ACK status) and decides whether the session goes on.
 */
#pragma once

#include "memory/guest_memory.h"
#include "virtq/virtq.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vhost;

/** Largest device configuration space of the protocol (VHOST_USER_MAX_CONFIG_SIZE), bytes. */
#define VHOST_MAX_CONFIG_LEN 256

/** Number of shared memory ids a device may have; size of the GET_SHMEM_CONFIG answer. */
#define VHOST_MAX_SHMEM_REGIONS 256

/**
 * struct vhost_device - What the device offers; copied at creation
 * @features: virtio device features (bits 0-23 and above 40); the transport adds its own:
 *	VIRTIO_F_VERSION_1, RING_PACKED, INDIRECT_DESC, EVENT_IDX, RING_RESET,
 *	VHOST_USER_F_PROTOCOL_FEATURES
 * @config_features: more of them, offered to a front-end that has read the configuration space up to
 *	@config_len, bytes (vhost/quirks.h)
 * @queue_count: number of virtqueues
 * @max_queue_size: largest ring accepted
 * @shmem_sizes: size of each shared memory region by shmid, 0 for none; bytes
 * @has_shmem: offer VHOST_USER_PROTOCOL_F_SHMEM_MAP
 */
struct vhost_device {
	uint64_t features;
	uint64_t config_features;
	uint32_t config_len;
	unsigned int queue_count;
	unsigned int max_queue_size;
	bool has_shmem;
	uint64_t shmem_sizes[VHOST_MAX_SHMEM_REGIONS];
};

/**
 * struct vhost_events - Calls upward; all are set, all run on the main loop's thread
 */
struct vhost_events {
	/** SET_FEATURES; bits were checked against what was offered. */
	void (*set_features)(void *opaque, uint64_t features);

	/**
	 * GET_CONFIG: fill @buf with @len bytes of the configuration space from @offset; what the
	 * device does not have is zero. @offset + @len is at most VHOST_MAX_CONFIG_LEN; beyond it
	 * the front-end reads zeros.
	 */
	void (*get_config)(void *opaque, uint32_t offset, void *buf, uint32_t len);

	/** SET_CONFIG: the driver wrote @len bytes at @offset. Return: 0 or a negative errno. */
	int (*set_config)(void *opaque, uint32_t offset, const void *buf, uint32_t len);

	/** VHOST_USER_GPU_SET_SOCKET: a display socket; the callee owns @fd in any case. */
	void (*set_display_socket)(void *opaque, int fd);

	/**
	 * A part of the memory table is about to go: drop or stop using hva pointers. Then
	 * memory_changed() follows, at once, whether or not the change worked; it also comes when
	 * a region was added, after which all pointers are as they were.
	 */
	void (*memory_changing)(void *opaque);
	void (*memory_changed)(void *opaque);

	/**
	 * The queue was just started.
	 * @is_new: at its very first index, as a driver does that begins anew
	 */
	void (*queue_started)(void *opaque, unsigned int index, bool is_new);

	/** Chains may be waiting: a kick came, or the queue was just started or enabled. */
	void (*queue_ready)(void *opaque, unsigned int index);

	/**
	 * The queue will be stopped when this returns (GET_VRING_BASE, reset): complete everything
	 * that is in flight on it, and push it.
	 */
	void (*queue_stopping)(void *opaque, unsigned int index);

	/** RESET_DEVICE, or RESET_OWNER: as at power-on. All queues were stopped before. */
	void (*reset)(void *opaque);

	/**
	 * The connection is over: @error is 0 for an orderly hang-up, else a negative errno with
	 * @reason a short text. Called once, never from inside a vhost_*() call of the session;
	 * the session destroys the object afterwards, not inside.
	 */
	void (*closed)(void *opaque, int error, const char *reason);
};

/**
 * vhost_create() - Serve a connected socket
 * @fd: a connected Unix stream socket; taken
 * @device: what to offer; copied
 * @events: calls upward; borrowed, outlives the object
 * @opaque: passed to the events
 * @context: main context that the sources are attached to
 *
 * Nothing is read before the main loop runs. Return: the object; never NULL.
 */
struct vhost *vhost_create(int fd, const struct vhost_device *device,
	const struct vhost_events *events, void *opaque, GMainContext *context);

/**
 * vhost_destroy() - Close the socket, stop the queues (no event), unmap the guest's memory
 *
 * Shared memory requests in flight are dropped; their done() is not called.
 */
void vhost_destroy(struct vhost *vhost);

/** vhost_has_heard() - Has the front-end sent a whole message? */
bool vhost_has_heard(const struct vhost *vhost);

/** vhost_get_queue() - Borrow a queue; valid as long as the object. */
struct virtq *vhost_get_queue(struct vhost *vhost, unsigned int index);

/** vhost_queue_is_enabled() - Started and enabled (SET_VRING_ENABLE)? */
bool vhost_queue_is_enabled(const struct vhost *vhost, unsigned int index);

/** vhost_get_memory() - Borrow the memory table; valid as long as the object. */
struct guest_memory *vhost_get_memory(struct vhost *vhost);

/** vhost_has_shmem() - Did the front-end accept SHMEM_MAP and give a back-end channel? */
bool vhost_has_shmem(const struct vhost *vhost);

/**
 * vhost_shmem_done_fn - A SHMEM_MAP or SHMEM_UNMAP was answered
 * @error: 0; -EIO: the front-end refused; -ECONNRESET: the channel is gone or was replaced
 *
 * A reset of the device or a stopped queue does not end a request: the front-end answers it still,
 * and only the answer says what is mapped. When the front-end hangs up, the channel stays open for
 * what still has to be unmapped; requests that are out when the object is destroyed are dropped.
 */
typedef void (*vhost_shmem_done_fn)(void *opaque, int error);

/** struct vhost_shmem_range - A part of a shared memory region; bytes */
struct vhost_shmem_range {
	uint8_t shmid;
	uint64_t shm_offset;
	uint64_t fd_offset;
	uint64_t len;
	bool writable;
};

/**
 * vhost_shmem_map() - Ask the front-end to map a file into a shared memory region
 * @fd: borrowed; passed as ancillary data
 * @done: called later, once, from the main loop; never from inside this call
 *
 * Return: 0 when the request is under way; -ENOTSUP without the channel; -EPIPE where it just
 * broke; -EMFILE or -EBADF where @fd cannot be kept. done() follows after a 0 only.
 */
int vhost_shmem_map(struct vhost *vhost, const struct vhost_shmem_range *range, int fd,
	vhost_shmem_done_fn done, void *opaque);

/** vhost_shmem_unmap() - The counterpart; fd_offset and writable are ignored. */
int vhost_shmem_unmap(struct vhost *vhost, const struct vhost_shmem_range *range,
	vhost_shmem_done_fn done, void *opaque);

/**
 * vhost_notify_config() - Tell the front-end that the configuration space changed
 *
 * VHOST_USER_BACKEND_CONFIG_CHANGE_MSG over the back-end channel; nothing happens without one.
 */
void vhost_notify_config(struct vhost *vhost);
