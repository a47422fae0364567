/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The decoder of the library that plays virglrenderer. It knows the commands for which the real one
 * (vrend_decode.c of 0.10.4) trusts the guest, and ends the process where that is wrong. Its OpenGL
 * copies no parts of textures, so the library does.
 */
#include "fake-virgl.h"

#include <errno.h>
#include <string.h>

#define COMMAND_COUNT 64
#define IMAGE_FORMATS 322
#define TWEAKS	      3

enum {
	CREATE_OBJECT = 1,
	RESOURCE_INLINE_WRITE = 9,
	BLIT = 16,
	RESOURCE_COPY_REGION = 17,
	SET_SHADER_IMAGES = 35,
	SET_DEBUG_FLAGS = 41,
	TRANSFER3D = 43,
	COPY_TRANSFER3D = 45,
	SET_TWEAKS = 46,
	PIPE_RESOURCE_CREATE = 48,
	GET_MEMORY_INFO = 50,
	SEND_STRING_MARKER = 51,
	CREATE_VIDEO_CODEC = 53,
	END_FRAME = 61,
	GET_PIPE_RESOURCE_LAYOUT = 63,
};

#define OBJECT_QUERY 9

/* What the context was given, and is a buffer or texture. */
static struct fake_resource *find_attached(const struct fake_context *context, uint32_t id)
{
	struct fake_resource *resource = NULL;

	if (g_hash_table_contains(context->attached, GUINT_TO_POINTER(id)))
		resource = fake_resource_find(id);
	return resource && resource->block ? resource : NULL;
}

static uint32_t layers_of(const struct fake_resource *resource, uint32_t level)
{
	return resource->target == FAKE_3D ? MAX(resource->depth >> level, 1)
					   : resource->array_size;
}

static void decode_box(const uint32_t *words, struct fake_transfer *transfer)
{
	transfer->level = words[2];
	transfer->stride = words[4];
	transfer->layer_stride = words[5];
	memcpy(&transfer->box, words + 6, sizeof(transfer->box));
}

static int run_inline_write(struct fake_resource *resource, const uint32_t *words, uint32_t len)
{
	const struct iovec iov = {(void *)(uintptr_t)(words + 12), (len - 11) * sizeof(uint32_t)};
	struct fake_transfer transfer = {.iov = &iov, .iov_count = 1};

	decode_box(words, &transfer);
	return fake_transfer_run(resource, &transfer);
}

static int run_copy(struct fake_resource *resource, const uint32_t *words)
{
	const struct fake_resource *memory = fake_resource_find(words[12]);
	struct fake_transfer transfer = {.offset = words[13], .is_read = (words[14] & 2) != 0};

	if (!memory || !memory->iov)
		return EINVAL;
	transfer.iov = memory->iov;
	transfer.iov_count = memory->iov_count;
	decode_box(words, &transfer);
	return fake_transfer_run(resource, &transfer);
}

static int run_transfer(struct fake_resource *resource, const uint32_t *words)
{
	struct fake_transfer transfer = {.offset = words[12], .is_read = words[13] == 2};

	decode_box(words, &transfer);
	return fake_transfer_run(resource, &transfer);
}

/* As fill_caps() of fake-virgl.c says. */
static bool can_render(const struct fake_resource *resource)
{
	return resource->block->format % 8 == 0;
}

/* The library copies a level of the source on the CPU. */
static int run_copy_region(const struct fake_context *context, const uint32_t *words)
{
	const struct fake_resource *dst = find_attached(context, words[1]);
	const struct fake_resource *src = find_attached(context, words[6]);

	if (!dst || !src)
		return EINVAL;
	if ((dst->target == FAKE_BUFFER && src->target == FAKE_BUFFER) ||
		(can_render(dst) && can_render(src)) || dst->block != src->block)
		return 0;
	g_assert(dst->target != FAKE_BUFFER && src->target != FAKE_BUFFER);
	fake_check_readable(src);
	g_assert(words[7] <= src->last_level && words[2] <= dst->last_level);
	g_assert((uint64_t)words[10] + words[13] <= layers_of(src, words[7]));
	g_assert((uint64_t)words[8] + words[11] <= MAX(src->width >> words[7], 1));
	g_assert((uint64_t)words[9] + words[12] <= MAX(src->height >> words[7], 1));
	return 0;
}

static int run_blit(const struct fake_context *context, const uint32_t *words)
{
	const struct fake_resource *dst = find_attached(context, words[4]);
	const struct fake_resource *src = find_attached(context, words[13]);

	if (!dst || !src)
		return EINVAL;
	g_assert(dst->target != FAKE_BUFFER && src->target != FAKE_BUFFER);
	g_assert(words[5] <= dst->last_level && words[14] <= src->last_level);
	/* It loops as often. */
	g_assert(words[12] <= layers_of(dst, words[5]));
	return 0;
}

