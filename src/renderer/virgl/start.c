/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Finding a GL that works: the window system interfaces and the GL dialects are tried one after
 * the other, best first, until virglrenderer starts on one. Owns the render node's descriptor.
 */
#include "renderer/virgl/renderer_virgl.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/fd.h"
#include "util/log.h"

#define FENCE_THREAD_FLAGS (VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_ASYNC_FENCE_CB)
#define MAX_ATTEMPTS	   8
#define DRM_MAJOR	   226
#define EGL_EXTENSIONS	   0x3055

struct attempt {
	const char *name;
	int flags;
};

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
	const bool egl = options->use_egl && has_egl();
	size_t count = 0;

	/* Only GBM renders on the very node that was named; surfaceless takes the first GPU. */
	if (egl && options->render_node)
		attempts[count++] = gbm;
	if (egl && options->use_surfaceless)
		attempts[count++] = surfaceless;
	if (egl && !options->render_node)
		attempts[count++] = gbm;
	if (options->use_glx)
		attempts[count++] = glx;
	return count;
}

/*
 * The environment variable is the library's own: where it forbids threads, fences are polled for.
 * A thread that does not start is a failure, since the library then looks at no fence at all, not
 * even after it was initialised again without.
 */
static int init_library(struct renderer_virgl *virgl, int flags)
{
	int ret;

	virgl->has_fence_thread = getenv("VIRGL_DISABLE_MT") == NULL;
	if (virgl->has_fence_thread)
		flags |= FENCE_THREAD_FLAGS;
	ret = virgl_renderer_init(virgl, flags, &virgl->callbacks);
	if (ret != 0)
		return renderer_virgl_errno(ret);
	if (virgl->has_fence_thread && virgl_renderer_get_poll_fd() < 0) {
		virgl_renderer_cleanup(virgl);
		return -EAGAIN;
	}
	return 0;
}

static int try_one(
	struct renderer_virgl *virgl, const struct attempt *attempt, bool gles, GString *tried)
{
	const char *dialect = gles ? "OpenGL ES" : "OpenGL";
	int ret = init_library(virgl, attempt->flags | (gles ? VIRGL_RENDERER_USE_GLES : 0));

	if (ret == 0) {
		log_info("virglrenderer: %s with %s, fences by %s", attempt->name, dialect,
			virgl->has_fence_thread ? "thread" : "timer");
		return 0;
	}
	g_string_append_printf(tried, "%s%s with %s (%s)", tried->len > 0 ? ", " : "",
		attempt->name, dialect, g_strerror(-ret));
	return ret;
}

static int try_all(
	struct renderer_virgl *virgl, const struct renderer_options *options, GString *tried)
{
	struct attempt attempts[MAX_ATTEMPTS];
	size_t count = list_attempts(options, attempts);
	int ret = -ENOTSUP;

	if (count == 0)
		g_string_append(tried, "EGL (no driver installed)");
	/* OpenGL gives a guest all of it, OpenGL ES only what it can stand for. */
	for (int gles = 0; gles <= (options->use_gles ? 1 : 0); gles++) {
		for (size_t i = 0; i < count; i++) {
			/* GLX has no ES. */
			if (gles && (attempts[i].flags & VIRGL_RENDERER_USE_GLX))
				continue;
			ret = try_one(virgl, &attempts[i], gles != 0, tried);
			if (ret == 0)
				return 0;
		}
	}
	return ret;
}

int renderer_virgl_start(
	struct renderer_virgl *virgl, const struct renderer_options *options, char **ret_message)
{
	g_autoptr(GString) tried = g_string_new(NULL);
	int ret;

	if (!options->use_egl && !options->use_glx) {
		*ret_message = g_strdup("virglrenderer: neither EGL nor GLX may be used");
		return -EINVAL;
	}
	if (options->render_node) {
		ret = open_render_node(options->render_node, &virgl->render_node_fd);
		if (ret < 0) {
			*ret_message = g_strdup_printf("virglrenderer: cannot use %s: %s",
				options->render_node, g_strerror(-ret));
			return ret;
		}
	}
	virgl->callbacks = (struct virgl_renderer_callbacks){
		.version = 3,
		.write_fence = renderer_virgl_write_fence,
		.write_context_fence = renderer_virgl_write_context_fence,
		.get_drm_fd = dup_render_node,
	};
	ret = try_all(virgl, options, tried);
	if (ret < 0) {
		*ret_message =
			g_strdup_printf("virglrenderer: no GL starts here: tried %s", tried->str);
		fd_clear(&virgl->render_node_fd);
	}
	return ret;
}
