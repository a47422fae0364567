/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Finding a GL that works: the window system interfaces and the GL dialects are tried one after
 * the other, best first, until virglrenderer starts on one. Owns the render node's descriptor.
 * Vulkan and native contexts (features.c) start along with it, or by themselves where no GL was
 * asked for or none starts.
 */
#include "renderer/options.h"
#include "renderer/virgl/renderer_virgl.h"
#include "util/fd.h"
#include "util/log.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FENCE_THREAD_FLAGS (VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_ASYNC_FENCE_CB)
#define MAX_ATTEMPTS	   8
#define DRM_MAJOR	   226
#define EGL_EXTENSIONS	   0x3055
#define GL_RENDERER_NAME   0x1f01 /* GL_RENDERER */
#define PROBE_CTX_ID	   1	  /* when there are no contexts yet */

struct attempt {
	const char *name;
	int flags;
};

static const uint64_t gl_capsets = RENDERER_VIRGL_CAPSET(VIRTIO_GPU_CAPSET_VIRGL) |
				   RENDERER_VIRGL_CAPSET(VIRTIO_GPU_CAPSET_VIRGL2);

/* The library takes the descriptor over. -1 lets it choose a node, or do without. */
static int dup_render_node(void *cookie)
{
	struct renderer_virgl *virgl = cookie;

	if (virgl->render_node_fd < 0)
		return -1;
	return fcntl(virgl->render_node_fd, F_DUPFD_CLOEXEC, 0);
}

/*
 * Without any EGL driver virglrenderer 0.10.4 uses a null pointer, and without the library epoxy
 * ends the process: so ask first. The library stays loaded for those two.
 */
static bool has_egl(void)
{
	const char *(*query)(void *display, int32_t name) = NULL;
	void *library = dlopen("libEGL.so.1", RTLD_LAZY | RTLD_LOCAL);
	const char *extensions = NULL;

	if (library)
		*(void **)&query = dlsym(library, "eglQueryString");
	if (query)
		extensions = query(NULL, EGL_EXTENSIONS);
	return extensions && strstr(extensions, "EGL_EXT_platform_base");
}

/* Without it epoxy ends the process as well. */
static bool has_gl_library(void)
{
	return dlopen("libOpenGL.so.0", RTLD_LAZY | RTLD_LOCAL) ||
	       dlopen("libGL.so.1", RTLD_LAZY | RTLD_LOCAL);
}

/* Anything else that opens would be ignored by GBM, and another GPU, or none, used instead. */
static int open_render_node(const char *path, int *ret_fd)
{
	autofd fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != DRM_MAJOR)
		return -ENODEV;
	*ret_fd = fd_take(&fd);
	return 0;
}

static size_t list_attempts(const struct renderer_options *options, struct attempt *attempts)
{
	const struct attempt gbm = {"EGL GBM", VIRGL_RENDERER_USE_EGL};
	const struct attempt surfaceless = {
		"EGL surfaceless", VIRGL_RENDERER_USE_EGL | VIRGL_RENDERER_USE_SURFACELESS};
	const struct attempt glx = {"GLX", VIRGL_RENDERER_USE_GLX};
	const bool egl = renderer_option_is_on(options, &renderer_option_use_egl) && has_egl();
	size_t count = 0;

	/* Only GBM renders on the very node that was named; surfaceless takes the first GPU. */
	if (egl && options->render_node)
		attempts[count++] = gbm;
	if (egl && renderer_option_is_on(options, &renderer_option_use_surfaceless))
		attempts[count++] = surfaceless;
	if (egl && !options->render_node)
		attempts[count++] = gbm;
	if (renderer_option_is_on(options, &renderer_option_use_glx))
		attempts[count++] = glx;
	return count;
}

/*
 * The library sends the server a greeting and does not wait for an answer. A context needs one, and
 * a process.
 */
static int check_venus(void)
{
	int ret = virgl_renderer_context_create_with_flags(
		PROBE_CTX_ID, VIRTIO_GPU_CAPSET_VENUS, 5, "probe");

	if (ret != 0)
		return -ECONNREFUSED;
	virgl_renderer_context_destroy(PROBE_CTX_ID);
	return 0;
}

static int check_library(struct renderer_virgl *virgl, int flags)
{
	/*
	 * A thread that does not start is a failure, since the library then looks at no fence at
	 * all, not even after it was initialised again without.
	 */
	if (virgl->has_fence_thread && !(flags & VIRGL_RENDERER_NO_VIRGL) &&
		virgl_renderer_get_poll_fd() < 0)
		return -EAGAIN;
	if (flags & VIRGL_RENDERER_VENUS)
		return check_venus();
	return 0;
}

/*
 * The environment variable is the library's own: where it forbids threads, fences are polled for.
 * Blobs have to be descriptors, since the front-end is another process.
 */
