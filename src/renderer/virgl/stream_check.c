/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The checks of the table. They are for commands with which the library touches memory on the CPU,
 * counts in 32 bits, or loops as often as a number says. Transfers and new resources are checked as the
 * device's own commands are (transfer.c, resource.c), with what a resource really is (image.c).
 *
 * A resource that the context was not given passes the checks here. The library does not find it.
 */
#include "renderer/virgl/formats.h"
#include "renderer/virgl/stream.h"
#include "util/checked.h"

/* The first words of TRANSFER3D, COPY_TRANSFER3D and RESOURCE_INLINE_WRITE */
enum {
	WORD_RESOURCE = 1,
	WORD_LEVEL = 2,
	WORD_STRIDE = 4,
	WORD_LAYER_STRIDE = 5,
	WORD_BOX = 6, /* x, y, z, w, h, d */
	WORD_OFFSET = 12,
	WORD_DIRECTION = 13,
	WORD_MEMORY = 12, /* COPY_TRANSFER3D: the resource whose backing is meant */
	WORD_MEMORY_OFFSET = 13,
	WORD_COPY_FLAGS = 14,
};

#define TO_HOST		     1
#define FROM_HOST	     2
#define COPY_READS_FROM_HOST (1 << 1)

#define MAX_COORDINATE	  (1 << 24) /* more than any texture has pixels; sums of them are small */
#define QUERY_STATE_LEN	  16	    /* struct virgl_host_query_state */
#define MEMORY_INFO_LEN	  24	    /* struct virgl_memory_info */
#define LAYOUT_LEN	  80	    /* struct virgl_resource_layout */
#define COMMON_FORMATS	  322	    /* VIRGL_FORMAT_MAX of 0.10.4 */
#define COMMON_TWEAKS	  3	    /* virgl_tweak_undefined */
#define FIRST_64_BIT_TYPE 2	    /* PIPE_QUERY_TYPE_I64 */

static const char no_image[] = "it names no image";
static const char outside[] = "it reaches outside the resource";

static bool find_image(struct renderer_virgl *virgl, uint32_t id, struct gpu_resource *ret_image)
{
	const struct gpu_resource *resource =
		g_hash_table_lookup(virgl->resources, GUINT_TO_POINTER(id));

	return resource && renderer_virgl_image_of(resource, ret_image);
}

static const struct gpu_resource *find_backed(struct renderer_virgl *virgl, uint32_t id)
{
	const struct gpu_resource *resource =
		g_hash_table_lookup(virgl->resources, GUINT_TO_POINTER(id));

	return resource && resource->iov && resource->iov_count > 0 ? resource : NULL;
}

static bool is_buffer(const struct gpu_resource *image)
{
	return image->args_3d.target == TARGET_BUFFER;
}

static struct gpu_transfer_3d decode_transfer(
	const struct stream_command *command, uint32_t offset_word)
{
	return (struct gpu_transfer_3d){
		.box =
			{
				.x = stream_word(command, WORD_BOX),
				.y = stream_word(command, WORD_BOX + 1),
				.z = stream_word(command, WORD_BOX + 2),
				.w = stream_word(command, WORD_BOX + 3),
				.h = stream_word(command, WORD_BOX + 4),
				.d = stream_word(command, WORD_BOX + 5),
			},
		.offset = offset_word ? stream_word(command, offset_word) : 0,
		.level = stream_word(command, WORD_LEVEL),
		.stride = stream_word(command, WORD_STRIDE),
		.layer_stride = stream_word(command, WORD_LAYER_STRIDE),
	};
}

static const char *check_transfer(struct renderer_virgl *virgl,
	const struct stream_command *command, uint32_t offset_word, bool from_host)
{
	const struct gpu_transfer_3d transfer = decode_transfer(command, offset_word);
	struct gpu_resource image;
	bool is_sane;

	if (!find_image(virgl, stream_word(command, WORD_RESOURCE), &image))
		return no_image;
	is_sane = from_host ? renderer_virgl_may_read(&image, &transfer)
			    : renderer_virgl_may_write(&image, &transfer);
	return is_sane ? NULL : "it is too large, or cannot be read back";
}

