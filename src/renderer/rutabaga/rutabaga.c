/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The gfxstream mode: gfxstream and cross-domain through the C interface of Rutabaga
 * (rutabaga_gfx_ffi 0.1.3 and 0.1.85). Theory of operation:
 *
 * Threads. The library's object belongs to the main loop's thread. gfxstream has threads that read
 * the guest's commands out of rings in blobs, and cross-domain has one for each channel; both
 * call renderer_rutabaga_write_fence() and handle_debug(), nothing else of ours.
 *
 * 2D resources are not the library's: gfxstream would move the whole image for each, to the GPU and
 * back, and cross-domain alone has none. They are images in plain memory (renderer/plain), in
 * each combination of capsets, and no context has a use for them.
 *
 * What the library does not check, is checked before it is called: commands (gfxstream.c,
 * cross_domain.c), images and their backing (image.c, formats.c), what came of a blob (blob.c). It
 * never sees guest memory that its threads could still use when the guest takes it back (ring.c).
 *
 * What a guest can break. The Vulkan and OpenGL ES commands in gfxstream's rings are decoded by its
 * threads in this process, which is a session and serves one guest.
 */
#include "renderer/create.h"
#include "renderer/options.h"
#include "renderer/plain/images.h"
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/fd.h"
#include "util/id_table.h"
#include "util/log.h"

#include <string.h>

static bool is_in_use;

static int rutabaga_get_capset_hook(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len)
{
	for (unsigned int i = 0; i < renderer->capset_count; i++) {
		const struct renderer_capset *capset = &renderer->capsets[i];

		if (capset->id != capset_id)
			continue;
		/* The library writes as much as it is told, but has no more than this. */
		if (version > capset->max_version || len < capset->max_size)
			return -EINVAL;
		memset(buf, 0, len);
		return renderer_rutabaga_errno(
			rutabaga_get_capset(renderer_rutabaga_of(renderer)->rutabaga, capset_id,
				version, buf, capset->max_size));
	}
	return -EINVAL;
}

static void forget_resource(struct renderer_rutabaga *rutabaga, struct gpu_resource *resource)
{
	struct rutabaga_resource *data = resource->renderer_data;

	g_mutex_lock(&rutabaga->lock);
	g_hash_table_remove(rutabaga->resources, GUINT_TO_POINTER(resource->id));
	g_mutex_unlock(&rutabaga->lock);
	resource->renderer_data = NULL;
	fd_clear(&data->fd);
	g_free(data);
}

static int rutabaga_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	struct rutabaga_resource *data = g_new0(struct rutabaga_resource, 1);
	int ret;

	data->fd = -1;
	resource->renderer_data = data;
	g_mutex_lock(&rutabaga->lock);
	g_hash_table_insert(rutabaga->resources, GUINT_TO_POINTER(resource->id), resource);
	g_mutex_unlock(&rutabaga->lock);
	if (resource->kind == GPU_RESOURCE_BLOB)
		ret = renderer_rutabaga_create_blob(rutabaga, resource);
	else
		ret = renderer_rutabaga_create_image(rutabaga, resource);
	if (ret < 0)
		forget_resource(rutabaga, resource);
	return ret;
}

static int rutabaga_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	const struct rutabaga_resource *data = resource->renderer_data;

	if (data->is_known)
		rutabaga_resource_unref(rutabaga->rutabaga, resource->id);
	forget_resource(rutabaga, resource);
	return 0;
}

static void rutabaga_free(struct renderer_rutabaga *rutabaga)
{
	g_hash_table_destroy(rutabaga->contexts);
	g_hash_table_destroy(rutabaga->resources);
	g_mutex_clear(&rutabaga->lock);
	g_free(rutabaga->scratch);
	g_free(rutabaga);
	is_in_use = false;
}

static void rutabaga_destroy(struct renderer *renderer)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);

	renderer_rutabaga_fences_finish(rutabaga);
	rutabaga_finish(&rutabaga->rutabaga);
	rutabaga_free(rutabaga);
}

static const struct renderer_ops rutabaga_ops = {
	.destroy = rutabaga_destroy,
	.get_capset = rutabaga_get_capset_hook,
	.ctx_create = renderer_rutabaga_ctx_create,
	.ctx_destroy = renderer_rutabaga_ctx_destroy,
	.ctx_attach_resource = renderer_rutabaga_ctx_attach_resource,
	.ctx_detach_resource = renderer_rutabaga_ctx_detach_resource,
	.resource_create = rutabaga_resource_create,
	.resource_destroy = rutabaga_resource_destroy,
	.attach_backing = renderer_rutabaga_attach_backing,
	.detach_backing = renderer_rutabaga_detach_backing,
	.transfer_to_host_3d = renderer_rutabaga_transfer_to_host_3d,
	.transfer_from_host_3d = renderer_rutabaga_transfer_from_host_3d,
	.submit = renderer_rutabaga_submit,
	.create_fence = renderer_rutabaga_create_fence,
	.read_rect = renderer_rutabaga_read_rect,
	.read_blob = renderer_rutabaga_read_blob,
	.export_blob = renderer_rutabaga_export_blob,
};

/* What to try where the user named no capsets, best first. */
static const uint64_t candidates[] = {
	RENDERER_RUTABAGA_GFXSTREAM | RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN),
	RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN) |
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN),
	RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_GLES) |
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_COMPOSER) |
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN),
	RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN),
};

