/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* 3D contexts. Inside gpu/ only. */
#pragma once

#include "gpu/verdict.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_contexts;
struct gpu_device;
struct gpu_tracked_resource;

/**
 * struct gpu_context - A 3D context
 * @resources: what is attached to it, id -> struct gpu_attachment, owned
 */
struct gpu_context {
	struct gpu_device *device;
	uint32_t id;
	uint32_t capset_id;
	GHashTable *resources;
};

struct gpu_contexts *gpu_contexts_create(void);

/** gpu_contexts_destroy() - The table; the contexts were destroyed before. */
void gpu_contexts_destroy(struct gpu_contexts *contexts);

/** gpu_context_find() - Return: borrowed, or NULL. */
struct gpu_context *gpu_context_find(struct gpu_device *device, uint32_t id);

/** gpu_context_list() - All there are. Return: the list's links are the caller's. */
GList *gpu_context_list(struct gpu_device *device);

/** gpu_context_destroy_more() - Return: 0; RENDERER_AGAIN where the turn is over: call again. */
int gpu_context_destroy_more(struct gpu_device *device, struct gpu_context *context);

/** gpu_context_forget_resource() - Detach a resource from all contexts. */
void gpu_context_forget_resource(struct gpu_device *device, struct gpu_tracked_resource *resource);

/** gpu_context_has_elsewhere() - Does a context other than @ctx_id have the resource attached? */
bool gpu_context_has_elsewhere(const struct gpu_tracked_resource *resource, uint32_t ctx_id);

enum gpu_verdict gpu_handle_ctx_create(struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_ctx_destroy(struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_ctx_attach_resource(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_ctx_detach_resource(
	struct gpu_device *device, struct gpu_command *command);
enum gpu_verdict gpu_handle_submit_3d(struct gpu_device *device, struct gpu_command *command);
