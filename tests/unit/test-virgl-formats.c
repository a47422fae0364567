/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Transfers of renderer/virgl, for every format and every kind of texture: what was written is read
 * back, or it is refused; nobody gets memory that nobody wrote, and what is between the lines is left
 * alone. They go in parts, and so does the making of a 2D image.
 */
#include "gl-leaks.h"
#include "renderer/options.h"
#include "renderer/renderers.h"
#include "renderer/virgl/formats.h"
#include "renderer/virgl/renderer_virgl.h"
#include "util/turn.h"
#include "virgl-risk.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BIND_DEPTH   (1 << 0)
#define BIND_RENDER  (1 << 1)
#define BIND_SAMPLER (1 << 3)
#define BIND_VERTEX  (1 << 4)

#define DXT5_RGBA	108
#define R8_UNORM	64
#define R8G8_R8B8	227
#define X24S8_UINT	136
#define Z32_UNORM	17
#define Z24X8_UNORM	21
#define Z32_FLOAT_S8X24 126
#define SIDE		40 /* pixels; more than two of the largest blocks */
#define LEVELS		3
#define MEMORY_LEN	(1 << 20)
#define CTX		3
#define TRANSFER3D	43
#define FROM_HOST	2
#define UNWRITTEN	0xbe /* what AddressSanitizer fills fresh memory with, too */
#define BETWEEN		0x77
#define LINE_GAP	12 /* bytes */
#define LAYER_GAP	20

struct fixture {
	struct renderer *renderer;
	struct turn turn;
	uint8_t *memory;
	struct iovec iov[3];
};

static void fixture_init(struct fixture *f)
{
	const struct renderer_options options = {
		.settings = {{.option = &renderer_option_old_virglrenderer, .is_on = virgl_risk()}},
		.capset_mask = (1 << VIRTIO_GPU_CAPSET_VIRGL) | (1 << VIRTIO_GPU_CAPSET_VIRGL2)};
	g_autofree char *message = NULL;

	*f = (struct fixture){0};
	if (renderer_type_find("virglrenderer")->create(&options, &f->renderer, &message) < 0)
		g_error("%s", message);
	f->memory = g_malloc0(MEMORY_LEN);
	f->iov[0] = (struct iovec){f->memory, 101};
	f->iov[1] = (struct iovec){f->memory + 101, 4000};
	f->iov[2] = (struct iovec){f->memory + 4101, MEMORY_LEN - 4101};
	g_assert_cmpint(f->renderer->ops->ctx_create(f->renderer, CTX, 0, "formats"), ==, 0);
}

static void fixture_finish(struct fixture *f)
{
	f->renderer->ops->ctx_destroy(f->renderer, CTX);
	f->renderer->ops->destroy(f->renderer);
	g_free(f->memory);
}

static void attach(
	struct fixture *f, struct gpu_resource *resource, struct iovec *iov, unsigned int iov_count)
{
	resource->iov = iov;
	resource->iov_count = iov_count;
	resource->backing_len = 0;
	for (unsigned int i = 0; i < iov_count; i++)
		resource->backing_len += iov[i].iov_len;
	g_assert_cmpint(f->renderer->ops->attach_backing(f->renderer, resource), ==, 0);
}

static void resource_finish(struct fixture *f, struct gpu_resource *resource)
{
	f->renderer->ops->detach_backing(f->renderer, resource);
	resource->iov = NULL;
	f->renderer->ops->resource_destroy(f->renderer, resource);
}

static struct gpu_resource texture_of(uint32_t target, uint32_t format)
{
	const bool is_line = target == TARGET_TEXTURE_1D || target == TARGET_ARRAY_1D;
	const bool is_cube = target == TARGET_CUBE;
	const bool is_array = target == TARGET_ARRAY_1D || target == TARGET_ARRAY_2D;

	return (struct gpu_resource){
		.id = 7,
		.kind = GPU_RESOURCE_3D,
		.format = format,
		.width = SIDE,
		.height = is_line || target == TARGET_BUFFER ? 1 : SIDE,
		.args_3d =
			{
				.target = target,
				.bind = target == TARGET_BUFFER ? BIND_VERTEX : BIND_SAMPLER,
				.depth = target == TARGET_TEXTURE_3D ? 5 : 1,
				.array_size = is_cube			    ? 6
					      : is_array		    ? 4
					      : target == TARGET_CUBE_ARRAY ? 12
									    : 1,
				.last_level = target == TARGET_BUFFER || target == TARGET_RECT
						      ? 0
						      : LEVELS - 1,
			},
	};
}

