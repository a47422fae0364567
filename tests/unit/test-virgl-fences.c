/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/virgl/fences.c at the end: a thread of the library that is given up on may still call
 * back, and then reaches nobody.
 */
#include "renderer/virgl/renderer_virgl.h"

static gint told;
static gint stop;

static void fence_signalled(void *opaque, const struct renderer_fence *fence)
{
	g_assert_true(opaque == &told);
	g_assert_cmpuint(fence->ctx_id, ==, 3);
	g_assert_cmpuint(fence->seqno, ==, 7);
	g_atomic_int_inc(&told);
}

static const struct renderer_events events = {.fence_signalled = fence_signalled};

static void virgl_init(struct renderer_virgl *virgl)
{
	*virgl = (struct renderer_virgl){.base.events = &events, .base.events_opaque = &told};
	g_mutex_init(&virgl->event_lock);
	g_mutex_init(&virgl->fence_lock);
	g_queue_init(&virgl->pending);
	told = stop = 0;
}

static void test_late_callback(void)
{
	struct renderer_virgl virgl;

	virgl_init(&virgl);
	renderer_virgl_write_context_fence(&virgl, 3, 1, 7);
	g_assert_cmpint(told, ==, 1);
	renderer_virgl_fences_close(&virgl);
	renderer_virgl_write_context_fence(&virgl, 3, 1, 7);
	g_assert_cmpint(told, ==, 1);
}

static gpointer call_back_on_and_on(gpointer data)
{
	while (!g_atomic_int_get(&stop))
		renderer_virgl_write_context_fence(data, 3, 1, 7);
	return NULL;
}

/* No event is on its way any more when it returns. */
static void test_while_calling_back(void)
{
	struct renderer_virgl virgl;
	GThread *thread;
	gint count;

	virgl_init(&virgl);
	thread = g_thread_new("library", call_back_on_and_on, &virgl);
	while (g_atomic_int_get(&told) == 0)
		g_thread_yield();
	renderer_virgl_fences_close(&virgl);
	count = g_atomic_int_get(&told);
	for (int i = 0; i < 1000; i++)
		g_thread_yield();
	g_assert_cmpint(g_atomic_int_get(&told), ==, count);
	g_atomic_int_set(&stop, 1);
	g_thread_join(thread);
	g_assert_cmpint(told, ==, count);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virgl-fences/late-callback", test_late_callback);
	g_test_add_func("/virgl-fences/while-calling-back", test_while_calling_back);
	return g_test_run();
}
