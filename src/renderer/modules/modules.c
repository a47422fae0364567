/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Where the modules of this folder are, once they are installed. */
#include "renderer/modules/modules.h"

#include "renderer/needs.h"
#include "util/log.h"

#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE_VARIABLE "VHOST_DEVICE_GPU_LIBDIR"

/*
 * A module is code that a session or its server runs, so that its folder must be nobody else's: owned
 * by root or by us, and not writable for everybody.
 */
static bool is_trusted(const char *folder)
{
	struct stat st;

	return g_path_is_absolute(folder) && lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & S_IWOTH);
}

char *renderer_module_find(const char *name)
{
	const char *chosen = secure_getenv(MODULE_VARIABLE);

	if (chosen && !is_trusted(chosen)) {
		log_warning(MODULE_VARIABLE " is ignored: '%s' is no absolute path "
					    "of a folder that only root or this user can write to",
			chosen);
		chosen = NULL;
	}
	return g_build_filename(chosen ? chosen : RENDERER_MODULES_LIBDIR, name, NULL);
}

static const char *const variables[] = {MODULE_VARIABLE, NULL};

static const struct sandbox_path paths[] = {{RENDERER_MODULES_LIBDIR, SANDBOX_READ}, {0}};

const struct sandbox_needs renderer_module_needs = {.paths = paths, .variables = variables};
