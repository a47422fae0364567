/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pixels between a resource and memory: the guest's backing, or ours for the display. The library
 * compares boxes as int and byte counts as 32 bits; what would wrap there is refused here, and so is
 * what it cannot read; all else (levels, layers, strides of a format) it checks. virtio 1.3, section 5.7.6.8 and 5.7.6.9.
 */
#include "renderer/virgl/formats.h"
#include "renderer/virgl/renderer_virgl.h"
#include "util/checked.h"
#include "util/iov.h"

#include <dlfcn.h>

/* Pieces times lines that the library may look at: about 2 ns each. */
#define MAX_STEPS (UINT64_C(1) << 20)

/* Copied at a time on the way to the library. */
#define MAX_BOUNCE_LEN (UINT64_C(64) << 20)

#define FORMAT_R64_FLOAT	   24 /* and up to R64G64B64A64_FLOAT, of buffers only */
#define FORMAT_RGBA64_FLOAT	   27
#define FORMAT_R8_UNORM		   64
#define BYTES_PER_PIXEL		   4  /* of what can be shown */
#define MAX_BYTES_PER_PIXEL	   16 /* of any format of a texture */
#define MAX_BYTES_PER_NARROW_PIXEL 4
#define MAX_GL_ERRORS		   16 /* looked at; a lost GPU says the same for ever */

/* Laid out as the library's struct virgl_box, which its header does not define. */
static struct virgl_box *box_of(struct virtio_gpu_box *box)
{
	return (struct virgl_box *)box;
}

static bool is_axis_sane(uint32_t start, uint32_t len)
{
	return start <= INT_MAX && len <= INT_MAX - start;
}

static bool is_buffer(const struct gpu_resource *resource)
{
	return resource->kind == GPU_RESOURCE_3D && resource->args_3d.target == TARGET_BUFFER;
}

static bool is_box_empty(const struct virtio_gpu_box *box)
{
	return box->w == 0 || box->h == 0 || box->d == 0;
}

/* Bytes of a pixel at most, as far as it is known here. */
static uint64_t max_pixel_len(const struct gpu_resource *resource)
{
	if (resource->format == FORMAT_R8_UNORM)
		return 1;
	return renderer_virgl_format_is_narrow(resource->format) ? MAX_BYTES_PER_NARROW_PIXEL
								 : MAX_BYTES_PER_PIXEL;
}

/* Lines of a level. */
static uint64_t level_size(uint32_t size, uint32_t level)
{
	return level < 32 ? MAX(size >> level, 1) : 1;
}

/*
 * How many bytes from the offset on a transfer may touch. The library takes the level's lines without
 * gaps where a stride is 0, and as many of them as the level has where a layer's stride is; it sums in
 * 32 bits. This is an upper bound. Return: false beyond 64 bits.
 */
static bool transfer_extent(const struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, uint64_t *ret_len)
{
	const struct virtio_gpu_box *box = &transfer->box;
	uint64_t stride = transfer->stride;
	uint64_t layer_stride = transfer->layer_stride;
	const uint64_t pixel_len = max_pixel_len(resource);
	uint64_t len = box->w * pixel_len;
	uint64_t lines, layers;

	if (stride == 0)
		stride = level_size(resource->width, transfer->level) * pixel_len;
	if (layer_stride == 0 &&
		!checked_mul(stride, level_size(resource->height, transfer->level), &layer_stride))
		return false;
	return checked_mul(stride, (uint64_t)box->h - 1, &lines) &&
	       checked_mul(layer_stride, (uint64_t)box->d - 1, &layers) &&
	       checked_add(len, lines, &len) && checked_add(len, layers, ret_len);
}

/* Is the last byte that a transfer could touch below 2^32, so that the library's sums are right? */
static bool is_transfer_sane(
	const struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	const struct virtio_gpu_box *box = &transfer->box;
	uint64_t end;

	if (!is_axis_sane(box->x, box->w) || !is_axis_sane(box->y, box->h) ||
		!is_axis_sane(box->z, box->d))
		return false;
	return transfer_extent(resource, transfer, &end) &&
	       checked_add(end, transfer->offset, &end) && end <= UINT32_MAX;
}

/* A guest's context is switched to by the library; going by context 0 would cost two switches. */
static void begin_transfer(uint32_t ctx_id)
{
	if (ctx_id == 0)
		virgl_renderer_force_ctx_0();
}

/* A part of a transfer that goes through memory of ours. */
struct bounce {
	void *memory;
	struct iovec iov;
};

/*
 * For each line the library looks for its place from the first piece on. Through one piece of ours
 * the pieces are walked once.
 */
static bool has_many_steps(const struct gpu_resource *resource, const struct virtio_gpu_box *box)
{
	return resource->iov_count > 1 &&
	       (uint64_t)resource->iov_count * box->h * box->d > MAX_STEPS;
}

/*
 * Copies what @transfer may touch. @cursor is then where that begins in the backing.
 * Return: 0; -EINVAL outside the backing; -ENOMEM.
 */
