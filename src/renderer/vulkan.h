/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdbool.h>

/**
 * struct renderer_vulkan - What the host's Vulkan can do
 * @has_gpu: one of its devices is no software renderer
 * @exports_dmabufs: and gives its memory out as dma-bufs
 */
struct renderer_vulkan {
	bool has_gpu;
	bool exports_dmabufs;
};

/**
 * renderer_vulkan_probe() - Has the host a Vulkan driver with a device?
 * @ret_reason: on failure why not, one line; g_free()
 *
 * Runs a child, for 15 seconds at most. Return: 0 or a negative errno.
 */
int renderer_vulkan_probe(struct renderer_vulkan *ret_vulkan, char **ret_reason);
