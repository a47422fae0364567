/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands of cross-domain contexts, checked before the library sees them. It walks over a stream
 * by the lengths in it, for ever where one is 0. A second INIT leaves the first one's thread behind,
 * for which the end of the context then waits. Queries and pipes it keeps without counting.
 *
 * What is sent goes to the channel's socket at once, on the main loop's thread: a program of the
 * host that does not read stops this guest's GPU, and no other's.
 *
 * A poll is a fence on the channel's timeline. 0.1.3 drops the poll that would have to tell of the
 * host's hang-up, and gives a channel up for a descriptor that it does not know; the guest then waits
 * until its context ends.
 */
#include "renderer/rutabaga/cross_domain.h"

#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/fd.h"
#include "util/log.h"

#include <string.h>

#define INIT_UUID_LEN 16
#define COMMAND_WORD  4 /* READ_CREATE_EVENT: an id, and padding */

/* Per context */
#define MAX_PIPES	 64
#define MAX_REQUIREMENTS 65536

struct stream {
	struct renderer_rutabaga *rutabaga;
	struct rutabaga_context *context;
	uint8_t *bytes; /* of the command */
	size_t len;
};

/* A channel's thread ends where a message has no room. */
static bool is_ring(const struct stream *stream, uint32_t id, size_t min_len)
{
	const struct gpu_resource *resource =
		g_hash_table_lookup(stream->rutabaga->resources, GUINT_TO_POINTER(id));
	const struct rutabaga_resource *data = resource ? resource->renderer_data : NULL;

	return data && data->ring && data->ring_len >= min_len &&
	       data->ring_ctx_id == stream->context->id;
}

/* The device's thread alone writes these; the library's threads read them under the lock. */
static void note_rings(const struct stream *stream, uint32_t query_ring_id,
	uint32_t channel_ring_id, uint32_t channel_type)
{
	struct rutabaga_context *context = stream->context;

	g_mutex_lock(&stream->rutabaga->lock);
	context->is_initialized = true;
	context->has_channel = channel_type != 0;
	context->query_ring_id = query_ring_id;
	context->channel_ring_id = channel_ring_id;
	g_mutex_unlock(&stream->rutabaga->lock);
}

static const char *check_init(const struct stream *stream)
{
	const struct cross_domain_init *init = (const void *)stream->bytes;
	const struct cross_domain_init_legacy *legacy = (const void *)stream->bytes;
	const bool is_legacy = stream->len == sizeof(*legacy);
	uint32_t query_ring_id, channel_ring_id, channel_type;

	if (!is_legacy && stream->len != sizeof(*init) &&
		stream->len != sizeof(*init) + INIT_UUID_LEN)
		return "INIT has an unknown length";
	query_ring_id = is_legacy ? legacy->ring_id : init->query_ring_id;
	channel_ring_id = is_legacy ? legacy->ring_id : init->channel_ring_id;
	channel_type = is_legacy ? legacy->channel_type : init->channel_type;
	if (stream->context->is_initialized)
		return "INIT comes twice";
	if (!is_ring(stream, query_ring_id, sizeof(struct cross_domain_requirements)) ||
		(channel_type && !is_ring(stream, channel_ring_id, CROSS_DOMAIN_MIN_RING_LEN)))
		return "a ring of INIT is no guest blob of the context's own, or too small";
	if (channel_type && fd_is_scarce())
		return "descriptors are scarce";
	/* The thread may have a message before the library returns. */
	note_rings(stream, query_ring_id, channel_ring_id, channel_type);
	return NULL;
}

static const char *check_query(const struct stream *stream)
{
	if (stream->len < sizeof(struct cross_domain_query))
		return "GET_IMAGE_REQUIREMENTS is short";
	if (!stream->context->is_initialized)
		return "GET_IMAGE_REQUIREMENTS comes before INIT";
	if (stream->context->requirement_count >= MAX_REQUIREMENTS)
		return "GET_IMAGE_REQUIREMENTS comes too often";
	stream->context->requirement_count++;
	return NULL;
}

