/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Waiting (see wait.h for the interface).
 *
 * Theory of operation. A handler that cannot finish its command begins the wait that is embedded in
 * it, adds each thing that is under way, and returns what gpu_wait_go() says. Whoever brings one of
 * these things (a timeline, a display, the front-end's answer to a map) holds the wait's address and
 * says gpu_wait_arrived(). With the last one done() is called, which decides about the command or
 * begins the next stage.
 *
 * A wait that is cancelled is forgotten by all who held its address before its command is answered
 * and freed: by the displays (their cancel hook), by its timeline, and by the mapping table in
 * the wait's own cancel(). So an answer that comes late finds nobody, and never another command.
 *
 * At most one command holds the control queue at a time, since the queue stands still behind it;
 * the waits of displays that are shown a picture again may hold it besides. Commands that wait for
 * their fence hold nothing.
 */
#include "gpu/wait.h"

#include "gpu/command.h"
#include "gpu/fence.h"
#include "gpu/output.h"
#include "gpu/resource.h"
#include "gpu/state.h"
#include "util/source.h"

/* It waits no more. */
static void wait_end(struct gpu_wait *wait)
{
	struct gpu_waits *waits = &wait->device->waits;

	g_queue_unlink(&waits->all, &wait->link);
	if (wait->ops->holds_queue)
		waits->holding--;
	wait->ops = NULL;
	g_clear_pointer(&wait->resource, gpu_resource_unref);
}

void gpu_wait_begin(struct gpu_wait *wait, const struct gpu_wait_ops *ops,
	struct gpu_tracked_resource *resource)
{
	struct gpu_waits *waits = &wait->device->waits;

	wait->ops = ops;
	wait->resource = resource ? gpu_resource_ref(resource) : NULL;
	wait->count = 1;
	wait->error = 0;
	wait->is_fenced = false;
	wait->link = (GList){.data = wait};
	g_queue_push_tail_link(&waits->all, &wait->link);
	if (ops->holds_queue)
		waits->holding++;
}

void gpu_wait_add(struct gpu_wait *wait)
{
	wait->count++;
}

static gboolean turn_came(gpointer user_data)
{
	struct gpu_wait *wait = user_data;

	g_clear_pointer(&wait->turn, g_source_unref);
	gpu_wait_arrived_last(wait, 0);
	return G_SOURCE_REMOVE;
}

void gpu_wait_add_turn(struct gpu_wait *wait)
{
	wait->turn = source_add_idle(wait->device->context, turn_came, wait);
	gpu_wait_add(wait);
}

void gpu_wait_fail(struct gpu_wait *wait, int error)
{
	if (wait->error == 0)
		wait->error = error;
}

/* The last thing came. Return: as done(). */
static enum gpu_verdict wait_done(struct gpu_wait *wait)
{
	const struct gpu_wait_ops *ops = wait->ops;
	/* done() may look at it, and the end of the wait may free it. */
	struct gpu_tracked_resource *resource =
		wait->resource ? gpu_resource_ref(wait->resource) : NULL;
	enum gpu_verdict verdict;

	wait_end(wait);
	wait->resource = resource;
	verdict = ops->done(wait);
	/* The next stage has a reference of its own. */
	if (!wait->ops)
		wait->resource = NULL;
	if (resource)
		gpu_resource_unref(resource);
	return verdict;
}

enum gpu_verdict gpu_wait_go(struct gpu_wait *wait)
{
	return --wait->count > 0 ? GPU_WAITS : wait_done(wait);
}

void gpu_wait_abandon(struct gpu_wait *wait)
{
	wait_end(wait);
}

void gpu_wait_arrived(struct gpu_wait *wait, int error)
{
	struct gpu_command *command = wait->command;
	enum gpu_verdict verdict;

	if (error < 0)
		gpu_wait_fail(wait, error);
	if (--wait->count > 0)
		return;
	verdict = wait_done(wait);
	if (verdict != GPU_WAITS && command)
		gpu_command_finish(command, verdict);
}

void gpu_wait_arrived_last(void *opaque, int error)
{
	struct gpu_wait *wait = opaque;
	struct gpu_device *device = wait->device;

	gpu_wait_arrived(wait, error);
	gpu_waits_resume(device);
}

void gpu_waits_resume(struct gpu_device *device)
{
	if (device->events)
		device->events->resumed(device->events_opaque);
}

/* It is on no timeline: who waits for one has nothing under way that such a reason ends. */
void gpu_wait_retry(struct gpu_wait *wait)
{
	source_clear(&wait->turn);
	wait->count = 0;
	wait->error = 0;
	gpu_wait_add_turn(wait);
}

void gpu_wait_cancel(struct gpu_wait *wait, enum gpu_wait_reason reason)
{
	struct gpu_command *command = wait->command;
	/* One that has ended is in no list. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	enum gpu_verdict verdict = wait->ops->cancel(wait, reason);

	if (verdict == GPU_WAITS)
		return;
	gpu_outputs_forget_wait(wait->device, wait);
	gpu_fences_forget(wait->device->fences, wait);
	source_clear(&wait->turn);
	wait_end(wait);
	if (command)
		gpu_command_finish(command, verdict);
}

void gpu_waits_cancel(struct gpu_device *device, enum gpu_wait_reason reason)
{
	GQueue *all = &device->waits.all;
	GList *next;

	/* A command that is finished early begins to wait for its fence; that ends too. */
	while (reason == GPU_WAIT_STOPPED && all->head)
		gpu_wait_cancel(all->head->data, reason);
	for (GList *link = all->head; link; link = next) {
		next = link->next;
		gpu_wait_cancel(link->data, reason);
	}
}
