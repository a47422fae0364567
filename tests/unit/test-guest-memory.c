/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* memory/guest_memory.c: what is refused, lookups at the edges, removal, ownership of the files. */
#include "memory/guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u

static int make_file(uint64_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(ftruncate(fd, (off_t)len), ==, 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int add(struct guest_memory *memory, uint64_t gpa, uint64_t len, uint64_t uva)
{
	const struct guest_memory_region region = {.gpa = gpa, .len = len, .uva = uva};
	int fd = make_file(len);
	int ret = guest_memory_add(memory, &region, fd);

	if (ret < 0) {
		g_assert_true(is_open(fd));
		close(fd);
	}
	return ret;
}

static void test_refused(void)
{
	struct guest_memory *memory = guest_memory_create();
	struct guest_memory_region region = {.gpa = 0, .len = PAGE, .uva = 0};
	uint64_t generation;
	int fd = make_file(4 * PAGE);
	int read_only_fd, pipe_fds[2];

	g_assert_cmpint(add(memory, 0x10000, 4 * PAGE, 0x90000), ==, 0);
	generation = guest_memory_generation(memory);

	g_assert_cmpint(add(memory, 0x20000, 0, 0xa0000), ==, -EINVAL);
	/* Overlaps: in gpa from both sides and within, in uva. What only touches is fine. */
	g_assert_cmpint(add(memory, 0x10000 - PAGE, 2 * PAGE, 0xa0000), ==, -EINVAL);
	g_assert_cmpint(add(memory, 0x10000 + 3 * PAGE, 2 * PAGE, 0xa0000), ==, -EINVAL);
	g_assert_cmpint(add(memory, 0x10000 + PAGE, PAGE, 0xa0000), ==, -EINVAL);
	g_assert_cmpint(add(memory, 0x40000, PAGE, 0x90000 + PAGE), ==, -EINVAL);

	region = (struct guest_memory_region){.gpa = UINT64_MAX - PAGE, .len = 2 * PAGE};
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, -EINVAL);
	region = (struct guest_memory_region){.uva = UINT64_MAX - PAGE, .len = 2 * PAGE};
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, -EINVAL);

	/* Behind the end of the file, by length, by offset, by a sum that wraps. */
	region = (struct guest_memory_region){.len = 4 * PAGE + 1};
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, -EINVAL);
	region = (struct guest_memory_region){.len = PAGE, .fd_offset = 3 * PAGE + 1};
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, -EINVAL);
	region = (struct guest_memory_region){.len = PAGE, .fd_offset = UINT64_MAX - PAGE + 1};
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, -EINVAL);
	region = (struct guest_memory_region){.len = UINT64_MAX};
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, -EINVAL);

	/* What cannot be mapped: a pipe, nothing at all, a file that is not writable. */
	region = (struct guest_memory_region){.len = PAGE};
	g_assert_cmpint(pipe(pipe_fds), ==, 0);
	g_assert_cmpint(guest_memory_add(memory, &region, pipe_fds[0]), <, 0);
	g_assert_cmpint(guest_memory_add(memory, &region, -1), ==, -EBADF);
	read_only_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	g_assert_cmpint(guest_memory_add(memory, &region, read_only_fd), ==, -EACCES);

	g_assert_cmpuint(guest_memory_generation(memory), ==, generation);
	g_assert_cmpint(add(memory, 0x10000 + 4 * PAGE, PAGE, 0x90000 - PAGE), ==, 0);
	g_assert_cmpuint(guest_memory_generation(memory), !=, generation);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(read_only_fd);
	close(fd);
	guest_memory_destroy(memory);
}

