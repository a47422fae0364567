/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a blob of an OpenGL context really is. RESOURCE_CREATE_BLOB only has a number, under which a
 * command of the stream (PIPE_RESOURCE_CREATE) made a buffer or texture before. The library keeps
 * these until a blob takes them, and so do we. A number can be used again only after a blob took it:
 * so what we keep under a number is what the library would give, or the library has nothing, because
 * it stopped before the command.
 *
 * PIPE_RESOURCE_SET_TYPE makes a texture of another library's blob. The first type stays.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/id_table.h"

/* Mesa takes each at once. */
#define MAX_PROMISES 1024

/* resource->renderer_data of a blob with an image. */
struct blob_image {
	struct gpu_resource image;
	bool is_made; /* by PIPE_RESOURCE_CREATE */
};

struct renderer_virgl_context *renderer_virgl_context_create(uint32_t capset_id)
{
	struct renderer_virgl_context *context = g_new0(struct renderer_virgl_context, 1);

	context->capset_id = capset_id;
	return context;
}

void renderer_virgl_context_destroy(struct renderer_virgl_context *context)
{
	if (!context)
		return;
	g_clear_pointer(&context->promises, g_hash_table_unref);
	g_free(context);
}

static struct blob_image *blob_image_create(const struct gpu_resource *image, bool is_made)
{
	struct blob_image *ours = g_new(struct blob_image, 1);

	*ours = (struct blob_image){*image, is_made};
	return ours;
}

bool renderer_virgl_image_promise(
	struct renderer_virgl_context *context, uint32_t blob_id, const struct gpu_resource *image)
{
	if (!context->promises)
		context->promises = id_table_new(g_free);
	if (g_hash_table_size(context->promises) >= MAX_PROMISES ||
		g_hash_table_contains(context->promises, GUINT_TO_POINTER(blob_id)))
		return false;
	g_hash_table_insert(
		context->promises, GUINT_TO_POINTER(blob_id), blob_image_create(image, true));
	return true;
}

void renderer_virgl_image_take(struct renderer_virgl *virgl, struct gpu_resource *resource)
{
	struct renderer_virgl_context *context =
		g_hash_table_lookup(virgl->contexts, GUINT_TO_POINTER(resource->blob.ctx_id));
	/* The library, too, looks at half of it. */
	const gpointer key = GUINT_TO_POINTER((uint32_t)resource->blob.id);

	if (resource->blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST || !context || !context->promises)
		return;
	resource->renderer_data = g_hash_table_lookup(context->promises, key);
	g_hash_table_steal(context->promises, key);
}

void renderer_virgl_image_drop(struct gpu_resource *resource)
{
	if (resource->kind == GPU_RESOURCE_BLOB)
		g_free(resource->renderer_data);
	resource->renderer_data = NULL;
}

bool renderer_virgl_image_set(struct gpu_resource *resource, const struct gpu_resource *image)
{
	const struct blob_image *ours = resource->renderer_data;

	if (!ours) {
		resource->renderer_data = blob_image_create(image, false);
		return true;
	}
	/* The library does not look at the type of what is a texture already. */
	return ours->is_made ||
	       (ours->image.format == image->format && ours->image.width == image->width &&
		       ours->image.height == image->height);
}

bool renderer_virgl_image_of(const struct gpu_resource *resource, struct gpu_resource *ret_image)
{
	const struct blob_image *ours = resource->renderer_data;

	*ret_image = *resource;
	if (resource->kind == GPU_RESOURCE_2D)
		ret_image->args_3d = (struct gpu_resource_3d){
			.target = TARGET_TEXTURE_2D, .depth = 1, .array_size = 1};
	if (resource->kind == GPU_RESOURCE_2D && !renderer_virgl_format_is_real(resource))
		ret_image->format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
	if (resource->kind == GPU_RESOURCE_BLOB) {
		if (!ours)
			return false;
		ret_image->format = ours->image.format;
		ret_image->width = ours->image.width;
		ret_image->height = ours->image.height;
		ret_image->args_3d = ours->image.args_3d;
	}
	ret_image->kind = GPU_RESOURCE_3D;
	return true;
}
