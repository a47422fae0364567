/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers inside a command stream, and resources that are made there. The library carries them out
 * by the code that TRANSFER_TO_HOST_3D, TRANSFER_FROM_HOST_3D and RESOURCE_CREATE_3D end in, with its
 * faults (transfer.c, resource.c), so they are looked at the same way. A driver sends none that would
 * not pass; one that does not becomes a command that does nothing, and what stands around it goes on.
 * The words are those of virglrenderer's virgl_protocol.h:
 *
 *	word 0	   command, object type << 8, number of words that follow << 16
 *	word 1	   resource
 *	word 2	   level
 *	word 4, 5  stride, layer stride (bytes)
 *	word 6-11  box: x, y, z, w, h, d
 *	word 12	   TRANSFER3D: offset; COPY_TRANSFER3D: the resource whose backing is meant
 *	word 13	   TRANSFER3D: direction; COPY_TRANSFER3D: offset
 *	word 14	   COPY_TRANSFER3D: flags
 *
 * PIPE_RESOURCE_CREATE has the arguments of RESOURCE_CREATE_3D, and an id by which a blob is made of
 * it. What the blob is, only the library knows then: what could not be read back is not made.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/log.h"

#define COMMAND_MASK 0xff
#define LENGTH_SHIFT 16
#define NOP	     0

enum {
	RESOURCE_INLINE_WRITE = 9,
	TRANSFER3D = 43,
	COPY_TRANSFER3D = 45,
	PIPE_RESOURCE_CREATE = 48,
};

enum {
	WORD_RESOURCE = 1,
	WORD_LEVEL = 2,
	WORD_STRIDE = 4,
	WORD_LAYER_STRIDE = 5,
	WORD_BOX = 6,
	BOX_WORDS = 6,
	WORD_OFFSET = 12,
	WORD_DIRECTION = 13,
	WORD_COPY_OFFSET = 13,
	WORD_COPY_FLAGS = 14,
};

/* Of PIPE_RESOURCE_CREATE. */
enum {
	WORD_TARGET = 1,
	WORD_FORMAT,
	WORD_BIND,
	WORD_WIDTH,
	WORD_HEIGHT,
	WORD_DEPTH,
	WORD_ARRAY_SIZE,
	WORD_LAST_LEVEL,
	WORD_SAMPLES,
	WORD_FLAGS,
};

#define DIRECTION_FROM_HOST  2
#define COPY_READS_FROM_HOST (1 << 1)

/* A command's words, its header among them. */
struct stream_command {
	const uint32_t *words;
	uint32_t count;
};

static uint32_t word_at(const struct stream_command *command, uint32_t i)
{
	return i < command->count ? command->words[i] : 0;
}

static struct gpu_transfer_3d stream_decode(
	const struct stream_command *command, uint32_t offset_word)
{
	return (struct gpu_transfer_3d){
		.box =
			{
				.x = word_at(command, WORD_BOX),
				.y = word_at(command, WORD_BOX + 1),
				.z = word_at(command, WORD_BOX + 2),
				.w = word_at(command, WORD_BOX + 3),
				.h = word_at(command, WORD_BOX + 4),
				.d = word_at(command, WORD_BOX + 5),
			},
		.offset = offset_word ? word_at(command, offset_word) : 0,
		.level = word_at(command, WORD_LEVEL),
		.stride = word_at(command, WORD_STRIDE),
		.layer_stride = word_at(command, WORD_LAYER_STRIDE),
	};
}

static bool is_resource_sane(const struct stream_command *command)
{
	const struct gpu_resource resource = {
		.kind = GPU_RESOURCE_3D,
		.format = word_at(command, WORD_FORMAT),
		.width = word_at(command, WORD_WIDTH),
		.height = word_at(command, WORD_HEIGHT),
		.args_3d =
			{
				.target = word_at(command, WORD_TARGET),
				.bind = word_at(command, WORD_BIND),
				.depth = word_at(command, WORD_DEPTH),
				.array_size = word_at(command, WORD_ARRAY_SIZE),
				.last_level = word_at(command, WORD_LAST_LEVEL),
				.nr_samples = word_at(command, WORD_SAMPLES),
				.flags = word_at(command, WORD_FLAGS),
			},
	};

	return renderer_virgl_size_is_sane(&resource) && renderer_virgl_is_readable(&resource);
}

/*
 * A command that is too short, and a resource that is not there, the library refuses. Return: NULL, or what
 * is wrong.
 */
static const char *find_transfer_fault(struct renderer_virgl *virgl,
	const struct stream_command *command, uint32_t offset_word, bool from_host)
{
	const struct gpu_resource *resource = g_hash_table_lookup(
		virgl->resources, GUINT_TO_POINTER(word_at(command, WORD_RESOURCE)));
	struct gpu_transfer_3d transfer;
	bool is_sane;

	if (!resource || command->count < WORD_BOX + BOX_WORDS)
		return NULL;
	transfer = stream_decode(command, offset_word);
	is_sane = from_host ? renderer_virgl_may_read(resource, &transfer)
			    : renderer_virgl_may_write(resource, &transfer);
	return is_sane ? NULL : "a transfer";
}

/* The command is decided on first: most streams have none of these. Return: NULL, or what is wrong. */
static const char *find_fault(struct renderer_virgl *virgl, const struct stream_command *command)
{
	switch (word_at(command, 0) & COMMAND_MASK) {
	case RESOURCE_INLINE_WRITE:
		return find_transfer_fault(virgl, command, 0, false);
	case TRANSFER3D:
		return find_transfer_fault(virgl, command, WORD_OFFSET,
			word_at(command, WORD_DIRECTION) == DIRECTION_FROM_HOST);
	case COPY_TRANSFER3D:
		return find_transfer_fault(virgl, command, WORD_COPY_OFFSET,
			word_at(command, WORD_COPY_FLAGS) & COPY_READS_FROM_HOST);
	case PIPE_RESOURCE_CREATE:
		return is_resource_sane(command) ? NULL : "a resource";
	default:
		return NULL;
	}
}

void renderer_virgl_stream_guard(struct renderer_virgl *virgl, uint32_t *words, size_t count)
{
	const uint32_t *end = words + count;
	struct stream_command command;

	/* The library stops at a command that is longer than what is left. */
	for (; words < end && *words >> LENGTH_SHIFT < end - words; words += command.count) {
		const char *fault;

		command = (struct stream_command){words, (*words >> LENGTH_SHIFT) + 1};
		fault = find_fault(virgl, &command);
		if (!fault)
			continue;
		log_peer("virglrenderer: %s in a command stream is left out: it is too large, or "
			 "cannot be read back",
			fault);
		*words = NOP | (command.count - 1) << LENGTH_SHIFT;
	}
}
