/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */

#ifndef TRIXIE_VK_DEVICE_H
#define TRIXIE_VK_DEVICE_H

#include <stdio.h>
#include <stdlib.h>
#include <vulkan/vulkan.h>

/*
 * VK_CHECK() - end the program with a line that names the call, unless it gives VK_SUCCESS.
 *
 * This is a test program: there is nothing to go on with after a failed call.
 */
#define VK_CHECK(call)                                                                             \
	do {                                                                                       \
		VkResult result_ = (call);                                                         \
		if (result_ != VK_SUCCESS) {                                                       \
			fprintf(stderr, "vk_triangle: %s: VkResult %d\n", #call, result_);         \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/**
 * struct vk_device - the first Vulkan device with a graphics queue
 * @instance: owned
 * @physical: borrowed from @instance
 * @device: owned
 * @queue: queue 0 of @family, borrowed from @device
 * @family: index of the queue family
 * @memory: memory types and heaps of @physical
 * @properties: name, limits and versions of @physical
 */
struct vk_device {
	VkInstance instance;
	VkPhysicalDevice physical;
	VkDevice device;
	VkQueue queue;
	uint32_t family;
	VkPhysicalDeviceMemoryProperties memory;
	VkPhysicalDeviceProperties properties;
};

/**
 * vk_device_init() - open the first device that can draw
 * @vk: filled in; vk_device_finish() releases it
 *
 * Ends the program with a message where there is none.
 */
void vk_device_init(struct vk_device *vk);

/** vk_device_finish() - release what vk_device_init() made; all work must be done */
void vk_device_finish(struct vk_device *vk);

/**
 * vk_device_memory_type() - find a memory type
 * @vk: the device
 * @allowed: bit mask of the types that fit, as from VkMemoryRequirements
 * @wanted: properties that the type must have
 *
 * Return: its index; ends the program where there is none.
 */
uint32_t vk_device_memory_type(
	const struct vk_device *vk, uint32_t allowed, VkMemoryPropertyFlags wanted);

/**
 * vk_device_allocate() - allocate device memory
 * @vk: the device
 * @needs: size in bytes and allowed types
 * @wanted: properties that the memory must have
 *
 * Return: memory, owned by the caller (vkFreeMemory).
 */
VkDeviceMemory vk_device_allocate(const struct vk_device *vk, const VkMemoryRequirements *needs,
	VkMemoryPropertyFlags wanted);

#endif