static uint32_t level_size(uint32_t size, uint32_t level)
{
	return MAX(size >> level, 1);
}

static uint32_t layers_of(const struct gpu_resource *texture, uint32_t level)
{
	return texture->args_3d.target == TARGET_TEXTURE_3D
		       ? level_size(texture->args_3d.depth, level)
		       : texture->args_3d.array_size;
}

/* A box, and how it lies in memory. */
struct area {
	struct gpu_transfer_3d transfer;
	uint32_t rows;
	uint32_t line_len;
	uint32_t block_len;
};

static struct area area_of(
	const struct renderer_virgl_format *format, uint32_t level, struct virtio_gpu_box box)
{
	struct area area = {
		.transfer = {.box = box, .level = level, .offset = 8},
		.rows = (box.h + format->height - 1) / format->height,
		.line_len = (box.w + format->width - 1) / format->width * format->len,
		.block_len = format->len,
	};

	area.transfer.stride = area.line_len + LINE_GAP;
	area.transfer.layer_stride = area.transfer.stride * area.rows + LAYER_GAP;
	return area;
}

/*
 * The bytes of a block are all the same, and such as every format keeps: as a float, of 16 and 32 bits,
 * they are between 0 and 1.1, and as a number with a sign they are not negative.
 */
static uint8_t value_at(uint32_t x, uint32_t y, uint32_t z, uint32_t seed)
{
	return (uint8_t)(0x38 + (x * 3 + y * 5 + z * 7 + seed) % 8);
}

/* The byte of a pixel that a format has no use for: it is 0 in memory. */
static bool is_unused(uint32_t format, uint32_t byte)
{
	return (format == Z24X8_UNORM && byte % 4 == 3) ||
	       (format == Z32_FLOAT_S8X24 && byte % 8 >= 5);
}

/*
 * Of depth that the driver or the library keeps as a float, the upper bits come back, and one less where it
 * is rounded (Mesa 26.2, Z24X8 of a rectangle).
 */
static bool is_kept(uint32_t format, uint32_t byte, uint8_t value, uint8_t expected)
{
	const bool is_depth = format == Z32_UNORM || format == Z24X8_UNORM;

	if (!is_depth)
		return value == expected;
	if (byte % 4 != (format == Z32_UNORM ? 3 : 2))
		return value != UNWRITTEN;
	return value == expected || value + 1 == expected;
}

static void fill_area(uint8_t *memory, const struct area *area, uint32_t seed, uint32_t format)
{
	const struct gpu_transfer_3d *transfer = &area->transfer;

	for (uint32_t z = 0; z < transfer->box.d; z++)
		for (uint32_t y = 0; y < area->rows; y++)
			for (uint32_t i = 0; i < area->line_len; i++)
				memory[transfer->offset + z * transfer->layer_stride +
					y * transfer->stride + i] =
					is_unused(format, i)
						? 0
						: value_at(i / area->block_len, y, z, seed);
}

/* Is in @memory what fill_area() would put there, and nothing else in the gaps? */
static bool holds_area(
	const uint8_t *memory, const struct area *area, uint32_t seed, uint32_t format, size_t len)
{
	g_autofree uint8_t *expected = g_malloc(len);

	memset(expected, BETWEEN, len);
	fill_area(expected, area, seed, format);
	for (size_t i = 0; i < len; i++) {
		const uint32_t byte = (uint32_t)(i - area->transfer.offset);

		if (memory[i] == expected[i] ||
			(expected[i] != BETWEEN &&
				is_kept(format,
					byte % area->transfer.layer_stride % area->transfer.stride,
					memory[i], expected[i])))
			continue;
		g_test_message("byte %zu is 0x%02x, not 0x%02x", i, memory[i], expected[i]);
		return false;
	}
	return true;
}

static size_t area_end(const struct area *area)
{
	return area->transfer.offset + area->transfer.box.d * area->transfer.layer_stride + 64;
}

