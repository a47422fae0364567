/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The command line. What depends on which modes were built is tested with 'null', which always
 * is, and by what the table of renderers says of the others.
 */
#include "cli/options.h"

#include "cli/option_table.h"
#include "renderer/options.h"
#include "cli/values.h"
#include "renderer/renderers.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

/* Parses words separated by single spaces. Return: as options_parse(). */
static int parse(const char *line, struct options *ret_options, char **ret_message)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	/* getopt_long() moves the words about; all are freed by their own array. */
	g_autofree char **argv = g_memdup2(words, (g_strv_length(words) + 1) * sizeof(*words));
	int ret = options_parse((int)g_strv_length(words), argv, ret_options, ret_message);

	return ret;
}

static struct options parse_good(const char *line)
{
	struct options options;
	g_autofree char *message = NULL;

	if (parse(line, &options, &message) < 0)
		g_error("'%s' was refused: %s", line, message);
	return options;
}

static void check_bad(const char *line, const char *part)
{
	struct options options;
	g_autofree char *message = NULL;

	g_assert_cmpint(parse(line, &options, &message), ==, -EINVAL);
	g_assert_nonnull(message);
	g_assert_null(strchr(message, '\n'));
	if (!strstr(message, part))
		g_error("the message of '%s' has no '%s': %s", line, part, message);
}

static void test_defaults(void)
{
	struct options options = parse_good("x -s /run/gpu.sock");

	g_assert_cmpint(options.action, ==, OPTIONS_SERVE);
	g_assert_cmpstr(options.socket_path, ==, "/run/gpu.sock");
	g_assert_cmpint(options.fd, ==, -1);
	g_assert_null(options.type);
	g_assert_true(renderer_option_is_on(&options.renderer, &renderer_option_use_egl));
	g_assert_false(renderer_option_is_on(&options.renderer, &renderer_option_use_glx));
	g_assert_true(renderer_option_is_on(&options.renderer, &renderer_option_use_gles));
	g_assert_true(renderer_option_is_on(&options.renderer, &renderer_option_use_surfaceless));
	g_assert_cmpuint(options.renderer.capset_mask, ==, 0);
	g_assert_null(options.renderer.render_node);
	g_assert_false(options.headless);
	g_assert_false(options.once);
	g_assert_cmpuint(options.max_sessions, ==, 64);
	for (int i = 0; i < GPU_LIMIT_COUNT; i++)
		g_assert_cmpuint(options.limits.max[i], ==, gpu_limit_rows[i].initial);
	g_assert_cmpuint(options.poll_us, ==, 50);
	g_assert_true(options.adapts_polling);
	g_assert_cmpint(options.log_level, ==, G_LOG_LEVEL_INFO);
	options_finish(&options);
}

static void test_all_given(void)
{
	struct options options = parse_good(
		"x --fd=7 --gpu-mode null --gpu-device=/dev/dri/renderD129 --headless --once "
		"--max-sessions 3 --max-hostmem=512M --poll-us 70 --log-level debug");

	g_assert_cmpint(options.fd, ==, 7);
	g_assert_null(options.socket_path);
	g_assert_cmpstr(options.type->name, ==, "null");
	g_assert_cmpstr(options.renderer.render_node, ==, "/dev/dri/renderD129");
	g_assert_true(options.headless);
	g_assert_true(options.once);
	g_assert_cmpuint(options.max_sessions, ==, 3);
	g_assert_cmpuint(options.limits.max[GPU_LIMIT_HOSTMEM], ==, 512 << 20);
	g_assert_cmpuint(options.poll_us, ==, 70);
	g_assert_false(options.adapts_polling);
	g_assert_cmpint(options.log_level, ==, G_LOG_LEVEL_DEBUG);
	options_finish(&options);

	options = parse_good("x --render-node /a -g null -s b");
	g_assert_cmpstr(options.renderer.render_node, ==, "/a");
	options_finish(&options);
}

