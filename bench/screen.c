/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Server of the display socket (QEMU's docs/interop/vhost-user-gpu.rst). The thread owns the
 * socket's reading end and the pixels; what others ask for is behind the lock.
 */
#include "bench/screen.h"

#include "bench/clock.h"
#include "bench/wire.h"
#include "util/fd.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/socket.h>

/* A display that leaves frames out has shown the last one and says nothing more for so long. */
#define QUIET_SECONDS 0.2

#define MAX_SIDE 16384
#define MAX_BODY 65536

static void note_wrong(struct screen *screen, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* With the lock held. What is wrong later is a consequence, or as wrong. */
static void note_wrong(struct screen *screen, const char *format, ...)
{
	va_list args;

	if (screen->wrong)
		return;
	va_start(args, format);
	screen->wrong = g_strdup_vprintf(format, args);
	va_end(args);
}

static int send_answer(struct screen *screen, uint32_t request, const void *body, uint32_t len)
{
	const struct display_header header = {
		.request = request, .flags = DISPLAY_FLAG_REPLY, .size = len};
	int ret = wire_send(screen->fd, &header, sizeof(header), -1);

	return ret < 0 ? ret : wire_send(screen->fd, body, len, -1);
}

static int answer_display_info(struct screen *screen)
{
	struct virtio_gpu_resp_display_info info = {.hdr.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO};

	for (uint32_t i = 0; i < screen->output_count; i++) {
		info.pmodes[i].r.width = screen->width;
		info.pmodes[i].r.height = screen->height;
		info.pmodes[i].enabled = 1;
	}
	return send_answer(screen, DISPLAY_GET_DISPLAY_INFO, &info, sizeof(info));
}

static int answer_edid(struct screen *screen)
{
	const struct virtio_gpu_resp_edid edid = {.hdr.type = VIRTIO_GPU_RESP_OK_EDID, .size = 128};

	return send_answer(screen, DISPLAY_GET_EDID, &edid, sizeof(edid));
}

static struct screen_output *find_output(struct screen *screen, uint32_t scanout)
{
	if (scanout < SCREEN_MAX_OUTPUTS)
		return &screen->output[scanout];
	note_wrong(screen, "a message about output %u", scanout);
	return NULL;
}

static void set_picture(
	struct screen *screen, uint32_t scanout, uint32_t width, uint32_t height, bool is_dmabuf)
{
	struct screen_output *output;

	g_mutex_lock(&screen->lock);
	output = find_output(screen, scanout);
	if (output && width <= MAX_SIDE && height <= MAX_SIDE) {
		g_free(output->pixels);
		output->pixels = is_dmabuf ? NULL : g_new0(uint32_t, (size_t)width * height);
		output->width = width;
		output->height = height;
		output->is_dmabuf = is_dmabuf;
	} else {
		note_wrong(screen, "output %u of %ux%u pixels", scanout, width, height);
	}
	g_mutex_unlock(&screen->lock);
}

/* With the lock held: the numbers of frames in a rectangle that has just come. */
static void look_at_numbers(struct screen *screen, struct screen_output *output,
	const struct display_wire_update *update)
{
	const uint32_t step = output->step;
	uint32_t number = 0;
	bool has_number = false;

	for (uint32_t y = (update->y + step - 1) / step * step; y < update->y + update->height;
		y += step) {
		const uint32_t *row = output->pixels + (size_t)y * output->width;

		for (uint32_t x = (update->x + step - 1) / step * step;
			x < update->x + update->width; x += step) {
			const uint32_t here = row[x] & SCREEN_RGB;

			if (!has_number) {
				has_number = true;
				number = here;
			}
			if (here == number && here >= output->number && here <= output->newest)
				continue;
			note_wrong(screen,
				"wrong pixel %u,%u of output %u: frame %u, in an update of frame "
				"%u; shown was %u, drawn are %u",
				x, y, update->scanout_id, here, number, output->number,
				output->newest);
			return;
		}
	}
	if (has_number)
		output->number = number;
}

static bool is_inside(const struct screen_output *output, const struct display_wire_update *update)
{
	return update->width > 0 && update->height > 0 && update->x < output->width &&
	       update->y < output->height && update->width <= output->width - update->x &&
	       update->height <= output->height - update->y;
}

/* Pixels after @update. Return: a negative errno ends the thread. */
static int handle_update(struct screen *screen, const struct display_wire_update *update)
{
	struct screen_output *output = find_output(screen, update->scanout_id);
	int ret;

	if (!output || !output->pixels || !is_inside(output, update) ||
		update->header.size != sizeof(*update) - sizeof(update->header) +
					       4ull * update->width * update->height) {
		g_mutex_lock(&screen->lock);
		note_wrong(screen, "an update of %ux%u pixels at %u,%u that output %u has not",
			update->width, update->height, update->x, update->y, update->scanout_id);
		g_mutex_unlock(&screen->lock);
		return -EPROTO;
	}
	ret = wire_recv_rows(screen->fd,
		output->pixels + (size_t)update->y * output->width + update->x, 4ul * update->width,
		update->height, 4ul * output->width);
	if (ret < 0)
		return ret;
	g_mutex_lock(&screen->lock);
	if (output->step > 0)
		look_at_numbers(screen, output, update);
	output->shown_pixels += (uint64_t)update->width * update->height;
	output->last_update = clock_now();
	g_mutex_unlock(&screen->lock);
	return 0;
}

/* The picture is in the dma-buf already: it counts as shown, with the newest number. */
static int handle_dmabuf_update(struct screen *screen, const struct display_wire_update *update)
{
	struct screen_output *output;

	g_mutex_lock(&screen->lock);
	output = find_output(screen, update->scanout_id);
	if (output) {
		output->shown_pixels += (uint64_t)update->width * update->height;
		output->number = output->newest;
		output->last_update = clock_now();
	}
	g_mutex_unlock(&screen->lock);
	return send_answer(screen, DISPLAY_DMABUF_UPDATE, NULL, 0);
}

static void handle_cursor(struct screen *screen, const struct display_wire_cursor_pos *pos)
{
	g_mutex_lock(&screen->lock);
	screen->cursor_x = pos->x;
	screen->cursor_y = pos->y;
	screen->cursor_count++;
	g_mutex_unlock(&screen->lock);
}

/* A message other than UPDATE, whole: @message begins with its header. */
static int handle_small(struct screen *screen, const void *message)
{
	const uint64_t features = DISPLAY_FEATURE_EDID | DISPLAY_FEATURE_DMABUF2;
	const struct display_header *header = message;
	const struct display_wire_scanout *scanout = message;
	const struct display_wire_dmabuf *dmabuf = message;

	switch (header->request) {
	case DISPLAY_GET_PROTOCOL_FEATURES:
		return send_answer(screen, header->request, &features, sizeof(features));
	case DISPLAY_GET_DISPLAY_INFO:
		return answer_display_info(screen);
	case DISPLAY_GET_EDID:
		return answer_edid(screen);
	case DISPLAY_SCANOUT:
		set_picture(screen, scanout->scanout_id, scanout->width, scanout->height, false);
		return 0;
	case DISPLAY_DMABUF_SCANOUT:
	case DISPLAY_DMABUF_SCANOUT2:
		set_picture(screen, dmabuf->scanout_id, dmabuf->width, dmabuf->height, true);
		return 0;
	case DISPLAY_DMABUF_UPDATE:
		return handle_dmabuf_update(screen, message);
	case DISPLAY_CURSOR_POS:
	case DISPLAY_CURSOR_POS_HIDE:
		handle_cursor(screen, message);
		return 0;
	default:
		return 0;
	}
}

static int handle_next(struct screen *screen)
{
	union {
		struct display_header header;
		struct display_wire_update update;
		uint8_t bytes[MAX_BODY];
	} message;
	autofd fd = -1;
	uint8_t *body = message.bytes + sizeof(message.header);
	int ret = wire_recv(screen->fd, &message.header, sizeof(message.header), &fd);

	if (ret < 0)
		return ret;
	if (message.header.request == DISPLAY_UPDATE) {
		ret = wire_recv(
			screen->fd, body, sizeof(message.update) - sizeof(message.header), NULL);
		return ret < 0 ? ret : handle_update(screen, &message.update);
	}
	if (message.header.size > MAX_BODY - sizeof(message.header))
		return -EMSGSIZE;
	/* What is short is read as zeros. */
	memset(body, 0, sizeof(struct display_wire_dmabuf));
	ret = wire_recv(screen->fd, body, message.header.size, NULL);
	return ret < 0 ? ret : handle_small(screen, &message);
}

static gpointer serve_screen(gpointer opaque)
{
	struct screen *screen = opaque;
	int ret;

	do {
		ret = handle_next(screen);
		g_mutex_lock(&screen->lock);
		screen->is_closed = ret < 0;
		g_cond_broadcast(&screen->changed);
		g_mutex_unlock(&screen->lock);
	} while (ret == 0);
	return NULL;
}

int screen_start(struct screen *screen, uint32_t width, uint32_t height, uint32_t output_count,
	int *ret_peer_fd)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*screen = (struct screen){
		.fd = fds[0], .width = width, .height = height, .output_count = output_count};
	g_mutex_init(&screen->lock);
	g_cond_init(&screen->changed);
	screen->thread = g_thread_new("display", serve_screen, screen);
	*ret_peer_fd = fds[1];
	return 0;
}

void screen_stop(struct screen *screen)
{
	if (!screen->thread)
		return;
	shutdown(screen->fd, SHUT_RDWR);
	g_thread_join(g_steal_pointer(&screen->thread));
	fd_clear(&screen->fd);
	for (int i = 0; i < SCREEN_MAX_OUTPUTS; i++)
		g_clear_pointer(&screen->output[i].pixels, g_free);
	g_clear_pointer(&screen->wrong, g_free);
	g_mutex_clear(&screen->lock);
	g_cond_clear(&screen->changed);
}

void screen_watch(struct screen *screen, uint32_t scanout, uint32_t step)
{
	g_mutex_lock(&screen->lock);
	screen->output[scanout].step = step;
	g_mutex_unlock(&screen->lock);
}

void screen_set_newest(struct screen *screen, uint32_t scanout, uint32_t number)
{
	g_mutex_lock(&screen->lock);
	screen->output[scanout].newest = number;
	g_mutex_unlock(&screen->lock);
}

static bool is_quiet(const struct screen_output *output)
{
	return output->number == output->newest && output->shown_pixels > 0 &&
	       clock_now() - output->last_update > QUIET_SECONDS;
}

static double patience_with(const struct screen_output *output)
{
	return output->pixels || output->is_dmabuf ? SCREEN_PATIENCE : SCREEN_SILENCE;
}

int screen_wait(struct screen *screen, uint32_t scanout, uint64_t shown_pixels)
{
	const struct screen_output *output = &screen->output[scanout];
	const double start = clock_now();
	int ret = 0;

	g_mutex_lock(&screen->lock);
	while (output->shown_pixels < shown_pixels && !screen->wrong && !is_quiet(output)) {
		if (screen->is_closed || clock_now() - start > patience_with(output)) {
			ret = -ETIMEDOUT;
			break;
		}
		g_cond_wait_until(&screen->changed, &screen->lock,
			g_get_monotonic_time() + G_TIME_SPAN_MILLISECOND * 50);
	}
	if (ret == 0 && output->step > 0 && output->number != output->newest)
		note_wrong(screen, "wrong pixel 0,0 of output %u: frame %u is shown, not frame %u",
			scanout, output->number, output->newest);
	if (screen->wrong)
		ret = -EILSEQ;
	g_mutex_unlock(&screen->lock);
	return ret;
}

int screen_wait_cursor(struct screen *screen, uint32_t x, uint32_t y)
{
	const gint64 end = g_get_monotonic_time() + SCREEN_PATIENCE * G_TIME_SPAN_SECOND;
	int ret = 0;

	g_mutex_lock(&screen->lock);
	while ((screen->cursor_x != x || screen->cursor_y != y) && ret == 0)
		if (!g_cond_wait_until(&screen->changed, &screen->lock, end))
			ret = -ETIMEDOUT;
	g_mutex_unlock(&screen->lock);
	return ret;
}

int screen_compare_row(struct screen *screen, uint32_t scanout, uint32_t x, uint32_t y,
	uint32_t width, const uint32_t *expected)
{
	const struct screen_output *output = &screen->output[scanout];
	const uint32_t *row;
	int ret = 0;

	g_mutex_lock(&screen->lock);
	row = output->pixels ? output->pixels + (size_t)y * output->width + x : NULL;
	for (uint32_t i = 0; row && i < width && ret == 0; i++) {
		if (((row[i] ^ expected[i]) & SCREEN_RGB) == 0)
			continue;
		note_wrong(screen, "wrong pixel %u,%u of output %u: %06x, not %06x", x + i, y,
			scanout, row[i] & SCREEN_RGB, expected[i] & SCREEN_RGB);
		ret = -EILSEQ;
	}
	g_mutex_unlock(&screen->lock);
	return ret;
}

bool screen_is_shown(struct screen *screen, uint32_t scanout)
{
	const struct screen_output *output = &screen->output[scanout];
	bool is_shown;

	g_mutex_lock(&screen->lock);
	is_shown = output->pixels || output->is_dmabuf;
	g_mutex_unlock(&screen->lock);
	return is_shown;
}

bool screen_is_dmabuf(struct screen *screen, uint32_t scanout)
{
	bool is_dmabuf;

	g_mutex_lock(&screen->lock);
	is_dmabuf = screen->output[scanout].is_dmabuf;
	g_mutex_unlock(&screen->lock);
	return is_dmabuf;
}

uint64_t screen_shown_pixels(struct screen *screen, uint32_t scanout)
{
	uint64_t shown_pixels;

	g_mutex_lock(&screen->lock);
	shown_pixels = screen->output[scanout].shown_pixels;
	g_mutex_unlock(&screen->lock);
	return shown_pixels;
}

const char *screen_wrong(struct screen *screen)
{
	const char *wrong;

	if (!screen->thread)
		return NULL;
	g_mutex_lock(&screen->lock);
	wrong = screen->wrong;
	g_mutex_unlock(&screen->lock);
	return wrong;
}
