/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The front-end's shared memory region, and its side of the back-end channel: a thread maps what
 * the daemon sends, as QEMU 11.1 does, and what is mapped can be read and written here.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/** struct shmem - @base: the region, @len bytes of address space; all is private to shmem.c */
struct shmem {
	int fd;
	GThread *thread;
	uint8_t *base;
	uint64_t len;
};

/** shmem_start() - Begin to serve. @ret_peer_fd: the other end, owned. Return: 0 or an errno. */
int shmem_start(struct shmem *shmem, uint64_t len, int *ret_peer_fd);

/** shmem_stop() - Hang up and unmap all; fine for one that never started. */
void shmem_stop(struct shmem *shmem);
