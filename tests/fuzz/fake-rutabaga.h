/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A library that plays rutabaga_gfx_ffi for fuzz-rutabaga. It draws nothing. What the real one takes on
 * trust must be good here, or the process ends: lengths in a stream, memory as long as an image, rings
 * that are there as long as a channel's thread.
 */
#pragma once

#include <stdint.h>

/** fake_rutabaga_act() - Do what a byte of the input says: messages, fences, failures. */
void fake_rutabaga_act(uint8_t what);

/** fake_rutabaga_reset() - As when the process started. */
void fake_rutabaga_reset(void);
