/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A program of the build, not installed: writes files that repeat the table of options.
 *
 *	generate man TEMPLATE	TEMPLATE with the lines @OPTIONS@, @MODES@ and @VERSION@ filled in
 *	generate bash		the completion for bash
 */
#include "cli/option_table.h"
#include "config.h"
#include "renderer/renderers.h"
#include "sandbox/sandbox.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

static void print_man_name(const struct option_row *row)
{
	g_auto(GStrv) words = g_strsplit(row->name, "-", -1);
	g_autofree char *name = g_strjoinv("\\-", words);

	printf(".TP\n");
	if (row->short_name)
		printf("\\fB\\-%c\\fR, ", row->short_name);
	printf("\\fB\\-\\-%s\\fR", name);
	if (row->value == OPTION_VALUE_BOOL)
		printf("[=\\fI%s\\fR]", row->metavar);
	else if (row->metavar)
		printf(" \\fI%s\\fR", row->metavar);
	printf("\n");
}

static void print_man_options(void)
{
	for (int i = 0; i < option_rows_get()->count; i++) {
		const struct option_row *row = &option_rows_get()->row[i];

		if (row->group)
			printf(".SS %s\n", row->group);
		print_man_name(row);
		printf("%s\n", row->man);
		if (row->initial)
			printf("Default: %s.\n", row->initial);
	}
}

static void print_man_modes(void)
{
	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		printf(".TP\n\\fB%s\\fR\n%s.\n", type->name, type->summary);
		if (!type->capsets)
			continue;
		printf("Capability sets:\n.RS\n");
		for (const struct renderer_capset_name *row = type->capsets; row->name; row++)
			printf(".TP\n\\fB%s\\fR\n%s.\n", row->name, row->summary);
		printf(".RE\n");
	}
}

static int print_man(const char *template_path)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(template_path, &text, NULL, NULL))
		return 1;
	lines = g_strsplit(g_strchomp(text), "\n", -1);
	for (char **line = lines; *line; line++) {
		char *version = strstr(*line, "@VERSION@");

		if (strcmp(*line, "@OPTIONS@") == 0)
			print_man_options();
		else if (strcmp(*line, "@MODES@") == 0)
			print_man_modes();
		else if (version)
			printf("%.*s%s%s\n", (int)(version - *line), *line, VDG_VERSION,
				version + strlen("@VERSION@"));
		else
			printf("%s\n", *line);
	}
	return 0;
}

/* A list of words with spaces. */
static void print_modes(void)
{
	for (const struct renderer_type *type = renderer_types; type->name; type++)
		printf("%s%s", type == renderer_types ? "" : " ", type->name);
}

static void print_capsets(void)
{
	const char *separator = "";

	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		for (const struct renderer_capset_name *row = type->capsets; row && row->name;
			row++) {
			printf("%s%s", separator, row->name);
			separator = " ";
		}
	}
}

static void print_bash_pattern(enum option_value value)
{
	const char *separator = "\t";

	for (int i = 0; i < option_rows_get()->count; i++) {
		const struct option_row *row = &option_rows_get()->row[i];

		if (row->value != value)
			continue;
		printf("%s--%s", separator, row->name);
		if (row->short_name)
			printf("|-%c", row->short_name);
		separator = "|";
	}
	printf(")\n");
}

static void print_bash_case(enum option_value value, const char *reply)
{
	print_bash_pattern(value);
	printf("\t\t%s\n\t\treturn\n\t\t;;\n", reply);
}

/* @words: ended by NULL */
static void print_bash_words(enum option_value value, const char *const *words)
{
	g_autofree char *list = g_strjoinv(" ", (char **)words);

	print_bash_pattern(value);
	printf("\t\tCOMPREPLY=($(compgen -W \"%s\" -- \"$word\"))\n\t\treturn\n\t\t;;\n", list);
}

static void print_bash_values(void)
{

	print_bash_case(OPTION_VALUE_PATH, "COMPREPLY=($(compgen -f -- \"$word\"))");
	print_bash_case(OPTION_VALUE_NUMBER, "COMPREPLY=()");
	print_bash_case(OPTION_VALUE_TEXT, "COMPREPLY=()");
	print_bash_case(OPTION_VALUE_BOOL,
		"COMPREPLY=($(compgen -W \"true false $options\" -- \"$word\"))");
	print_bash_words(OPTION_VALUE_LEVEL, option_levels);
	print_bash_words(OPTION_VALUE_SANDBOX, sandbox_modes);
	print_bash_pattern(OPTION_VALUE_MODE);
	printf("\t\tCOMPREPLY=($(compgen -W \"");
	print_modes();
	printf("\" -- \"$word\"))\n\t\treturn\n\t\t;;\n");
	print_bash_pattern(OPTION_VALUE_CAPSETS);
	printf("\t\tlocal before=\n"
	       "\t\t[[ $word == *,* ]] && before=${word%%,*},\n"
	       "\t\tCOMPREPLY=($(compgen -P \"$before\" -W \"");
	print_capsets();
	printf("\" -- \"${word##*,}\"))\n\t\treturn\n\t\t;;\n");
}

static int print_bash(void)
{
	printf("# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause\n"
	       "# Copyright The vhost-device-gpu authors\n"
	       "# Made from the table of options when the program was built.\n"
	       "_vhost_device_gpu()\n{\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\tlocal options=\"");
	for (int i = 0; i < option_rows_get()->count; i++)
		printf("%s--%s", i == 0 ? "" : " ", option_rows_get()->row[i].name);
	printf("\"\n\n"
	       "\t# --option=value is three words here.\n"
	       "\tif [[ $word == = ]]; then\n"
	       "\t\tword=\n"
	       "\telif [[ $previous == = ]]; then\n"
	       "\t\tprevious=${COMP_WORDS[COMP_CWORD - 2]}\n"
	       "\tfi\n"
	       "\tcase $previous in\n");
	print_bash_values();
	printf("\tesac\n"
	       "\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
	       "}\n"
	       "complete -o filenames -F _vhost_device_gpu vhost-device-gpu\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "man") == 0)
		return print_man(argv[2]);
	if (argc == 2 && strcmp(argv[1], "bash") == 0)
		return print_bash();
	fprintf(stderr, "usage: generate man TEMPLATE | generate bash\n");
	return 1;
}
