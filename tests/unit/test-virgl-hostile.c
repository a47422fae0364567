/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Streams against the real library of this host. With 0.10.4 each hostile one would read or write memory
 * that is not the guest's, or loop as often as a number says. Some honest ones show that these still
 * work. test-virgl-table.c tries the whole table, without a library.
 */
#include "renderer/options.h"
#include "renderer/renderers.h"
#include "virgl-risk.h"

#include <errno.h>
#include <string.h>

#define CTX	    3
#define SIDE	    64
#define PICTURE_LEN (SIDE * SIDE * 4)
#define BGRA	    1
#define Z16	    16
#define R8	    64
#define BIND_DEPTH  (1 << 0)
#define BIND_TARGET (1 << 1)
#define BIND_SAMPLE (1 << 3)
#define BIND_VERTEX (1 << 4)
#define BIND_CUSTOM (1 << 17)
#define TEXTURE_2D  2

#define HEADER(command, len) ((command) | (len) << 16)

#define GL_MASK ((1 << VIRTIO_GPU_CAPSET_VIRGL) | (1 << VIRTIO_GPU_CAPSET_VIRGL2))

#if defined(__SANITIZE_ADDRESS__)
int dlclose(void *handle);
const char *__lsan_default_suppressions(void);

/* As in test-renderer-virgl.c: drivers leak, and are known by their names. */
int dlclose(void *handle)
{
	return 0;
}

const char *__lsan_default_suppressions(void)
{
	return "leak:_dri.so\nleak:libgallium\nleak:libLLVM\nleak:libEGL\nleak:libvirglrenderer\n";
}
#endif

static void ignore_fence(void *opaque, const struct renderer_fence *fence)
{
}

static const struct renderer_events events = {.fence_signalled = ignore_fence};

struct fixture {
	struct renderer *renderer;
	uint8_t memory[PICTURE_LEN];
	struct iovec iov;
};

static void fixture_init(struct fixture *f)
{
	const struct renderer_options options = {
		.settings = {{.option = &renderer_option_old_virglrenderer, .is_on = virgl_risk()}},
		.capset_mask = GL_MASK,
	};
	g_autofree char *message = NULL;

	memset(f, 0, sizeof(*f));
	if (renderer_type_find("virglrenderer")->create(&options, &f->renderer, &message) < 0)
		g_error("%s", message);
	f->renderer->events = &events;
	f->iov = (struct iovec){f->memory, sizeof(f->memory)};
	g_assert_cmpint(f->renderer->ops->ctx_create(f->renderer, CTX, 0, "hostile"), ==, 0);
}

static void fixture_finish(struct fixture *f)
{
	f->renderer->ops->ctx_destroy(f->renderer, CTX);
	f->renderer->ops->destroy(f->renderer);
}

static struct gpu_resource texture(uint32_t id, uint32_t format, uint32_t bind, uint32_t samples)
{
	return (struct gpu_resource){
		.id = id,
		.kind = GPU_RESOURCE_3D,
		.format = format,
		.width = SIDE,
		.height = SIDE,
		.args_3d = {TEXTURE_2D, bind, 1, 1, 0, samples, 0},
	};
}

static void add(struct fixture *f, struct gpu_resource *resource, bool has_backing)
{
	const struct renderer_ops *ops = f->renderer->ops;
	const bool is_blob = resource->kind == GPU_RESOURCE_BLOB;

	if (has_backing) {
		resource->iov = &f->iov;
		resource->iov_count = 1;
		resource->backing_len = sizeof(f->memory);
	}
	g_assert_cmpint(ops->resource_create(f->renderer, resource), ==, 0);
	if (has_backing && !is_blob)
		g_assert_cmpint(ops->attach_backing(f->renderer, resource), ==, 0);
	g_assert_cmpint(ops->ctx_attach_resource(f->renderer, CTX, resource), ==, 0);
}

static void drop(struct fixture *f, struct gpu_resource *resource)
{
	f->renderer->ops->ctx_detach_resource(f->renderer, CTX, resource);
	if (resource->iov)
		f->renderer->ops->detach_backing(f->renderer, resource);
	resource->iov = NULL;
	f->renderer->ops->resource_destroy(f->renderer, resource);
}

