/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The command line to a struct options: getopt_long() on the table of options, then the checks of
 * options against each other. It opens nothing: what only the host can tell (a path, a renderer
 * that does not start) is found out by whoever uses the values.
 */
#include "cli/options.h"

#include "cli/option_table.h"
#include "cli/values.h"
#include "renderer/options.h"
#include "renderer/renderers.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#define MAX_MAX_SESSIONS 4096
#define MAX_HANDSHAKE_S	 86400
#define MAX_POLL_US	 1000000
#define ADAPTIVE_POLL_US 50
#define MIN_HOSTMEM	 (UINT64_C(1) << 20)

/* getopt_long()'s value of an option: its row, out of the way of characters. */
#define ROW_BASE 256

/* What is known while the command line is read. */
struct parser {
	struct options options;
	bool given[OPTION_MAX_COUNT]; /* by row */
	const char *mode;
	const char *capsets;
	char *message;
};

static int options_fail(struct parser *parser, const char *format, ...) G_GNUC_PRINTF(2, 3);

static int options_fail(struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	parser->message = g_strdup_vprintf(format, args);
	va_end(args);
	return -EINVAL;
}

/* All modes, built or not, as a list to read. */
static char *list_modes(void)
{
	g_autoptr(GString) list = g_string_new(NULL);

	for (const struct renderer_type *type = renderer_types; type->name; type++)
		g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", type->name);
	return g_string_free(g_steal_pointer(&list), FALSE);
}

static char *list_capsets(const struct renderer_type *only)
{
	g_autoptr(GString) list = g_string_new(NULL);

	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		if (only && type != only)
			continue;
		for (const struct renderer_capset_name *row = type->capsets; row && row->name;
			row++)
			g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", row->name);
	}
	return g_string_free(g_steal_pointer(&list), FALSE);
}

static const struct renderer_type *find_mode_of_capset(const char *capset)
{
	for (const struct renderer_type *type = renderer_types; type->name; type++)
		if (renderer_capset_find(type, capset))
			return type;
	return NULL;
}

/* Single options */

static int set_bool(
	struct parser *parser, const struct option_row *row, const char *value, bool *ret_value)
{
	if (!value) {
		*ret_value = true;
		return 0;
	}
	if (value_parse_bool(value, ret_value) < 0)
		return options_fail(parser, "--%s takes true or false, not '%s'", row->name, value);
	return 0;
}

static int set_number(struct parser *parser, const struct option_row *row, const char *value,
	uint64_t min, uint64_t max, uint64_t *ret_value)
{
	if (value_parse_number(value, min, max, ret_value) < 0)
		return options_fail(parser,
			"--%s takes a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
			", not '%s'",
			row->name, min, max, value);
	return 0;
}

static int set_path(
	struct parser *parser, const struct option_row *row, const char *value, char **path)
{
	if (!value || value[0] == '\0')
		return options_fail(parser, "--%s takes a path, not an empty word", row->name);
	g_free(*path);
	*path = g_strdup(value);
	return 0;
}

/* The region becomes a PCI BAR, whose size is a power of two. */
static int set_hostmem(struct parser *parser, const char *value)
{
	uint64_t size;

	if (value_parse_size(value, &size) < 0 || (size & (size - 1)) != 0 ||
		(size != 0 && size < MIN_HOSTMEM))
		return options_fail(parser,
			"--hostmem takes a power of two of at least 1M, such as 256M or 4G, or 0, "
			"not '%s'",
			value);
	parser->options.hostmem = size;
	return 0;
}

static int set_outputs(struct parser *parser, const char *value)
{
	struct options *options = &parser->options;
	int ret = display_modes_parse(value, &options->outputs, &options->output_count);

	if (ret == -E2BIG)
		return options_fail(
			parser, "--outputs takes at most %d outputs", DISPLAY_MAX_OUTPUTS);
	if (ret < 0)
		return options_fail(parser,
			"--outputs takes WIDTHxHEIGHT or WIDTHxHEIGHT+off, with commas between, "
			"not '%s'; each side is 1 to %d",
			value, DISPLAY_MAX_MODE_SIZE);
	return 0;
}

