/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/verdict.h"

struct gpu_command;
struct gpu_device;

enum gpu_verdict gpu_handle_get_display_info(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_get_edid(struct gpu_device *device, struct gpu_command *command);
