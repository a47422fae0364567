/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The display of a front-end that has a vhost-user-gpu socket (QEMU's vhost-user-gpu document).
 * It owns the connection and knows what each scanout shows; it may not touch queues, resources or
 * guest memory.
 *
 * QEMU's rules are kept here: a size is sent when it changes and not at each page flip, since the
 * message starts an empty picture; and no UPDATE goes to a scanout without a surface, which QEMU does
 * not survive.
 * A scanout that was a dma-buf is released (DMABUF_SCANOUT without a descriptor) before it shows
 * pixels again.
 *
 * The end: whichever side fails, @gone is set, from then on everything is dropped, and an idle
 * source completes what is pending and calls closed(). No call upward comes from inside a hook.
 * Done functions and events may destroy the display: every dispatch holds a reference.
 */
#include "display/displays.h"
#include "display/replies.h"
#include "display/socket.h"
#include "display/wire.h"
#include "util/edid.h"
#include "util/log.h"
#include "util/source.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <string.h>

/*
 * A larger UPDATE goes as several, of whole lines. QEMU allocates each message, and glibc's malloc() never
 * keeps memory of more than 32 MiB (DEFAULT_MMAP_THRESHOLD_MAX): it is mapped, page by page, and unmapped
 * for each frame. The page less is for what malloc() adds.
 */
#define MAX_UPDATE_LEN ((32u << 20) - 4096)

/* Of one of them, about: it may still be in a nearer cache when QEMU, that has read it, draws it. */
#define BAND_LEN (1u << 20)

enum scanout_mode { SCANOUT_OFF, SCANOUT_PIXELS, SCANOUT_DMABUF };

struct scanout {
	enum scanout_mode mode;
	uint32_t width;
	uint32_t height;
	bool maybe_dmabuf; /* the other side may still hold one: its release is not known sent */
};

struct frontend {
	struct display base;
	unsigned int refs;
	bool gone;
	bool destroyed;
	bool closed_told;
	uint64_t features;
	struct scanout scanouts[DISPLAY_MAX_OUTPUTS];
	struct display_socket socket;
	struct display_replies replies;
	GSource *read_source;
	GSource *hangup_source; /* while it is attached */
	GMainContext *context;
	const struct display_events *events;
	void *opaque;
};

static void frontend_unref(struct frontend *frontend)
{
	if (--frontend->refs == 0)
		g_free(frontend);
}

static struct display_header make_header(enum display_request request, size_t message_len)
{
	return (struct display_header){
		.request = request,
		.size = (uint32_t)(message_len - sizeof(struct display_header)),
	};
}

/* Hang-up */

static void handle_reply(void *opaque, const struct display_awaited *awaited, int error,
	const void *payload, size_t payload_len);

static gboolean dispatch_hangup(gpointer user_data)
{
	struct frontend *frontend = user_data;

	frontend->refs++;
	g_clear_pointer(&frontend->hangup_source, g_source_unref);
	source_clear(&frontend->read_source);
	display_socket_fail(&frontend->socket, -ECONNRESET);
	display_replies_fail(&frontend->replies, -ECONNRESET, handle_reply, frontend);
	if (!frontend->destroyed && !frontend->closed_told) {
		frontend->closed_told = true;
		frontend->events->closed(frontend->opaque);
	}
	frontend_unref(frontend);
	return G_SOURCE_REMOVE;
}

static void schedule_hangup(struct frontend *frontend)
{
	frontend->gone = true;
	if (frontend->hangup_source)
		return;
	frontend->hangup_source = source_add_idle(frontend->context, dispatch_hangup, frontend);
}

static void socket_broken(void *opaque)
{
	schedule_hangup(opaque);
}

static void socket_writable(void *opaque)
{
	struct frontend *frontend = opaque;

	frontend->refs++;
	display_socket_flush(&frontend->socket);
	frontend_unref(frontend);
}

static const struct display_socket_events socket_events = {
	.writable = socket_writable,
	.broken = socket_broken,
};

/* Sending */

static int send_message(struct frontend *frontend, enum display_message_kind kind,
	uint32_t scanout_id, const void *message, size_t message_len)
{
	const struct display_message out = {
		.kind = kind,
		.scanout_id = scanout_id,
		.head = message,
		.head_len = message_len,
		.fd = -1,
	};

	return display_socket_send(&frontend->socket, &out);
}

/* Sends a request whose answer goes to @awaited. */
static int send_request(struct frontend *frontend, const struct display_awaited *awaited,
	const void *message, size_t message_len)
{
	const struct display_message out = {
		.kind = DISPLAY_MESSAGE_REQUEST,
		.head = message,
		.head_len = message_len,
		.fd = -1,
		.opaque = awaited->opaque,
	};
	int ret = display_replies_expect(&frontend->replies, awaited);

	if (ret < 0)
		return ret;
	if (frontend->gone)
		schedule_hangup(frontend);
	else
		display_socket_send(&frontend->socket, &out);
	return DISPLAY_PENDING;
}

static int frontend_get_outputs(struct display *display, display_outputs_fn done, void *opaque)
{
	const struct display_header message =
		make_header(DISPLAY_GET_DISPLAY_INFO, sizeof(message));
	const struct display_awaited awaited = {
		.request = DISPLAY_GET_DISPLAY_INFO,
		.outputs_done = done,
		.opaque = opaque,
	};

	return send_request((struct frontend *)display, &awaited, &message, sizeof(message));
}

/* A front-end that has no EDID is asked for the display info, from which one is made. */
static int frontend_get_edid(
	struct display *display, uint32_t scanout_id, display_edid_fn done, void *opaque)
{
	struct frontend *frontend = (struct frontend *)display;
	bool has_edid = frontend->features & DISPLAY_FEATURE_EDID;
	const struct display_awaited awaited = {
		.request = has_edid ? DISPLAY_GET_EDID : DISPLAY_GET_DISPLAY_INFO,
		.scanout_id = scanout_id,
		.edid_done = done,
		.opaque = opaque,
	};
	const struct display_wire_edid_request message = {
		.header = make_header(awaited.request,
			has_edid ? sizeof(message) : sizeof(struct display_header)),
		.scanout_id = scanout_id,
	};

	if (scanout_id >= DISPLAY_MAX_OUTPUTS)
		return -EINVAL;
	return send_request(
		frontend, &awaited, &message, sizeof(struct display_header) + message.header.size);
}

/*
 * Releases the dma-buf of a scanout, as the protocol wants: no descriptor, no size.
 * Return: as display_socket_send().
 */
static int release_dmabuf(struct frontend *frontend, uint32_t scanout_id)
{
	const size_t len = offsetof(struct display_wire_dmabuf, modifier);
	const struct display_wire_dmabuf message = {
		.header = make_header(DISPLAY_DMABUF_SCANOUT, len),
		.scanout_id = scanout_id,
	};

	return send_message(frontend, DISPLAY_MESSAGE_SCANOUT, scanout_id, &message, len);
}

static void frontend_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height)
{
	struct frontend *frontend = (struct frontend *)display;
	const struct display_wire_scanout message = {
		.header = make_header(DISPLAY_SCANOUT, sizeof(message)),
		.scanout_id = scanout_id,
		.width = width,
		.height = height,
	};
	struct scanout *scanout = &frontend->scanouts[scanout_id % DISPLAY_MAX_OUTPUTS];

	if (frontend->gone || scanout_id >= DISPLAY_MAX_OUTPUTS)
		return;
	/*
	 * The front-end starts a new, empty picture at each such message, and a guest that flips
	 * between buffers with damage clips flushes only what differs from the picture before.
	 */
	if (scanout->mode == SCANOUT_PIXELS && scanout->width == width && scanout->height == height)
		return;
	display_socket_drop(&frontend->socket, DISPLAY_MESSAGE_SCANOUT, scanout_id);
	if (scanout->maybe_dmabuf)
		scanout->maybe_dmabuf = release_dmabuf(frontend, scanout_id) != 0;
	scanout->mode = width > 0 && height > 0 ? SCANOUT_PIXELS : SCANOUT_OFF;
	scanout->width = width;
	scanout->height = height;
	send_message(frontend, DISPLAY_MESSAGE_SCANOUT, scanout_id, &message, sizeof(message));
}