static int set_control(struct parser *parser, const char *value)
{
	if (!g_file_test(value, G_FILE_TEST_IS_DIR))
		return options_fail(
			parser, "--control takes a directory that exists, not '%s'", value);
	g_free(parser->options.control_dir);
	parser->options.control_dir = g_strdup(value);
	return 0;
}

static int parse_limit(const struct gpu_limit_row *limit, const char *value, uint64_t *ret_value)
{
	uint64_t number;
	int ret = limit->is_size ? value_parse_size(value, &number)
				 : value_parse_number(value, 0, UINT64_MAX, &number);

	if (ret < 0 || (number == 0 && !limit->can_be_off) ||
		(number != 0 && (number < limit->min || number > limit->max)))
		return -EINVAL;
	*ret_value = number;
	return 0;
}

static int set_limit(struct parser *parser, const struct option_row *row, const char *value)
{
	const struct gpu_limit_row *limit = row->limit;
	uint64_t *max = &parser->options.limits.max[limit - gpu_limit_rows];
	g_autofree char *least = NULL, *most = NULL;

	if (parse_limit(limit, value, max) == 0)
		return 0;
	least = limit->is_size ? value_format_size(limit->min)
			       : g_strdup_printf("%" G_GUINT64_FORMAT, limit->min);
	most = limit->is_size ? value_format_size(limit->max)
			      : g_strdup_printf("%" G_GUINT64_FORMAT, limit->max);
	return options_fail(parser, "--%s takes a %s from %s to %s%s, not '%s'", row->name,
		limit->is_size ? "size" : "number", least, most,
		limit->can_be_off ? ", or 0 for none" : "", value);
}

static int set_sandbox(struct parser *parser, const char *value)
{
	g_autofree char *known = NULL;

	if (sandbox_mode_parse(value, &parser->options.sandbox) == 0)
		return 0;
	known = g_strjoinv(", ", (char **)sandbox_modes);
	return options_fail(parser, "unknown word '%s' for --sandbox; known: %s", value, known);
}

static int set_level(struct parser *parser, const char *value)
{
	if (value_parse_level(value, &parser->options.log_level) < 0) {
		g_autofree char *known = g_strjoinv(", ", (char **)option_levels);

		return options_fail(
			parser, "unknown level '%s' for --log-level; known: %s", value, known);
	}
	return 0;
}

static int set_max_sessions(struct parser *parser, const struct option_row *row, const char *value)
{
	uint64_t number;
	int ret = set_number(parser, row, value, 1, MAX_MAX_SESSIONS, &number);

	if (ret == 0)
		parser->options.max_sessions = (unsigned int)number;
	return ret;
}

static int set_handshake_timeout(
	struct parser *parser, const struct option_row *row, const char *value)
{
	uint64_t number;
	int ret = set_number(parser, row, value, 0, MAX_HANDSHAKE_S, &number);

	if (ret == 0)
		parser->options.handshake_timeout_s = (unsigned int)number;
	return ret;
}

static int set_poll_us(struct parser *parser, const struct option_row *row, const char *value)
{
	uint64_t number = ADAPTIVE_POLL_US;

	parser->options.adapts_polling = g_strcmp0(value, "auto") == 0;
	if (!parser->options.adapts_polling &&
		value_parse_number(value, 0, MAX_POLL_US, &number) < 0)
		return options_fail(parser, "--%s takes auto or a number from 0 to %u, not '%s'",
			row->name, MAX_POLL_US, value);
	parser->options.poll_us = (unsigned int)number;
	return 0;
}

static int set_fd(struct parser *parser, const struct option_row *row, const char *value)
{
	uint64_t number;
	int ret = set_number(parser, row, value, 0, INT_MAX, &number);

	if (ret == 0)
		parser->options.fd = (int)number;
	return ret;
}

static int add_renderer_option(
	struct parser *parser, const struct option_row *row, const char *value)
{
	if (renderer_option_add(
		    &parser->options.renderer, row->renderer_option, g_intern_string(value)) < 0)
		return options_fail(parser, "--%s is given too many times", row->name);
	return 0;
}

