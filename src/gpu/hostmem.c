/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Host memory, counted: images, backing lists, blobs, attachments, and the pixels on their way to a
 * display.
 *
 * What has a limit of its own is not counted here: a resource's and a context's own structures, a
 * mapping (one for each resource), the 64 timelines of a context, and commands that wait, with their
 * fences and transfers, of which there are as many as a ring has entries.
 */
#include "gpu/hostmem.h"

#include "gpu/state.h"
#include "util/checked.h"
#include "util/lendable.h"

#include <errno.h>

int gpu_hostmem_charge(struct gpu_device *device, uint64_t len)
{
	if (!checked_range(device->hostmem_used, len, device->limits.max[GPU_LIMIT_HOSTMEM]))
		return gpu_limit_error(GPU_LIMIT_HOSTMEM);
	device->hostmem_used += len;
	return 0;
}

void gpu_hostmem_release(struct gpu_device *device, uint64_t len)
{
	device->hostmem_used -= len;
}

void gpu_buffer_finish(struct gpu_device *device, struct gpu_buffer *buffer)
{
	gpu_hostmem_release(device, buffer->len);
	lendable_free(buffer->data, buffer->len);
	*buffer = (struct gpu_buffer){0};
}

int gpu_buffer_reserve(struct gpu_device *device, struct gpu_buffer *buffer, size_t len)
{
	int ret;

	if (len <= buffer->len)
		return 0;
	gpu_buffer_finish(device, buffer);
	ret = gpu_hostmem_charge(device, len);
	if (ret < 0)
		return ret;
	buffer->data = lendable_alloc(len);
	if (!buffer->data) {
		gpu_hostmem_release(device, len);
		return -ENOMEM;
	}
	buffer->len = len;
	return 0;
}