/* Return: was it read back? */
static bool check_area(
	struct fixture *f, struct gpu_resource *texture, const struct area *area, uint32_t seed)
{
	const struct renderer_ops *ops = f->renderer->ops;
	struct gpu_transfer_3d transfer = area->transfer;
	const size_t len = area_end(area);
	int ret;

	g_assert_cmpuint(len, <=, MEMORY_LEN);
	memset(f->memory, 0x55, len);
	fill_area(f->memory, area, seed, texture->format);
	ret = ops->transfer_to_host_3d(f->renderer, 0, texture, &transfer);
	memset(f->memory, BETWEEN, len);
	mallopt(M_PERTURB, UNWRITTEN ^ 0xff);
	if (ret == 0)
		ret = ops->transfer_from_host_3d(f->renderer, 0, texture, &transfer);
	mallopt(M_PERTURB, 0);
	if (ret == 0 && !holds_area(f->memory, area, seed, texture->format, len)) {
		const struct virtio_gpu_box *box = &area->transfer.box;

		g_test_message("target %u, format %u, flags %u, level %u, box %u %u %u %u %u %u",
			texture->args_3d.target, texture->format, texture->args_3d.flags,
			area->transfer.level, box->x, box->y, box->z, box->w, box->h, box->d);
		g_test_fail();
	}
	return ret == 0;
}

/* All of a level; its first block; one inside; its last line; its last layer. Return: all read back? */
static bool check_level(struct fixture *f, struct gpu_resource *texture,
	const struct renderer_virgl_format *format, uint32_t level)
{
	const uint32_t w = level_size(texture->width, level);
	const uint32_t h = level_size(texture->height, level);
	const uint32_t d = layers_of(texture, level);
	const uint32_t bw = MIN(format->width, w), bh = MIN(format->height, h);
	const uint32_t last_y = (h - 1) / format->height * format->height;
	const uint32_t inner_x = w > 2 * bw ? bw : 0, inner_y = h > 2 * bh ? bh : 0;
	const struct virtio_gpu_box boxes[] = {
		{0, 0, 0, w, h, d},
		{0, 0, 0, bw, bh, 1},
		{inner_x, inner_y, d - 1, bw, bh, 1},
		{inner_x, 0, d / 2, w - inner_x, h, 1},
		{0, last_y, 0, w, h - last_y, d},
		{0, 0, d - 1, w, h, 1},
	};
	bool is_read = true;

	for (uint32_t i = 0; i < G_N_ELEMENTS(boxes); i++) {
		const struct area area = area_of(format, level, boxes[i]);

		is_read &= check_area(f, texture, &area, i);
	}
	return is_read;
}

/* The same inside a command stream, where the library reads by itself. */
static void check_stream(struct fixture *f, struct gpu_resource *texture)
{
	const struct renderer_ops *ops = f->renderer->ops;
	uint32_t words[] = {TRANSFER3D | 13 << 16, texture->id, 0, 0, 0, 0, 0, 0, 0, texture->width,
		texture->height, 1, 0, FROM_HOST};
	size_t count = 0, done = 0;

	memset(f->memory, BETWEEN, MEMORY_LEN);
	g_assert_cmpint(ops->ctx_attach_resource(f->renderer, CTX, texture), ==, 0);
	mallopt(M_PERTURB, UNWRITTEN ^ 0xff);
	ops->submit(f->renderer, CTX, words, sizeof(words), &done);
	mallopt(M_PERTURB, 0);
	ops->ctx_detach_resource(f->renderer, CTX, texture);
	for (size_t i = 0; i < MEMORY_LEN; i++)
		count += f->memory[i] == UNWRITTEN;
	if (count > 0) {
		g_test_message("target %u, format %u: %zu bytes in a stream",
			texture->args_3d.target, texture->format, count);
		g_test_fail();
	}
}

static bool make_texture(struct fixture *f, struct gpu_resource *texture)
{
	static const uint32_t binds[] = {BIND_SAMPLER, BIND_SAMPLER | BIND_RENDER, BIND_DEPTH};

	for (size_t i = 0; i < G_N_ELEMENTS(binds); i++) {
		if (texture->args_3d.target != TARGET_BUFFER)
			texture->args_3d.bind = binds[i];
		if (f->renderer->ops->resource_create(f->renderer, texture) == 0)
			return true;
	}
	return false;
}

