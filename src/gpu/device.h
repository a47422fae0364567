/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * virtio-gpu itself (virtio 1.3, section 5.7): what a guest's commands mean. It knows neither
 * rings nor sockets nor which renderer: requests come in through struct gpu_request, pixels go out
 * through gpu/display.h, rendering through gpu/renderer.h. Main loop thread only, but for what the
 * renderer signals.
 */
#pragma once

#include "gpu/display.h"
#include "gpu/limits.h"
#include "gpu/renderer.h"
#include "memory/guest_memory.h"

#include <glib.h>
#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <sys/types.h>

struct gpu_device;
struct gpu_request;

/** struct gpu_request_ops - How the device reaches a request's bytes */
struct gpu_request_ops {
	/** Copy device-readable bytes out. Return: bytes copied, or a negative errno. */
	ssize_t (*read)(struct gpu_request *request, size_t offset, void *buf, size_t len);

	/** Copy into the device-writable bytes. Return: bytes copied, or a negative errno. */
	ssize_t (*write)(struct gpu_request *request, size_t offset, const void *buf, size_t len);

	/** The answer is written, its length is @written_len. Called once; frees the request. */
	void (*complete)(struct gpu_request *request, size_t written_len);
};

/**
 * struct gpu_request - One buffer from the control or the cursor queue
 * @ops: the giver's
 * @out_len: device-readable bytes
 * @in_len: device-writable bytes
 * @has_next: another one is given right after this one, or else gpu_device_settle() called
 *
 * Embedded by whoever gives requests (a ring in a session, a fuzzer); belongs to the device from
 * gpu_device_control() or gpu_device_cursor() to @ops->complete().
 */
struct gpu_request {
	const struct gpu_request_ops *ops;
	size_t out_len;
	size_t in_len;
	bool has_next;
};

/**
 * gpu_shmem_done_fn - The front-end carried a request out
 * @error: 0, or a negative errno: it refused, or is gone
 */
typedef void (*gpu_shmem_done_fn)(void *opaque, int error);

/**
 * struct gpu_shmem_ops - The shared memory region VIRTIO_GPU_SHM_ID_HOST_VISIBLE
 *
 * Requests are carried out in the order of the calls. A hook that returns 0 calls @done later,
 * once, from the main loop, or never after the device was destroyed. Offsets and lengths are
 * multiples of the page size.
 */
struct gpu_shmem_ops {
	/** Map @len bytes of @blob (its descriptor is borrowed) at @offset of the region. */
	int (*map)(void *opaque, uint64_t offset, uint64_t len, const struct renderer_blob *blob,
		gpu_shmem_done_fn done, void *done_opaque);

	/** Unmap what was mapped at exactly this place. */
	int (*unmap)(void *opaque, uint64_t offset, uint64_t len, gpu_shmem_done_fn done,
		void *done_opaque);
};

/** struct gpu_device_events - Calls upward */
struct gpu_device_events {
	/**
	 * Requests were completed, or the control queue is held no longer, for a reason that came
	 * from the main loop (a fence, an answer of a display): notify the driver, and go on with
	 * the queues.
	 */
	void (*resumed)(void *opaque);

	/** The configuration space changed (events_read): tell the driver. NULL: nobody can be told. */
	void (*config_changed)(void *opaque);
};

/**
 * gpu_device_create() - A device as at power-on, without a display
 * @renderer: taken; destroyed with the device
 * @memory: borrowed, outlives the device
 * @limits: copied
 * @context: main context for the device's sources; borrowed
 */
struct gpu_device *gpu_device_create(struct renderer *renderer, struct guest_memory *memory,
	const struct gpu_limits *limits, GMainContext *context);

/** gpu_device_destroy() - Complete what is pending with an error, free everything. */
void gpu_device_destroy(struct gpu_device *device);

/** gpu_device_set_events() - Where calls upward go; before the first request. */
void gpu_device_set_events(
	struct gpu_device *device, const struct gpu_device_events *events, void *opaque);

/**
 * gpu_device_set_shmem() - Where blobs can be mapped; before the first request
 * @ops: borrowed
 * @len: size of the region, bytes
 */
void gpu_device_set_shmem(
	struct gpu_device *device, const struct gpu_shmem_ops *ops, void *opaque, uint64_t len);

/**
 * gpu_device_add_display() - One more display looks at the outputs
 * @display: borrowed until removed; of those that say what the outputs are, the newest is asked
 *
 * What is scanned out is shown on it, as soon as it is ready.
 */
