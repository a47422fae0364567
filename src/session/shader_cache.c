/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Drivers read these variables when they start; the header says what for. */
#include "session/shader_cache.h"

#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/file.h>
#include <sys/stat.h>

static int open_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int shader_cache_prepare(const char *directory, char **ret_message)
{
	autofd fd = -1;
	struct stat st;

	if (mkdir(directory, 0700) == 0 || errno == EEXIST)
		fd = open_directory(directory);
	else
		fd = -errno;
	if (fd < 0 || fstat(fd, &st) < 0) {
		int ret = fd < 0 ? fd : -errno;

		*ret_message = g_strdup_printf(
			"cannot use the shader cache '%s': %s", directory, g_strerror(-ret));
		return ret;
	}
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)) {
		*ret_message = g_strdup_printf(
			"the shader cache '%s' must be a folder of this user that nobody else can "
			"write to (chmod 700)",
			directory);
		return -EPERM;
	}
	return 0;
}

void shader_cache_disable(void)
{
	/* Mesa's, since 19.0 and under the older name too; NVIDIA's. */
	g_setenv("MESA_SHADER_CACHE_DISABLE", "true", TRUE);
	g_setenv("MESA_GLSL_CACHE_DISABLE", "true", TRUE);
	g_setenv("__GL_SHADER_DISK_CACHE", "0", TRUE);
}

int shader_cache_open(const char *directory)
{
	autofd fd = directory ? open_directory(directory) : -1;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_info("the shader cache %s is another session's now; this one has none",
			directory);
		return -1;
	}
	g_setenv("MESA_SHADER_CACHE_DISABLE", "false", TRUE);
	g_setenv("MESA_GLSL_CACHE_DISABLE", "false", TRUE);
	g_setenv("MESA_SHADER_CACHE_DIR", directory, TRUE);
	g_setenv("MESA_GLSL_CACHE_DIR", directory, TRUE);
	g_setenv("__GL_SHADER_DISK_CACHE", "1", TRUE);
	g_setenv("__GL_SHADER_DISK_CACHE_PATH", directory, TRUE);
	return fd_take(&fd);
}
