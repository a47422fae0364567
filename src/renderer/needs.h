/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What the sandbox leaves open for modes, each beside the code that needs it. */
#pragma once

#include "sandbox/sandbox.h"

/** renderer_module_needs - Of who loads our modules (modules/modules.c) */
extern const struct sandbox_needs renderer_module_needs;

/** renderer_driver_needs - Of OpenGL and Vulkan drivers, whoever loads them, and of our modules for
 * them (drivers.c) */
extern const struct sandbox_needs renderer_driver_needs;

/** renderer_virgl_needs - Of the mode 'virglrenderer'; renderer_driver_needs is in it */
extern const struct sandbox_needs renderer_virgl_needs;

/** renderer_rutabaga_needs - Of the mode 'gfxstream'; renderer_driver_needs is in it */
extern const struct sandbox_needs renderer_rutabaga_needs;
