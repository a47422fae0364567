/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A turn of the main loop, as a budget of time and bytes. Whoever copies, reads or draws for a guest
 * does so in parts, charges each one, and stops when the turn is over; the rest waits for the next
 * turn. So nothing that is ready in the main loop, the front-end's messages above all, waits for
 * longer than a turn and the part in progress.
 *
 * All work of one round of the main loop shares one turn. Each piece of work does at least one part
 * in a round, so that everything makes progress. The main loop's thread only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** How long a turn lasts, microseconds, and how many bytes it may move. */
#define TURN_US	 2000
#define TURN_LEN (UINT64_C(64) << 20)

/** A part that is done without a look at the clock: about a fifth of a turn where memory is slow; bytes. */
#define TURN_PART_LEN (UINT64_C(1) << 20)

/**
 * struct turn - The budget; zero at first
 * @round: of the main loop (source_round()) that it belongs to
 * @end_us: when it is over, monotonic clock
 * @left_len: bytes that it may still move
 * @unlooked: cheap pieces of work since the last look at the clock
 * @is_over: remembered until the next round
 * @now_us: the clock, for tests; NULL: the monotonic clock
 */
struct turn {
	uint64_t round;
	gint64 end_us;
	uint64_t left_len;
	unsigned int unlooked;
	bool is_over;
	gint64 (*now_us)(void);
};

/** turn_begin() - Work begins; a new budget where this is the first work of a round. */
void turn_begin(struct turn *turn);

/** turn_charge() - @len bytes were moved, or a piece of work was done that may have taken long (0). */
void turn_charge(struct turn *turn, uint64_t len);

/**
 * turn_is_over() - Is the rest to wait for the next round?
 *
 * Looks at the clock after each turn_charge(), and once in a while without. @turn may be NULL, as for
 * a renderer without a device: such a turn never ends.
 */
bool turn_is_over(struct turn *turn);
