/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Contexts, and what is attached to them. virtio 1.3, section 5.7.6.9. */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "util/id_table.h"

#include <string.h>

void renderer_rutabaga_context_free(void *opaque)
{
	struct rutabaga_context *context = opaque;

	g_hash_table_destroy(context->images);
	g_hash_table_destroy(context->resources);
	g_free(context);
}

struct rutabaga_context *renderer_rutabaga_context(
	struct renderer_rutabaga *rutabaga, uint32_t ctx_id)
{
	return g_hash_table_lookup(rutabaga->contexts, GUINT_TO_POINTER(ctx_id));
}

bool renderer_rutabaga_is_cross_domain(const struct rutabaga_context *context)
{
	return context->capset_id == VIRTIO_GPU_CAPSET_CROSS_DOMAIN;
}

/* A driver that does not say means gfxstream, where there is one. */
static uint32_t default_capset(const struct renderer_rutabaga *rutabaga)
{
	return rutabaga->has_gfxstream ? rutabaga->base.capsets[0].id
				       : VIRTIO_GPU_CAPSET_CROSS_DOMAIN;
}

int renderer_rutabaga_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	struct rutabaga_context *context;

	if (capset_id == 0)
		capset_id = default_capset(rutabaga);
	if (rutabaga_context_create(
		    rutabaga->rutabaga, ctx_id, capset_id, name, (uint32_t)strlen(name)) != 0)
		return -EINVAL;
	context = g_new0(struct rutabaga_context, 1);
	context->id = ctx_id;
	context->capset_id = capset_id;
	context->images = id_table_new(g_free);
	context->resources = id_table_new(NULL);
	g_mutex_lock(&rutabaga->lock);
	g_hash_table_insert(rutabaga->contexts, GUINT_TO_POINTER(ctx_id), context);
	g_mutex_unlock(&rutabaga->lock);
	return 0;
}

/*
 * A blob left its context: gfxstream ends its thread for it, and as a ring it was this context's
 * only. The next context that it is attached to gets another one.
 */
static void end_use(struct renderer_rutabaga *rutabaga, uint32_t ctx_id, gpointer resource_id)
{
	struct gpu_resource *resource = g_hash_table_lookup(rutabaga->resources, resource_id);
	struct rutabaga_resource *data = resource ? resource->renderer_data : NULL;

	if (!data)
		return;
	data->has_stream = false;
	if (data->ring && data->ring_ctx_id == ctx_id)
		renderer_rutabaga_ring_close(rutabaga, resource);
}

void renderer_rutabaga_ctx_destroy(struct renderer *renderer, uint32_t ctx_id)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	struct rutabaga_context *context = renderer_rutabaga_context(rutabaga, ctx_id);
	GHashTableIter iter;
	gpointer id;

	/* The library waits for the context's thread here, which may be in our callback. */
	rutabaga_context_destroy(rutabaga->rutabaga, ctx_id);
	g_hash_table_iter_init(&iter, context->resources);
	while (g_hash_table_iter_next(&iter, &id, NULL))
		end_use(rutabaga, ctx_id, id);
	renderer_rutabaga_fences_forget_context(rutabaga, ctx_id);
	g_mutex_lock(&rutabaga->lock);
	g_hash_table_remove(rutabaga->contexts, GUINT_TO_POINTER(ctx_id));
	g_mutex_unlock(&rutabaga->lock);
}

static bool is_guest_blob(const struct gpu_resource *resource)
{
	return resource->kind == GPU_RESOURCE_BLOB &&
	       resource->blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST;
}

int renderer_rutabaga_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	struct rutabaga_context *context = renderer_rutabaga_context(rutabaga, ctx_id);
	const struct rutabaga_resource *data = resource->renderer_data;
	int ret = 0;

	/* Any of the guest's own memory may become a ring; gfxstream has no use for it. */
	if (is_guest_blob(resource) && renderer_rutabaga_is_cross_domain(context))
		ret = renderer_rutabaga_ring_open(rutabaga, ctx_id, resource);
	if (ret == 0 && data->is_known)
		ret = renderer_rutabaga_errno(
			rutabaga_context_attach_resource(rutabaga->rutabaga, ctx_id, resource->id));
	if (ret == 0)
		g_hash_table_add(context->resources, GUINT_TO_POINTER(resource->id));
	return ret;
}

void renderer_rutabaga_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	struct rutabaga_context *context = renderer_rutabaga_context(rutabaga, ctx_id);
	const struct rutabaga_resource *data = resource->renderer_data;

	if (data->is_known)
		rutabaga_context_detach_resource(rutabaga->rutabaga, ctx_id, resource->id);
	g_hash_table_remove(context->resources, GUINT_TO_POINTER(resource->id));
	end_use(rutabaga, ctx_id, GUINT_TO_POINTER(resource->id));
}

int renderer_rutabaga_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done)
{
	struct renderer_rutabaga *rutabaga = renderer_rutabaga_of(renderer);
	struct rutabaga_context *context = renderer_rutabaga_context(rutabaga, ctx_id);

	if (renderer_rutabaga_is_cross_domain(context))
		return renderer_rutabaga_cross_domain_submit(rutabaga, context, commands, len);
	return renderer_rutabaga_gfxstream_submit(rutabaga, context, commands, len);
}