static int check_rect(struct frontend *frontend, enum scanout_mode mode, uint32_t scanout_id,
	const struct gpu_rect *rect)
{
	struct scanout *scanout = &frontend->scanouts[scanout_id % DISPLAY_MAX_OUTPUTS];

	if (scanout_id >= DISPLAY_MAX_OUTPUTS || scanout->mode != mode)
		return -EINVAL;
	if ((uint64_t)rect->x + rect->width > scanout->width ||
		(uint64_t)rect->y + rect->height > scanout->height)
		return -EINVAL;
	/* The length of a message has 32 bits. */
	if ((uint64_t)rect->width * rect->height > (UINT32_MAX >> 3))
		return -EMSGSIZE;
	return 0;
}

/* Return: the message; its size is without pixels. */
static struct display_wire_update make_update(
	enum display_request request, uint32_t scanout_id, const struct gpu_rect *rect)
{
	return (struct display_wire_update){
		.header = make_header(request, sizeof(struct display_wire_update)),
		.scanout_id = scanout_id,
		.x = rect->x,
		.y = rect->y,
		.width = rect->width,
		.height = rect->height,
	};
}

/* Sends an update as several of whole lines, one below the other, that are done together. */
static int send_bands(
	struct frontend *frontend, const struct gpu_rect *rect, const struct display_message *whole)
{
	const size_t line_count = MAX(BAND_LEN / whole->line_len, 1);
	const size_t band_count = (rect->height + line_count - 1) / line_count;
	g_autofree struct display_wire_update *heads =
		g_new(struct display_wire_update, band_count);
	struct display_message message = *whole;
	struct gpu_rect band = *rect;