static void test_booleans(void)
{
	struct options options = parse_good(
		"x --use-egl=false --use-glx true --use-gles --use-surfaceless false -s a");

	g_assert_false(renderer_option_is_on(&options.renderer, &renderer_option_use_egl));
	g_assert_true(renderer_option_is_on(&options.renderer, &renderer_option_use_glx));
	g_assert_true(renderer_option_is_on(&options.renderer, &renderer_option_use_gles));
	g_assert_false(renderer_option_is_on(&options.renderer, &renderer_option_use_surfaceless));
	g_assert_cmpstr(options.socket_path, ==, "a");
	options_finish(&options);

	options = parse_good("x -s a --use-glx");
	g_assert_true(renderer_option_is_on(&options.renderer, &renderer_option_use_glx));
	options_finish(&options);

	check_bad("x -s a --use-egl=yes", "true or false");
	check_bad("x -s a --use-egl yes", "unexpected word 'yes'");
}

static void test_outputs(void)
{
	struct options options = parse_good("x -s a");

	g_assert_cmpuint(options.output_count, ==, 1);
	g_assert_true(options.outputs.output[0].connected);
	g_assert_cmpuint(options.outputs.output[0].rect.width, ==, 1280);
	g_assert_cmpuint(options.outputs.output[0].rect.height, ==, 800);
	options_finish(&options);

	options = parse_good("x -s a --outputs 1x16384+off,1920x1080");
	g_assert_cmpuint(options.output_count, ==, 2);
	g_assert_false(options.outputs.output[0].connected);
	g_assert_cmpuint(options.outputs.output[0].rect.width, ==, 1);
	g_assert_cmpuint(options.outputs.output[0].rect.height, ==, 16384);
	g_assert_true(options.outputs.output[1].connected);
	g_assert_false(options.outputs.output[2].connected);
	options_finish(&options);

	options = parse_good("x -s a --outputs 1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,"
			     "1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1");
	g_assert_cmpuint(options.output_count, ==, 16);
	options_finish(&options);
	check_bad("x -s a --outputs 1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,"
		  "1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1",
		"at most 16");
	check_bad("x -s a --outputs 0x800", "WIDTHxHEIGHT");
	check_bad("x -s a --outputs 1280x16385", "1 to 16384");
	check_bad("x -s a --outputs 1280", "WIDTHxHEIGHT");
	check_bad("x -s a --outputs -1x5", "WIDTHxHEIGHT");
	check_bad("x -s a --outputs 1280x800,", "WIDTHxHEIGHT");
	check_bad("x -s a --outputs 1280x800+on", "WIDTHxHEIGHT");
	check_bad("x -s a --outputs=", "WIDTHxHEIGHT");
	check_bad("x -s a --control /no/such/folder", "directory that exists");
}

static void test_actions(void)
{
	struct options options = parse_good("x --print-capabilities");

	g_assert_cmpint(options.action, ==, OPTIONS_PRINT_CAPABILITIES);
	options_finish(&options);
	options = parse_good("x -h --no-such-option");
	g_assert_cmpint(options.action, ==, OPTIONS_HELP);
	options_finish(&options);
	options = parse_good("x -s a -V");
	g_assert_cmpint(options.action, ==, OPTIONS_VERSION);
	options_finish(&options);
}

static void test_words(void)
{
	check_bad("x", "--socket-path");
	check_bad("x -s a --fd 3", "not both");
	check_bad("x -s", "--socket-path needs a value");
	check_bad("x -s a --max-sessions", "--max-sessions needs a value");
	check_bad("x -s a -s b", "twice");
	check_bad("x -s a b", "unexpected word 'b'");
	check_bad("x -s a -q", "unknown option '-q'");
	check_bad("x -s a --quick", "'--quick'");
	check_bad("x -s a --once=1", "--once takes no value");
	check_bad("x --socket-path=", "path");
	check_bad("x -s a --gpu-device a --render-node b", "give one");
}

static void test_numbers(void)
{
	check_bad("x --fd -1", "--fd takes a number");
	check_bad("x --fd 3x", "'3x'");
	check_bad("x --fd 2147483648", "2147483647");
	check_bad("x -s a --max-sessions 0", "from 1 to");
	check_bad("x -s a --max-sessions 99999999999999999999", "from 1 to");
	check_bad("x -s a --poll-us 1000001", "1000000");
	check_bad("x -s a --poll-us automatic", "takes auto or");
	check_bad("x -s a --max-hostmem 4X", "4X");
	check_bad("x -s a --max-hostmem 0", "from 1M to 16T");
	check_bad("x -s a --log-level loud", "error, warning, info, debug");
}

