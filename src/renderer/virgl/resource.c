/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Resources and their backing. The library checks most arguments of a 3D resource, but counts
 * sizes in 32 bits and does not look at what the GL driver said: sizes that would wrap are
 * refused here. virtio 1.3, sections 5.7.6.8 and 5.7.6.9.
 */
#include "renderer/virgl/layout.h"
#include "util/turn.h"

#include <sys/mman.h>

#define BYTES_PER_PIXEL 4			/* of a 2D image */
#define STRIP_LEN	((size_t)TURN_PART_LEN) /* cleared at a time */

/* resource->renderer_data of a resource whose texture does not have the guest's format */
#define RAW_BYTES GINT_TO_POINTER(1)

bool renderer_virgl_format_is_real(const struct gpu_resource *resource)
{
	return resource->renderer_data != RAW_BYTES;
}

/*
 * A GPU's driver may make a texture out of memory that still holds another image. The pages of
 * zeroes are the kernel's one page over and over.
 */
static int clear_2d(struct renderer_virgl *virgl, struct gpu_resource *resource)
{
	const size_t stride = (size_t)resource->width * BYTES_PER_PIXEL;
	const uint32_t height = (uint32_t)CLAMP(STRIP_LEN / stride, 1, resource->height);
	const size_t len = stride * height;
	void *zeroes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret = 0;

	if (zeroes == MAP_FAILED)
		return -ENOMEM;
	while (ret == 0 && virgl->clear_y < resource->height) {
		const struct gpu_rect strip = {0, virgl->clear_y, resource->width,
			MIN(height, resource->height - virgl->clear_y)};

		ret = renderer_virgl_write_rect(resource, &strip, zeroes, len);
		virgl->clear_y += strip.height;
		turn_charge(virgl->base.turn, len);
		if (ret == 0 && virgl->clear_y < resource->height && turn_is_over(virgl->base.turn))
			ret = RENDERER_AGAIN;
	}
	munmap(zeroes, len);
	return ret;
}

/*
 * The texture's first line is the guest's first line, as with the textures that the guest's own
 * Mesa shows. VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP would turn it over on each transfer, and a dma-buf
 * of it would have to be turned back by the front-end, which not all do.
 */
static int make_2d(const struct gpu_resource *resource, uint32_t format)
{
	struct virgl_renderer_resource_create_args args = {
		.handle = resource->id,
		.target = TARGET_TEXTURE_2D,
		.format = format,
		.bind = VIRGL_RES_BIND_RENDER_TARGET,
		.width = resource->width,
		.height = resource->height,
		.depth = 1,
		.array_size = 1,
	};

	return renderer_virgl_errno(virgl_renderer_resource_create(&args, NULL, 0));
}

/*
 * Formats with the alpha byte first are those of big-endian guests. The library has no texture for
 * some, and with OpenGL ES cannot read others back. Any format of 4 bytes carries their pixels from
 * the guest to the display.
 */
static bool is_alpha_first(uint32_t format)
{
	return format == VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM;
}

/* Return: 0, RENDERER_AGAIN or a negative errno. */
static int create_2d(struct renderer_virgl *virgl, struct gpu_resource *resource)
{
	const bool is_raw = is_alpha_first(resource->format);
	int ret = 0;

	resource->renderer_data = is_raw ? RAW_BYTES : NULL;
	if (virgl->clear_id != resource->id) {
		virgl->clear_y = 0;
		ret = make_2d(
			resource, is_raw ? VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM : resource->format);
	}
	if (ret < 0)
		return ret;
	ret = clear_2d(virgl, resource);
	virgl->clear_id = ret == RENDERER_AGAIN ? resource->id : 0;
	if (ret < 0)
		virgl_renderer_resource_unref(resource->id);
	return ret;
}

static int create_3d(struct gpu_resource *resource)
{
	const struct gpu_resource_3d *from = &resource->args_3d;
	struct virgl_renderer_resource_create_args args = {
		.handle = resource->id,
		.target = from->target,
		.format = resource->format,
		.bind = from->bind,
		.width = resource->width,
		.height = resource->height,
		.depth = from->depth,
		.array_size = from->array_size,
		.last_level = from->last_level,
		.nr_samples = from->nr_samples,
		.flags = from->flags,
	};

	if (!renderer_virgl_size_is_sane(resource))
		return -EINVAL;
	return renderer_virgl_errno(virgl_renderer_resource_create(&args, NULL, 0));
}

static int create_any(struct renderer_virgl *virgl, struct gpu_resource *resource)
{
	virgl_renderer_force_ctx_0();
	if (resource->kind == GPU_RESOURCE_2D && virgl->has_gl)
		return create_2d(virgl, resource);
	resource->renderer_data = NULL;
	if (resource->kind == GPU_RESOURCE_BLOB)
		return renderer_virgl_create_blob(resource);
	return virgl->has_gl ? create_3d(resource) : -ENOTSUP;
}

int renderer_virgl_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);
	int ret = create_any(virgl, resource);

	if (ret == 0 && resource->kind == GPU_RESOURCE_BLOB)
		renderer_virgl_image_take(virgl, resource);
	if (ret == 0)
		g_hash_table_insert(virgl->resources, GUINT_TO_POINTER(resource->id), resource);
	return ret;
}

int renderer_virgl_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);

	virgl_renderer_force_ctx_0();
	virgl_renderer_resource_detach_iov((int)resource->id, NULL, NULL);
	virgl_renderer_resource_unref(resource->id);
	g_hash_table_remove(virgl->resources, GUINT_TO_POINTER(resource->id));
	if (virgl->clear_id == resource->id)
		virgl->clear_id = 0;
	renderer_virgl_image_drop(resource);
	return 0;
}

/* The library borrows the list; the device keeps it until detach_backing(). */
int renderer_virgl_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	int ret;

	if (resource->iov_count > INT_MAX)
		return -EINVAL;
	ret = virgl_renderer_resource_attach_iov(
		(int)resource->id, resource->iov, (int)resource->iov_count);
	return renderer_virgl_errno(ret);
}

void renderer_virgl_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	virgl_renderer_resource_detach_iov((int)resource->id, NULL, NULL);
}
