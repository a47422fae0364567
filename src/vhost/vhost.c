/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The connection: its life, and the one place that runs a handler, answers the front-end and
 * decides whether the session goes on (vhost-user specification, "Communication" and
 * "VHOST_USER_PROTOCOL_F_REPLY_ACK").
 *
 * What fails is told to the front-end where the protocol has a way: the REPLY_ACK status, or an
 * empty answer. Where it has none, the two sides would go on with different ideas of the state, so
 * the session ends with a reason; excepted is what a guest can bring about by itself, and unknown
 * messages, which QEMU sends after a look at our features only.
 */
#include "util/log.h"
#include "vhost/private.h"

#include <errno.h>

static void send_reply(struct vhost *vhost, uint32_t request, const void *payload, uint32_t len)
{
	const struct vhost_header header = {
		.request = request,
		.flags = VHOST_VERSION | VHOST_FLAG_REPLY,
		.size = len,
	};

	/* A failing send ends the channel, and closed() says why. */
	vhost_channel_send(&vhost->channel, &header, payload, -1);
}

static int check_shape(const struct vhost_handler *handler, const struct vhost_message *message)
{
	uint32_t len = message->header.size;

	if (len < handler->min_len || len > handler->max_len)
		return -EMSGSIZE;
	if (message->fd_count < handler->min_fds || message->fd_count > handler->max_fds)
		return -EBADF;
	return 0;
}

/* For what fails and does not end the session, which would give the reason itself. */
static void log_failure(const char *name, const struct vhost_message *message, int error)
{
	log_peer("%s (message %u, %u bytes, %zu descriptors) failed: %s", name,
		message->header.request, message->header.size, message->fd_count,
		g_strerror(-error));
}

/* The front-end takes it that an unanswered message worked. */
static bool may_fail_unanswered(const struct vhost_handler *handler)
{
	return !handler || handler->guest_driven;
}

static void finish_reply(struct vhost *vhost, const struct vhost_handler *handler,
	const struct vhost_message *message, const struct vhost_reply *reply, int ret)
{
	uint32_t request = message->header.request;

	if (ret == 0) {
		send_reply(vhost, request, reply->payload, reply->len);
	} else if (handler->empty_on_error) {
		log_failure(handler->name, message, ret);
		send_reply(vhost, request, NULL, 0);
	} else {
		vhost_channel_fail(
			&vhost->channel, ret, "%s failed: %s", handler->name, g_strerror(-ret));
	}
}

/* A message that has no answer of its own. */
static void finish_plain(struct vhost *vhost, const struct vhost_handler *handler,
	const struct vhost_message *message, bool needs_ack, int ret)
{
	uint64_t status = (uint64_t)-ret;

	if (ret < 0 && !needs_ack && !may_fail_unanswered(handler)) {
		vhost_channel_fail(
			&vhost->channel, ret, "%s failed: %s", handler->name, g_strerror(-ret));
		return;
	}
	if (ret < 0)
		log_failure(handler ? handler->name : "unknown message", message, ret);
	if (needs_ack)
		send_reply(vhost, message->header.request, &status, sizeof(status));
}

static void handle_message(void *opaque, struct vhost_message *message)
{
	struct vhost *vhost = opaque;
	const struct vhost_handler *handler = vhost_find_handler(message->header.request);
	/* Before the handler runs, because SET_PROTOCOL_FEATURES changes it. */
	bool needs_ack = message->header.flags & VHOST_FLAG_NEED_REPLY &&
			 vhost_has_protocol_feature(vhost, VHOST_PROTOCOL_F_REPLY_ACK);
	struct vhost_reply reply;
	int ret = -EOPNOTSUPP;

	vhost->has_heard = true;
	log_debug("%s (%u): %u bytes, %zu descriptors", handler ? handler->name : "unknown message",
		message->header.request, message->header.size, message->fd_count);
	reply.len = 0;
	if (handler)
		ret = check_shape(handler, message);
	if (handler && ret == 0)
		ret = handler->handle(vhost, message, &reply);

	if (handler && handler->reply != VHOST_REPLY_NONE)
		finish_reply(vhost, handler, message, &reply, ret);
	else
		finish_plain(vhost, handler, message, needs_ack, ret);
}

static void handle_closed(void *opaque, int error, const char *reason)
{
	struct vhost *vhost = opaque;

	/* The back-end channel stays open, for what the session still has to unmap. */
	vhost_queues_quiet(vhost);
	vhost->events->closed(vhost->opaque, error, reason);
}

static const struct vhost_channel_events channel_events = {
	.message = handle_message,
	.closed = handle_closed,
};

struct vhost *vhost_create(int fd, const struct vhost_device *device,
	const struct vhost_events *events, void *opaque, GMainContext *context)
{
	struct vhost *vhost = g_new0(struct vhost, 1);

	vhost->device = *device;
	vhost->events = events;
	vhost->opaque = opaque;
	vhost->context = context ? g_main_context_ref(context) : NULL;
	vhost->memory = guest_memory_create();
	vhost_queues_init(vhost);
	vhost_quirks_init(&vhost->quirks);
	vhost_backend_init(vhost);
	vhost_channel_init(&vhost->channel, fd, false, &channel_events, vhost, vhost->context);
	return vhost;
}

void vhost_destroy(struct vhost *vhost)
{
	if (!vhost)
		return;
	vhost_channel_finish(&vhost->channel);
	vhost_backend_finish(vhost);
	vhost_quirks_finish(&vhost->quirks);
	vhost_queues_finish(vhost);
	guest_memory_destroy(vhost->memory);
	g_clear_pointer(&vhost->context, g_main_context_unref);
	g_free(vhost);
}

bool vhost_has_heard(const struct vhost *vhost)
{
	return vhost->has_heard;
}

struct guest_memory *vhost_get_memory(struct vhost *vhost)
{
	return vhost->memory;
}
