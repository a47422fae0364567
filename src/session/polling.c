/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Polling the rings (--poll-us): for a while after each piece of work the session looks at the rings
 * by itself, and the driver need not kick. A guest that waits for one answer before it sends its next
 * command does not wait for this process to be woken. Fences that have signalled are looked for likewise,
 * so that the answer to work of the renderer's does not wait for that either.
 *
 * It is a source of the main loop that is always ready meanwhile, so that everything else has its turn
 * as before; at each of its own it looks for SLICE_US at most. When nothing came for the time that the
 * user gave, kicks are asked for again and the source is not ready any more: the process sleeps.
 */
#include "session/internal.h"
#include "util/source.h"

#include <sched.h>

/* How long others may have to wait. Much longer than a round of the main loop, which is 1 or 2. */
#define SLICE_US 10

/* Looks for each look at the clock. */
#define LOOKS 16

struct polling_source {
	GSource base;
	struct session *session;
};

static struct session *session_of(GSource *source)
{
	return ((struct polling_source *)source)->session;
}

bool session_polling_is_on(const struct session *session)
{
	return session->polling.is_on;
}

void session_polling_extend(struct session *session)
{
	struct session_polling *polling = &session->polling;

	if (!polling->source)
		return;
	polling->until_us = g_get_monotonic_time() + session->config->poll_us;
	if (polling->is_on)
		return;
	polling->is_on = true;
	source_ask_all();
	gpu_device_poll_fences(session->device, true);
	for (unsigned int i = 0; i < SESSION_QUEUE_COUNT; i++)
		virtq_disable_kicks(vhost_get_queue(session->vhost, i));
}

static void polling_end(struct session *session)
{
	session->polling.is_on = false;
	gpu_device_poll_fences(session->device, false);
	/* What came in the last moment has not been kicked for. */
	for (unsigned int i = 0; i < SESSION_QUEUE_COUNT; i++)
		session_process_queue(session, i);
}

/* Return: whether there was any work. */
static bool look_once(struct session *session)
{
	bool any = gpu_device_retire_fences(session->device);

	for (unsigned int i = 0; i < SESSION_QUEUE_COUNT; i++) {
		if (!session_queue_has_work(session, i))
			continue;
		session_process_queue(session, i);
		any = true;
	}
	return any;
}

static inline void relax_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

static gboolean polling_prepare(GSource *source, gint *timeout_ms)
{
	const bool is_on = session_of(source)->polling.is_on;

	*timeout_ms = is_on ? 0 : -1;
	return is_on;
}

static gboolean polling_check(GSource *source)
{
	return session_of(source)->polling.is_on;
}

static gboolean polling_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
	struct session *session = session_of(source);
	const gint64 start_us = g_get_monotonic_time();
	gint64 now_us;

	do {
		for (int i = 0; i < LOOKS && !look_once(session); i++)
			relax_cpu();
		now_us = g_get_monotonic_time();
	} while (now_us < session->polling.until_us && now_us - start_us < SLICE_US);
	if (now_us >= session->polling.until_us)
		polling_end(session);
	else
		/* Whom the last notification woke may be waiting for this very CPU. */
		sched_yield();
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs polling_funcs = {
	.prepare = polling_prepare,
	.check = polling_check,
	.dispatch = polling_dispatch,
};

void session_polling_init(struct session *session)
{
	if (session->config->poll_us == 0)
		return;
	session->polling.source = g_source_new(&polling_funcs, sizeof(struct polling_source));
	((struct polling_source *)session->polling.source)->session = session;
	g_source_attach(session->polling.source, session->context);
}

void session_polling_finish(struct session *session)
{
	session->polling.is_on = false;
	source_clear(&session->polling.source);
}
