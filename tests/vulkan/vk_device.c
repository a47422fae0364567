/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */

/*
 * Opens a Vulkan device for vk_triangle and allocates memory from it. Which driver answers is the
 * loader's business (VK_DRIVER_FILES); knows nothing of what is drawn.
 */

#include "vk_device.h"

static void create_instance(struct vk_device *vk)
{
	const VkApplicationInfo application = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		.pApplicationName = "vk_triangle",
		.apiVersion = VK_API_VERSION_1_1,
	};
	const VkInstanceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
		.pApplicationInfo = &application,
	};
	uint32_t count = 1;
	VkResult result;

	VK_CHECK(vkCreateInstance(&info, NULL, &vk->instance));
	result = vkEnumeratePhysicalDevices(vk->instance, &count, &vk->physical);
	if ((result != VK_SUCCESS && result != VK_INCOMPLETE) || count == 0) {
		fprintf(stderr, "vk_triangle: no Vulkan device (VkResult %d)\n", result);
		exit(1);
	}
	vkGetPhysicalDeviceProperties(vk->physical, &vk->properties);
	vkGetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
}

static uint32_t find_graphics_family(const struct vk_device *vk)
{
	VkQueueFamilyProperties families[16];
	uint32_t count = 16;

	vkGetPhysicalDeviceQueueFamilyProperties(vk->physical, &count, families);
	for (uint32_t i = 0; i < count; i++) {
		if (families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)
			return i;
	}
	fprintf(stderr, "vk_triangle: the device has no graphics queue\n");
	exit(1);
}

void vk_device_init(struct vk_device *vk)
{
	const float priority = 1.0f;
	VkDeviceQueueCreateInfo queue = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1,
		.pQueuePriorities = &priority,
	};
	const VkDeviceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue,
	};

	create_instance(vk);
	vk->family = find_graphics_family(vk);
	queue.queueFamilyIndex = vk->family;
	VK_CHECK(vkCreateDevice(vk->physical, &info, NULL, &vk->device));
	vkGetDeviceQueue(vk->device, vk->family, 0, &vk->queue);
}

void vk_device_finish(struct vk_device *vk)
{
	vkDestroyDevice(vk->device, NULL);
	vkDestroyInstance(vk->instance, NULL);
}

uint32_t vk_device_memory_type(
	const struct vk_device *vk, uint32_t allowed, VkMemoryPropertyFlags wanted)
{
	for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++) {
		if ((allowed & (1u << i)) != 0 &&
			(vk->memory.memoryTypes[i].propertyFlags & wanted) == wanted)
			return i;
	}
	fprintf(stderr, "vk_triangle: no memory type of 0x%x with properties 0x%x\n", allowed,
		wanted);
	exit(1);
}

VkDeviceMemory vk_device_allocate(
	const struct vk_device *vk, const VkMemoryRequirements *needs, VkMemoryPropertyFlags wanted)
{
	const VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = needs->size,
		.memoryTypeIndex = vk_device_memory_type(vk, needs->memoryTypeBits, wanted),
	};
	VkDeviceMemory memory;

	VK_CHECK(vkAllocateMemory(vk->device, &info, NULL, &memory));
	return memory;
}
