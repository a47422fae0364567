/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What Rutabaga and gfxstream need of the sandbox beside the drivers. Cross-domain connects to the
 * sockets of --channel when a guest's context asks for it: renderer/options.c.
 */
#include "renderer/needs.h"
#include "renderer/rutabaga/renderer_rutabaga.h"

static const struct sandbox_path paths[] = {
	{RENDERER_RUTABAGA_LIBDIR, SANDBOX_READ},
	/* gfxstream's shared memory; others' files there are not readable for others */
	{"/dev/shm", SANDBOX_WRITE},
	{0},
};

static const char *const variables[] = {RENDERER_RUTABAGA_VULKAN_LOADER, NULL};

const struct sandbox_needs renderer_rutabaga_needs = {
	.base = &renderer_driver_needs,
	.paths = paths,
	.variables = variables,
};
