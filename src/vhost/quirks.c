/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Who is at the other end? The header lists what for. */
#include "vhost/quirks.h"

#include "util/fd.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QEMU_PREFIX "qemu"
#define MAX_NAME    16 /* TASK_COMM_LEN */

void vhost_quirks_init(struct vhost_quirks *quirks)
{
	quirks->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void vhost_quirks_finish(struct vhost_quirks *quirks)
{
	fd_clear(&quirks->proc_fd);
}

bool vhost_quirks_answers_early(const struct vhost_quirks *quirks, int socket_fd)
{
	char path[32], name[MAX_NAME] = "";
	struct ucred maker;
	socklen_t len = sizeof(maker);
	autofd fd = -1;

	if (quirks->proc_fd < 0 ||
		getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &maker, &len) < 0 || maker.pid <= 0)
		return false;
	g_snprintf(path, sizeof(path), "%d/comm", (int)maker.pid);
	fd = openat(quirks->proc_fd, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 &&
	       g_str_has_prefix(name, QEMU_PREFIX);
}
