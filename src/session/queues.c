/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Between the rings and the device: chains become requests, completed requests are pushed, the
 * driver is notified once for a batch.
 *
 * A queue is taken in batches of at most BATCH requests, and no longer than the device's turn lasts
 * (util/turn.h), so that a guest that never stops sending does not keep the rest of the main loop (the
 * vhost-user socket above all) waiting. Each time one request is taken at least.
 */
#include "session/internal.h"
#include "util/log.h"
#include "util/source.h"

#define BATCH 256

struct session_request {
	struct gpu_request base;
	struct session *session;
	struct virtq *vq;
	struct virtq_chain *chain;
};

static struct session_request *from_base(struct gpu_request *base)
{
	return (struct session_request *)base;
}

static ssize_t request_read(struct gpu_request *base, size_t offset, void *buf, size_t len)
{
	struct session_request *request = from_base(base);

	return virtq_read(request->vq, request->chain, offset, buf, len);
}

static ssize_t request_write(struct gpu_request *base, size_t offset, const void *buf, size_t len)
{
	struct session_request *request = from_base(base);

	return virtq_write(request->vq, request->chain, offset, buf, len);
}

static void request_complete(struct gpu_request *base, size_t written_len)
{
	struct session_request *request = from_base(base);

	virtq_push(request->vq, request->chain, written_len);
	pool_put(&request->session->requests, request);
}

static const struct gpu_request_ops request_ops = {
	.read = request_read,
	.write = request_write,
	.complete = request_complete,
};

static bool can_take(struct session *session, unsigned int index)
{
	return index == SESSION_QUEUE_CONTROL ? gpu_device_can_take(session->device)
					      : gpu_device_can_take_cursor(session->device);
}

/* Takes one request. Return: false where there is none, or none may be taken now. */
static bool take_one(struct session *session, struct virtq *vq, unsigned int index)
{
	struct session_request *request;
	struct virtq_chain *chain;
	int ret;

	if (!can_take(session, index))
		return false;
	ret = virtq_pop(vq, &chain);
	if (ret < 0) {
		log_peer("queue %u is broken by the guest: %s; it stands still until it is set up "
			 "again",
			index, virtq_broken_reason(vq));
		/* The status says that a reset is needed (virtio 1.3, section 2.1.2). */
		vhost_notify_config(session->vhost);
	}
	if (ret <= 0)
		return false;
	request = pool_take(&session->requests);
	*request = (struct session_request){
		.base = {.ops = &request_ops,
			.out_len = chain->out_len,
			.in_len = chain->in_len,
			.has_next = index == SESSION_QUEUE_CONTROL && virtq_has_chains(vq)},
		.session = session,
		.vq = vq,
		.chain = chain,
	};
	if (index == SESSION_QUEUE_CONTROL)
		gpu_device_control(session->device, &request->base);
	else
		gpu_device_cursor(session->device, &request->base);
	return true;
}

static gboolean go_on(gpointer user_data)
{
	struct session *session = user_data;

	g_clear_pointer(&session->go_on, g_source_unref);
	for (unsigned int i = 0; i < SESSION_QUEUE_COUNT; i++)
		session_process_queue(session, i);
	return G_SOURCE_REMOVE;
}

/* Comes back to the queues after everything else that is ready had its turn. */
static void go_on_later(struct session *session)
{
	if (session->go_on)
		return;
	session->go_on = source_add_idle(session->context, go_on, session);
}

void session_queues_init(struct session *session)
{
	session->requests = POOL_INIT(struct session_request);
}

void session_queues_finish(struct session *session)
{
	source_clear(&session->go_on);
	pool_finish(&session->requests);
}

bool session_queue_has_work(struct session *session, unsigned int index)
{
	return vhost_queue_is_enabled(session->vhost, index) && can_take(session, index) &&
	       virtq_has_chains(vhost_get_queue(session->vhost, index));
}

/* Asks for the next kick, unless the rings are polled. Return: is there more to take now? */
static bool wait_for_kick(struct session *session, struct virtq *vq, unsigned int index)
{
	if (session_polling_is_on(session) || virtq_is_broken(vq) || !virtq_enable_kicks(vq))
		return false;
	return can_take(session, index);
}

/* May another request be taken after @count in this batch? */
static bool may_go_on(struct session *session, unsigned int count)
{
	return count == 0 || (count < BATCH && !gpu_device_turn_is_over(session->device));
}

void session_process_queue(struct session *session, unsigned int index)
{
	struct virtq *vq = vhost_get_queue(session->vhost, index);
	unsigned int count = 0;
	bool may_take;

	if (!vhost_queue_is_enabled(session->vhost, index))
		return;
	session_polling_begin_work(session);
	virtq_disable_kicks(vq);
	do {
		while ((may_take = may_go_on(session, count)) && take_one(session, vq, index))
			count++;
		if (count > 0)
			session_polling_extend(session);
	} while (may_take && wait_for_kick(session, vq, index));
	gpu_device_settle(session->device);
	virtq_notify(vq);
	if (!may_take)
		go_on_later(session);
}

void session_notify_queues(struct session *session)
{
	for (unsigned int i = 0; i < SESSION_QUEUE_COUNT; i++)
		virtq_notify(vhost_get_queue(session->vhost, i));
}
