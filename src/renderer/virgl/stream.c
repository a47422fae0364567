/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers inside a command stream. The library carries them out by the code that TRANSFER_TO_HOST_3D
 * and TRANSFER_FROM_HOST_3D end in, with its faults (transfer.c), so they are looked at the same way.
 * A driver sends none that would not pass; one that does not becomes a command that does nothing, and
 * what stands around it goes on. The words are those of virglrenderer's virgl_protocol.h:
 *
 *	word 0	   command, object type << 8, number of words that follow << 16
 *	word 1	   resource
 *	word 2	   level
 *	word 4, 5  stride, layer stride (bytes)
 *	word 6-11  box: x, y, z, w, h, d
 *	word 12	   TRANSFER3D: offset; COPY_TRANSFER3D: the resource whose backing is meant
 *	word 13	   TRANSFER3D: direction; COPY_TRANSFER3D: offset
 *	word 14	   COPY_TRANSFER3D: flags
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

/* A command that is too short, and a resource that is not there, the library refuses. */
static bool is_sane(struct renderer_virgl *virgl, const struct stream_command *command)
{
	const struct gpu_resource *resource = g_hash_table_lookup(
		virgl->resources, GUINT_TO_POINTER(word_at(command, WORD_RESOURCE)));
	struct gpu_transfer_3d transfer;

	if (!resource || command->count < WORD_BOX + BOX_WORDS)
		return true;
	switch (word_at(command, 0) & COMMAND_MASK) {
	case RESOURCE_INLINE_WRITE:
		transfer = stream_decode(command, 0);
		return renderer_virgl_may_write(resource, &transfer);
	case TRANSFER3D:
		transfer = stream_decode(command, WORD_OFFSET);
		if (word_at(command, WORD_DIRECTION) == DIRECTION_FROM_HOST)
			return renderer_virgl_may_read(resource, &transfer);
		return renderer_virgl_may_write(resource, &transfer);
	case COPY_TRANSFER3D:
		transfer = stream_decode(command, WORD_COPY_OFFSET);
		if (word_at(command, WORD_COPY_FLAGS) & COPY_READS_FROM_HOST)
			return renderer_virgl_may_read(resource, &transfer);
		return renderer_virgl_may_write(resource, &transfer);
	default:
		return true;
	}
}

void renderer_virgl_stream_guard(struct renderer_virgl *virgl, uint32_t *words, size_t count)
{
	size_t i = 0;

	/* The library stops at a command that is longer than what is left. */
	while (i < count && words[i] >> LENGTH_SHIFT < count - i) {
		const struct stream_command command = {words + i, (words[i] >> LENGTH_SHIFT) + 1};

		if (!is_sane(virgl, &command)) {
			log_peer("virglrenderer: a transfer in a command stream, of resource "
				 "%u, is left out",
				word_at(&command, WORD_RESOURCE));
			words[i] = NOP | (command.count - 1) << LENGTH_SHIFT;
		}
		i += command.count;
	}
}
