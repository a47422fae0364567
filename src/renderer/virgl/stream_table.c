/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The allow-list: every command of virglrenderer 0.10.4 to 1.3.0. Numbers and words come from
 * virgl_protocol.h. Lengths are those that vrend_decode.c accepts, the same in each of these releases.
 * A gate is what makes Mesa's driver send a command. docs/virgl.md shows the table, and a test compares
 * both.
 */
#include "renderer/virgl/stream.h"

/* clang-format off */
#define LEN(min, max)	       .min_len = (min), .max_len = (max)
#define LEN_STEP(min, max, by) .min_len = (min), .max_len = (max), .step = (by)
#define PASS		       .rule = STREAM_PASS
#define CHECK(function, what)  .rule = STREAM_CHECK, .check = stream_check_##function, .why = (what)
#define LEAVE_OUT(reason)      .rule = STREAM_LEAVE_OUT, .why = (reason), .max_len = STREAM_MAX_LEN
#define BIT(bit)	       .gate = STREAM_BIT, .gate_value = (bit)
#define BIT_V2(bit)	       .gate = STREAM_BIT_V2, .gate_value = (bit)
#define RES(word)	       .resources = {{.first = (word)}}
#define RES_TWO(one, two)      .resources = {{.first = (one)}, {.first = (two)}}
#define RES_EACH(word, by)     .resources = {{.first = (word), .step = (by)}}
#define VERSION(version)       .gate = STREAM_VERSION, .gate_value = (version)

#define BOXES	"boxes, levels and extents; reads only what OpenGL can read back"
#define NO_VIDEO "the library is started without video, and then has no decoder to call"

