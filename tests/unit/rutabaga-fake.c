/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#include "rutabaga-fake.h"

#include "renderer/create.h"
#include "renderer/rutabaga/renderer_rutabaga.h"

#include <fcntl.h>
#include <string.h>

struct rutabaga_fake rutabaga_fake = {.blob_fd = -1};

static const uint32_t capset_ids[] = {VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN,
	VIRTIO_GPU_CAPSET_GFXSTREAM_GLES, VIRTIO_GPU_CAPSET_GFXSTREAM_COMPOSER,
	VIRTIO_GPU_CAPSET_CROSS_DOMAIN};

/* Its object: nobody looks inside. */
struct rutabaga {
	int unused;
};

static struct rutabaga object;

/* Of contexts, by their ids. */
static bool is_gfxstream[8];

static void note_call(const char *what, uint32_t id)
{
	if (!rutabaga_fake.log)
		rutabaga_fake.log = g_string_new(NULL);
	g_string_append_printf(rutabaga_fake.log, " %s-%u", what, id);
}

static void forget_backing(void)
{
	g_clear_pointer(&rutabaga_fake.backing, g_free);
	rutabaga_fake.backing_count = 0;
}

void rutabaga_fake_reset(void)
{
	forget_backing();
	if (rutabaga_fake.log)
		g_string_free(rutabaga_fake.log, TRUE);
	rutabaga_fake = (struct rutabaga_fake){.blob_fd = -1};
}

char *rutabaga_fake_take_log(void)
{
	GString *log = g_steal_pointer(&rutabaga_fake.log);

	return log ? g_string_free(log, FALSE) : g_strdup("");
}

void rutabaga_fake_signal(uint32_t ctx_id, uint32_t ring_idx, bool has_ring, uint64_t seqno)
{
	const struct rutabaga_fence fence = {
		.flags = RUTABAGA_FLAG_FENCE | (has_ring ? RUTABAGA_FLAG_INFO_RING_IDX : 0),
		.fence_id = seqno,
		.ctx_id = ctx_id,
		.ring_idx = ring_idx,
	};

	rutabaga_fake.builder.fence_cb(rutabaga_fake.builder.user_data, &fence);
}

struct renderer *rutabaga_fake_renderer(uint64_t capset_mask, GMainContext *context,
	const struct renderer_events *events, void *opaque)
{
	const struct renderer_options options = {
		.tried_capset_mask = capset_mask, .context = context};
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	g_assert_cmpint(renderer_rutabaga_create(&options, &renderer, &message), ==, 0);
	renderer->events = events;
	renderer->events_opaque = opaque;
	return renderer;
}

/* In place of library.c, whose namesakes would be these. */
int renderer_rutabaga_library_load(char **ret_message)
{
	return 0;
}

/* The library's interface. What a call is for is noted, the rest is as the header says. */

int32_t rutabaga_init(const struct rutabaga_builder *builder, struct rutabaga **ptr)
{
	rutabaga_fake.builder = *builder;
	*ptr = &object;
	return rutabaga_fake.start ? rutabaga_fake.start(builder) : 0;
}

int32_t rutabaga_finish(struct rutabaga **ptr)
{
	note_call("finish", 0);
	if (rutabaga_fake.finish)
		rutabaga_fake.finish();
	*ptr = NULL;
	return 0;
}

int32_t rutabaga_get_num_capsets(struct rutabaga *ptr, uint32_t *num_capsets)
{
	*num_capsets = G_N_ELEMENTS(capset_ids);
	return 0;
}

int32_t rutabaga_get_capset_info(struct rutabaga *ptr, uint32_t capset_index, uint32_t *capset_id,
	uint32_t *capset_version, uint32_t *capset_size)
{
	const uint32_t id = capset_ids[capset_index];

	if (!(rutabaga_fake.builder.capset_mask & RENDERER_RUTABAGA_CAPSET(id)))
		return -EINVAL;
	*capset_id = id;
	*capset_version = 1;
	*capset_size = 16;
	return 0;
}

int32_t rutabaga_get_capset(struct rutabaga *ptr, uint32_t capset_id, uint32_t version,
	uint8_t *capset, uint32_t capset_size)
{
	memset(capset, (int)capset_id, capset_size);
	return rutabaga_fake.error;
}

int32_t rutabaga_context_create(struct rutabaga *ptr, uint32_t ctx_id, uint32_t context_init,
	const char *context_name, uint32_t context_name_len)
{
	note_call("context", ctx_id);
	is_gfxstream[ctx_id % G_N_ELEMENTS(is_gfxstream)] =
		context_init != VIRTIO_GPU_CAPSET_CROSS_DOMAIN;
	return rutabaga_fake.error;
}

