/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Starts daemons and looks at them in /proc. Whether a socket can be connected to is seen without
 * connecting, in /proc/net/unix: QEMU's daemon takes the first connection for its front-end.
 */
#include "bench/daemon.h"

#include "bench/clock.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define START_LIMIT_SECONDS 60
#define LOOK_INTERVAL_US    100
#define TERM_LIMIT_MS	    3000
#define LOG_TAIL	    4096

static char **fill_in(const struct daemon_command *command, const char *socket_path)
{
	char **words = g_strdupv(command->words);
	g_autofree char *program = g_find_program_in_path(words[0]);

	for (int i = 0; words[i]; i++) {
		g_auto(GStrv) parts = g_strsplit(words[i], "{socket}", -1);

		g_free(words[i]);
		words[i] = g_strjoinv(socket_path, parts);
	}
	if (program) {
		g_free(words[0]);
		words[0] = g_steal_pointer(&program);
	}
	return words;
}

/* The flags of a listening socket are 00010000 (linux/net.h, __SO_ACCEPTCON). */
static bool is_listening(const char *path)
{
	g_autofree char *table = NULL;
	g_autofree char *end = g_strdup_printf(" %s\n", path);
	const char *place;

	/* The file comes first, and costs less to look for. */
	if (access(path, F_OK) < 0 || !g_file_get_contents("/proc/net/unix", &table, NULL, NULL))
		return false;
	place = strstr(table, end);
	while (place && place > table && place[-1] != '\n')
		place--;
	return place && strstr(place, " 00010000 ") &&
	       strstr(place, " 00010000 ") < strchr(place, '\n');
}

static int wait_listening(struct daemon *daemon, char **ret_reason)
{
	g_autofree char *words = NULL;

	while (!is_listening(daemon->socket_path)) {
		if (child_wait(&daemon->child, 0, NULL) == 0) {
			words = daemon_last_words(daemon);
			*ret_reason = g_strdup_printf("it ended at once: %s", words);
			return -ECHILD;
		}
		if (clock_now() - daemon->started > START_LIMIT_SECONDS) {
			*ret_reason = g_strdup("it does not listen");
			return -ETIMEDOUT;
		}
		g_usleep(LOOK_INTERVAL_US);
	}
	daemon->listening = clock_now();
	return 0;
}

int daemon_start(struct daemon *daemon, const struct daemon_command *command, const char *folder,
	char **ret_reason)
{
	static unsigned int serial;
	const unsigned int number = ++serial;
	g_auto(GStrv) words = NULL;
	g_auto(GStrv) environment = g_get_environ();
	autofd log_fd = -1;
	int ret;

	daemon->socket_path = g_strdup_printf("%s/%u.sock", folder, number);
	daemon->log_path = g_strdup_printf("%s/%u.log", folder, number);
	words = fill_in(command, daemon->socket_path);
	log_fd = open(daemon->log_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
	if (log_fd < 0)
		return -errno;
	daemon->started = clock_now();
	ret = child_spawn(&daemon->child,
		&(struct child_program){
			.argv = (const char *const *)words,
			.environment = (const char *const *)environment,
			.output_fd = log_fd,
		},
		ret_reason);
	if (ret == 0)
		ret = wait_listening(daemon, ret_reason);
	if (ret < 0)
		daemon_stop(daemon);
	return ret;
}

void daemon_stop(struct daemon *daemon)
{
	if (daemon->child.pid > 0) {
		kill(daemon->child.pid, SIGTERM);
		if (child_wait(&daemon->child, TERM_LIMIT_MS, NULL) < 0)
			child_end(&daemon->child);
	}
	if (daemon->socket_path)
		unlink(daemon->socket_path);
	if (daemon->log_path)
		unlink(daemon->log_path);
	g_clear_pointer(&daemon->socket_path, g_free);
	g_clear_pointer(&daemon->log_path, g_free);
}

char *daemon_last_words(const struct daemon *daemon)
{
	g_autofree char *text = NULL;
	char *line;

	if (!g_file_get_contents(daemon->log_path, &text, NULL, NULL) || !*g_strstrip(text))
		return g_strdup("it said nothing");
	line = strrchr(text, '\n');
	return g_utf8_make_valid(line ? line + 1 : text, -1);
}

/* Calls @each with the pid and all that it started, as far as they are still its children. */
static void each_process(pid_t pid, void (*each)(pid_t pid, void *opaque), void *opaque)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
	g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
	const char *task;

	each(pid, opaque);
	while (tasks && (task = g_dir_read_name(tasks))) {
		g_autofree char *list = g_build_filename(path, task, "children", NULL);
		g_autofree char *text = NULL;
		g_auto(GStrv) children = NULL;

		if (!g_file_get_contents(list, &text, NULL, NULL))
			continue;
		children = g_strsplit(g_strstrip(text), " ", -1);
		for (int i = 0; children[i]; i++)
			if (*children[i])
				each_process(atoi(children[i]), each, opaque);
	}
}

static void count_process(pid_t pid, void *opaque)
{
	++*(unsigned int *)opaque;
}

unsigned int daemon_process_count(const struct daemon *daemon)
{
	unsigned int count = 0;

	each_process(daemon->child.pid, count_process, &count);
	return count;
}

static uint64_t read_kib(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	return line ? g_ascii_strtoull(line + strlen(key), NULL, 10) : 0;
}

static void add_resident(pid_t pid, void *opaque)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
	g_autofree char *status = NULL;

	if (g_file_get_contents(path, &status, NULL, NULL))
		*(uint64_t *)opaque +=
			1024 * (read_kib(status, "\nRssAnon:") + read_kib(status, "\nRssFile:"));
}

uint64_t daemon_resident(const struct daemon *daemon)
{
	uint64_t len = 0;

	each_process(daemon->child.pid, add_resident, &len);
	return len;
}

/* Nanoseconds, unlike /proc/PID/stat, and of each thread. */
static void add_cpu_time(pid_t pid, void *opaque)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
	g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
	const char *task;

	while (tasks && (task = g_dir_read_name(tasks))) {
		g_autofree char *file = g_build_filename(path, task, "schedstat", NULL);
		g_autofree char *text = NULL;

		if (g_file_get_contents(file, &text, NULL, NULL))
			*(double *)opaque += 1e-9 * (double)g_ascii_strtoull(text, NULL, 10);
	}
}

double daemon_cpu_seconds(const struct daemon *daemon)
{
	double seconds = 0;

	each_process(daemon->child.pid, add_cpu_time, &seconds);
	return seconds;
}

static void note_session(pid_t pid, void *opaque)
{
	pid_t *pids = opaque;

	if (pids[0] == 0)
		pids[0] = pid;
	else if (pids[1] == 0)
		pids[1] = pid;
}

int daemon_open_session_cpu(const struct daemon *daemon)
{
	pid_t pids[2] = {0};
	g_autofree char *path = NULL;

	each_process(daemon->child.pid, note_session, pids);
	path = g_strdup_printf("/proc/%d/schedstat", (int)(pids[1] ? pids[1] : pids[0]));
	return open(path, O_RDONLY | O_CLOEXEC);
}

double daemon_session_cpu_seconds(int fd)
{
	char text[64] = "";

	if (fd < 0 || pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return 1e-9 * (double)g_ascii_strtoull(text, NULL, 10);
}
