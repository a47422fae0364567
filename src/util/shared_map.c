/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The list of mappings, and the handler of SIGBUS that looks into it.
 *
 * The handler may run on any thread, at any moment, also while the main loop's thread changes the
 * list. So entries are never freed, only used again, and an entry without a length is none. The
 * mapping that an access goes to is there as long as the access, and so is its entry; what a
 * half-written entry of another mapping says can only be wrong, and is looked at twice.
 */
#include "util/shared_map.h"

#include "util/fd.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct entry {
	_Atomic uintptr_t start;
	_Atomic size_t len; /* 0: unused */
	_Atomic size_t page_len;
	_Atomic(const char *) what;
	struct entry *next; /* never changes once the entry is in the list */
};

static _Atomic(struct entry *) entries;
static _Atomic(const char *) cut_what;
static int event_fd = -1;

static struct entry *find_unused(void)
{
	struct entry *entry = atomic_load(&entries);

	while (entry && atomic_load(&entry->len) != 0)
		entry = entry->next;
	return entry;
}

static void list_add(void *map, size_t len, size_t page_len, const char *what)
{
	struct entry *unused = find_unused();
	struct entry *entry = unused ? unused : g_new0(struct entry, 1);

	atomic_store(&entry->start, (uintptr_t)map);
	atomic_store(&entry->page_len, page_len);
	atomic_store(&entry->what, what);
	atomic_store(&entry->len, len);
	if (unused)
		return;
	entry->next = atomic_load(&entries);
	atomic_store(&entries, entry);
}

static void list_remove(const void *map)
{
	struct entry *entry = atomic_load(&entries);

	while (entry &&
		(atomic_load(&entry->len) == 0 || atomic_load(&entry->start) != (uintptr_t)map))
		entry = entry->next;
	if (entry)
		atomic_store(&entry->len, 0);
}

void *shared_map_create(
	int fd, uint64_t offset, size_t len, int prot, size_t page_len, const char *what)
{
	void *map = mmap(NULL, len, prot, MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);

	if (map != MAP_FAILED)
		list_add(map, len, page_len, what);
	return map;
}

void shared_map_destroy(void *map, size_t len)
{
	list_remove(map);
	munmap(map, len);
}

/* From here on everything is safe in a handler: atomics, mmap(2), write(2). */

/* Is @address inside? Then where its page begins, and how much of the mapping follows from there. */
static bool find_rest(
	const struct entry *entry, uintptr_t address, uintptr_t *ret_start, size_t *ret_len)
{
	size_t len = atomic_load(&entry->len);
	uintptr_t start = atomic_load(&entry->start);
	size_t page_len = atomic_load(&entry->page_len);
	size_t offset = address - start;

	if (offset >= len || page_len == 0 || atomic_load(&entry->len) != len ||
		atomic_load(&entry->start) != start)
		return false;
	offset -= offset % page_len;
	*ret_start = start + offset;
	*ret_len = len - offset;
	return true;
}

/* Return: whether who watches was told. */
static bool report_cut(const char *what)
{
	const uint64_t one = 1;

	atomic_store(&cut_what, what);
	return write(event_fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN;
}

/* Puts zeroes where the file has ended. Return: was @address inside one of the mappings? */
static bool cover_rest(uintptr_t address)
{
	uintptr_t start;
	size_t len;

	for (const struct entry *entry = atomic_load(&entries); entry; entry = entry->next) {
		if (!find_rest(entry, address, &start, &len))
			continue;
		if (mmap((void *)start, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			    0) == MAP_FAILED)
			return false;
		return report_cut(atomic_load(&entry->what));
	}
	return false;
}

static void handle_sigbus(int signal_number, siginfo_t *info, void *context)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	const int saved_errno = errno;

	/* Up to 0 it was sent by somebody, and has no address. */
	if (info->si_code <= 0 || !cover_rest((uintptr_t)info->si_addr)) {
		/* It comes when the handler returns, and ends the process. */
		sigaction(signal_number, &by_default, NULL);
		raise(signal_number);
	}
	errno = saved_errno;
}

int shared_map_guard(void)
{
	struct sigaction action = {.sa_sigaction = handle_sigbus, .sa_flags = SA_SIGINFO};

	if (event_fd >= 0)
		return event_fd;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return -errno;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL) < 0) {
		int error = errno;

		fd_clear(&event_fd);
		return -error;
	}
	return event_fd;
}

void shared_map_report_fault(void)
{
	const int saved_errno = errno;

	if (event_fd >= 0)
		report_cut("memory that is shared with the guest");
	errno = saved_errno;
}

const char *shared_map_get_cut(void)
{
	return atomic_load(&cut_what);
}
