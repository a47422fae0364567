/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The one list of renderers, best first, with what each can offer. A row stays here when it was
 * not built, so that an error can say what is missing; -DHAVE_* of the build fills in create().
 */
#include "renderer/renderers.h"

#include "renderer/create.h"
#include "renderer/needs.h"
#include "renderer/options.h"

#include <string.h>

#ifdef HAVE_VIRGL
#define VIRGL_CREATE renderer_virgl_create
#define VIRGL_NEEDS  &renderer_virgl_needs
#else
#define VIRGL_CREATE NULL
#define VIRGL_NEEDS  NULL
#endif

#ifdef HAVE_RUTABAGA
#define RUTABAGA_CREATE renderer_rutabaga_create
#define RUTABAGA_NEEDS	&renderer_rutabaga_needs
#else
#define RUTABAGA_CREATE NULL
#define RUTABAGA_NEEDS	NULL
#endif

#ifdef HAVE_2D
#define CREATE_2D renderer_2d_create
#else
#define CREATE_2D NULL
#endif

static const struct renderer_capset_name virgl_capsets[] = {
	{"virgl", VIRTIO_GPU_CAPSET_VIRGL, "OpenGL, for drivers that know no virgl2"},
	{"virgl2", VIRTIO_GPU_CAPSET_VIRGL2, "OpenGL"},
	{"venus", VIRTIO_GPU_CAPSET_VENUS, "Vulkan"},
	{"drm", VIRTIO_GPU_CAPSET_DRM, "the host GPU's own driver in the guest"},
	{0},
};

static const struct renderer_capset_name gfxstream_capsets[] = {
	{"gfxstream-vulkan", VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN, "Vulkan"},
	{"gfxstream-gles", VIRTIO_GPU_CAPSET_GFXSTREAM_GLES, "OpenGL ES"},
	{"gfxstream-composer", VIRTIO_GPU_CAPSET_GFXSTREAM_COMPOSER, "Android's composition"},
	{"cross-domain", VIRTIO_GPU_CAPSET_CROSS_DOMAIN, "the host's Wayland in the guest"},
	{0},
};

static const struct renderer_option *const virgl_options[] = {
	&renderer_option_use_egl,
	&renderer_option_use_glx,
	&renderer_option_use_gles,
	&renderer_option_use_surfaceless,
	&renderer_option_old_virglrenderer,
	NULL,
};

static const struct renderer_option *const gfxstream_options[] = {
	&renderer_option_use_egl,
	&renderer_option_use_glx,
	&renderer_option_use_gles,
	&renderer_option_use_surfaceless,
	&renderer_option_channel,
	NULL,
};

const struct renderer_type renderer_types[] = {
	{
		.name = "virglrenderer",
		.summary = "OpenGL and Vulkan through virglrenderer",
		.meson_option = "virgl",
		.package = "virglrenderer",
		.capsets = virgl_capsets,
		.options = virgl_options,
		.needs = VIRGL_NEEDS,
		.create = VIRGL_CREATE,
	},
	{
		.name = "gfxstream",
		.summary = "Vulkan and OpenGL ES through Rutabaga",
		.meson_option = "rutabaga",
		.package = "rutabaga_gfx_ffi",
		.capsets = gfxstream_capsets,
		.options = gfxstream_options,
		.needs = RUTABAGA_NEEDS,
		.create = RUTABAGA_CREATE,
	},
	{
		.name = "2d",
		.summary = "a plain framebuffer, needs no GL",
		.meson_option = "2d",
		.create = CREATE_2D,
	},
	{
		.name = "null",
		.summary = "checks everything and shows a black screen, for tests",
		.create = renderer_null_create,
	},
	{0},
};

const struct renderer_type *renderer_type_find(const char *name)
{
	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		if (strcmp(type->name, name) == 0)
			return type;
	}
	return NULL;
}

const struct renderer_capset_name *renderer_capset_find(
	const struct renderer_type *type, const char *name)
{
	for (const struct renderer_capset_name *row = type->capsets; row && row->name; row++) {
		if (strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}
