/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"
#include "gpu/verdict.h"

struct gpu_command;
struct gpu_device;

/** gpu_capset_find() - A capset that the renderer has. Return: a row of its list, or NULL. */
const struct renderer_capset *gpu_capset_find(const struct renderer *renderer, uint32_t id);
enum gpu_verdict gpu_handle_get_capset_info(struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_get_capset(struct gpu_device *device, struct gpu_command *command);