int32_t rutabaga_context_destroy(struct rutabaga *ptr, uint32_t ctx_id)
{
	note_call("end", ctx_id);
	if (rutabaga_fake.context_destroyed)
		rutabaga_fake.context_destroyed(ctx_id);
	return 0;
}

int32_t rutabaga_context_attach_resource(
	struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id)
{
	note_call("join", resource_id);
	return rutabaga_fake.error;
}

int32_t rutabaga_context_detach_resource(
	struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id)
{
	note_call("leave", resource_id);
	return rutabaga_fake.error;
}

int32_t rutabaga_resource_create_3d(
	struct rutabaga *ptr, uint32_t resource_id, const struct rutabaga_create_3d *create_3d)
{
	note_call("create", resource_id);
	return rutabaga_fake.error;
}

static void keep_backing(const struct rutabaga_iovecs *iovecs)
{
	forget_backing();
	rutabaga_fake.backing =
		g_memdup2(iovecs->iovecs, iovecs->num_iovecs * sizeof(*iovecs->iovecs));
	rutabaga_fake.backing_count = iovecs->num_iovecs;
}

int32_t rutabaga_resource_attach_backing(
	struct rutabaga *ptr, uint32_t resource_id, const struct rutabaga_iovecs *iovecs)
{
	note_call("attach", resource_id);
	keep_backing(iovecs);
	return rutabaga_fake.error;
}

int32_t rutabaga_resource_detach_backing(struct rutabaga *ptr, uint32_t resource_id)
{
	note_call("detach", resource_id);
	forget_backing();
	return 0;
}

static void draw_pixels(const struct iovec *iov)
{
	for (size_t i = 0; i < iov->iov_len; i++)
		((uint8_t *)iov->iov_base)[i] = (uint8_t)(rutabaga_fake.pixel + i);
}

int32_t rutabaga_resource_transfer_read(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id,
	const struct rutabaga_transfer *transfer, const struct iovec *iovec)
{
	note_call("read", resource_id);
	/* gfxstream would crash. */
	g_assert_cmpuint(rutabaga_fake.backing_count, >, 0);
	draw_pixels(iovec ? iovec : rutabaga_fake.backing);
	return rutabaga_fake.error;
}

int32_t rutabaga_resource_transfer_write(struct rutabaga *ptr, uint32_t ctx_id,
	uint32_t resource_id, const struct rutabaga_transfer *transfer)
{
	note_call("write", resource_id);
	g_assert_cmpuint(rutabaga_fake.backing_count, >, 0);
	return rutabaga_fake.error;
}

int32_t rutabaga_resource_create_blob(struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id,
	const struct rutabaga_create_blob *args, const struct rutabaga_iovecs *iovecs,
	const struct rutabaga_handle *handle)
{
	note_call("blob", resource_id);
	if (iovecs)
		keep_backing(iovecs);
	return rutabaga_fake.error;
}

int32_t rutabaga_resource_unref(struct rutabaga *ptr, uint32_t resource_id)
{
	note_call("unref", resource_id);
	return 0;
}

int32_t rutabaga_resource_export_blob(
	struct rutabaga *ptr, uint32_t resource_id, struct rutabaga_handle *handle)
{
	if (rutabaga_fake.blob_fd < 0)
		return -EINVAL;
	handle->os_handle = fcntl(rutabaga_fake.blob_fd, F_DUPFD_CLOEXEC, 0);
	handle->handle_type = rutabaga_fake.handle_type;
	return 0;
}

int32_t rutabaga_resource_map_info(struct rutabaga *ptr, uint32_t resource_id, uint32_t *map_info)
{
	*map_info = rutabaga_fake.map_info;
	return rutabaga_fake.map_info != 0 ? 0 : -EINVAL;
}

int32_t rutabaga_submit_command(struct rutabaga *ptr, struct rutabaga_command *cmd)
{
	note_call("submit", cmd->ctx_id);
	if (is_gfxstream[cmd->ctx_id % G_N_ELEMENTS(is_gfxstream)])
		memcpy(rutabaga_fake.command, cmd->cmd, sizeof(rutabaga_fake.command));
	return rutabaga_fake.error;
}

int32_t rutabaga_create_fence(struct rutabaga *ptr, const struct rutabaga_fence *fence)
{
	note_call("fence", fence->ctx_id);
	if (rutabaga_fake.create_fence)
		rutabaga_fake.create_fence(fence);
	return rutabaga_fake.error;
}
