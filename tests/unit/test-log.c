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
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
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
	int fd = log_pipe_open(&pipe, NAME, &log_pipe_helper_rules);

	g_assert_cmpint(fd, >=, 0);
	put(fd, "one\n\n  \ntw");
	log_pipe_read(&pipe);
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
	int fd = log_pipe_open(&pipe, NAME, &log_pipe_helper_rules);

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
	int fd = log_pipe_open(&pipe, NAME, &log_pipe_helper_rules);
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

	/* How many were left out, and the empty one at the end. */
	g_assert_cmpuint(g_strv_length(lines), ==, LOG_PEER_BURST + 2);
	g_assert_true(g_str_has_suffix(lines[LOG_PEER_BURST], " more lines were left out"));
}

static void print_in_loop(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, NAME, &log_pipe_helper_rules);

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

static void print_levels(void)
{
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, "session 7", &log_pipe_child_rules);

	put(fd, "<3>an error\n<4>a warning\n<6>a word\n<7>detail\n");
	put(fd, "a library\n<8>no level\n<3\n<3>\n");
	put(fd, "<6>vhost-device-gpu: error: session 8: forged\n\x1b[2Jcleared\r\n");
	put(fd, "no end");
	log_pipe_close(&pipe);
}

/* Whatever is written, each line has the name of who wrote it. */
static void test_pipe_levels(void)
{
	g_autofree char *text = collect(print_levels);

	g_assert_cmpstr(text, ==,
		"vhost-device-gpu: error: session 7: an error\n"
		"vhost-device-gpu: warning: session 7: a warning\n"
		"vhost-device-gpu: info: session 7: a word\n"
		"vhost-device-gpu: warning: session 7: a library\n"
		"vhost-device-gpu: warning: session 7: <8>no level\n"
		"vhost-device-gpu: warning: session 7: <3\n"
		"vhost-device-gpu: info: session 7: vhost-device-gpu: error: session 8: forged\n"
		"vhost-device-gpu: warning: session 7: \\x1b[2Jcleared\n"
		"vhost-device-gpu: warning: session 7: no end\n");
}

/* More than a child may print, with somebody who reads; then its last words. */
static void print_child_flood(void)
{
	struct log_pipe pipe;
	int fd = log_pipe_open(&pipe, NAME, &log_pipe_child_rules);
	int wait_ms = -1;

	for (unsigned int i = 0; i < 10000; i++) {
		while (write(fd, "<6>flood of lines\n", 18) < 0)
			log_pipe_read(&pipe);
	}
	/* Lines that are not printed do not count. */
	put(fd, "<7>detail\n");
	log_pipe_read(&pipe);
	while (log_pipe_poll(&pipe, &wait_ms) < 0) {
		/* It is left alone for a while, and not for long. */
		g_assert_cmpint(wait_ms, >, 0);
		g_assert_cmpint(wait_ms, <=, 1000);
		g_usleep((gulong)wait_ms * 1000);
	}
	log_pipe_read(&pipe);
	put(fd, "<3>last words\n");
	log_pipe_close(&pipe);
}

static void test_pipe_child_flood(void)
{
	g_autofree char *text = collect(print_child_flood);
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
	const guint burst = log_pipe_child_rules.burst;

	g_assert_cmpuint(g_strv_length(lines), ==, burst + 2);
	g_assert_cmpstr(lines[0], ==, "vhost-device-gpu: info: helper: flood of lines");
	g_assert_cmpstr(lines[burst], ==, "vhost-device-gpu: error: helper: last words");
	g_assert_cmpstr(lines[burst + 1], ==,
		"vhost-device-gpu: warning: helper: 8000 more lines were left out");
}

/* Lines of our own, from a child whose log nobody reads for a while. */
static void print_from_child(void)
{
	struct log_pipe pipe;
	struct child child = {0};
	int fd = log_pipe_open(&pipe, NAME, &log_pipe_child_rules);

	if (child_fork(&child) == 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		log_to_supervisor();
		log_error("mine: %s", "x\n<3>forged");
		put(STDOUT_FILENO, "a library's\n");
		for (unsigned int i = 0; i < 10000; i++)
			log_info("too many");
		_exit(0);
	}
	/* It has never waited for us. */
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, NULL), ==, 0);
	for (unsigned int i = 0; i < 1000; i++)
		log_pipe_read(&pipe);
	log_pipe_close(&pipe);
	close(fd);
}

static void test_to_supervisor(void)
{
	g_autofree char *text = collect(print_from_child);
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

	g_assert_cmpuint(g_strv_length(lines), <, 10000);
	g_assert_cmpstr(lines[0], ==, "vhost-device-gpu: error: helper: mine: x\\x0a<3>forged");
	g_assert_cmpstr(lines[1], ==, "vhost-device-gpu: warning: helper: a library's");
	g_assert_cmpstr(lines[2], ==, "vhost-device-gpu: info: helper: too many");
}

#define PAGE_LEN 4096

struct unready {
	int fd;
	int fault_fd;
	char *page;
};

/* A page that a write() waits for. Return: what provides it; or -1. */
static int make_unready_page(char **ret_page)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};

	*ret_page =
		mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)*ret_page;
	range.range.len = PAGE_LEN;
	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &range) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void wait_for_fault(int fd)
{
	struct uffd_msg message;

	g_assert_cmpint(read(fd, &message, sizeof(message)), ==, sizeof(message));
	g_assert_cmpint(message.event, ==, UFFD_EVENT_PAGEFAULT);
}

static void provide_page(const struct unready *unready)
{
	struct uffdio_zeropage zero = {
		.range = {.start = (uintptr_t)unready->page, .len = PAGE_LEN}};

	g_assert_cmpint(ioctl(unready->fault_fd, UFFDIO_ZEROPAGE, &zero), ==, 0);
}

static gpointer write_page(gpointer opaque)
{
	const struct unready *unready = opaque;

	g_assert_cmpint(write(unready->fd, unready->page, 1), ==, 1);
	return NULL;
}

/* Who writes from memory that does not come yet, as a file of a hostile file system, holds nobody up. */
static void test_pipe_slow_memory(void)
{
	struct log_pipe pipe;
	struct unready unready = {.fd = log_pipe_open(&pipe, NAME, &log_pipe_helper_rules)};
	GThread *writer;

	unready.fault_fd = make_unready_page(&unready.page);
	if (unready.fault_fd < 0) {
		g_test_skip("this user may not have memory that does not come");
		log_pipe_close(&pipe);
		return;
	}
	writer = g_thread_new("writer", write_page, &unready);
	wait_for_fault(unready.fault_fd);
	/* With a pipe this does not return. */
	log_pipe_read(&pipe);
	provide_page(&unready);
	g_thread_join(writer);
	log_pipe_close(&pipe);
	munmap(unready.page, PAGE_LEN);
	close(unready.fault_fd);
	close(unready.fd);
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
	g_test_add_func("/log/pipe-levels", test_pipe_levels);
	g_test_add_func("/log/pipe-child-flood", test_pipe_child_flood);
	g_test_add_func("/log/pipe-slow-memory", test_pipe_slow_memory);
	g_test_add_func("/log/to-supervisor", test_to_supervisor);
	return g_test_run();
}
