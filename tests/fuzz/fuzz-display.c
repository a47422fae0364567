/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The other end of the display socket: a front-end that answers with anything, in pieces, or not at
 * all, while the device asks and shows. Answers enter where a front-end's enter: at the socket.
 *
 * Input: records. The first byte says what is done, see enum operation; the bytes that each takes
 * stand in run_record().
 */
#include "display/displays.h"
#include "display/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PENDING 64
#define IMAGE_SIDE  64

enum operation {
	ANSWER,
	RAW,
	READ,
	GET_OUTPUTS,
	GET_EDID,
	SCANOUT,
	UPDATE,
	SCANOUT_DMABUF,
	UPDATE_DMABUF,
	CURSOR,
	CANCEL,
	SHUT_DOWN,
	OPERATION_COUNT
};

struct input {
	const uint8_t *data;
	size_t len;
};

/* One request's callback: it must come once at most, and never after cancel(). */
struct request {
	bool is_pending;
};

struct machine {
	GMainContext *context;
	struct display *display;
	int peer_fd;
	int dmabuf_fd;
	bool is_closed;
	struct request requests[MAX_PENDING];
	uint32_t *image;
};

static volatile uint8_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t take_byte(struct input *input)
{
	if (input->len == 0)
		return 0;
	input->len--;
	return *input->data++;
}

static void on_ready(void *opaque)
{
	g_assert(((struct machine *)opaque)->display->ready);
}

static void on_outputs_changed(void *opaque)
{
	g_assert_not_reached();
}

static void on_closed(void *opaque)
{
	struct machine *machine = opaque;

	g_assert(!machine->is_closed);
	machine->is_closed = true;
}

static const struct display_events events = {
	.ready = on_ready,
	.outputs_changed = on_outputs_changed,
	.closed = on_closed,
};

static void done(void *opaque, int error)
{
	struct request *request = opaque;

	g_assert(error <= 0 && request->is_pending);
	request->is_pending = false;
}

static void outputs_done(void *opaque, int error, const struct display_outputs *outputs)
{
	g_assert((error == 0) == (outputs != NULL));
	if (outputs)
		sink = (uint8_t)outputs->output[DISPLAY_MAX_OUTPUTS - 1].flags;
	done(opaque, error);
}

static void edid_done(void *opaque, int error, const struct display_edid *edid)
{
	g_assert((error == 0) == (edid != NULL));
	if (edid) {
		g_assert(edid->len <= sizeof(edid->data));
		for (uint32_t i = 0; i < edid->len; i++)
			sink = edid->data[i];
	}
	done(opaque, error);
}

static struct request *find_request(struct machine *machine, bool is_pending)
{
	for (int i = 0; i < MAX_PENDING; i++)
		if (machine->requests[i].is_pending == is_pending)
			return &machine->requests[i];
	return NULL;
}

static size_t answer_len(uint32_t request)
{
	switch (request) {
	case DISPLAY_GET_PROTOCOL_FEATURES:
		return sizeof(uint64_t);
	case DISPLAY_GET_DISPLAY_INFO:
		return sizeof(struct virtio_gpu_resp_display_info);
	case DISPLAY_GET_EDID:
		return sizeof(struct virtio_gpu_resp_edid);
	default:
		return 0;
	}
}

