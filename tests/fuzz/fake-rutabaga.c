/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The functions of rutabaga_gfx_ffi.h that the renderer calls, see fake-rutabaga.h. The structures of
 * the guest's commands are read here by their offsets, as the library reads them.
 */
#include "fake-rutabaga.h"

#include "renderer/rutabaga/renderer_rutabaga.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <rutabaga_gfx/rutabaga_gfx_ffi.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CAPSET_LEN 64

#define MAX_IMAGE_LEN (UINT64_C(128) << 20)

/* What an act's byte says */
#define ACT_MESSAGE 0x01 /* the channel of each context has something to say */
#define ACT_SIGNAL  0x02 /* gfxstream's fences */
#define ACT_FAIL    0x04 /* the next call that can fail does */
#define ACT_HANG_UP 0x08 /* the message is the end of a pipe */
#define ACT_LIE	    0x10 /* and says that it is longer than it is */

enum {
	INIT = 1,
	GET_IMAGE_REQUIREMENTS = 2,
	POLL = 3,
	SEND = 4,
	RECEIVE = 5,
	READ = 6,
	WRITE = 7,
};

#define HEADER_LEN	 8
#define SEND_LEN	 (HEADER_LEN + 8 + 3 * 28 * 4)
#define WRITE_LEN	 (HEADER_LEN + 16)
#define QUERY_LEN	 (HEADER_LEN + 16)
#define REQUIREMENTS_LEN 64
#define GFXSTREAM_LEN	 64
#define MIN_STREAM_LEN	 (12288 + 1048576)

/* @announced: gfxstream: lengths of images by ids of blobs. @has_channel: a thread that writes into the ring. */
struct fake_context {
	uint32_t id;
	uint32_t capset_id;
	bool is_initialized;
	bool has_channel;
	uint32_t query_ring_id;
	uint32_t channel_ring_id;
	uint64_t channel_fence;
	bool has_channel_fence;
	GHashTable *attached;
	GHashTable *announced;
};

/* @image_len: what a transfer moves. @iov: a copy, the memory is borrowed. */
struct fake_resource {
	uint32_t id;
	uint64_t image_len;
	bool is_blob;
	bool is_guest;
	bool has_stream;
	uint64_t blob_id;
	uint64_t blob_len;
	struct iovec *iov;
	size_t iov_count;
	int fd;
};

struct rutabaga {
	uint64_t user_data;
	uint64_t capset_mask;
	rutabaga_fence_callback fence_cb;
	GHashTable *contexts;
	GHashTable *resources;
	GArray *fences;
};

static struct rutabaga *running;
static volatile uint8_t sink;
static bool fails;

static bool take_failure(void)
{
	const bool failed = fails;

	fails = false;
	return failed;
}

void fake_rutabaga_reset(void)
{
	g_assert(!running);
	fails = false;
}

static uint16_t read16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static struct fake_context *find_context(uint32_t id)
{
	return g_hash_table_lookup(running->contexts, GUINT_TO_POINTER(id));
}

static struct fake_resource *find_resource(uint32_t id)
{
	return g_hash_table_lookup(running->resources, GUINT_TO_POINTER(id));
}

static bool is_cross_domain(const struct fake_context *context)
{
	return context->capset_id == RUTABAGA_CAPSET_CROSS_DOMAIN;
}

