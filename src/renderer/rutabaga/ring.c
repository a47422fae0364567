/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Rings of cross-domain. The guest makes blobs of its own memory and names two of them in INIT; the
 * library answers queries in one, and a thread of each context leaves what the channel brings in
 * the other, one message for each fence.
 *
 * That thread knows nothing of a guest that takes its pages back, nor of a front-end that
 * changes its memory, and uses the first piece of scattered pages only. So the library gets
 * memory of our own for the ring, and each message is copied out of it: on the library's thread,
 * which waits in its callback, into a copy that the main loop then writes into the guest's pages,
 * before the device hears of the fence.
 */
#include "renderer/rutabaga/cross_domain.h"
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/iov.h"
#include "util/log.h"

#include <string.h>
#include <sys/mman.h>

static struct gpu_resource *find_ring(struct renderer_rutabaga *rutabaga, uint32_t id)
{
	struct gpu_resource *resource =
		g_hash_table_lookup(rutabaga->resources, GUINT_TO_POINTER(id));
	struct rutabaga_resource *data = resource ? resource->renderer_data : NULL;

	return data && data->ring ? resource : NULL;
}

int renderer_rutabaga_ring_open(
	struct renderer_rutabaga *rutabaga, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct rutabaga_resource *data = resource->renderer_data;
	const struct rutabaga_create_blob args = {
		.blob_mem = RUTABAGA_BLOB_MEM_GUEST,
		.blob_flags = RUTABAGA_BLOB_FLAG_USE_MAPPABLE,
		.size = resource->blob.size,
	};
	struct iovec iov = {.iov_len = MIN(resource->blob.size, RENDERER_RUTABAGA_RING_LEN)};
	const struct rutabaga_iovecs iovecs = {&iov, 1};

	if (data->ring)
		return 0;
	/* Pages that nobody writes to cost nothing. */
	iov.iov_base = mmap(NULL, iov.iov_len, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (iov.iov_base == MAP_FAILED)
		return -ENOMEM;
	/* With context 0 it is nobody's, and gets the memory that comes along. */
	if (rutabaga_resource_create_blob(
		    rutabaga->rutabaga, 0, resource->id, &args, &iovecs, NULL) != 0) {
		munmap(iov.iov_base, iov.iov_len);
		return -EINVAL;
	}
	g_mutex_lock(&rutabaga->lock);
	data->is_known = true;
	data->ring = iov.iov_base;
	data->ring_len = iov.iov_len;
	data->ring_ctx_id = ctx_id;
	g_mutex_unlock(&rutabaga->lock);
	return 0;
}

void renderer_rutabaga_ring_close(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource)
{
	struct rutabaga_resource *data = resource->renderer_data;
	uint8_t *ring = data->ring;

	if (!ring)
		return;
	rutabaga_resource_unref(rutabaga->rutabaga, resource->id);
	g_mutex_lock(&rutabaga->lock);
	data->is_known = false;
	data->ring = NULL;
	g_mutex_unlock(&rutabaga->lock);
	munmap(ring, data->ring_len);
}

/* How much of the ring is the message: what the library wrote into its header. */
static size_t message_len(const uint8_t *ring, size_t ring_len)
{
	const struct cross_domain_receive *receive = (const void *)ring;
	const struct cross_domain_read *read = (const void *)ring;
	uint64_t len = 0;

	if (ring_len < sizeof(*receive))
		return ring_len;
	if (receive->header.command == CROSS_DOMAIN_RECEIVE)
		len = sizeof(*receive) + (uint64_t)receive->data_len;
	else if (read->header.command == CROSS_DOMAIN_READ)
		len = sizeof(*read) + (uint64_t)read->data_len;
	return MIN(len, ring_len);
}

GBytes *renderer_rutabaga_ring_message(
	struct renderer_rutabaga *rutabaga, const struct rutabaga_context *context)
{
	const struct gpu_resource *resource = find_ring(rutabaga, context->channel_ring_id);
	const struct rutabaga_resource *data = resource ? resource->renderer_data : NULL;

	if (!data)
		return NULL;
	return g_bytes_new(data->ring, message_len(data->ring, data->ring_len));
}

static void write_guest(const struct gpu_resource *resource, const void *bytes, size_t len)
{
	/* The guest took its pages back while a message came. */
	if (iov_write(resource->iov, resource->iov_count, 0, bytes, len) != len)
		log_peer("cross-domain: a message for ring %u is lost, it has no memory",
			resource->id);
}

void renderer_rutabaga_ring_deliver(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, uint32_t resource_id, GBytes *message)
{
	const struct gpu_resource *resource = find_ring(rutabaga, resource_id);
	size_t len;
	const void *bytes = g_bytes_get_data(message, &len);
	const struct cross_domain_read *read = bytes;

	if (context && context->pipe_count > 0 && len >= sizeof(*read) &&
		read->header.command == CROSS_DOMAIN_READ && read->hang_up)
		context->pipe_count--;
	if (resource && len > 0)
		write_guest(resource, bytes, len);
}

void renderer_rutabaga_ring_answer(
	struct renderer_rutabaga *rutabaga, uint32_t resource_id, size_t len)
{
	const struct gpu_resource *resource = find_ring(rutabaga, resource_id);
	const struct rutabaga_resource *data = resource ? resource->renderer_data : NULL;

	if (data)
		write_guest(resource, data->ring, MIN(len, data->ring_len));
}
