/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Sources of a main loop: made, attached, and let go of. And the waiting of a loop that has many
 * descriptors and short events.
 *
 * Theory of operation of the latter. GLib waits by watch_wait(). All descriptors are in an epoll
 * instance, but GLib sees its own, by which threads wake it, and one source that is ready when any
 * of the others is. What epoll reports is noted first and called later, so that a callback
 * may add and clear whatever it likes. Eventfds are called from inside watch_wait(), which then
 * goes on waiting: a round through GLib takes longer than a short command. It returns where a callback
 * gave GLib something to do.
 */
#include "util/source.h"

#include "util/log.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

/* Events taken in one go; what does not fit comes next time. */
#define MAX_EVENTS 16

/* epoll's names of conditions are poll's, which are GLib's. */
G_STATIC_ASSERT((int)EPOLLIN == (int)G_IO_IN && (int)EPOLLOUT == (int)G_IO_OUT);
G_STATIC_ASSERT((int)EPOLLERR == (int)G_IO_ERR && (int)EPOLLHUP == (int)G_IO_HUP);

/*
 * A descriptor that is watched; several may be about the same. EPOLLET in @events: it is an eventfd,
 * and with @event_function one of our own. It is a source so that all can be cleared in the same way,
 * but is not attached.
 */
struct descriptor {
	GSource base;
	LIST_ENTRY(descriptor) link;
	int fd; /* -1: no more */
	uint32_t events;
	uint32_t ready;
	GUnixFDSourceFunc function;
	void *opaque;
	GSourceFunc event_function;
	void *event_opaque;
};

/* A thread's loop that waits by epoll; @context is NULL where it has none. */
static _Thread_local struct watch {
	GMainContext *context;
	GSource *source;
	int epoll_fd;
	int wake_fd; /* GLib's own */
	bool has_news;
	uint64_t round;
	LIST_HEAD(, descriptor) descriptors;
} watch;

/* What all that are about @fd wait for. */
static uint32_t get_watched(int fd)
{
	struct descriptor *descriptor;
	uint32_t events = 0;

	LIST_FOREACH(descriptor, &watch.descriptors, link)
	{
		if (descriptor->fd == fd)
			events |= descriptor->events;
	}
	return events;
}

/* After a change of what is wanted of @fd. @before: get_watched(). Return: 0 or a negative errno. */
static int watch_update(int fd, uint32_t before)
{
	struct epoll_event event = {.data.fd = fd, .events = get_watched(fd)};
	int what = before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (event.events == before)
		return 0;
	return epoll_ctl(watch.epoll_fd, event.events ? what : EPOLL_CTL_DEL, fd, &event) < 0
		       ? -errno
		       : 0;
}

static void descriptor_forget(struct descriptor *descriptor)
{
	uint32_t before;

	if (descriptor->fd < 0)
		return;
	before = get_watched(descriptor->fd);
	LIST_REMOVE(descriptor, link);
	/* Closing does not end it where somebody else has the file open. */
	watch_update(descriptor->fd, before);
	if (descriptor->event_function)
		close(descriptor->fd);
	descriptor->fd = -1;
}

/* It is called by call_ready(), not by GLib. */
static GSourceFuncs descriptor_funcs;

static GSource *watch_add(int fd, uint32_t events, GUnixFDSourceFunc function, void *opaque)
{
	GSource *source = g_source_new(&descriptor_funcs, sizeof(struct descriptor));
	struct descriptor *descriptor = (struct descriptor *)source;
	const uint32_t before = get_watched(fd);
	int ret;

	descriptor->fd = fd;
	descriptor->events = events;
	descriptor->function = function;
	descriptor->opaque = opaque;
	LIST_INSERT_HEAD(&watch.descriptors, descriptor, link);
	ret = watch_update(fd, before);
	if (ret < 0) {
		/* What cannot be waited for is ready: who reads it finds that it is a file (EPERM). */
		descriptor->ready = events;
		g_source_set_ready_time(watch.source, 0);
		source_ask_all();
	}
	if (ret < 0 && ret != -EPERM)
		log_peer("a descriptor cannot be watched: %s", g_strerror(-ret));
	return source;
}

