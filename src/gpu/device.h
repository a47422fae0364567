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
 *
 * Embedded by whoever gives requests (a ring in a session, a fuzzer); belongs to the device from
 * gpu_device_control() or gpu_device_cursor() to @ops->complete().
 */
struct gpu_request {
	const struct gpu_request_ops *ops;
	size_t out_len;
	size_t in_len;
};

/** struct gpu_device_events - Calls upward */
struct gpu_device_events {
	/**
	 * Requests were completed, or the device is no longer parked, for a reason that came from
	 * the main loop (a fence, an answer of the display): notify the driver, and go on with
	 * the queues.
	 */
	void (*resumed)(void *opaque);
};

/**
 * gpu_device_create() - A device as at power-on, without a display
 * @renderer: taken; destroyed with the device
 * @memory: borrowed, outlives the device
 * @limits: copied
 * @context: main context for the fence source
 */
struct gpu_device *gpu_device_create(struct renderer *renderer, struct guest_memory *memory,
	const struct gpu_limits *limits, GMainContext *context);

/** gpu_device_destroy() - Complete what is pending with an error, free everything. */
void gpu_device_destroy(struct gpu_device *device);

/** gpu_device_set_events() - Where calls upward go; before the first request. */
void gpu_device_set_events(
	struct gpu_device *device, const struct gpu_device_events *events, void *opaque);

/**
 * gpu_device_set_display() - Show scanouts here from now on
 * @display: borrowed until replaced; NULL only before destruction
 *
 * What was pending on the display before is completed with an error. Scanouts that are set are
 * shown on the new one.
 */
void gpu_device_set_display(struct gpu_device *device, struct display *display);

/** gpu_device_display_ready() - The display became ready: show what is scanned out. */
void gpu_device_display_ready(struct gpu_device *device);

/** gpu_device_get_features() - The VIRTIO_GPU_F_* bits that a device with this renderer offers. */
uint64_t gpu_device_get_features(const struct renderer *renderer);

/** gpu_device_get_config() - Fill in struct virtio_gpu_config, little-endian. */
void gpu_device_get_config(const struct gpu_device *device, struct virtio_gpu_config *config);

/**
 * gpu_device_set_scanout_count() - Outputs of the configuration space
 *
 * A front-end with a display fills num_scanouts in itself; this is for the others.
 */
void gpu_device_set_scanout_count(struct gpu_device *device, uint32_t count);

/**
 * gpu_device_can_take() - May a request of the control queue be given now?
 *
 * False while a command is parked or the display negotiates. The cursor queue never stops.
 */
bool gpu_device_can_take(const struct gpu_device *device);

/** gpu_device_control() - Process a request of the control queue. */
void gpu_device_control(struct gpu_device *device, struct gpu_request *request);

/** gpu_device_cursor() - Process a request of the cursor queue. */
void gpu_device_cursor(struct gpu_device *device, struct gpu_request *request);

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

/** gpu_device_memory_changed() - Resolve all backing again. */
void gpu_device_memory_changed(struct gpu_device *device);
