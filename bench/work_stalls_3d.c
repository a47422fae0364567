/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Stalls of 3D: transfers of all kinds, textures, contexts, streams, blobs. */
#include "bench/command.h"
#include "bench/stall.h"
#include "bench/stream.h"

#include <errno.h>
#include <string.h>

#define MIB(count) (UINT32_C(count) << 20)
#define GIB(count) (UINT32_C(count) << 30)

#define MARK_LEN	256 /* bytes of the backing that are seen to come back */
#define STREAM_LEN	MIB(16)
#define UNKNOWN_COMMAND 250
#define BIND_DEPTH	(1u << 0)
#define BIND_VIEW	(1u << 3)
#define BIND_VERTICES	(1u << 4)
#define BLOB_LEN	MIB(1)

/* virglrenderer's numbers of formats. */
enum {
	FORMAT_S8_UINT_Z24_UNORM = 20,
	FORMAT_R32G32B32A32_FLOAT = 31,
	FORMAT_R8_UNORM = 64,
	FORMAT_DXT1_RGBA = 106,
};

static struct command_transfer whole_of(const struct stall *stall)
{
	const uint32_t line_len = MAX(stall->stride, stall->width * stall->pixel_len);
	const uint32_t height = MAX(stall->height, 1);

	return (struct command_transfer){
		.box = {.w = stall->width,
			.h = height,
			.d = MAX(stall->depth, 1) * MAX(stall->layers, 1)},
		.stride = stall->target == STALL_BUFFER ? 0 : line_len,
		.layer_stride = stall->depth > 1 || stall->layers > 1 ? line_len * height : 0,
	};
}

static void post_whole(struct work_run *run, bool to_host, uint32_t count)
{
	const struct command_transfer transfer = whole_of(run->work->stall);

	for (uint32_t i = 0; i < count; i++)
		command_transfer_3d(&run->guest, STALL_ID, &transfer, to_host);
}

static int post_to_host(struct work_run *run)
{
	post_whole(run, true, run->work->stall->count);
	return 0;
}

static int post_from_host(struct work_run *run)
{
	post_whole(run, false, run->work->stall->count);
	return 0;
}

/* Blocks of 4x4, 8 bytes each; the library knows the strides. */
static int post_compressed(struct work_run *run, bool to_host)
{
	const struct stall *stall = run->work->stall;
	const struct command_transfer transfer = {
		.box = {.w = stall->width, .h = stall->height, .d = 1}};

	command_transfer_3d(&run->guest, STALL_ID, &transfer, to_host);
	return 0;
}

static int post_compressed_to_host(struct work_run *run)
{
	return post_compressed(run, true);
}

static int post_compressed_from_host(struct work_run *run)
{
	return post_compressed(run, false);
}

/* Each level of the texture, one after the other: they are half as large each. */
static int post_levels(struct work_run *run)
{
	const struct stall *stall = run->work->stall;

	for (uint32_t level = 0; level <= stall->last_level; level++) {
		const struct command_transfer transfer = {
			.box = {.w = MAX(stall->width >> level, 1),
				.h = MAX(stall->height >> level, 1),
				.d = 1},
			.level = level,
			.stride = stall->width * stall->pixel_len,
		};

		command_transfer_3d(&run->guest, STALL_ID, &transfer, true);
	}
	return 0;
}

/* The last pixels of the resource. */
static struct command_transfer mark_of(const struct stall *stall)
{
	const uint32_t width = MIN(stall->width, MARK_LEN / stall->pixel_len);
	struct command_transfer mark = whole_of(stall);
	const uint32_t height = mark.box.h, depth = mark.box.d;

	mark.offset = (uint64_t)mark.stride * (height - 1) +
		      (uint64_t)mark.layer_stride * (depth - 1) +
		      (uint64_t)(stall->width - width) * stall->pixel_len;
	mark.box = (struct virtio_gpu_box){.x = stall->width - width,
		.y = height - 1,
		.z = depth - 1,
		.w = width,
		.h = 1,
		.d = 1};
	return mark;
}

