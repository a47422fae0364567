/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdbool.h>

/**
 * capabilities_print() - --print-capabilities on standard output
 * @has_virgl: OpenGL starts on this host
 * @has_render_node: the host has a render node
 *
 * The JSON of QEMU's docs/interop/vhost-user.json, type 'gpu'. A feature that is named here is
 * used by libvirt: it fails to start a domain where that then does not work.
 */
void capabilities_print(bool has_virgl, bool has_render_node);

/** capabilities_find_render_node() - Is there a /dev/dri/renderD*? */
bool capabilities_find_render_node(void);
