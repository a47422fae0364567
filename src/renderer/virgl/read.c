/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What can be read back, and reading it. The library says that it has read what OpenGL cannot read, or
 * refused to, and answers with memory that nobody wrote, from its heap or from where it was to go.
 */
#include "renderer/virgl/read.h"

#include "util/checked.h"

#include <dlfcn.h>
#include <string.h>

#define MAX_GL_ERRORS 16 /* looked at; a lost GPU says the same for ever */

int renderer_virgl_read_iov(
	uint32_t ctx_id, uint32_t id, const struct gpu_transfer_3d *transfer, struct iovec *iov)
{
	struct virtio_gpu_box box = transfer->box;

	return renderer_virgl_errno(virgl_renderer_transfer_read_iov(id, ctx_id, transfer->level,
		transfer->stride, transfer->layer_stride, renderer_virgl_box_of(&box), 0, iov, 1));
}

/* The library stays loaded as long as virglrenderer, which links it. */
void **renderer_virgl_gl_function(const char *name)
{
	void *epoxy = dlopen("libepoxy.so.0", RTLD_LAZY | RTLD_NOLOAD);
	void **function;

	if (!epoxy)
		return NULL;
	function = dlsym(epoxy, name);
	dlclose(epoxy);
	return function;
}

/*
 * Has the GL context that is current, which is the one of the last transfer, met an error? It says
 * so once. The library, which does not ask, calls OpenGL through libepoxy, whichever OpenGL it is. Where
 * the process has the function is looked up once: that takes as long as reading a small picture does.
 */
static bool take_gl_error(void)
{
	static uint32_t (**get_error)(void);
	bool has_error = false;

	if (!get_error)
		get_error = (uint32_t(**)(void))renderer_virgl_gl_function("epoxy_glGetError");
	for (int i = 0; get_error && i < MAX_GL_ERRORS && (*get_error)() != 0; i++)
		has_error = true;
	return has_error;
}

/*
 * The library says that it has read what OpenGL refused to read. An error may be of a command before,
 * so that only the second one counts.
 */
int renderer_virgl_read_checked(
	uint32_t ctx_id, uint32_t id, const struct gpu_transfer_3d *transfer, struct iovec *iov)
{
	int ret = renderer_virgl_read_iov(ctx_id, id, transfer, iov);

	if (ret < 0 || !take_gl_error())
		return ret;
	ret = renderer_virgl_read_iov(ctx_id, id, transfer, iov);
	return ret == 0 && take_gl_error() ? -EINVAL : ret;
}

/*
 * Reading @box->w bytes of a buffer, 0.10.4 maps as many and copies as many pixels of its format.
 * Drivers' buffers are all of 1 byte; for others the pixels must lie inside the buffer.
 */
bool renderer_virgl_is_buffer_read_sane(
	const struct renderer_virgl_layout *layout, const struct gpu_transfer_3d *transfer)
{
	return layout->target != TARGET_BUFFER ||
	       checked_range(transfer->box.x, layout->line_len, layout->level.width);
}

/*
 * The library says that it has read what OpenGL cannot read back, and answers with memory that it
 * never wrote: multisampled textures, and depth, stencil and compressed blocks in 3D textures, the
 * first two in cube textures as well. What a host's OpenGL cannot besides, read_checked() notices.
 */
bool renderer_virgl_is_readable(const struct gpu_resource *texture)
{
	const uint32_t target = texture->args_3d.target;
	struct renderer_virgl_format format;

	if (target == TARGET_BUFFER)
		return true;
	if (!renderer_virgl_format_find(texture->format, &format) ||
		texture->args_3d.nr_samples > 1)
		return false;
	if (renderer_virgl_format_is_depth(texture->format))
		return target != TARGET_TEXTURE_3D && target != TARGET_CUBE &&
		       target != TARGET_CUBE_ARRAY;
	return format.width == 1 || target != TARGET_TEXTURE_3D;
}

enum readable {
	READABLE_UNKNOWN,
	READABLE_YES,
	READABLE_NO,
};

/* Reads a block of a texture into memory of ours. A larger one than RENDERER_VIRGL_MAX_WHOLE_LEN is not tried. */
static enum readable try_reading(
	const struct gpu_resource *image, const struct renderer_virgl_layout *layout)
{
	const struct gpu_transfer_3d transfer = {
		.box = {0, 0, 0, MIN(layout->format.width, layout->level.width),
			MIN(layout->format.height, layout->level.height), 1},
	};
	struct iovec iov = {.iov_len = renderer_virgl_level_len(layout)};
	int ret = -ENOMEM;

	if (iov.iov_len <= RENDERER_VIRGL_MAX_WHOLE_LEN)
		iov.iov_base = g_try_malloc(iov.iov_len);
	if (iov.iov_base) {
		virgl_renderer_force_ctx_0();
		ret = renderer_virgl_read_checked(0, image->id, &transfer, &iov);
	}
	g_free(iov.iov_base);
	return ret == 0 ? READABLE_YES : ret == -EINVAL ? READABLE_NO : READABLE_UNKNOWN;
}

/*
 * What this host's OpenGL can read back. In a stream nobody can ask it afterwards, so it is asked with
 * the first texture of a kind. The library and its OpenGL are the process's, and so is this.
 */
static struct {
	bool can_ask;
	uint8_t answers[TARGET_COUNT][RENDERER_VIRGL_FORMAT_COUNT];
} host;

void renderer_virgl_read_init(bool has_gl)
{
	memset(&host, 0, sizeof(host));
	host.can_ask = has_gl;
}

static bool is_read_back(
	const struct gpu_resource *image, const struct renderer_virgl_layout *layout)
{
	uint8_t *answer;

	if (!host.can_ask || layout->target == TARGET_BUFFER)
		return true;
	answer = &host.answers[layout->target][image->format];
	if (*answer == READABLE_UNKNOWN)
		*answer = (uint8_t)try_reading(image, layout);
	return *answer == READABLE_YES;
}

bool renderer_virgl_may_read(
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer)
{
	struct renderer_virgl_layout layout;

	if (renderer_virgl_box_is_empty(&transfer->box))
		return true;
	return renderer_virgl_is_readable(image) &&
	       renderer_virgl_layout_init(&layout, image, transfer) == 0 &&
	       renderer_virgl_is_buffer_read_sane(&layout, transfer) && transfer->box.d == 1 &&
	       is_read_back(image, &layout);
}

/*
 * The library gives the line that @rect calls the first one first, however the texture lies, so
 * that there is nothing to turn over here.
 */
int renderer_virgl_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	const struct gpu_transfer_3d transfer = {
		.box = {.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1},
		.stride = (uint32_t)MIN(stride, UINT32_MAX),
	};
	struct iovec iov = {dst, stride * rect->height};
	struct renderer_virgl_layout layout;
	struct gpu_resource image;

	if (resource->kind == GPU_RESOURCE_BLOB)
		return -ENOTSUP;
	if (!renderer_virgl_is_single_image(resource) ||
		!renderer_virgl_image_of(resource, &image) || !renderer_virgl_is_readable(&image) ||
		renderer_virgl_layout_init(&layout, &image, &transfer) < 0)
		return -EINVAL;
	virgl_renderer_force_ctx_0();
	return renderer_virgl_read_checked(0, resource->id, &transfer, &iov);
}