static uint32_t *mark_place(struct work_run *run, const struct command_transfer *mark)
{
	return stall_state(run)->pages +
	       mark->offset % run->work->stall->piece_len / sizeof(uint32_t);
}

static uint32_t mark_count(const struct stall *stall, const struct command_transfer *mark)
{
	return mark->box.w * stall->pixel_len / (uint32_t)sizeof(uint32_t);
}

/* Has them in the texture, and nothing in their place in the backing. */
static int prepare_mark(struct work_run *run)
{
	const struct command_transfer mark = mark_of(run->work->stall);
	int ret = stall_prepare_backed(run);

	if (ret < 0)
		return ret;
	command_transfer_3d(&run->guest, STALL_ID, &mark, true);
	ret = guest_run(&run->guest);
	memset(mark_place(run, &mark), 0, mark_count(run->work->stall, &mark) * sizeof(uint32_t));
	return ret;
}

static int check_mark(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct command_transfer mark = mark_of(stall);
	const uint32_t *place = mark_place(run, &mark);
	const uint32_t first = stall_value_at(stall, mark.offset);

	for (uint32_t i = 0; i < mark_count(stall, &mark); i++)
		if (place[i] != first + i)
			return work_fail(run, -EILSEQ, "wrong pixels came from the host: %x not %x",
				place[i], first + i);
	return 0;
}

static int post_creates(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++) {
		stall_create(run, STALL_ID);
		command_unref(&run->guest, STALL_ID);
	}
	return 0;
}

static int prepare_written(struct work_run *run)
{
	int ret = stall_prepare_backed(run);

	post_whole(run, true, 1);
	return ret;
}

static int post_unref(struct work_run *run)
{
	command_unref(&run->guest, STALL_ID);
	return 0;
}

static int prepare_shown(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	int ret = prepare_written(run);

	command_set_scanout(&run->guest, 0, STALL_ID, stall->width, stall->height);
	return ret;
}

static int prepare_shown_everywhere(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	int ret = prepare_written(run);

	for (uint32_t i = 0; i < STALL_OUTPUT_COUNT; i++)
		command_set_scanout(&run->guest, i, STALL_ID, stall->width, stall->height);
	return ret;
}

static int post_flushes(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};

	for (uint32_t i = 0; i < stall->count; i++)
		command_flush(&run->guest, STALL_ID, &whole);
	return 0;
}

static int post_cursors(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++)
		command_update_cursor(&run->guest, i % STALL_OUTPUT_COUNT, STALL_ID);
	return 0;
}

/* A 2D image that is in memory becomes a texture. */
static int prepare_image_for_context(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	const struct virtio_gpu_rect whole = {.width = stall->width, .height = stall->height};
	int ret = stall_create_contexts(run, 1);

	if (ret == 0)
		ret = stall_prepare_backed(run);
	command_transfer_2d(&run->guest, STALL_ID, &whole, 0);
	return ret;
}

static int post_context_attach(struct work_run *run)
{
	command_attach_resource(&run->guest, STALL_ID, STALL_ID);
	return 0;
}

static int prepare_contexts(struct work_run *run)
{
	const struct stall *stall = run->work->stall;
	int ret = stall_create_contexts(run, stall->count);

	stall_create(run, STALL_ID);
	for (uint32_t i = 0; i < stall_state(run)->context_count; i++)
		command_attach_resource(&run->guest, STALL_ID + i, STALL_ID);
	return ret;
}

static int post_contexts(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++) {
		command_create_context(&run->guest, STALL_ID + i, 0);
		command_destroy_context(&run->guest, STALL_ID + i);
	}
	return 0;
}

static int post_context_destroys(struct work_run *run)
{
	for (uint32_t i = 0; i < stall_state(run)->context_count; i++)
		command_destroy_context(&run->guest, STALL_ID + i);
	return 0;
}

