/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <linux/virtio_gpu.h>

/**
 * enum gpu_verdict - What a handler decided about a command
 *
 * GPU_WAITS: the command's wait (gpu/wait.h) will finish it. GPU_AGAIN: of a step only (gpu/steps.h).
 * All others are the response code itself (virtio 1.3, section 5.7.6.7).
 */
enum gpu_verdict {
	GPU_AGAIN = 0,
	GPU_WAITS = 1,
	GPU_OK = VIRTIO_GPU_RESP_OK_NODATA,
	GPU_OK_DISPLAY_INFO = VIRTIO_GPU_RESP_OK_DISPLAY_INFO,
	GPU_OK_CAPSET_INFO = VIRTIO_GPU_RESP_OK_CAPSET_INFO,
	GPU_OK_CAPSET = VIRTIO_GPU_RESP_OK_CAPSET,
	GPU_OK_EDID = VIRTIO_GPU_RESP_OK_EDID,
	GPU_OK_RESOURCE_UUID = VIRTIO_GPU_RESP_OK_RESOURCE_UUID,
	GPU_OK_MAP_INFO = VIRTIO_GPU_RESP_OK_MAP_INFO,
	GPU_ERR_UNSPEC = VIRTIO_GPU_RESP_ERR_UNSPEC,
	GPU_ERR_OUT_OF_MEMORY = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
	GPU_ERR_INVALID_SCANOUT_ID = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID,
	GPU_ERR_INVALID_RESOURCE_ID = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
	GPU_ERR_INVALID_CONTEXT_ID = VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
	GPU_ERR_INVALID_PARAMETER = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
};

/** gpu_verdict_from_errno() - The one mapping: 0 is GPU_OK, a limit's error is out of memory. */
enum gpu_verdict gpu_verdict_from_errno(int error);
