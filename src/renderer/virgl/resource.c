/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Resources and their backing. The library checks most arguments of a 3D resource, but counts
 * sizes in 32 bits and does not look at what the GL driver said: sizes that would wrap are
 * refused here. virtio 1.3, sections 5.7.6.8 and 5.7.6.9.
 */
#include "renderer/virgl/formats.h"
#include "renderer/virgl/renderer_virgl.h"
#include "util/checked.h"

#include <sys/mman.h>

/*
 * The library reads some textures back as a whole, and counts the bytes in 32 bits. A pixel has at most
 * 16. The largest texture that drivers offer, 16384 x 16384, fits with fewer only.
 */
#define MAX_PIXELS	  ((UINT64_C(1) << 28) - 1)
#define MAX_NARROW_PIXELS (UINT64_C(1) << 28)
#define MAX_BUFFER_LEN	  ((UINT64_C(1) << 31) - 1)
#define MAX_SAMPLES	  32

#define BYTES_PER_PIXEL 4		  /* of a 2D image */
#define STRIP_LEN	((size_t)4 << 20) /* cleared at a time */

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
static int clear_2d(struct gpu_resource *resource)
{
	const size_t stride = (size_t)resource->width * BYTES_PER_PIXEL;
	const uint32_t height = (uint32_t)CLAMP(STRIP_LEN / stride, 1, resource->height);
	const size_t len = stride * height;
	void *zeroes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct gpu_rect strip = {.width = resource->width};
	int ret = 0;

	if (zeroes == MAP_FAILED)
		return -ENOMEM;
	for (; ret == 0 && strip.y < resource->height; strip.y += strip.height) {
		strip.height = MIN(height, resource->height - strip.y);
		ret = renderer_virgl_write_rect(resource, &strip, zeroes, len);
	}
	munmap(zeroes, len);
	return ret;
}

/*
 * The texture's first line is the guest's first line, as with the textures that the guest's own
 * Mesa shows. VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP would turn it over on each transfer, and a dma-buf
 * of it would have to be turned back by the front-end, which not all do.
 */
static int create_2d(struct gpu_resource *resource, uint32_t format)
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

	int ret = renderer_virgl_errno(virgl_renderer_resource_create(&args, NULL, 0));

	if (ret < 0)
		return ret;
	ret = clear_2d(resource);
	if (ret < 0)
		virgl_renderer_resource_unref(resource->id);
	return ret;
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

static int create_any_2d(struct gpu_resource *resource)
{
	if (!is_alpha_first(resource->format))
		return create_2d(resource, resource->format);
	resource->renderer_data = RAW_BYTES;
	return create_2d(resource, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
}

bool renderer_virgl_size_is_sane(const struct gpu_resource *resource)
{
	const struct gpu_resource_3d *args = &resource->args_3d;
	const uint32_t factors[] = {resource->height, args->depth, args->array_size};
	uint64_t pixels = resource->width;

	if (args->target == TARGET_BUFFER)
		return pixels <= MAX_BUFFER_LEN;
	for (size_t i = 0; i < G_N_ELEMENTS(factors); i++) {
		if (factors[i] > 1 && !checked_mul(pixels, factors[i], &pixels))
			return false;
	}
	return pixels <= (renderer_virgl_format_is_narrow(resource->format) ? MAX_NARROW_PIXELS
									    : MAX_PIXELS) &&
	       args->nr_samples <= MAX_SAMPLES;
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
	if (resource->kind == GPU_RESOURCE_BLOB)
		return renderer_virgl_create_blob(resource);
	if (!virgl->has_gl)
		return -ENOTSUP;
	return resource->kind == GPU_RESOURCE_2D ? create_any_2d(resource) : create_3d(resource);
}

int renderer_virgl_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer_virgl *virgl = renderer_virgl_of(renderer);
	int ret;

	resource->renderer_data = NULL;
	ret = create_any(virgl, resource);
	if (ret == 0 && resource->kind == GPU_RESOURCE_BLOB)
		renderer_virgl_image_take(virgl, resource);
	if (ret == 0)
		g_hash_table_insert(virgl->resources, GUINT_TO_POINTER(resource->id), resource);
	return ret;
}

int renderer_virgl_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	virgl_renderer_force_ctx_0();
	virgl_renderer_resource_detach_iov((int)resource->id, NULL, NULL);
	virgl_renderer_resource_unref(resource->id);
	g_hash_table_remove(renderer_virgl_of(renderer)->resources, GUINT_TO_POINTER(resource->id));
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
