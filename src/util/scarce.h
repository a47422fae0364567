/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Is the process close to all the memory that it may have? One thread measures, another asks before
 * it gives a guest what takes memory for as long as the guest likes; as fd_is_scarce().
 */
#pragma once

#include <stdbool.h>

/** memory_set_scarce() - What was measured. Any thread. */
void memory_set_scarce(bool scarce);

/** memory_is_scarce() - What was said last; false at first. Any thread. */
bool memory_is_scarce(void);
