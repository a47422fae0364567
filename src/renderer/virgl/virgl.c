/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The virglrenderer mode: capsets, contexts, submits, and the life of it all. virtio 1.3, section
 * 5.7.6.9 and 5.7.6.7. Theory of operation:
 *
 * Threads. virglrenderer's state is the process's: one renderer at a time, and every call comes
 * from the main loop's thread, because GL contexts are bound to it. The library has one thread of
 * its own that waits for fences; it calls renderer_virgl_write_fence() and nothing else of ours.
 *
 * Context 0 is the library's own GL context: transfers and reads without a guest's context run
 * there. Before such a call we make it current (virgl_renderer_force_ctx_0()), since the library
 * may think it is when a guest's context has been torn down under it. Making a fence does not
 * switch: it lands in the GL context of the command before it, which is what it has to wait for.
 *
 * Life of a fence. The library's global fences have 32 bits, come in order, and are merged: only
 * the last of several that are reached together is reported. So the device's fence goes on a list
 * under the next serial number, the serial goes to the library, and when one comes back all
 * fences up to it leave the list and go to the device, in order. Timelines of a context's rings
 * go the same way: the library executes all OpenGL contexts one after the other and refuses any
 * ring but 0, so that one list is as good, and it spares us its per-context fences, which it uses
 * after the context was freed when both meet. Destroying a context marks the fence that is being
 * waited for as void, whoever made it; an extra one behind it brings in what was lost.
 *
 * When queries are pending, the thread asks us through a descriptor to poll and waits for it. So
 * the end, too, polls until the list is empty before it asks the library to stop its thread.
 *
 * Vulkan and native contexts. They keep all memory in blobs and have timelines of their own, which
 * the library reports on a thread of each context, with the device's own 64-bit numbers. Vulkan
 * runs in the render server (server.c), a process that may die: the library then reports an error
 * for each call and signals the fences that are pending. Without GL, 2D images are plain memory.
 *
 * What a guest can break. Command streams are parsed by the library, in this process, which is a
 * session and serves one guest. Only commands on a list reach it (stream.h). A context with an error
 * refuses all further submits.
 */
#include "renderer/create.h"
#include "renderer/plain/images.h"
#include "renderer/virgl/read.h"
#include "util/fd.h"
#include "util/id_table.h"
#include "util/log.h"
#include "util/turn.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE_ID   1
#define SAMPLE_SIZE 64 /* pixels */

static bool is_in_use;

static const struct renderer_capset *find_capset(const struct renderer *renderer, uint32_t id)
{
	for (unsigned int i = 0; i < renderer->capset_count; i++) {
		if (renderer->capsets[i].id == id)
			return &renderer->capsets[i];
	}
	return NULL;
}

static int virgl_get_capset(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len)
{
	const struct renderer_capset *capset = find_capset(renderer, capset_id);

	/* The library writes all of it, whatever there is room for. */
	if (!capset || version > capset->max_version || len < capset->max_size)
		return -EINVAL;
	memset(buf, 0, len);
	virgl_renderer_force_ctx_0();
	virgl_renderer_fill_caps(capset_id, version, buf);
	if (capset_id == VIRTIO_GPU_CAPSET_VIRGL || capset_id == VIRTIO_GPU_CAPSET_VIRGL2) {
		renderer_virgl_mask_capset(buf, capset->max_size);
		renderer_virgl_formats_limit(buf, capset->max_size);
	}
	return 0;
}

bool renderer_virgl_has_timelines(struct renderer_virgl *virgl, uint32_t ctx_id)
{
	const struct renderer_virgl_context *context =
		g_hash_table_lookup(virgl->contexts, GUINT_TO_POINTER(ctx_id));

	return context && (context->capset_id == VIRTIO_GPU_CAPSET_VENUS ||
				  context->capset_id == VIRTIO_GPU_CAPSET_DRM);
}

/* A driver that does not say is an OpenGL one. */
static uint32_t default_capset(const struct renderer *renderer)
{
	if (find_capset(renderer, VIRTIO_GPU_CAPSET_VIRGL2))
		return VIRTIO_GPU_CAPSET_VIRGL2;
	return VIRTIO_GPU_CAPSET_VIRGL;
}

static int virgl_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);
	int ret;

	if (capset_id == 0)
		capset_id = default_capset(renderer);
	if (ctx_id == 0 || !find_capset(renderer, capset_id))
		return -EINVAL;
	ret = virgl_renderer_context_create_with_flags(
		ctx_id, capset_id, (uint32_t)strlen(name), name);
	if (ret == 0)
		g_hash_table_insert(virgl->contexts, GUINT_TO_POINTER(ctx_id),
			renderer_virgl_context_create(capset_id));
	return renderer_virgl_errno(ret);
}