static const char *check_send(const struct stream *stream)
{
	const struct cross_domain_receive *send = (const void *)stream->bytes;
	unsigned int pipe_count = 0;

	if (stream->len < sizeof(*send) || send->data_len > stream->len - sizeof(*send))
		return "SEND is short";
	if (send->identifier_count > CROSS_DOMAIN_MAX_IDENTIFIERS)
		return "SEND has too many identifiers";
	if (!stream->context->has_channel)
		return "SEND has no channel";
	for (uint32_t i = 0; i < send->identifier_count; i++)
		pipe_count += send->identifier_types[i] == CROSS_DOMAIN_READ_PIPE;
	if (stream->context->pipe_count + pipe_count > MAX_PIPES)
		return "the guest has too many pipes open";
	if (pipe_count > 0 && fd_is_scarce())
		return "descriptors are scarce";
	stream->context->pipe_count += pipe_count;
	return NULL;
}

static const char *check_write(const struct stream *stream)
{
	const struct cross_domain_read *write = (const void *)stream->bytes;

	if (stream->len < sizeof(*write) || write->data_len > stream->len - sizeof(*write))
		return "WRITE is short";
	return stream->context->is_initialized ? NULL : "WRITE comes before INIT";
}

static const char *check_event(const struct stream *stream)
{
	if (stream->len < sizeof(struct cross_domain_header) + COMMAND_WORD)
		return "a command is short";
	return stream->context->has_channel ? NULL : "an event has no channel";
}

static const char *check_uuid(const struct stream *stream)
{
	if (stream->len < sizeof(struct cross_domain_header) + INIT_UUID_LEN + COMMAND_WORD)
		return "ASSIGN_SOCKET_UUID is short";
	return NULL;
}

/* Return: why the command is refused, or NULL. */
static const char *check_command(const struct stream *stream)
{
	switch (((const struct cross_domain_header *)(const void *)stream->bytes)->command) {
	case CROSS_DOMAIN_INIT:
		return check_init(stream);
	case CROSS_DOMAIN_GET_IMAGE_REQUIREMENTS:
		return check_query(stream);
	case CROSS_DOMAIN_POLL:
		return NULL;
	case CROSS_DOMAIN_SEND:
		return check_send(stream);
	case CROSS_DOMAIN_WRITE:
		return check_write(stream);
	case CROSS_DOMAIN_READ_CREATE_EVENT:
		return check_event(stream);
	case CROSS_DOMAIN_ASSIGN_SOCKET_UUID:
		return check_uuid(stream);
	default:
		return "a command is not known";
	}
}

static int run_command(const struct stream *stream)
{
	const struct cross_domain_header *header = (const void *)stream->bytes;
	struct rutabaga_command command = {
		.ctx_id = stream->context->id,
		.cmd_size = (uint32_t)stream->len,
		.cmd = stream->bytes,
	};
	int ret;

#ifndef HAVE_RUTABAGA_FEATURES
	uint64_t no_fence = 0;

	command.fence_ids = &no_fence;
#endif
	ret = rutabaga_submit_command(stream->rutabaga->rutabaga, &command);
	if (ret != 0 && header->command == CROSS_DOMAIN_INIT) {
		/* A compositor that is not there yet. The library's context tries once only. */
		g_mutex_lock(&stream->rutabaga->lock);
		stream->context->is_initialized = false;
		stream->context->has_channel = false;
		g_mutex_unlock(&stream->rutabaga->lock);
	}
	if (ret == 0 && header->command == CROSS_DOMAIN_GET_IMAGE_REQUIREMENTS)
		renderer_rutabaga_ring_answer(stream->rutabaga, stream->context->query_ring_id,
			sizeof(struct cross_domain_requirements));
	return renderer_rutabaga_errno(ret);
}

int renderer_rutabaga_cross_domain_submit(struct renderer_rutabaga *rutabaga,
	struct rutabaga_context *context, uint8_t *commands, size_t len)
{
	while (len > 0) {
		const struct cross_domain_header *header = (const void *)commands;
		struct stream stream = {rutabaga, context, commands, 0};
		const char *why = NULL;
		int ret;

		if (len < sizeof(*header) || header->len < sizeof(*header) || header->len > len ||
			(header->len < len && header->len % sizeof(uint32_t) != 0))
			why = "a command's length is not possible";
		stream.len = why ? 0 : header->len;
		if (!why)
			why = check_command(&stream);
		if (why) {
			log_peer("cross-domain: context %u: %s", context->id, why);
			return -EINVAL;
		}
		ret = run_command(&stream);
		if (ret < 0)
			return ret;
		commands += stream.len;
		len -= stream.len;
	}
	return 0;
}
