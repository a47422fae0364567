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
	unsigned int fence_looks;
	unsigned int queue_looks;
	unsigned int processed;
	bool is_polled;
	unsigned int answer_at; /* the look that finds a fence; 0: none does */
} seen;

bool gpu_device_retire_fences(struct gpu_device *device)
{
	return ++seen.fence_looks == seen.answer_at;
}

void gpu_device_poll_fences(struct gpu_device *device, bool is_polled)
{
	seen.is_polled = is_polled;
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

#define ADD(name, test) g_test_add("/polling/" name, struct polled, NULL, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("looks", test_looks);
	ADD("finds-a-fence", test_finds_a_fence);
	return g_test_run();
}
