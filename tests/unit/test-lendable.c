/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Memory whose pages may be lent: what the borrower has, and what the owner has afterwards. */
#include "util/lendable.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void fill_pattern(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)((uint32_t)i * 2654435761u >> 23);
}

static void test_alloc(void)
{
	static const size_t lens[] = {1, 4096, LENDABLE_MIN_LEN - 1, LENDABLE_MIN_LEN,
		LENDABLE_MIN_LEN + 1, (3u << 20) + 5};

	for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
		uint8_t *data = lendable_alloc(lens[i]);

		g_assert_nonnull(data);
		g_assert_cmpint(lendable_is(lens[i]), ==, lens[i] >= LENDABLE_MIN_LEN);
		for (size_t k = 0; k < lens[i]; k++)
			g_assert_cmpuint(data[k], ==, 0);
		memset(data, 1, lens[i]);
		lendable_free(data, lens[i]);
	}
	g_assert_null(lendable_alloc(SIZE_MAX / 2));
	lendable_free(NULL, 1);
	lendable_free(NULL, LENDABLE_MIN_LEN);
}

/* Anywhere: the contents stay, and the memory around too. */
static void test_take_back(void)
{
	const size_t len = (1u << 20) + 123;
	uint8_t *data = lendable_alloc(len);
	g_autofree uint8_t *before = g_malloc(len);
	const struct {
		size_t start;
		size_t len;
	} parts[] = {{0, len}, {0, 1}, {4095, 2}, {5000, 100}, {4096, 8192}, {12345, 234567},
		{len - 1, 1}, {len / 2, len - len / 2}, {777, 0}};

	fill_pattern(data, len);
	memcpy(before, data, len);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_assert_cmpint(lendable_take_back(data + parts[i].start, parts[i].len), ==, 0);
		g_assert_cmpmem(data, len, before, len);
		memset(data + parts[i].start, (int)i, parts[i].len);
		memset(before + parts[i].start, (int)i, parts[i].len);
		g_assert_cmpmem(data, len, before, len);
	}
	lendable_free(data, len);
}

static void test_borrower_keeps(void)
{
	const size_t start = 4096 + 100, part_len = 30000;
	uint8_t *data = lendable_alloc(LENDABLE_MIN_LEN);
	struct iovec iov = {.iov_base = data + start, .iov_len = part_len};
	g_autofree uint8_t *before = g_malloc(part_len);
	g_autofree uint8_t *read_back = g_malloc(part_len);
	int fds[2];

	fill_pattern(data, LENDABLE_MIN_LEN);
	memcpy(before, data + start, part_len);
	g_assert_cmpint(pipe2(fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
	g_assert_cmpint(vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK), ==, part_len);
	g_assert_cmpint(lendable_take_back(data + start, part_len), ==, 0);
	memset(data, 0xee, LENDABLE_MIN_LEN);
	g_assert_cmpint(read(fds[0], read_back, part_len), ==, part_len);
	g_assert_cmpmem(read_back, part_len, before, part_len);
	close(fds[0]);
	close(fds[1]);
	lendable_free(data, LENDABLE_MIN_LEN);
}

/* Return: pages of all of this process's mappings. */
static unsigned long count_mapped(void)
{
	char text[128] = "";
	unsigned long count = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	g_assert_cmpint(read(fd, text, sizeof(text) - 1), >, 0);
	close(fd);
	g_assert_cmpint(sscanf(text, "%lu", &count), ==, 1);
	return count;
}

static void test_no_mapping_is_left(void)
{
	const unsigned long before = count_mapped();
	const size_t len = 10 * LENDABLE_MIN_LEN + 1;
	uint8_t *data = lendable_alloc(len);
	unsigned long with_data;

	memset(data, 1, len);
	with_data = count_mapped();
	g_assert_cmpuint(with_data, >=, before + 10 * LENDABLE_MIN_LEN / (size_t)getpagesize());
	g_assert_cmpint(lendable_take_back(data + 5000, len / 2), ==, 0);
	g_assert_cmpuint(count_mapped(), ==, with_data);
	lendable_free(data, len);
	g_assert_cmpuint(count_mapped(), ==, before);
}

static void test_no_memory(void)
{
	uint8_t *data = lendable_alloc(LENDABLE_MIN_LEN);
	struct rlimit before, limit;
	int ret;

	memset(data, 1, LENDABLE_MIN_LEN);
	g_assert_cmpint(getrlimit(RLIMIT_AS, &before), ==, 0);
	limit = before;
	limit.rlim_cur = 1;
	g_assert_cmpint(setrlimit(RLIMIT_AS, &limit), ==, 0);
	ret = lendable_take_back(data, LENDABLE_MIN_LEN);
	g_assert_cmpint(setrlimit(RLIMIT_AS, &before), ==, 0);
	g_assert_cmpint(ret, ==, -ENOMEM);
	for (size_t i = 0; i < LENDABLE_MIN_LEN; i++)
		g_assert_cmpuint(data[i], ==, 1);
	g_assert_cmpint(lendable_take_back(data, LENDABLE_MIN_LEN), ==, 0);
	lendable_free(data, LENDABLE_MIN_LEN);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lendable/alloc", test_alloc);
	g_test_add_func("/lendable/take-back", test_take_back);
	g_test_add_func("/lendable/borrower-keeps", test_borrower_keeps);
	g_test_add_func("/lendable/no-mapping-is-left", test_no_mapping_is_left);
	g_test_add_func("/lendable/no-memory", test_no_memory);
	return g_test_run();
}
