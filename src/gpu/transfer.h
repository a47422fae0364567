/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/verdict.h"

struct gpu_command;
struct gpu_device;

enum gpu_verdict gpu_handle_transfer_to_host_2d(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_transfer_to_host_3d(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_transfer_from_host_3d(
	struct gpu_device *device, struct gpu_command *command);
