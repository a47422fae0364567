/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The table that is read. */
#include "bench/report.h"
#include "config.h"

#include <glib.h>
#include <string.h>
#include <sys/utsname.h>

#define NAME_WIDTH 27
#define UNIT_WIDTH 13

char *report_number(double value)
{
	if (value >= 1e6)
		return g_strdup_printf("%.3f M", value / 1e6);
	if (value >= 1e4)
		return g_strdup_printf("%.1f k", value / 1e3);
	return g_strdup_printf(value >= 1000 ? "%.0f" : value >= 100 ? "%.1f" : "%.2f", value);
}

char *report_host(void)
{
	struct utsname name;

	if (uname(&name) < 0)
		return g_strdup("unknown");
	return g_strdup_printf("%u processors, %s %s %s", g_get_num_processors(), name.sysname,
		name.release, name.machine);
}

static void print_head(const struct results *results, FILE *file)
{
	const struct bench_options *options = results->options;
	g_autofree char *host = report_host();

	fprintf(file, "vhost-user-gpu-bench %s: %d rounds of %g s, EVENT_IDX %s; %s\n\n",
		VDG_VERSION, options->round_count, options->seconds,
		options->use_event_idx ? "where offered" : "off", host);
	for (size_t i = 0; i < options->daemon_count; i++)
		fprintf(file, "%s: %s\n", options->daemons[i].name, options->daemons[i].text);
	fprintf(file, "\n%-*s%-*s", NAME_WIDTH, "", UNIT_WIDTH + 5, "");
	for (size_t i = 0; i < options->daemon_count; i++)
		fprintf(file, "  %-*.*s", i == 0 ? 31 : 38, i == 0 ? 31 : 38,
			options->daemons[i].name);
	fprintf(file, "\n%-*s%-*s", NAME_WIDTH, "", UNIT_WIDTH, "");
	fputs("better", file);
	for (size_t i = 0; i < options->daemon_count; i++)
		fprintf(file, " %10s %5s %5s %8s%s", "median", "+-", "limit", "cpu us",
			i == 0 ? "" : "  ratio");
	fputs("\n", file);
}

static void print_cpu(const struct series *series, FILE *file)
{
	const double us = series->cpu_us ? stats_of(series->cpu_us, series->count).median : 0;
	g_autofree char *number = us > 0 ? report_number(us) : g_strdup("");

	fprintf(file, " %8s", number);
}

static void print_cell(const struct results *results, size_t work, size_t daemon, FILE *file)
{
	const struct series *series = results_get(results, work, daemon);
	const struct stats stats = stats_of(series->values, series->count);
	const double share = results_share(results, work, daemon);
	const double ratio = daemon > 0 ? results_ratio(results, work, daemon) : 0;
	g_autofree char *number = report_number(stats.median);

	if (series->error < 0) {
		fprintf(file, " %10s %5s %5s %8s%s", series_failed(series) ? "FAILED" : "-", "", "",
			"", daemon > 0 ? "       " : "");
		return;
	}
	fprintf(file, " %10s %4.0f%%", number, 100 * stats_spread(&stats));
	if (share > 0)
		fprintf(file, " %4.0f%%", 100 * share);
	else
		fprintf(file, " %5s", "");
	print_cpu(series, file);
	if (daemon > 0 && ratio > 0)
		fprintf(file, " %5.2fx", ratio);
	else if (daemon > 0)
		fprintf(file, " %6s", "");
}

static void print_limits(const struct results *results, FILE *file)
{
	fputs("\nLimits of this machine, without a daemon:\n", file);
	for (size_t id = 0; id < LIMIT_COUNT; id++) {
		const struct series *series = &results->limits[id];
		const struct stats stats = stats_of(series->values, series->count);
		g_autofree char *us = report_number(1e6 * stats.median);
		g_autofree char *rate = NULL;

		if (series->error < 0)
			fprintf(file, "%-48s %10s\n", limits[id].name, "-");
		if (series->count == 0)
			continue;
		rate = report_number(1 / stats.median);
		fprintf(file, "%-48s %10s us %10s/s %4.0f%%\n", limits[id].name, us, rate,
			100 * stats_spread(&stats));
	}
}

/* Reasons of one kind: each line names the items that have it. */
static void print_reasons(const struct results *results, bool of_failures, FILE *file)
{
	const struct bench_options *options = results->options;

	for (size_t work = 0; work < options->work_count; work++) {
		for (size_t i = 0; i < options->daemon_count; i++) {
			const struct series *series = results_get(results, work, i);

			if (series->error == 0 || series_failed(series) != of_failures)
				continue;
			fprintf(file, "%s %s, %s: %s\n", of_failures ? "FAILED" : "-",
				options->works[work]->name, options->daemons[i].name,
				series->reason);
		}
	}
}

static void print_notes(const struct results *results, FILE *file)
{
	const struct bench_options *options = results->options;

	for (size_t work = 0; work < options->work_count; work++) {
		for (size_t i = 0; i < options->daemon_count; i++) {
			const struct series *series = results_get(results, work, i);

			if (series->count > 0 && series->note)
				fprintf(file, "* %s, %s: %s\n", options->works[work]->name,
					options->daemons[i].name, series->note);
		}
	}
}

void report_text(const struct results *results, FILE *file)
{
	const struct bench_options *options = results->options;

	print_head(results, file);
	for (size_t work = 0; work < options->work_count; work++) {
		const struct work *item = options->works[work];

		fprintf(file, "%-*s%-*s%-6s", NAME_WIDTH, item->name, UNIT_WIDTH, item->unit,
			item->more_is_better ? "more" : "less");
		for (size_t i = 0; i < options->daemon_count; i++)
			print_cell(results, work, i, file);
		fputs("\n", file);
	}
	print_limits(results, file);
	fputs("\n", file);
	print_notes(results, file);
	print_reasons(results, false, file);
	print_reasons(results, true, file);
}
