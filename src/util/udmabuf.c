/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Pages of memfds as a dma-buf, by the kernel's udmabuf device. The device is opened for each
 * buffer: it is cheap, and keeps no descriptor of a session open for hosts that have none.
 */
#include "util/udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>

/* The kernel's own default limit (module parameter list_limit). */
#define MAX_PARTS 1024

/* Copies @parts, those that follow each other in a file as one. Return: how many are left. */
static uint32_t udmabuf_merge(const struct udmabuf_part *parts, uint32_t count,
	struct udmabuf_create_item *items, uint32_t max_count)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct udmabuf_create_item *last = used > 0 ? &items[used - 1] : NULL;

		if (last && last->memfd == (__u32)parts[i].fd &&
			last->offset + last->size == parts[i].offset) {
			last->size += parts[i].len;
			continue;
		}
		if (used == max_count)
			return UINT32_MAX;
		items[used++] = (struct udmabuf_create_item){
			.memfd = parts[i].fd, .offset = parts[i].offset, .size = parts[i].len};
	}
	return used;
}

int udmabuf_open(void)
{
	int fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -1 : fd;
}

int udmabuf_create(int device_fd, const struct udmabuf_part *parts, uint32_t count)
{
	g_autofree struct udmabuf_create_list *list = NULL;
	int fd;

	if (device_fd < 0)
		return -ENODEV;
	list = g_malloc0(sizeof(*list) + MAX_PARTS * sizeof(list->list[0]));
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = udmabuf_merge(parts, count, list->list, MAX_PARTS);
	if (list->count == UINT32_MAX)
		return -E2BIG;
	fd = ioctl(device_fd, UDMABUF_CREATE_LIST, list);
	return fd < 0 ? -errno : fd;
}