/* Return: could it be made, written and read back at all levels? */
static bool check_texture(struct fixture *f, uint32_t target, uint32_t format, uint32_t flags)
{
	struct gpu_resource texture = texture_of(target, format);
	struct renderer_virgl_format layout = {1, 1, 1};
	bool is_read = true;

	if (target != TARGET_BUFFER && !renderer_virgl_format_find(format, &layout))
		layout = (struct renderer_virgl_format){16, 1, 1};
	texture.args_3d.flags = flags;
	/* The library turns over a level as if it were the first one. */
	if (flags)
		texture.args_3d.last_level = 0;
	if (!make_texture(f, &texture))
		return false;
	attach(f, &texture, f->iov, G_N_ELEMENTS(f->iov));
	for (uint32_t level = 0; level <= texture.args_3d.last_level; level++)
		is_read &= check_level(f, &texture, &layout, level);
	check_stream(f, &texture);
	resource_finish(f, &texture);
	return is_read;
}

static unsigned int check_all(void)
{
	unsigned int count = 0;
	struct fixture f;

	fixture_init(&f);
	for (uint32_t format = 0; format < RENDERER_VIRGL_FORMAT_COUNT; format++) {
		for (uint32_t target = 0; target < TARGET_COUNT; target++)
			count += check_texture(&f, target, format, 0);
		count += check_texture(
			&f, TARGET_TEXTURE_2D, format, VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP);
		count += check_texture(&f, TARGET_RECT, format, VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP);
	}
	fixture_finish(&f);
	return count;
}

static void test_round_trip(void)
{
	const unsigned int count = check_all();

	g_test_message("%u formats and targets", count);
	g_assert_cmpuint(count, >, 800);
}

