/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands for the mode gfxstream, with a library behind it that only checks what it is asked for
 * (fake-rutabaga.h). Input: one byte that chooses cross-domain alone or gfxstream with it, then records
 * (gpu-machine.h), whose HOST is fake_rutabaga_act().
 */
#include "fake-rutabaga.h"
#include "gpu-machine.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	machine_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct machine_input in = {data, len};
	/* As after a probe: no child is needed to find out what starts. */
	struct renderer_options options = {
		.tried_capset_mask = 1 << VIRTIO_GPU_CAPSET_CROSS_DOMAIN};

	if (machine_take_byte(&in) & 1)
		options.tried_capset_mask |= 1 << VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN;
	fake_rutabaga_reset();
	machine_run("gfxstream", &options, fake_rutabaga_act, &in);
	return 0;
}
