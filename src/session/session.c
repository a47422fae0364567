/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * One front-end from accept to hang-up: starts the renderer, then wires the vhost-user socket, the
 * device and the display together and runs the main loop.
 *
 * Order: the sandbox's first stage, the renderer (drivers open their files, helper processes start),
 * the sandbox's second stage, and then the socket is read. One thread; nothing here waits for anybody. This file passes events on and decides
 * nothing about commands, rings or pixels.
 */
#include "session/session.h"

#include "display/displays.h"
#include "session/confine.h"
#include "session/control.h"
#include "session/internal.h"
#include "session/shader_cache.h"
#include "session/watchdog.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/shared_map.h"
#include "util/signals.h"
#include "util/source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* Virtqueues of up to so many entries are accepted. */
#define MAX_QUEUE_SIZE 1024

/* The front-end's display; the headless one stays beneath it. NULL: there is none any more. */
static void set_display(struct session *session, struct display *display)
{
	struct display *old = session->display;

	session->display = display;
	if (old) {
		gpu_device_remove_display(session->device, old);
		old->ops->destroy(old);
		display_leftovers_add(
			&session->leftovers, fd_take(&session->display_fd), session->context);
	}
	if (display)
		gpu_device_add_display(session->device, display);
	session_notify_queues(session);
}

static void display_ready(void *opaque)
{
	struct session *session = opaque;

	log_info("the front-end's display is connected");
	gpu_device_display_ready(session->device, session->display);
}

static void display_outputs_changed(void *opaque)
{
	struct session *session = opaque;

	gpu_device_outputs_changed(session->device);
}

static void display_closed(void *opaque)
{
	struct session *session = opaque;

	log_info("the front-end's display is gone");
	set_display(session, NULL);
	session_process_queue(session, SESSION_QUEUE_CONTROL);
}

static const struct display_events display_events = {
	.ready = display_ready,
	.outputs_changed = display_outputs_changed,
	.closed = display_closed,
};

static void set_features(void *opaque, uint64_t features)
{
	log_debug("the driver accepts features 0x%" G_GINT64_MODIFIER "x", features);
}

static void get_config(void *opaque, uint32_t offset, void *buf, uint32_t len)
{
	struct session *session = opaque;
	uint8_t space[VHOST_MAX_CONFIG_LEN] = {0};
	struct gpu_config config;

	gpu_device_get_config(session->device, &config);
	memcpy(space, &config, sizeof(config));
	memcpy(buf, space + offset, len);
}

static int set_config(void *opaque, uint32_t offset, const void *buf, uint32_t len)
{
	struct session *session = opaque;
	uint8_t space[VHOST_MAX_CONFIG_LEN] = {0};
	const struct gpu_config *config = (const struct gpu_config *)space;

	/* Only events_clear can be written; a driver that writes next to it writes into the void. */
	memcpy(space + offset, buf, len);
	gpu_device_clear_events(session->device, GUINT32_FROM_LE(config->events_clear));
	return 0;
}

static void set_display_socket(void *opaque, int fd)
{
	struct session *session = opaque;
	struct display *display;

	if (session->config->headless) {
		log_info("headless: the front-end's display is not used");
		fd_clear(&fd);
		return;
	}
	/* The one that this one replaces may be left behind, too. */
	set_display(session, NULL);
	if (display_leftovers_are_full(&session->leftovers)) {
		log_peer("a display socket is refused: %u before it were left unread",
			DISPLAY_MAX_LEFTOVERS);
		fd_clear(&fd);
		return;
	}
	session->display_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	display = display_frontend_create(fd, &display_events, session, session->context);
	display->accepts_dmabuf &= session->config->use_dmabuf;
	set_display(session, display);
}

static void memory_changing(void *opaque)
{
	struct session *session = opaque;

	gpu_device_memory_changing(session->device);
}

static void memory_changed(void *opaque)
{
	struct session *session = opaque;

	gpu_device_memory_changed(session->device);
}

/*
 * QEMU before 8.2 does not say when the guest was reset: its driver then simply starts the control
 * queue from the beginning, and makes resources with the same ids again.
 */
static void queue_started(void *opaque, unsigned int index, bool is_new)
{
	struct session *session = opaque;

	/* Its queues run: it has been heard, and the loop need not look at the clock. */
	source_clear(&session->handshake);
	/* Where the other queue runs on, it is only this queue that was reset (RING_RESET). */
	if (index == SESSION_QUEUE_CONTROL && is_new && !session->is_told_of_resets &&
		!virtq_is_started(vhost_get_queue(session->vhost, SESSION_QUEUE_CURSOR)))
		gpu_device_reset(session->device);
}

static void queue_ready(void *opaque, unsigned int index)
{
	session_process_queue(opaque, index);
}

static void queue_stopping(void *opaque, unsigned int index)
{
	struct session *session = opaque;

	gpu_device_cancel(session->device);
	session_notify_queues(session);
}