static int bounce_init(struct bounce *bounce, const struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, struct iov_cursor *cursor)
{
	uint64_t len;

	if (transfer->offset >= resource->backing_len || !transfer_extent(resource, transfer, &len))
		return -EINVAL;
	len = MIN(len, resource->backing_len - transfer->offset);
	if (len > MAX_BOUNCE_LEN)
		return -ENOMEM;
	bounce->memory = g_try_malloc(len);
	if (!bounce->memory)
		return -ENOMEM;
	bounce->iov = (struct iovec){bounce->memory, len};
	if (iov_cursor_read(cursor, transfer->offset, bounce->memory, len) != len) {
		g_free(bounce->memory);
		return -EINVAL;
	}
	return 0;
}

typedef int (*transfer_fn)(uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, struct iovec *iov);

static int write_part(uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, struct iovec *iov)
{
	struct virtio_gpu_box box = transfer->box;

	return renderer_virgl_errno(virgl_renderer_transfer_write_iov(resource->id, ctx_id,
		(int)transfer->level, transfer->stride, transfer->layer_stride, box_of(&box),
		iov ? 0 : transfer->offset, iov, iov ? 1 : 0));
}

static int read_part(uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, struct iovec *iov)
{
	struct virtio_gpu_box box = transfer->box;

	return renderer_virgl_errno(virgl_renderer_transfer_read_iov(resource->id, ctx_id,
		transfer->level, transfer->stride, transfer->layer_stride, box_of(&box),
		iov ? 0 : transfer->offset, iov, iov ? 1 : 0));
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

/* An error may be of a command before, so that only the second one counts. */
static int read_checked(uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, struct iovec *iov)
{
	int ret = read_part(ctx_id, resource, transfer, iov);

	if (ret < 0 || !take_gl_error())
		return ret;
	ret = read_part(ctx_id, resource, transfer, iov);
	return ret == 0 && take_gl_error() ? -EINVAL : ret;
}

static int transfer_bounced(uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, transfer_fn fn, struct iov_cursor *cursor)
{
	struct bounce bounce;
	int ret = bounce_init(&bounce, resource, transfer, cursor);

	if (ret < 0)
		return ret;
	ret = fn(ctx_id, resource, transfer, &bounce.iov);
	if (ret == 0 && fn == read_checked)
		iov_write(cursor->iov, cursor->iov_count, transfer->offset - cursor->start,
			bounce.memory, bounce.iov.iov_len);
	g_free(bounce.memory);
	return ret;
}

/*
 * In parts that fit into MAX_BOUNCE_LEN: layer by layer, and a layer by lines. Where that is not said
 * (strides of 0, whose size the library alone knows) or not possible (the lines of compressed blocks),
 * it is all or nothing.
 */
static int bounce_parts(uint32_t ctx_id, struct gpu_resource *resource,
	const struct gpu_transfer_3d *transfer, transfer_fn fn)
{
	const bool by_layers = transfer->layer_stride > 0 || transfer->box.d == 1;
	const bool by_lines = by_layers && transfer->stride > 0 &&
			      !renderer_virgl_format_is_compressed(resource->format);
	const uint64_t line_len = (uint64_t)transfer->box.w * MAX_BYTES_PER_PIXEL;
	const uint64_t room = MAX_BOUNCE_LEN - MIN(line_len, MAX_BOUNCE_LEN);
	const uint32_t lines =
		by_lines ? (uint32_t)CLAMP(room / transfer->stride, 1, transfer->box.h)
			 : transfer->box.h;
	struct gpu_transfer_3d part = *transfer;
	struct iov_cursor cursor = iov_cursor_find(
		resource->iov, resource->iov_starts, resource->iov_count, transfer->offset);
	int ret = 0;

	if (!by_layers)
		return transfer_bounced(ctx_id, resource, transfer, fn, &cursor);
	part.box.d = 1;
	for (uint32_t z = 0; ret == 0 && z < transfer->box.d; z++) {
		part.box.z = transfer->box.z + z;
		for (uint32_t y = 0; ret == 0 && y < transfer->box.h; y += lines) {
			part.box.y = transfer->box.y + y;
			part.box.h = MIN(lines, transfer->box.h - y);
			part.offset = transfer->offset + (uint64_t)z * transfer->layer_stride +
				      (uint64_t)y * transfer->stride;
			if (part.offset < cursor.start)
				return -EINVAL; /* a layer inside the one before */
			ret = transfer_bounced(ctx_id, resource, &part, fn, &cursor);
		}
	}
	return ret;
}

bool renderer_virgl_may_write(
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer)
{
	return is_box_empty(&transfer->box) || is_transfer_sane(image, transfer);
}

int renderer_virgl_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	struct gpu_resource image;

	if (is_box_empty(&transfer->box))
		return 0;
	if (!renderer_virgl_image_of(resource, &image) ||
		!renderer_virgl_may_write(&image, transfer))
		return -EINVAL;
	begin_transfer(ctx_id);
	if (has_many_steps(&image, &transfer->box))
		return bounce_parts(ctx_id, &image, transfer, write_part);
	return write_part(ctx_id, &image, transfer, NULL);
}

