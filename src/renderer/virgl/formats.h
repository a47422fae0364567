/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** renderer_virgl_format_is_depth() - Has it depth or stencil? @format: the protocol's number. */
bool renderer_virgl_format_is_depth(uint32_t format);

/** renderer_virgl_format_is_compressed() - Is a line of blocks more than a line of pixels? */
bool renderer_virgl_format_is_compressed(uint32_t format);

/** renderer_virgl_format_is_stencil_view() - The stencil of a depth format, by itself? */
bool renderer_virgl_format_is_stencil_view(uint32_t format);

/** renderer_virgl_format_is_narrow() - Is it known that a pixel has 4 bytes at most? */
bool renderer_virgl_format_is_narrow(uint32_t format);
