/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/modules/gfxstream_vulkan.c, loaded as gfxstream loads its Vulkan loader, in front of a
 * loader of the tests' own (vulkan-fake.c, on LD_LIBRARY_PATH).
 */
#include <dlfcn.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define MODULE "vdg-gfxstream-vulkan.so"

static const char *program;

static void *open_module(void)
{
	g_autofree char *folder = g_path_get_dirname(program);
	g_autofree char *path =
		g_build_filename(folder, "..", "..", "src", "renderer", "modules", MODULE, NULL);
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	g_assert_nonnull(module);
	return module;
}

/* The names that a device of a type has, one after the other. */
static char *list_names(PFN_vkEnumerateDeviceExtensionProperties enumerate, const char *type)
{
	VkExtensionProperties properties[16] = {0};
	g_autoptr(GString) names = g_string_new(NULL);
	uint32_t count = 0, room = G_N_ELEMENTS(properties);

	g_setenv("VULKAN_FAKE_TYPE", type, TRUE);
	g_assert_cmpint(enumerate(NULL, NULL, &count, NULL), ==, VK_SUCCESS);
	g_assert_cmpint(enumerate(NULL, NULL, &room, properties), ==, VK_SUCCESS);
	g_assert_cmpuint(room, ==, count);
	for (uint32_t i = 0; i < count; i++)
		g_string_append_printf(names, " %s", properties[i].extensionName);
	return g_string_free(g_steal_pointer(&names), FALSE);
}

/* What gfxstream cannot decode is nowhere; memory of a CPU is a dma-buf only with udmabuf. */
static void check_lists(PFN_vkEnumerateDeviceExtensionProperties enumerate)
{
	static const char with_dmabuf[] =
		" VK_KHR_swapchain VK_EXT_external_memory_dma_buf VK_EXT_private_data";
	g_autofree char *of_cpu = list_names(enumerate, "4"); /* VK_PHYSICAL_DEVICE_TYPE_CPU */
	g_autofree char *of_gpu = list_names(enumerate, "2"); /* ..._DISCRETE_GPU */

	g_assert_cmpstr(of_gpu, ==, with_dmabuf);
	if (access("/dev/udmabuf", R_OK | W_OK) == 0)
		g_assert_cmpstr(of_cpu, ==, with_dmabuf);
	else
		g_assert_cmpstr(of_cpu, ==, " VK_KHR_swapchain VK_EXT_private_data");
}

static void test_lists(void)
{
	void *module = open_module();
	PFN_vkGetInstanceProcAddr get =
		(PFN_vkGetInstanceProcAddr)dlsym(module, "vkGetInstanceProcAddr");

	check_lists((PFN_vkEnumerateDeviceExtensionProperties)dlsym(
		module, "vkEnumerateDeviceExtensionProperties"));
	check_lists((PFN_vkEnumerateDeviceExtensionProperties)get(
		NULL, "vkEnumerateDeviceExtensionProperties"));
	dlclose(module);
}

static void test_less_room(void)
{
	void *module = open_module();
	PFN_vkEnumerateDeviceExtensionProperties enumerate =
		(PFN_vkEnumerateDeviceExtensionProperties)dlsym(
			module, "vkEnumerateDeviceExtensionProperties");
	VkExtensionProperties properties[2] = {0};
	uint32_t count = 1;

	g_setenv("VULKAN_FAKE_TYPE", "2", TRUE);
	g_assert_cmpint(enumerate(NULL, NULL, &count, properties), ==, VK_INCOMPLETE);
	g_assert_cmpuint(count, ==, 1);
	g_assert_cmpstr(properties[0].extensionName, ==, "VK_KHR_swapchain");
	g_assert_cmpstr(properties[1].extensionName, ==, "");
	dlclose(module);
}

/* All else is the loader's, by either way. */
static void test_the_rest(void)
{
	void *module = open_module();
	PFN_vkGetInstanceProcAddr get =
		(PFN_vkGetInstanceProcAddr)dlsym(module, "vkGetInstanceProcAddr");
	PFN_vkEnumerateInstanceVersion ask =
		(PFN_vkEnumerateInstanceVersion)dlsym(module, "vkEnumerateInstanceVersion");
	uint32_t version = 0;

	g_assert_nonnull(ask);
	g_assert_true((PFN_vkVoidFunction)ask == get(NULL, "vkEnumerateInstanceVersion"));
	g_assert_cmpint(ask(&version), ==, VK_SUCCESS);
	g_assert_cmpuint(version, ==, 42);
	g_assert_null(get(NULL, "vkNobodyKnows"));
	dlclose(module);
}

int main(int argc, char **argv)
{
	g_autofree char *path = g_canonicalize_filename(argv[0], NULL);

	program = path;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/renderer/gfxstream-vulkan/lists", test_lists);
	g_test_add_func("/renderer/gfxstream-vulkan/less-room", test_less_room);
	g_test_add_func("/renderer/gfxstream-vulkan/the-rest", test_the_rest);
	return g_test_run();
}