/* @word again and again, or a command with its words. */
static int prepare_stream(struct work_run *run, uint32_t header, uint32_t word_count)
{
	struct stall_state *state = stall_state(run);

	state->stream_gpa = memory_alloc(&run->guest.memory, STREAM_LEN, MEMORY_PAGE);
	state->stream = memory_at(&run->guest.memory, state->stream_gpa);
	for (uint32_t i = 0; i + word_count < STREAM_LEN / sizeof(uint32_t); i += 1 + word_count)
		state->stream[i] = header | word_count << 16;
	return stall_create_contexts(run, 1);
}

static int prepare_nops(struct work_run *run)
{
	return prepare_stream(run, 0, 0);
}

static int prepare_unknown(struct work_run *run)
{
	return prepare_stream(run, UNKNOWN_COMMAND, 0);
}

static int prepare_viewports(struct work_run *run)
{
	return prepare_stream(run, 4, 7);
}

static int post_submits(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++)
		command_submit(&run->guest, STALL_ID, stall_state(run)->stream_gpa, STREAM_LEN);
	return 0;
}

static int post_fences(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++)
		command_submit(&run->guest, STALL_ID, stall_state(run)->stream_gpa, 4);
	return 0;
}

static int post_capsets(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++)
		command_get_capset(&run->guest, VIRTIO_GPU_CAPSET_VIRGL, 1);
	return 0;
}

static int prepare_blob(struct work_run *run)
{
	int ret = stall_create_contexts(run, 1);

	command_create_blob(&run->guest, STALL_ID, STALL_ID, BLOB_LEN);
	return ret;
}

static int post_maps(struct work_run *run)
{
	for (uint32_t i = 0; i < run->work->stall->count; i++) {
		command_map_blob(&run->guest, STALL_ID, 0);
		command_unmap_blob(&run->guest, STALL_ID);
	}
	return 0;
}

#define TEXTURE(kind, w, h, piece)                                                                 \
	.target = (kind), .format = COMMAND_FORMAT, .bind = STREAM_BIND, .width = (w),             \
	.height = (h), .pixel_len = 4, .piece_len = (piece)
#define PLAIN(w, h, piece) TEXTURE(STALL_TEXTURE_2D, w, h, piece)
#define OTHER(fmt, binding, len, w, h)                                                             \
	.target = STALL_TEXTURE_2D, .format = (fmt), .bind = (binding), .width = (w),              \
	.height = (h), .pixel_len = (len), .piece_len = STALL_PAGES_LEN
#define BUFFER(len)                                                                                \
	.target = STALL_BUFFER, .format = FORMAT_R8_UNORM, .bind = BIND_VERTICES, .width = (len),  \
	.height = 1, .pixel_len = 1, .piece_len = STALL_PAGES_LEN

#define TO_HOST(...)                                                                               \
	{                                                                                          \
		.prepare = stall_prepare_backed, .post = post_to_host, __VA_ARGS__                 \
	}
#define FROM_HOST(...)                                                                             \
	{                                                                                          \
		.prepare = prepare_mark, .post = post_from_host, .check = check_mark, __VA_ARGS__  \
	}

/* 1 GiB each, unless their names say otherwise. */
static const struct stall to_host =
	TO_HOST(.check = stall_check_corner, .count = 1, PLAIN(16384, 16384, STALL_PAGES_LEN));
static const struct stall from_host = FROM_HOST(.count = 1, PLAIN(16384, 16384, STALL_PAGES_LEN));
static const struct stall to_host_pages =
	TO_HOST(.check = stall_check_corner, .count = 1, PLAIN(16384, 16384, MEMORY_PAGE));
static const struct stall from_host_pages = FROM_HOST(.count = 1, PLAIN(16384, 16384, MEMORY_PAGE));
static const struct stall to_host_strides =
	TO_HOST(.count = 1, .stride = MIB(1) / 4, PLAIN(1, 4096, STALL_PAGES_LEN));
static const struct stall from_host_strides =
	FROM_HOST(.count = 1, .stride = MIB(1) / 4, PLAIN(1, 4096, STALL_PAGES_LEN));
static const struct stall to_host_strides_pages =
	TO_HOST(.count = 1, .stride = MIB(1) / 4, PLAIN(1, 4096, MEMORY_PAGE));
