/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What OpenGL and Vulkan drivers need of the sandbox: Mesa's, NVIDIA's, and the loaders in front of
 * them. The files are where these projects say that they look; what a user has in a home directory
 * is found by the environment variables that name it.
 */
#include "renderer/needs.h"

static const struct sandbox_call calls[] = {
	/* llvmpipe and lavapipe compile shaders to code, GPU drivers some of their functions */
	SANDBOX_CALL(mmap),
	SANDBOX_CALL(mprotect),
	/* the GPU, and dma-bufs */
	SANDBOX_CALL(ioctl),
	SANDBOX_CALL(kcmp), /* are two descriptors the same file? */
	SANDBOX_CALL(mlock),
	SANDBOX_CALL(mlock2),
	SANDBOX_CALL(munlock),
	/*
	 * Where a thread runs, said by itself. A number of a thread may be anybody's, so that drivers go
	 * without where they name one: they take it for a wish.
	 */
	SANDBOX_CALL_IF_INT(sched_setaffinity, 0, 0),
	SANDBOX_CALL_IF_INT(sched_setscheduler, 0, 0),
	SANDBOX_CALL_IF_INT(sched_setattr, 0, 0),
	SANDBOX_CALL(sched_getscheduler),
	SANDBOX_CALL(sched_getparam),
	SANDBOX_CALL(sched_getattr),
	SANDBOX_CALL(sched_get_priority_max),
	SANDBOX_CALL(sched_get_priority_min),
	SANDBOX_CALL(getpriority),
	SANDBOX_CALL(get_mempolicy),
	SANDBOX_CALL(set_mempolicy),
	SANDBOX_CALL(mbind),
	/* events and shared memory between threads and with the front-end */
	SANDBOX_CALL(eventfd2),
	SANDBOX_CALL(epoll_create1),
	SANDBOX_CALL(epoll_ctl),
	SANDBOX_CALL(epoll_wait),
	SANDBOX_CALL(epoll_pwait),
	SANDBOX_CALL(select),
	SANDBOX_CALL(pselect6),
	SANDBOX_CALL(timerfd_create),
	SANDBOX_CALL(timerfd_settime),
	SANDBOX_CALL(timerfd_gettime),
	SANDBOX_CALL(memfd_create),
	SANDBOX_CALL(ftruncate),
	SANDBOX_CALL(fallocate),
	/* the shader cache, where there is one: Landlock lets nothing else be written */
	SANDBOX_CALL(flock),
	SANDBOX_CALL(fsync),
	SANDBOX_CALL(fdatasync),
	SANDBOX_CALL(mkdir),
	SANDBOX_CALL(mkdirat),
	SANDBOX_CALL(rename),
	SANDBOX_CALL(renameat),
	SANDBOX_CALL(renameat2),
	SANDBOX_CALL(unlink),
	SANDBOX_CALL(unlinkat),
	SANDBOX_CALL(utimensat),
	{0},
};

static const struct sandbox_path paths[] = {
	{"/dev/dri", SANDBOX_READ},
	{"/dev/dri/renderD*", SANDBOX_DEVICE},
	{"/dev/udmabuf", SANDBOX_DEVICE},
	{"/dev/kfd", SANDBOX_DEVICE},
	{"/dev/dxg", SANDBOX_DEVICE},
	{"/dev/mali*", SANDBOX_DEVICE},
	{"/dev/kgsl-3d0", SANDBOX_DEVICE},
	{"/dev/nvidia*", SANDBOX_DEVICE},
	{"/dev/nvhost*", SANDBOX_DEVICE},
	{"/dev/nvmap", SANDBOX_DEVICE},
	{"/etc/drirc", SANDBOX_READ},
	{"/etc/glvnd", SANDBOX_READ},
	{"/etc/egl", SANDBOX_READ},
	{"/etc/vulkan", SANDBOX_READ},
	{"/etc/nvidia", SANDBOX_READ},
	{"/etc/xdg/vulkan", SANDBOX_READ},
	{0},
};

static const char *const variables[] = {
	"LIBGL_DRIVERS_PATH",
	"GBM_BACKENDS_PATH",
	"DRIRC_CONFIGDIR",
	"__EGL_VENDOR_LIBRARY_DIRS",
	"__EGL_VENDOR_LIBRARY_FILENAMES",
	"__EGL_EXTERNAL_PLATFORM_CONFIG_DIRS",
	"__EGL_EXTERNAL_PLATFORM_CONFIG_FILENAMES",
	"VK_DRIVER_FILES",
	"VK_ADD_DRIVER_FILES",
	"VK_ICD_FILENAMES",
	"VK_LAYER_PATH",
	"VK_ADD_LAYER_PATH",
	NULL,
};

const struct sandbox_needs renderer_driver_needs = {
	.base = &renderer_module_needs,
	.calls = calls,
	.paths = paths,
	.variables = variables,
};
