/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/renderer.h"

/**
 * renderer_types - All values of --gpu-mode, built or not, best first; ended by a NULL name
 *
 * The only list of renderers. Without --gpu-mode the first row that was built and starts is used.
 */
extern const struct renderer_type renderer_types[];

/** renderer_type_find() - Look a mode up by its name. Return: a row, or NULL. */
const struct renderer_type *renderer_type_find(const char *name);

/** renderer_capset_find() - Look a capset of a mode up by its name. Return: a row, or NULL. */
const struct renderer_capset_name *renderer_capset_find(
	const struct renderer_type *type, const char *name);
