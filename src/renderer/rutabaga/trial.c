/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Tries a start in a child: gfxstream ends the process where a driver lacks something, or waits for
 * a display server for ever, and cannot be started twice. What it said last is in memory that both
 * share.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "renderer/vulkan.h"
#include "util/child.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_LIMIT_MS 9000 /* two that hang, and a probe still hears of it */

static G_GNUC_NORETURN void run_child(struct rutabaga_start *start)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rutabaga *rutabaga = NULL;

	if (null_fd >= 0) {
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
	}
	_exit(renderer_rutabaga_init(start, NULL, &rutabaga) < 0);
}

static const char *describe_end(int ret, int status)
{
	if (ret < 0)
		return ret == -ETIMEDOUT ? "it does not start within 9 seconds" : g_strerror(-ret);
	if (WIFSIGNALED(status))
		return g_strsignal(WTERMSIG(status));
	return "it does not start";
}

/* Software drivers have less than gfxstream believes, unless our module tells it the truth. */
static const char *give_hint(uint64_t capset_mask)
{
	const uint64_t vulkan = RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN);

	if ((capset_mask & vulkan) && !g_getenv(RENDERER_RUTABAGA_VULKAN_LOADER) &&
		access("/dev/udmabuf", R_OK | W_OK) != 0)
		return "; on a software Vulkan driver it needs /dev/udmabuf, which this user "
		       "cannot open (modprobe udmabuf?), or the module " RENDERER_RUTABAGA_MODULE
		       " of this program";
	return "";
}

static int try_in_child(struct rutabaga_start *shared, char **ret_reason)
{
	struct child child = {0};
	int status = 0, ret = child_fork(&child);

	if (ret == 0)
		run_child(shared);
	if (ret > 0)
		ret = child_wait(&child, TRIAL_LIMIT_MS, &status);
	if (ret == 0 && status == 0)
		return 0;
	if (ret < 0)
		child_end(&child);
	/* The child may have written anything, but not behind the end. */
	shared->reason[sizeof(shared->reason) - 1] = '\0';
	*ret_reason = g_strdup_printf("%s%s%s%s", describe_end(ret, status),
		shared->reason[0] ? ": " : "", shared->reason, give_hint(shared->capset_mask));
	return -ENODEV;
}

int renderer_rutabaga_try(struct rutabaga_start *start, char **ret_reason)
{
	const uint64_t vulkan = RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN);
	struct renderer_vulkan found;
	struct rutabaga_start *shared;
	int ret;

	if (start->capset_mask & vulkan) {
		ret = renderer_vulkan_probe(&found, ret_reason);
		if (ret < 0)
			return ret;
	}
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	*shared = *start;
	ret = try_in_child(shared, ret_reason);
	munmap(shared, sizeof(*shared));
	return ret;
}
