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
 *
 * Where the user gave none it is done while it pays, as sleeping and being woken may take longer, and more
 * of the CPU, than looking. It begins when two pieces of work were close, so never for a guest that draws
 * on a clock. It ends in vain each time; where it found too little before, as with a driver that waits
 * for the very CPU that we look on, it is not begun the next time, the next 3 times, 7 and so on. What is
 * to be found while the renderer or a display is busy with something, and while not, are two matters.
 */
#include "session/internal.h"
#include "util/source.h"

#include <sched.h>

/* How long others may have to wait. Much longer than a round of the main loop, which is 1 or 2. */
#define SLICE_US 10

/* Two pieces of work are close. Between them the driver is woken, and we: on CPUs that sleep 15 to 25 each. */
#define CLOSE_US 100

/* What is looked for in vain at the end costs so many wake-ups on a CPU that does not sleep. */
#define WORTH_FINDS 20

/* The most often that it is not begun: 50 us for 1024 commands are below what can be measured. */
#define MAX_PENALTY 1023

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

/* Is it worth while to look for the next work, by what was found so far? */
static bool trial_begin(struct session *session)
{
	struct session_polling *polling = &session->polling;
	struct session_polling_trial *trial =
		&polling->trials[gpu_device_is_waiting(session->device)];

	polling->trial = trial->skip == 0 ? trial : NULL;
	if (trial->skip > 0)
		trial->skip--;
	return polling->trial;
}

static void trial_end(struct session_polling_trial *trial)
{
	trial->penalty = trial->found >= WORTH_FINDS ? trial->penalty / 2
						     : MIN(2 * trial->penalty + 1, MAX_PENALTY);
	trial->skip = trial->penalty;
	trial->found = 0;
}

/* There was work, and nobody polls. */
static bool should_begin(struct session *session, gint64 now_us)
{
	struct session_polling *polling = &session->polling;
	const gint64 began_us = polling->began_us ? polling->began_us : now_us;
	const bool is_close = began_us - polling->worked_us <= CLOSE_US;

	polling->began_us = 0;
	polling->worked_us = now_us;
	return !session->config->adapts_polling || (is_close && trial_begin(session));
}

/* Work was found. Return: until when to look for more, of the monotonic clock. */
static gint64 look_on(struct session *session, gint64 now_us)
{
	struct session_polling *polling = &session->polling;

	if (polling->trial)
		polling->trial->found++;
	polling->worked_us = now_us;
	if (session->config->adapts_polling && !trial_begin(session))
		return now_us;
	return now_us + session->config->poll_us;
}

void session_polling_begin_work(struct session *session)
{
	if (session->config->adapts_polling && !session->polling.is_on)
		session->polling.began_us = g_get_monotonic_time();
}

void session_polling_extend(struct session *session)
{
	struct session_polling *polling = &session->polling;
	const gint64 now_us = polling->source ? g_get_monotonic_time() : 0;

	if (!polling->source)
		return;
	if (polling->is_on) {
		polling->until_us = look_on(session, now_us);
		return;
	}
	if (!should_begin(session, now_us))
		return;
	polling->until_us = now_us + session->config->poll_us;
	polling->is_on = true;
	source_ask_all();
	gpu_device_poll_fences(session->device, true);
	for (unsigned int i = 0; i < SESSION_QUEUE_COUNT; i++)
		virtq_disable_kicks(vhost_get_queue(session->vhost, i));
}

static void polling_end(struct session *session)
{
	struct session_polling *polling = &session->polling;

	polling->is_on = false;
	if (polling->trial)
		trial_end(polling->trial);
	polling->trial = NULL;
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
	else if (!session->config->adapts_polling)
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
