/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Hash tables for numbers that a guest or another peer chooses. The hash is keyed with a secret of
 * this process, so that nobody outside can compute numbers that share a bucket: with GLib's
 * g_direct_hash() 61,000 ids of one bucket made each look-up walk over all of them.
 *
 * The hash is SipHash-1-3. A multiplication with a random factor would be cheaper and spreads any
 * fixed set as well, but it is linear: one pair of ids that is slow together, which a guest finds by
 * measuring, gives away a whole series. Five rounds cost a few nanoseconds.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/**
 * id_table_new() - A table whose keys are 32-bit numbers, by GUINT_TO_POINTER()
 * @free_value: for what is removed or replaced, or NULL
 *
 * Return: a table for GLib's functions; g_hash_table_unref() it.
 */
GHashTable *id_table_new(GDestroyNotify free_value);

/** id_table_new_64() - The same for keys that are the addresses of a uint64_t, as in the value */
GHashTable *id_table_new_64(GDestroyNotify free_value);

/** id_table_hash() - The hash of a number; another one in each process. Any thread. */
guint id_table_hash(uint64_t id);