static uint64_t iov_len(const struct iovec *iov, size_t count)
{
	uint64_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

/* Life */

static void free_context(void *opaque)
{
	struct fake_context *context = opaque;

	g_hash_table_destroy(context->attached);
	g_hash_table_destroy(context->announced);
	g_free(context);
}

static void free_resource(void *opaque)
{
	struct fake_resource *resource = opaque;

	if (resource->fd >= 0)
		close(resource->fd);
	g_free(resource->iov);
	g_free(resource);
}

/* In place of library.c, whose namesakes would be these. */
int renderer_rutabaga_library_load(char **ret_message)
{
	return 0;
}

int32_t rutabaga_init(const struct rutabaga_builder *builder, struct rutabaga **ptr)
{
	g_assert(!running);
	running = g_new0(struct rutabaga, 1);
	running->user_data = builder->user_data;
	running->capset_mask = builder->capset_mask;
	running->fence_cb = builder->fence_cb;
	running->contexts = g_hash_table_new_full(NULL, NULL, NULL, free_context);
	running->resources = g_hash_table_new_full(NULL, NULL, NULL, free_resource);
	running->fences = g_array_new(FALSE, FALSE, sizeof(struct rutabaga_fence));
	*ptr = running;
	return 0;
}

int32_t rutabaga_finish(struct rutabaga **ptr)
{
	g_assert(*ptr == running);
	g_assert(g_hash_table_size(running->contexts) == 0);
	g_assert(g_hash_table_size(running->resources) == 0);
	g_hash_table_destroy(running->contexts);
	g_hash_table_destroy(running->resources);
	g_array_free(running->fences, TRUE);
	g_free(running);
	*ptr = running = NULL;
	return 0;
}

int32_t rutabaga_get_num_capsets(struct rutabaga *ptr, uint32_t *count)
{
	*count = (uint32_t)__builtin_popcountll(ptr->capset_mask);
	return 0;
}

int32_t rutabaga_get_capset_info(struct rutabaga *ptr, uint32_t index, uint32_t *capset_id,
	uint32_t *version, uint32_t *size)
{
	for (uint32_t id = 0; id < 64; id++) {
		if (!(ptr->capset_mask & UINT64_C(1) << id) || index-- > 0)
			continue;
		*capset_id = id;
		*version = 1;
		*size = CAPSET_LEN;
		return 0;
	}
	return -EINVAL;
}

int32_t rutabaga_get_capset(
	struct rutabaga *ptr, uint32_t capset_id, uint32_t version, uint8_t *capset, uint32_t size)
{
	g_assert(ptr->capset_mask & UINT64_C(1) << capset_id && version <= 1 && size <= CAPSET_LEN);
	memset(capset, 1, size);
	return 0;
}

/* Contexts */

int32_t rutabaga_context_create(struct rutabaga *ptr, uint32_t ctx_id, uint32_t capset_id,
	const char *name, uint32_t name_len)
{
	struct fake_context *context;

	g_assert(ctx_id != 0 && !find_context(ctx_id) && strlen(name) == name_len);
	if (take_failure() || !(ptr->capset_mask & UINT64_C(1) << (capset_id & 63)))
		return -EINVAL;
	context = g_new0(struct fake_context, 1);
	context->id = ctx_id;
	context->capset_id = capset_id;
	context->attached = g_hash_table_new(NULL, NULL);
	context->announced = g_hash_table_new(NULL, NULL);
	g_hash_table_insert(ptr->contexts, GUINT_TO_POINTER(ctx_id), context);
	return 0;
}

int32_t rutabaga_context_destroy(struct rutabaga *ptr, uint32_t ctx_id)
{
	const struct fake_context *context = find_context(ctx_id);
	GHashTableIter iter;
	gpointer id;

	g_assert(context);
	g_hash_table_iter_init(&iter, context->attached);
	while (g_hash_table_iter_next(&iter, &id, NULL))
		if (find_resource(GPOINTER_TO_UINT(id)))
			find_resource(GPOINTER_TO_UINT(id))->has_stream = false;
	g_hash_table_remove(ptr->contexts, GUINT_TO_POINTER(ctx_id));
	return 0;
}

int32_t rutabaga_context_attach_resource(
	struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id)
{
	g_assert(find_context(ctx_id) && find_resource(resource_id));
	if (take_failure())
		return -EINVAL;
	g_hash_table_add(find_context(ctx_id)->attached, GUINT_TO_POINTER(resource_id));
	return 0;
}

int32_t rutabaga_context_detach_resource(
	struct rutabaga *ptr, uint32_t ctx_id, uint32_t resource_id)
{
	g_assert(find_context(ctx_id) && find_resource(resource_id));
	g_hash_table_remove(find_context(ctx_id)->attached, GUINT_TO_POINTER(resource_id));
	find_resource(resource_id)->has_stream = false;
	return 0;
}

/* Commands */

/* Bytes of a pixel of some formats; of those that are not here the least that one takes. */
static uint64_t pixel_len(uint32_t format)
{
	switch (format) {
	case 1:
	case 2:
	case 8:
	case 18:
	case 19:
	case 21:
	case 67:
	case 134:
		return 4;
	case 66:
		return 3;
	case 7:
	case 16:
	case 48:
	case 65:
		return 2;
	case 94:
	case 126:
		return 8;
	default:
		return 1;
	}
}

/* Memory of a ring, which the library looks for when a command names it; NULL for none. */
static struct iovec *find_ring(const struct fake_context *context, uint32_t id)
{
	struct fake_resource *resource = find_resource(id);

	if (!resource || !g_hash_table_contains(context->attached, GUINT_TO_POINTER(id)))
		return NULL;
	return resource->is_guest && resource->iov_count > 0 ? resource->iov : NULL;
}

/* A second one leaves a thread behind, and a ring that is none ends the process. */
static int run_init(struct fake_context *context, const uint8_t *bytes, uint32_t len)
{
	const bool is_legacy = len == HEADER_LEN + 8;
	const uint32_t query = read32(bytes + HEADER_LEN);
	const uint32_t channel = is_legacy ? query : read32(bytes + HEADER_LEN + 4);
	const uint32_t type = read32(bytes + HEADER_LEN + (is_legacy ? 4 : 8));

	g_assert(!context->is_initialized);
	if (take_failure())
		return -EINVAL;
	g_assert(find_ring(context, query) && (!type || find_ring(context, channel)));
	context->is_initialized = true;
	context->has_channel = type != 0;
	context->query_ring_id = query;
	context->channel_ring_id = channel;
	return 0;
}

static int run_query(const struct fake_context *context)
{
	struct iovec *ring = find_ring(context, context->query_ring_id);

	g_assert(context->is_initialized);
	if (take_failure() || !ring || ring->iov_len < REQUIREMENTS_LEN)
		return -EINVAL;
	memset(ring->iov_base, 3, REQUIREMENTS_LEN);
	return 0;
}

static void check_send(const struct fake_context *context, const uint8_t *bytes, uint32_t len)
{
	g_assert(context->has_channel && len >= SEND_LEN);
	g_assert(read32(bytes + HEADER_LEN) <= 28);
	g_assert(read32(bytes + HEADER_LEN + 4) <= len - SEND_LEN);
}

static int run_cross_domain(struct fake_context *context, const uint8_t *bytes, uint32_t len)
{
	/* It goes on by the length that is said, and ends where that is all. */
	g_assert(len >= HEADER_LEN && read16(bytes + 2) == len);
	switch (bytes[0]) {
	case INIT:
		g_assert(len >= HEADER_LEN + 8);
		return run_init(context, bytes, len);
	case GET_IMAGE_REQUIREMENTS:
		g_assert(len >= QUERY_LEN);
		return run_query(context);
	case SEND:
		check_send(context, bytes, len);
		break;
	case WRITE:
		g_assert(len >= WRITE_LEN && read32(bytes + HEADER_LEN + 8) <= len - WRITE_LEN);
		break;
	}
	return take_failure() ? -EINVAL : 0;
}

/* An image that a blob will be: target, format, bind, width, height follow the command; its id is last. */
static void announce_image(const struct fake_context *context, const uint8_t *command)
{
	const uint64_t len = (uint64_t)read32(command + 16) * read32(command + 20) *
			     pixel_len(read32(command + 8));

	g_assert(len > 0 && len <= MAX_IMAGE_LEN);
	g_hash_table_insert(
		context->announced, GUINT_TO_POINTER(read32(command + 48)), GSIZE_TO_POINTER(len));
}

/* Each command is read whole, however short it is. */
static int run_gfxstream(const struct fake_context *context, const uint8_t *bytes)
{
	uint8_t command[GFXSTREAM_LEN];
	struct fake_resource *resource;

	memcpy(command, bytes, sizeof(command));
	if (take_failure())
		return -EINVAL;
	if (read32(command) == 0x1001) {
		resource = find_resource(read32(command + 4));
		g_assert(resource && resource->is_blob && !resource->is_guest);
		g_assert(resource->blob_id == 0 && resource->blob_len >= MIN_STREAM_LEN);
		g_assert(!resource->has_stream);
		resource->has_stream = true;
	} else if (read32(command) == 0xa003) {
		announce_image(context, command);
	}
	return 0;
}

int32_t rutabaga_submit_command(struct rutabaga *ptr, struct rutabaga_command *command)
{
	struct fake_context *context = find_context(command->ctx_id);

	g_assert(context && command->num_in_fences == 0);
	if (is_cross_domain(context))
		return run_cross_domain(context, command->cmd, command->cmd_size);
	return run_gfxstream(context, command->cmd);
}

/* Fences */

int32_t rutabaga_create_fence(struct rutabaga *ptr, const struct rutabaga_fence *fence)
{
	struct fake_context *context =
		fence->flags & RUTABAGA_FLAG_INFO_RING_IDX ? find_context(fence->ctx_id) : NULL;

	if (take_failure())
		return -EINVAL;
	if (context && is_cross_domain(context)) {
		/* Any other one it would forget. */
		g_assert(context->has_channel && fence->ring_idx == 1);
		context->has_channel_fence = true;
		context->channel_fence = fence->fence_id;
		return 0;
	}
	g_array_append_val(ptr->fences, *fence);
	return 0;
}

static void signal_fences(void)
{
	for (guint i = 0; i < running->fences->len; i++)
		running->fence_cb(running->user_data,
			&g_array_index(running->fences, struct rutabaga_fence, i));
	g_array_set_size(running->fences, 0);
}

/* A channel's thread leaves its message in the ring, and signals the fence that waits for it. */
static void bring_message(struct fake_context *context, uint8_t what)
{
	const struct rutabaga_fence fence = {
		.flags = RUTABAGA_FLAG_FENCE | RUTABAGA_FLAG_INFO_RING_IDX,
		.fence_id = context->channel_fence,
		.ctx_id = context->id,
		.ring_idx = 1,
	};
	const struct iovec *ring = find_ring(context, context->channel_ring_id);
	uint8_t message[SEND_LEN] = {what & ACT_HANG_UP ? READ : RECEIVE, 1, 0x40};

	if (!context->has_channel || !context->has_channel_fence)
		return;
	message[HEADER_LEN + 4] = 1; /* hang-up of READ, bytes of RECEIVE */
	if (what & ACT_LIE)
		memset(message + HEADER_LEN + 4, 0xff, 12);
	if (ring)
		memcpy(ring->iov_base, message, MIN(sizeof(message), ring->iov_len));
	context->has_channel_fence = false;
	running->fence_cb(running->user_data, &fence);
}

void fake_rutabaga_act(uint8_t what)
{
	GHashTableIter iter;
	gpointer context;

	if (what & ACT_FAIL)
		fails = true;
	if (what & ACT_SIGNAL)
		signal_fences();
	g_hash_table_iter_init(&iter, running->contexts);
	while (what & ACT_MESSAGE && g_hash_table_iter_next(&iter, NULL, &context))
		bring_message(context, what);
}

/* Resources */

static struct fake_resource *add_resource(uint32_t id)
{
	struct fake_resource *resource = g_new0(struct fake_resource, 1);

	g_assert(id != 0 && !find_resource(id));
	resource->id = id;
	resource->fd = -1;
	g_hash_table_insert(running->resources, GUINT_TO_POINTER(id), resource);
	return resource;
}

int32_t rutabaga_resource_create_3d(
	struct rutabaga *ptr, uint32_t id, const struct rutabaga_create_3d *args)
{
	const uint64_t len = (uint64_t)args->width * args->height * pixel_len(args->format);

	g_assert(len > 0 && len <= MAX_IMAGE_LEN);
	if (take_failure())
		return -EINVAL;
	add_resource(id)->image_len = len;
	return 0;
}

int32_t rutabaga_resource_attach_backing(
	struct rutabaga *ptr, uint32_t id, const struct rutabaga_iovecs *iovecs)
{
	struct fake_resource *resource = find_resource(id);

	g_assert(resource);
	if (take_failure())
		return -EINVAL;
	g_free(resource->iov);
	resource->iov = g_memdup2(iovecs->iovecs, iovecs->num_iovecs * sizeof(*iovecs->iovecs));
	resource->iov_count = iovecs->num_iovecs;
	return 0;
}

int32_t rutabaga_resource_detach_backing(struct rutabaga *ptr, uint32_t id)
{
	struct fake_resource *resource = find_resource(id);

	g_assert(resource);
	g_clear_pointer(&resource->iov, g_free);
	resource->iov_count = 0;
	return 0;
}

static void fill(const struct iovec *iov, size_t count, uint64_t len)
{
	for (size_t i = 0; i < count && len > 0; i++) {
		const size_t part = MIN(len, iov[i].iov_len);

		memset(iov[i].iov_base, 0x5a, part);
		len -= part;
	}
	g_assert(len == 0);
}

/* The whole image, into the backing and then into @iovec. */
int32_t rutabaga_resource_transfer_read(struct rutabaga *ptr, uint32_t ctx_id, uint32_t id,
	const struct rutabaga_transfer *transfer, const struct iovec *iovec)
{
	const struct fake_resource *resource = find_resource(id);

	g_assert(resource);
	/* Without any backing a read ends the process. */
	g_assert(resource->is_blob ||
		 iov_len(resource->iov, resource->iov_count) >= resource->image_len);
	if (take_failure())
		return -EINVAL;
	if (iovec)
		fill(iovec, 1, resource->image_len);
	else
		fill(resource->iov, resource->iov_count, resource->image_len);
	return 0;
}

int32_t rutabaga_resource_transfer_write(struct rutabaga *ptr, uint32_t ctx_id, uint32_t id,
	const struct rutabaga_transfer *transfer)
{
	const struct fake_resource *resource = find_resource(id);

	g_assert(resource && !resource->is_blob);
	g_assert(iov_len(resource->iov, resource->iov_count) >= resource->image_len);
	for (size_t i = 0; i < resource->iov_count; i++)
		if (resource->iov[i].iov_len > 0)
			sink = ((const uint8_t *)resource->iov[i]
					.iov_base)[resource->iov[i].iov_len - 1];
	return take_failure() ? -EINVAL : 0;
}

/* It says that it made what it did not: a blob id with bit 0 is one of these. */
int32_t rutabaga_resource_create_blob(struct rutabaga *ptr, uint32_t ctx_id, uint32_t id,
	const struct rutabaga_create_blob *args, const struct rutabaga_iovecs *iovecs,
	const struct rutabaga_handle *handle)
{
	struct fake_resource *resource;

	g_assert(!handle && (ctx_id == 0 || find_context(ctx_id)));
	if (take_failure())
		return -EINVAL;
	resource = add_resource(id);
	resource->is_blob = true;
	resource->is_guest = args->blob_mem == RUTABAGA_BLOB_MEM_GUEST;
	resource->blob_id = args->blob_id;
	resource->blob_len = args->size;
	if (ctx_id != 0)
		resource->image_len =
			GPOINTER_TO_SIZE(g_hash_table_lookup(find_context(ctx_id)->announced,
				GUINT_TO_POINTER((uint32_t)args->blob_id)));
	if (iovecs) {
		resource->iov =
			g_memdup2(iovecs->iovecs, iovecs->num_iovecs * sizeof(*iovecs->iovecs));
		resource->iov_count = iovecs->num_iovecs;
	}
	if (!resource->is_guest && !(args->blob_id & 1)) {
		resource->fd = memfd_create("blob", MFD_CLOEXEC);
		g_assert(ftruncate(resource->fd, (off_t)args->size) == 0);
	}
	return 0;
}

int32_t rutabaga_resource_unref(struct rutabaga *ptr, uint32_t id)
{
	g_assert(find_resource(id));
	g_hash_table_remove(ptr->resources, GUINT_TO_POINTER(id));
	return 0;
}

int32_t rutabaga_resource_export_blob(
	struct rutabaga *ptr, uint32_t id, struct rutabaga_handle *handle)
{
	const struct fake_resource *resource = find_resource(id);

	g_assert(resource);
	if (take_failure() || resource->fd < 0)
		return -EINVAL;
	handle->os_handle = fcntl(resource->fd, F_DUPFD_CLOEXEC, 0);
	handle->handle_type = resource->blob_id & 2 ? RUTABAGA_MEM_HANDLE_TYPE_DMABUF
						    : RUTABAGA_MEM_HANDLE_TYPE_SHM;
	return 0;
}

int32_t rutabaga_resource_map_info(struct rutabaga *ptr, uint32_t id, uint32_t *map_info)
{
	const struct fake_resource *resource = find_resource(id);

	g_assert(resource);
	if (take_failure() || resource->fd < 0)
		return -EINVAL;
	*map_info = RUTABAGA_MAP_CACHE_CACHED |
		    (resource->blob_id & 4 ? RUTABAGA_MAP_ACCESS_READ : RUTABAGA_MAP_ACCESS_RW);
	return 0;
}
