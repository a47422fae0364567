/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the files of vhost/ share: the connection, its queues and the table of handlers. Not for
 * use outside of this folder, a fuzzer aside (vhost_channel_set_transport() on vhost->channel).
 */
#pragma once

#include "vhost/channel.h"
#include "vhost/quirks.h"
#include "vhost/vhost.h"

/**
 * struct vhost_queue - What the connection knows about a queue
 * @kick_fd: owned, -1 for none; @kick_source watches it
 * @armed: SET_VRING_KICK came since the last stop, so the ring may start
 * @enabled: SET_VRING_ENABLE, or no VHOST_USER_F_PROTOCOL_FEATURES
 * @lost: started, but the last change of the memory table took the ring away
 */
struct vhost_queue {
	struct vhost *vhost;
	unsigned int index;
	struct virtq *vq;
	int kick_fd;
	GSource *kick_source;
	bool armed;
	bool enabled;
	bool has_size;
	bool has_addresses;
	bool lost;
};

/**
 * struct vhost_backend - The back-end channel
 * @is_open: @channel is initialised
 * @answers_early: the front-end answers SHMEM_MAP before the memory is there
 * @pending: requests that wait for their answer, oldest first (struct shmem_request)
 */
struct vhost_backend {
	struct vhost_channel channel;
	bool is_open;
	bool answers_early;
	GQueue pending;
};

/**
 * struct vhost - A connection
 * @features: virtio features as set, VHOST_F_PROTOCOL_FEATURES included
 * @protocol_features: as set
 * @status: the device status as set (SET_STATUS)
 */
struct vhost {
	struct vhost_channel channel;
	struct vhost_device device;
	const struct vhost_events *events;
	void *opaque;
	GMainContext *context;
	struct guest_memory *memory;
	struct vhost_queue *queues;
	uint64_t features;
	uint64_t protocol_features;
	uint8_t status;
	struct vhost_backend backend;
	struct vhost_quirks quirks;
	bool has_heard;		  /* a whole message came */
	uint64_t config_read_len; /* as far as the front-end has read the configuration space */
};

/**
 * struct vhost_reply - Answer that a handler fills in
 * @len: bytes of @payload
 */
struct vhost_reply {
	uint32_t len;
	union {
		uint64_t value;
		uint8_t payload[sizeof(struct vhost_wire_shmem_config)];
	};
};

/** enum vhost_reply_kind - VALUE: 64 bits; PAYLOAD: whatever the handler put into it */
enum vhost_reply_kind { VHOST_REPLY_NONE, VHOST_REPLY_VALUE, VHOST_REPLY_PAYLOAD };

/** Handles a message whose shape was checked. Return: 0 or a negative errno. */
typedef int (*vhost_handle_fn)(
	struct vhost *vhost, struct vhost_message *message, struct vhost_reply *reply);

/**
 * struct vhost_handler - One message of the front-end
 * @min_len: payload, bytes; likewise @max_len
 * @min_fds: descriptors; likewise @max_fds
 * @guest_driven: what fails may be the guest's fault, and is no reason to end the session
 * @empty_on_error: an empty payload tells the front-end of a failure
 */
struct vhost_handler {
	const char *name;
	uint16_t min_len;
	uint16_t max_len;
	uint8_t min_fds;
	uint8_t max_fds;
	enum vhost_reply_kind reply;
	bool guest_driven;
	bool empty_on_error;
	vhost_handle_fn handle;
};

/** vhost_find_handler() - Return: the handler, or NULL for an unknown message. */
const struct vhost_handler *vhost_find_handler(uint32_t request);

static inline bool vhost_has_protocol_feature(
	const struct vhost *vhost, enum vhost_protocol_feature feature)
{
	return vhost->protocol_features & (UINT64_C(1) << feature);
}

/* queues.c */

void vhost_queues_init(struct vhost *vhost);

/** vhost_queues_finish() - Free them; no event. */
void vhost_queues_finish(struct vhost *vhost);

/** vhost_queues_set_features() - Return: 0, or -EBUSY for another ring format while started. */
int vhost_queues_set_features(struct vhost *vhost, uint64_t features);

/** vhost_queues_enable_all() - As SET_VRING_ENABLE for each. */
void vhost_queues_enable_all(struct vhost *vhost);

/** vhost_queues_reset() - Stop each (with the event) and forget how it was set up. */
void vhost_queues_reset(struct vhost *vhost);

/** vhost_queues_are_broken() - Did the driver break the rules of one of them? */
bool vhost_queues_are_broken(const struct vhost *vhost);

/** vhost_queues_resolve() - The memory table changed: find the started rings again; no event. */
void vhost_queues_resolve(struct vhost *vhost);

/** vhost_queues_poke() - Start what can start now, and tell that chains may be waiting. */
void vhost_queues_poke(struct vhost *vhost);

/** vhost_queues_quiet() - Watch no kicks any more. */
void vhost_queues_quiet(struct vhost *vhost);

/* The handlers of the vring messages. */
int vhost_handle_set_vring_num(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_set_vring_addr(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_set_vring_base(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_get_vring_base(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_set_vring_kick(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_set_vring_call(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_set_vring_err(struct vhost *, struct vhost_message *, struct vhost_reply *);
int vhost_handle_set_vring_enable(struct vhost *, struct vhost_message *, struct vhost_reply *);

/* backend_channel.c */

void vhost_backend_init(struct vhost *vhost);

/** vhost_backend_open() - Use @fd, taken, in place of the channel there may have been before. */
void vhost_backend_open(struct vhost *vhost, int fd);

/**
 * vhost_backend_close() - Close it, and complete what is pending with -ECONNRESET
 *
 * Only from the main loop, never from inside a call of the session.
 */
void vhost_backend_close(struct vhost *vhost);

/** vhost_backend_finish() - Close it; what is pending is dropped without its done(). */
void vhost_backend_finish(struct vhost *vhost);
