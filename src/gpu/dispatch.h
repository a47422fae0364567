/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

struct gpu_device;
struct gpu_request;

/** gpu_dispatch_control() - Run a request of the control queue through the table. */
void gpu_dispatch_control(struct gpu_device *device, struct gpu_request *request);

/** gpu_dispatch_cursor() - The same for the cursor queue. */
void gpu_dispatch_cursor(struct gpu_device *device, struct gpu_request *request);