const struct stream_row stream_commands[STREAM_COMMANDS] = {
	[0] = {"NOP", LEN(0, STREAM_MAX_LEN), PASS},
	[STREAM_CREATE_OBJECT] = {"CREATE_OBJECT", LEN(1, STREAM_MAX_LEN), PASS,
		.why = "a row for each type of object, below"},
	[2] = {"BIND_OBJECT", LEN(1, 1), PASS},
	[3] = {"DESTROY_OBJECT", LEN(1, 1), PASS},
	[4] = {"SET_VIEWPORT_STATE", LEN_STEP(1, 97, 6), PASS},
	[5] = {"SET_FRAMEBUFFER_STATE", LEN(2, 10), PASS},
	[6] = {"SET_VERTEX_BUFFERS", LEN_STEP(0, 96, 3), PASS, RES_EACH(3, 3)},
	[7] = {"CLEAR", LEN(8, 8), PASS},
	[8] = {"DRAW_VBO", LEN_STEP(12, 20, 2), PASS, RES_TWO(15, 20)},
	[9] = {"RESOURCE_INLINE_WRITE", LEN(12, STREAM_MAX_LEN), CHECK(inline_write, BOXES),
		RES(1)},
	[10] = {"SET_SAMPLER_VIEWS", LEN(2, 130), PASS},
	[11] = {"SET_INDEX_BUFFER", LEN_STEP(1, 3, 2), PASS, RES(1)},
	[12] = {"SET_CONSTANT_BUFFER", LEN(2, STREAM_MAX_LEN), PASS},
	[13] = {"SET_STENCIL_REF", LEN(1, 1), PASS},
	[14] = {"SET_BLEND_COLOR", LEN(4, 4), PASS},
	[15] = {"SET_SCISSOR_STATE", LEN_STEP(1, 33, 2), PASS},
	[16] = {"BLIT", LEN(21, 21), CHECK(blit, "textures, levels, layers, numbers that add up"),
		RES_TWO(4, 13)},
	[17] = {"RESOURCE_COPY_REGION", LEN(13, 13),
		CHECK(copy_region, "boxes, levels, samples; what the library would copy on the CPU"),
		RES_TWO(1, 6)},
	[18] = {"BIND_SAMPLER_STATES", LEN(2, 34), PASS},
	[19] = {"BEGIN_QUERY", LEN(1, 1), PASS},
	[20] = {"END_QUERY", LEN(1, 1), PASS},
	[21] = {"GET_QUERY_RESULT", LEN(2, 2), PASS},
	[22] = {"SET_POLYGON_STIPPLE", LEN(32, 32), PASS},
	[23] = {"SET_CLIP_STATE", LEN(32, 32), PASS},
	[24] = {"SET_SAMPLE_MASK", LEN(1, 1), PASS},
	[25] = {"SET_STREAMOUT_TARGETS", LEN(1, 17), PASS},
	[26] = {"SET_RENDER_CONDITION", LEN(3, 3), PASS},
	[27] = {"SET_UNIFORM_BUFFER", LEN(5, 5), PASS, RES(5)},
	[28] = {"SET_SUB_CTX", LEN(1, 1), PASS},
	[29] = {"CREATE_SUB_CTX", LEN(1, 1), PASS,
		.why = "how many there are, only `--max-memory` bounds"},
	[30] = {"DESTROY_SUB_CTX", LEN(1, 1), PASS},
	[31] = {"BIND_SHADER", LEN(2, 2), PASS},
	[32] = {"SET_TESS_STATE", LEN(6, 6), PASS},
	[33] = {"SET_MIN_SAMPLES", LEN(1, 1), PASS, BIT(2)},
	[34] = {"SET_SHADER_BUFFERS", LEN_STEP(2, 98, 3), PASS, RES_EACH(5, 3)},
	[35] = {"SET_SHADER_IMAGES", LEN_STEP(2, 162, 5),
		CHECK(images, "formats that every release knows"), RES_EACH(7, 5)},
	[36] = {"MEMORY_BARRIER", LEN(1, 1), PASS, BIT(6)},
	[37] = {"LAUNCH_GRID", LEN(8, 8), PASS, BIT(7), RES(7)},
	[38] = {"SET_FRAMEBUFFER_STATE_NO_ATTACH", LEN(2, 2), PASS, BIT(8)},
	[39] = {"TEXTURE_BARRIER", LEN(1, 1), PASS, BIT(12)},
	[40] = {"SET_ATOMIC_BUFFERS", LEN_STEP(4, 97, 3), PASS, RES_EACH(4, 3)},
	[41] = {"SET_DEBUG_FLAGS",
		LEAVE_OUT("fills the host's log, and has builds write streams to files"), BIT(14)},
	[42] = {"GET_QUERY_RESULT_QBO", LEN(6, 6), CHECK(query_result, "a buffer with room"), BIT(16),
		RES(2)},
	[43] = {"TRANSFER3D", LEN(13, 13), CHECK(transfer, BOXES), BIT(17), RES(1)},
	[44] = {"END_TRANSFERS", LEN(0, STREAM_MAX_LEN), PASS, BIT(17)},
	[45] = {"COPY_TRANSFER3D", LEN(14, 14), CHECK(copy_transfer, BOXES), BIT(26),
		RES_TWO(1, 12)},
	[46] = {"SET_TWEAKS", LEN(2, 2), CHECK(tweaks, "numbers that every release knows"), BIT(28)},
	[47] = {"CLEAR_TEXTURE", LEN(12, 12), CHECK(clear_texture, "a texture; level and box"),
		BIT(30), RES(1)},
	[48] = {"PIPE_RESOURCE_CREATE", LEN(11, 11),
		CHECK(create, "as RESOURCE_CREATE_3D, and readable; an id that no other blob has"),
		BIT(31)},
	[49] = {"PIPE_RESOURCE_SET_TYPE", LEN_STEP(10, 16, 2),
		CHECK(set_type, "a blob; the planes lie inside; the same type each time"), BIT_V2(1),
		RES(1)},
	[50] = {"GET_MEMORY_INFO", LEN(1, 1), CHECK(memory_info, "backing with room for the answer"),
		BIT_V2(3), RES(1)},
	[51] = {"SEND_STRING_MARKER",
		LEAVE_OUT("0.10.x prints past the log's limit, and nothing needs markers"), BIT_V2(4)},
	[52] = {"LINK_SHADER", LEN(6, 6), PASS, VERSION(7)},
	[53] = {"CREATE_VIDEO_CODEC", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[54] = {"DESTROY_VIDEO_CODEC", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[55] = {"CREATE_VIDEO_BUFFER", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[56] = {"DESTROY_VIDEO_BUFFER", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[57] = {"BEGIN_FRAME", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[58] = {"DECODE_MACROBLOCK", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[59] = {"DECODE_BITSTREAM", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[60] = {"ENCODE_BITSTREAM", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[61] = {"END_FRAME", LEAVE_OUT(NO_VIDEO), .gate = STREAM_VIDEO},
	[62] = {"CLEAR_SURFACE", LEN(10, 10), PASS, VERSION(21), .since = "1.0.1"},
	[63] = {"GET_PIPE_RESOURCE_LAYOUT", LEN(2, 2),
		CHECK(layout, "backing with room for the answer"), BIT_V2(18), RES_TWO(1, 2),
		.since = "1.2.0"},
};

const struct stream_row stream_objects[STREAM_OBJECTS] = {
	[1] = {"BLEND", LEN(11, 11), PASS},
	[2] = {"RASTERIZER", LEN(9, 9), PASS},
	[3] = {"DSA", LEN(5, 5), PASS},
	[4] = {"SHADER", LEN(5, STREAM_MAX_LEN), PASS, .why = "its text is the library's to parse"},
	[5] = {"VERTEX_ELEMENTS", LEN_STEP(1, 129, 4), PASS},
	[6] = {"SAMPLER_VIEW", LEN(6, 6), PASS, RES(2)},
	[7] = {"SAMPLER_STATE", LEN(9, 9), PASS},
	[8] = {"SURFACE", LEN(5, 5), PASS, RES(2)},
	[9] = {"QUERY", LEN(4, 4), CHECK(query, "a buffer with room for the result"),
		RES(4)},
	[10] = {"STREAMOUT_TARGET", LEN(4, 4), PASS, RES(2)},
	[11] = {"MSAA_SURFACE", LEN(6, 6), PASS, BIT_V2(6), RES(2)},
};
/* clang-format on */