/* A context whose commands were left out may have drawn nonsense. */
static void say_left_out(uint32_t ctx_id, const struct renderer_virgl_context *context)
{
	if (context && context->unknown_count + context->left_out_count > 0)
		log_peer("virglrenderer: context %u is gone; of its commands %" PRIu64
			 " were left out as unknown and %" PRIu64 " for what they said",
			ctx_id, context->unknown_count, context->left_out_count);
}

static void virgl_ctx_destroy(struct renderer *renderer, uint32_t ctx_id)
{
	say_left_out(ctx_id, g_hash_table_lookup(renderer_virgl_of(renderer)->contexts,
				     GUINT_TO_POINTER(ctx_id)));
	g_hash_table_remove(renderer_virgl_of(renderer)->contexts, GUINT_TO_POINTER(ctx_id));
	virgl_renderer_context_destroy(ctx_id);
	/* The library's idea of what is current must not outlive the context. */
	virgl_renderer_force_ctx_0();
	renderer_virgl_fences_sweep(renderer_virgl_of(renderer));
}

static int virgl_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	if (!renderer_virgl_may_attach(renderer_virgl_of(renderer), ctx_id, resource))
		return -EINVAL;
	virgl_renderer_ctx_attach_resource((int)ctx_id, (int)resource->id);
	return 0;
}

static void virgl_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	virgl_renderer_ctx_detach_resource((int)ctx_id, (int)resource->id);
}

/*
 * Words of an OpenGL stream that the library is given at a time. Setting state takes about 10 us for as
 * many; a draw, which cannot be cut, takes what it takes.
 */
#define PART_WORDS 8192

/* Whole commands, until the turn is over; the library does not mind where a stream is cut between two. */
static int submit_stream(
	struct renderer_virgl *virgl, uint32_t ctx_id, uint32_t *words, size_t count, size_t *done)
{
	size_t at = *done / sizeof(*words);

	while (at < count) {
		const size_t part = renderer_virgl_stream_guard(
			virgl, ctx_id, words + at, count - at, PART_WORDS);
		int ret = virgl_renderer_submit_cmd(words + at, (int)ctx_id, (int)part);

		if (ret != 0)
			return renderer_virgl_errno(ret);
		at += part;
		*done = at * sizeof(*words);
		turn_charge(virgl->base.turn, part * sizeof(*words));
		if (at < count && turn_is_over(virgl->base.turn))
			return RENDERER_AGAIN;
	}
	return 0;
}

static int virgl_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);
	const size_t count = len / sizeof(uint32_t);

	if (len % sizeof(uint32_t) != 0 || count > INT_MAX)
		return -EINVAL;
	if (!renderer_virgl_has_timelines(virgl, ctx_id))
		return submit_stream(virgl, ctx_id, commands, count, done);
	return renderer_virgl_errno(virgl_renderer_submit_cmd(commands, (int)ctx_id, (int)count));
}

static void virgl_free_all(struct renderer_virgl *virgl)
{
	renderer_virgl_server_stop(virgl);
	g_clear_pointer(&virgl->contexts, g_hash_table_unref);
	g_clear_pointer(&virgl->resources, g_hash_table_unref);
	g_free(virgl->server.path);
	fd_clear(&virgl->maps_fd);
	fd_clear(&virgl->render_node_fd);
	g_mutex_clear(&virgl->event_lock);
	g_mutex_clear(&virgl->fence_lock);
	pool_finish(&virgl->fence_pool);
	g_free(virgl);
	is_in_use = false;
}

static void virgl_destroy(struct renderer *renderer)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);

	virgl_renderer_force_ctx_0();
	if (renderer_virgl_fences_finish(virgl) < 0) {
		/*
		 * Its thread still works, on what is not freed; the process is about to end and
		 * takes it along. But it tells nobody any more.
		 */
		renderer_virgl_fences_close(virgl);
		log_warning("virglrenderer: the GPU does not finish, left as it is");
		return;
	}
	virgl_renderer_cleanup(virgl);
	virgl_free_all(virgl);
}

static const struct renderer_ops virgl_ops = {
	.destroy = virgl_destroy,
	.get_capset = virgl_get_capset,
	.ctx_create = virgl_ctx_create,
	.ctx_destroy = virgl_ctx_destroy,
	.ctx_attach_resource = virgl_ctx_attach_resource,
	.ctx_detach_resource = virgl_ctx_detach_resource,
	.resource_create = renderer_virgl_resource_create,
	.resource_destroy = renderer_virgl_resource_destroy,
	.attach_backing = renderer_virgl_attach_backing,
	.detach_backing = renderer_virgl_detach_backing,
	.transfer_to_host_2d = renderer_virgl_transfer_to_host_2d,
	.transfer_to_host_3d = renderer_virgl_transfer_to_host_3d,
	.transfer_from_host_3d = renderer_virgl_transfer_from_host_3d,
	.submit = virgl_submit,
	.create_fence = renderer_virgl_create_fence,
	.read_rect = renderer_virgl_read_rect,
	.export_dmabuf = renderer_virgl_export_dmabuf,
	.export_blob = renderer_virgl_export_blob,
};