static int set_renderer_option(
	struct parser *parser, const struct option_row *row, const char *value)
{
	bool is_on;
	int ret;

	if (row->renderer_option->metavar)
		return add_renderer_option(parser, row, value);
	ret = set_bool(parser, row, value, &is_on);
	if (ret == 0)
		renderer_option_set(&parser->options.renderer, row->renderer_option, is_on);
	return ret;
}

static int set_option(struct parser *parser, const struct option_row *row, const char *value)
{
	struct options *options = &parser->options;

	if (row->renderer_option)
		return set_renderer_option(parser, row, value);
	if (row->limit)
		return set_limit(parser, row, value);
	switch (row->id) {
	case OPTION_SOCKET_PATH:
		return set_path(parser, row, value, &options->socket_path);
	case OPTION_FD:
		return set_fd(parser, row, value);
	case OPTION_ONCE:
		options->once = true;
		return 0;
	case OPTION_MAX_SESSIONS:
		return set_max_sessions(parser, row, value);
	case OPTION_HANDSHAKE_TIMEOUT:
		return set_handshake_timeout(parser, row, value);
	case OPTION_GPU_MODE:
		parser->mode = value;
		return 0;
	case OPTION_CAPSET:
		parser->capsets = value;
		return 0;
	case OPTION_GPU_DEVICE:
	case OPTION_RENDER_NODE:
		return set_path(parser, row, value, &options->render_node);
	case OPTION_HEADLESS:
		options->headless = true;
		return 0;
	case OPTION_OUTPUTS:
		return set_outputs(parser, value);
	case OPTION_CONTROL:
		return set_control(parser, value);
	case OPTION_SHADER_CACHE:
		return set_path(parser, row, value, &options->shader_cache);
	case OPTION_USE_DMABUF:
		return set_bool(parser, row, value, &options->use_dmabuf);
	case OPTION_POLL_US:
		return set_poll_us(parser, row, value);
	case OPTION_HOSTMEM:
		return set_hostmem(parser, value);
	case OPTION_SANDBOX:
		return set_sandbox(parser, value);
	case OPTION_LOG_LEVEL:
		return set_level(parser, value);
	case OPTION_PRINT_CAPABILITIES:
		options->action = OPTIONS_PRINT_CAPABILITIES;
		return 0;
	case OPTION_HELP:
		options->action = OPTIONS_HELP;
		return 0;
	case OPTION_VERSION:
		options->action = OPTIONS_VERSION;
		return 0;
	case OPTION_VIRGL: /* finish_mode() */
	case OPTION_COUNT:
		return 0;
	}
	return 0;
}

static void set_defaults(struct parser *parser)
{
	const struct option_rows *rows = option_rows_get();

	for (int i = 0; i < rows->count; i++) {
		const struct option_row *row = &rows->row[i];

		if (row->initial && set_option(parser, row, row->initial) < 0)
			g_assert_not_reached();
	}
}

static bool is_given(const struct parser *parser, enum option_id id)
{
	const struct option_rows *rows = option_rows_get();

	for (int i = 0; i < rows->count; i++)
		if (rows->row[i].id == id && !rows->row[i].renderer_option && !rows->row[i].limit)
			return parser->given[i];
	return false;
}

/* Reading the words */

static int argument_kind(enum option_value value)
{
	if (value == OPTION_VALUE_NONE)
		return no_argument;
	return value == OPTION_VALUE_BOOL ? optional_argument : required_argument;
}

/* Writes the table in getopt_long()'s terms. */
static void make_getopt_table(struct option *longs, char *shorts)
{
	const struct option_rows *rows = option_rows_get();

	/* The colon: a missing value is told apart from an unknown option. */
	*shorts++ = ':';
	for (int i = 0; i < rows->count; i++) {
		const struct option_row *row = &rows->row[i];

		longs[i] = (struct option){
			.name = row->name,
			.has_arg = argument_kind(row->value),
			.val = ROW_BASE + i,
		};
		if (!row->short_name)
			continue;
		*shorts++ = row->short_name;
		if (row->value != OPTION_VALUE_NONE)
			*shorts++ = ':';
	}
	longs[rows->count] = (struct option){0};
	*shorts = '\0';
}