/* Notes what is ready. Return: is there anything that GLib calls? */
static bool watch_note(const struct epoll_event *events, int count, GPollFD *wake)
{
	struct descriptor *descriptor;
	bool any = false;

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == wake->fd) {
			wake->revents = G_IO_IN;
			any = true;
		}
		LIST_FOREACH(descriptor, &watch.descriptors, link)
		{
			if (descriptor->fd != events[i].data.fd || !descriptor->events)
				continue;
			descriptor->ready =
				events[i].events & (descriptor->events | EPOLLERR | EPOLLHUP);
			any |= descriptor->ready && !(descriptor->events & EPOLLET);
		}
	}
	return any;
}

/* One that is ready: any, or of the eventfds. */
static struct descriptor *find_ready(uint32_t flag)
{
	struct descriptor *descriptor;

	LIST_FOREACH(descriptor, &watch.descriptors, link)
	{
		if (descriptor->ready && (descriptor->events & flag) == flag)
			break;
	}
	return descriptor;
}

static void call_ready(uint32_t flag)
{
	struct descriptor *descriptor;

	/* From the start each time: a call may clear any of them. */
	while ((descriptor = find_ready(flag))) {
		const GIOCondition condition = (GIOCondition)descriptor->ready;

		descriptor->ready = 0;
		g_source_ref(&descriptor->base);
		if (!descriptor->function(descriptor->fd, condition, descriptor->opaque))
			descriptor_forget(descriptor);
		g_source_unref(&descriptor->base);
	}
}

/* GLib's own descriptor is the context's, and shown to us here only. */
static void watch_wake_fd(const GPollFD *wake)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = wake->fd};

	if (watch.wake_fd == wake->fd)
		return;
	watch.wake_fd = wake->fd;
	epoll_ctl(watch.epoll_fd, EPOLL_CTL_ADD, wake->fd, &event);
}

static gint watch_wait(GPollFD *fds, guint count, gint timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	bool is_for_glib;
	int found;

	/* All others come through source_add_fd(), and no source has another priority than this one. */
	g_assert(count == 1);
	watch_wake_fd(fds);
	do {
		watch.has_news = false;
		watch.round++;
		found = epoll_wait(watch.epoll_fd, events, MAX_EVENTS, timeout_ms);
		is_for_glib = watch_note(events, found, fds);
		call_ready(EPOLLET);
	} while (timeout_ms < 0 && found > 0 && !is_for_glib && !watch.has_news);
	return fds->revents ? 1 : 0;
}

static gboolean watch_check(GSource *source)
{
	return find_ready(0) != NULL;
}

