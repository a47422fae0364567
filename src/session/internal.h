/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The parts of a session, shared by its files. Inside session/ only.
 */
#pragma once

#include "display/leftovers.h"
#include "gpu/device.h"
#include "session/session.h"
#include "util/pool.h"
#include "vhost/vhost.h"

#include <glib.h>

struct control;
struct watchdog;

/** enum session_queue - The virtqueues of virtio-gpu (virtio 1.3, section 5.7.2) */
enum session_queue { SESSION_QUEUE_CONTROL, SESSION_QUEUE_CURSOR, SESSION_QUEUE_COUNT };

/**
 * struct session_polling_trial - How well it went to look for work
 * @found: pieces of work since it was last in vain
 * @skip: so often not, though work follows work
 * @penalty: as often as that the next time that too little is found
 */
struct session_polling_trial {
	unsigned int found;
	unsigned int skip;
	unsigned int penalty;
};

/**
 * struct session_polling - Looking at the rings without being kicked (polling.c)
 * @source: NULL where the user does not want it
 * @worked_us: when the last work ended that nothing was looked for after; of the monotonic clock
 * @began_us: likewise, when what may be work began; 0: not known
 * @until_us: likewise, while @is_on
 * @is_on: the driver need not kick
 * @trials: while nothing is under way, and while something is
 * @trial: the one that goes on, or NULL
 */
struct session_polling {
	GSource *source;
	gint64 worked_us;
	gint64 began_us;
	gint64 until_us;
	bool is_on;
	struct session_polling_trial trials[2];
	struct session_polling_trial *trial;
};

/**
 * struct session - One front-end
 * @display: the front-end's, or NULL
 * @display_fd: a duplicate of its descriptor, or -1
 * @leftovers: sockets of displays before it
 * @headless: shows nothing, and says what the outputs are while there is no other
 * @control: NULL where none was asked for
 * @sandbox: this process's
 * @watchdog: ends it when nothing else does
 * @requests: those of queues.c that nobody uses
 * @go_on: an idle source that goes on with the control queue, or NULL
 * @handshake: the time limit to the first message, or NULL
 * @memory_cut: a file that is mapped became shorter
 * @is_told_of_resets: the front-end sends RESET_DEVICE
 * @exit_status: what session_run() returns
 */
struct session {
	const struct session_config *config;
	GMainContext *context;
	GMainLoop *loop;
	struct vhost *vhost;
	struct gpu_device *device;
	struct display *display;
	int display_fd;
	struct display_leftovers leftovers;
	struct display *headless;
	struct control *control;
	struct sandbox *sandbox;
	struct watchdog *watchdog;
	struct pool requests;
	struct session_polling polling;
	GSource *go_on;
	GSource *handshake;
	GSource *memory_cut;
	bool is_told_of_resets;
	int exit_status;
};

/** session_queues_init() - Before the first queue is processed. */
void session_queues_init(struct session *session);

/** session_queues_finish() - No request is out any more. */
void session_queues_finish(struct session *session);

/** session_process_queue() - Take what is waiting in a queue, and notify the driver once. */
void session_process_queue(struct session *session, unsigned int index);

/** session_queue_has_work() - Is there something in a queue that can be taken now? */
bool session_queue_has_work(struct session *session, unsigned int index);

/** session_notify_queues() - Notify the driver of what was pushed. */
void session_notify_queues(struct session *session);

/** session_polling_init() - Off at first. After the queues are there. */
void session_polling_init(struct session *session);

/** session_polling_finish() - Off for ever. */
void session_polling_finish(struct session *session);

/** session_polling_begin_work() - Work may follow; if so, session_polling_extend() does. */
void session_polling_begin_work(struct session *session);

/** session_polling_extend() - There was work: look at the rings for a while from now on. */
void session_polling_extend(struct session *session);

/** session_polling_is_on() - Are the rings looked at anyway? Then no kick is asked for. */
bool session_polling_is_on(const struct session *session);