/* @value: of getopt_long(). Return: an index of the rows, or -1. */
static int find_row(int value)
{
	const struct option_rows *rows = option_rows_get();

	if (value >= ROW_BASE)
		return value - ROW_BASE;
	for (int i = 0; i < rows->count; i++)
		if (rows->row[i].short_name == value)
			return i;
	return -1;
}

/* getopt_long() returned '?' or ':'. */
static int fail_at_word(struct parser *parser, int value, char **argv)
{
	const int index = optopt != 0 ? find_row(optopt) : -1;
	const struct option_row *row = index >= 0 ? &option_rows_get()->row[index] : NULL;

	if (value == ':' && row)
		return options_fail(
			parser, "--%s needs a value: --%s %s", row->name, row->name, row->metavar);
	if (row)
		return options_fail(parser, "--%s takes no value", row->name);
	if (optopt != 0)
		return options_fail(
			parser, "unknown option '-%c'; --help lists the options", optopt);
	return options_fail(parser, "unknown or ambiguous option '%s'; --help lists the options",
		argv[optind - 1]);
}

/* A boolean option takes its value from the next word too, if that is one. */
static const char *take_bool_word(int argc, char **argv)
{
	bool value;

	if (optind < argc && value_parse_bool(argv[optind], &value) == 0)
		return argv[optind++];
	return NULL;
}

static bool is_repeatable(const struct option_row *row)
{
	return row->renderer_option && row->renderer_option->metavar;
}

static int parse_words(struct parser *parser, int argc, char **argv)
{
	struct option longs[OPTION_MAX_COUNT + 1];
	char shorts[2 * OPTION_MAX_COUNT + 2];
	int value;

	make_getopt_table(longs, shorts);
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row;
		int index, ret;

		if (value == '?' || value == ':')
			return fail_at_word(parser, value, argv);
		index = find_row(value);
		row = &option_rows_get()->row[index];
		if (!optarg && row->value == OPTION_VALUE_BOOL)
			optarg = (char *)take_bool_word(argc, argv);
		if (parser->given[index] && !is_repeatable(row))
			return options_fail(parser, "--%s was given twice", row->name);
		parser->given[index] = true;
		ret = set_option(parser, row, optarg);
		if (ret < 0 || parser->options.action == OPTIONS_HELP ||
			parser->options.action == OPTIONS_VERSION)
			return ret;
	}
	if (optind < argc)
		return options_fail(
			parser, "unexpected word '%s'; --help lists the options", argv[optind]);
	return 0;
}

/* Options against each other */

static int check_built(struct parser *parser, const struct renderer_type *type)
{
	const char *package = type->package;

	if (type->create)
		return 0;
	return options_fail(parser,
		"this build has no mode '%s': %s%s%sbuild with -D%s=enabled (meson)", type->name,
		package ? "install " : "", package ? package : "",
		package ? " with its development files and " : "", type->meson_option);
}

static int finish_mode(struct parser *parser)
{
	g_autofree char *known = list_modes();

	if (is_given(parser, OPTION_VIRGL)) {
		if (parser->mode && strcmp(parser->mode, "virglrenderer") != 0)
			return options_fail(parser,
				"--virgl means --gpu-mode virglrenderer, but mode %s was given",
				parser->mode);
		parser->mode = "virglrenderer";
	}
	if (!parser->mode)
		return 0;
	parser->options.type = renderer_type_find(parser->mode);
	if (!parser->options.type)
		return options_fail(
			parser, "unknown mode '%s' for --gpu-mode; known: %s", parser->mode, known);
	return check_built(parser, parser->options.type);
}