	for (size_t i = 0; i < band_count; i++, band.y += band.height) {
		band.height = (uint32_t)MIN(line_count, rect->y + rect->height - band.y);
		heads[i] = make_update(DISPLAY_UPDATE, whole->scanout_id, &band);
		heads[i].header.size += (uint32_t)(whole->line_len * band.height);
	}
	message.head = heads;
	message.lines_per_head = line_count;
	return display_socket_send(&frontend->socket, &message);
}

static int frontend_update(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, const struct display_pixels *pixels, display_done_fn done,
	void *opaque)
{
	struct frontend *frontend = (struct frontend *)display;
	struct display_wire_update update = make_update(DISPLAY_UPDATE, scanout_id, rect);
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_UPDATE,
		.scanout_id = scanout_id,
		.head = &update,
		.head_len = sizeof(update),
		.fd = -1,
		.pixels = pixels->data,
		.are_lendable = pixels->are_lendable,
		.fetch = pixels->fetch,
		.fetch_opaque = pixels->fetch_opaque,
		.stride = pixels->stride,
		.line_len = (size_t)rect->width * sizeof(uint32_t),
		.line_count = rect->height,
		.done = done,
		.opaque = opaque,
	};
	int ret;

	if (frontend->gone)
		return 0;
	ret = check_rect(frontend, SCANOUT_PIXELS, scanout_id, rect);
	if (ret < 0)
		return ret;
	update.header.size += (uint32_t)(message.line_len * message.line_count);
	if (sizeof(struct display_header) + update.header.size > MAX_UPDATE_LEN)
		ret = send_bands(frontend, rect, &message);
	else
		ret = display_socket_send(&frontend->socket, &message);
	return ret < 0 ? 0 : ret;
}

static int frontend_scanout_dmabuf(struct display *display, uint32_t scanout_id,
	const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect)
{
	struct frontend *frontend = (struct frontend *)display;
	bool with_modifier = (frontend->features & DISPLAY_FEATURE_DMABUF2) &&
			     dmabuf->modifier != DRM_FORMAT_MOD_INVALID;
	size_t len = with_modifier ? sizeof(struct display_wire_dmabuf)
				   : offsetof(struct display_wire_dmabuf, modifier);
	const struct display_wire_dmabuf wire = {
		.header = make_header(
			with_modifier ? DISPLAY_DMABUF_SCANOUT2 : DISPLAY_DMABUF_SCANOUT, len),
		.scanout_id = scanout_id,
		.x = rect->x,
		.y = rect->y,
		.width = rect->width,
		.height = rect->height,
		.fd_width = dmabuf->width,
		.fd_height = dmabuf->height,
		.fd_stride = dmabuf->stride,
		.fd_flags = dmabuf->y_0_top ? VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP : 0,
		.fourcc = dmabuf->fourcc,
		.modifier = dmabuf->modifier,
	};
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_SCANOUT,
		.scanout_id = scanout_id,
		.head = &wire,
		.head_len = len,
		.fd = dmabuf->fd,
	};

	/* The messages have no field for an offset. */
	if (scanout_id >= DISPLAY_MAX_OUTPUTS || dmabuf->fd < 0 || dmabuf->offset != 0)
		return -ENOTSUP;
	if (frontend->gone)
		return 0;
	display_socket_drop(&frontend->socket, DISPLAY_MESSAGE_SCANOUT, scanout_id);
	frontend->scanouts[scanout_id] = (struct scanout){
		.mode = SCANOUT_DMABUF,
		.width = rect->width,
		.height = rect->height,
		.maybe_dmabuf = true,
	};
	display_socket_send(&frontend->socket, &message);
	return 0;
}