/* A good answer to some request, perhaps not to one that was sent; its bytes come from the input. */
static void send_answer(struct machine *machine, struct input *input)
{
	uint8_t bytes[sizeof(struct display_header) + sizeof(struct virtio_gpu_resp_edid)] = {0};
	struct display_header header = {
		.request = take_byte(input) % 13, .flags = DISPLAY_FLAG_REPLY};
	const uint8_t fill = take_byte(input);

	header.size = (uint32_t)answer_len(header.request);
	memset(bytes, fill, sizeof(bytes));
	memcpy(bytes, &header, sizeof(header));
	(void)!send(
		machine->peer_fd, bytes, sizeof(header) + header.size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_raw(struct machine *machine, struct input *input)
{
	size_t len = take_byte(input);

	len = MIN(len, input->len);
	(void)!send(machine->peer_fd, input->data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	input->data += len;
	input->len -= len;
}

static void read_some(struct machine *machine, size_t len)
{
	g_autofree uint8_t *bytes = g_malloc(len + 1);

	(void)!recv(machine->peer_fd, bytes, len + 1, MSG_DONTWAIT);
}

static struct gpu_rect take_rect(struct input *input)
{
	struct gpu_rect rect = {
		.x = take_byte(input) % IMAGE_SIDE, .y = take_byte(input) % IMAGE_SIDE};

	rect.width = 1 + take_byte(input) % (IMAGE_SIDE - rect.x);
	rect.height = 1 + take_byte(input) % (IMAGE_SIDE - rect.y);
	return rect;
}

/* The hooks: the only place that knows how they are called. @ret of one that may be pending. */
static void call_hook(struct machine *machine, enum operation operation, struct input *input)
{
	const struct display_ops *ops = machine->display->ops;
	const uint32_t scanout_id = take_byte(input) % DISPLAY_MAX_OUTPUTS;
	const struct display_cursor cursor = {.scanout_id = scanout_id, .x = 1};
	const struct renderer_dmabuf dmabuf = {.fd = machine->dmabuf_fd, .width = IMAGE_SIDE};
	const struct gpu_rect rect = take_rect(input);
	const struct display_pixels pixels = {.data = machine->image, .stride = IMAGE_SIDE * 4};
	struct request *request = find_request(machine, false);
	int ret = 0;

	if (!request)
		return;
	request->is_pending = true;
	if (operation == GET_OUTPUTS)
		ret = ops->get_outputs(machine->display, outputs_done, request);
	else if (operation == GET_EDID)
		ret = ops->get_edid(machine->display, scanout_id, edid_done, request);
	else if (operation == SCANOUT)
		ops->scanout(machine->display, scanout_id, rect.width, rect.height - 1);
	else if (operation == UPDATE)
		ret = ops->update(machine->display, scanout_id, &rect, &pixels, done, request);
	else if (operation == SCANOUT_DMABUF)
		ops->scanout_dmabuf(machine->display, scanout_id, &dmabuf, &rect);
	else if (operation == UPDATE_DMABUF)
		ret = ops->update_dmabuf(machine->display, scanout_id, &rect, done, request);
	else if (rect.x % 3 == 0)
		ops->cursor_update(machine->display, &cursor, machine->image);
	else if (rect.x % 3 == 1)
		ops->cursor_move(machine->display, &cursor);
	else
		ops->cursor_hide(machine->display, &cursor);
	request->is_pending = ret == DISPLAY_PENDING;
}

static void run_record(struct machine *machine, struct input *input)
{
	const enum operation operation = take_byte(input) % OPERATION_COUNT;
	struct request *request;

	switch (operation) {
	case ANSWER:
		send_answer(machine, input);
		break;
	case RAW:
		send_raw(machine, input);
		break;
	case READ:
		read_some(machine, (size_t)take_byte(input) * 64);
		break;
	case SHUT_DOWN:
		shutdown(machine->peer_fd, SHUT_WR);
		break;
	case CANCEL:
		request = find_request(machine, true);
		if (request) {
			machine->display->ops->cancel(machine->display, request);
			request->is_pending = false;
		}
		break;
	default:
		call_hook(machine, operation, input);
	}
	for (int i = 0; i < 32 && g_main_context_iteration(machine->context, FALSE); i++)
		;
}

static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input input = {data, len};
	struct machine machine = {0};
	const int before = lowest_fd();
	int smallest = 1;
	int fds[2];

	g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	machine.context = g_main_context_new();
	machine.peer_fd = fds[1];
	machine.dmabuf_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	machine.image = g_malloc0(IMAGE_SIDE * IMAGE_SIDE * 4);
	machine.display = display_frontend_create(fds[0], &events, &machine, machine.context);
	/* So that messages wait and are half sent. */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
	while (input.len > 0)
		run_record(&machine, &input);
	machine.display->ops->destroy(machine.display);
	while (g_main_context_iteration(machine.context, FALSE))
		;
	close(machine.peer_fd);
	close(machine.dmabuf_fd);
	g_main_context_unref(machine.context);
	g_free(machine.image);
	g_assert(lowest_fd() == before);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

static GLogWriterOutput drop_line(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	return G_LOG_WRITER_HANDLED;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	g_log_set_writer_func(drop_line, NULL, NULL);
	return 0;
}
