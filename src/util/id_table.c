/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * SipHash-1-3 (Aumasson and Bernstein, 2012) of eight bytes, as the hash of a GHashTable.
 *
 * The secret is made with the first table. The listener has none, so each session has its own
 * secret, and one that was taken over says nothing about the others.
 */
#include "util/id_table.h"

#include <sys/random.h>

static uint64_t secret[2];

static void make_secret(void)
{
	static gsize is_made;

	if (!g_once_init_enter(&is_made))
		return;
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
		for (gsize i = 0; i < G_N_ELEMENTS(secret); i++)
			secret[i] = (uint64_t)g_random_int() << 32 | g_random_int();
	}
	g_once_init_leave(&is_made, 1);
}

static inline uint64_t rotate_left(uint64_t word, unsigned int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void mix_state(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

static inline void take_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix_state(v);
	v[0] ^= word;
}

guint id_table_hash(uint64_t id)
{
	uint64_t v[4] = {
		secret[0] ^ UINT64_C(0x736f6d6570736575),
		secret[1] ^ UINT64_C(0x646f72616e646f6d),
		secret[0] ^ UINT64_C(0x6c7967656e657261),
		secret[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t hash;

	take_word(v, id);
	take_word(v, (uint64_t)sizeof(id) << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix_state(v);
	hash = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (guint)(hash ^ hash >> 32);
}

static guint hash_pointer(gconstpointer key)
{
	return id_table_hash((uintptr_t)key);
}

static guint hash_number(gconstpointer key)
{
	return id_table_hash(*(const uint64_t *)key);
}

GHashTable *id_table_new(GDestroyNotify free_value)
{
	make_secret();
	return g_hash_table_new_full(hash_pointer, NULL, NULL, free_value);
}

GHashTable *id_table_new_64(GDestroyNotify free_value)
{
	make_secret();
	return g_hash_table_new_full(hash_number, g_int64_equal, NULL, free_value);
}