/* The same where the host has OpenGL ES only, which reads fewer formats back. */
static void test_round_trip_gles(void)
{
	if (g_test_subprocess()) {
		/* virglrenderer then finds no OpenGL to start with. */
		g_setenv("MESA_GL_VERSION_OVERRIDE", "1.0", TRUE);
		check_all();
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
}

/* The sets of formats of a capset: to sample from, to draw into, of depth. */
enum {
	CAPS_SAMPLER = 1,
	CAPS_RENDER = 17,
	CAPS_DEPTH = 33,
	CAPS_WORDS = 256,
};

static bool caps_have(const uint32_t *caps, uint32_t set, uint32_t format)
{
	return caps[set + format / 32] & UINT32_C(1) << format % 32;
}

/* All formats that drivers are offered work, and those that cannot work are not offered or made. */
static void test_offered(void)
{
	uint32_t caps[CAPS_WORDS] = {0};
	const struct renderer_ops *ops;
	unsigned int count = 0;
	struct fixture f;

	fixture_init(&f);
	ops = f.renderer->ops;
	g_assert_cmpuint(f.renderer->capsets[0].max_size, <=, sizeof(caps));
	g_assert_cmpint(
		ops->get_capset(f.renderer, VIRTIO_GPU_CAPSET_VIRGL, 1, caps, sizeof(caps)), ==, 0);
	for (uint32_t format = 0; format < RENDERER_VIRGL_FORMAT_COUNT; format++) {
		if (format == X24S8_UINT || (!caps_have(caps, CAPS_SAMPLER, format) &&
						    !caps_have(caps, CAPS_RENDER, format) &&
						    !caps_have(caps, CAPS_DEPTH, format)))
			continue;
		if (!check_texture(&f, TARGET_TEXTURE_2D, format, 0)) {
			g_test_message("format %u is offered, but does not work", format);
			g_test_fail();
		}
		count++;
	}
	g_assert_cmpuint(count, >, 100);
	g_assert_false(caps_have(caps, CAPS_SAMPLER, R8G8_R8B8));
	g_assert_true(caps_have(caps, CAPS_SAMPLER, X24S8_UINT));
	g_assert_false(check_texture(&f, TARGET_TEXTURE_2D, R8G8_R8B8, 0));
	g_assert_false(check_texture(&f, TARGET_TEXTURE_2D, X24S8_UINT, 0));
	fixture_finish(&f);
}

typedef int (*transfer_hook)(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);

/* With a turn that is always over. Return: how often the hook had to be called. */
static unsigned int transfer_in_turns(struct fixture *f, struct gpu_resource *resource,
	const struct gpu_transfer_3d *args, transfer_hook transfer_fn)
{
	struct gpu_transfer_3d transfer = *args;
	unsigned int count = 0;
	int ret;

	f->turn.is_over = true;
	f->renderer->turn = &f->turn;
	do {
		ret = transfer_fn(f->renderer, 0, resource, &transfer);
		count++;
		/* As when the memory table changes. */
		f->renderer->ops->detach_backing(f->renderer, resource);
		g_assert_cmpint(f->renderer->ops->attach_backing(f->renderer, resource), ==, 0);
	} while (ret == RENDERER_AGAIN);
	g_assert_cmpint(ret, ==, 0);
	f->renderer->turn = NULL;
	return count;
}

static void fill_random(uint8_t *memory, size_t len)
{
	for (size_t i = 0; i < len; i++)
		memory[i] = (uint8_t)g_test_rand_int();
}

/* @write_count: parts to the host at least, @read_count: from there; of a transfer of everything */
static void check_parts(struct fixture *f, struct gpu_resource *resource, uint32_t stride,
	uint32_t layer_stride, unsigned int write_count, unsigned int read_count)
{
	const struct renderer_ops *ops = f->renderer->ops;
	const uint32_t layers = layers_of(resource, 0);
	const size_t len = (size_t)layer_stride * layers;
	const struct gpu_transfer_3d whole = {
		.box = {0, 0, 0, resource->width, resource->height, layers},
		.stride = stride,
		.layer_stride = layer_stride,
	};
	g_autofree uint8_t *memory = g_malloc(len), *expected = g_malloc(len);
	struct iovec iov[] = {{memory, 4099}, {memory + 4099, len - 4099}};

	fill_random(expected, len);
	memcpy(memory, expected, len);
	resource->args_3d.last_level = 0;
	g_assert_cmpint(ops->resource_create(f->renderer, resource), ==, 0);
	attach(f, resource, iov, G_N_ELEMENTS(iov));
	g_assert_cmpuint(
		transfer_in_turns(f, resource, &whole, ops->transfer_to_host_3d), >=, write_count);
	memset(memory, 0, len);
	g_assert_cmpuint(
		transfer_in_turns(f, resource, &whole, ops->transfer_from_host_3d), >=, read_count);
	g_assert_cmpmem(memory, len, expected, len);
	resource_finish(f, resource);
}

/* What is large goes in parts, each as small as the others, and all of it arrives. */
static void test_parts(void)
{
	struct gpu_resource flat = texture_of(TARGET_TEXTURE_2D, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	struct gpu_resource deep = texture_of(TARGET_TEXTURE_3D, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM);
	struct gpu_resource array = texture_of(TARGET_ARRAY_2D, DXT5_RGBA);
	struct gpu_resource cube = texture_of(TARGET_CUBE, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	struct gpu_resource buffer = texture_of(TARGET_BUFFER, R8_UNORM);
	struct fixture f;

	fixture_init(&f);
	flat.width = flat.height = 1024;
	check_parts(&f, &flat, 4096, 4096 * 1024, 4, 4);
	/* Many small layers to the host at once; from there the library has one by one. */
	deep.width = deep.height = 64;
	deep.args_3d.depth = 128;
	check_parts(&f, &deep, 256, 256 * 64, 2, 128);
	/* Blocks, which it reads back a layer at a time. */
	array.width = array.height = 2048;
	array.args_3d.array_size = 2;
	check_parts(&f, &array, 2048 * 4, 2048 * 2048, 8, 2);
	cube.width = cube.height = 512;
	check_parts(&f, &cube, 2048, 2048 * 512, 6, 6);
	buffer.width = 5 << 20;
	check_parts(&f, &buffer, 5 << 20, 5 << 20, 5, 5);
	fixture_finish(&f);
}

/* What lies between the lines is not looked at: here it cannot be. */
static void test_gaps(void)
{
	const size_t page_len = (size_t)sysconf(_SC_PAGESIZE), line_count = 100;
	const size_t len = 2 * line_count * page_len;
	struct gpu_resource texture =
		texture_of(TARGET_TEXTURE_2D, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	const struct gpu_transfer_3d lines = {
		.box = {0, 0, 0, 64, (uint32_t)line_count, 1}, .stride = (uint32_t)(2 * page_len)};
	uint8_t *memory =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[] = {{memory, page_len}, {memory + page_len, len - page_len}};
	struct fixture f;

	g_assert_true(memory != MAP_FAILED);
	for (size_t y = 0; y < line_count; y++) {
		memset(memory + 2 * y * page_len, (int)y, 256);
		g_assert_cmpint(
			mprotect(memory + (2 * y + 1) * page_len, page_len, PROT_NONE), ==, 0);
	}
	fixture_init(&f);
	texture.width = 64;
	texture.height = (uint32_t)line_count;
	texture.args_3d.last_level = 0;
	g_assert_cmpint(f.renderer->ops->resource_create(f.renderer, &texture), ==, 0);
	attach(&f, &texture, iov, G_N_ELEMENTS(iov));
	transfer_in_turns(&f, &texture, &lines, f.renderer->ops->transfer_to_host_3d);
	for (size_t y = 0; y < line_count; y++)
		memset(memory + 2 * y * page_len, BETWEEN, page_len);
	transfer_in_turns(&f, &texture, &lines, f.renderer->ops->transfer_from_host_3d);
	for (size_t y = 0; y < line_count; y++)
		for (size_t i = 0; i < page_len; i++)
			g_assert_cmpuint(memory[2 * y * page_len + i], ==, i < 256 ? y : BETWEEN);
	resource_finish(&f, &texture);
	fixture_finish(&f);
	munmap(memory, len);
}

static unsigned int create_in_turns(struct renderer_virgl *virgl, struct gpu_resource *image)
{
	unsigned int count = 0;
	int ret;

	do {
		ret = renderer_virgl_resource_create(&virgl->base, image);
		count++;
	} while (ret == RENDERER_AGAIN);
	g_assert_cmpint(ret, ==, 0);
	return count;
}

/*
 * A large 2D image is cleared in parts, too, and can be given up before it is. Without a GPU the
 * renderer keeps 2D images from virglrenderer, so this is a second one on the same library.
 */
static void test_making_in_parts(void)
{
	enum { WIDTH = 512, HEIGHT = 2048, STRIDE = WIDTH * 4 };
	const struct gpu_rect whole = {0, 0, WIDTH, HEIGHT};
	g_autofree uint32_t *pixels = g_new(uint32_t, WIDTH * HEIGHT);
	struct turn turn = {.is_over = true};
	struct renderer_virgl virgl = {
		.base = {.turn = &turn}, .has_gl = true, .resources = g_hash_table_new(NULL, NULL)};
	struct gpu_resource image = {
		.id = 9,
		.kind = GPU_RESOURCE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = WIDTH,
		.height = HEIGHT,
	};
	struct fixture f;

	fixture_init(&f);
	g_assert_cmpint(renderer_virgl_resource_create(&virgl.base, &image), ==, RENDERER_AGAIN);
	renderer_virgl_resource_destroy(&virgl.base, &image);
	g_assert_cmpuint(create_in_turns(&virgl, &image), >=, 4);
	memset(pixels, 0xff, HEIGHT * STRIDE);
	g_assert_cmpint(
		renderer_virgl_read_rect(&virgl.base, &image, &whole, pixels, STRIDE), ==, 0);
	for (size_t i = 0; i < WIDTH * HEIGHT; i++)
		g_assert_cmphex(pixels[i] & 0xffffff, ==, 0);
	renderer_virgl_resource_destroy(&virgl.base, &image);
	g_hash_table_unref(virgl.resources);
	fixture_finish(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* A hostile guest is worth a warning, which GLib's tests would die of. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/virgl-formats/round-trip", test_round_trip);
	g_test_add_func("/virgl-formats/round-trip-gles", test_round_trip_gles);
	g_test_add_func("/virgl-formats/offered", test_offered);
	g_test_add_func("/virgl-formats/parts", test_parts);
	g_test_add_func("/virgl-formats/gaps", test_gaps);
	g_test_add_func("/virgl-formats/making-in-parts", test_making_in_parts);
	return g_test_run();
}
