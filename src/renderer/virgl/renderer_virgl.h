/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What the files of this folder share; nobody else includes it. */
#pragma once

#include <errno.h>

/* Fences of contexts and of the library's own thread are behind this in 0.10.4. */
#define VIRGL_RENDERER_UNSTABLE_APIS
#include <virglrenderer.h>

#include "gpu/renderer.h"
#include "renderer/vulkan.h"
#include "sandbox/sandbox.h"
#include "util/child.h"
#include "util/log_pipe.h"
#include "util/pool.h"

/* The bit of a capset in struct renderer_options' capset_mask */
#define RENDERER_VIRGL_CAPSET(id) (UINT64_C(1) << (id))

/* The library's flags that go with Vulkan and with native contexts */
#define RENDERER_VIRGL_VENUS_FLAGS (VIRGL_RENDERER_VENUS | VIRGL_RENDERER_RENDER_SERVER)
#define RENDERER_VIRGL_DRM_FLAGS   VIRGL_RENDERER_DRM

/* The protocol's numbers of targets, which are Gallium's */
enum {
	TARGET_BUFFER,
	TARGET_TEXTURE_1D,
	TARGET_TEXTURE_2D,
	TARGET_TEXTURE_3D,
	TARGET_CUBE,
	TARGET_RECT,
	TARGET_ARRAY_1D,
	TARGET_ARRAY_2D,
	TARGET_CUBE_ARRAY,
	TARGET_COUNT,
};

/**
 * struct renderer_virgl_server - The render server, in which Venus runs
 * @path: of the program; NULL where there is none, or Venus is not wanted
 * @socket_fd: our end of its socket until the library takes it, then -1
 * @child: the process
 * @pid_fd, @watch: tell when it ends; -1 and NULL when nobody looks
 * @output: what it prints
 */
struct renderer_virgl_server {
	char *path;
	int socket_fd;
	struct child child;
	int pid_fd;
	GSource *watch;
	struct log_pipe output;
};

/**
 * struct renderer_virgl_context - What we know of a context
 * @promises: blob id to what PIPE_RESOURCE_CREATE made under it and no blob took yet; NULL: none
 * @unknown_count: commands left out because the table has no row for them
 * @left_out_count: commands left out because of what they say
 */
struct renderer_virgl_context {
	uint32_t capset_id;
	GHashTable *promises;
	uint64_t unknown_count;
	uint64_t left_out_count;
};

/** Formats that a capset has bits for, in words */
#define RENDERER_VIRGL_FORMAT_WORDS 16

/**
 * struct renderer_virgl_host - What the host's OpenGL can do, of what matters here
 * @is_known: it was asked, which takes a millisecond
 * @copies_images: parts of textures, whatever their format
 * @is_gles: it is OpenGL ES
 * @renderable: a bit for each format that can be drawn to
 */
struct renderer_virgl_host {
	bool is_known;
	bool copies_images;
	bool is_gles;
	uint32_t renderable[RENDERER_VIRGL_FORMAT_WORDS];
};

/**
 * struct renderer_virgl - The virglrenderer mode
 * @callbacks: given to the library, which keeps the address
 * @render_node_fd: the node that the user named, or that has native contexts, or -1; owned
 * @maps_fd: the kernel's list of this process's mappings, or -1; owned
 * @may_use_gl: the library's age allows OpenGL, or the user does
 * @has_gl: OpenGL contexts, and with them all images that are not blobs
 * @has_venus: Vulkan contexts, in @server
 * @has_drm: native contexts
 * @clear_id: the 2D image that is being cleared, or 0
 * @clear_y: the line that comes next
 * @exports_opaque: Vulkan runs on the CPU only, and the host makes no dma-bufs of such memory
 * @vulkan: what the host's Vulkan can do, where venus was looked for
 * @sandbox: what @server is confined by, or NULL; valid in create() only
 * @server: runs as long as @has_venus
 * @host: filled in when a command needs it
 * @contexts: id to struct renderer_virgl_context; ours only
 * @resources: id to struct gpu_resource, of those that the library has
 * @context: main context of @poll_source, a reference
 * @poll_source: polls the library: when its descriptor says so, or, without its fence thread, by
 *	the clock as long as fences are pending; NULL when it is not running
 * @has_fence_thread: the library waits for fences on a thread of its own
 * @event_lock: held while the device is told of a fence
 * @is_closed: under @event_lock: the device is gone, and hears nothing any more
 * @fence_lock: guards the three below
 * @pending: struct pending_fence, oldest first, by their link
 * @fence_pool: those that nobody uses
 * @last_serial: given to the youngest fence
 */