/* Each limit takes what its row says, and nothing beyond. */
static void test_limits(void)
{
	for (int i = 0; i < GPU_LIMIT_COUNT; i++) {
		const struct gpu_limit_row *limit = &gpu_limit_rows[i];
		const uint64_t good[] = {
			limit->min, limit->max, limit->initial, limit->can_be_off ? 0 : limit->min};
		const uint64_t bad[] = {
			limit->min - 1, limit->max + 1, limit->can_be_off ? limit->max + 1 : 0};

		for (size_t j = 0; j < G_N_ELEMENTS(good); j++) {
			g_autofree char *line = g_strdup_printf(
				"x -s a --%s %" G_GUINT64_FORMAT, limit->option, good[j]);
			struct options options = parse_good(line);

			g_assert_cmpuint(options.limits.max[i], ==, good[j]);
			options_finish(&options);
		}
		for (size_t j = 0; j < G_N_ELEMENTS(bad); j++) {
			g_autofree char *line = g_strdup_printf(
				"x -s a --%s %" G_GUINT64_FORMAT, limit->option, bad[j]);

			if (bad[j] != 0 || !limit->can_be_off)
				check_bad(line, limit->option);
		}
	}
	check_bad("x -s a --max-memory 1M", "from 64M to 16T, or 0 for none");
	check_bad("x -s a --max-contexts 0", "a number from 1 to 65536, not '0'");
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0}, {"1", 1}, {"10k", 10240}, {"3M", 3 << 20}, {"2g", UINT64_C(2) << 30},
		{"1T", UINT64_C(1) << 40}, {"18446744073709551615", UINT64_MAX},
		{"16777215T", UINT64_C(16777215) << 40}};
	static const char *const bad[] = {"", "K", "-1", "+1", " 1", "1 K", "1KB", "1.5G", "0x10",
		"16777216T", "18446744073709551616", "99999999999999999999K"};
	uint64_t bytes;

	for (unsigned int i = 0; i < G_N_ELEMENTS(good); i++) {
		g_assert_cmpint(value_parse_size(good[i].text, &bytes), ==, 0);
		g_assert_cmpuint(bytes, ==, good[i].bytes);
	}
	for (unsigned int i = 0; i < G_N_ELEMENTS(bad); i++) {
		bytes = 42;
		g_assert_cmpint(value_parse_size(bad[i], &bytes), ==, -EINVAL);
		g_assert_cmpuint(bytes, ==, 42);
	}
}

static void test_modes(void)
{
	check_bad("x -s a -g opengl", "known: virglrenderer, gfxstream, 2d, null");
	check_bad("x -s a -g null --virgl", "--virgl means");
	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		g_autofree char *line = g_strconcat("x -s a -g ", type->name, NULL);

		if (type->create) {
			struct options options = parse_good(line);

			g_assert_true(options.type == type);
			options_finish(&options);
		} else {
			g_autofree char *option = g_strconcat("-D", type->meson_option, "=", NULL);

			check_bad(line, option);
			if (type->package)
				check_bad(line, type->package);
		}
	}
}

static void test_capsets(void)
{
	const struct renderer_type *virgl = renderer_type_find("virglrenderer");

	check_bad("x -s a -g null -c virgl2", "belongs to --gpu-mode virglrenderer, not to null");
	check_bad("x -s a -c opengl", "gfxstream-composer");
	check_bad(
		"x -s a -c virgl2,cross-domain", "'cross-domain' belongs to --gpu-mode gfxstream");
	check_bad("x -s a -c virgl2,virgl2", "twice");
	check_bad("x -s a -c virgl,,venus", "unknown name ''");
	check_bad("x -s a --capset=", "list of names");
	if (virgl->create) {
		struct options options = parse_good("x -s a -c virgl,venus");

		g_assert_true(options.type == virgl);
		g_assert_cmphex(options.renderer.capset_mask, ==,
			1 << VIRTIO_GPU_CAPSET_VIRGL | 1 << VIRTIO_GPU_CAPSET_VENUS);
		options_finish(&options);
		options = parse_good("x --fd 9 --virgl -g virglrenderer");
		g_assert_true(options.type == virgl);
		options_finish(&options);
	} else {
		check_bad("x -s a -c virgl,venus", "-Dvirgl=enabled");
	}
}

