/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A virtual machine as a daemon sees one: memory, two queues, the display socket, the region of
 * shared memory. Brought up in QEMU's order.
 */
#pragma once

#include "bench/memory.h"
#include "bench/queue.h"
#include "bench/screen.h"
#include "bench/shmem.h"
#include "bench/vhost_user.h"

/** Size of what the guest's display has by default, pixels */
#define GUEST_WIDTH  1280
#define GUEST_HEIGHT 800

/**
 * struct guest - One machine
 * @offered: features of the device, VIRTIO_GPU_F_* and others
 * @capset_count: of the configuration
 * @queue_size: descriptors of both queues; 0: as QEMU has them
 * @last_fence: the newest fence's number
 * @problem: why something failed, in words; g_free()
 */
struct guest {
	struct memory memory;
	struct vhost_user user;
	struct queue control;
	struct queue cursor;
	struct screen screen;
	struct shmem shmem;
	uint64_t offered;
	uint64_t protocol;
	uint32_t capset_count;
	uint16_t queue_size;
	uint64_t last_fence;
	char *problem;
};

/** GUEST_NONE - Initial value, for guest_finish() */
#define GUEST_NONE ((struct guest){.user.fd = -1, .memory.fd = -1})

/**
 * guest_connect() - Connect and negotiate, which QEMU does when the device is made
 * @use_event_idx: where it is offered
 *
 * Return: 0 or a negative errno, with @problem.
 */
int guest_connect(struct guest *guest, const char *socket_path, bool use_event_idx);

/** guest_start() - Hand over memory, display and queues, which QEMU does for the guest's driver */
int guest_start(struct guest *guest);

/** guest_finish() - Hang up; fine for one that never connected. */
void guest_finish(struct guest *guest);

/** guest_has() - Is this bit of the features offered? */
static inline bool guest_has(const struct guest *guest, unsigned int bit)
{
	return guest->offered >> bit & 1;
}

/**
 * guest_run() - Let the device see the commands that were posted, and wait for the answers
 *
 * Return: 0; a negative errno, with @problem.
 */
int guest_run(struct guest *guest);

/** guest_try() - The same; a command that is refused, which is -EPROTO, is forgotten. */
int guest_try(struct guest *guest);

/** guest_run_cursor() - The same for the cursor queue; may run in a thread beside guest_run(). */
int guest_run_cursor(struct guest *guest);

/** guest_describe() - Keep why it failed, unless that is known already. Return: @ret. */
int guest_describe(struct guest *guest, const char *what, int ret);
