/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * session/polling.c by itself: what it looks at while it polls, and that it comes to an end. The rings
 * and the device stand here, in front of the real ones.
 */
#include "session/internal.h"

#include <string.h>

#define POLL_US 20000

static struct {
	gint64 now_us; /* goes on by 1 at each look at it */
	unsigned int fence_looks;
	unsigned int queue_looks;
	unsigned int processed;
	bool is_polled;
	bool is_waiting;
	unsigned int answer_at; /* the look that finds a fence; 0: none does */
} seen;

/* In front of GLib's. */
gint64 g_get_monotonic_time(void)
{
	return ++seen.now_us;
}

bool gpu_device_retire_fences(struct gpu_device *device)
{
	return ++seen.fence_looks == seen.answer_at;
}

void gpu_device_poll_fences(struct gpu_device *device, bool is_polled)
{
	seen.is_polled = is_polled;
}

bool gpu_device_is_waiting(const struct gpu_device *device)
{
	return seen.is_waiting;
}

bool session_queue_has_work(struct session *session, unsigned int index)
{
	seen.queue_looks++;
	return false;
}

void session_process_queue(struct session *session, unsigned int index)
{
	seen.processed++;
}

struct virtq *vhost_get_queue(struct vhost *vhost, unsigned int index)
{
	return NULL;
}

void virtq_disable_kicks(struct virtq *vq)
{
}

struct polled {
	struct session session;
	struct session_config config;
};

static void set_up(struct polled *p, gconstpointer data)
{
	p->config = (struct session_config){.poll_us = POLL_US};
	p->session = (struct session){.config = &p->config, .context = g_main_context_new()};
	memset(&seen, 0, sizeof(seen));
	session_polling_init(&p->session);
}

static void tear_down(struct polled *p, gconstpointer data)
{
	session_polling_finish(&p->session);
	g_main_context_unref(p->session.context);
}

static bool turn(struct polled *p)
{
	return g_main_context_iteration(p->session.context, FALSE);
}

/* Fences are looked at as often as rings, and so until the time is over. */
static void test_looks(struct polled *p, gconstpointer data)
{
	g_assert_false(turn(p));
	session_polling_extend(&p->session);
	while (session_polling_is_on(&p->session)) {
		g_assert_true(seen.is_polled);
		g_assert_true(turn(p));
	}
	g_assert_false(seen.is_polled);
	g_assert_cmpuint(seen.fence_looks, >, 0);
	g_assert_cmpuint(seen.queue_looks, ==, seen.fence_looks * SESSION_QUEUE_COUNT);
	/* What came in the last moment. */
	g_assert_cmpuint(seen.processed, ==, SESSION_QUEUE_COUNT);
	g_assert_false(turn(p));
}

/* An answer is work, and whoever waited for it may already have more: the turn goes on. */
static void test_finds_a_fence(struct polled *p, gconstpointer data)
{
	session_polling_extend(&p->session);
	seen.answer_at = 1;
	g_assert_true(turn(p));
	g_assert_cmpuint(seen.fence_looks, >, 1);
	g_assert_true(session_polling_is_on(&p->session));
}

/* A piece of work so long after the last one. Return: whether polling is on after it. */
static bool work(struct polled *p, gint64 later_us)
{
	seen.now_us += later_us;
	session_polling_extend(&p->session);
	return session_polling_is_on(&p->session);
}

/* Until it ends. */
static void turn_until_off(struct polled *p)
{
	while (session_polling_is_on(&p->session))
		g_assert_true(turn(p));
}

/* How many pieces of work, close to each other, are not looked for before one is. */
static unsigned int count_skipped(struct polled *p)
{
	unsigned int count = 0;

	work(p, 1000000);
	while (!work(p, 10))
		count++;
	return count;
}

static void test_adapts_to_clocks(struct polled *p, gconstpointer data)
{
	p->config.adapts_polling = true;
	for (int i = 0; i < 100; i++)
		g_assert_false(work(p, 1000));
	g_assert_true(work(p, 50));
	turn_until_off(p);
	g_assert_false(work(p, 1000));
}

/* Work that takes longer than the time between is close all the same. */
static void test_adapts_to_long_work(struct polled *p, gconstpointer data)
{
	p->config.adapts_polling = true;
	g_assert_false(work(p, 1000));
	seen.now_us += 50;
	session_polling_begin_work(&p->session);
	g_assert_true(work(p, 1000));
}

/* What finds nothing is done half as often each time, but never not at all; and the other way round. */
static void test_adapts_to_success(struct polled *p, gconstpointer data)
{
	const unsigned int skipped[] = {0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1023};

	p->config.adapts_polling = true;
	for (unsigned int i = 0; i < G_N_ELEMENTS(skipped); i++) {
		g_assert_cmpuint(count_skipped(p), ==, skipped[i]);
		turn_until_off(p);
	}
	for (unsigned int expected = 1023; expected > 0; expected /= 2) {
		g_assert_cmpuint(count_skipped(p), ==, expected);
		for (int i = 0; i < 20; i++)
			g_assert_true(work(p, 10));
		turn_until_off(p);
	}
	g_assert_cmpuint(count_skipped(p), ==, 0);
}

/* What is slow to be drawn is not looked for, but what the guest does next is. */
static void test_adapts_to_slow_work(struct polled *p, gconstpointer data)
{
	p->config.adapts_polling = true;
	seen.is_waiting = true;
	for (int i = 0; i < 3; i++) {
		count_skipped(p);
		turn_until_off(p);
	}
	/* The first is not close to anything, and then there are 7. */
	for (int i = 0; i < 1 + 7; i++) {
		const gint64 begin_us = seen.now_us;

		seen.is_waiting = true;
		work(p, 10);
		turn_until_off(p);
		g_assert_cmpint(seen.now_us - begin_us, <, POLL_US);
		seen.is_waiting = false;
		g_assert_true(work(p, 10));
	}
	/* When it is its turn again. */
	seen.is_waiting = true;
	g_assert_true(work(p, 10));
	g_assert_true(turn(p));
	g_assert_true(session_polling_is_on(&p->session));
}

#define ADD(name, test) g_test_add("/polling/" name, struct polled, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("looks", test_looks);
	ADD("finds-a-fence", test_finds_a_fence);
	ADD("adapts/clocks", test_adapts_to_clocks);
	ADD("adapts/long-work", test_adapts_to_long_work);
	ADD("adapts/slow-work", test_adapts_to_slow_work);
	ADD("adapts/success", test_adapts_to_success);
	return g_test_run();
}