static void session_reset(void *opaque)
{
	struct session *session = opaque;

	session->is_told_of_resets = true;
	gpu_device_reset(session->device);
}

static void session_closed(void *opaque, int error, const char *reason)
{
	struct session *session = opaque;

	if (error < 0) {
		log_error("the front-end's connection ends: %s (%s)", reason, g_strerror(-error));
		session->exit_status = 1;
	} else {
		log_info("the front-end hung up");
	}
	g_main_loop_quit(session->loop);
}

static const struct vhost_events vhost_events = {
	.set_features = set_features,
	.get_config = get_config,
	.set_config = set_config,
	.set_display_socket = set_display_socket,
	.memory_changing = memory_changing,
	.memory_changed = memory_changed,
	.queue_started = queue_started,
	.queue_ready = queue_ready,
	.queue_stopping = queue_stopping,
	.reset = session_reset,
	.closed = session_closed,
};

static int shmem_map(void *opaque, uint64_t offset, uint64_t len, const struct renderer_blob *blob,
	gpu_shmem_done_fn done, void *done_opaque)
{
	struct session *session = opaque;
	const struct vhost_shmem_range range = {
		.shmid = VIRTIO_GPU_SHM_ID_HOST_VISIBLE,
		.shm_offset = offset,
		.fd_offset = blob->fd_offset,
		.len = len,
		.writable = !blob->is_read_only,
	};

	return vhost_shmem_map(session->vhost, &range, blob->fd, done, done_opaque);
}

static int shmem_unmap(
	void *opaque, uint64_t offset, uint64_t len, gpu_shmem_done_fn done, void *done_opaque)
{
	struct session *session = opaque;
	const struct vhost_shmem_range range = {
		.shmid = VIRTIO_GPU_SHM_ID_HOST_VISIBLE, .shm_offset = offset, .len = len};

	return vhost_shmem_unmap(session->vhost, &range, done, done_opaque);
}

static const struct gpu_shmem_ops shmem_ops = {.map = shmem_map, .unmap = shmem_unmap};

static void session_resumed(void *opaque)
{
	struct session *session = opaque;

	session_notify_queues(session);
	session_polling_extend(session);
	session_process_queue(session, SESSION_QUEUE_CONTROL);
	/* It stands still only while the guest's pages are looked up. */
	if (session_queue_has_work(session, SESSION_QUEUE_CURSOR))
		session_process_queue(session, SESSION_QUEUE_CURSOR);
}

static void config_changed(void *opaque)
{
	struct session *session = opaque;

	vhost_notify_config(session->vhost);
}

static const struct gpu_device_events device_events = {
	.resumed = session_resumed,
	.config_changed = config_changed,
};

static gboolean session_terminated(gint fd, GIOCondition condition, gpointer user_data)
{
	struct session *session = user_data;

	log_info("ended by a signal");
	g_main_loop_quit(session->loop);
	return G_SOURCE_REMOVE;
}

/* What was read since may be zeroes. The ring may be gone, too, so that nobody can be told. */
static gboolean memory_was_cut(gint fd, GIOCondition condition, gpointer user_data)
{
	struct session *session = user_data;

	log_error("the file of %s became shorter while it was in use: the session ends",
		shared_map_get_cut());
	session->exit_status = 1;
	g_main_loop_quit(session->loop);
	return G_SOURCE_REMOVE;
}

/* A front-end that began a message and never ended it would hold a session for ever. */
static gboolean handshake_is_late(gpointer user_data)
{
	struct session *session = user_data;

	source_clear(&session->handshake);
	if (vhost_has_heard(session->vhost))
		return G_SOURCE_REMOVE;
	log_warning("the front-end has sent no message within %u s; it is hung up on "
		    "(--handshake-timeout)",
		session->config->handshake_timeout_s);
	session->exit_status = 1;
	g_main_loop_quit(session->loop);
	return G_SOURCE_REMOVE;
}

static void watch_memory(struct session *session)
{
	int fd = shared_map_guard();

	if (fd < 0)
		log_warning("memory that becomes shorter while it is in use will be a crash: %s",
			g_strerror(-fd));
	else
		session->memory_cut =
			source_add_fd(session->context, fd, G_IO_IN, memory_was_cut, session);
}

/* Wires everything to @fd; nothing is read before the main loop runs. */
static void connect_parts(struct session *session, struct renderer *renderer, int fd)
{
	struct vhost_device description = {
		.queue_count = SESSION_QUEUE_COUNT,
		.max_queue_size = MAX_QUEUE_SIZE,
		.features = gpu_device_get_features(renderer),
		.config_features = UINT64_C(1) << VIRTIO_GPU_F_BLOB_ALIGNMENT,
		.config_len = sizeof(struct gpu_config),
		.has_shmem = session->config->hostmem > 0,
		.shmem_sizes = {[VIRTIO_GPU_SHM_ID_HOST_VISIBLE] = session->config->hostmem},
	};

	session_queues_init(session);
	session->headless = display_headless_create(
		&session->config->outputs, &display_events, session, session->context);
	session->vhost = vhost_create(fd, &description, &vhost_events, session, session->context);
	session->device = gpu_device_create(renderer, vhost_get_memory(session->vhost),
		&session->config->limits, session->context);
	gpu_device_set_events(session->device, &device_events, session);
	session_polling_init(session);
	if (session->config->hostmem > 0)
		gpu_device_set_shmem(
			session->device, &shmem_ops, session, session->config->hostmem);
	if (session->config->handshake_timeout_s > 0)
		session->handshake = source_add_timeout(session->context,
			session->config->handshake_timeout_s * 1000, handshake_is_late, session);
	watch_memory(session);
	gpu_device_set_scanout_count(session->device, session->config->output_count);
	gpu_device_add_display(session->device, session->headless);
}

