/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands for the mode virglrenderer, with a library behind it that only checks what it is asked for
 * (fake-virgl.h): nothing that the device and the renderer let through makes the real one touch memory
 * that is not meant. Input: records (gpu-machine.h), whose HOST is fake_virgl_act().
 */
#include "fake-virgl.h"
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
	const struct renderer_options options = {
		.capset_mask = 1 << VIRTIO_GPU_CAPSET_VIRGL | 1 << VIRTIO_GPU_CAPSET_VIRGL2 |
			       1 << VIRTIO_GPU_CAPSET_VENUS,
	};
	struct machine_input in = {data, len};

	fake_virgl_reset();
	machine_run("virglrenderer", &options, fake_virgl_act, &in);
	return 0;
}
