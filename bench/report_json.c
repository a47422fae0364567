/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The results for programs. Numbers are written with a point, whatever the locale. */
#include "bench/report.h"
#include "config.h"

#include <glib.h>

static void put_string(FILE *file, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);

	putc('"', file);
	for (const char *at = valid; *at; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(file, "\\%c", *at);
		else if ((unsigned char)*at < 0x20)
			fprintf(file, "\\u%04x", (unsigned int)*at);
		else
			putc(*at, file);
	}
	putc('"', file);
}

static void put_number(FILE *file, double value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	fputs(g_ascii_formatd(text, sizeof(text), "%.9g", value), file);
}

static void put_member(FILE *file, const char *key, double value)
{
	fprintf(file, ", \"%s\": ", key);
	put_number(file, value);
}

static void put_text(FILE *file, const char *key, const char *text)
{
	fprintf(file, ", \"%s\": ", key);
	put_string(file, text);
}

/* Members of an object that has one already. */
static void put_series(FILE *file, const struct series *series)
{
	const struct stats stats = stats_of(series->values, series->count);

	if (series->reason)
		put_text(file, "reason", series->reason);
	if (series->note)
		put_text(file, "note", series->note);
	if (series->count == 0)
		return;
	put_member(file, "median", stats.median);
	put_member(file, "low_quartile", stats.low);
	put_member(file, "high_quartile", stats.high);
	if (series->cpu_us && stats_of(series->cpu_us, series->count).median > 0)
		put_member(file, "cpu_us_per_operation",
			stats_of(series->cpu_us, series->count).median);
	fputs(", \"samples\": [", file);
	for (size_t i = 0; i < series->count; i++) {
		fputs(i > 0 ? ", " : "", file);
		put_number(file, series->values[i]);
	}
	fputs("]", file);
}

static void put_cell(const struct results *results, size_t work, size_t daemon, FILE *file)
{
	const struct series *series = results_get(results, work, daemon);
	const double share = results_share(results, work, daemon);
	const double ratio = results_ratio(results, work, daemon);

	fputs("{\"status\": ", file);
	put_string(file, series->error == 0	 ? "ok"
			 : series_failed(series) ? "failed"
						 : "unavailable");
	put_series(file, series);
	if (share > 0)
		put_member(file, "share_of_limit", share);
	if (ratio > 0)
		put_member(file, "ratio_to_first", ratio);
	fputs("}", file);
}

static void put_work(const struct results *results, size_t work, FILE *file)
{
	const struct bench_options *options = results->options;
	const struct work *item = options->works[work];

	fputs("    {\"name\": ", file);
	put_string(file, item->name);
	put_text(file, "unit", item->unit);
	put_text(file, "better", item->more_is_better ? "more" : "less");
	if (item->limit != LIMIT_NONE) {
		put_text(file, "limit", limits[item->limit].name);
		put_member(file, "operations_in_limit", item->limit_count);
	}
	fputs(",\n      \"daemons\": {", file);
	for (size_t i = 0; i < options->daemon_count; i++) {
		fputs(i > 0 ? ",\n        " : "\n        ", file);
		put_string(file, options->daemons[i].name);
		fputs(": ", file);
		put_cell(results, work, i, file);
	}
	fputs("}}", file);
}

static void put_limits(const struct results *results, FILE *file)
{
	bool is_first = true;

	fputs("  \"limits\": [", file);
	for (size_t id = 0; id < LIMIT_COUNT; id++) {
		if (results->limits[id].count == 0)
			continue;
		fputs(is_first ? "\n    {\"name\": " : ",\n    {\"name\": ", file);
		is_first = false;
		put_string(file, limits[id].name);
		put_text(file, "unit", "s");
		put_series(file, &results->limits[id]);
		fputs("}", file);
	}
	fputs("],\n", file);
}

void report_json(const struct results *results, FILE *file)
{
	const struct bench_options *options = results->options;
	g_autofree char *host = report_host();

	fputs("{\"program\": \"vhost-user-gpu-bench\"", file);
	put_text(file, "version", VDG_VERSION);
	put_text(file, "host", host);
	put_member(file, "rounds", options->round_count);
	put_member(file, "seconds", options->seconds);
	put_text(file, "event_idx", options->use_event_idx ? "where offered" : "off");
	fputs(",\n  \"daemons\": [", file);
	for (size_t i = 0; i < options->daemon_count; i++) {
		fputs(i > 0 ? ",\n    {\"name\": " : "\n    {\"name\": ", file);
		put_string(file, options->daemons[i].name);
		put_text(file, "command", options->daemons[i].text);
		fputs("}", file);
	}
	fputs("],\n", file);
	put_limits(results, file);
	fputs("  \"works\": [\n", file);
	for (size_t work = 0; work < options->work_count; work++) {
		put_work(results, work, file);
		fputs(work + 1 < options->work_count ? ",\n" : "\n", file);
	}
	fputs("  ]}\n", file);
}
