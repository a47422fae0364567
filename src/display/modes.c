/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Outputs as users write them: "1280x800,1920x1080+off". The command line and the control socket. */
#include "display/modes.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define OFF_SUFFIX "+off"

/* Reads a number that ends with @end. Return: what follows, or NULL. */
static const char *parse_size(const char *text, char end, uint32_t *ret_size)
{
	gchar *rest;
	guint64 size;

	/* No sign, no space. */
	if (!g_ascii_isdigit(text[0]))
		return NULL;
	size = g_ascii_strtoull(text, &rest, 10);
	if (size == 0 || size > DISPLAY_MAX_MODE_SIZE || (end != '\0' && *rest != end))
		return NULL;
	*ret_size = (uint32_t)size;
	return end != '\0' ? rest + 1 : rest;
}

int display_mode_parse(const char *text, struct display_output *ret_output)
{
	struct display_output output = {0};
	const char *rest = parse_size(text, 'x', &output.rect.width);

	if (rest)
		rest = parse_size(rest, '\0', &output.rect.height);
	if (!rest)
		return -EINVAL;
	output.connected = rest[0] == '\0';
	if (!output.connected && strcmp(rest, OFF_SUFFIX) != 0)
		return -EINVAL;
	*ret_output = output;
	return 0;
}

int display_modes_parse(
	const char *text, struct display_outputs *ret_outputs, unsigned int *ret_count)
{
	g_auto(GStrv) words = g_strsplit(text, ",", DISPLAY_MAX_OUTPUTS + 1);
	struct display_outputs outputs = {0};
	unsigned int count = g_strv_length(words);

	if (count > DISPLAY_MAX_OUTPUTS)
		return -E2BIG;
	if (count == 0)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++)
		if (display_mode_parse(words[i], &outputs.output[i]) < 0)
			return -EINVAL;
	*ret_outputs = outputs;
	*ret_count = count;
	return 0;
}

void display_mode_format(const struct display_output *output, char *text)
{
	g_snprintf(text, DISPLAY_MODE_TEXT_LEN, "%ux%u%s", output->rect.width, output->rect.height,
		output->connected ? "" : OFF_SUFFIX);
}
