/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Length of what edid_generate() writes, bytes: one base block. */
#define EDID_LEN 128

/**
 * edid_generate() - Make an EDID 1.4 base block for a screen of the given size
 * @scanout_id: the serial number is one more
 * @width: preferred mode, pixels; 0 stands for a screen of 1024 x 768
 * @height: preferred mode, pixels
 * @edid: EDID_LEN bytes
 *
 * For displays whose other side has no EDID of its own. A base block has no room for more than
 * 4095 pixels in either direction; larger sizes are cut to that.
 */
void edid_generate(uint32_t scanout_id, uint32_t width, uint32_t height, uint8_t *edid);
