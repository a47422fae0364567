/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/virgl with Vulkan: the render server's life, blobs as descriptors, fence rings. Plays
 * the guest's driver with a few hand-made Venus commands. Where virglrenderer, its server or a
 * Vulkan driver is missing, a test is skipped and says which.
 */
#include "renderer/options.h"
#include "renderer/renderers.h"
#include "virgl-risk.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CTX_ID	   3
#define OTHER_CTX  4
#define PAGE	   4096
#define MAPPABLE   VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE
#define VENUS_MASK (UINT64_C(1) << VIRTIO_GPU_CAPSET_VENUS)

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_LSAN 1
#endif
#endif

#ifdef HAVE_LSAN
/* As in test-renderer-virgl.c: drivers leak a little, and have to stay to be known by name. */
int dlclose(void *handle);
const char *__lsan_default_suppressions(void);

int dlclose(void *handle)
{
	return 0;
}

const char *__lsan_default_suppressions(void)
{
	return "leak:libvulkan\nleak:libgallium\nleak:libLLVM\nleak:libEGL\nleak:_dri.so\n"
	       "leak:libvirglrenderer\n";
}
#endif

struct recorder {
	GMutex lock;
	GArray *fences;
	uint64_t lost;
};

struct fixture {
	struct renderer *renderer;
	const struct renderer_ops *ops;
	struct recorder recorder;
};

static void record_fence(void *opaque, const struct renderer_fence *fence)
{
	struct recorder *recorder = opaque;

	g_mutex_lock(&recorder->lock);
	g_array_append_val(recorder->fences, *fence);
	g_mutex_unlock(&recorder->lock);
}

static void record_lost(void *opaque, uint64_t capset_mask)
{
	((struct recorder *)opaque)->lost |= capset_mask;
}

static const struct renderer_events events = {
	.fence_signalled = record_fence, .contexts_lost = record_lost};

static int create(uint64_t mask, struct renderer **ret_renderer, char **ret_message)
{
	const struct renderer_options options = {
		.settings =
			{
				{.option = &renderer_option_use_egl, .is_on = mask != VENUS_MASK},
				{.option = &renderer_option_use_gles, .is_on = mask != VENUS_MASK},
				{.option = &renderer_option_use_surfaceless,
					.is_on = mask != VENUS_MASK},
				{.option = &renderer_option_old_virglrenderer,
					.is_on = virgl_risk()},
			},
		.capset_mask = mask,
	};

	return renderer_type_find("virglrenderer")->create(&options, ret_renderer, ret_message);
}

static bool fixture_init(struct fixture *f)
{
	g_autofree char *message = NULL;

	memset(f, 0, sizeof(*f));
	if (create(VENUS_MASK, &f->renderer, &message) < 0) {
		g_test_skip(message);
		return false;
	}
	f->ops = f->renderer->ops;
	f->recorder.fences = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence));
	f->renderer->events = &events;
	f->renderer->events_opaque = &f->recorder;
	g_assert_cmpint(
		f->ops->ctx_create(f->renderer, CTX_ID, VIRTIO_GPU_CAPSET_VENUS, "test"), ==, 0);
	return true;
}

static void check_no_children(void)
{
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
}

static void fixture_finish(struct fixture *f)
{
	f->ops->ctx_destroy(f->renderer, CTX_ID);
	f->ops->destroy(f->renderer);
	g_array_unref(f->recorder.fences);
	check_no_children();
}

static struct renderer_fence fence_at(struct fixture *f, size_t index)
{
	struct renderer_fence fence;

	g_mutex_lock(&f->recorder.lock);
	fence = g_array_index(f->recorder.fences, struct renderer_fence, index);
	g_mutex_unlock(&f->recorder.lock);
	return fence;
}

static void wait_for_fences(struct fixture *f, size_t count)
{
	const gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
	size_t got = 0;

	while (got < count && g_get_monotonic_time() < deadline) {
		g_usleep(200);
		g_mutex_lock(&f->recorder.lock);
		got = f->recorder.fences->len;
		g_mutex_unlock(&f->recorder.lock);
	}
	g_assert_cmpuint(got, ==, count);
}

static int make_fence(struct fixture *f, uint32_t ring_idx, uint64_t seqno)
{
	const struct renderer_fence fence = {true, CTX_ID, ring_idx, seqno};

	return f->ops->create_fence(f->renderer, &fence);
}