static int init_library(struct renderer_virgl *virgl, int flags, char **ret_reason)
{
	int ret;

	virgl->has_fence_thread = !getenv("VIRGL_DISABLE_MT");
	if (virgl->has_fence_thread)
		flags |= FENCE_THREAD_FLAGS;
	flags |= VIRGL_RENDERER_USE_EXTERNAL_BLOB;
	if (flags & VIRGL_RENDERER_RENDER_SERVER) {
		ret = renderer_virgl_server_start(virgl, ret_reason);
		if (ret < 0)
			return ret;
	}
	ret = renderer_virgl_errno(virgl_renderer_init(virgl, flags, &virgl->callbacks));
	if (ret == 0) {
		ret = check_library(virgl, flags);
		if (ret == 0)
			return 0;
		virgl_renderer_cleanup(virgl);
	}
	renderer_virgl_server_stop(virgl);
	/* Without GL there is little else that can fail. */
	if ((flags & VIRGL_RENDERER_VENUS) &&
		((flags & VIRGL_RENDERER_NO_VIRGL) || ret == -ECONNREFUSED))
		*ret_reason = g_strdup_printf("the render server %s fails", virgl->server.path);
	return ret;
}

void renderer_virgl_describe(struct renderer_virgl *virgl, const char *format, ...)
{
	char *description = virgl->base.description;
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	if (description[0] != '\0')
		g_strlcat(description, "; ", sizeof(virgl->base.description));
	g_strlcat(description, text, sizeof(virgl->base.description));
}

/* Says what draws: OpenGL names its renderer itself. */
static void start_describe(struct renderer_virgl *virgl, const char *label)
{
	const uint8_t *(**get_string)(uint32_t name) = NULL;
	g_autofree char *missing = g_strdup(virgl->base.description);
	const uint8_t *name = NULL;

	virgl->base.description[0] = '\0';
	if (virgl->has_gl) {
		get_string = (const uint8_t *(**)(uint32_t))renderer_virgl_gl_function(
			"epoxy_glGetString");
		virgl_renderer_force_ctx_0();
		name = get_string ? (*get_string)(GL_RENDERER_NAME) : NULL;
	}
	renderer_virgl_describe(virgl, "%s%s%s, fences by %s", label, name ? " on " : "",
		name ? (const char *)name : "", virgl->has_fence_thread ? "thread" : "timer");
	/* What nobody asked for by name, and is not to be had, comes behind it. */
	if (missing[0] != '\0')
		renderer_virgl_describe(virgl, "%s", missing);
}

static int try_one(struct renderer_virgl *virgl, const char *name, int flags, GString *tried)
{
	g_autofree char *reason = NULL;
	g_autofree char *label =
		g_strdup_printf("%s%s%s", name, (flags & VIRGL_RENDERER_VENUS) ? " + Vulkan" : "",
			(flags & VIRGL_RENDERER_DRM) ? " + native contexts" : "");
	int ret = init_library(virgl, flags, &reason);

	if (ret == 0) {
		virgl->has_gl = !(flags & VIRGL_RENDERER_NO_VIRGL);
		virgl->has_venus = (flags & VIRGL_RENDERER_VENUS) != 0;
		virgl->has_drm = (flags & VIRGL_RENDERER_DRM) && renderer_virgl_drm_works();
		start_describe(virgl, label);
		return 0;
	}
	g_string_append_printf(tried, "%s%s (%s)", tried->len > 0 ? ", " : "", label,
		reason ? reason : g_strerror(-ret));
	return ret;
}

/*
 * With all that was found; and when that does not start, without what nobody asked for. At once,
 * since after OpenGL ES the library finds no OpenGL any more.
 */
static int try_features(struct renderer_virgl *virgl, const char *name, int gl_flags, int features,
	bool is_optional, GString *tried)
{
	int ret = try_one(virgl, name, gl_flags | features, tried);

	if (ret == 0 || !is_optional || features == 0)
		return ret;
	if ((features & VIRGL_RENDERER_DRM) && (features & VIRGL_RENDERER_VENUS))
		ret = try_one(virgl, name, gl_flags | RENDERER_VIRGL_VENUS_FLAGS, tried);
	if (ret < 0)
		ret = try_one(virgl, name, gl_flags, tried);
	if (ret == 0)
		renderer_virgl_describe(virgl, "did not start: %s", tried->str);
	return ret;
}

static int try_gl(struct renderer_virgl *virgl, const struct renderer_options *options,
	int features, GString *tried)
{
	struct attempt attempts[MAX_ATTEMPTS];
	size_t count = list_attempts(options, attempts);
	int ret = -ENOTSUP;

	if (count == 0)
		g_string_append(tried, "EGL (no driver installed)");
	else if (!has_gl_library()) {
		g_string_append(
			tried, "OpenGL (neither libOpenGL.so.0 nor libGL.so.1 is installed)");
		return -ENOTSUP;
	}
	/* OpenGL gives a guest all of it, OpenGL ES only what it can stand for. */
	for (int gles = 0;
		gles <= (renderer_option_is_on(options, &renderer_option_use_gles) ? 1 : 0);
		gles++) {
		for (size_t i = 0; i < count; i++) {
			g_autofree char *name = g_strdup_printf(
				"%s with %s", attempts[i].name, gles ? "OpenGL ES" : "OpenGL");
			int flags = attempts[i].flags | (gles ? VIRGL_RENDERER_USE_GLES : 0);

			/* GLX has no ES. */
			if (gles && (attempts[i].flags & VIRGL_RENDERER_USE_GLX))
				continue;
			ret = try_features(
				virgl, name, flags, features, options->capset_mask == 0, tried);
			if (ret == 0)
				return 0;
		}
	}
	return ret;
}

