/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* util/iov.c: every offset and length over scattered memory, against a flat copy of it. */
#include "util/iov.h"

#include <glib.h>
#include <string.h>

#define TOTAL 16

/* Parts of 5, 0, 1 and 10 bytes, with guard bytes around them. */
struct scattered {
	char parts[3][12];
	struct iovec iov[4];
};

static const char flat[TOTAL + 1] = "ABCDEFGHIJKLMNOP";

static void scattered_init(struct scattered *s, const char *content)
{
	memset(s->parts, '.', sizeof(s->parts));
	s->iov[0] = (struct iovec){&s->parts[0][1], 5};
	s->iov[1] = (struct iovec){NULL, 0};
	s->iov[2] = (struct iovec){&s->parts[1][1], 1};
	s->iov[3] = (struct iovec){&s->parts[2][1], 10};
	memcpy(&s->parts[0][1], content, 5);
	memcpy(&s->parts[1][1], content + 5, 1);
	memcpy(&s->parts[2][1], content + 6, 10);
}

static size_t expected_count(size_t offset, size_t len)
{
	return offset >= TOTAL ? 0 : MIN(len, TOTAL - offset);
}

static void test_len(void)
{
	struct scattered s;

	scattered_init(&s, flat);
	g_assert_cmpuint(iov_len(s.iov, 4), ==, TOTAL);
	g_assert_cmpuint(iov_len(s.iov, 2), ==, 5);
	g_assert_cmpuint(iov_len(s.iov, 0), ==, 0);
}

static void test_read(void)
{
	struct scattered s;

	scattered_init(&s, flat);
	for (size_t offset = 0; offset <= TOTAL + 2; offset++) {
		for (size_t len = 0; len <= TOTAL + 2; len++) {
			size_t count = expected_count(offset, len);
			char buf[TOTAL + 4];

			memset(buf, '#', sizeof(buf));
			g_assert_cmpuint(iov_read(s.iov, 4, offset, buf, len), ==, count);
			if (count > 0)
				g_assert_cmpmem(buf, count, flat + offset, count);
			g_assert_cmpint(buf[count], ==, '#');
		}
	}
}

static void test_write(void)
{
	for (size_t offset = 0; offset <= TOTAL + 2; offset++) {
		for (size_t len = 0; len <= TOTAL + 2; len++) {
			size_t count = expected_count(offset, len);
			char expected[TOTAL + 1];
			struct scattered s, want;

			memcpy(expected, flat, sizeof(expected));
			if (count > 0)
				memset(expected + offset, 'x', count);
			scattered_init(&s, flat);
			scattered_init(&want, expected);
			g_assert_cmpuint(
				iov_write(s.iov, 4, offset, "xxxxxxxxxxxxxxxxxx", len), ==, count);
			/* The guard bytes are compared too. */
			g_assert_cmpmem(s.parts, sizeof(s.parts), want.parts, sizeof(want.parts));
		}
	}
}

/* What comes before the place is not looked at: it is not even there. */
static void test_find(void)
{
	const struct iovec iov[] = {
		{NULL, 4000}, {NULL, 1}, {(char *)flat, 5}, {(char *)flat + 5, 3}};
	const uint64_t starts[] = {0, 10, 20, 25};
	char buf[8] = "";

	for (size_t offset = 20; offset < 28; offset++) {
		struct iov_cursor cursor = iov_cursor_find(iov, starts, 4, offset);

		g_assert_cmpuint(cursor.iov_count, ==, offset < 25 ? 2 : 1);
		g_assert_cmpuint(iov_cursor_read(&cursor, offset, buf, 8), ==, 28 - offset);
		g_assert_cmpmem(buf, 28 - offset, flat + offset - 20, 28 - offset);
	}
	g_assert_cmpuint(iov_cursor_find(iov, starts, 4, 9).iov_count, ==, 4);
	g_assert_cmpuint(iov_cursor_find(iov, starts, 4, 10).iov_count, ==, 3);
	g_assert_cmpuint(iov_cursor_find(iov, starts, 4, 4711).iov_count, ==, 1);
	g_assert_cmpuint(iov_cursor_find(iov, starts, 0, 0).iov_count, ==, 0);
	/* Nobody has said where they begin. */
	g_assert_cmpuint(iov_cursor_find(iov, NULL, 4, 26).iov_count, ==, 4);
}

static void test_cursor_write(void)
{
	struct scattered s, want;
	struct iov_cursor cursor;

	scattered_init(&s, flat);
	scattered_init(&want, flat);
	iov_write(want.iov, 4, 1, "xy", 2);
	iov_write(want.iov, 4, TOTAL - 2, "z", 1);
	cursor = iov_cursor_init(s.iov, 4);
	g_assert_cmpuint(iov_cursor_write(&cursor, 1, "xy", 2), ==, 2);
	g_assert_cmpuint(iov_cursor_write(&cursor, TOTAL - 2, "z", 1), ==, 1);
	g_assert_cmpmem(s.parts, sizeof(s.parts), want.parts, sizeof(want.parts));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/iov/len", test_len);
	g_test_add_func("/iov/read", test_read);
	g_test_add_func("/iov/write", test_write);
	g_test_add_func("/iov/find", test_find);
	g_test_add_func("/iov/cursor-write", test_cursor_write);
	return g_test_run();
}
