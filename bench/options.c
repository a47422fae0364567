/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The command line. */
#include "bench/options.h"

#include <errno.h>
#include <string.h>

static const char summary[] =
	"Runs the same work against each COMMAND, which starts a vhost-user-gpu daemon, and says how\n"
	"they compare with the first one and with what the machine can do. In each COMMAND, which is\n"
	"split into words as a shell does, {socket} is replaced by the path to listen on:\n\n"
	"  vhost-user-gpu-bench 'vhost-device-gpu -g 2d -s {socket}' \\\n"
	"    '/usr/lib/qemu/vhost-user-gpu -s {socket}'";

static void add_work(GPtrArray *works, const struct work *work, char **patterns, bool must_list)
{
	const bool is_left_out = work->is_on_request && !must_list && !patterns;

	for (int i = 0; patterns && patterns[i]; i++)
		if (g_pattern_match_simple(patterns[i], work->name))
			patterns = NULL;
	if (!patterns && !is_left_out)
		g_ptr_array_add(works, (gpointer)work);
}

static void choose_works(struct bench_options *options, char **patterns)
{
	g_autoptr(GPtrArray) works = g_ptr_array_new();

	for (const struct work *const *list = work_lists; *list; list++)
		for (const struct work *work = *list; work->name; work++)
			add_work(works, work, patterns, options->must_list);
	options->work_count = works->len;
	options->works = (const struct work **)g_ptr_array_free(g_steal_pointer(&works), FALSE);
}

/* Programs of one name are told apart by a number. */
static char *make_name(const struct bench_options *options, const char *program)
{
	g_autofree char *base = g_path_get_basename(program);
	unsigned int same = 1;

	for (size_t i = 0; i < options->daemon_count; i++)
		if (g_str_has_prefix(options->daemons[i].name, base))
			same++;
	return same > 1 ? g_strdup_printf("%s-%u", base, same) : g_steal_pointer(&base);
}

static int add_daemon(
	struct bench_options *options, const char *text, const char *name, char **ret_reason)
{
	struct daemon_command *daemon = &options->daemons[options->daemon_count];
	g_autoptr(GError) error = NULL;

	if (options->daemon_count == OPTIONS_MAX_DAEMONS) {
		*ret_reason = g_strdup_printf("more than %d daemons", OPTIONS_MAX_DAEMONS);
		return -EINVAL;
	}
	if (!strstr(text, "{socket}")) {
		*ret_reason = g_strdup_printf("'%s' has no {socket}", text);
		return -EINVAL;
	}
	if (!g_shell_parse_argv(text, NULL, &daemon->words, &error)) {
		*ret_reason = g_strdup_printf("'%s': %s", text, error->message);
		return -EINVAL;
	}
	daemon->text = g_strdup(text);
	daemon->name = name ? g_strdup(name) : make_name(options, daemon->words[0]);
	options->daemon_count++;
	return 0;
}

static int check_options(const struct bench_options *options, char **ret_reason)
{
	if (options->must_list || options->limit_to_measure >= 0)
		return 0;
	if (options->daemon_count == 0)
		*ret_reason = g_strdup("no COMMAND; --help says more");
	else if (options->work_count == 0)
		*ret_reason = g_strdup("no item of work has such a name; --list lists them");
	else if (options->round_count < 1 || !(options->seconds > 0))
		*ret_reason = g_strdup("--rounds and --seconds are more than 0");
	else
		return 0;
	return -EINVAL;
}

int options_parse(struct bench_options *options, int argc, char **argv, char **ret_reason)
{
	g_auto(GStrv) patterns = NULL, names = NULL, commands = NULL;
	gboolean no_event_idx = FALSE, must_list = FALSE;
	const GOptionEntry entries[] = {
		{"list", 0, 0, G_OPTION_ARG_NONE, &must_list, "List the items of work", NULL},
		{"only", 0, 0, G_OPTION_ARG_STRING_ARRAY, &patterns,
			"Only items like this, such as 'frames-*'; may be repeated", "PATTERN"},
		{"name", 0, 0, G_OPTION_ARG_STRING_ARRAY, &names,
			"What the first COMMAND is called; repeated for the others", "NAME"},
		{"rounds", 0, 0, G_OPTION_ARG_INT, &options->round_count,
			"How often each item runs (5)", "N"},
		{"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options->seconds,
			"How long each time (1.0)", "S"},
		{"no-event-idx", 0, 0, G_OPTION_ARG_NONE, &no_event_idx,
			"Rings without EVENT_IDX, although it is offered", NULL},
		{"json", 0, 0, G_OPTION_ARG_FILENAME, &options->json_path, "Write all samples",
			"FILE"},
		{"svg", 0, 0, G_OPTION_ARG_FILENAME, &options->svg_path, "Write a plot", "FILE"},
		{"measure-limit", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_INT,
			&options->limit_to_measure, NULL, NULL},
		{G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &commands, NULL,
			"COMMAND..."},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) error = NULL;
	int ret = 0;

	*options = (struct bench_options){.round_count = 5, .seconds = 1.0, .limit_to_measure = -1};
	g_option_context_set_summary(context, summary);
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		*ret_reason = g_strdup(error->message);
		return -EINVAL;
	}
	options->use_event_idx = !no_event_idx;
	options->must_list = must_list;
	choose_works(options, patterns);
	for (guint i = 0; commands && commands[i] && ret == 0; i++) {
		const char *name = names && i < g_strv_length(names) ? names[i] : NULL;

		ret = add_daemon(options, commands[i], name, ret_reason);
	}
	return ret < 0 ? ret : check_options(options, ret_reason);
}

void options_finish(struct bench_options *options)
{
	for (size_t i = 0; i < options->daemon_count; i++) {
		g_free(options->daemons[i].name);
		g_free(options->daemons[i].text);
		g_strfreev(options->daemons[i].words);
	}
	g_free(options->works);
	g_free(options->json_path);
	g_free(options->svg_path);
}
