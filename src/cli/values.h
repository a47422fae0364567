/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Values of options. All return 0, or -EINVAL for what is malformed, and write on success only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** value_parse_bool() - "true" or "false". */
int value_parse_bool(const char *text, bool *ret_value);

/** value_parse_number() - A decimal number in [@min, @max]. */
int value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/** value_parse_size() - Bytes, with an optional suffix K, M, G or T (powers of 1024). */
int value_parse_size(const char *text, uint64_t *ret_bytes);

/** value_format_size() - The same the other way: the largest suffix without a remainder; g_free(). */
char *value_format_size(uint64_t bytes);

/** value_parse_level() - A name of option_levels. */
int value_parse_level(const char *text, GLogLevelFlags *ret_level);
