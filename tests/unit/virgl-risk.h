/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "renderer/options.h"
#include "renderer/virgl/renderer_virgl.h"

/**
 * virgl_risk() - Is this machine's virglrenderer one that guests' OpenGL may not reach?
 *
 * Tests give --unsafe-old-virglrenderer then, and only then: with a newer library they show that it
 * works without.
 */
static inline bool virgl_risk(void)
{
	g_autofree char *message = NULL;

	return renderer_virgl_library_load(&message) == 0 &&
	       renderer_virgl_library_check(&message) < 0;
}
