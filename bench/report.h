/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The results as text, JSON and a plot. */
#pragma once

#include "bench/rounds.h"

#include <stdio.h>

/** report_text() - A table, why places in it are empty, and what went wrong */
void report_text(const struct results *results, FILE *file);

/** report_json() - All of it, samples included. report_svg() - A plot. Both are written in whole. */
void report_json(const struct results *results, FILE *file);
void report_svg(const struct results *results, FILE *file);

/** report_number() - With as many digits as are worth reading; g_free() */
char *report_number(double value);

/** report_host() - Processors, kernel and memory of this machine, in words; g_free() */
char *report_host(void);
