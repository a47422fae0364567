/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * capabilities_print() - --print-capabilities on standard output
 * @capset_mask: bit (1 << VIRTIO_GPU_CAPSET_*) for each capset of the mode virglrenderer that starts on
 *	this host; virgl or virgl2 is what libvirt calls virgl
 * @has_render_node: the host has a render node
 *
 * The JSON of QEMU's docs/interop/vhost-user.json, type 'gpu'. A feature that is named here is
 * used by libvirt: it fails to start a domain where that then does not work.
 */
void capabilities_print(uint64_t capset_mask, bool has_render_node);

/** capabilities_find_render_node() - Is there a /dev/dri/renderD*? */
bool capabilities_find_render_node(void);