static void test_lookup(void)
{
	struct guest_memory *memory = guest_memory_create();
	uint8_t *a, *b;
	uint64_t len;

	/* Added out of order; the two at 0x10000 and 0x12000 are adjacent, then there is a hole. */
	g_assert_cmpint(add(memory, 0x40000, PAGE, 0x3000), ==, 0);
	g_assert_cmpint(add(memory, 0x12000, 2 * PAGE, 0x91000), ==, 0);
	g_assert_cmpint(add(memory, 0x10000, 2 * PAGE, 0x80000), ==, 0);

	a = guest_memory_at_gpa(memory, 0x10000, 2 * PAGE);
	b = guest_memory_at_gpa(memory, 0x12000, 2 * PAGE);
	g_assert_nonnull(a);
	g_assert_nonnull(b);
	g_assert_true(guest_memory_at_gpa(memory, 0x11fff, 1) == a + 0x1fff);
	g_assert_null(guest_memory_at_gpa(memory, 0x11fff, 2));
	g_assert_null(guest_memory_at_gpa(memory, 0x10000, 0));
	g_assert_null(guest_memory_at_gpa(memory, 0x10001, UINT64_MAX));
	g_assert_null(guest_memory_at_gpa(memory, 0xffff, 1));
	g_assert_null(guest_memory_at_gpa(memory, 0x14000, 1));
	g_assert_null(guest_memory_at_gpa(memory, 0x41000, 1));
	g_assert_null(guest_memory_at_gpa(memory, UINT64_MAX, 1));
	g_assert_nonnull(guest_memory_at_gpa(memory, 0x40fff, 1));

	g_assert_true(guest_memory_at_uva(memory, 0x80010, 1) == a + 0x10);
	g_assert_true(guest_memory_at_uva(memory, 0x91000, 2 * PAGE) == b);
	g_assert_null(guest_memory_at_uva(memory, 0x91000, 2 * PAGE + 1));
	g_assert_null(guest_memory_at_uva(memory, 0x91000, 0));
	g_assert_null(guest_memory_at_uva(memory, 0x82000, 1));
	g_assert_null(guest_memory_at_uva(memory, 0x10000, 1));

	len = 0x3000;
	g_assert_true(guest_memory_span(memory, 0x11000, &len) == a + 0x1000);
	g_assert_cmpuint(len, ==, 0x1000);
	len = 7;
	g_assert_true(guest_memory_span(memory, 0x11000, &len) == a + 0x1000);
	g_assert_cmpuint(len, ==, 7);
	guest_memory_destroy(memory);
}

static void test_to_iov(void)
{
	struct guest_memory *memory = guest_memory_create();
	struct iovec iov[3];
	uint8_t *a, *b;

	g_assert_cmpint(add(memory, 0x10000, PAGE, 0x80000), ==, 0);
	g_assert_cmpint(add(memory, 0x11000, PAGE, 0x91000), ==, 0);
	a = guest_memory_at_gpa(memory, 0x10000, PAGE);
	b = guest_memory_at_gpa(memory, 0x11000, PAGE);

	g_assert_cmpint(guest_memory_to_iov(memory, 0x10ff0, 0x20, iov, 3), ==, 2);
	g_assert_true(iov[0].iov_base == a + 0xff0 && iov[0].iov_len == 0x10);
	g_assert_true(iov[1].iov_base == b && iov[1].iov_len == 0x10);
	g_assert_cmpint(guest_memory_to_iov(memory, 0x10ff0, 0x20, iov, 1), ==, -E2BIG);
	g_assert_cmpint(guest_memory_to_iov(memory, 0x10000, 2 * PAGE, iov, 3), ==, 2);
	g_assert_cmpint(guest_memory_to_iov(memory, 0x10000, 2 * PAGE + 1, iov, 3), ==, -EFAULT);
	g_assert_cmpint(guest_memory_to_iov(memory, 0x10000, UINT64_MAX, iov, 3), ==, -EFAULT);
	g_assert_cmpint(guest_memory_to_iov(memory, 0x50000, 0, iov, 3), ==, 0);
	guest_memory_destroy(memory);
}

static void test_file_offset(void)
{
	struct guest_memory *memory = guest_memory_create();
	/* An offset that is not a multiple of the page size: the mapping begins before it. */
	const struct guest_memory_region region = {
		.gpa = 0x10000, .len = 2 * PAGE, .uva = 0x80000, .fd_offset = PAGE + 0x123};
	uint64_t offset = 0;
	int fd = make_file(4 * PAGE);
	int file_fd = -1;
	char *hva;

	g_assert_cmpint(pwrite(fd, "here", 4, PAGE + 0x123 + 0x10), ==, 4);
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, 0);
	hva = guest_memory_at_gpa(memory, 0x10010, 4);
	g_assert_cmpmem(hva, 4, "here", 4);
	memcpy(hva, "back", 4);
	g_assert_cmpint(guest_memory_file_at(memory, 0x10010, 4, &file_fd, &offset), ==, 0);
	g_assert_cmpint(file_fd, ==, fd);
	g_assert_cmpuint(offset, ==, PAGE + 0x123 + 0x10);
	{
		char seen[4];

		g_assert_cmpint(pread(fd, seen, 4, (off_t)offset), ==, 4);
		g_assert_cmpmem(seen, 4, "back", 4);
	}
	g_assert_cmpint(
		guest_memory_file_at(memory, 0x10010, 2 * PAGE, &file_fd, &offset), ==, -EFAULT);
	g_assert_cmpint(guest_memory_file_at(memory, 0x1, 1, &file_fd, &offset), ==, -EFAULT);
	/* The last byte of the region is mapped. */
	hva = guest_memory_at_gpa(memory, 0x10000, 2 * PAGE);
	hva[2 * PAGE - 1] = 1;
	guest_memory_destroy(memory);
	g_assert_false(is_open(fd));
}

