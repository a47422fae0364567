/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The functions of virglrenderer.h that the renderer calls, see fake-virgl.h. Ids and lists that the
 * real library would take on trust must be good here.
 */
#include "fake-virgl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define VIRGL_RENDERER_UNSTABLE_APIS
#include <virglrenderer.h>

#define CAPSET_VIRGL  1
#define CAPSET_VIRGL2 2
#define CAPSET_VENUS  4

/* What an act's byte says */
#define ACT_SIGNAL  0x01 /* the fences that are pending */
#define ACT_AT_ONCE 0x02 /* fences signal as they are made, or do not any more */
#define ACT_FAIL    0x04 /* the next call that can fail does */
#define ACT_GL_FAIL 0x08 /* the next transfer does */
#define ACT_KILL    0x10 /* the render server */
#define ACT_QUERY   0x20 /* the library wants to be polled */

struct ring_fence {
	uint32_t ctx_id;
	uint32_t ring_idx;
	uint64_t seqno;
};

static struct {
	bool is_running;
	void *cookie;
	struct virgl_renderer_callbacks *callbacks;
	GHashTable *resources;
	GHashTable *contexts;
	GArray *ring_fences;
	uint32_t last_fence;
	bool has_fence;
	bool is_fast;
	bool fails;
	bool gl_fails;
	int poll_fd;
} fake = {.poll_fd = -1};

static bool take_failure(void)
{
	const bool fails = fake.fails;

	fake.fails = false;
	return fails;
}

bool fake_gl_fails(void)
{
	const bool fails = fake.gl_fails;

	fake.gl_fails = false;
	fake_host_set_gl_error(fails ? 0x502 : 0);
	return fails;
}

static void free_context(void *opaque)
{
	struct fake_context *context = opaque;

	g_hash_table_destroy(context->attached);
	g_queue_clear_full(&context->made, g_free);
	g_free(context);
}

static void free_resource(void *opaque)
{
	struct fake_resource *resource = opaque;

	if (resource->blob_fd >= 0)
		close(resource->blob_fd);
	g_free(resource);
}

void fake_virgl_reset(void)
{
	g_assert(!fake.is_running);
	fake.has_fence = fake.is_fast = fake.fails = fake.gl_fails = false;
	fake.last_fence = 0;
	fake_host_set_gl_error(0);
}

struct fake_resource *fake_resource_find(uint32_t id)
{
	return g_hash_table_lookup(fake.resources, GUINT_TO_POINTER(id));
}

static struct fake_context *find_context(uint32_t id)
{
	return g_hash_table_lookup(fake.contexts, GUINT_TO_POINTER(id));
}

static void signal_fences(void)
{
	uint64_t count;

	if (fake.poll_fd >= 0)
		(void)!read(fake.poll_fd, &count, sizeof(count));
	if (fake.has_fence)
		fake.callbacks->write_fence(fake.cookie, fake.last_fence);
	fake.has_fence = false;
	for (guint i = 0; i < fake.ring_fences->len; i++) {
		const struct ring_fence *fence =
			&g_array_index(fake.ring_fences, struct ring_fence, i);

		fake.callbacks->write_context_fence(
			fake.cookie, fence->ctx_id, fence->ring_idx, fence->seqno);
	}
	g_array_set_size(fake.ring_fences, 0);
}

void fake_virgl_act(uint8_t what)
{
	if (what & ACT_SIGNAL)
		signal_fences();
	if (what & ACT_AT_ONCE)
		fake.is_fast = !fake.is_fast;
	if (what & ACT_FAIL)
		fake.fails = true;
	if (what & ACT_GL_FAIL)
		fake.gl_fails = true;
	if (what & ACT_KILL)
		fake_host_kill_server();
	if (what & ACT_QUERY)
		eventfd_write(fake.poll_fd, 1);
}

/* Life */

int virgl_renderer_init(void *cookie, int flags, struct virgl_renderer_callbacks *callbacks)
{
	g_assert(!fake.is_running);
	fake.is_running = true;
	fake.cookie = cookie;
	fake.callbacks = callbacks;
	fake.resources = g_hash_table_new_full(NULL, NULL, NULL, free_resource);
	fake.contexts = g_hash_table_new_full(NULL, NULL, NULL, free_context);
	fake.ring_fences = g_array_new(FALSE, FALSE, sizeof(struct ring_fence));
	fake.poll_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (flags & VIRGL_RENDERER_RENDER_SERVER)
		g_assert(callbacks->get_server_fd(cookie, 0) >= 0);
	return 0;
}