static int add_capset(struct parser *parser, const char *name)
{
	const struct renderer_type *owner = find_mode_of_capset(name);
	const struct renderer_type *type = parser->options.type;
	uint64_t bit;

	if (!owner) {
		g_autofree char *known = list_capsets(type && type->capsets ? type : NULL);

		return options_fail(
			parser, "unknown name '%s' in --capset; known: %s", name, known);
	}
	if (type && owner != type)
		return options_fail(parser, "the capset '%s' belongs to --gpu-mode %s, not to %s",
			name, owner->name, type->name);
	bit = UINT64_C(1) << renderer_capset_find(owner, name)->id;
	if (parser->options.renderer.capset_mask & bit)
		return options_fail(parser, "'%s' is in --capset twice", name);
	parser->options.renderer.capset_mask |= bit;
	parser->options.type = owner;
	return 0;
}

static int finish_capsets(struct parser *parser)
{
	g_auto(GStrv) names = NULL;

	if (!parser->capsets)
		return 0;
	names = g_strsplit(parser->capsets, ",", -1);
	if (!names[0])
		return options_fail(parser, "--capset takes a list of names, not an empty word");
	for (char **name = names; *name; name++) {
		int ret = add_capset(parser, *name);

		if (ret < 0)
			return ret;
	}
	return check_built(parser, parser->options.type);
}

static bool mode_has_option(const struct renderer_type *type, const struct renderer_option *option)
{
	for (const struct renderer_option *const *row = type->options; row && *row; row++)
		if (*row == option)
			return true;
	return false;
}

/* A value that is ignored would be a surprise; one that is given decides the mode. */
static int finish_values(struct parser *parser)
{
	const struct renderer_setting *setting = parser->options.renderer.settings;

	for (; setting->option; setting++) {
		const struct renderer_type *owner = renderer_types;

		if (!setting->option->metavar)
			continue;
		while (owner->name && !mode_has_option(owner, setting->option))
			owner++;
		if (!parser->options.type)
			parser->options.type = owner;
		if (!mode_has_option(parser->options.type, setting->option))
			return options_fail(parser, "--%s belongs to --gpu-mode %s, not to %s",
				setting->option->name, owner->name, parser->options.type->name);
	}
	return parser->options.type ? check_built(parser, parser->options.type) : 0;
}

static int finish_connection(struct parser *parser)
{
	if (parser->options.action != OPTIONS_SERVE)
		return 0;
	if (is_given(parser, OPTION_SOCKET_PATH) && is_given(parser, OPTION_FD))
		return options_fail(parser, "give --socket-path or --fd, not both");
	if (!is_given(parser, OPTION_SOCKET_PATH) && !is_given(parser, OPTION_FD))
		return options_fail(parser, "say where to listen: --socket-path PATH");
	return 0;
}

static int options_conclude(struct parser *parser)
{
	int ret;

	if (parser->options.action == OPTIONS_HELP || parser->options.action == OPTIONS_VERSION)
		return 0;
	if (is_given(parser, OPTION_GPU_DEVICE) && is_given(parser, OPTION_RENDER_NODE))
		return options_fail(
			parser, "--gpu-device and --render-node are the same; give one");
	parser->options.renderer.render_node = parser->options.render_node;
	ret = finish_mode(parser);
	if (ret == 0)
		ret = finish_capsets(parser);
	if (ret == 0)
		ret = finish_values(parser);
	if (ret == 0)
		ret = finish_connection(parser);
	return ret;
}

int options_parse(int argc, char **argv, struct options *ret_options, char **ret_message)
{
	struct parser parser = {.options.fd = -1};
	int ret;

	set_defaults(&parser);
	ret = parse_words(&parser, argc, argv);
	if (ret == 0)
		ret = options_conclude(&parser);
	if (ret < 0) {
		options_finish(&parser.options);
		*ret_message = parser.message;
		return ret;
	}
	*ret_options = parser.options;
	return 0;
}

void options_finish(struct options *options)
{
	g_clear_pointer(&options->socket_path, g_free);
	g_clear_pointer(&options->render_node, g_free);
	g_clear_pointer(&options->control_dir, g_free);
	g_clear_pointer(&options->shader_cache, g_free);
}