/*
 * Reading @box->w bytes of a buffer, 0.10.4 maps as many and copies as many pixels of its format.
 * Mesa's buffers are all of 1 byte; for others the pixels must lie inside the buffer.
 */
static bool is_buffer_read_sane(
	const struct gpu_resource *resource, const struct virtio_gpu_box *box)
{
	uint64_t pixel_len = MAX_BYTES_PER_PIXEL;

	if (!is_buffer(resource) || resource->format == FORMAT_R8_UNORM)
		return true;
	if (resource->format >= FORMAT_R64_FLOAT && resource->format <= FORMAT_RGBA64_FLOAT)
		pixel_len *= 2;
	return checked_range(box->x, box->w * pixel_len, resource->width);
}

/*
 * The library says that it has read what OpenGL cannot read back, and answers with memory that it
 * never wrote: multisampled textures, and depth, stencil and compressed blocks in 3D textures, the
 * first two in cube textures as well. Of a view of the stencil it writes a byte in four. What a
 * host's OpenGL cannot besides, read_checked() notices.
 */
bool renderer_virgl_is_readable(const struct gpu_resource *resource)
{
	const struct gpu_resource_3d *args = &resource->args_3d;

	if (resource->kind != GPU_RESOURCE_3D)
		return true;
	if (args->nr_samples > 1 || renderer_virgl_format_is_stencil_view(resource->format))
		return false;
	if (args->target == TARGET_TEXTURE_3D)
		return !renderer_virgl_format_is_depth(resource->format) &&
		       !renderer_virgl_format_is_compressed(resource->format);
	return !renderer_virgl_format_is_depth(resource->format) ||
	       (args->target != TARGET_CUBE && args->target != TARGET_CUBE_ARRAY);
}

bool renderer_virgl_may_read(
	const struct gpu_resource *resource, const struct gpu_transfer_3d *transfer)
{
	if (is_box_empty(&transfer->box))
		return true;
	return is_transfer_sane(resource, transfer) &&
	       is_buffer_read_sane(resource, &transfer->box) &&
	       renderer_virgl_is_readable(resource) &&
	       (transfer->box.d == 1 || transfer->layer_stride > 0);
}

/*
 * Of several layers the library reads the first one only, and gives the guest what its buffer held
 * before for the others. So each is read by itself. How far they are apart has to be said for that,
 * as Mesa does: only the library knows the size of a pixel.
 *
 * A texture always goes through one piece of ours. For several pieces the library reads into fresh
 * memory of its own, and gives it to the guest whether OpenGL wrote it or not. Of ours, what is not
 * written is what the guest had there before, and of a failure nothing gets there.
 */
int renderer_virgl_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	struct gpu_resource image;

	if (is_box_empty(&transfer->box))
		return 0;
	if (!renderer_virgl_image_of(resource, &image) ||
		!renderer_virgl_may_read(&image, transfer))
		return -EINVAL;
	begin_transfer(ctx_id);
	/* Of a blob, 0.10.4 may not know the backing. */
	if (resource->kind == GPU_RESOURCE_3D && is_buffer(&image) && transfer->box.d == 1)
		return read_part(ctx_id, &image, transfer, NULL);
	return bounce_parts(ctx_id, &image, transfer, read_checked);
}

int renderer_virgl_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct gpu_transfer_3d transfer = {
		.box = {.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1},
		.offset = offset,
		.stride = resource->width * BYTES_PER_PIXEL,
	};

	return renderer_virgl_transfer_to_host_3d(renderer, 0, resource, &transfer);
}

int renderer_virgl_write_rect(
	struct gpu_resource *resource, const struct gpu_rect *rect, void *pixels, size_t len)
{
	struct virtio_gpu_box box = {
		.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1};
	struct iovec iov = {pixels, len};

	return renderer_virgl_errno(virgl_renderer_transfer_write_iov(
		resource->id, 0, 0, 0, 0, box_of(&box), 0, &iov, 1));
}

/*
 * The library gives the line that @rect calls the first one first, however the texture lies, so
 * that there is nothing to turn over here. It writes to the list that it is handed instead of the
 * backing, and the list ends with the last line: a format that has more bytes than a line has room for
 * is refused, not overrun.
 */
int renderer_virgl_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	const struct gpu_transfer_3d transfer = {
		.box = {.x = rect->x, .y = rect->y, .w = rect->width, .h = rect->height, .d = 1},
		.stride = (uint32_t)stride,
	};
	const uint64_t len = (uint64_t)stride * rect->height;
	struct iovec iov = {dst, len};

	if (resource->kind == GPU_RESOURCE_BLOB)
		return -ENOTSUP;
	if (!renderer_virgl_is_single_image(resource) || !renderer_virgl_is_readable(resource))
		return -EINVAL;
	if (len > UINT32_MAX || !is_axis_sane(rect->x, rect->width) ||
		!is_axis_sane(rect->y, rect->height))
		return -EINVAL;
	virgl_renderer_force_ctx_0();
	return read_checked(0, resource, &transfer, &iov);
}