void gpu_device_add_display(struct gpu_device *device, struct display *display);

/** gpu_device_remove_display() - What is in flight to it is given up; not an error of the guest's. */
void gpu_device_remove_display(struct gpu_device *device, struct display *display);

/** gpu_device_display_ready() - The display became ready: show what is scanned out. */
void gpu_device_display_ready(struct gpu_device *device, struct display *display);

/**
 * gpu_device_outputs_changed() - A display's outputs are no longer what it said
 *
 * VIRTIO_GPU_EVENT_DISPLAY is set in events_read, and the driver told; it asks again, and clears the
 * event (virtio 1.3, section 5.7.4).
 */
void gpu_device_outputs_changed(struct gpu_device *device);

/** gpu_device_set_scanout_count() - Outputs in the configuration space, 1 unless said; at most
 * DISPLAY_MAX_OUTPUTS. A front-end with a display of its own puts its own number there. */
void gpu_device_set_scanout_count(struct gpu_device *device, uint32_t count);

/** gpu_device_get_features() - The VIRTIO_GPU_F_* bits that a device with this renderer offers. */
uint64_t gpu_device_get_features(const struct renderer *renderer);

#ifndef VIRTIO_GPU_F_BLOB_ALIGNMENT
#define VIRTIO_GPU_F_BLOB_ALIGNMENT 5
#endif

/**
 * struct gpu_config - The configuration space, little-endian
 *
 * struct virtio_gpu_config as the newest header has it. A front-end's own idea of it may end
 * before @blob_alignment; then VIRTIO_GPU_F_BLOB_ALIGNMENT must not be offered.
 */
struct gpu_config {
	uint32_t events_read;
	uint32_t events_clear;
	uint32_t num_scanouts;
	uint32_t num_capsets;
	uint32_t blob_alignment; /* bytes */
};

/** gpu_device_get_config() - Fill in the configuration space. */
void gpu_device_get_config(const struct gpu_device *device, struct gpu_config *config);

/** gpu_device_clear_events() - The driver wrote @events to events_clear. */
void gpu_device_clear_events(struct gpu_device *device, uint32_t events);

/**
 * gpu_device_can_take() - May a request of the control queue be given now?
 *
 * False while a request that waits holds the queue, or a display negotiates.
 */
bool gpu_device_can_take(const struct gpu_device *device);

/** gpu_device_can_take_cursor() - The same of the cursor queue, which stands still only while the guest's
 * pages are looked up again. */
bool gpu_device_can_take_cursor(const struct gpu_device *device);

/** gpu_device_turn_is_over() - After a request: are more to wait for the next round of the main loop? */
bool gpu_device_turn_is_over(struct gpu_device *device);

/** gpu_device_control() - Process a request of the control queue. */
void gpu_device_control(struct gpu_device *device, struct gpu_request *request);

/** gpu_device_settle() - No request follows that @has_next announced: complete what was put off for it. */
void gpu_device_settle(struct gpu_device *device);

/** gpu_device_cursor() - Process a request of the cursor queue. */
void gpu_device_cursor(struct gpu_device *device, struct gpu_request *request);

/**
 * gpu_device_retire_fences() - Answer now what waits for fences that have signalled
 *
 * The main loop does it by itself; for who looks more often. Return: whether anything waited.
 */
bool gpu_device_retire_fences(struct gpu_device *device);

/**
 * gpu_device_poll_fences() - Is gpu_device_retire_fences() called all the time?
 *
 * The main loop is then not woken for them. Ends with a last look.
 */
void gpu_device_poll_fences(struct gpu_device *device, bool is_polled);

/** gpu_device_is_waiting() - Is something under way that a request waits for? */
bool gpu_device_is_waiting(const struct gpu_device *device);

/**
 * gpu_device_cancel() - Complete every pending request with VIRTIO_GPU_RESP_ERR_UNSPEC
 *
 * For a queue that stops. Resources, contexts and scanouts stay.
 */
void gpu_device_cancel(struct gpu_device *device);

/** gpu_device_reset() - As at power-on; pending requests are completed as by cancel. */
void gpu_device_reset(struct gpu_device *device);

/** gpu_device_memory_changing() - Stop using guest memory: renderers let go of all backing. */
void gpu_device_memory_changing(struct gpu_device *device);

/** gpu_device_memory_changed() - Begin to look up what backing has no pages; also when a region was added. */
void gpu_device_memory_changed(struct gpu_device *device);
