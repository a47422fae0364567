/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#include "display/leftovers.h"

#include "util/fd.h"
#include "util/source.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* How long one that was read may stay. */
#define LOOK_MS 1000

static bool is_unread(int fd)
{
	int len = 0;

	return ioctl(fd, SIOCOUTQ, &len) == 0 && len > 0;
}

static void drop_read(struct display_leftovers *leftovers)
{
	for (unsigned int i = leftovers->count; i-- > 0;) {
		if (is_unread(leftovers->fds[i]))
			continue;
		fd_clear(&leftovers->fds[i]);
		leftovers->fds[i] = leftovers->fds[--leftovers->count];
	}
}

static gboolean look_again(gpointer opaque)
{
	struct display_leftovers *leftovers = opaque;

	drop_read(leftovers);
	if (leftovers->count > 0)
		return G_SOURCE_CONTINUE;
	source_clear(&leftovers->look);
	return G_SOURCE_REMOVE;
}

void display_leftovers_add(struct display_leftovers *leftovers, int fd, GMainContext *context)
{
	if (fd < 0)
		return;
	(void)shutdown(fd, SHUT_RDWR);
	if (is_unread(fd) && !display_leftovers_are_full(leftovers))
		leftovers->fds[leftovers->count++] = fd;
	else
		fd_clear(&fd);
	if (leftovers->count > 0 && !leftovers->look)
		leftovers->look = source_add_timeout(context, LOOK_MS, look_again, leftovers);
}

bool display_leftovers_are_full(struct display_leftovers *leftovers)
{
	drop_read(leftovers);
	return leftovers->count == DISPLAY_MAX_LEFTOVERS;
}

void display_leftovers_finish(struct display_leftovers *leftovers)
{
	source_clear(&leftovers->look);
	while (leftovers->count > 0)
		fd_clear(&leftovers->fds[--leftovers->count]);
}