static const struct stall from_host_strides_pages =
	FROM_HOST(.count = 1, .stride = MIB(1) / 4, PLAIN(1, 4096, MEMORY_PAGE));
static const struct stall to_host_layers = TO_HOST(.count = 1, .layers = 256,
	TEXTURE(STALL_TEXTURE_2D_ARRAY, 1024, 1024, STALL_PAGES_LEN));
static const struct stall from_host_layers = FROM_HOST(.count = 1, .layers = 256,
	TEXTURE(STALL_TEXTURE_2D_ARRAY, 1024, 1024, STALL_PAGES_LEN));
static const struct stall to_host_depth =
	TO_HOST(.count = 1, .depth = 256, TEXTURE(STALL_TEXTURE_3D, 1024, 1024, STALL_PAGES_LEN));
static const struct stall from_host_depth =
	FROM_HOST(.count = 1, .depth = 256, TEXTURE(STALL_TEXTURE_3D, 1024, 1024, STALL_PAGES_LEN));
static const struct stall to_host_levels = {.prepare = stall_prepare_backed,
	.post = post_levels,
	.last_level = 14,
	PLAIN(16384, 16384, STALL_PAGES_LEN)};
static const struct stall to_host_compressed = {.prepare = stall_prepare_backed,
	.post = post_compressed_to_host,
	OTHER(FORMAT_DXT1_RGBA, BIND_VIEW, 1, 8192, 8192)};
static const struct stall from_host_compressed = {.prepare = stall_prepare_backed,
	.post = post_compressed_from_host,
	OTHER(FORMAT_DXT1_RGBA, BIND_VIEW, 1, 8192, 8192)};
static const struct stall to_host_float =
	TO_HOST(.count = 1, OTHER(FORMAT_R32G32B32A32_FLOAT, BIND_VIEW, 16, 8192, 8192));
static const struct stall from_host_float =
	FROM_HOST(.count = 1, OTHER(FORMAT_R32G32B32A32_FLOAT, BIND_VIEW, 16, 8192, 8192));
static const struct stall to_host_z =
	TO_HOST(.count = 1, OTHER(FORMAT_S8_UINT_Z24_UNORM, BIND_DEPTH | BIND_VIEW, 4, 8192, 8192));
static const struct stall from_host_z = {.prepare = stall_prepare_backed,
	.post = post_from_host,
	.count = 1,
	OTHER(FORMAT_S8_UINT_Z24_UNORM, BIND_DEPTH | BIND_VIEW, 4, 8192, 8192)};
static const struct stall to_host_buffer = TO_HOST(.count = 1, BUFFER(GIB(1)));
static const struct stall from_host_buffer = FROM_HOST(.count = 1, BUFFER(GIB(1)));
static const struct stall to_hosts =
	TO_HOST(.check = stall_check_corner, .count = 256, PLAIN(4096, 4096, STALL_PAGES_LEN));
static const struct stall from_hosts = FROM_HOST(.count = 256, PLAIN(4096, 4096, STALL_PAGES_LEN));
static const struct stall to_hosts_narrow = TO_HOST(.count = 256, PLAIN(1, 16384, MEMORY_PAGE));
static const struct stall creates = {
	.post = post_creates, .count = 16, PLAIN(16384, 16384, STALL_PAGES_LEN)};
static const struct stall unref = {.prepare = prepare_written,
	.post = post_unref,
	.count = 1,
	PLAIN(16384, 16384, STALL_PAGES_LEN)};
static const struct stall unref_contexts = {
	.prepare = prepare_contexts, .post = post_unref, .count = 250, PLAIN(64, 64, MEMORY_PAGE)};
static const struct stall flush = {.prepare = prepare_shown,
	.post = post_flushes,
	.count = 1,
	PLAIN(8192, 8192, STALL_PAGES_LEN)};
static const struct stall flushes = {.prepare = prepare_shown,
	.post = post_flushes,
	.count = 64,
	PLAIN(2048, 1024, STALL_PAGES_LEN)};