void virgl_renderer_cleanup(void *cookie)
{
	g_assert(fake.is_running && cookie == fake.cookie);
	/* The contract of gpu/renderer.h: the device has destroyed all that it made. */
	g_assert(g_hash_table_size(fake.resources) == 0);
	g_assert(g_hash_table_size(fake.contexts) == 0);
	g_hash_table_destroy(fake.resources);
	g_hash_table_destroy(fake.contexts);
	g_array_free(fake.ring_fences, TRUE);
	close(fake.poll_fd);
	fake.poll_fd = -1;
	fake.is_running = false;
}

void virgl_renderer_force_ctx_0(void)
{
}

virgl_debug_callback_type virgl_set_debug_callback(virgl_debug_callback_type callback)
{
	return NULL;
}

int virgl_renderer_get_poll_fd(void)
{
	return fake.poll_fd;
}

void virgl_renderer_poll(void)
{
	signal_fences();
}

void virgl_renderer_get_cap_set(uint32_t set, uint32_t *max_version, uint32_t *max_size)
{
	*max_version = set == CAPSET_VIRGL ? 1 : set == CAPSET_VIRGL2 ? 2 : 0;
	*max_size = set == CAPSET_VIRGL	   ? 308
		    : set == CAPSET_VIRGL2 ? 1384
		    : set == CAPSET_VENUS  ? 160
					   : 0;
}

void virgl_renderer_fill_caps(uint32_t set, uint32_t version, void *caps)
{
	uint32_t max_version, size;

	virgl_renderer_get_cap_set(set, &max_version, &size);
	g_assert(size > 0 && version <= max_version);
	memset(caps, 1, size);
}

/* Contexts */

int virgl_renderer_context_create_with_flags(
	uint32_t ctx_id, uint32_t flags, uint32_t name_len, const char *name)
{
	struct fake_context *context;

	g_assert(ctx_id != 0 && !find_context(ctx_id) && strlen(name) == name_len);
	if (take_failure())
		return EINVAL;
	context = g_new0(struct fake_context, 1);
	context->capset_id = flags & VIRGL_RENDERER_CONTEXT_FLAG_CAPSET_ID_MASK;
	context->attached = g_hash_table_new(NULL, NULL);
	g_hash_table_insert(fake.contexts, GUINT_TO_POINTER(ctx_id), context);
	return 0;
}

void virgl_renderer_context_destroy(uint32_t ctx_id)
{
	g_assert(find_context(ctx_id));
	for (guint i = fake.ring_fences->len; i-- > 0;)
		if (g_array_index(fake.ring_fences, struct ring_fence, i).ctx_id == ctx_id)
			g_array_remove_index(fake.ring_fences, i);
	g_hash_table_remove(fake.contexts, GUINT_TO_POINTER(ctx_id));
}

void virgl_renderer_ctx_attach_resource(int ctx_id, int id)
{
	struct fake_context *context = find_context((uint32_t)ctx_id);
	const struct fake_resource *resource = fake_resource_find((uint32_t)id);

	g_assert(context && resource);
	/* A Vulkan context ends the process with what is no dma-buf and not its own. */
	g_hash_table_add(context->attached, GINT_TO_POINTER(id));
}

void virgl_renderer_ctx_detach_resource(int ctx_id, int id)
{
	g_assert(find_context((uint32_t)ctx_id) && fake_resource_find((uint32_t)id));
	g_hash_table_remove(find_context((uint32_t)ctx_id)->attached, GINT_TO_POINTER(id));
}

int virgl_renderer_submit_cmd(void *buffer, int ctx_id, int count)
{
	struct fake_context *context = find_context((uint32_t)ctx_id);

	g_assert(context && count > 0);
	if (take_failure())
		return EINVAL;
	if (context->capset_id == CAPSET_VENUS)
		return 0;
	return fake_stream_run(context, buffer, (uint32_t)count);
}

/* Fences */

int virgl_renderer_create_fence(int serial, uint32_t ctx_id)
{
	if (take_failure())
		return -1;
	fake.last_fence = (uint32_t)serial;
	fake.has_fence = true;
	if (fake.is_fast)
		signal_fences();
	return 0;
}

int virgl_renderer_context_create_fence(
	uint32_t ctx_id, uint32_t flags, uint32_t ring_idx, uint64_t seqno)
{
	const struct ring_fence fence = {ctx_id, ring_idx, seqno};

	g_assert(find_context(ctx_id) && ring_idx < 64);
	if (take_failure())
		return -EINVAL;
	g_array_append_val(fake.ring_fences, fence);
	if (fake.is_fast)
		signal_fences();
	return 0;
}

/* Resources */

static bool is_size_possible(const struct fake_resource *resource)
{
	if (resource->width == 0 || resource->height == 0 || resource->depth == 0 ||
		resource->array_size == 0)
		return false;
	if (resource->last_level > 31 || resource->width > INT32_MAX ||
		resource->height > INT32_MAX)
		return false;
	if (resource->target == FAKE_BUFFER)
		return resource->height == 1 && resource->depth == 1;
	return resource->block->len < 32;
}

