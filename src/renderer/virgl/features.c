/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What there is beside OpenGL: Vulkan in the render server, and native contexts. Each is looked for
 * before the library starts, because it says little when something is missing, and fails as a
 * whole. What was asked for by name and is not there is an error that says why; what was not is
 * left out, with a line in the log.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/log.h"

#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_VIRGL_RENDERER_SUBMIT_CMD2
#define MAPS_OPAQUE true
#else
#define MAPS_OPAQUE false /* 0.10.4: its render server does not tell whose memory it exports */
#endif

static int find_venus(struct renderer_virgl *virgl, char **ret_reason)
{
	uint32_t version = 0, size = 0;
	int ret;

	virgl_renderer_get_cap_set(VIRTIO_GPU_CAPSET_VENUS, &version, &size);
	if (size == 0) {
		*ret_reason = g_strdup("this virglrenderer was built without it");
		return -ENOTSUP;
	}
	ret = renderer_virgl_server_find(virgl, ret_reason);
	if (ret == 0)
		ret = renderer_vulkan_probe(&virgl->vulkan, ret_reason);
	virgl->exports_opaque =
		ret == 0 && !virgl->vulkan.has_gpu && access("/dev/udmabuf", R_OK | W_OK) != 0;
	return ret;
}

/* NULL where guests can map what Vulkan allocates. A driver that they cannot is worth nothing to
 * most, so that who wants it has to ask for it. */
static const char *why_not_mappable(const struct renderer_virgl *virgl)
{
	if (virgl->vulkan.has_gpu && !virgl->vulkan.exports_dmabufs)
		return "the GPU's Vulkan driver has no VK_EXT_external_memory_dma_buf here, so that "
		       "guests cannot map its memory";
	if (virgl->exports_opaque && !MAPS_OPAQUE)
		return "memory of a software Vulkan driver cannot be mapped with this "
		       "virglrenderer, which is older than 1.0, without /dev/udmabuf";
	return NULL;
}

struct feature {
	uint32_t capset_id;
	const char *name;
	int flags;
	int (*find)(struct renderer_virgl *virgl, char **ret_reason);
};

static const struct feature features[] = {
	{VIRTIO_GPU_CAPSET_VENUS, "venus", RENDERER_VIRGL_VENUS_FLAGS, find_venus},
	{VIRTIO_GPU_CAPSET_DRM, "drm", RENDERER_VIRGL_DRM_FLAGS, renderer_virgl_drm_find},
};

static int find_feature(struct renderer_virgl *virgl, const struct feature *feature,
	bool is_required, char **ret_message)
{
	g_autofree char *reason = NULL;
	const char *useless = NULL;
	int ret;

	/* Their fences come from the library's threads only. */
	if (getenv("VIRGL_DISABLE_MT")) {
		reason = g_strdup("VIRGL_DISABLE_MT is set");
		ret = -ENOTSUP;
	} else {
		ret = feature->find(virgl, &reason);
	}
	if (ret == 0 && feature->capset_id == VIRTIO_GPU_CAPSET_VENUS)
		useless = why_not_mappable(virgl);
	if (useless && is_required)
		log_warning("virglrenderer: %s: %s", feature->name, useless);
	if (ret == 0 && (!useless || is_required))
		return 0;
	if (useless) {
		reason = g_strdup(useless);
		ret = -ENOTSUP;
	}
	if (is_required)
		*ret_message = g_strdup_printf(
			"no %s: %s", feature->name, reason ? reason : g_strerror(-ret));
	else
		renderer_virgl_describe(
			virgl, "no %s: %s", feature->name, reason ? reason : g_strerror(-ret));
	return ret;
}

int renderer_virgl_features_find(struct renderer_virgl *virgl,
	const struct renderer_options *options, int *ret_flags, char **ret_message)
{
	const uint64_t mask = options->capset_mask;
	int flags = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
		const struct feature *feature = &features[i];
		const bool is_required = (mask & RENDERER_VIRGL_CAPSET(feature->capset_id)) != 0;
		int ret;

		if (mask != 0 && !is_required)
			continue;
		ret = find_feature(virgl, feature, is_required, ret_message);
		if (ret < 0 && is_required)
			return ret;
		if (ret == 0)
			flags |= feature->flags;
	}
	*ret_flags = flags;
	return 0;
}