/* In rising order: drivers take the first that they know, and find virgl2 by its number. */
static void list_capsets(struct renderer_virgl *virgl, uint64_t mask)
{
	const struct {
		uint32_t id;
		bool runs;
	} rows[] = {
		{VIRTIO_GPU_CAPSET_VIRGL, virgl->has_gl},
		{VIRTIO_GPU_CAPSET_VIRGL2, virgl->has_gl},
		{VIRTIO_GPU_CAPSET_VENUS, virgl->has_venus},
		{VIRTIO_GPU_CAPSET_DRM, virgl->has_drm},
	};
	struct renderer *renderer = &virgl->base;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct renderer_capset capset = {.id = rows[i].id};

		if (!rows[i].runs || (mask != 0 && !(mask & RENDERER_VIRGL_CAPSET(capset.id))))
			continue;
		virgl_renderer_get_cap_set(capset.id, &capset.max_version, &capset.max_size);
		if (capset.max_size > 0)
			renderer->capsets[renderer->capset_count++] = capset;
	}
}

static struct renderer_virgl *virgl_allocate(void)
{
	struct renderer_virgl *virgl = g_try_new0(struct renderer_virgl, 1);

	if (!virgl)
		return NULL;
	is_in_use = true;
	virgl->base.ops = &virgl_ops;
	virgl->base.has_3d = true;
	virgl->base.has_blob = true;
	virgl->render_node_fd = -1;
	virgl->server.socket_fd = -1;
	virgl->server.pid_fd = -1;
	virgl->server.output = LOG_PIPE_NONE;
	virgl->maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	virgl->contexts = id_table_new((GDestroyNotify)renderer_virgl_context_destroy);
	virgl->resources = id_table_new(NULL);
	g_mutex_init(&virgl->event_lock);
	g_mutex_init(&virgl->fence_lock);
	g_queue_init(&virgl->pending);
	return virgl;
}

/* Can the display be given a texture without a look at its pixels? There are no resources yet. */
static bool can_export(struct renderer_virgl *virgl)
{
	struct gpu_resource sample = {
		.id = SAMPLE_ID,
		.kind = GPU_RESOURCE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = SAMPLE_SIZE,
		.height = SAMPLE_SIZE,
	};
	struct renderer_dmabuf dmabuf;
	bool can;

	if (renderer_virgl_resource_create(&virgl->base, &sample) < 0)
		return false;
	can = renderer_virgl_export_dmabuf(&virgl->base, &sample, &dmabuf) == 0;
	if (can)
		close(dmabuf.fd);
	renderer_virgl_resource_destroy(&virgl->base, &sample);
	return can;
}

/*
 * Without GL there is nothing to draw with, but a text console needs no more than memory. And where the
 * pixels of a texture have to be read back to be shown, a 2D image that no context uses is better off in
 * memory, too: it would go into the texture and out of it for each frame.
 */
static struct renderer *virgl_with_images(struct renderer_virgl *virgl)
{
	struct renderer *wrapped = NULL;

	if (!virgl->has_gl)
		wrapped = renderer_plain_wrap(&virgl->base);
	else if (!can_export(virgl))
		wrapped = renderer_plain_keep(&virgl->base);
	return wrapped ? wrapped : &virgl->base;
}

int renderer_virgl_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	struct renderer_virgl *virgl;
	int ret;

	if (is_in_use) {
		*ret_message = g_strdup("runs already; a process has one");
		return -EBUSY;
	}
	ret = renderer_virgl_library_load(ret_message);
	if (ret < 0)
		return ret;
	virgl = virgl_allocate();
	if (!virgl) {
		*ret_message = g_strdup("out of memory");
		return -ENOMEM;
	}
	renderer_virgl_log_init();
	virgl->sandbox = options->sandbox;
	ret = renderer_virgl_start(virgl, options, ret_message);
	if (ret < 0)
		goto err_free;
	renderer_virgl_read_init(virgl->has_gl);
	list_capsets(virgl, options->capset_mask);
	if (virgl->base.capset_count == 0) {
		*ret_message = g_strdup("this host has none of the capsets");
		ret = -ENOTSUP;
		goto err_cleanup;
	}
	renderer_virgl_fences_init(virgl, options->context);
	renderer_virgl_server_watch(virgl, options->context);
	virgl->sandbox = NULL;
	*ret_renderer = virgl_with_images(virgl);
	return 0;

err_cleanup:
	virgl_renderer_cleanup(virgl);
err_free:
	virgl_free_all(virgl);
	return ret;
}
