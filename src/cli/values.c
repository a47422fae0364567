/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Text of single options to values. What an option means is options.c's.
 */
#include "cli/values.h"

#include "cli/option_table.h"
#include "util/checked.h"

#include <errno.h>
#include <string.h>

int value_parse_bool(const char *text, bool *ret_value)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -EINVAL;
	*ret_value = text[0] == 't';
	return 0;
}

int value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	guint64 value;

	if (!g_ascii_string_to_unsigned(text, 10, min, max, &value, NULL))
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static const char size_suffixes[] = "KMGT";

int value_parse_size(const char *text, uint64_t *ret_bytes)
{
	g_autofree char *digits = g_strdup(text);
	size_t len = strlen(digits);
	const char *suffix =
		len > 0 ? strchr(size_suffixes, g_ascii_toupper(digits[len - 1])) : NULL;
	uint64_t factor = 1;
	uint64_t count;
	uint64_t bytes;

	if (suffix && *suffix != '\0') {
		digits[len - 1] = '\0';
		factor = UINT64_C(1) << (10 * (suffix - size_suffixes + 1));
	}
	if (value_parse_number(digits, 0, UINT64_MAX, &count) < 0 ||
		!checked_mul(count, factor, &bytes))
		return -EINVAL;
	*ret_bytes = bytes;
	return 0;
}

char *value_format_size(uint64_t bytes)
{
	char suffix[2] = "";

	for (size_t i = 0; i < strlen(size_suffixes) && bytes != 0 && bytes % 1024 == 0; i++) {
		bytes /= 1024;
		suffix[0] = size_suffixes[i];
	}
	return g_strdup_printf("%" G_GUINT64_FORMAT "%s", bytes, suffix);
}

int value_parse_level(const char *text, GLogLevelFlags *ret_level)
{
	static const GLogLevelFlags levels[] = {
		G_LOG_LEVEL_CRITICAL, G_LOG_LEVEL_WARNING, G_LOG_LEVEL_INFO, G_LOG_LEVEL_DEBUG};

	for (unsigned int i = 0; option_levels[i]; i++) {
		if (strcmp(option_levels[i], text) == 0) {
			*ret_level = levels[i];
			return 0;
		}
	}
	return -EINVAL;
}
