/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Loaded into the render server (LD_PRELOAD, see virgl/server.c) where Vulkan runs on a GPU. Before
 * version 1.2 the server asks the loader a question whose answer it throws away, so that the
 * drivers are loaded once for the processes that it forks for the contexts. NVIDIA's driver makes
 * no device in a process that was forked after that. So the server's question is not passed on, and
 * each context's process loads the drivers for itself.
 *
 * Runs inside another program: it owns nothing, prints nothing, and answers only that one call.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#define VK_SUCCESS		       0
#define VK_ERROR_INITIALIZATION_FAILED (-3)

int32_t vkEnumerateInstanceExtensionProperties(
	const char *layer, uint32_t *count, void *properties);

static pid_t server_pid;

__attribute__((constructor)) static void remember_server(void)
{
	server_pid = getpid();
}

int32_t vkEnumerateInstanceExtensionProperties(const char *layer, uint32_t *count, void *properties)
{
	int32_t (*next)(const char *layer, uint32_t *count, void *properties) = NULL;

	/* Once: a server that has its contexts as threads may ask in earnest later. */
	if (!layer && !properties && getpid() == server_pid) {
		server_pid = 0;
		*count = 0;
		return VK_SUCCESS;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "vkEnumerateInstanceExtensionProperties");
	return next ? next(layer, count, properties) : VK_ERROR_INITIALIZATION_FAILED;
}