#define SUBMIT(f, ...)                                                                             \
	({                                                                                         \
		uint32_t words_[] = {__VA_ARGS__};                                                 \
                                                                                                   \
		(f)->renderer->ops->submit(                                                        \
			(f)->renderer, CTX, words_, sizeof(words_), &(size_t){0});                 \
	})

static bool is_untouched(const struct fixture *f)
{
	for (size_t i = 0; i < sizeof(f->memory); i++)
		if (f->memory[i] != 0)
			return false;
	return true;
}

/*
 * A BGRA buffer as a blob: 0.10.4 maps as many bytes as the box has pixels, and copies 4 times as many.
 */
static void test_buffer_as_blob(void)
{
	struct gpu_transfer_3d whole = {.box = {0, 0, 0, 1024, 1, 1}};
	struct gpu_transfer_3d part = {.box = {0, 0, 0, 64, 1, 1}};
	struct gpu_resource blob = {
		.id = 7,
		.kind = GPU_RESOURCE_BLOB,
		.blob = {VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE, CTX,
			42, PICTURE_LEN},
	};
	struct fixture f;

	fixture_init(&f);
	g_assert_cmpint(
		SUBMIT(&f, HEADER(48, 11), 0, BGRA, BIND_VERTEX, 1024, 1, 1, 1, 0, 0, 0, 42), ==,
		0);
	add(&f, &blob, true);
	g_assert_cmpint(
		f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &blob, &whole), ==, -EINVAL);
	g_assert_cmpint(
		SUBMIT(&f, HEADER(43, 13), 7, 0, 0, 0, 0, 0, 0, 0, 1024, 1, 1, 0, 2), ==, 0);
	g_assert_cmpint(
		SUBMIT(&f, HEADER(45, 14), 7, 0, 0, 0, 0, 0, 0, 0, 1024, 1, 1, 7, 0, 2), ==, 0);
	g_assert_true(is_untouched(&f));
	g_assert_cmpint(f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &blob, &part), ==, 0);
	drop(&f, &blob);
	fixture_finish(&f);
}

/* The same number twice: what we believe of the blob has to be what the library takes. */
static void test_promised_twice(void)
{
	struct gpu_transfer_3d whole = {.box = {0, 0, 0, 1024, 1, 1}};
	struct gpu_resource blob = {
		.id = 7,
		.kind = GPU_RESOURCE_BLOB,
		.blob = {VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE, CTX,
			42, PICTURE_LEN},
	};
	struct fixture f;

	fixture_init(&f);
	g_assert_cmpint(SUBMIT(&f, HEADER(48, 11), 0, BGRA, BIND_VERTEX, 1024, 1, 1, 1, 0, 0, 0, 42,
				HEADER(48, 11), 0, R8, BIND_VERTEX, 4096, 1, 1, 1, 0, 0, 0, 42),
		==, 0);
	add(&f, &blob, true);
	g_assert_cmpint(
		f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &blob, &whole), ==, -EINVAL);
	g_assert_true(is_untouched(&f));
	drop(&f, &blob);
	fixture_finish(&f);
}

/*
 * OpenGL cannot read the source, so 0.10.4 copies memory that nobody wrote, from where z points.
 */
static void test_copy_from_samples(void)
{
	struct gpu_resource many = texture(1, Z16, BIND_DEPTH, 4);
	struct gpu_resource plain = texture(2, Z16, BIND_DEPTH, 0);
	struct fixture f;

	fixture_init(&f);
	add(&f, &many, false);
	add(&f, &plain, true);
	for (uint32_t z = 0; z < 0x80000; z += 0x3fff8)
		g_assert_cmpint(
			SUBMIT(&f, HEADER(17, 13), 2, 0, 0, 0, 0, 1, 0, 0, 0, z, SIDE, SIDE, 1), ==,
			0);
	drop(&f, &many);
	drop(&f, &plain);
	fixture_finish(&f);
}