struct renderer_virgl {
	struct renderer base;
	struct virgl_renderer_callbacks callbacks;
	int render_node_fd;
	int maps_fd;
	bool may_use_gl;
	bool has_gl;
	bool has_venus;
	bool has_drm;
	uint32_t clear_id;
	uint32_t clear_y;
	bool exports_opaque;
	struct renderer_vulkan vulkan;
	const struct sandbox *sandbox;
	struct renderer_virgl_server server;
	struct renderer_virgl_host host;
	GHashTable *contexts;
	GHashTable *resources;
	GMainContext *context;
	GSource *poll_source;
	bool has_fence_thread;
	GMutex event_lock;
	bool is_closed;
	GMutex fence_lock;
	GQueue pending;
	struct pool fence_pool;
	uint32_t last_serial;
};

/** renderer_virgl_of() - The renderer behind its base. */
static inline struct renderer_virgl *renderer_virgl_of(struct renderer *renderer)
{
	return (struct renderer_virgl *)renderer;
}

/**
 * renderer_virgl_errno() - The library's result as ours
 *
 * It returns EINVAL, -EINVAL or -1, whichever the function's author liked.
 */
static inline int renderer_virgl_errno(int result)
{
	if (result == -1)
		return -EINVAL;
	return result > 0 ? -result : result;
}

/**
 * renderer_virgl_library_load() - Load virglrenderer; before anything of it is called
 * @ret_message: why not; freed by the caller
 *
 * It stays loaded; a second call is fine. Return: 0 or a negative errno.
 */
int renderer_virgl_library_load(char **ret_message);

/**
 * renderer_virgl_library_check() - May a guest's OpenGL reach the library that was loaded?
 * @ret_reason: why not; freed by the caller
 *
 * Before 1.0.1 its parser of shaders writes where the guest's text says. Cheap, starts nothing, and
 * finds the same in each process. Return: 0 or -ENOTSUP.
 */
int renderer_virgl_library_check(char **ret_reason);

/**
 * renderer_virgl_library_is_sound() - The rule behind it: is this release 1.0.1 or newer?
 * @file_name: of the file that the soname leads to, without its folder
 * @has_new_function: it exports what 1.2.0 brought; only asked where the name has no version
 */
bool renderer_virgl_library_is_sound(const char *file_name, bool has_new_function);

/** renderer_virgl_log_init() - Send the library's lines through util/log.h. */
void renderer_virgl_log_init(void);

/**
 * renderer_virgl_has_timelines() - Do the rings of this context have fences of their own?
 *
 * Vulkan's and native contexts' do; all of OpenGL is one timeline.
 */
bool renderer_virgl_has_timelines(struct renderer_virgl *virgl, uint32_t ctx_id);

/** renderer_virgl_describe() - Add to the renderer's description. */
void renderer_virgl_describe(struct renderer_virgl *virgl, const char *format, ...)
	G_GNUC_PRINTF(2, 3);

/**
 * renderer_virgl_gl_function() - Where a function of OpenGL stands as the library calls it
 *
 * What stands there may become another one with the first call. Return: the process's; NULL: nowhere.
 */
void **renderer_virgl_gl_function(const char *name);

/**
 * renderer_virgl_start() - Initialise the library, with the best GL that the host has
 * @ret_message: what was tried, on failure; freed by the caller
 *
 * Fills in render_node_fd, has_gl, has_venus, has_drm, has_fence_thread, and starts the render
 * server. What was not asked for by name may be missing. Return: 0 or a negative errno.
 */
int renderer_virgl_start(
	struct renderer_virgl *virgl, const struct renderer_options *options, char **ret_message);

/**
 * renderer_virgl_features_find() - What of Vulkan and native contexts is wanted and is there
 * @ret_flags: RENDERER_VIRGL_*_FLAGS
 * @ret_message: why something is missing that was asked for by name; freed by the caller
 *
 * Fills in server.path, exports_opaque, perhaps render_node_fd. Return: 0 or a negative errno.
 */