static const struct stall flush_everywhere = {.prepare = prepare_shown_everywhere,
	.post = post_flushes,
	.count = 1,
	PLAIN(2048, 1024, STALL_PAGES_LEN)};
static const struct stall cursors = {
	.prepare = prepare_written, .post = post_cursors, .count = 512, PLAIN(64, 64, MEMORY_PAGE)};
static const struct stall context_attach = {.prepare = prepare_image_for_context,
	.post = post_context_attach,
	.format = COMMAND_FORMAT,
	.width = 16384,
	.height = 16384,
	.pixel_len = 4,
	.piece_len = STALL_PAGES_LEN};
static const struct stall contexts = {.post = post_contexts, .count = 128};
static const struct stall context_destroys = {.prepare = prepare_contexts,
	.post = post_context_destroys,
	.count = 250,
	PLAIN(64, 64, MEMORY_PAGE)};
static const struct stall submit_nops = {.prepare = prepare_nops, .post = post_submits, .count = 1};
static const struct stall submit_nops_many = {
	.prepare = prepare_nops, .post = post_submits, .count = 64};
static const struct stall submit_viewports = {
	.prepare = prepare_viewports, .post = post_submits, .count = 1};
static const struct stall submit_unknown = {
	.may_be_refused = true, .prepare = prepare_unknown, .post = post_submits, .count = 1};
static const struct stall fences = {.prepare = prepare_nops, .post = post_fences, .count = 340};
static const struct stall capsets = {.post = post_capsets, .count = 512};
static const struct stall maps = {.prepare = prepare_blob, .post = post_maps, .count = 128};

#define VIRGL(name, details) STALL(name, WORK_NEEDS_VIRGL, details)

const struct work work_stalls_3d[] = {
	VIRGL("to-host", to_host),
	VIRGL("from-host", from_host),
	VIRGL("to-host-pages", to_host_pages),
	VIRGL("from-host-pages", from_host_pages),
	VIRGL("to-host-strides", to_host_strides),
	VIRGL("from-host-strides", from_host_strides),
	VIRGL("to-host-strides-pages", to_host_strides_pages),
	VIRGL("from-host-strides-pages", from_host_strides_pages),
	VIRGL("to-host-layers", to_host_layers),
	VIRGL("from-host-layers", from_host_layers),
	VIRGL("to-host-3d", to_host_depth),
	VIRGL("from-host-3d", from_host_depth),
	VIRGL("to-host-levels", to_host_levels),
	VIRGL("to-host-compressed", to_host_compressed),
	VIRGL("from-host-compressed", from_host_compressed),
	VIRGL("to-host-float", to_host_float),
	VIRGL("from-host-float", from_host_float),
	VIRGL("to-host-depth", to_host_z),
	VIRGL("from-host-depth", from_host_z),
	VIRGL("to-host-buffer", to_host_buffer),
	VIRGL("from-host-buffer", from_host_buffer),
	VIRGL("to-hosts-64m", to_hosts),
	VIRGL("from-hosts-64m", from_hosts),
	VIRGL("to-hosts-narrow", to_hosts_narrow),
	VIRGL("3d-creates", creates),
	VIRGL("3d-unref", unref),
	VIRGL("unref-in-contexts", unref_contexts),
	VIRGL("3d-flush", flush),
	VIRGL("3d-flushes", flushes),
	VIRGL("3d-flush-of-16", flush_everywhere),
	VIRGL("3d-cursors", cursors),
	VIRGL("context-attach", context_attach),
	VIRGL("contexts", contexts),
	VIRGL("context-destroys", context_destroys),
	VIRGL("submit-nops", submit_nops),
	VIRGL("submits-nops", submit_nops_many),
	VIRGL("submit-viewports", submit_viewports),
	VIRGL("submit-unknown", submit_unknown),
	VIRGL("fences", fences),
	VIRGL("capsets", capsets),
	STALL("maps", WORK_NEEDS_VIRGL | WORK_NEEDS_SHMEM, maps),
	{0},
};
