/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

/** Where vdg-no-exec.so says that it is in force: one byte to this descriptor of the render server */
#define RENDERER_MODULE_CONFIRM_FD 4

/**
 * renderer_module_find() - The path of a module that was installed with the program
 * @name: its file, such as vdg-late-driver.so
 *
 * The variable VHOST_DEVICE_GPU_LIBDIR says where it is, for a build that is not installed; of a
 * folder that others can write to a warning is logged, and it is ignored. Whether the file is
 * there is not looked at.
 *
 * Return: g_free() it.
 */
char *renderer_module_find(const char *name);