/* The library reads some textures back whole, into as much memory as it counts in 32 bits. */
static void check_len(const struct fake_resource *resource)
{
	const struct fake_block *block = resource->block;
	unsigned __int128 len =
		(unsigned __int128)resource->width * resource->height * resource->depth;

	if (resource->target == FAKE_BUFFER)
		return;
	len *= resource->array_size;
	g_assert(len / block->width / block->height * block->len <= UINT32_MAX);
	g_assert(resource->nr_samples <= 32);
}

bool fake_resource_describe(struct fake_resource *resource, const uint32_t args[9])
{
	resource->target = args[0];
	resource->block = fake_block_find(args[1]);
	resource->width = args[3];
	resource->height = args[4];
	resource->depth = args[5];
	resource->array_size = args[6];
	resource->last_level = args[7];
	resource->nr_samples = args[8];
	if (!resource->block || args[0] >= FAKE_TARGET_COUNT || !is_size_possible(resource))
		return false;
	check_len(resource);
	return true;
}

int virgl_renderer_resource_create(
	struct virgl_renderer_resource_create_args *args, struct iovec *iov, uint32_t iov_count)
{
	const uint32_t words[] = {args->target, args->format, args->bind, args->width, args->height,
		args->depth, args->array_size, args->last_level, args->nr_samples};
	struct fake_resource described = {.id = args->handle, .blob_fd = -1};

	g_assert(args->handle != 0 && !fake_resource_find(args->handle) && iov_count == 0);
	if (take_failure() || !fake_resource_describe(&described, words))
		return EINVAL;
	g_hash_table_insert(fake.resources, GUINT_TO_POINTER(described.id),
		g_memdup2(&described, sizeof(described)));
	return 0;
}

void virgl_renderer_resource_unref(uint32_t id)
{
	g_assert(fake_resource_find(id));
	g_hash_table_remove(fake.resources, GUINT_TO_POINTER(id));
}

int virgl_renderer_resource_attach_iov(int id, struct iovec *iov, int count)
{
	struct fake_resource *resource = fake_resource_find((uint32_t)id);

	g_assert(resource && !resource->iov && iov);
	if (take_failure())
		return EINVAL;
	resource->iov = iov;
	resource->iov_count = (unsigned int)count;
	return 0;
}

void virgl_renderer_resource_detach_iov(int id, struct iovec **ret_iov, int *ret_count)
{
	struct fake_resource *resource = fake_resource_find((uint32_t)id);

	g_assert(resource && !ret_iov && !ret_count);
	resource->iov = NULL;
	resource->iov_count = 0;
}

int virgl_renderer_transfer_read_iov(uint32_t id, uint32_t ctx_id, uint32_t level, uint32_t stride,
	uint32_t layer_stride, struct virgl_box *box, uint64_t offset, struct iovec *iov, int count)
{
	struct fake_resource *resource = fake_resource_find(id);
	struct fake_transfer transfer = {.level = level,
		.stride = stride,
		.layer_stride = layer_stride,
		.offset = offset,
		.iov = iov,
		.iov_count = (unsigned int)count,
		.is_read = true};

	g_assert(resource && (ctx_id == 0 || find_context(ctx_id)));
	memcpy(&transfer.box, box, sizeof(transfer.box));
	/* Of several layers it reads the first one, and of several pieces it fills none. */
	g_assert(transfer.box.d == 1);
	g_assert((resource->target == FAKE_BUFFER && resource->block) || count == 1);
	return fake_transfer_run(resource, &transfer);
}

int virgl_renderer_transfer_write_iov(uint32_t id, uint32_t ctx_id, int level, uint32_t stride,
	uint32_t layer_stride, struct virgl_box *box, uint64_t offset, struct iovec *iov,
	unsigned int count)
{
	struct fake_resource *resource = fake_resource_find(id);
	struct fake_transfer transfer = {.level = (uint32_t)level,
		.stride = stride,
		.layer_stride = layer_stride,
		.offset = offset,
		.iov = iov,
		.iov_count = count};
	uint64_t steps;

	g_assert(resource && (ctx_id == 0 || find_context(ctx_id)));
	memcpy(&transfer.box, box, sizeof(transfer.box));
	/* For each line it looks for its place from the first piece on. */
	steps = (uint64_t)(iov ? count : resource->iov_count) * (uint32_t)transfer.box.h *
		(uint32_t)transfer.box.d;
	g_assert((iov ? count : resource->iov_count) <= 1 || steps <= UINT64_C(1) << 20);
	return fake_transfer_run(resource, &transfer);
}