/* Huge pages are mapped whole, from before the region to behind it, and unmapped whole. */
static void test_huge_pages(void)
{
	const uint64_t huge = 2u << 20;
	const struct guest_memory_region region = {
		.gpa = 0x10000, .len = huge, .uva = 0x80000, .fd_offset = PAGE};
	struct guest_memory *memory;
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	uint8_t *hva;

	if (fd < 0 || ftruncate(fd, (off_t)(2 * huge)) < 0) {
		g_test_skip("no huge pages of 2 MiB here");
		if (fd >= 0)
			close(fd);
		return;
	}
	/* Nothing is touched, so that it works where no huge page is free. */
	memory = guest_memory_create();
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, 0);
	hva = guest_memory_at_gpa(memory, 0x10000, huge);
	g_assert_nonnull(hva);
	g_assert_cmpuint((uintptr_t)hva % huge, ==, PAGE);
	hva -= PAGE;
	g_assert_cmpint(msync(hva, 2 * huge, MS_ASYNC), ==, 0);
	guest_memory_destroy(memory);
	g_assert_cmpint(msync(hva, huge, MS_ASYNC), ==, -1);
	g_assert_cmpint(msync(hva + huge, huge, MS_ASYNC), ==, -1);
}

static void test_remove(void)
{
	struct guest_memory *memory = guest_memory_create();
	struct guest_memory_region region = {.gpa = 0x20000, .len = PAGE, .uva = 0x90000};
	uint64_t generation;
	int fd = make_file(PAGE);

	g_assert_cmpint(add(memory, 0x10000, PAGE, 0x80000), ==, 0);
	g_assert_cmpint(add(memory, 0x30000, PAGE, 0xa0000), ==, 0);
	g_assert_cmpint(guest_memory_add(memory, &region, fd), ==, 0);
	generation = guest_memory_generation(memory);

	region.uva++;
	g_assert_cmpint(guest_memory_remove(memory, &region), ==, -ENOENT);
	region.uva--;
	region.len--;
	g_assert_cmpint(guest_memory_remove(memory, &region), ==, -ENOENT);
	region.len++;
	g_assert_cmpuint(guest_memory_generation(memory), ==, generation);
	/* A hit first, so that the cached one is the one that goes. */
	g_assert_nonnull(guest_memory_at_gpa(memory, 0x20000, 1));
	g_assert_cmpint(guest_memory_remove(memory, &region), ==, 0);
	g_assert_false(is_open(fd));
	g_assert_cmpuint(guest_memory_generation(memory), !=, generation);
	g_assert_null(guest_memory_at_gpa(memory, 0x20000, 1));
	g_assert_nonnull(guest_memory_at_gpa(memory, 0x10000, 1));
	g_assert_nonnull(guest_memory_at_gpa(memory, 0x30000, 1));
	g_assert_cmpint(guest_memory_remove(memory, &region), ==, -ENOENT);
	guest_memory_clear(memory);
	g_assert_null(guest_memory_at_gpa(memory, 0x30000, 1));
	guest_memory_destroy(memory);
}

static void test_full_table(void)
{
	struct guest_memory *memory = guest_memory_create();

	for (uint64_t i = 0; i < GUEST_MEMORY_MAX_REGIONS; i++) {
		/* In a scrambled order: 200 and 509 have no common divisor. */
		uint64_t at = i * 200 % GUEST_MEMORY_MAX_REGIONS;

		g_assert_cmpint(add(memory, at * 2 * PAGE, PAGE, at * PAGE), ==, 0);
		*(uint64_t *)guest_memory_at_gpa(memory, at * 2 * PAGE, PAGE) = at;
	}
	g_assert_cmpint(add(memory, 0x10000000, PAGE, 0x10000000), ==, -ENOSPC);
	for (uint64_t i = 0; i < GUEST_MEMORY_MAX_REGIONS; i++) {
		g_assert_cmpuint(
			*(uint64_t *)guest_memory_at_gpa(memory, i * 2 * PAGE, PAGE), ==, i);
		g_assert_null(guest_memory_at_gpa(memory, i * 2 * PAGE + PAGE, 1));
	}
	guest_memory_destroy(memory);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/guest-memory/refused", test_refused);
	g_test_add_func("/guest-memory/lookup", test_lookup);
	g_test_add_func("/guest-memory/to-iov", test_to_iov);
	g_test_add_func("/guest-memory/file-offset", test_file_offset);
	g_test_add_func("/guest-memory/huge-pages", test_huge_pages);
	g_test_add_func("/guest-memory/remove", test_remove);
	g_test_add_func("/guest-memory/full-table", test_full_table);
	return g_test_run();
}
