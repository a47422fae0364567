/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/modules/late_driver.c, loaded into a program that does what virglrenderer's render server
 * does: ask the Vulkan loader, fork, and use Vulkan in the child. This program is both, the test
 * and the server. Skipped where there is no Vulkan loader.
 */
#include <dlfcn.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AS_SERVER "--as-server"
#define MODULE	  "vdg-late-driver.so"
#define FUNCTION  "vkEnumerateInstanceExtensionProperties"

/* How the server ends: well, or the first thing that was wrong. */
enum verdict {
	GOOD,
	NO_LOADER,
	NO_MODULE,
	ASKED_EARLY,
	DRIVER_EARLY,
	CHILD_NOT_SERVED,
	SERVER_NOT_SERVED,
};

static bool is_driver_loaded(void)
{
	g_autofree char *maps = NULL;

	/* Mesa's drivers, and NVIDIA's. */
	return g_file_get_contents("/proc/self/maps", &maps, NULL, NULL) &&
	       (strstr(maps, "/libvulkan_") || strstr(maps, "_nvidia.so"));
}

static enum verdict be_server(void)
{
	int32_t (*ask)(const char *layer, uint32_t *count, void *properties);
	void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_GLOBAL);
	uint32_t count = 99;
	int status;
	pid_t pid;

	if (!library)
		return NO_LOADER;
	*(void **)&ask = dlsym(RTLD_DEFAULT, FUNCTION);
	if (!ask || (void *)ask == dlsym(library, FUNCTION))
		return NO_MODULE;
	if (ask(NULL, &count, NULL) != 0 || count != 0)
		return ASKED_EARLY;
	if (is_driver_loaded())
		return DRIVER_EARLY;
	pid = fork();
	if (pid == 0)
		_exit(ask(NULL, &count, NULL) == 0 && count > 0 ? 0 : 1);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return CHILD_NOT_SERVED;
	/* A server that has its contexts as threads. */
	return ask(NULL, &count, NULL) == 0 && count > 0 ? GOOD : SERVER_NOT_SERVED;
}

static void test_server(gconstpointer data)
{
	g_autofree char *folder = g_path_get_dirname(data);
	g_autofree char *module =
		g_build_filename(folder, "..", "..", "src", "renderer", "modules", MODULE, NULL);
	char *argv[] = {(char *)data, (char *)AS_SERVER, NULL};
	g_auto(GStrv) environment = g_get_environ();
	g_autoptr(GError) error = NULL;
	int status = 0;

	g_assert_true(g_file_test(module, G_FILE_TEST_EXISTS));
	environment = g_environ_setenv(environment, "LD_PRELOAD", module, TRUE);
	/* The module does not come with the sanitizer, and is first. Loaders and drivers leak. */
	environment = g_environ_setenv(
		environment, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", TRUE);
	g_assert_true(g_spawn_sync(
		NULL, argv, environment, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, &error));
	g_assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_LOADER)
		g_test_skip("no libvulkan.so.1");
	else
		g_assert_cmpint(WEXITSTATUS(status), ==, GOOD);
}

int main(int argc, char **argv)
{
	g_autofree char *program = g_canonicalize_filename(argv[0], NULL);

	if (argc == 2 && strcmp(argv[1], AS_SERVER) == 0)
		return (int)be_server();
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/renderer/late-driver/server", program, test_server);
	return g_test_run();
}
