/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The back-end channel: requests of ours to the front-end (vhost-user specification, "Back-end
 * communication" and "Back-end message types").
 *
 * A request goes out with the need_reply flag and waits in a list; the front-end answers in order.
 * Nothing here waits: QEMU serves this channel from the thread in which it may just now be waiting
 * for our answer to a message of its own. A front-end that breaks the channel loses it, and the
 * pending requests fail; the session goes on.
 */
#include "vhost/private.h"

#include "util/log.h"

#include <errno.h>

struct shmem_request {
	uint32_t request;
	vhost_shmem_done_fn done;
	void *opaque;
};

static void handle_answer(void *opaque, struct vhost_message *message)
{
	struct vhost *vhost = opaque;
	struct vhost_backend *backend = &vhost->backend;
	struct shmem_request *pending = g_queue_peek_head(&backend->pending);
	uint64_t status;

	if (!pending || message->header.request != pending->request ||
		message->header.size != sizeof(status) || message->fd_count > 0) {
		vhost_channel_fail(&backend->channel, -EPROTO,
			"unexpected answer: request %u, %u bytes", message->header.request,
			message->header.size);
		return;
	}
	vhost_message_get(message, &status, sizeof(status));
	g_queue_pop_head(&backend->pending);
	log_debug("back-end request %u was answered: %" G_GUINT64_FORMAT, pending->request, status);
	pending->done(pending->opaque, status == 0 ? 0 : -EIO);
	g_free(pending);
}

static void handle_closed(void *opaque, int error, const char *reason)
{
	struct vhost *vhost = opaque;

	if (error < 0)
		log_peer("the back-end channel is closed: %s", reason);
	else
		log_debug("the back-end channel is closed: %s", reason);
	vhost_backend_close(vhost);
}

static const struct vhost_channel_events backend_events = {
	.message = handle_answer,
	.closed = handle_closed,
};

void vhost_backend_init(struct vhost *vhost)
{
	vhost->backend.is_open = false;
	g_queue_init(&vhost->backend.pending);
}

void vhost_backend_open(struct vhost *vhost, int fd)
{
	struct vhost_backend *backend = &vhost->backend;

	vhost_backend_close(vhost);
	vhost_channel_init(&backend->channel, fd, true, &backend_events, vhost, vhost->context);
	backend->is_open = true;
}

void vhost_backend_close(struct vhost *vhost)
{
	struct vhost_backend *backend = &vhost->backend;
	GQueue lost = backend->pending;
	struct shmem_request *request;

	/* Taken over first: a done() that asks again finds the channel closed. */
	g_queue_init(&backend->pending);
	if (backend->is_open)
		vhost_channel_finish(&backend->channel);
	backend->is_open = false;
	while ((request = g_queue_pop_head(&lost))) {
		request->done(request->opaque, -ECONNRESET);
		g_free(request);
	}
}

void vhost_backend_finish(struct vhost *vhost)
{
	struct vhost_backend *backend = &vhost->backend;

	if (backend->is_open)
		vhost_channel_finish(&backend->channel);
	backend->is_open = false;
	g_queue_clear_full(&backend->pending, g_free);
}

static bool is_usable(const struct vhost *vhost)
{
	return vhost->backend.is_open && !vhost->backend.channel.over;
}

bool vhost_has_shmem(const struct vhost *vhost)
{
	/* Without REPLY_ACK the front-end would not answer, and nobody would know. */
	return is_usable(vhost) && vhost_has_protocol_feature(vhost, VHOST_PROTOCOL_F_SHMEM_MAP) &&
	       vhost_has_protocol_feature(vhost, VHOST_PROTOCOL_F_REPLY_ACK);
}

static int send_mmap(struct vhost *vhost, const struct vhost_wire_mmap *mmap, int fd,
	const struct shmem_request *request)
{
	const struct vhost_header header = {
		.request = request->request,
		.flags = VHOST_VERSION | VHOST_FLAG_NEED_REPLY,
		.size = sizeof(*mmap),
	};
	int ret;

	if (!vhost_has_shmem(vhost))
		return -ENOTSUP;
	ret = vhost_channel_send(&vhost->backend.channel, &header, mmap, fd);
	if (ret == 0)
		g_queue_push_tail(&vhost->backend.pending, g_memdup2(request, sizeof(*request)));
	return ret;
}

int vhost_shmem_map(struct vhost *vhost, const struct vhost_shmem_range *range, int fd,
	vhost_shmem_done_fn done, void *opaque)
{
	const struct shmem_request request = {VHOST_BACKEND_SHMEM_MAP, done, opaque};
	const struct vhost_wire_mmap mmap = {
		.shmid = range->shmid,
		.fd_offset = range->fd_offset,
		.shm_offset = range->shm_offset,
		.len = range->len,
		.flags = range->writable ? VHOST_SHMEM_WRITABLE : 0,
	};

	return fd < 0 ? -EBADF : send_mmap(vhost, &mmap, fd, &request);
}

int vhost_shmem_unmap(struct vhost *vhost, const struct vhost_shmem_range *range,
	vhost_shmem_done_fn done, void *opaque)
{
	const struct shmem_request request = {VHOST_BACKEND_SHMEM_UNMAP, done, opaque};
	const struct vhost_wire_mmap mmap = {
		.shmid = range->shmid,
		.shm_offset = range->shm_offset,
		.len = range->len,
	};

	return send_mmap(vhost, &mmap, -1, &request);
}

void vhost_notify_config(struct vhost *vhost)
{
	const struct vhost_header header = {
		.request = VHOST_BACKEND_CONFIG_CHANGE_MSG,
		.flags = VHOST_VERSION,
	};

	/* A failing send closes the channel, which says so. */
	if (is_usable(vhost) && vhost_has_protocol_feature(vhost, VHOST_PROTOCOL_F_CONFIG))
		vhost_channel_send(&vhost->backend.channel, &header, NULL, -1);
}
