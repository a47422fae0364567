/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The allow-list of OpenGL command streams:
 *
 *	stream.c	walks the commands of a stream
 *	stream_table.c	a row for each command
 *	stream_check.c	the checks that rows name
 *
 * A command is a header and up to 65535 words. The header has the command's number in bits 0 to 7,
 * the object type in bits 8 to 15, and the number of words that follow in bits 16 to 31. "Word 1" is
 * the first word behind the header.
 */
#pragma once

#include "renderer/virgl/renderer_virgl.h"

/** Commands and object types that the table has rows for: numbers below these */
#define STREAM_COMMANDS 64
#define STREAM_OBJECTS	12

#define STREAM_CREATE_OBJECT 1
#define STREAM_MAX_LEN	     UINT16_MAX

/** struct stream_command - A command's words; @count: with the header */
struct stream_command {
	const uint32_t *words;
	uint32_t count;
};

/** stream_word() - A word of a command. Return: 0 behind its end. */
static inline uint32_t stream_word(const struct stream_command *command, uint32_t i)
{
	return i < command->count ? command->words[i] : 0;
}

/** enum stream_rule - What becomes of a command whose length is right */
enum stream_rule {
	STREAM_LEAVE_OUT, /* first: what a row of zeroes says */
	STREAM_PASS,
	STREAM_CHECK,
};

/** enum stream_gate - What of the capset makes Mesa's driver send a command */
enum stream_gate {
	STREAM_ALWAYS,
	STREAM_BIT,	/* of capability_bits */
	STREAM_BIT_V2,	/* of capability_bits_v2 */
	STREAM_VERSION, /* host_feature_check_version, from the value on */
	STREAM_VIDEO,	/* num_video_caps */
};

/**
 * stream_check_fn - A look at a command whose length is right
 * @context: the one whose stream it is
 *
 * Return: NULL, or why it is left out.
 */
typedef const char *(*stream_check_fn)(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);

/** struct stream_resource - Words with a resource's id: @first, then every @step words; 0: once */
struct stream_resource {
	uint8_t first;
	uint8_t step;
};

/**
 * struct stream_row - A command, or a type of object for CREATE_OBJECT
 * @name: as in virgl_protocol.h; NULL: no such command
 * @min_len, @max_len: words behind the header; lengths in between are @step apart; 0: any
 * @check: for STREAM_CHECK
 * @resources: looked up by the library in the context's own list; by us where @check does
 * @gate, @gate_value: see enum stream_gate
 * @since: the release of virglrenderer that has it, where 0.10.4 has not
 * @why: what is looked at, or why it is left out
 */
struct stream_row {
	const char *name;
	uint16_t min_len;
	uint16_t max_len;
	uint16_t step;
	enum stream_rule rule;
	stream_check_fn check;
	struct stream_resource resources[2];
	enum stream_gate gate;
	uint8_t gate_value;
	const char *since;
	const char *why;
};

/** stream_commands - By number */
extern const struct stream_row stream_commands[STREAM_COMMANDS];

/** stream_objects - By the type that CREATE_OBJECT has in its header */
extern const struct stream_row stream_objects[STREAM_OBJECTS];

/* The checks, in stream_check.c. */
const char *stream_check_inline_write(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_transfer(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_copy_transfer(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_copy_region(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_blit(struct renderer_virgl *virgl, struct renderer_virgl_context *context,
	const struct stream_command *command);
const char *stream_check_clear_texture(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_query(struct renderer_virgl *virgl, struct renderer_virgl_context *context,
	const struct stream_command *command);
const char *stream_check_query_result(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_images(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_tweaks(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_create(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_set_type(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_memory_info(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
const char *stream_check_layout(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command);