int renderer_virgl_features_find(struct renderer_virgl *virgl,
	const struct renderer_options *options, int *ret_flags, char **ret_message);

/**
 * renderer_virgl_server_find() - Look for the render server's program
 * @ret_reason: why there is none; freed by the caller
 *
 * Fills in server.path. Return: 0 or -ENOENT.
 */
int renderer_virgl_server_find(struct renderer_virgl *virgl, char **ret_reason);

/** renderer_virgl_server_start() - Run it. Return: 0 or a negative errno, perhaps a reason. */
int renderer_virgl_server_start(struct renderer_virgl *virgl, char **ret_reason);

/** renderer_virgl_server_needs - What the sandbox leaves open for it and the driver in it (needs.c) */
extern const struct sandbox_needs renderer_virgl_server_needs;

/** renderer_virgl_server_take_fd() - The library's callback: the socket is now its own. */
int renderer_virgl_server_take_fd(void *cookie, uint32_t version);

/** renderer_virgl_server_watch() - Say so in the log when it ends by itself. */
void renderer_virgl_server_watch(struct renderer_virgl *virgl, GMainContext *context);

/** renderer_virgl_server_stop() - After the library has closed the socket: wait for its end, and
 * bring it about when that takes more than 2 seconds. */
void renderer_virgl_server_stop(struct renderer_virgl *virgl);

/**
 * renderer_virgl_drm_find() - Is there a GPU that can have native contexts?
 * @ret_reason: why not; freed by the caller
 *
 * Opens its node as render_node_fd, unless the user named one. Return: 0 or a negative errno.
 */
int renderer_virgl_drm_find(struct renderer_virgl *virgl, char **ret_reason);

/** renderer_virgl_drm_works() - Has the library, which runs, taken the node? */
bool renderer_virgl_drm_works(void);

/** renderer_virgl_create_blob() - resource_create() for a blob. */
int renderer_virgl_create_blob(struct gpu_resource *resource);

/** renderer_virgl_may_attach() - Does the context survive to be given this resource? */
bool renderer_virgl_may_attach(
	struct renderer_virgl *virgl, uint32_t ctx_id, const struct gpu_resource *resource);

/** renderer_virgl_warm_up() - Load what export_blob() needs; there are no resources yet. */
void renderer_virgl_warm_up(void);

/** renderer_virgl_fences_init() - Begin to watch the library; it runs already. */
void renderer_virgl_fences_init(struct renderer_virgl *virgl, GMainContext *context);

/**
 * renderer_virgl_fences_finish() - Wait for the fences that are pending and stop watching
 *
 * Return: 0, or -ETIMEDOUT when the GPU does not come to an end; the library's thread may then
 * still use everything, and nothing may be freed.
 */
int renderer_virgl_fences_finish(struct renderer_virgl *virgl);

/**
 * renderer_virgl_fences_close() - Tell the device nothing any more
 *
 * When it returns no event is on its way, and none comes, whatever the library's threads still do.
 */
void renderer_virgl_fences_close(struct renderer_virgl *virgl);

/** renderer_virgl_write_fence() - The library's callback, on its thread or on ours. */
void renderer_virgl_write_fence(void *cookie, uint32_t serial);

/** renderer_virgl_write_context_fence() - The same for contexts with timelines of their own. */
void renderer_virgl_write_context_fence(
	void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t seqno);

/** renderer_virgl_fences_sweep() - To be called when the library may have lost a fence. */
void renderer_virgl_fences_sweep(struct renderer_virgl *virgl);

/**
 * renderer_virgl_write_rect() - Draw into a 2D image
 * @pixels: lines without gaps, only read; @len: bytes
 *
 * Context 0 is current. The caller knows that @rect lies inside the image. Return: 0 or a negative
 * errno.
 */
int renderer_virgl_write_rect(
	struct gpu_resource *resource, const struct gpu_rect *rect, void *pixels, size_t len);

/**
 * renderer_virgl_may_write() - Does the library survive this transfer to the host?
 * @image: from renderer_virgl_image_of()
 */
bool renderer_virgl_may_write(
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer);

/**
 * renderer_virgl_may_read() - Does the library survive this transfer from the host in a stream?
 * @image: from renderer_virgl_image_of(), of a resource that exists
 *
 * And does it answer with no memory that nobody wrote? The first time for a format and a target OpenGL is
 * asked, in context 0.
 */
