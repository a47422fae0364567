/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What is around the library that plays virglrenderer, so that no host decides what is fuzzed: the
 * functions of <dlfcn.h>, which the build calls fake_*(), a render server that is no process, and a
 * Vulkan that is there.
 */
#include "fake-virgl.h"
#include "renderer/virgl/renderer_virgl.h"
#include "renderer/vulkan.h"
#include "util/fd.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

static uint32_t gl_error;
static struct renderer_virgl *watched;

void fake_host_set_gl_error(uint32_t error)
{
	gl_error = error;
}

static uint32_t get_error(void)
{
	const uint32_t error = gl_error;

	gl_error = 0;
	return error;
}

static const uint8_t *get_string(uint32_t name)
{
	return (const uint8_t *)"fake";
}

static const char *query_egl(void *display, int32_t name)
{
	return "EGL_EXT_platform_base";
}

static uint32_t (*get_error_pointer)(void) = get_error;
static const uint8_t *(*get_string_pointer)(uint32_t name) = get_string;

void *dlopen(const char *path, int flags)
{
	return &gl_error;
}

int dlclose(void *library)
{
	return 0;
}

void *dlsym(void *library, const char *name)
{
	if (strcmp(name, "eglQueryString") == 0)
		return (void *)query_egl;
	if (strcmp(name, "epoxy_glGetError") == 0)
		return &get_error_pointer;
	if (strcmp(name, "epoxy_glGetString") == 0)
		return &get_string_pointer;
	return NULL;
}

int renderer_vulkan_probe(struct renderer_vulkan *ret_vulkan, char **ret_reason)
{
	*ret_vulkan = (struct renderer_vulkan){.has_gpu = true, .exports_dmabufs = true};
	return 0;
}

/* The functions of the library are those of fake-virgl.c. */
int renderer_virgl_library_check(char **ret_reason)
{
	return 0;
}

int renderer_virgl_library_load(char **ret_message)
{
	return 0;
}

int renderer_virgl_server_find(struct renderer_virgl *virgl, char **ret_reason)
{
	virgl->server.path = g_strdup("fake");
	return 0;
}

int renderer_virgl_server_start(struct renderer_virgl *virgl, char **ret_reason)
{
	virgl->server.socket_fd = dup(STDERR_FILENO);
	return 0;
}

int renderer_virgl_server_take_fd(void *cookie, uint32_t version)
{
	return ((struct renderer_virgl *)cookie)->server.socket_fd;
}

void renderer_virgl_server_watch(struct renderer_virgl *virgl, GMainContext *context)
{
	watched = virgl;
}

void renderer_virgl_server_stop(struct renderer_virgl *virgl)
{
	watched = NULL;
	fd_clear(&virgl->server.socket_fd);
}

void fake_host_kill_server(void)
{
	if (watched)
		watched->base.events->contexts_lost(watched->base.events_opaque,
			RENDERER_VIRGL_CAPSET(VIRTIO_GPU_CAPSET_VENUS));
	watched = NULL;
}
