/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A device with a guest that sends any commands in any order, for the fuzz targets that differ in
 * the renderer behind it. Commands enter where a session gives them to the device; one display takes
 * pixels at once, a second one when the input says so, and so does the other side of the shared memory
 * region.
 *
 * Input: records of { operation, length / 4, bytes }. What a command says beyond the record's bytes is
 * 0. The operations are enum operation in gpu-machine.c, in which only HOST and DISPLAY read their
 * bytes: one. A command whose operation has their number added says that another one follows it.
 */
#pragma once

#include "gpu/renderer.h"

#include <stddef.h>
#include <stdint.h>

/** struct machine_input - What is left of the fuzzer's input */
struct machine_input {
	const uint8_t *data;
	size_t len;
};

/** machine_init() - Once in a process: no lines, they would cost more than the commands. */
void machine_init(void);

/**
 * machine_run() - Run the guest until the input ends, and take everything down
 * @mode: of the table in renderer/renderers.c
 * @options: its context is filled in
 * @host_act: what plays the renderer's library does what a byte says; NULL: nothing does
 *
 * Ends the process where something is left behind: a request without its answer, a descriptor.
 */
void machine_run(const char *mode, const struct renderer_options *options,
	void (*host_act)(uint8_t what), struct machine_input *in);

/** machine_take_byte() - The next byte of the input, 0 at its end. */
uint8_t machine_take_byte(struct machine_input *in);
