/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdint.h>

/** struct udmabuf_part - Pages of a memfd; @fd is borrowed, @offset and @len are in bytes */
struct udmabuf_part {
	int fd;
	uint64_t offset;
	uint64_t len;
};

/** udmabuf_open() - /dev/udmabuf, to be opened early. Return: owned by the caller; -1 without it. */
int udmabuf_open(void);

/**
 * udmabuf_create() - Pages of memfds as one dma-buf (linux/udmabuf.h)
 * @device_fd: of udmabuf_open(); borrowed
 *
 * Return: a dma-buf, owned by the caller; -ENODEV where @device_fd is -1;
 * -EINVAL where the files are no memfds sealed against shrinking, or parts are not whole pages;
 * -E2BIG for more parts or bytes than the kernel takes.
 */
int udmabuf_create(int device_fd, const struct udmabuf_part *parts, uint32_t count);