static int frontend_update_dmabuf(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, display_done_fn done, void *opaque)
{
	struct frontend *frontend = (struct frontend *)display;
	const struct display_wire_update message =
		make_update(DISPLAY_DMABUF_UPDATE, scanout_id, rect);
	const struct display_awaited awaited = {
		.request = DISPLAY_DMABUF_UPDATE,
		.done = done,
		.opaque = opaque,
	};
	int ret;

	if (frontend->gone)
		return 0;
	ret = check_rect(frontend, SCANOUT_DMABUF, scanout_id, rect);
	if (ret < 0)
		return ret;
	return send_request(frontend, &awaited, &message, sizeof(message));
}

static void frontend_cursor_update(
	struct display *display, const struct display_cursor *cursor, const uint32_t *pixels)
{
	struct frontend *frontend = (struct frontend *)display;
	struct display_wire_cursor_update message = {
		.header = make_header(DISPLAY_CURSOR_UPDATE, sizeof(message)),
		.scanout_id = cursor->scanout_id,
		.x = cursor->x,
		.y = cursor->y,
		.hot_x = cursor->hot_x,
		.hot_y = cursor->hot_y,
	};

	if (frontend->gone)
		return;
	memcpy(message.pixels, pixels, sizeof(message.pixels));
	display_socket_drop(&frontend->socket,
		DISPLAY_MESSAGE_CURSOR_SHAPE | DISPLAY_MESSAGE_CURSOR_MOVE, cursor->scanout_id);
	send_message(frontend, DISPLAY_MESSAGE_CURSOR_SHAPE, cursor->scanout_id, &message,
		sizeof(message));
}

static void send_cursor_pos(struct frontend *frontend, enum display_request request,
	const struct display_cursor *cursor)
{
	const struct display_wire_cursor_pos message = {
		.header = make_header(request, sizeof(message)),
		.scanout_id = cursor->scanout_id,
		.x = cursor->x,
		.y = cursor->y,
	};

	if (frontend->gone)
		return;
	display_socket_drop(&frontend->socket, DISPLAY_MESSAGE_CURSOR_MOVE, cursor->scanout_id);
	send_message(frontend, DISPLAY_MESSAGE_CURSOR_MOVE, cursor->scanout_id, &message,
		sizeof(message));
}

static void frontend_cursor_move(struct display *display, const struct display_cursor *cursor)
{
	send_cursor_pos((struct frontend *)display, DISPLAY_CURSOR_POS, cursor);
}

static void frontend_cursor_hide(struct display *display, const struct display_cursor *cursor)
{
	send_cursor_pos((struct frontend *)display, DISPLAY_CURSOR_POS_HIDE, cursor);
}

static bool frontend_cancel(struct display *display, void *opaque)
{
	struct frontend *frontend = (struct frontend *)display;
	const bool has_unbegun = display_socket_has_unbegun(&frontend->socket, opaque);
	unsigned int unsent = display_socket_cancel(&frontend->socket, opaque);

	display_replies_forget(&frontend->replies, opaque, unsent);
	return has_unbegun || unsent > 0;
}

static void frontend_destroy(struct display *display)
{
	struct frontend *frontend = (struct frontend *)display;

	frontend->gone = frontend->destroyed = true;
	source_clear(&frontend->read_source);
	source_clear(&frontend->hangup_source);
	display_socket_finish(&frontend->socket);
	display_replies_finish(&frontend->replies);
	frontend_unref(frontend);
}

/* Receiving */

static void handle_features(struct frontend *frontend, uint64_t offered)
{
	struct display_wire_features message = {
		.header = make_header(DISPLAY_SET_PROTOCOL_FEATURES, sizeof(message)),
		.features = offered & (DISPLAY_FEATURE_EDID | DISPLAY_FEATURE_DMABUF2),
	};

	frontend->features = message.features;
	send_message(frontend, DISPLAY_MESSAGE_KEPT, 0, &message, sizeof(message));
	log_debug("the front-end's display is ready, features 0x%" G_GINT64_MODIFIER "x",
		message.features);
	frontend->base.ready = true;
	frontend->events->ready(frontend->opaque);
}

static void answer_outputs(const struct display_awaited *awaited, const void *payload)
{
	struct virtio_gpu_resp_display_info info;
	struct display_outputs outputs = {0};
	struct display_edid edid = {.len = EDID_LEN};

	memcpy(&info, payload, sizeof(info));
	for (unsigned int i = 0; i < DISPLAY_MAX_OUTPUTS; i++) {
		const struct virtio_gpu_display_one *one = &info.pmodes[i];

		outputs.output[i] = (struct display_output){
			.connected = one->enabled != 0,
			.rect =
				{
					.x = GUINT32_FROM_LE(one->r.x),
					.y = GUINT32_FROM_LE(one->r.y),
					.width = GUINT32_FROM_LE(one->r.width),
					.height = GUINT32_FROM_LE(one->r.height),
				},
			.flags = GUINT32_FROM_LE(one->flags),
		};
	}
	if (awaited->outputs_done) {
		awaited->outputs_done(awaited->opaque, 0, &outputs);
		return;
	}
	edid_generate(awaited->scanout_id, outputs.output[awaited->scanout_id].rect.width,
		outputs.output[awaited->scanout_id].rect.height, edid.data);
	awaited->edid_done(awaited->opaque, 0, &edid);
}

