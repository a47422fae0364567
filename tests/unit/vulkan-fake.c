/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A Vulkan loader (libvulkan.so.1) of the tests: one device, whose type is the one that
 * VULKAN_FAKE_TYPE names, and a few extensions. It says which of its functions was asked for.
 */
#include <stdlib.h>
#include <string.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

static const char *const extensions[] = {"VK_KHR_swapchain", "VK_EXT_memory_budget",
	"VK_EXT_external_memory_dma_buf", "VK_EXT_blend_operation_advanced",
	"VK_EXT_primitives_generated_query", "VK_EXT_private_data"};

#define COUNT (sizeof(extensions) / sizeof(extensions[0]))

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateDeviceExtensionProperties(VkPhysicalDevice device,
	const char *layer, uint32_t *count, VkExtensionProperties *properties);
VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceProperties(
	VkPhysicalDevice device, VkPhysicalDeviceProperties *properties);
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(
	VkInstance instance, const char *name);
VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateInstanceVersion(uint32_t *version);

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateDeviceExtensionProperties(VkPhysicalDevice device,
	const char *layer, uint32_t *count, VkExtensionProperties *properties)
{
	const uint32_t room = properties ? *count : COUNT;

	*count = room < COUNT ? room : COUNT;
	for (uint32_t i = 0; properties && i < *count; i++)
		strcpy(properties[i].extensionName, extensions[i]);
	return room < COUNT ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceProperties(
	VkPhysicalDevice device, VkPhysicalDeviceProperties *properties)
{
	memset(properties, 0, sizeof(*properties));
	properties->deviceType = atoi(getenv("VULKAN_FAKE_TYPE"));
}

VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateInstanceVersion(uint32_t *version)
{
	*version = 42;
	return VK_SUCCESS;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(
	VkInstance instance, const char *name)
{
	if (strcmp(name, "vkEnumerateInstanceVersion") == 0)
		return (PFN_vkVoidFunction)vkEnumerateInstanceVersion;
	return NULL;
}
