/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Tries a start in a child: gfxstream ends the process where a driver lacks something, or waits for
 * a display server for ever, and cannot be started twice. What it said last, and that it came to the
 * end, is in memory that both share: a library that ends the process may say that all is well.
 */
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "renderer/vulkan.h"
#include "util/child.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static G_GNUC_NORETURN void run_child(struct rutabaga_start *start)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rutabaga *rutabaga = NULL;

	if (null_fd >= 0) {
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
	}
	start->has_started = renderer_rutabaga_init(start, NULL, &rutabaga) == 0;
	_exit(EXIT_SUCCESS);
}

static char *describe_end(int ret, int status, int limit_ms)
{
	if (ret == -ETIMEDOUT)
		return g_strdup_printf("it does not start within %g s", limit_ms / 1000.0);
	if (ret < 0)
		return g_strdup(g_strerror(-ret));
	if (WIFSIGNALED(status))
		return g_strdup(g_strsignal(WTERMSIG(status)));
	return g_strdup("it does not start");
}

/*
 * Software drivers have less than gfxstream believes, unless our module tells it the truth. EGL looks
 * for a display server unless it is told not to, and gfxstream waits for what does not start.
 */
static const char *give_hint(uint64_t capset_mask, bool has_hung)
{
	const uint64_t vulkan = RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN);

	if (has_hung && !g_getenv("EGL_PLATFORM"))
		return "; on a host without a screen it needs --use-surfaceless=true, or "
		       "EGL_PLATFORM=surfaceless";
	if ((capset_mask & vulkan) && !g_getenv(RENDERER_RUTABAGA_VULKAN_LOADER) &&
		access("/dev/udmabuf", R_OK | W_OK) != 0)
		return "; on a software Vulkan driver it needs /dev/udmabuf, which this user "
		       "cannot open (modprobe udmabuf?), or the module " RENDERER_RUTABAGA_MODULE
		       " of this program";
	return "";
}

static int try_in_child(struct rutabaga_start *shared, char **ret_reason)
{
	const int limit_ms =
		shared->limit_ms > 0 ? shared->limit_ms : RENDERER_RUTABAGA_TRIAL_LIMIT_MS;
	g_autofree char *end = NULL;
	struct child child = {0};
	int status = 0, ret = child_fork(&child);

	if (ret == 0)
		run_child(shared);
	if (ret > 0)
		ret = child_wait(&child, limit_ms, &status);
	if (ret == 0 && status == 0 && shared->has_started)
		return 0;
	if (ret < 0)
		child_end(&child);
	/* The child may have written anything, but not behind the end. */
	shared->reason[sizeof(shared->reason) - 1] = '\0';
	end = describe_end(ret, status, limit_ms);
	*ret_reason = g_strdup_printf("%s%s%s%s", end, shared->reason[0] ? ": " : "",
		shared->reason, give_hint(shared->capset_mask, ret == -ETIMEDOUT));
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
