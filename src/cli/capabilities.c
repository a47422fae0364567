/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What management software is told (QEMU's vhost-user document, "Backend program conventions").
 */
#include "cli/capabilities.h"

#include "gpu/renderer.h"

#include <glib.h>
#include <stdio.h>

bool capabilities_find_render_node(void)
{
	g_autoptr(GDir) dir = g_dir_open("/dev/dri", 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_prefix(name, "renderD"))
			return true;
	return false;
}

void capabilities_print(uint64_t capset_mask, bool has_render_node)
{
	const uint64_t gl_capsets = (UINT64_C(1) << VIRTIO_GPU_CAPSET_VIRGL) |
				    (UINT64_C(1) << VIRTIO_GPU_CAPSET_VIRGL2);
	const char *features[3] = {NULL};
	unsigned int count = 0;
	g_autofree char *list = NULL;

	if (has_render_node)
		features[count++] = "\"render-node\"";
	if (capset_mask & gl_capsets)
		features[count++] = "\"virgl\"";
	list = g_strjoinv(", ", (char **)features);
	printf("{\"type\": \"gpu\", \"features\": [%s]}\n", list);
}
