/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The disk cache of compiled shaders that GL and Vulkan drivers keep. It is written on a guest's behalf,
 * and what one guest left there must not be read for another: a session has none, or one that no other
 * session has at the same time, in a folder that the user named for one VM.
 */
#pragma once

/**
 * shader_cache_prepare() - Make the folder, if it is not there, and look whether it is safe
 * @directory: an absolute path
 * @ret_message: why not; freed by the caller
 *
 * Return: 0; -EPERM where others may write to it or it is another user's; another negative errno.
 */
int shader_cache_prepare(const char *directory, char **ret_message);

/** shader_cache_disable() - No driver that this process starts keeps any. Before the first thread. */
void shader_cache_disable(void);

/**
 * shader_cache_open() - Let this session's drivers use the folder, unless another session does
 * @directory: of shader_cache_prepare(), or NULL for none
 *
 * Before the renderer starts. Return: a descriptor that holds the folder until it is closed, or -1.
 */
int shader_cache_open(const char *directory);