/* Oldest first, as the real one's list. */
static int run_create(struct fake_context *context, const uint32_t *words)
{
	struct fake_resource *resource = g_new0(struct fake_resource, 1);

	if (!fake_resource_describe(resource, words + 1)) {
		g_free(resource);
		return EINVAL;
	}
	resource->blob_id = words[11];
	g_queue_push_tail(&context->made, resource);
	return 0;
}

/* Writes an answer of @answer_len bytes to the first piece. */
static int run_answer(const struct fake_context *context, uint32_t id, uint64_t answer_len)
{
	const struct fake_resource *resource = find_attached(context, id);

	if (!resource)
		return EINVAL;
	g_assert(resource->iov_count > 0);
	memset(resource->iov->iov_base, 0x5a, MIN(resource->iov->iov_len, answer_len));
	return 0;
}

static int run_query(const struct fake_context *context, const uint32_t *words)
{
	const struct fake_resource *resource = find_attached(context, words[4]);

	g_assert(!resource || (resource->target == FAKE_BUFFER && resource->width >= 16));
	return resource ? 0 : EINVAL;
}

static void check_images(const uint32_t *words, uint32_t len)
{
	for (uint32_t i = 3; i + 4 <= len; i += 5)
		g_assert(words[i] < IMAGE_FORMATS);
}

static int run_any_transfer(
	const struct fake_context *context, const uint32_t *words, uint32_t command, uint32_t len)
{
	struct fake_resource *resource = find_attached(context, words[1]);

	if (!resource)
		return EINVAL;
	if (command == RESOURCE_INLINE_WRITE)
		return run_inline_write(resource, words, len);
	if (command == COPY_TRANSFER3D)
		return run_copy(resource, words);
	return run_transfer(resource, words);
}

struct decoder_row {
	uint32_t command;
	uint32_t min_len;
};

/* Of the commands below: shorter ones are refused. */
static const struct decoder_row decoder_rows[] = {{RESOURCE_INLINE_WRITE, 12}, {BLIT, 21},
	{RESOURCE_COPY_REGION, 13}, {TRANSFER3D, 13}, {COPY_TRANSFER3D, 14}, {SET_TWEAKS, 2},
	{PIPE_RESOURCE_CREATE, 11}, {GET_MEMORY_INFO, 1}, {GET_PIPE_RESOURCE_LAYOUT, 2}};

static bool is_too_short(uint32_t command, uint32_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(decoder_rows); i++)
		if (decoder_rows[i].command == command)
			return len < decoder_rows[i].min_len;
	return false;
}

/* @len: words behind the first one. */
static int run_command(struct fake_context *context, const uint32_t *words, uint32_t len)
{
	const uint32_t command = words[0] & 0xff;

	/* What is not in the list does not come here. */
	g_assert(command < COMMAND_COUNT);
	g_assert(command != SET_DEBUG_FLAGS && command != SEND_STRING_MARKER);
	g_assert(command < CREATE_VIDEO_CODEC || command > END_FRAME);
	if (is_too_short(command, len))
		return EINVAL;
	switch (command) {
	case CREATE_OBJECT:
		return (words[0] >> 8 & 0xff) == OBJECT_QUERY && len == 4
			       ? run_query(context, words)
			       : 0;
	case RESOURCE_INLINE_WRITE:
	case TRANSFER3D:
	case COPY_TRANSFER3D:
		return run_any_transfer(context, words, command, len);
	case BLIT:
		return run_blit(context, words);
	case RESOURCE_COPY_REGION:
		return run_copy_region(context, words);
	case SET_SHADER_IMAGES:
		check_images(words, len);
		return 0;
	case SET_TWEAKS:
		g_assert(words[1] < TWEAKS);
		return 0;
	case PIPE_RESOURCE_CREATE:
		return run_create(context, words);
	case GET_MEMORY_INFO:
		return run_answer(context, words[1], 24);
	case GET_PIPE_RESOURCE_LAYOUT:
		return run_answer(context, words[1], 80);
	default:
		return 0;
	}
}

int fake_stream_run(struct fake_context *context, const uint32_t *words, uint32_t count)
{
	uint32_t i = 0;
	int ret = 0;

	while (ret == 0 && i < count) {
		const uint32_t len = words[i] >> 16;

		if (len >= count - i)
			return EINVAL;
		ret = run_command(context, words + i, len);
		i += len + 1;
	}
	return ret;
}