static int try_all(struct renderer_virgl *virgl, const struct renderer_options *options,
	int features, GString *tried)
{
	const uint64_t mask = options->capset_mask;
	int ret = -ENOTSUP;

	if (virgl->may_use_gl && (mask == 0 || (mask & gl_capsets)))
		ret = try_gl(virgl, options, features, tried);
	if (ret < 0 && features != 0 && !(mask & gl_capsets))
		ret = try_one(virgl, "without OpenGL", features | VIRGL_RENDERER_NO_VIRGL, tried);
	return ret;
}

static int check_options(const struct renderer_options *options, char **ret_message)
{
	const bool has_gl = options->capset_mask == 0 || (options->capset_mask & gl_capsets);

	if (!has_gl || renderer_option_is_on(options, &renderer_option_use_egl) ||
		renderer_option_is_on(options, &renderer_option_use_glx))
		return 0;
	*ret_message = g_strdup("neither EGL nor GLX may be used");
	return -EINVAL;
}

/*
 * OpenGL is for libraries that a guest's shader does not break, or for users who say otherwise. An
 * old one still serves Vulkan, which the render server runs, and native contexts.
 */
static int check_age(
	struct renderer_virgl *virgl, const struct renderer_options *options, char **ret_message)
{
	const bool is_allowed = renderer_option_is_on(options, &renderer_option_old_virglrenderer);
	const bool is_required = (options->capset_mask & gl_capsets) != 0;
	g_autofree char *reason = NULL, *message = NULL;

	virgl->may_use_gl = renderer_virgl_library_check(&reason) == 0 || is_allowed;
	if (!reason || (options->capset_mask != 0 && !is_required))
		return 0;
	if (is_allowed) {
		renderer_virgl_describe(
			virgl, "%s (--%s)", reason, renderer_option_old_virglrenderer.name);
		return 0;
	}
	message = g_strdup_printf("no OpenGL: %s; --%s takes that risk", reason,
		renderer_option_old_virglrenderer.name);
	if (!is_required) {
		renderer_virgl_describe(virgl, "%s", message);
		return 0;
	}
	*ret_message = g_steal_pointer(&message);
	return -ENOTSUP;
}

static int check_drm(const struct renderer_virgl *virgl, const struct renderer_options *options,
	char **ret_message)
{
	if (virgl->has_drm ||
		!(options->capset_mask & RENDERER_VIRGL_CAPSET(VIRTIO_GPU_CAPSET_DRM)))
		return 0;
	*ret_message = g_strdup("no drm: this virglrenderer has no native contexts "
				"for the kernel driver of the render node");
	return -ENOTSUP;
}

int renderer_virgl_start(
	struct renderer_virgl *virgl, const struct renderer_options *options, char **ret_message)
{
	g_autoptr(GString) tried = g_string_new(NULL);
	int flags = 0, ret = check_options(options, ret_message);

	if (ret < 0)
		return ret;
	if (options->render_node) {
		ret = open_render_node(options->render_node, &virgl->render_node_fd);
		if (ret < 0) {
			*ret_message = g_strdup_printf(
				"cannot use %s: %s", options->render_node, g_strerror(-ret));
			return ret;
		}
	}
	ret = check_age(virgl, options, ret_message);
	if (ret == 0)
		ret = renderer_virgl_features_find(virgl, options, &flags, ret_message);
	if (ret < 0)
		return ret;
	if (!virgl->may_use_gl && flags == 0) {
		*ret_message = g_strdup(virgl->base.description);
		return -ENOTSUP;
	}
	virgl->callbacks = (struct virgl_renderer_callbacks){
		.version = 3,
		.write_fence = renderer_virgl_write_fence,
		.write_context_fence = renderer_virgl_write_context_fence,
		.get_drm_fd = dup_render_node,
		.get_server_fd = renderer_virgl_server_take_fd,
	};
	ret = try_all(virgl, options, flags, tried);
	if (ret < 0) {
		*ret_message = g_strdup_printf("nothing starts here: tried %s", tried->str);
		return ret;
	}
	ret = check_drm(virgl, options, ret_message);
	if (ret < 0)
		virgl_renderer_cleanup(virgl);
	else if (virgl->has_venus && virgl->exports_opaque)
		renderer_virgl_warm_up();
	return ret;
}