static gboolean watch_dispatch(GSource *source, GSourceFunc function, gpointer opaque)
{
	g_source_set_ready_time(source, -1);
	call_ready(0);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = {.check = watch_check, .dispatch = watch_dispatch};

static GSource *source_attach(
	GMainContext *context, GSource *source, GSourceFunc function, void *opaque)
{
	g_source_set_priority(source, G_PRIORITY_DEFAULT);
	g_source_set_callback(source, function, opaque, NULL);
	/*
	 * GLib takes other sources' descriptors out of the loop while they run, and wakes the loop when it
	 * puts them back: three system calls for each event. No callback of ours runs the loop.
	 */
	g_source_set_can_recurse(source, TRUE);
	g_source_attach(source, context);
	source_ask_all();
	return source;
}

uint64_t source_round(void)
{
	if (!watch.context)
		watch.round++;
	return watch.round;
}

int source_epoll_begin(GMainContext *context)
{
	const int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	watch = (struct watch){
		.context = context, .epoll_fd = fd, .wake_fd = -1, .round = watch.round + 1};
	watch.source =
		source_attach(context, g_source_new(&watch_funcs, sizeof(GSource)), NULL, NULL);
	g_main_context_set_poll_func(context, watch_wait);
	return 0;
}

void source_epoll_end(void)
{
	if (!watch.context)
		return;
	g_main_context_set_poll_func(watch.context, NULL);
	source_clear(&watch.source);
	close(watch.epoll_fd);
	watch.context = NULL;
}

/* A descriptor where GLib waits by poll(). GLib's own source of that kind does not let its condition change. */
struct plain {
	GSource base;
	gpointer tag;
	int fd;
};

static gboolean plain_dispatch(GSource *source, GSourceFunc function, gpointer opaque)
{
	const struct plain *plain = (struct plain *)source;
	const GUnixFDSourceFunc call = (GUnixFDSourceFunc)(void (*)(void))function;

	/* Another one's call may have stopped it since it was found ready. */
	if (!plain->tag)
		return G_SOURCE_CONTINUE;
	return call(plain->fd, g_source_query_unix_fd(source, plain->tag), opaque);
}

static GSourceFuncs plain_funcs = {.dispatch = plain_dispatch};

static GSource *add_plain(GMainContext *context, int fd, GIOCondition condition,
	GUnixFDSourceFunc function, void *opaque)
{
	GSource *source = g_source_new(&plain_funcs, sizeof(struct plain));
	struct plain *plain = (struct plain *)source;

	plain->fd = fd;
	plain->tag = g_source_add_unix_fd(source, fd, condition);
	return source_attach(context, source, G_SOURCE_FUNC(function), opaque);
}

GSource *source_add_fd(GMainContext *context, int fd, GIOCondition condition,
	GUnixFDSourceFunc function, void *opaque)
{
	if (context && context == watch.context)
		return watch_add(fd, condition, function, opaque);
	return add_plain(context, fd, condition, function, opaque);
}

void source_set_condition(GSource *source, GIOCondition condition)
{
	struct descriptor *descriptor = (struct descriptor *)source;
	struct plain *plain = (struct plain *)source;
	uint32_t before;

	if (source->source_funcs == &plain_funcs) {
		/* poll() reports a hang-up to whoever waits for nothing. */
		if (plain->tag)
			g_source_remove_unix_fd(source, plain->tag);
		plain->tag = condition ? g_source_add_unix_fd(source, plain->fd, condition) : NULL;
		return;
	}
	if (descriptor->fd < 0)
		return;
	before = get_watched(descriptor->fd);
	descriptor->events = condition;
	descriptor->ready &= condition;
	watch_update(descriptor->fd, before);
}

GSource *source_add_eventfd(GMainContext *context, int fd, GUnixFDSourceFunc function, void *opaque)
{
	g_assert(context && context == watch.context);
	return watch_add(fd, EPOLLIN | EPOLLET, function, opaque);
}

static gboolean call_event(gint fd, GIOCondition condition, gpointer opaque)
{
	const struct descriptor *descriptor = opaque;

	return descriptor->event_function(descriptor->event_opaque);
}

static gboolean event_dispatch(GSource *source, GSourceFunc function, gpointer opaque)
{
	g_source_set_ready_time(source, -1);
	return function(opaque);
}

static GSourceFuncs event_funcs = {.dispatch = event_dispatch};

GSource *source_add_event(GMainContext *context, GSourceFunc function, void *opaque)
{
	const bool has_epoll = context && context == watch.context;
	const int fd = has_epoll ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	struct descriptor *descriptor;

	/* GLib's way takes two writes, two reads and two rounds for each. */
	if (fd < 0)
		return source_attach(
			context, g_source_new(&event_funcs, sizeof(GSource)), function, opaque);
	descriptor = (struct descriptor *)watch_add(fd, EPOLLIN | EPOLLET, call_event, NULL);
	descriptor->opaque = descriptor;
	descriptor->event_function = function;
	descriptor->event_opaque = opaque;
	return &descriptor->base;
}

void source_signal(GSource *source)
{
	if (source->source_funcs == &descriptor_funcs)
		eventfd_write(((struct descriptor *)source)->fd, 1);
	else
		g_source_set_ready_time(source, 0);
}

GSource *source_add_idle(GMainContext *context, GSourceFunc function, void *opaque)
{
	return source_attach(context, g_idle_source_new(), function, opaque);
}

GSource *source_add_timeout(
	GMainContext *context, unsigned int interval_ms, GSourceFunc function, void *opaque)
{
	return source_attach(context, g_timeout_source_new(interval_ms), function, opaque);
}

void source_ask_all(void)
{
	watch.has_news = true;
}

void source_clear(GSource **source)
{
	if (!*source)
		return;
	if ((*source)->source_funcs == &descriptor_funcs)
		descriptor_forget((struct descriptor *)*source);
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}