static struct gpu_resource host_blob(uint32_t id, uint64_t blob_id, uint64_t len)
{
	return (struct gpu_resource){
		.id = id,
		.kind = GPU_RESOURCE_BLOB,
		.blob = {VIRTIO_GPU_BLOB_MEM_HOST3D, MAPPABLE, CTX_ID, blob_id, len},
	};
}

static size_t count_fds(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	size_t count = 0;

	while (g_dir_read_name(dir))
		count++;
	return count;
}

/* Runs a test's body in a process of its own, with an environment variable set. */
static bool is_child_with(const char *name, const char *value)
{
	if (g_test_subprocess()) {
		g_setenv(name, value, TRUE);
		return true;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
	return false;
}

static void check_refused(const char *word)
{
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;
	const size_t fd_count = count_fds();

	g_assert_cmpint(create(VENUS_MASK, &renderer, &message), <, 0);
	g_test_message("%s", message);
	g_assert_null(renderer);
	g_assert_nonnull(strstr(message, "venus"));
	g_assert_null(strchr(message, '\n'));
	if (!strstr(message, "built without"))
		g_assert_nonnull(strstr(message, word));
	g_assert_cmpuint(count_fds(), ==, fd_count);
	check_no_children();
}

static void test_no_server(void)
{
	if (is_child_with("RENDER_SERVER_EXEC_PATH", "/nonexistent/server"))
		check_refused("/nonexistent/server");
}

static void test_no_threads(void)
{
	if (is_child_with("VIRGL_DISABLE_MT", "1"))
		check_refused("VIRGL_DISABLE_MT");
}

/* A program that starts and is no render server. */
static void test_wrong_server(void)
{
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	if (!is_child_with("RENDER_SERVER_EXEC_PATH", "/bin/false"))
		return;
	g_assert_cmpint(create(VENUS_MASK, &renderer, &message), <, 0);
	g_test_message("%s", message);
	if (strstr(message, "render server"))
		g_assert_nonnull(strstr(message, "/bin/false"));
	check_no_children();
	/* Where nobody asked for it, OpenGL does without. */
	g_clear_pointer(&message, g_free);
	if (create(0, &renderer, &message) < 0)
		return;
	for (unsigned int i = 0; i < renderer->capset_count; i++)
		g_assert_cmpuint(renderer->capsets[i].id, !=, VIRTIO_GPU_CAPSET_VENUS);
	renderer->ops->destroy(renderer);
	check_no_children();
}

static void test_no_drm(void)
{
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	if (create(UINT64_C(1) << VIRTIO_GPU_CAPSET_DRM, &renderer, &message) == 0) {
		renderer->ops->destroy(renderer);
		g_test_skip("this host has native contexts");
		return;
	}
	g_test_message("%s", message);
	g_assert_nonnull(strstr(message, "drm"));
	check_no_children();
}

static void test_start(void)
{
	struct fixture f;
	const struct renderer_capset *capset;
	g_autofree uint32_t *caps = NULL;
	size_t fd_count = count_fds();

	if (!fixture_init(&f))
		return;
	g_assert_true(f.renderer->has_3d);
	g_assert_true(f.renderer->has_blob);
	g_assert_cmpuint(f.renderer->capset_count, ==, 1);
	capset = &f.renderer->capsets[0];
	g_assert_cmpuint(capset->id, ==, VIRTIO_GPU_CAPSET_VENUS);
	caps = g_malloc0(capset->max_size);
	g_assert_cmpint(
		f.ops->get_capset(f.renderer, capset->id, 0, caps, capset->max_size), ==, 0);
	g_assert_cmpuint(caps[1], !=, 0); /* the version of Vulkan that it speaks */
	g_assert_cmpint(f.ops->ctx_create(f.renderer, OTHER_CTX, 0, ""), ==, -EINVAL);
	g_assert_cmpint(f.ops->ctx_create(f.renderer, OTHER_CTX, VIRTIO_GPU_CAPSET_VIRGL2, ""), ==,
		-EINVAL);
	fixture_finish(&f);
	g_assert_cmpuint(count_fds(), ==, fd_count);
}

/* OpenGL beside it, where there is one; all that starts is listed, in rising order. */
static void test_all(void)
{
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	if (create(0, &renderer, &message) < 0) {
		g_test_skip(message);
		return;
	}
	for (unsigned int i = 0; i < renderer->capset_count; i++) {
		const uint32_t id = renderer->capsets[i].id;

		g_assert_cmpuint(renderer->capsets[i].max_size, >, 0);
		g_assert_cmpint(renderer->ops->ctx_create(renderer, i + 1, id, "all"), ==, 0);
		if (i > 0)
			g_assert_cmpuint(id, >, renderer->capsets[i - 1].id);
	}
	for (unsigned int i = 0; i < renderer->capset_count; i++)
		renderer->ops->ctx_destroy(renderer, i + 1);
	renderer->ops->destroy(renderer);
	check_no_children();
}

/* A console still works, pixels that need GL do not. */
static void test_plain_images(void)
{
	enum { WIDTH = 5, HEIGHT = 3, LEN = WIDTH * HEIGHT * 4 };
	uint8_t pixels[LEN], copy[LEN];
	struct iovec iov = {pixels, LEN};
	const struct gpu_rect whole = {0, 0, WIDTH, HEIGHT};
	struct gpu_resource image = {
		.id = 1,
		.kind = GPU_RESOURCE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = WIDTH,
		.height = HEIGHT,
		.iov = &iov,
		.iov_count = 1,
		.backing_len = LEN,
	};
	struct gpu_resource texture = image;
	struct renderer_dmabuf dmabuf;
	struct fixture f;
	size_t stride;

	if (!fixture_init(&f))
		return;
	for (size_t i = 0; i < LEN; i++)
		pixels[i] = (uint8_t)i;
	g_assert_cmpint(f.ops->resource_create(f.renderer, &image), ==, 0);
	g_assert_cmpint(f.ops->attach_backing(f.renderer, &image), ==, 0);
	g_assert_cmpint(f.ops->transfer_to_host_2d(f.renderer, &image, &whole, 0), ==, 0);
	g_assert_cmpint(
		f.ops->read_rect(f.renderer, &image, &whole, copy, (size_t)WIDTH * 4), ==, 0);
	g_assert_cmpmem(copy, LEN, pixels, LEN);
	g_assert_cmpmem(f.ops->get_pixels(f.renderer, &image, &stride), LEN, pixels, LEN);
	g_assert_cmpint(f.ops->export_dmabuf(f.renderer, &image, &dmabuf), ==, -ENOTSUP);
	f.ops->detach_backing(f.renderer, &image);
	f.ops->resource_destroy(f.renderer, &image);
	texture.kind = GPU_RESOURCE_3D;
	g_assert_cmpint(f.ops->resource_create(f.renderer, &texture), ==, -ENOTSUP);
	fixture_finish(&f);
}

/* Two mappings of an exported blob are the same memory. */
static void check_mapping(const struct renderer_blob *blob, size_t len)
{
	uint8_t *one = mmap(
		NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, blob->fd, (off_t)blob->fd_offset);
	const uint8_t *two =
		mmap(NULL, len, PROT_READ, MAP_SHARED, blob->fd, (off_t)blob->fd_offset);

	g_assert_true(one != MAP_FAILED && two != MAP_FAILED);
	memset(one, 0xa5, len);
	g_assert_cmphex(two[0], ==, 0xa5);
	g_assert_cmphex(two[len - 1], ==, 0xa5);
	munmap(one, len);
	munmap((void *)two, len);
}

/* What a Venus driver makes first: the memory of its command ring. */
static void test_ring_memory(void)
{
	const size_t len = 3 * PAGE;
	struct gpu_resource resource = host_blob(9, 0, len), twin = resource;
	struct gpu_resource orphan = host_blob(10, 0, len), unknown = host_blob(11, 77, len);
	struct renderer_blob blob = {.fd = -1};
	struct fixture f;

	if (!fixture_init(&f))
		return;
	orphan.blob.ctx_id = 99;
	g_assert_cmpint(f.ops->resource_create(f.renderer, &orphan), ==, -EINVAL);
	g_assert_cmpint(f.ops->resource_create(f.renderer, &resource), ==, 0);
	g_assert_cmpint(f.ops->resource_create(f.renderer, &twin), ==, -EINVAL);
	g_assert_cmpint(f.ops->export_blob(f.renderer, &resource, &blob), ==, 0);
	g_assert_cmpint(blob.type, ==, RENDERER_HANDLE_SHM);
	g_assert_cmpuint(blob.fd_offset, ==, 0);
	g_assert_cmpuint(blob.map_info, ==, VIRTIO_GPU_MAP_CACHE_CACHED);
	check_mapping(&blob, len);
	close(blob.fd);
	/* Its own context has it; another one cannot take it. */
	g_assert_cmpint(f.ops->ctx_attach_resource(f.renderer, CTX_ID, &resource), ==, 0);
	g_assert_cmpint(
		f.ops->ctx_create(f.renderer, OTHER_CTX, VIRTIO_GPU_CAPSET_VENUS, ""), ==, 0);
	g_assert_cmpint(f.ops->ctx_attach_resource(f.renderer, OTHER_CTX, &resource), ==, -EINVAL);
	f.ops->ctx_detach_resource(f.renderer, OTHER_CTX, &resource);
	f.ops->ctx_destroy(f.renderer, OTHER_CTX);
	f.ops->ctx_detach_resource(f.renderer, CTX_ID, &resource);
	f.ops->resource_destroy(f.renderer, &resource);
	g_assert_cmpint(f.ops->export_blob(f.renderer, &resource, &blob), ==, -ENOTSUP);
	/* No such memory. */
	g_assert_cmpint(f.ops->resource_create(f.renderer, &unknown), <, 0);
	fixture_finish(&f);
}

static void test_fences(void)
{
	enum { COUNT = 300 };
	const uint64_t base = UINT64_C(0x700000000);
	const struct renderer_fence global = {.seqno = base};
	struct fixture f;

	if (!fixture_init(&f))
		return;
	g_assert_cmpint(f.ops->create_fence(f.renderer, &global), ==, 0);
	wait_for_fences(&f, 1);
	g_assert_false(fence_at(&f, 0).has_ring);
	for (uint64_t i = 1; i <= COUNT; i++)
		g_assert_cmpint(make_fence(&f, 0, base + i), ==, 0);
	wait_for_fences(&f, 1 + COUNT);
	for (uint64_t i = 1; i <= COUNT; i++) {
		const struct renderer_fence fence = fence_at(&f, i);

		g_assert_true(fence.has_ring);
		g_assert_cmpuint(fence.ctx_id, ==, CTX_ID);
		g_assert_cmpuint(fence.ring_idx, ==, 0);
		g_assert_cmpuint(fence.seqno, ==, base + i);
	}
	g_assert_cmpint(make_fence(&f, 64, 1), ==, -EINVAL);
	fixture_finish(&f);
}

/* A Venus command stream: words, and pairs of words for handles, sizes and pointers. */
struct stream {
	uint32_t words[512];
	size_t count;
};

static void put(struct stream *s, uint32_t word)
{
	g_assert_cmpuint(s->count, <, G_N_ELEMENTS(s->words));
	s->words[s->count++] = word;
}

static void put_long(struct stream *s, uint64_t value)
{
	put(s, (uint32_t)value);
	put(s, (uint32_t)(value >> 32));
}

/* A pointer to something that follows, or the length of an array; 0 for neither. */
#define put_pointer(s, is_there) put_long(s, is_there)

static void put_command(struct stream *s, uint32_t command)
{
	put(s, command);
	put(s, 0); /* no reply */
}

/* A structure's type, with nothing chained to it. */
static void put_type(struct stream *s, uint32_t type)
{
	put(s, type);
	put_pointer(s, 0);
}

/* Where a new object's handle goes. */
static void put_new(struct stream *s, uint64_t id)
{
	put_pointer(s, 0); /* allocator */
	put_pointer(s, 1);
	put_long(s, id);
}

enum { INSTANCE = 1, PHYSICAL = 2, DEVICE = 3, MEMORY = 4, QUEUE = 5, SEMAPHORE = 6 };

static void put_create_instance(struct stream *s)
{
	put_command(s, 0);
	put_pointer(s, 1);
	put_type(s, 1);
	put(s, 0);
	put_pointer(s, 1); /* application: no names, no versions, Vulkan 1.2 */
	put_type(s, 0);
	put_pointer(s, 0);
	put(s, 0);
	put_pointer(s, 0);
	put(s, 0);
	put(s, 1u << 22 | 2u << 12);
	put(s, 0); /* layers */
	put_pointer(s, 0);
	put(s, 0); /* extensions */
	put_pointer(s, 0);
	put_new(s, INSTANCE);
	put_command(s, 2); /* vkEnumeratePhysicalDevices, the first one */
	put_long(s, INSTANCE);
	put_pointer(s, 1);
	put(s, 1);
	put_pointer(s, 1);
	put_long(s, PHYSICAL);
}

static void put_create_device(struct stream *s)
{
	put_command(s, 11);
	put_long(s, PHYSICAL);
	put_pointer(s, 1);
	put_type(s, 3);
	put(s, 0);
	put(s, 1); /* one queue of family 0 */
	put_pointer(s, 1);
	put_type(s, 2);
	put(s, 0);
	put(s, 0);
	put(s, 1);
	put_pointer(s, 1);
	put(s, 0x3f800000); /* 1.0 */
	put(s, 0);
	put_pointer(s, 0);
	put(s, 0);
	put_pointer(s, 0);
	put_pointer(s, 0); /* features */
	put_new(s, DEVICE);
}

static void put_allocate(struct stream *s, uint64_t len)
{
	put_command(s, 21);
	put_long(s, DEVICE);
	put_pointer(s, 1);
	put_type(s, 5);
	put_long(s, len);
	put(s, 0); /* the only type of memory that the software driver has */
	put_new(s, MEMORY);
}

/* vkGetDeviceQueue2: the queue's fences are those of ring 1. */
static void put_get_queue(struct stream *s)
{
	put_command(s, 155);
	put_long(s, DEVICE);
	put_pointer(s, 1);
	put(s, 1000145003);
	put_pointer(s, 1);
	put_type(s, 1000384005);
	put(s, 1);
	put(s, 0);
	put(s, 0);
	put(s, 0);
	put_pointer(s, 1);
	put_long(s, QUEUE);
}

/* vkCreateSemaphore with a counter, and vkQueueSubmit of something that waits until it is 1. */
static void put_wait(struct stream *s)
{
	put_command(s, 40);
	put_long(s, DEVICE);
	put_pointer(s, 1);
	put(s, 9);
	put_pointer(s, 1);
	put_type(s, 1000207002);
	put(s, 1);
	put_long(s, 0);
	put(s, 0);
	put_new(s, SEMAPHORE);

	put_command(s, 18);
	put_long(s, QUEUE);
	put(s, 1);
	put_pointer(s, 1);
	put(s, 4);
	put_pointer(s, 1);
	put_type(s, 1000207003);
	put(s, 1);
	put_pointer(s, 1);
	put_long(s, 1);
	put(s, 0);
	put_pointer(s, 0);
	put(s, 1);
	put_pointer(s, 1);
	put_long(s, SEMAPHORE);
	put_pointer(s, 1);
	put(s, 0x10000); /* all commands */
	put(s, 0);
	put_pointer(s, 0);
	put(s, 0);
	put_pointer(s, 0);
	put_long(s, 0); /* fence */
}

/* vkSignalSemaphore */
static void put_signal(struct stream *s)
{
	put_command(s, 174);
	put_long(s, DEVICE);
	put_pointer(s, 1);
	put_type(s, 1000207005);
	put_long(s, SEMAPHORE);
	put_long(s, 1);
}

static void submit(struct fixture *f, struct stream *s)
{
	g_assert_cmpint(
		f->ops->submit(f->renderer, CTX_ID, s->words, s->count * 4, &(size_t){0}), ==, 0);
	s->count = 0;
}

static bool is_software_driver(void)
{
	return g_getenv("VK_DRIVER_FILES") && strstr(g_getenv("VK_DRIVER_FILES"), "lvp_icd");
}

/* 0.10.4 */
static bool is_library_old(void)
{
	return !dlsym(RTLD_DEFAULT, "virgl_renderer_submit_cmd2");
}

/*
 * Memory of a Vulkan driver. The software driver exports it as a dma-buf where the host has
 * udmabuf, and otherwise as a file that it does not call one; both can be mapped.
 */
static void test_device_memory(void)
{
	const size_t len = 5 * PAGE;
	struct gpu_resource resource = host_blob(9, MEMORY, len);
	struct gpu_resource longer = host_blob(9, MEMORY, 64 * PAGE);
	struct stream s = {.count = 0};
	struct renderer_blob blob;
	struct fixture f;
	size_t fd_count;
	int ret;

	if (!is_software_driver()) {
		g_test_skip("no lvp_icd.json, so no driver whose memory types are known");
		return;
	}
	if (!fixture_init(&f))
		return;
	put_create_instance(&s);
	put_create_device(&s);
	put_allocate(&s, len - 100);
	submit(&f, &s);
	fd_count = count_fds();
	g_assert_cmpint(f.ops->resource_create(f.renderer, &resource), ==, 0);
	for (int i = 0; i < 3; i++) {
		g_assert_cmpint(f.ops->export_blob(f.renderer, &resource, &blob), ==, 0);
		g_test_message("type %d, offset %" G_GUINT64_FORMAT, blob.type, blob.fd_offset);
		if (blob.type == RENDERER_HANDLE_OPAQUE && is_library_old()) {
			g_test_skip("this virglrenderer cannot map such memory");
			close(blob.fd);
			break;
		}
		g_assert_cmpint(blob.type, !=, RENDERER_HANDLE_OPAQUE);
		g_assert_cmpuint(blob.map_info, ==, VIRTIO_GPU_MAP_CACHE_CACHED);
		g_assert_cmpuint(blob.fd_offset % PAGE, ==, 0);
		/* QEMU maps no more than the file says it has. */
		g_assert_cmpint(lseek(blob.fd, 0, SEEK_END), >=, blob.fd_offset + len);
		check_mapping(&blob, len);
		close(blob.fd);
	}
	f.ops->resource_destroy(f.renderer, &resource);
	g_assert_cmpuint(count_fds(), ==, fd_count);
	/* Memory becomes a blob once, and a longer one than it is can be no mapping. */
	ret = f.ops->resource_create(f.renderer, &longer);
	g_assert_cmpint(ret, <, 0);
	fixture_finish(&f);
}

/* A blob that claims to be longer than its memory: what would be a SIGBUS is not mappable. */
static void test_short_memory(void)
{
	struct gpu_resource resource = host_blob(9, MEMORY, 64 * PAGE);
	struct stream s = {.count = 0};
	struct renderer_blob blob;
	struct fixture f;

	if (!is_software_driver()) {
		g_test_skip("no lvp_icd.json, so no driver whose memory types are known");
		return;
	}
	if (!fixture_init(&f))
		return;
	put_create_instance(&s);
	put_create_device(&s);
	put_allocate(&s, 2 * PAGE);
	submit(&f, &s);
	if (f.ops->resource_create(f.renderer, &resource) == 0) {
		g_test_message("made");
		if (f.ops->export_blob(f.renderer, &resource, &blob) == 0) {
			g_assert_cmpint(blob.type, ==, RENDERER_HANDLE_OPAQUE);
			close(blob.fd);
		}
		f.ops->resource_destroy(f.renderer, &resource);
	}
	fixture_finish(&f);
}

/* Ring 1 is held up by the guest; ring 0 goes on. */
static void test_rings(void)
{
	struct stream s = {.count = 0};
	struct fixture f;

	if (!is_software_driver()) {
		g_test_skip("no lvp_icd.json");
		return;
	}
	if (!fixture_init(&f))
		return;
	put_create_instance(&s);
	put_create_device(&s);
	put_get_queue(&s);
	put_wait(&s);
	submit(&f, &s);
	g_assert_cmpint(make_fence(&f, 1, 1), ==, 0);
	g_assert_cmpint(make_fence(&f, 1, 2), ==, 0);
	for (uint64_t i = 3; i <= 12; i++)
		g_assert_cmpint(make_fence(&f, 0, i), ==, 0);
	wait_for_fences(&f, 10);
	for (size_t i = 0; i < 10; i++)
		g_assert_cmpuint(fence_at(&f, i).ring_idx, ==, 0);
	put_signal(&s);
	submit(&f, &s);
	wait_for_fences(&f, 12);
	g_assert_cmpuint(fence_at(&f, 10).ring_idx, ==, 1);
	g_assert_cmpuint(fence_at(&f, 10).seqno, ==, 1);
	g_assert_cmpuint(fence_at(&f, 11).seqno, ==, 2);
	fixture_finish(&f);
}

static pid_t find_server(void)
{
	g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
	g_autofree char *children = NULL;

	g_assert_true(g_file_get_contents(path, &children, NULL, NULL));
	return (pid_t)g_ascii_strtoll(children, NULL, 10);
}

/* The render server dies: errors, no signal, no zombie, and this process goes on. */
static void test_server_dies(void)
{
	struct gpu_resource resource = host_blob(9, 0, PAGE);
	const gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
	struct stream s = {.count = 0};
	struct fixture f;
	pid_t pid;

	if (!fixture_init(&f))
		return;
	if (is_software_driver()) {
		put_create_instance(&s);
		put_create_device(&s);
		put_get_queue(&s);
		put_wait(&s);
		submit(&f, &s);
		g_assert_cmpint(make_fence(&f, 1, 4), ==, 0);
	}
	pid = find_server();
	g_assert_cmpint(pid, >, 0);
	g_assert_cmpint(kill(-pid, SIGKILL), ==, 0);
	while (kill(pid, 0) == 0 && g_get_monotonic_time() < deadline)
		g_main_context_iteration(NULL, FALSE);
	check_no_children();
	while (f.recorder.lost == 0 && g_get_monotonic_time() < deadline)
		g_main_context_iteration(NULL, FALSE);
	g_assert_true(f.recorder.lost & UINT64_C(1) << VIRTIO_GPU_CAPSET_VENUS);
	g_assert_cmpint(
		f.ops->ctx_create(f.renderer, OTHER_CTX, VIRTIO_GPU_CAPSET_VENUS, ""), <, 0);
	g_assert_cmpint(f.ops->resource_create(f.renderer, &resource), <, 0);
	g_assert_cmpint(make_fence(&f, 0, 5), <, 0);
	g_assert_cmpint(f.ops->submit(f.renderer, CTX_ID, (uint32_t[2]){0}, 8, &(size_t){0}), <, 0);
	/* Nobody waits for ever for what it had begun. */
	if (is_software_driver())
		wait_for_fences(&f, 1);
	fixture_finish(&f);
}

static void choose_software_driver(void)
{
	static const char *const paths[] = {
		"/usr/share/vulkan/icd.d/lvp_icd.json",
		"/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
		"/usr/share/vulkan/icd.d/lvp_icd.aarch64.json",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		if (g_file_test(paths[i], G_FILE_TEST_EXISTS))
			g_setenv("VK_DRIVER_FILES", paths[i], FALSE);
	}
}

/* The module that goes into the render server, from the build folder. */
static void choose_module(const char *program)
{
	g_autofree char *real = g_canonicalize_filename(program, NULL);
	g_autofree char *folder = g_path_get_dirname(real);
	g_autofree char *path =
		g_build_filename(folder, "..", "..", "src", "renderer", "modules", NULL);

	g_setenv("VHOST_DEVICE_GPU_LIBDIR", path, FALSE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* What fails on purpose is worth a warning, which GLib's tests would die of. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	choose_software_driver();
	choose_module(argv[0]);
	/* It has a descriptor that is nobody's leak. */
	g_main_context_default();
	g_test_add_func("/renderer/venus/no-server", test_no_server);
	g_test_add_func("/renderer/venus/no-threads", test_no_threads);
	g_test_add_func("/renderer/venus/wrong-server", test_wrong_server);
	g_test_add_func("/renderer/venus/no-drm", test_no_drm);
	g_test_add_func("/renderer/venus/start", test_start);
	g_test_add_func("/renderer/venus/all", test_all);
	g_test_add_func("/renderer/venus/plain-images", test_plain_images);
	g_test_add_func("/renderer/venus/ring-memory", test_ring_memory);
	g_test_add_func("/renderer/venus/fences", test_fences);
	g_test_add_func("/renderer/venus/device-memory", test_device_memory);
	g_test_add_func("/renderer/venus/short-memory", test_short_memory);
	g_test_add_func("/renderer/venus/rings", test_rings);
	g_test_add_func("/renderer/venus/server-dies", test_server_dies);
	return g_test_run();
}
