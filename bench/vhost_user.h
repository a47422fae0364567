/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The front-end's side of the vhost-user socket: messages in whole, one after the other, and their
 * answers waited for, as QEMU does it.
 */
#pragma once

#include "bench/memory.h"
#include "bench/ring.h"

#include <stdbool.h>
#include <stdint.h>

/** struct vhost_user - A connection; @fd is owned, -1 for none */
struct vhost_user {
	int fd;
	bool has_reply_ack;
};

/**
 * vhost_user_connect() - To a daemon's socket; what is not answered in @limit_ms is -EAGAIN
 *
 * Return: 0 or a negative errno.
 */
int vhost_user_connect(struct vhost_user *user, const char *path, int limit_ms);
void vhost_user_close(struct vhost_user *user);

/** vhost_user_ask() - A request that is answered with one number. Return: 0 or a negative errno. */
int vhost_user_ask(struct vhost_user *user, uint32_t request, uint64_t *ret_value);

/** vhost_user_tell() - A request with one number, and @fd, borrowed, unless it is -1 */
int vhost_user_tell(struct vhost_user *user, uint32_t request, uint64_t value, int fd);

/** vhost_user_tell_nothing() - A request without a body, with @fd unless it is -1 */
int vhost_user_tell_nothing(struct vhost_user *user, uint32_t request, int fd);

/** vhost_user_set_protocol_features() - These are never acknowledged. */
int vhost_user_set_protocol_features(struct vhost_user *user, uint64_t features);

int vhost_user_set_memory(struct vhost_user *user, const struct memory *memory);

/** vhost_user_add_region() - Add memory behind the guest's: @len bytes of @fd, borrowed. */
int vhost_user_add_region(
	struct vhost_user *user, const struct memory *memory, uint64_t len, int fd);

/** vhost_user_remove_region() - Take that away again. */
int vhost_user_remove_region(struct vhost_user *user, const struct memory *memory, uint64_t len);

/**
 * vhost_user_start_ring() - All messages that start queue @index, in QEMU's order
 * @base: index of the next chain, from vhost_user_stop_ring(); 0 at first
 */
int vhost_user_start_ring(
	struct vhost_user *user, uint32_t index, const struct ring *ring, uint32_t base);

/** vhost_user_stop_ring() - Return: 0 or a negative errno. @ret_base: where to go on */
int vhost_user_stop_ring(struct vhost_user *user, uint32_t index, uint32_t *ret_base);

/** vhost_user_get_config() - @len bytes of the device's configuration */
int vhost_user_get_config(struct vhost_user *user, void *buf, uint32_t len);

/** vhost_user_get_shmem_size() - Of the host-visible region, bytes; 0 where there is none */
int vhost_user_get_shmem_size(struct vhost_user *user, uint64_t *ret_len);

/** vhost_user_set_display() - Hand over the display socket @fd, borrowed. */
int vhost_user_set_display(struct vhost_user *user, int fd);
