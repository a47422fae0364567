/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The count of host memory that a guest's resources take. Inside gpu/ only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gpu_device;

/** gpu_hostmem_charge() - Count @len bytes. Return: 0 or the limit's error. */
int gpu_hostmem_charge(struct gpu_device *device, uint64_t len);
void gpu_hostmem_release(struct gpu_device *device, uint64_t len);

/** struct gpu_buffer - Memory of util/lendable.h that is kept from use to use, counted; zero at first */
struct gpu_buffer {
	uint8_t *data;
	size_t len; /* bytes */
};

/**
 * gpu_buffer_reserve() - Make room; what was in it is lost when it has to grow
 *
 * Return: 0, -ENOMEM or the limit's error.
 */
int gpu_buffer_reserve(struct gpu_device *device, struct gpu_buffer *buffer, size_t len);

/** gpu_buffer_finish() - Give the memory back; the buffer can be used again. */
void gpu_buffer_finish(struct gpu_device *device, struct gpu_buffer *buffer);
