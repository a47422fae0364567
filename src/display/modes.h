/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "gpu/display.h"

/** Longest text that display_mode_format() writes, its NUL included. */
#define DISPLAY_MODE_TEXT_LEN 32

/** Largest side of an output, pixels: what the EDID and drivers can still make sense of. */
#define DISPLAY_MAX_MODE_SIZE 16384

/**
 * display_mode_parse() - Read an output as a user writes it
 * @text: "WIDTHxHEIGHT", with "+off" behind it for a screen that is not connected
 *
 * Return: 0, or -EINVAL.
 */
int display_mode_parse(const char *text, struct display_output *ret_output);

/**
 * display_modes_parse() - Read a list of outputs, with commas between them
 * @ret_count: outputs in the list, at most DISPLAY_MAX_OUTPUTS
 *
 * The outputs that the list leaves out are not connected. Return: 0; -EINVAL; -E2BIG for too many.
 */
int display_modes_parse(
	const char *text, struct display_outputs *ret_outputs, unsigned int *ret_count);

/** display_mode_format() - Write an output as a user writes it. @text: DISPLAY_MODE_TEXT_LEN. */
void display_mode_format(const struct display_output *output, char *text);
