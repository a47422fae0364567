/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * --help, from the tables of options and renderers.
 */
#include "cli/option_table.h"
#include "cli/options.h"
#include "renderer/renderers.h"

#include <stdio.h>

/* Columns for an option, and for a mode or a capset. */
#define OPTION_WIDTH 29
#define NAME_WIDTH   20

static char *make_left(const struct option_row *row)
{
	g_autoptr(GString) left = g_string_new(NULL);

	if (row->short_name)
		g_string_printf(left, "-%c, --%s", row->short_name, row->name);
	else
		g_string_printf(left, "    --%s", row->name);
	if (row->value == OPTION_VALUE_BOOL)
		g_string_append_printf(left, "[=%s]", row->metavar);
	else if (row->metavar)
		g_string_append_printf(left, " %s", row->metavar);
	return g_string_free(g_steal_pointer(&left), FALSE);
}

static void print_option(const struct option_row *row)
{
	g_autofree char *left = make_left(row);

	if (row->group)
		printf("\n%s:\n", row->group);
	printf("  %-*s %s", OPTION_WIDTH, left, row->help);
	if (row->initial)
		printf(" [%s]", row->initial);
	printf("\n");
}

static void print_modes(void)
{
	printf("\nModes, best first, with their capsets:\n");
	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		printf("  %-*s %s%s\n", NAME_WIDTH, type->name, type->summary,
			type->create ? "" : " (not in this build)");
		for (const struct renderer_capset_name *row = type->capsets; row && row->name;
			row++)
			printf("    %-*s %s\n", NAME_WIDTH, row->name, row->summary);
	}
}

void options_print_help(void)
{
	const struct option_rows *rows = option_rows_get();

	printf("Usage: vhost-device-gpu --socket-path PATH [OPTION...]\n"
	       "       vhost-device-gpu --fd N [OPTION...]\n"
	       "\n"
	       "A virtio-gpu device for virtual machines: a vhost-user back-end.\n");
	for (int i = 0; i < rows->count; i++)
		print_option(&rows->row[i]);
	print_modes();
	printf("\nDefaults are in square brackets. BOOL is true or false, or left out for true.\n"
	       "SIZE is in bytes, or has a suffix K, M, G or T.\n"
	       "The manual page vhost-device-gpu(1) has examples.\n");
}
