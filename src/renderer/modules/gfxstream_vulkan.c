/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What gfxstream takes for the Vulkan loader (ANDROID_EMU_VK_LOADER_PATH, see rutabaga/start.c): the
 * host's loader, which this library is linked to, with shorter lists of what devices can do.
 *
 * gfxstream ends the process where a guest asks about an extension whose structures it cannot
 * decode, as vulkaninfo does with each that it is told of. And it believes that memory can be given
 * out as a dma-buf wherever the extension is listed: lavapipe lists it without udmabuf too, and then
 * makes none, at which gfxstream does not start. Told of no such extension it takes descriptors that
 * lavapipe has on any host.
 *
 * Runs inside another library: it owns nothing and prints nothing.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define EXPORTED __attribute__((visibility("default")))

/*
 * Of those that Mesa's guest driver passes on, the ones with structures that gfxstream's decoder
 * (its reservedunmarshal_extension_struct(), in 2025) does not know.
 */
static const char *const undecodable[] = {
	"VK_EXT_blend_operation_advanced",
	"VK_EXT_memory_budget",
	"VK_EXT_primitives_generated_query",
};

/* The loader's own functions: those of this library have the same names. */
static struct {
	PFN_vkGetInstanceProcAddr get_instance_proc_addr;
	PFN_vkEnumerateDeviceExtensionProperties enumerate_extensions;
	PFN_vkGetPhysicalDeviceProperties get_properties;
} loader;

static void find_loader(void)
{
	void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return;
	loader.get_instance_proc_addr =
		(PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr");
	loader.enumerate_extensions = (PFN_vkEnumerateDeviceExtensionProperties)dlsym(
		library, "vkEnumerateDeviceExtensionProperties");
	loader.get_properties =
		(PFN_vkGetPhysicalDeviceProperties)dlsym(library, "vkGetPhysicalDeviceProperties");
}

static bool has_loader(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_loader);
	return loader.get_instance_proc_addr && loader.enumerate_extensions &&
	       loader.get_properties;
}

static bool makes_dmabufs(VkPhysicalDevice device)
{
	VkPhysicalDeviceProperties properties;

	loader.get_properties(device, &properties);
	return properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU ||
	       access("/dev/udmabuf", R_OK | W_OK) == 0;
}

static bool is_hidden(VkPhysicalDevice device, const char *name)
{
	for (size_t i = 0; i < sizeof(undecodable) / sizeof(undecodable[0]); i++) {
		if (strcmp(name, undecodable[i]) == 0)
			return true;
	}
	return strcmp(name, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) == 0 &&
	       !makes_dmabufs(device);
}

/* All that the loader lists, less what is hidden; freed by the caller. NULL where it lists none. */
static VkExtensionProperties *list_extensions(
	VkPhysicalDevice device, const char *layer, uint32_t *ret_count)
{
	VkExtensionProperties *list;
	uint32_t count = 0, kept = 0;

	if (loader.enumerate_extensions(device, layer, &count, NULL) != VK_SUCCESS || count == 0)
		return NULL;
	list = calloc(count, sizeof(*list));
	/* Fewer by now is fine, more is VK_INCOMPLETE. */
	if (!list || loader.enumerate_extensions(device, layer, &count, list) < 0) {
		free(list);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!is_hidden(device, list[i].extensionName))
			list[kept++] = list[i];
	}
	*ret_count = kept;
	return list;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
	const char *layer, uint32_t *count, VkExtensionProperties *ret_properties)
{
	VkExtensionProperties *list;
	VkResult result = VK_SUCCESS;
	uint32_t known = 0;

	if (!has_loader())
		return VK_ERROR_INITIALIZATION_FAILED;
	list = list_extensions(device, layer, &known);
	if (!list)
		return loader.enumerate_extensions(device, layer, count, ret_properties);
	if (ret_properties && *count < known) {
		known = *count;
		result = VK_INCOMPLETE;
	}
	if (ret_properties)
		memcpy(ret_properties, list, known * sizeof(*list));
	*count = known;
	free(list);
	return result;
}

EXPORTED VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateDeviceExtensionProperties(
	VkPhysicalDevice device, const char *layer, uint32_t *count,
	VkExtensionProperties *properties);
EXPORTED VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(
	VkInstance instance, const char *name);

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateDeviceExtensionProperties(VkPhysicalDevice device,
	const char *layer, uint32_t *count, VkExtensionProperties *properties)
{
	return enumerate_extensions(device, layer, count, properties);
}

/* It does not name the exported one: where the program has the loader too, that would be found. */
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(
	VkInstance instance, const char *name)
{
	if (!has_loader())
		return NULL;
	if (strcmp(name, "vkEnumerateDeviceExtensionProperties") == 0)
		return (PFN_vkVoidFunction)enumerate_extensions;
	return loader.get_instance_proc_addr(instance, name);
}
