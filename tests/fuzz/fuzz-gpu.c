/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands for the renderers that need no library, null and 2d. Input: one byte that chooses the
 * renderer, then records (gpu-machine.h).
 */
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
	const struct renderer_options options = {0};
	struct machine_input in = {data, len};

	machine_run(machine_take_byte(&in) & 1 ? "null" : "2d", &options, NULL, &in);
	return 0;
}
