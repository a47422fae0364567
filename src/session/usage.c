/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Walks the tree of processes: /proc/PID/status of each, and /proc/PID/task/TID/children of each of
 * its threads for where to go on. The session adopts who loses its parent (PR_SET_CHILD_SUBREAPER), so
 * nobody leaves the tree.
 *
 * The counters in status cost microseconds whatever a process has mapped, unlike what would have to
 * walk its page tables. So what is shared is counted as a whole, and only where it is no guest's
 * memory.
 */
#include "session/usage.h"

#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Processes that are looked at; a session with more has reached any limit of tasks. */
#define MAX_PROCESSES 4096

/* Of a file in /proc; its beginning has all that is looked for. */
#define TEXT_SIZE 65536

/* What is read at a time of the list of a process's threads. */
#define ENTRIES_SIZE 4096

/* As of getdents64(2), which allocates nothing. */
struct entry {
	uint64_t inode;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

struct usage_meter {
	int proc_fd;
	int self_fd; /* our status, opened when that was surely allowed */
	bool was_denied;
	pid_t pids[MAX_PROCESSES]; /* found so far; the first is this process */
	unsigned int pid_count;
	char text[TEXT_SIZE];
	_Alignas(struct entry) char entries[ENTRIES_SIZE];
};

struct usage_meter *usage_meter_create(void)
{
	struct usage_meter *meter = g_new0(struct usage_meter, 1);

	meter->proc_fd = open("/proc", O_DIRECTORY | O_PATH | O_CLOEXEC);
	meter->self_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (meter->proc_fd < 0 || meter->self_fd < 0) {
		int error = errno;

		usage_meter_destroy(meter);
		errno = error;
		return NULL;
	}
	return meter;
}

void usage_meter_destroy(struct usage_meter *meter)
{
	fd_clear(&meter->proc_fd);
	fd_clear(&meter->self_fd);
	g_free(meter);
}

/* Reads a file from its beginning into the meter's text. Return: whether that worked. */
static bool read_text(struct usage_meter *meter, int fd)
{
	size_t len = 0;
	ssize_t done;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return false;
	do {
		done = read(fd, meter->text + len, TEXT_SIZE - 1 - len);
		len += done > 0 ? (size_t)done : 0;
	} while (done > 0 && len < TEXT_SIZE - 1);
	meter->text[len] = '\0';
	return len > 0;
}

/* Return: a descriptor, or -1. */
static int open_file(struct usage_meter *meter, int folder_fd, const char *path)
{
	int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM) && !meter->was_denied) {
		meter->was_denied = true;
		log_warning(
			"what helper processes take of the host cannot be counted: %s of /proc: "
			"%s",
			path, g_strerror(errno));
	}
	return fd;
}

/* The number behind "\nNAME:", or 0. */
static uint64_t find_number(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static void add_status(const char *text, bool is_self, struct usage *usage)
{
	uint64_t kib = find_number(text, "\nRssAnon:") + find_number(text, "\nVmSwap:");

	if (!is_self)
		kib += find_number(text, "\nRssShmem:");
	usage->memory_len += kib * 1024;
	usage->task_count += find_number(text, "\nThreads:");
}

/* Adds the children of one thread to the list. @task_fd: /proc/PID/task. */
static void find_children_of(struct usage_meter *meter, int task_fd, const char *thread)
{
	char path[64];
	char *at = meter->text;
	char *end;
	autofd fd = -1;

	g_snprintf(path, sizeof(path), "%s/children", thread);
	fd = open_file(meter, task_fd, path);
	if (fd < 0 || !read_text(meter, fd))
		return;
	for (; meter->pid_count < MAX_PROCESSES; at = end) {
		pid_t child = (pid_t)strtol(at, &end, 10);

		if (end == at)
			return;
		meter->pids[meter->pid_count++] = child;
	}
}

/* Adds the children of @pid to the list. */
static void find_children(struct usage_meter *meter, pid_t pid)
{
	char path[64];
	autofd fd = -1;
	long len;

	g_snprintf(path, sizeof(path), "%d/task", (int)pid);
	fd = open_file(meter, meter->proc_fd, path);
	while (fd >= 0 &&
		(len = syscall(SYS_getdents64, fd, meter->entries, sizeof(meter->entries))) > 0) {
		for (long at = 0; at < len;) {
			const struct entry *entry = (const struct entry *)(meter->entries + at);

			if (g_ascii_isdigit(entry->name[0]))
				find_children_of(meter, fd, entry->name);
			at += entry->len;
		}
	}
}

static void measure_process(struct usage_meter *meter, pid_t pid, struct usage *usage)
{
	char path[64];
	autofd fd = -1;

	g_snprintf(path, sizeof(path), "%d/status", (int)pid);
	fd = open_file(meter, meter->proc_fd, path);
	if (fd >= 0 && read_text(meter, fd))
		add_status(meter->text, false, usage);
}

void usage_measure(struct usage_meter *meter, struct usage *ret_usage)
{
	struct usage usage = {0};

	meter->pids[0] = getpid();
	meter->pid_count = 1;
	if (read_text(meter, meter->self_fd))
		add_status(meter->text, true, &usage);
	for (unsigned int i = 0; i < meter->pid_count; i++) {
		if (i > 0)
			measure_process(meter, meter->pids[i], &usage);
		find_children(meter, meter->pids[i]);
	}
	if (meter->pid_count == MAX_PROCESSES)
		usage.task_count = UINT64_MAX;
	*ret_usage = usage;
}