const char *stream_check_inline_write(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	return check_transfer(virgl, command, 0, false);
}

const char *stream_check_transfer(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	const uint32_t direction = stream_word(command, WORD_DIRECTION);

	if (direction != TO_HOST && direction != FROM_HOST)
		return "it has no direction";
	if (!find_backed(virgl, stream_word(command, WORD_RESOURCE)))
		return "the resource has no backing";
	return check_transfer(virgl, command, WORD_OFFSET, direction == FROM_HOST);
}

const char *stream_check_copy_transfer(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	const struct gpu_resource *memory = find_backed(virgl, stream_word(command, WORD_MEMORY));

	if (!memory || stream_word(command, WORD_MEMORY_OFFSET) >= memory->backing_len)
		return "there is no backing where it looks for it";
	return check_transfer(virgl, command, WORD_MEMORY_OFFSET,
		stream_word(command, WORD_COPY_FLAGS) & COPY_READS_FROM_HOST);
}

static uint32_t size_at(uint32_t size, uint32_t level)
{
	return MAX(size >> level, 1);
}

static uint32_t layers_at(const struct gpu_resource *image, uint32_t level)
{
	switch (image->args_3d.target) {
	case TARGET_TEXTURE_3D:
		return size_at(image->args_3d.depth, level);
	case TARGET_CUBE:
	case TARGET_ARRAY_1D:
	case TARGET_ARRAY_2D:
	case TARGET_CUBE_ARRAY:
		return image->args_3d.array_size;
	default:
		return 1;
	}
}

static bool has_level(const struct gpu_resource *image, uint32_t level)
{
	return level < 32 && level <= image->args_3d.last_level;
}

static bool is_box_inside(
	const struct gpu_resource *image, uint32_t level, const struct virtio_gpu_box *box)
{
	return has_level(image, level) &&
	       checked_range(box->x, box->w, size_at(image->width, level)) &&
	       checked_range(box->y, box->h, size_at(image->height, level)) &&
	       checked_range(box->z, box->d, layers_at(image, level));
}

/* Six words from @first on. */
static struct virtio_gpu_box decode_box(const struct stream_command *command, uint32_t first)
{
	return (struct virtio_gpu_box){
		.x = stream_word(command, first),
		.y = stream_word(command, first + 1),
		.z = stream_word(command, first + 2),
		.w = stream_word(command, first + 3),
		.h = stream_word(command, first + 4),
		.d = stream_word(command, first + 5),
	};
}

/*
 * Where OpenGL cannot copy, the library does. It reads a level of the source into fresh memory and
 * writes that to the destination, even if the read failed. With OpenGL ES it reads the backing
 * instead, even if there is none.
 */
static bool can_copy(const struct renderer_virgl_host *host, const struct gpu_resource *dst,
	const struct gpu_resource *src)
{
	if (host->copies_images || is_buffer(src))
		return true;
	if (src->args_3d.nr_samples > 1)
		return false;
	if (renderer_virgl_can_render(host, src->format) &&
		renderer_virgl_can_render(host, dst->format))
		return true;
	return !host->is_gles && src->format == dst->format && renderer_virgl_is_readable(src);
}

