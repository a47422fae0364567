/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The budget of a turn (see turn.h). The clock is looked at when work was charged; cheap commands are
 * a fraction of a microsecond each, so a look once in CHEAP_COUNT of them is enough.
 */
#include "util/turn.h"

#include "util/source.h"

#define CHEAP_COUNT 32

static gint64 turn_now_us(const struct turn *turn)
{
	return turn->now_us ? turn->now_us() : g_get_monotonic_time();
}

void turn_begin(struct turn *turn)
{
	const uint64_t round = source_round();

	if (turn->round == round)
		return;
	*turn = (struct turn){
		.round = round,
		.end_us = turn_now_us(turn) + TURN_US,
		.left_len = TURN_LEN,
		.now_us = turn->now_us,
	};
}

void turn_charge(struct turn *turn, uint64_t len)
{
	if (!turn)
		return;
	turn->left_len -= MIN(len, turn->left_len);
	turn->unlooked = CHEAP_COUNT;
}

bool turn_is_over(struct turn *turn)
{
	if (!turn)
		return false;
	if (turn->is_over || ++turn->unlooked < CHEAP_COUNT)
		return turn->is_over;
	turn->unlooked = 0;
	turn->is_over = turn->left_len == 0 || turn_now_us(turn) >= turn->end_us;
	return turn->is_over;
}
