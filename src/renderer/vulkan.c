/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Has this host a Vulkan driver? Venus starts without one and then offers a guest no device, and
 * gfxstream crashes. A child asks: drivers stay loaded, keep threads, and some crash.
 * Only the loader's C interface is used, and of it only what has not changed since Vulkan 1.0.
 */
#include "renderer/vulkan.h"

#include "util/child.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_LIMIT_MS 15000
#define MAX_DEVICES    16
#define MAX_EXTENSIONS 1024
#define TYPE_CPU       4 /* VK_PHYSICAL_DEVICE_TYPE_CPU */
#define INSTANCE_INFO  1 /* VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO */

/* What the child found; its exit status. */
enum finding {
	FOUND_CPU,
	FOUND_GPU,
	FOUND_GPU_DMABUF,
	FOUND_NO_DEVICE,
	FOUND_NO_LOADER,
};

/* VkInstanceCreateInfo */
struct instance_info {
	int32_t type;
	const void *next;
	uint32_t flags;
	const void *application;
	uint32_t layer_count;
	const char *const *layers;
	uint32_t extension_count;
	const char *const *extensions;
};

/* The head of VkPhysicalDeviceProperties, and room for the rest. */
struct device_properties {
	uint32_t versions_and_ids[4];
	uint32_t device_type;
	uint64_t rest[1024];
};

/* VkExtensionProperties */
struct extension {
	char name[256];
	uint32_t version;
};

struct loader {
	int32_t (*create_instance)(const struct instance_info *, const void *, void **);
	int32_t (*enumerate)(void *instance, uint32_t *count, void **devices);
	void (*get_properties)(void *device, struct device_properties *properties);
	int32_t (*enumerate_extensions)(
		void *device, const char *layer, uint32_t *count, struct extension *extensions);
};

static bool exports_dmabufs(const struct loader *loader, void *device)
{
	static struct extension extensions[MAX_EXTENSIONS];
	uint32_t count = MAX_EXTENSIONS;

	if (loader->enumerate_extensions(device, NULL, &count, extensions) < 0)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(extensions[i].name, "VK_EXT_external_memory_dma_buf") == 0)
			return true;
	}
	return false;
}

static enum finding vulkan_look(const struct loader *loader)
{
	const struct instance_info info = {.type = INSTANCE_INFO};
	struct device_properties properties;
	void *instance = NULL, *devices[MAX_DEVICES];
	enum finding finding = FOUND_CPU;
	uint32_t count = MAX_DEVICES;

	/* More devices than there is room for is a positive result, errors are negative. */
	if (loader->create_instance(&info, NULL, &instance) != 0 ||
		loader->enumerate(instance, &count, devices) < 0 || count == 0)
		return FOUND_NO_DEVICE;
	for (uint32_t i = 0; i < count; i++) {
		loader->get_properties(devices[i], &properties);
		if (properties.device_type == TYPE_CPU)
			continue;
		if (exports_dmabufs(loader, devices[i]))
			return FOUND_GPU_DMABUF;
		finding = FOUND_GPU;
	}
	return finding;
}

static enum finding load_and_look(void)
{
	void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
	struct loader loader;

	if (!library)
		return FOUND_NO_LOADER;
	*(void **)&loader.create_instance = dlsym(library, "vkCreateInstance");
	*(void **)&loader.enumerate = dlsym(library, "vkEnumeratePhysicalDevices");
	*(void **)&loader.get_properties = dlsym(library, "vkGetPhysicalDeviceProperties");
	*(void **)&loader.enumerate_extensions =
		dlsym(library, "vkEnumerateDeviceExtensionProperties");
	if (!loader.create_instance || !loader.enumerate || !loader.get_properties ||
		!loader.enumerate_extensions)
		return FOUND_NO_LOADER;
	return vulkan_look(&loader);
}

__attribute__((noreturn)) static void run_child(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Drivers complain about each device that is not theirs. */
	if (null_fd >= 0) {
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
	}
	_exit((int)load_and_look());
}

int renderer_vulkan_probe(struct renderer_vulkan *ret_vulkan, char **ret_reason)
{
	struct child child = {0};
	int status = 0, ret = child_fork(&child);

	if (ret < 0)
		return ret;
	if (ret == 0)
		run_child();
	ret = child_wait(&child, PROBE_LIMIT_MS, &status);
	if (ret == 0 && !WIFEXITED(status))
		ret = -EIO;
	if (ret < 0) {
		child_end(&child);
		*ret_reason =
			g_strdup(ret == -ETIMEDOUT ? "the host's Vulkan driver does not answer"
						   : "the host's Vulkan driver crashed");
		return ret;
	}
	switch (WEXITSTATUS(status)) {
	case FOUND_CPU:
	case FOUND_GPU:
	case FOUND_GPU_DMABUF:
		*ret_vulkan = (struct renderer_vulkan){
			.has_gpu = WEXITSTATUS(status) != FOUND_CPU,
			.exports_dmabufs = WEXITSTATUS(status) == FOUND_GPU_DMABUF,
		};
		return 0;
	case FOUND_NO_LOADER:
		*ret_reason = g_strdup("libvulkan.so.1 is missing (Debian's package libvulkan1)");
		return -ENOENT;
	default:
		*ret_reason = g_strdup("no Vulkan driver finds a device (Debian's package "
				       "mesa-vulkan-drivers has one that needs no GPU)");
		return -ENODEV;
	}
}