/* Return: 0, or a negative errno that was logged. */
static int open_control(struct session *session)
{
	g_autofree char *message = NULL;

	session->control = control_create(session->config->control_dir, session->headless,
		session->config->output_count, session->context, &message);
	if (!message)
		return 0;
	log_error("%s", message);
	return -EIO;
}

static void disconnect_parts(struct session *session)
{
	control_destroy(session->control);
	session_polling_finish(session);
	/* What is pending in the device refers to chains of the queues, so the device goes first. */
	gpu_device_destroy(session->device);
	vhost_destroy(session->vhost);
	if (session->display)
		session->display->ops->destroy(session->display);
	session->headless->ops->destroy(session->headless);
	fd_clear(&session->display_fd);
	display_leftovers_finish(&session->leftovers);
	session_queues_finish(session);
	source_clear(&session->handshake);
	source_clear(&session->memory_cut);
}

static struct renderer *start_renderer(struct session *session)
{
	struct renderer_options options = session->config->renderer;
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	options.context = session->context;
	options.sandbox = session->sandbox;
	if (session->config->type->create(&options, &renderer, &message) < 0) {
		log_error("%s does not start: %s%s", session->config->type->name, message,
			sandbox_is_on(session->sandbox)
				? " (does it without the sandbox, --sandbox=off?)"
				: "");
		return NULL;
	}
	if (!session->config->is_probed && renderer->description[0] != '\0')
		log_info("%s: %s", session->config->type->name, renderer->description);
	return renderer;
}

static struct watchdog *start_watchdog(
	const struct session_config *config, int socket_fd, int signal_fd)
{
	const struct watchdog_limits limits = {
		.busy_ms = WATCHDOG_LIMIT_MS,
		.memory_len = config->limits.max[GPU_LIMIT_MEMORY],
		.task_count = config->limits.max[GPU_LIMIT_TASKS],
	};

	return watchdog_start(socket_fd, signal_fd, &limits);
}

/* From the renderer's start to its end. */
static void run_parts(struct session *session, int *socket_fd, int signal_fd)
{
	struct renderer *renderer = start_renderer(session);
	GSource *signal_source;

	session->exit_status = 1;
	if (!renderer)
		return;
	signal_source =
		source_add_fd(session->context, signal_fd, G_IO_IN, session_terminated, session);
	connect_parts(session, renderer, fd_take(socket_fd));
	if (open_control(session) == 0) {
		/* All that has a path has been opened. */
		if (sandbox_close(session->sandbox) == 0) {
			session->exit_status = 0;
			g_main_loop_run(session->loop);
		}
	}
	watchdog_expect_end(session->watchdog);
	disconnect_parts(session);
	source_clear(&signal_source);
}

int session_run(int fd, const struct session_config *config)
{
	const int signals[] = {SIGTERM, SIGINT};
	autofd signal_fd = signals_open(signals, G_N_ELEMENTS(signals));
	autofd socket_fd = fd;
	autofd cache_fd G_GNUC_UNUSED = shader_cache_open(config->shader_cache);
	g_autoptr(GMainContext) context = g_main_context_new();
	g_autoptr(GMainLoop) loop = g_main_loop_new(context, FALSE);
	struct session session = {
		.config = config, .context = context, .loop = loop, .display_fd = -1};
	int ret;

	if (signal_fd < 0) {
		log_error("signalfd: %s", g_strerror(-signal_fd));
		return 1;
	}
	ret = source_epoll_begin(context);
	if (ret < 0) {
		log_error("epoll: %s", g_strerror(-ret));
		return 1;
	}
	/* While there is one thread. */
	session.sandbox = confine_begin(config);
	if (!session.sandbox) {
		source_epoll_end();
		return 1;
	}
	/* A driver may hang when it starts, too. */
	session.watchdog = start_watchdog(config, socket_fd, signal_fd);
	if (session.watchdog) {
		g_main_context_push_thread_default(context);
		run_parts(&session, &socket_fd, signal_fd);
		g_main_context_pop_thread_default(context);
		watchdog_stop(session.watchdog);
	} else {
		session.exit_status = 1;
	}
	sandbox_destroy(session.sandbox);
	source_epoll_end();
	return session.exit_status;
}
