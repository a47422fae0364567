/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* vhost-user-gpu-bench: measures vhost-user-gpu daemons beside each other. bench/README.md. */
#include "bench/options.h"
#include "bench/report.h"
#include "bench/rounds.h"

#include <glib.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_SECONDS 60

static void list_works(const struct bench_options *options)
{
	for (size_t i = 0; i < options->work_count; i++)
		printf("%-27s %s\n", options->works[i]->name, options->works[i]->unit);
}

/* For the bench that started this one; a driver that hangs is not waited for. */
static int print_limit(const struct bench_options *options)
{
	const int id = options->limit_to_measure;
	char text[G_ASCII_DTOSTR_BUF_SIZE];
	double seconds = 0;

	alarm(LIMIT_SECONDS);
	if (id <= LIMIT_NONE || id >= LIMIT_COUNT || !limits[id].name ||
		limit_submit_here((enum limit_id)id, options->seconds, &seconds) < 0)
		return EXIT_FAILURE;
	puts(g_ascii_dtostr(text, sizeof(text), seconds));
	fflush(stdout);
	/* Without the goodbyes of drivers, some of which crash in them. */
	_exit(EXIT_SUCCESS);
}

static int write_report(const struct results *results, const char *path,
	void (*report)(const struct results *results, FILE *file))
{
	FILE *file;
	bool is_written;

	if (!path)
		return 0;
	file = fopen(path, "w");
	if (file) {
		report(results, file);
		is_written = !ferror(file);
		if (fclose(file) == 0 && is_written)
			return 0;
	}
	fprintf(stderr, "vhost-user-gpu-bench: %s: %s\n", path, g_strerror(errno));
	return -EIO;
}

static int run_bench(const struct bench_options *options)
{
	struct results results;
	g_autofree char *failure = NULL;
	int ret;

	results_init(&results, options);
	ret = rounds_run(&results);
	report_text(&results, stdout);
	if (write_report(&results, options->json_path, report_json) < 0 ||
		write_report(&results, options->svg_path, report_svg) < 0)
		ret = -EIO;
	failure = results_failure(&results);
	if (failure)
		fprintf(stderr, "vhost-user-gpu-bench: %s\n", failure);
	results_finish(&results);
	return ret < 0 || failure ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct bench_options options;
	g_autofree char *reason = NULL;
	int status = EXIT_SUCCESS;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(&options, argc, argv, &reason) < 0) {
		fprintf(stderr, "vhost-user-gpu-bench: %s\n", reason);
		status = 2;
	} else if (options.must_list) {
		list_works(&options);
	} else if (options.limit_to_measure >= 0) {
		status = print_limit(&options);
	} else {
		status = run_bench(&options);
	}
	options_finish(&options);
	return status;
}