const char *stream_check_copy_region(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	enum { DST = 1, DST_LEVEL, DST_PLACE, SRC = 6, SRC_LEVEL, SRC_BOX };
	const struct virtio_gpu_box src_box = decode_box(command, SRC_BOX);
	struct virtio_gpu_box dst_box = decode_box(command, DST_PLACE);
	struct gpu_resource dst, src;

	if (!find_image(virgl, stream_word(command, DST), &dst) ||
		!find_image(virgl, stream_word(command, SRC), &src))
		return no_image;
	if (is_buffer(&dst) != is_buffer(&src))
		return "it mixes a buffer and a texture";
	if (MAX(dst.args_3d.nr_samples, 1) != MAX(src.args_3d.nr_samples, 1))
		return "the numbers of samples differ";
	dst_box.w = src_box.w;
	dst_box.h = src_box.h;
	dst_box.d = src_box.d;
	/* A block on one side is a pixel on the other: OpenGL knows how many fit. */
	if (renderer_virgl_format_is_compressed(dst.format) !=
		renderer_virgl_format_is_compressed(src.format))
		dst_box.w = dst_box.h = 1;
	if (!is_box_inside(&src, stream_word(command, SRC_LEVEL), &src_box) ||
		!is_box_inside(&dst, stream_word(command, DST_LEVEL), &dst_box))
		return outside;
	return can_copy(renderer_virgl_get_host(virgl), &dst, &src) ? NULL
								    : "OpenGL cannot copy it here";
}

/* The library loops over layers. Width and height may be negative, and OpenGL clips the rest. */
static bool is_blit_box_sane(
	const struct gpu_resource *image, uint32_t level, const struct virtio_gpu_box *box)
{
	const uint32_t plane[] = {box->x, box->y, box->w, box->h};

	for (size_t i = 0; i < G_N_ELEMENTS(plane); i++)
		if ((int32_t)plane[i] > MAX_COORDINATE || (int32_t)plane[i] < -MAX_COORDINATE)
			return false;
	return has_level(image, level) && checked_range(box->z, box->d, layers_at(image, level));
}

const char *stream_check_blit(struct renderer_virgl *virgl, struct renderer_virgl_context *context,
	const struct stream_command *command)
{
	enum { DST = 4, DST_LEVEL, DST_BOX = 7, SRC = 13, SRC_LEVEL, SRC_BOX = 16 };
	const struct virtio_gpu_box dst_box = decode_box(command, DST_BOX);
	const struct virtio_gpu_box src_box = decode_box(command, SRC_BOX);
	struct gpu_resource dst, src;

	if (!find_image(virgl, stream_word(command, DST), &dst) ||
		!find_image(virgl, stream_word(command, SRC), &src))
		return no_image;
	if (is_buffer(&dst) || is_buffer(&src))
		return "it names a buffer";
	if (!is_blit_box_sane(&dst, stream_word(command, DST_LEVEL), &dst_box) ||
		!is_blit_box_sane(&src, stream_word(command, SRC_LEVEL), &src_box))
		return outside;
	return NULL;
}

const char *stream_check_clear_texture(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	enum { IMAGE = 1, LEVEL, BOX };
	const struct virtio_gpu_box box = decode_box(command, BOX);
	struct gpu_resource image;

	if (!find_image(virgl, stream_word(command, IMAGE), &image))
		return no_image;
	if (is_buffer(&image))
		return "it names a buffer";
	return is_box_inside(&image, stream_word(command, LEVEL), &box) ? NULL : outside;
}

/* Without backing, 0.10.4 writes a result to memory of its own that may be shorter. */
const char *stream_check_query(struct renderer_virgl *virgl, struct renderer_virgl_context *context,
	const struct stream_command *command)
{
	enum { RESULT = 4 };
	struct gpu_resource image;

	if (!find_image(virgl, stream_word(command, RESULT), &image))
		return no_image;
	return is_buffer(&image) && image.width >= QUERY_STATE_LEN ? NULL : outside;
}

const char *stream_check_query_result(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	enum { RESULT = 2, TYPE = 4, OFFSET = 5 };
	const uint64_t len = stream_word(command, TYPE) < FIRST_64_BIT_TYPE ? 4 : 8;
	struct gpu_resource image;

	if (!find_image(virgl, stream_word(command, RESULT), &image))
		return no_image;
	if (!is_buffer(&image))
		return "it names a texture";
	return checked_range(stream_word(command, OFFSET), len, image.width) ? NULL : outside;
}