static void test_copy(void)
{
	struct gpu_transfer_3d whole = {.box = {0, 0, 0, SIDE, SIDE, 1}, .stride = SIDE * 4};
	struct gpu_resource src = texture(1, BGRA, BIND_TARGET | BIND_SAMPLE, 0);
	struct gpu_resource dst = texture(2, BGRA, BIND_TARGET | BIND_SAMPLE, 0);
	struct fixture f;

	fixture_init(&f);
	add(&f, &src, true);
	add(&f, &dst, true);
	memset(f.memory, 0x35, sizeof(f.memory));
	g_assert_cmpint(f.renderer->ops->transfer_to_host_3d(f.renderer, 0, &src, &whole), ==, 0);
	g_assert_cmpint(
		SUBMIT(&f, HEADER(17, 13), 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, SIDE, SIDE, 1), ==, 0);
	memset(f.memory, 0, sizeof(f.memory));
	g_assert_cmpint(f.renderer->ops->transfer_from_host_3d(f.renderer, 0, &dst, &whole), ==, 0);
	for (size_t i = 0; i < sizeof(f.memory); i++)
		g_assert_cmpuint(f.memory[i], ==, 0x35);
	drop(&f, &src);
	drop(&f, &dst);
	fixture_finish(&f);
}

/* 0.10.4 does not look whether there is a place for the answer. */
static void test_memory_info(void)
{
	struct gpu_resource buffer = texture(1, R8, BIND_CUSTOM, 0);
	struct fixture f;

	fixture_init(&f);
	buffer.height = 1;
	buffer.args_3d.target = 0;
	add(&f, &buffer, false);
	g_assert_cmpint(SUBMIT(&f, HEADER(50, 1), 1), ==, 0);
	drop(&f, &buffer);
	f.iov.iov_len = 8;
	add(&f, &buffer, true);
	g_assert_cmpint(SUBMIT(&f, HEADER(50, 1), 1), ==, 0);
	g_assert_true(is_untouched(&f));
	drop(&f, &buffer);
	fixture_finish(&f);
}

/* 0.10.4 takes the format of an image as an index without a look at it. */
static void test_image_format(void)
{
	struct gpu_resource image = texture(1, BGRA, BIND_SAMPLE, 0);
	struct fixture f;

	fixture_init(&f);
	add(&f, &image, false);
	g_assert_cmpint(SUBMIT(&f, HEADER(35, 7), 5, 0, 0x70000000, 1, 0, 0, 1), ==, 0);
	drop(&f, &image);
	fixture_finish(&f);
}

/* As many blits as the box has layers; the texture has one. */
static void test_endless_blit(void)
{
	struct gpu_resource src = texture(1, BGRA, BIND_TARGET, 0);
	struct gpu_resource dst = texture(2, BGRA, BIND_TARGET, 0);
	struct fixture f;

	fixture_init(&f);
	add(&f, &src, false);
	add(&f, &dst, false);
	g_assert_cmpint(SUBMIT(&f, HEADER(16, 21), 0x10f, 0, 0, 2, 0, BGRA, 0, 0, 0, 32, 32,
				INT32_MAX, 1, 0, BGRA, 0, 0, 0, SIDE, SIDE, INT32_MAX),
		==, 0);
	drop(&f, &src);
	drop(&f, &dst);
	fixture_finish(&f);
}

/* What is left out is not offered. */
static void test_capset(void)
{
	uint8_t caps[4096] = {0};
	const struct renderer_capset *capset;
	uint32_t bits, bits_v2;
	struct fixture f;

	fixture_init(&f);
	capset = &f.renderer->capsets[1];
	g_assert_cmpuint(capset->id, ==, VIRTIO_GPU_CAPSET_VIRGL2);
	g_assert_cmpint(f.renderer->ops->get_capset(
				f.renderer, capset->id, capset->max_version, caps, sizeof(caps)),
		==, 0);
	memcpy(&bits, caps + 392, sizeof(bits));
	memcpy(&bits_v2, caps + 688, sizeof(bits_v2));
	g_assert_cmphex(bits & 1u << 17, !=, 0);
	g_assert_cmphex(bits & 1u << 14, ==, 0);
	g_assert_cmphex(bits_v2 & 1u << 4, ==, 0);
	fixture_finish(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* What is left out is worth a warning, which GLib's tests would die of. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/virgl-hostile/buffer-as-blob", test_buffer_as_blob);
	g_test_add_func("/virgl-hostile/promised-twice", test_promised_twice);
	g_test_add_func("/virgl-hostile/copy-from-samples", test_copy_from_samples);
	g_test_add_func("/virgl-hostile/copy", test_copy);
	g_test_add_func("/virgl-hostile/memory-info", test_memory_info);
	g_test_add_func("/virgl-hostile/image-format", test_image_format);
	g_test_add_func("/virgl-hostile/endless-blit", test_endless_blit);
	g_test_add_func("/virgl-hostile/capset", test_capset);
	return g_test_run();
}
