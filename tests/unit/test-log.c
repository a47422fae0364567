/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Log lines whose text is somebody else's, and what other programs print. The log is the process's,
 * so that each test that reads it is a process.
 */
#include "util/log_pipe.h"

#include "util/child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define NAME	    "helper"

static void check_escaped(const char *text, size_t len, const char *expected)
{
	char buf[LOG_LINE_SIZE];

	log_escape(text, len, buf, sizeof(buf));
	g_assert_cmpstr(buf, ==, expected);
}

static void test_escape(void)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{"", ""},
		{"plain, \\x and \"quoted\"", "plain, \\x and \"quoted\""},
		{"Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x90\xa7",
			"Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"},
		{"\x1b[2K\x07\x7f", "\\x1b[2K\\x07\\x7f"},
		/* C1: a control sequence introducer. */
		{"\xc2\x9b"
		 "31m",
			"\\x9b31m"},
		/* Not UTF-8: a byte alone, a cut sequence, a surrogate, an overlong zero. */
		{"\x9b"
		 "31m",
			"\\x9b31m"},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xc0\x80", "\\xc0\\x80"},
		/* The line separator, and an override of the direction. */
		{"a\xe2\x80\xa8"
		 "b",
			"a\\u{2028}b"},
		{"a\xe2\x80\xae"
		 "b",
			"a\\u{202e}b"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		check_escaped(rows[i].text, strlen(rows[i].text), rows[i].expected);
	check_escaped("a\0b", 3, "a\\x00b");
}

static void test_escape_cuts(void)
{
	g_autofree char *text = g_strnfill(100, '\n');
	char buf[24];

	log_escape(text, 100, buf, sizeof(buf));
	/* Never in the middle of an escape. */
	g_assert_cmpstr(buf, ==, "\\x0a\\x0a\\x0a\\x0a\\x0a...");
	log_escape("0123456789", 10, buf, sizeof(buf));
	g_assert_cmpstr(buf, ==, "0123456789");
}

/* Runs a function in a process whose standard error is returned. */
static char *collect(void (*run)(void))
{
	GString *text = g_string_new(NULL);
	struct child child = {0};
	char chunk[4096];
	int fds[2], status = 0;
	ssize_t len;

	g_assert_cmpint(pipe(fds), ==, 0);
	if (child_fork(&child) == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		log_init(G_LOG_LEVEL_INFO);
		run();
		_exit(0);
	}
	close(fds[1]);
	while ((len = read(fds[0], chunk, sizeof(chunk))) > 0)
		g_string_append_len(text, chunk, len);
	close(fds[0]);
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	g_assert_cmpint(status, ==, 0);
	return g_string_free(text, FALSE);
}

static void log_forgery(void)
{
	log_peer("context '%s' is new", "x\nvhost-device-gpu: error: forged\x1b[A");
	log_info("\xff");
}

static void test_lines(void)
{
	g_autofree char *text = collect(log_forgery);

	g_assert_cmpstr(text, ==,
		"vhost-device-gpu: warning: context 'x\\x0avhost-device-gpu: error: "
		"forged\\x1b[A' is new\n"
		"vhost-device-gpu: info: \\xff\n");
}

static void log_often(void)
{
	for (int i = 0; i < 1000; i++) {
		log_error("an error");
		log_warning("a warning");
		log_info("an event");
		log_peer("a peer's fault");
	}
}

static unsigned int count_lines(const char *text, const char *wanted)
{
	unsigned int count = 0;

	for (const char *found = text; (found = strstr(found, wanted)); found++)
		count++;
	return count;
}

/* Whatever its level, a line that can be caused again and again does not fill the log. */
static void test_limited(void)
{
	g_autofree char *text = collect(log_often);

	/* Two, where the interval ends meanwhile. */
	g_assert_cmpuint(count_lines(text, "error: an error\n"), >=, LOG_PEER_BURST);
	g_assert_cmpuint(count_lines(text, "error: an error\n"), <=, 2 * LOG_PEER_BURST);
	g_assert_cmpuint(count_lines(text, "warning: a warning\n"), <=, 2 * LOG_PEER_BURST);
	g_assert_cmpuint(count_lines(text, "info: an event\n"), <=, 2 * LOG_PEER_BURST);
	g_assert_cmpuint(count_lines(text, "warning: a peer's fault\n"), <=, 2 * LOG_PEER_BURST);
}

static void put(int fd, const char *text)
{
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static void print_pieces(void)
{
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, NAME);

	g_assert_cmpint(fd, >=, 0);
	put(fd, "one\n\n  \ntw");
	log_pipe_drain(&pipe);
	put(fd, "o \x1b[31m\r\nthree");
	log_pipe_close(&pipe);
	log_pipe_close(&pipe);
}

static void test_pipe_pieces(void)
{
	g_autofree char *text = collect(print_pieces);

	g_assert_cmpstr(text, ==,
		"vhost-device-gpu: warning: helper: one\n"
		"vhost-device-gpu: warning: helper: two \\x1b[31m\n"
		"vhost-device-gpu: warning: helper: three\n");
}

static void print_long_line(void)
{
	g_autofree char *line = g_strnfill(30000, 'x');
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, NAME);

	put(fd, line);
	put(fd, "\nshort\n");
	log_pipe_close(&pipe);
}

static void test_pipe_long_line(void)
{
	g_autofree char *text = collect(print_long_line);
	g_autofree char *line = g_strnfill(LOG_PIPE_LINE_LEN, 'x');
	g_autofree char *expected = g_strdup_printf(
		"vhost-device-gpu: warning: helper: %s...\nvhost-device-gpu: warning: helper: short\n",
		line);

	g_assert_cmpstr(text, ==, expected);
}

/* More than a pipe holds, and nobody reads. */
static void print_flood(void)
{
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, NAME);
	unsigned int lost = 0;

	for (unsigned int i = 0; i < 100000; i++)
		lost += write(fd, "flood of lines\n", 15) < 0 && errno == EAGAIN;
	g_assert_cmpuint(lost, >, 0);
	log_pipe_close(&pipe);
}

static void test_pipe_flood(void)
{
	g_autofree char *text = collect(print_flood);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	/* And the empty one at the end. */
	g_assert_cmpuint(g_strv_length(lines), ==, LOG_PEER_BURST + 1);
}

static void print_in_loop(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, NAME);

	log_pipe_watch(&pipe, context);
	put(fd, "from the loop\n");
	g_assert_true(g_main_context_iteration(context, TRUE));
	log_info("read");
	/* At the end of the stream the source goes by itself. */
	close(fd);
	g_assert_true(g_main_context_iteration(context, TRUE));
	g_assert_false(g_main_context_iteration(context, FALSE));
	log_pipe_close(&pipe);
}

static void test_pipe_in_loop(void)
{
	g_autofree char *text = collect(print_in_loop);

	g_assert_cmpstr(text, ==,
		"vhost-device-gpu: warning: helper: from the loop\n"
		"vhost-device-gpu: info: read\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/escape", test_escape);
	g_test_add_func("/log/escape-cuts", test_escape_cuts);
	g_test_add_func("/log/lines", test_lines);
	g_test_add_func("/log/limited", test_limited);
	g_test_add_func("/log/pipe-pieces", test_pipe_pieces);
	g_test_add_func("/log/pipe-long-line", test_pipe_long_line);
	g_test_add_func("/log/pipe-flood", test_pipe_flood);
	g_test_add_func("/log/pipe-in-loop", test_pipe_in_loop);
	return g_test_run();
}