/* 0.10.4 takes the format as an index without a look at it. */
const char *stream_check_images(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	enum { FORMAT = 3, WORDS = 5 };

	for (uint32_t i = FORMAT; i < command->count; i += WORDS)
		if (stream_word(command, i) >= COMMON_FORMATS)
			return "it has an unknown format";
	return NULL;
}

const char *stream_check_tweaks(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	return stream_word(command, 1) < COMMON_TWEAKS ? NULL : "it has an unknown number";
}

const char *stream_check_create(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	enum { BLOB_ID = 11 };
	const struct gpu_resource image = {
		.kind = GPU_RESOURCE_3D,
		.format = stream_word(command, 2),
		.width = stream_word(command, 4),
		.height = stream_word(command, 5),
		.args_3d =
			{
				.target = stream_word(command, 1),
				.bind = stream_word(command, 3),
				.depth = stream_word(command, 6),
				.array_size = stream_word(command, 7),
				.last_level = stream_word(command, 8),
				.nr_samples = stream_word(command, 9),
				.flags = stream_word(command, 10),
			},
	};

	if (!renderer_virgl_size_is_sane(&image) || !renderer_virgl_is_readable(&image))
		return "it is too large, or cannot be read back";
	if (!renderer_virgl_image_promise(context, stream_word(command, BLOB_ID), &image))
		return "its blob id is in use, or there are too many";
	return NULL;
}

/* How long the planes behind the first one are, only a driver knows. */
static bool are_planes_inside(const struct stream_command *command, uint64_t height, uint64_t size)
{
	enum { PLANES = 9 };

	for (uint32_t i = PLANES; i < command->count; i += 2) {
		const uint64_t stride = stream_word(command, i);
		const uint64_t lines = i == PLANES ? MAX(height, 1) - 1 : 0;

		if (!checked_range(stream_word(command, i + 1), stride * lines + 1, size))
			return false;
	}
	return true;
}

const char *stream_check_set_type(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	enum { BLOB = 1 };
	struct gpu_resource *resource =
		g_hash_table_lookup(virgl->resources, GUINT_TO_POINTER(stream_word(command, BLOB)));
	const struct gpu_resource image = {
		.kind = GPU_RESOURCE_3D,
		.format = stream_word(command, 2),
		.width = stream_word(command, 4),
		.height = stream_word(command, 5),
		.args_3d =
			{
				.target = TARGET_TEXTURE_2D,
				.bind = stream_word(command, 3),
				.depth = 1,
				.array_size = 1,
			},
	};

	if (!resource || resource->kind != GPU_RESOURCE_BLOB ||
		resource->blob.mem == VIRTIO_GPU_BLOB_MEM_GUEST)
		return "it names no blob of the host";
	if (!renderer_virgl_size_is_sane(&image) ||
		!are_planes_inside(command, image.height, resource->blob.size))
		return outside;
	return renderer_virgl_image_set(resource, &image) ? NULL : "it had another type before";
}

/* The library writes to the first piece. */
const char *stream_check_memory_info(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	const struct gpu_resource *resource = find_backed(virgl, stream_word(command, 1));

	if (!resource || resource->iov[0].iov_len < MEMORY_INFO_LEN ||
		(uintptr_t)resource->iov[0].iov_base % sizeof(uint32_t) != 0)
		return "the backing has no room for the answer";
	return NULL;
}

const char *stream_check_layout(struct renderer_virgl *virgl,
	struct renderer_virgl_context *context, const struct stream_command *command)
{
	const struct gpu_resource *resource = find_backed(virgl, stream_word(command, 1));

	if (!resource || resource->backing_len < LAYOUT_LEN)
		return "the backing has no room for the answer";
	return g_hash_table_contains(virgl->resources, GUINT_TO_POINTER(stream_word(command, 2)))
		       ? NULL
		       : no_image;
}
