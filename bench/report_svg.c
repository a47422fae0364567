/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The plot: a group of bars for each item, as long as a daemon is good, the first one being 1. A
 * thin line goes from quartile to quartile.
 */
#include "bench/report.h"

#include <glib.h>

#define LEFT	   220.0
#define UNIT_LEN   160.0
#define MAX_GOOD   4.0
#define RIGHT	   120.0
#define BAR_HEIGHT 12.0
#define GAP	   10.0
#define TOP	   60.0

static const char *const colours[OPTIONS_MAX_DAEMONS] = {
	"#3b6fb6", "#d9822b", "#5a9e4b", "#8e5ea2", "#c0504d", "#7f7f7f", "#2aa198", "#b58900"};

/* A locale's comma would end an attribute's number. */
static void put_attribute(FILE *file, const char *name, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	fprintf(file, " %s=\"%s\"", name, g_ascii_formatd(text, sizeof(text), "%.1f", value));
}

static void put_text(FILE *file, double x, double y, const char *attributes, const char *text)
{
	g_autofree char *escaped = g_markup_escape_text(text, -1);

	fputs("<text", file);
	put_attribute(file, "x", x);
	put_attribute(file, "y", y);
	fprintf(file, " %s>%s</text>\n", attributes, escaped);
}

static void put_rect(
	FILE *file, double x, double y, double width, double height, const char *colour)
{
	fputs("<rect", file);
	put_attribute(file, "x", x);
	put_attribute(file, "y", y);
	put_attribute(file, "width", width);
	put_attribute(file, "height", height);
	fprintf(file, " fill=\"%s\"/>\n", colour);
}

/* How many times as good as @first @value is, as far as there is room. */
static double how_good(const struct work *work, double value, double first)
{
	const double good = work->more_is_better ? value / first : first / value;

	return value > 0 && first > 0 ? MIN(good, MAX_GOOD) : 0;
}

/* What a daemon is compared with: the first, or the first that could do it. */
static double reference_of(const struct results *results, size_t work)
{
	for (size_t i = 0; i < results->options->daemon_count; i++) {
		const struct series *series = results_get(results, work, i);

		if (series->count > 0)
			return stats_of(series->values, series->count).median;
	}
	return 0;
}

static void put_bar(const struct results *results, size_t work, size_t daemon, double y, FILE *file)
{
	const struct work *item = results->options->works[work];
	const struct series *series = results_get(results, work, daemon);
	const struct stats stats = stats_of(series->values, series->count);
	const double first = reference_of(results, work);
	const double len = UNIT_LEN * how_good(item, stats.median, first);
	const double low = UNIT_LEN * how_good(item, stats.low, first);
	const double high = UNIT_LEN * how_good(item, stats.high, first);
	g_autofree char *number = report_number(stats.median);
	g_autofree char *label = NULL;

	if (series->error < 0) {
		put_text(file, LEFT + 4, y + BAR_HEIGHT - 2, "fill=\"#888\"",
			series_failed(series) ? "failed" : "-");
		return;
	}
	put_rect(file, LEFT, y, len, BAR_HEIGHT - 1, colours[daemon]);
	put_rect(file, LEFT + MIN(low, high), y + BAR_HEIGHT / 2 - 1, ABS(high - low), 1, "#000");
	label = g_strdup_printf("%s %s", number, item->unit);
	put_text(file, LEFT + MAX(len, MAX(low, high)) + 4, y + BAR_HEIGHT - 2, "", label);
}

static void put_legend(const struct results *results, FILE *file)
{
	double x = LEFT;

	put_text(file, 10, 20, "font-weight=\"bold\"",
		"vhost-user-gpu-bench: longer is better, the first daemon is 1");
	for (size_t i = 0; i < results->options->daemon_count; i++) {
		put_rect(file, x, 32, 10, 10, colours[i]);
		put_text(file, x + 14, 41, "", results->options->daemons[i].name);
		x += 180;
	}
}

void report_svg(const struct results *results, FILE *file)
{
	const struct bench_options *options = results->options;
	const double group = BAR_HEIGHT * (double)options->daemon_count + GAP;
	double y = TOP;

	fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" "
	      "font-size=\"11\"",
		file);
	put_attribute(file, "width", LEFT + UNIT_LEN * MAX_GOOD + RIGHT);
	put_attribute(file, "height", TOP + group * (double)options->work_count);
	fputs(">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", file);
	put_legend(results, file);
	put_rect(file, LEFT + UNIT_LEN, TOP, 1, group * (double)options->work_count, "#ccc");
	for (size_t work = 0; work < options->work_count; work++, y += group) {
		put_text(file, LEFT - 6, y + BAR_HEIGHT - 2, "text-anchor=\"end\"",
			options->works[work]->name);
		for (size_t i = 0; i < options->daemon_count; i++)
			put_bar(results, work, i, y + BAR_HEIGHT * (double)i, file);
	}
	fputs("</svg>\n", file);
}
