/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * util/id_table.c: ids that a guest chose for GLib's own tables are as good as any. Buckets are
 * counted, not time: the place of a hash in a GHashTable is worked out as GLib does.
 */
#include "util/child.h"
#include "util/id_table.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* So many ids are in a table of this prime; GLib multiplies hashes by 11 before it divides. */
#define IDS   61000
#define PRIME 65521
#define ROOM  65536

static guint hash_directly(uint64_t id)
{
	return (guint)id;
}

/* The next id that GLib puts where the others of g_direct_hash() are. */
static uint32_t colliding_id(uint32_t index)
{
	return (index + 1) * PRIME;
}

/* Return: how many of the first @count ids have a place of their own. */
static unsigned int count_places(guint (*hash)(uint64_t id), uint32_t count)
{
	g_autofree bool *is_taken = g_new0(bool, PRIME);
	unsigned int places = 0;

	for (uint32_t i = 0; i < count; i++) {
		guint place = (hash(colliding_id(i)) * 11u) % PRIME;

		places += !is_taken[place];
		is_taken[place] = true;
	}
	return places;
}

/* Looks for a free place as GLib does, farther from the last one each time. Return: its steps. */
static unsigned int insert_id(bool *is_taken, guint hash)
{
	guint place = (hash * 11u) % PRIME;
	unsigned int steps = 0;

	while (is_taken[place])
		place = (place + ++steps) & (ROOM - 1);
	is_taken[place] = true;
	return steps;
}

static uint64_t count_steps(guint (*hash)(uint64_t id), uint32_t count)
{
	g_autofree bool *is_taken = g_new0(bool, ROOM);
	uint64_t steps = 0;

	for (uint32_t i = 0; i < count; i++)
		steps += insert_id(is_taken, hash(colliding_id(i)));
	return steps;
}

static void test_places(void)
{
	g_autoptr(GHashTable) table = id_table_new(NULL); /* makes the secret */
	unsigned int places = count_places(id_table_hash, IDS);

	g_assert_nonnull(table);
	/* That is the attack. */
	g_assert_cmpuint(colliding_id(IDS - 1) / PRIME, ==, IDS);
	g_assert_cmpuint(count_places(hash_directly, 1000), <=, 11);
	g_assert_cmpuint(count_steps(hash_directly, 1000), >, 40000);
	/* Of random ones 1 - 1/e^(61000/65521) of all places, 39,697 of them, give or take 200. */
	g_assert_cmpuint(places, >, 38500);
	g_assert_cmpuint(places, <, 41000);
	g_assert_cmpuint(count_steps(id_table_hash, IDS), <, UINT64_C(4) * IDS);
}

static void hash_elsewhere(guint ret_hashes[8])
{
	struct child child = {0};
	int fds[2];

	g_assert_cmpint(pipe(fds), ==, 0);
	if (child_fork(&child) == 0) {
		guint hashes[8];

		id_table_new(NULL);
		for (guint i = 0; i < G_N_ELEMENTS(hashes); i++)
			hashes[i] = id_table_hash(i);
		_exit(write(fds[1], hashes, sizeof(hashes)) == sizeof(hashes) ? 0 : 1);
	}
	g_assert_cmpint(read(fds[0], ret_hashes, 8 * sizeof(guint)), ==, 8 * sizeof(guint));
	g_assert_cmpint(child_wait(&child, 30000, NULL), ==, 0);
	close(fds[0]);
	close(fds[1]);
}

/* A session that was taken over, and knows its own secret, knows none of the others. */
static void test_secrets(void)
{
	guint first[8], second[8];

	hash_elsewhere(first);
	hash_elsewhere(second);
	g_assert_cmpint(memcmp(first, second, sizeof(first)), !=, 0);
}

static void test_tables(void)
{
	g_autoptr(GHashTable) ids = id_table_new(NULL);
	g_autoptr(GHashTable) keys = id_table_new_64(g_free);
	const uint64_t other = 7, wanted = UINT64_MAX - 5;

	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t *key = g_new(uint64_t, 1);

		*key = UINT64_MAX - i;
		g_assert_true(g_hash_table_insert(keys, key, key));
		g_assert_true(g_hash_table_insert(
			ids, GUINT_TO_POINTER(UINT32_MAX - i), GUINT_TO_POINTER(i)));
	}
	g_assert_cmpuint(
		GPOINTER_TO_UINT(g_hash_table_lookup(ids, GUINT_TO_POINTER(UINT32_MAX - 999))), ==,
		999);
	g_assert_false(g_hash_table_contains(ids, GUINT_TO_POINTER(1)));
	g_assert_cmpuint(*(uint64_t *)g_hash_table_lookup(keys, &wanted), ==, wanted);
	g_assert_false(g_hash_table_contains(keys, &other));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* First, while there is no secret in this process that its children would share. */
	g_test_add_func("/id-table/secrets", test_secrets);
	g_test_add_func("/id-table/places", test_places);
	g_test_add_func("/id-table/tables", test_tables);
	return g_test_run();
}