static int choose_candidate(const struct renderer_options *options, struct rutabaga_start *start,
	char *description, char **ret_message)
{
	const uint64_t gles = RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_GLES);
	const bool use_gles = renderer_option_is_on(options, &renderer_option_use_gles);
	g_autofree char *first_reason = NULL;
	int ret = -ENODEV;

	for (size_t i = 0; ret < 0 && i < G_N_ELEMENTS(candidates); i++) {
		g_autofree char *reason = NULL;

		if ((candidates[i] & gles) && !use_gles)
			continue;
		start->capset_mask = candidates[i];
		ret = renderer_rutabaga_try(start, &reason);
		if (ret < 0 && !first_reason)
			first_reason = g_steal_pointer(&reason);
	}
	if (ret < 0)
		*ret_message = g_steal_pointer(&first_reason);
	else if (first_reason)
		g_snprintf(description, RENDERER_DESCRIPTION_LEN, "not all of gfxstream starts: %s",
			first_reason);
	return ret;
}

/* Finds out what can be started, in children, unless somebody did before. */
static int choose_capsets(const struct renderer_options *options, struct rutabaga_start *start,
	char *description, char **ret_message)
{
	start->capset_mask = options->capset_mask;
	if (options->tried_capset_mask != 0) {
		start->capset_mask = options->tried_capset_mask;
		return 0;
	}
	if (options->capset_mask != 0)
		return renderer_rutabaga_try(start, ret_message);
	return choose_candidate(options, start, description, ret_message);
}

/* Return: 0, or -ENOTSUP where one that was asked for is not there. */
static int list_capsets(struct renderer_rutabaga *rutabaga, uint64_t wanted)
{
	struct renderer *renderer = &rutabaga->base;
	uint32_t count = 0;

	rutabaga_get_num_capsets(rutabaga->rutabaga, &count);
	for (uint32_t i = 0; i < MIN(count, RENDERER_MAX_CAPSETS); i++) {
		struct renderer_capset capset = {0};

		if (rutabaga_get_capset_info(rutabaga->rutabaga, i, &capset.id, &capset.max_version,
			    &capset.max_size) != 0)
			continue;
		wanted &= ~RENDERER_RUTABAGA_CAPSET(capset.id);
		renderer->capsets[renderer->capset_count++] = capset;
		if (RENDERER_RUTABAGA_CAPSET(capset.id) & RENDERER_RUTABAGA_GFXSTREAM)
			rutabaga->has_gfxstream = true;
	}
	return wanted == 0 && renderer->capset_count > 0 ? 0 : -ENOTSUP;
}

static struct renderer_rutabaga *rutabaga_allocate(void)
{
	struct renderer_rutabaga *rutabaga = g_new0(struct renderer_rutabaga, 1);

	is_in_use = true;
	rutabaga->base.ops = &rutabaga_ops;
	rutabaga->base.has_3d = true;
	rutabaga->base.has_blob = true;
	rutabaga->wake_fd = -1;
	rutabaga->contexts = id_table_new(renderer_rutabaga_context_free);
	rutabaga->resources = id_table_new(NULL);
	g_mutex_init(&rutabaga->lock);
	g_queue_init(&rutabaga->arrived);
	return rutabaga;
}

/* Return: 0, or a negative errno, with *ret_message where there is something to say. */
static int rutabaga_start(struct renderer_rutabaga *rutabaga,
	const struct renderer_options *options, char **ret_message)
{
	struct rutabaga_start start = {0};
	g_autoptr(GArray) channels = NULL;
	int ret = renderer_rutabaga_channels_parse(options, &channels, ret_message);

	if (ret < 0)
		return ret;
	start.channels = channels;
	ret = choose_capsets(options, &start, rutabaga->base.description, ret_message);
	if (ret < 0)
		return ret;
	ret = renderer_rutabaga_init(&start, rutabaga, &rutabaga->rutabaga);
	if (ret < 0) {
		*ret_message = g_strdup(start.reason);
		return ret;
	}
	ret = list_capsets(rutabaga, start.capset_mask);
	if (ret < 0)
		*ret_message = g_strdup("the library does not have all of the capsets");
	else
		ret = renderer_rutabaga_fences_init(rutabaga, options->context);
	if (ret < 0)
		rutabaga_finish(&rutabaga->rutabaga);
	return ret;
}

int renderer_rutabaga_create(
	const struct renderer_options *options, struct renderer **ret_renderer, char **ret_message)
{
	struct renderer_rutabaga *rutabaga;
	struct renderer *wrapped;
	int ret;

	if (is_in_use) {
		*ret_message = g_strdup("runs already; a process has one");
		return -EBUSY;
	}
	if (options->render_node) {
		*ret_message = g_strdup("it cannot be told which GPU to draw with; leave out "
					"--gpu-device");
		return -ENOTSUP;
	}
	ret = renderer_rutabaga_check(options, ret_message);
	if (ret < 0)
		return ret;
	ret = renderer_rutabaga_library_load(ret_message);
	if (ret < 0)
		return ret;
	renderer_rutabaga_set_environment(options);
	rutabaga = rutabaga_allocate();
	ret = rutabaga_start(rutabaga, options, ret_message);
	if (ret < 0) {
		if (!*ret_message)
			*ret_message = g_strdup(g_strerror(-ret));
		rutabaga_free(rutabaga);
		return ret;
	}
	wrapped = renderer_plain_wrap(&rutabaga->base);
	if (!wrapped) {
		rutabaga_destroy(&rutabaga->base);
		*ret_message = g_strdup("out of memory");
		return -ENOMEM;
	}
	*ret_renderer = wrapped;
	return 0;
}