static void answer_edid(const struct display_awaited *awaited, const void *payload)
{
	struct virtio_gpu_resp_edid response;
	struct display_edid edid;

	memcpy(&response, payload, sizeof(response));
	edid.len = MIN(GUINT32_FROM_LE(response.size), sizeof(edid.data));
	memcpy(edid.data, response.edid, sizeof(edid.data));
	awaited->edid_done(awaited->opaque, 0, &edid);
}

/* Hands an error to whoever waits. */
static void answer_error(const struct display_awaited *awaited, int error)
{
	if (awaited->outputs_done)
		awaited->outputs_done(awaited->opaque, error, NULL);
	else if (awaited->edid_done)
		awaited->edid_done(awaited->opaque, error, NULL);
	else if (awaited->done)
		awaited->done(awaited->opaque, error);
}

static void handle_reply(void *opaque, const struct display_awaited *awaited, int error,
	const void *payload, size_t payload_len)
{
	struct frontend *frontend = opaque;
	uint64_t offered;

	if (error < 0) {
		answer_error(awaited, error);
	} else if (awaited->request == DISPLAY_GET_PROTOCOL_FEATURES) {
		memcpy(&offered, payload, sizeof(offered));
		handle_features(frontend, offered);
	} else if (awaited->done) {
		awaited->done(awaited->opaque, 0);
	} else if (awaited->outputs_done || awaited->edid_done) {
		if (awaited->request == DISPLAY_GET_EDID)
			answer_edid(awaited, payload);
		else
			answer_outputs(awaited, payload);
	}
}

static gboolean dispatch_readable(gint fd, GIOCondition condition, gpointer user_data)
{
	struct frontend *frontend = user_data;
	int ret;

	frontend->refs++;
	ret = display_replies_read(&frontend->replies, fd, handle_reply, frontend);
	if (ret < 0 && !frontend->destroyed) {
		if (ret == -ECONNRESET)
			log_debug("the front-end closed its display socket");
		else
			log_warning("the display socket is given up: %s",
				ret == -EPROTO ? "it sent an answer that was not asked for"
					       : g_strerror(-ret));
		source_clear(&frontend->read_source);
		schedule_hangup(frontend);
	}
	frontend_unref(frontend);
	return G_SOURCE_CONTINUE;
}

static const struct display_ops frontend_ops = {
	.destroy = frontend_destroy,
	.cancel = frontend_cancel,
	.get_outputs = frontend_get_outputs,
	.get_edid = frontend_get_edid,
	.scanout = frontend_scanout,
	.update = frontend_update,
	.scanout_dmabuf = frontend_scanout_dmabuf,
	.update_dmabuf = frontend_update_dmabuf,
	.cursor_update = frontend_cursor_update,
	.cursor_move = frontend_cursor_move,
	.cursor_hide = frontend_cursor_hide,
};

static void frontend_negotiate(struct frontend *frontend)
{
	const struct display_awaited awaited = {.request = DISPLAY_GET_PROTOCOL_FEATURES};
	const struct display_header message =
		make_header(DISPLAY_GET_PROTOCOL_FEATURES, sizeof(message));

	display_replies_expect(&frontend->replies, &awaited);
	send_message(frontend, DISPLAY_MESSAGE_KEPT, 0, &message, sizeof(message));
}

struct display *display_frontend_create(
	int fd, const struct display_events *events, void *opaque, GMainContext *context)
{
	struct frontend *frontend = g_new0(struct frontend, 1);

	frontend->base.ops = &frontend_ops;
	frontend->base.accepts_dmabuf = true;
	frontend->base.wants_pixels = true;
	frontend->base.fetches_pixels = true;
	frontend->refs = 1;
	frontend->events = events;
	frontend->opaque = opaque;
	frontend->context = context;
	display_socket_init(&frontend->socket, fd, context, &socket_events, frontend);
	display_replies_init(&frontend->replies);
	frontend->read_source = source_add_fd(
		context, fd, G_IO_IN | G_IO_HUP | G_IO_ERR, dispatch_readable, frontend);
	frontend_negotiate(frontend);
	return &frontend->base;
}
