/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * DRM native contexts: the guest runs the host GPU's own driver and virglrenderer passes its
 * commands on. Needs a render node of a kernel driver that the library knows; each context opens
 * that node again through us, so that it is opened here, before the sandbox closes.
 */
#include "renderer/virgl/renderer_virgl.h"
#include "util/fd.h"

#include <drm.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#define FIRST_NODE	 128
#define NODE_COUNT	 64
#define CAPS_CONTEXT	 4 /* the word in the capset that is not 0 where a driver was found */
#define MIN_CAPS_LEN	 ((CAPS_CONTEXT + 1) * sizeof(uint32_t))
#define DRIVER_NAME_SIZE 32

/* What virglrenderer up to 1.3 can be built for. */
static const char *const drivers[] = {"amdgpu", "asahi", "i915", "msm", "panfrost"};

static bool get_driver(int fd, char name[DRIVER_NAME_SIZE])
{
	struct drm_version version = {.name = name, .name_len = DRIVER_NAME_SIZE - 1};

	memset(name, 0, DRIVER_NAME_SIZE);
	return ioctl(fd, DRM_IOCTL_VERSION, &version) == 0;
}

static bool is_known(int fd, char name[DRIVER_NAME_SIZE])
{
	if (!get_driver(fd, name))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
		if (strcmp(name, drivers[i]) == 0)
			return true;
	}
	return false;
}

static int open_known_node(void)
{
	char path[32], name[DRIVER_NAME_SIZE];

	for (int i = FIRST_NODE; i < FIRST_NODE + NODE_COUNT; i++) {
		autofd fd = -1;

		g_snprintf(path, sizeof(path), "/dev/dri/renderD%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0 && is_known(fd, name))
			return fd_take(&fd);
	}
	return -1;
}

int renderer_virgl_drm_find(struct renderer_virgl *virgl, char **ret_reason)
{
	char name[DRIVER_NAME_SIZE];
	uint32_t version = 0, size = 0;

	virgl_renderer_get_cap_set(VIRTIO_GPU_CAPSET_DRM, &version, &size);
	if (size == 0) {
		*ret_reason = g_strdup("this virglrenderer was built without native contexts");
		return -ENOTSUP;
	}
	if (virgl->render_node_fd >= 0) {
		if (is_known(virgl->render_node_fd, name))
			return 0;
		*ret_reason = g_strdup_printf(
			"virglrenderer has no native contexts for the kernel driver '%s'", name);
		return -ENODEV;
	}
	virgl->render_node_fd = open_known_node();
	if (virgl->render_node_fd >= 0)
		return 0;
	*ret_reason = g_strdup("there is no render node of a kernel driver that virglrenderer has "
			       "native contexts for (amdgpu, asahi, i915, msm, panfrost)");
	return -ENODEV;
}

bool renderer_virgl_drm_works(void)
{
	uint32_t version = 0, size = 0;
	g_autofree uint32_t *caps = NULL;

	virgl_renderer_get_cap_set(VIRTIO_GPU_CAPSET_DRM, &version, &size);
	if (size < MIN_CAPS_LEN)
		return false;
	caps = g_malloc0(size);
	virgl_renderer_fill_caps(VIRTIO_GPU_CAPSET_DRM, version, caps);
	return caps[CAPS_CONTEXT] != 0;
}