static void test_gfxstream_capsets(void)
{
	const struct renderer_type *gfxstream = renderer_type_find("gfxstream");
	struct options options;

	check_bad("x -s a -c gfxstream-magma", "unknown name 'gfxstream-magma'");
	check_bad("x -s a -g null -c cross-domain", "belongs to --gpu-mode gfxstream, not to null");
	if (!gfxstream->create) {
		check_bad("x -s a -c cross-domain", "-Drutabaga=enabled");
		return;
	}
	check_bad("x -s a -g gfxstream -c cross_domain",
		"known: gfxstream-vulkan, gfxstream-gles, gfxstream-composer, cross-domain");
	check_bad("x -s a -g gfxstream -c virgl2", "belongs to --gpu-mode virglrenderer");
	check_bad("x -s a -c cross-domain,venus", "'venus' belongs to --gpu-mode virglrenderer");
	options = parse_good("x -s a -c gfxstream-vulkan,cross-domain");
	g_assert_true(options.type == gfxstream);
	g_assert_cmphex(options.renderer.capset_mask, ==,
		1 << VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN | 1 << VIRTIO_GPU_CAPSET_CROSS_DOMAIN);
	options_finish(&options);
}

/* Return: the value of the @index'th --channel, or NULL. */
static const char *get_channel(const struct options *options, unsigned int index)
{
	const struct renderer_setting *setting = options->renderer.settings;

	for (; setting->option; setting++) {
		if (setting->option == &renderer_option_channel && index-- == 0)
			return setting->value;
	}
	return NULL;
}

/* What is in a value is the mode's own affair. */
static void test_channels(void)
{
	const struct renderer_type *gfxstream = renderer_type_find("gfxstream");
	g_autoptr(GString) many = g_string_new("x -s a");
	struct options options;

	check_bad("x -s a --channel", "--channel needs a value: --channel TYPE=PATH");
	check_bad("x -s a -g null --channel wayland=/w",
		"--channel belongs to --gpu-mode gfxstream, not to null");
	if (!gfxstream->create) {
		check_bad("x -s a --channel wayland=/w", "-Drutabaga=enabled");
		return;
	}
	options = parse_good("x -s a --channel=wayland=/w --use-egl=false --channel x11=/x=y");
	g_assert_true(options.type == gfxstream);
	g_assert_cmpstr(get_channel(&options, 0), ==, "wayland=/w");
	g_assert_cmpstr(get_channel(&options, 1), ==, "x11=/x=y");
	g_assert_null(get_channel(&options, 2));
	g_assert_false(renderer_option_is_on(&options.renderer, &renderer_option_use_egl));
	options_finish(&options);
	for (int i = 0; i <= RENDERER_MAX_SETTINGS; i++)
		g_string_append(many, " --channel wayland=/w");
	check_bad(many->str, "--channel is given too many times");
}

static void test_table(void)
{
	const struct option_rows *rows = option_rows_get();

	for (int i = 0; i < rows->count; i++) {
		const struct option_row *row = &rows->row[i];

		g_assert_nonnull(row->name);
		g_assert_nonnull(row->help);
		g_assert_nonnull(row->man);
		/* As of an escape that C understands, and man does not get to see. */
		for (const char *c = row->man; *c; c++)
			g_assert_true(g_ascii_isprint(*c));
		g_assert_true((row->metavar != NULL) == (row->value != OPTION_VALUE_NONE));
		for (int j = 0; j < i; j++) {
			g_assert_cmpstr(row->name, !=, rows->row[j].name);
			if (row->short_name)
				g_assert_cmpint(row->short_name, !=, rows->row[j].short_name);
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/options/defaults", test_defaults);
	g_test_add_func("/options/all-given", test_all_given);
	g_test_add_func("/options/booleans", test_booleans);
	g_test_add_func("/options/outputs", test_outputs);
	g_test_add_func("/options/actions", test_actions);
	g_test_add_func("/options/words", test_words);
	g_test_add_func("/options/numbers", test_numbers);
	g_test_add_func("/options/sizes", test_sizes);
	g_test_add_func("/options/limits", test_limits);
	g_test_add_func("/options/modes", test_modes);
	g_test_add_func("/options/capsets", test_capsets);
	g_test_add_func("/options/gfxstream-capsets", test_gfxstream_capsets);
	g_test_add_func("/options/channels", test_channels);
	g_test_add_func("/options/table", test_table);
	return g_test_run();
}
