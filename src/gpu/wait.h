/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The one way to wait. A request of the guest that cannot be finished at once, because of a
 * fence, the display's answer, room in a socket, a shared memory map, or simply because it is
 * long, is a struct gpu_wait until all that it waits for has come. Inside gpu/ only; theory of
 * operation in wait.c. Main loop's thread only.
 */
#pragma once

#include "gpu/verdict.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct gpu_tracked_resource;
struct gpu_wait;

/** enum gpu_wait_reason - Why a wait is cancelled */
enum gpu_wait_reason {
	GPU_WAIT_STOPPED,  /* the queue stops, or the device is reset: it has to end */
	GPU_WAIT_DISPLAYS, /* a display comes or goes: nothing may be in flight to any */
	GPU_WAIT_MEMORY,   /* the guest's memory goes away: nothing may read it any more */
	GPU_WAIT_CONTEXT,  /* the context, whose ring it waits on, is gone */
};

/** struct gpu_wait_ops - What becomes of a wait */
struct gpu_wait_ops {
	/** The control queue stands still meanwhile. */
	bool holds_queue;

	/**
	 * All has come. Return: the command's verdict, or GPU_WAITS after gpu_wait_begin() for
	 * the next thing it waits for.
	 */
	enum gpu_verdict (*done)(struct gpu_wait *wait);

	/**
	 * It is to end early. Return: the command's verdict; everything that could still arrive
	 * is forgotten then. GPU_WAITS: the reason is none for this wait, and it goes on;
	 * GPU_WAIT_STOPPED is always one.
	 */
	enum gpu_verdict (*cancel)(struct gpu_wait *wait, enum gpu_wait_reason reason);
};

/**
 * struct gpu_wait - A request that waits
 * @device: borrowed
 * @ops: NULL while it waits for nothing
 * @command: whose it is; NULL for a wait of the device's own
 * @resource: what it is about, a reference; NULL for none
 * @opaque: of who began it; borrowed
 * @count: what has not come yet
 * @error: the first error of anything that came, a negative errno; 0 for none
 * @key, @seqno, @fence_link: its place on a timeline (gpu/fence.c)
 * @is_fenced: it is on one
 * @turn: see gpu_wait_add_turn(), or NULL
 * @link: in the device's list of waits
 *
 * Embedded: in a command, or in what waits by itself.
 */
struct gpu_wait {
	struct gpu_device *device;
	const struct gpu_wait_ops *ops;
	struct gpu_command *command;
	struct gpu_tracked_resource *resource;
	void *opaque;
	unsigned int count;
	int error;
	uint64_t key;
	uint64_t seqno;
	GList fence_link;
	bool is_fenced;
	GSource *turn;
	GList link;
};

/** struct gpu_waits - All of a device; zero at first */
struct gpu_waits {
	GQueue all; /* struct gpu_wait, by its link */
	unsigned int holding;
};

/**
 * gpu_wait_begin() - Begin to wait, for nothing yet
 * @resource: a reference is taken; NULL for none
 *
 * Then gpu_wait_add() for each thing that is under way, and gpu_wait_go() at the end. May be called
 * from @ops->done of the same wait, for the next stage.
 */
void gpu_wait_begin(struct gpu_wait *wait, const struct gpu_wait_ops *ops,
	struct gpu_tracked_resource *resource);

/** gpu_wait_add() - One more thing is under way. */
void gpu_wait_add(struct gpu_wait *wait);

/**
 * gpu_wait_add_turn() - Wait until everything else that is ready in the main loop had its turn
 *
 * For what takes more than one turn (util/turn.h).
 */
void gpu_wait_add_turn(struct gpu_wait *wait);

/** gpu_wait_fail() - Remember @error, unless there was one before. */
void gpu_wait_fail(struct gpu_wait *wait, int error);

/**
 * gpu_wait_go() - Nothing more is added
 *
 * Return: GPU_WAITS; or what @ops->done returned, called at once as nothing is under way.
 */
enum gpu_verdict gpu_wait_go(struct gpu_wait *wait);

/**
 * gpu_wait_arrived() - One thing came; with the last one the wait is over and its command finished
 * @error: 0 or a negative errno
 *
 * From the main loop, never from inside the call that began it. gpu_waits_resume() is to follow.
 */
void gpu_wait_arrived(struct gpu_wait *wait, int error);

/** gpu_wait_arrived_last() - The same and gpu_waits_resume(), for who brings one thing at a time. */
void gpu_wait_arrived_last(void *wait, int error);

/** gpu_waits_resume() - Tell the session that waits have ended. */
void gpu_waits_resume(struct gpu_device *device);

/** gpu_wait_abandon() - Instead of gpu_wait_go(): nothing was added, and the caller answers. */
void gpu_wait_abandon(struct gpu_wait *wait);

/**
 * gpu_wait_retry() - Instead of what was under way, wait for the next turn
 *
 * From @ops->cancel, after gpu_outputs_forget_wait(): for a reason that ends what is under way, and not
 * the command. @ops->cancel then returns GPU_WAITS; done() finds no error, and goes on.
 */
void gpu_wait_retry(struct gpu_wait *wait);

/** gpu_wait_is_idle() - Has nothing been added, between gpu_wait_begin() and gpu_wait_go()? */
static inline bool gpu_wait_is_idle(const struct gpu_wait *wait)
{
	return wait->count == 1;
}

/** gpu_wait_cancel() - End it, if the reason is one for it. */
void gpu_wait_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason);

/** gpu_waits_cancel() - The same for all, also those that this begins. */
void gpu_waits_cancel(struct gpu_device *device, enum gpu_wait_reason reason);