bool renderer_virgl_may_read(
	const struct gpu_resource *image, const struct gpu_transfer_3d *transfer);

/** renderer_virgl_size_is_sane() - May a 3D resource have this format, and are the library's 32 bits
 * enough for its size? */
bool renderer_virgl_size_is_sane(const struct gpu_resource *resource);

/** renderer_virgl_is_readable() - Can OpenGL read it back, as far as its kind tells? */
bool renderer_virgl_is_readable(const struct gpu_resource *resource);

/**
 * renderer_virgl_stream_guard() - Leave out what the library does not survive
 * @words: commands of an OpenGL context, @count of them; written to
 * @max_words: stop behind the command with which as many words are done; SIZE_MAX: at the end
 *
 * Looks at whole commands from @words on, at one at least. Return: how many words that are; all of them
 * where the library would stop before the end.
 */
size_t renderer_virgl_stream_guard(struct renderer_virgl *virgl, uint32_t ctx_id, uint32_t *words,
	size_t count, size_t max_words);

/**
 * renderer_virgl_mask_capset() - Take out of an OpenGL capset what the guard would leave out
 * @caps: as the library filled it, @len bytes
 */
void renderer_virgl_mask_capset(void *caps, size_t len);

/** renderer_virgl_get_host() - What the host's OpenGL can do; switches to context 0 at first. */
const struct renderer_virgl_host *renderer_virgl_get_host(struct renderer_virgl *virgl);

/** renderer_virgl_can_render() - Can the host draw to a texture of this format? */
bool renderer_virgl_can_render(const struct renderer_virgl_host *host, uint32_t format);

/** renderer_virgl_context_create() - Ours of a context. */
struct renderer_virgl_context *renderer_virgl_context_create(uint32_t capset_id);

/** renderer_virgl_context_destroy() - And its end; NULL is fine. */
void renderer_virgl_context_destroy(struct renderer_virgl_context *context);

/**
 * renderer_virgl_image_promise() - A command makes @image, for a blob to take under @blob_id
 *
 * Return: false where the id is promised already, or too many are.
 */
bool renderer_virgl_image_promise(
	struct renderer_virgl_context *context, uint32_t blob_id, const struct gpu_resource *image);

/** renderer_virgl_image_take() - The library made this blob. */
void renderer_virgl_image_take(struct renderer_virgl *virgl, struct gpu_resource *resource);

/**
 * renderer_virgl_image_set() - A command gives a blob a type
 *
 * Return: false where it had another.
 */
bool renderer_virgl_image_set(struct gpu_resource *resource, const struct gpu_resource *image);

/** renderer_virgl_image_drop() - The resource is destroyed. */
void renderer_virgl_image_drop(struct gpu_resource *resource);

/**
 * renderer_virgl_image_of() - What a resource really is
 * @ret_image: the resource as RESOURCE_CREATE_3D would have made it, with its backing
 *
 * Return: false for a blob without an image, or of which that is not known.
 */
bool renderer_virgl_image_of(const struct gpu_resource *resource, struct gpu_resource *ret_image);

/* Hooks of struct renderer_ops, in fences.c, resource.c, transfer.c, read.c, export.c and blob.c. */
int renderer_virgl_create_fence(struct renderer *renderer, const struct renderer_fence *fence);
int renderer_virgl_resource_create(struct renderer *renderer, struct gpu_resource *resource);
int renderer_virgl_resource_destroy(struct renderer *renderer, struct gpu_resource *resource);
int renderer_virgl_attach_backing(struct renderer *renderer, struct gpu_resource *resource);
void renderer_virgl_detach_backing(struct renderer *renderer, struct gpu_resource *resource);
int renderer_virgl_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset);
int renderer_virgl_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);
int renderer_virgl_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer);
int renderer_virgl_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride);
int renderer_virgl_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf);
int renderer_virgl_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob);

/** renderer_virgl_is_single_image() - Lines of pixels, once? Not a buffer, cube, array and so on. */
bool renderer_virgl_is_single_image(const struct gpu_resource *resource);

/** renderer_virgl_format_is_real() - Does the host's texture have the guest's format? If not, it
 * holds the same bytes under another name, and nobody outside may interpret them. */
bool renderer_virgl_format_is_real(const struct gpu_resource *resource);
