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
 *
 * For a front-end that answers early (vhost/quirks.h) a map is followed by a *barrier*. Requests are
 * handled one after the other, so its answer says that the map is over; the map is done then.
 */
#include "util/log.h"
#include "vhost/private.h"

#include <errno.h>
#include <sys/socket.h>

/*
 * @done: NULL for a map with a barrier behind it
 * @error: of the map, for its barrier
 */
struct shmem_request {
	uint32_t request;
	vhost_shmem_done_fn done;
	void *opaque;
	int error;
};

#define UUID_LEN 16

/* A map with a barrier is done when that is; everything else is done now. */
static void backend_channel_finish(
	struct vhost_backend *backend, const struct shmem_request *request, int error)
{
	struct shmem_request *barrier;

	if (request->request == VHOST_BACKEND_SHARED_OBJECT_REMOVE)
		error = request->error;
	if (request->done) {
		request->done(request->opaque, error);
		return;
	}
	barrier = g_queue_peek_head(&backend->pending);
	if (barrier)
		barrier->error = error;
}

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
	backend_channel_finish(backend, pending, status == 0 ? 0 : -EIO);
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
	backend->answers_early = vhost_quirks_answers_early(&vhost->quirks, fd);
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
		if (request->done)
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

/* Sends a request that is to be answered, and waits for that in the list. */
static int send_request(struct vhost *vhost, const struct shmem_request *request,
	const void *payload, uint32_t len, int fd)
{
	const struct vhost_header header = {
		.request = request->request,
		.flags = VHOST_VERSION | VHOST_FLAG_NEED_REPLY,
		.size = len,
	};
	int ret;

	if (!vhost_has_shmem(vhost))
		return -ENOTSUP;
	ret = vhost_channel_send(&vhost->backend.channel, &header, payload, fd);
	if (ret == 0)
		g_queue_push_tail(&vhost->backend.pending, g_memdup2(request, sizeof(*request)));
	return ret;
}

static int send_map_with_barrier(struct vhost *vhost, const struct vhost_wire_mmap *mmap, int fd,
	const struct shmem_request *request)
{
	static const uint8_t nobodys_uuid[UUID_LEN];
	const struct shmem_request map = {.request = request->request};
	struct shmem_request barrier = *request;
	int ret = send_request(vhost, &map, mmap, sizeof(*mmap), fd);

	if (ret < 0)
		return ret;
	barrier.request = VHOST_BACKEND_SHARED_OBJECT_REMOVE;
	return send_request(vhost, &barrier, nobodys_uuid, sizeof(nobodys_uuid), -1);
}

int vhost_shmem_map(struct vhost *vhost, const struct vhost_shmem_range *range, int fd,
	vhost_shmem_done_fn done, void *opaque)
{
	const struct shmem_request request = {
		.request = VHOST_BACKEND_SHMEM_MAP, .done = done, .opaque = opaque};
	const struct vhost_wire_mmap mmap = {
		.shmid = range->shmid,
		.fd_offset = range->fd_offset,
		.shm_offset = range->shm_offset,
		.len = range->len,
		.flags = range->writable ? VHOST_SHMEM_WRITABLE : 0,
	};

	if (fd < 0)
		return -EBADF;
	if (vhost->backend.answers_early)
		return send_map_with_barrier(vhost, &mmap, fd, &request);
	return send_request(vhost, &request, &mmap, sizeof(mmap), fd);
}

int vhost_shmem_unmap(struct vhost *vhost, const struct vhost_shmem_range *range,
	vhost_shmem_done_fn done, void *opaque)
{
	const struct shmem_request request = {
		.request = VHOST_BACKEND_SHMEM_UNMAP, .done = done, .opaque = opaque};
	const struct vhost_wire_mmap mmap = {
		.shmid = range->shmid,
		.shm_offset = range->shm_offset,
		.len = range->len,
	};

	return send_request(vhost, &request, &mmap, sizeof(mmap), -1);
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
