/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Files that become shorter while they are mapped. Each case is a process of its own, which the
 * handler of SIGBUS, and what a test leaves mapped, belongs to.
 */
#include "util/shared_map.h"

#include "util/child.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	    4096
#define PAGES	    8
#define LEN	    (PAGES * PAGE)
#define PATIENCE_MS 30000

static int make_file(void)
{
	int fd = memfd_create("shared", MFD_CLOEXEC);

	g_assert_cmpint(ftruncate(fd, LEN), ==, 0);
	return fd;
}

static uint8_t *map_file(int fd, const char *what)
{
	uint8_t *map = shared_map_create(fd, 0, LEN, PROT_READ | PROT_WRITE, PAGE, what);

	g_assert_true(map != MAP_FAILED);
	memset(map, 0x55, LEN);
	return map;
}

static uint64_t take_events(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* What is left of the file stays the file's; behind it there are zeroes that can be written to. */
static void be_cut(void)
{
	int fd = make_file();
	int event_fd = shared_map_guard();
	uint8_t *other = map_file(make_file(), "another");
	uint8_t *map = map_file(fd, "the file");
	volatile uint8_t *at = map;
	uint8_t byte = 0x66;

	g_assert_cmpint(ftruncate(fd, 3 * PAGE), ==, 0);
	g_assert_cmpuint(at[3 * PAGE - 1], ==, 0x55);
	g_assert_cmpuint(take_events(event_fd), ==, 0);
	g_assert_null(shared_map_get_cut());
	g_assert_cmpuint(at[5 * PAGE + 17], ==, 0);
	at[LEN - 1] = 1;
	g_assert_cmpuint(take_events(event_fd), ==, 1);
	g_assert_cmpstr(shared_map_get_cut(), ==, "the file");
	/* A page before it is another access. */
	g_assert_cmpuint(at[3 * PAGE], ==, 0);
	g_assert_cmpuint(take_events(event_fd), ==, 1);
	g_assert_cmpuint(at[LEN - 1], ==, 0);
	g_assert_cmpint(pwrite(fd, &byte, 1, 0), ==, 1);
	g_assert_cmpuint(at[0], ==, 0x66);
	g_assert_cmpuint(other[LEN - 1], ==, 0x55);
	shared_map_destroy(map, LEN);
	shared_map_destroy(other, LEN);
	_exit(0);
}

/* Entries are used again, in whichever order they went. */
static void be_cut_after_others(void)
{
	uint8_t *maps[20];
	int fds[20];

	g_assert_cmpint(shared_map_guard(), ==, shared_map_guard());
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 20; i++)
			maps[i] = map_file(fds[i] = make_file(), "one of many");
		for (int i = 0; i < 20; i++) {
			int which = (i * 7 + turn) % 20;

			g_assert_cmpint(ftruncate(fds[which], 0), ==, 0);
			g_assert_cmpuint(((volatile uint8_t *)maps[which])[LEN - 1], ==, 0);
			shared_map_destroy(maps[which], LEN);
			close(fds[which]);
		}
	}
	_exit(0);
}

static gpointer read_byte(gpointer at)
{
	return GINT_TO_POINTER((int)*(volatile uint8_t *)at);
}

/* A driver's thread. */
static void be_cut_elsewhere(void)
{
	int fd = make_file();
	int event_fd = shared_map_guard();
	uint8_t *map = map_file(fd, "the file");
	GThread *thread;

	g_assert_cmpint(ftruncate(fd, 0), ==, 0);
	thread = g_thread_new("reader", read_byte, map + PAGE);
	g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, 0);
	g_assert_cmpuint(take_events(event_fd), ==, 1);
	_exit(0);
}

static void be_cut_unguarded(void)
{
	int fd = make_file();
	volatile uint8_t *at = map_file(fd, "the file");

	g_assert_cmpint(ftruncate(fd, 0), ==, 0);
	_exit(at[0]);
}

/* What is not in the list: a library's own mapping, or one that was there before. */
static void be_cut_where_nobody_looks(void)
{
	int fd = make_file();
	volatile uint8_t *at = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);

	g_assert_cmpint(shared_map_guard(), >=, 0);
	shared_map_destroy(map_file(make_file(), "gone"), LEN);
	g_assert_cmpint(ftruncate(fd, 0), ==, 0);
	_exit(at[0]);
}

static void be_sent_the_signal(void)
{
	g_assert_cmpint(shared_map_guard(), >=, 0);
	map_file(make_file(), "the file");
	kill(getpid(), SIGBUS);
	_exit(0);
}

struct run {
	const char *path;
	void (*run)(void);
	int signal; /* that it dies of, or 0 */
};

static const struct run runs[] = {
	{"/shared-map/cut", be_cut, 0},
	{"/shared-map/cut-after-others", be_cut_after_others, 0},
	{"/shared-map/cut-in-a-thread", be_cut_elsewhere, 0},
	{"/shared-map/unguarded", be_cut_unguarded, SIGBUS},
	{"/shared-map/somebody-elses", be_cut_where_nobody_looks, SIGBUS},
	{"/shared-map/sent", be_sent_the_signal, SIGBUS},
};

static void test_run(gconstpointer data)
{
	const struct run *run = data;
	struct child child = {0};
	int status;

	if (child_fork(&child) == 0) {
		/* A sanitizer's own handler would turn the signal into an exit status. */
		signal(SIGBUS, SIG_DFL);
		run->run();
	}
	g_assert_cmpint(child_wait(&child, PATIENCE_MS, &status), ==, 0);
	if (run->signal) {
		g_assert_true(WIFSIGNALED(status));
		g_assert_cmpint(WTERMSIG(status), ==, run->signal);
	} else {
		g_assert_true(WIFEXITED(status));
		g_assert_cmpint(WEXITSTATUS(status), ==, 0);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
		g_test_add_data_func(runs[i].path, &runs[i], test_run);
	return g_test_run();
}
