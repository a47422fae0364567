/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Loading, and a line for whom something is missing. */
#include "util/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <glib.h>

int library_load(const char *file, const struct library_function *functions, size_t count,
	void *pointers, char **ret_message)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_GLOBAL);

	if (!handle) {
		*ret_message = g_strdup_printf(
			"%s; install what is missing, or name its folder in LD_LIBRARY_PATH",
			dlerror());
		return -ENOENT;
	}
	for (size_t i = 0; i < count; i++) {
		void **pointer = (void **)((char *)pointers + functions[i].offset);

		*pointer = dlsym(handle, functions[i].name);
		if (!*pointer) {
			*ret_message =
				g_strdup_printf("%s has no %s: it is older than what this "
						"program was built with; install a newer one",
					file, functions[i].name);
			return -ENOTSUP;
		}
	}
	return 0;
}
