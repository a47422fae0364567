/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Passes on those commands of an OpenGL stream that the table allows. The header of any other command
 * is overwritten, so that it does nothing; the commands around it are carried out. The library goes
 * from header to header by the length alone, whatever the command is, so both see the same commands.
 *
 * The capset must not offer what the table leaves out: renderer_virgl_mask_capset().
 */
#include "renderer/virgl/stream.h"

#include "util/log.h"

#include <string.h>

#define COMMAND_MASK 0xff
#define OBJECT_SHIFT 8
#define LENGTH_SHIFT 16
#define NOP	     0

/* Offsets in struct virgl_caps_v2 (virgl_hw.h), bytes; the same in each release */
#define CAPS_RENDER_AT	68  /* v1.render */
#define CAPS_BITS_AT	392 /* capability_bits */
#define CAPS_VERSION_AT 556 /* host_feature_check_version */
#define CAPS_BITS_V2_AT 688 /* capability_bits_v2 */
#define CAPS_VIDEO_AT	856 /* num_video_caps */

/* What 1.3.0 has, the newest release that the table covers */
#define KNOWN_BITS    UINT32_MAX
#define KNOWN_BITS_V2 ((UINT32_C(1) << 19) - 1)
#define KNOWN_VERSION 23

#define BIT_COPY_IMAGE	 (UINT32_C(1) << 3)
#define BIT_HOST_IS_GLES (UINT32_C(1) << 19)

static const struct stream_row *find_row(uint32_t header)
{
	const uint32_t number = header & COMMAND_MASK;
	const uint32_t object = header >> OBJECT_SHIFT & COMMAND_MASK;

	if (number == STREAM_CREATE_OBJECT)
		return object < STREAM_OBJECTS ? &stream_objects[object] : NULL;
	return number < STREAM_COMMANDS ? &stream_commands[number] : NULL;
}

static bool is_length_right(const struct stream_row *row, uint32_t len)
{
	if (len == row->min_len)
		return true;
	return len > row->min_len && len <= row->max_len &&
	       (row->step == 0 || (len - row->min_len) % row->step == 0);
}

/* Return: NULL, or why the command is left out. */
static const char *judge_command(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_row *row,
	const struct stream_command *command)
{
	if (!is_length_right(row, command->count - 1))
		return "its length is wrong";
	if (row->rule == STREAM_PASS)
		return NULL;
	return row->rule == STREAM_CHECK ? row->check(virgl, context, command) : row->why;
}

static void say_unknown(struct renderer_virgl *virgl, uint32_t ctx_id,
	struct renderer_virgl_context *context, uint32_t header)
{
	if (context->unknown_count++ > 0)
		return;
	log_peer("virglrenderer: context %u sends command %u (object type %u), which is not in the "
		 "list; it is left out, and so are others like it (%s)",
		ctx_id, header & COMMAND_MASK, header >> OBJECT_SHIFT & COMMAND_MASK,
		virgl->base.description);
}

static bool may_pass(struct renderer_virgl *virgl, uint32_t ctx_id,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	const struct stream_row *row = find_row(command->words[0]);
	const char *fault;

	if (!row || !row->name) {
		say_unknown(virgl, ctx_id, context, command->words[0]);
		return false;
	}
	fault = judge_command(virgl, context, row, command);
	if (!fault)
		return true;
	context->left_out_count++;
	log_peer("virglrenderer: context %u: %s in a command stream is left out: %s", ctx_id,
		row->name, fault);
	return false;
}

size_t renderer_virgl_stream_guard(struct renderer_virgl *virgl, uint32_t ctx_id, uint32_t *words,
	size_t count, size_t max_words)
{
	struct renderer_virgl_context *context =
		g_hash_table_lookup(virgl->contexts, GUINT_TO_POINTER(ctx_id));
	size_t done = 0;

	if (!context)
		return count;
	while (done < count && (done == 0 || done < max_words)) {
		const struct stream_command command = {
			words + done, (words[done] >> LENGTH_SHIFT) + 1};

		/* The library stops at a command that is longer than what is left. */
		if (command.count > count - done)
			return count;
		if (!may_pass(virgl, ctx_id, context, &command))
			words[done] = NOP | (command.count - 1) << LENGTH_SHIFT;
		done += command.count;
	}
	return done;
}

/* Of the bits that are known: not those under which a driver sends what is left out. */
static uint32_t allowed_bits(enum stream_gate gate, uint32_t known)
{
	for (size_t i = 0; i < STREAM_COMMANDS; i++)
		if (stream_commands[i].name && stream_commands[i].gate == gate &&
			stream_commands[i].rule == STREAM_LEAVE_OUT)
			known &= ~(UINT32_C(1) << stream_commands[i].gate_value);
	return known;
}

static uint32_t read_cap(const uint8_t *caps, size_t len, size_t at)
{
	uint32_t value = 0;

	if (at + sizeof(value) <= len)
		memcpy(&value, caps + at, sizeof(value));
	return value;
}

static void write_cap(uint8_t *caps, size_t len, size_t at, uint32_t value)
{
	if (at + sizeof(value) <= len)
		memcpy(caps + at, &value, sizeof(value));
}

void renderer_virgl_mask_capset(void *caps, size_t len)
{
	const uint32_t bits = read_cap(caps, len, CAPS_BITS_AT);
	const uint32_t bits_v2 = read_cap(caps, len, CAPS_BITS_V2_AT);
	const uint32_t version = read_cap(caps, len, CAPS_VERSION_AT);

	write_cap(caps, len, CAPS_BITS_AT, bits & allowed_bits(STREAM_BIT, KNOWN_BITS));
	write_cap(caps, len, CAPS_BITS_V2_AT, bits_v2 & allowed_bits(STREAM_BIT_V2, KNOWN_BITS_V2));
	write_cap(caps, len, CAPS_VERSION_AT, MIN(version, KNOWN_VERSION));
	write_cap(caps, len, CAPS_VIDEO_AT, 0);
}

static void read_host(struct renderer_virgl *virgl)
{
	uint32_t version = 0, len = 0, bits;
	g_autofree uint8_t *caps = NULL;

	virgl_renderer_force_ctx_0();
	virgl_renderer_get_cap_set(VIRTIO_GPU_CAPSET_VIRGL2, &version, &len);
	caps = g_malloc0(MAX(len, CAPS_VIDEO_AT));
	if (len > 0)
		virgl_renderer_fill_caps(VIRTIO_GPU_CAPSET_VIRGL2, version, caps);
	bits = read_cap(caps, len, CAPS_BITS_AT);
	virgl->host.copies_images = bits & BIT_COPY_IMAGE;
	virgl->host.is_gles = bits & BIT_HOST_IS_GLES;
	memcpy(virgl->host.renderable, caps + CAPS_RENDER_AT, sizeof(virgl->host.renderable));
	virgl->host.is_known = true;
}

const struct renderer_virgl_host *renderer_virgl_get_host(struct renderer_virgl *virgl)
{
	if (!virgl->host.is_known)
		read_host(virgl);
	return &virgl->host;
}

bool renderer_virgl_can_render(const struct renderer_virgl_host *host, uint32_t format)
{
	return format / 32 < RENDERER_VIRGL_FORMAT_WORDS &&
	       host->renderable[format / 32] >> format % 32 & 1;
}
