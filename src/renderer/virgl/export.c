/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A texture as a dma-buf for the display, where the host's EGL can export one: a GPU's driver
 * does, llvmpipe only with udmabuf. vhost-user-gpu protocol, VHOST_USER_GPU_DMABUF_SCANOUT.
 */
#include "renderer/virgl/renderer_virgl.h"

#include <string.h>

#define TARGET_TEXTURE_2D   2
#define TARGET_TEXTURE_RECT 5
#define MOD_INVALID	    ((UINT64_C(1) << 56) - 1) /* DRM_FORMAT_MOD_INVALID */

bool renderer_virgl_is_single_image(const struct gpu_resource *resource)
{
	if (resource->kind != GPU_RESOURCE_3D)
		return resource->kind == GPU_RESOURCE_2D;
	return resource->args_3d.nr_samples <= 1 &&
	       (resource->args_3d.target == TARGET_TEXTURE_2D ||
		       resource->args_3d.target == TARGET_TEXTURE_RECT);
}

static int get_info(uint32_t id, struct virgl_renderer_resource_info *ret_info, uint64_t *ret_mod)
{
#ifdef HAVE_VIRGL_RENDERER_RESOURCE_GET_INFO_EXT
	struct virgl_renderer_resource_info_ext ext;
	int ret;

	memset(&ext, 0, sizeof(ext));
	ret = virgl_renderer_resource_get_info_ext((int)id, &ext);
	if (ret != 0)
		return renderer_virgl_errno(ret);
	if (!ext.has_dmabuf_export || ext.planes != 1)
		return -ENOTSUP;
	*ret_info = ext.base;
	*ret_mod = ext.modifiers;
	return 0;
#else
	memset(ret_info, 0, sizeof(*ret_info));
	*ret_mod = MOD_INVALID;
	return renderer_virgl_errno(virgl_renderer_resource_get_info((int)id, ret_info));
#endif
}

int renderer_virgl_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf)
{
	struct virgl_renderer_resource_info info;
	uint64_t modifier;
	int fd = -1, stride = 0, offset = 0;

	if (!renderer_virgl_of(renderer)->has_gl || !renderer_virgl_is_single_image(resource) ||
		!renderer_virgl_format_is_real(resource))
		return -ENOTSUP;
	virgl_renderer_force_ctx_0();
	if (get_info(resource->id, &info, &modifier) < 0 || info.drm_fourcc == 0)
		return -ENOTSUP;
	if (virgl_renderer_get_fd_for_texture2(info.tex_id, &fd, &stride, &offset) != 0 || fd < 0)
		return -ENOTSUP;
	*ret_dmabuf = (struct renderer_dmabuf){
		.fd = fd,
		.width = resource->width,
		.height = resource->height,
		.fourcc = (uint32_t)info.drm_fourcc,
		.modifier = modifier,
		.stride = (uint32_t)stride,
		.offset = (uint32_t)offset,
		.y_0_top = (info.flags & VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP) != 0,
	};
	return 0;
}