int virgl_renderer_resource_get_info(int id, struct virgl_renderer_resource_info *info)
{
	const struct fake_resource *resource = fake_resource_find((uint32_t)id);

	g_assert(resource);
	if (take_failure() || !resource->block)
		return EINVAL;
	*info = (struct virgl_renderer_resource_info){
		.handle = (uint32_t)id, .tex_id = 1, .drm_fourcc = 0x34325258};
	return 0;
}

int virgl_renderer_get_fd_for_texture2(uint32_t texture, int *fd, int *stride, int *offset)
{
	if (take_failure())
		return -1;
	*fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	*stride = 64;
	*offset = 0;
	return 0;
}

/* Blobs: in the lower bits of a blob's id the input says what becomes of it. */

static const uint32_t blob_types[] = {VIRGL_RENDERER_BLOB_FD_TYPE_SHM,
	VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF, VIRGL_RENDERER_BLOB_FD_TYPE_OPAQUE, 0};

#define BLOB_IS_SHORT 0x4 /* its file ends early */

/* What a command made under this number, the oldest; none: not for OpenGL. */
static bool take_made(
	struct fake_context *context, struct fake_resource *resource, uint32_t blob_id)
{
	for (GList *link = context->made.head; link; link = link->next) {
		struct fake_resource *made = link->data;

		if (made->blob_id != blob_id)
			continue;
		resource->target = made->target;
		resource->block = made->block;
		resource->width = made->width;
		resource->height = made->height;
		resource->depth = made->depth;
		resource->array_size = made->array_size;
		resource->last_level = made->last_level;
		resource->nr_samples = made->nr_samples;
		g_queue_delete_link(&context->made, link);
		g_free(made);
		return true;
	}
	return context->capset_id == CAPSET_VENUS;
}

int virgl_renderer_resource_create_blob(const struct virgl_renderer_resource_create_blob_args *args)
{
	const bool is_host = args->blob_mem != VIRGL_RENDERER_BLOB_MEM_GUEST;
	struct fake_resource *resource;

	g_assert(args->res_handle != 0 && !fake_resource_find(args->res_handle));
	g_assert(args->ctx_id == 0 || find_context(args->ctx_id) || !is_host);
	if (take_failure() || (is_host && !find_context(args->ctx_id)))
		return EINVAL;
	resource = g_new(struct fake_resource, 1);
	*resource = (struct fake_resource){.id = args->res_handle,
		.iov = args->num_iovs ? args->iovecs : NULL,
		.iov_count = args->num_iovs,
		.blob_len = args->size,
		.blob_type = blob_types[args->blob_id & 3],
		.blob_fd = -1};
	if (is_host && !take_made(find_context(args->ctx_id), resource, (uint32_t)args->blob_id)) {
		g_free(resource);
		return EINVAL;
	}
	if (is_host && resource->blob_type != 0) {
		resource->blob_fd = memfd_create("blob", MFD_CLOEXEC);
		g_assert(ftruncate(resource->blob_fd,
				 (off_t)(args->blob_id & BLOB_IS_SHORT ? args->size / 2
								       : args->size)) == 0);
	}
	g_hash_table_insert(fake.resources, GUINT_TO_POINTER(resource->id), resource);
	return 0;
}

int virgl_renderer_resource_import_blob(const struct virgl_renderer_resource_import_blob_args *args)
{
	close(args->fd);
	return EINVAL;
}

int virgl_renderer_resource_export_blob(uint32_t id, uint32_t *type, int *fd)
{
	const struct fake_resource *resource = fake_resource_find(id);

	g_assert(resource);
	if (take_failure() || resource->blob_fd < 0)
		return EINVAL;
	*type = resource->blob_type;
	*fd = fcntl(resource->blob_fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

int virgl_renderer_resource_get_map_info(uint32_t id, uint32_t *map_info)
{
	g_assert(fake_resource_find(id));
	*map_info = VIRGL_RENDERER_MAP_CACHE_CACHED;
	return take_failure() ? EINVAL : 0;
}

static void *mapped;
static uint64_t mapped_len;

int virgl_renderer_resource_map(uint32_t id, void **map, uint64_t *size)
{
	const struct fake_resource *resource = fake_resource_find(id);

	g_assert(resource && !mapped);
	if (take_failure() || resource->blob_fd < 0 || resource->blob_len == 0)
		return EINVAL;
	mapped = mmap(NULL, resource->blob_len, PROT_READ, MAP_SHARED, resource->blob_fd, 0);
	if (mapped == MAP_FAILED) {
		mapped = NULL;
		return ENOMEM;
	}
	*map = mapped;
	*size = mapped_len = resource->blob_len;
	return 0;
}

int virgl_renderer_resource_unmap(uint32_t id)
{
	g_assert(fake_resource_find(id) && mapped);
	munmap(mapped, mapped_len);
	mapped = NULL;
	return 0;
}
