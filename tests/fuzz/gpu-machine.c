/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The guest, the displays and the front-end around a device; see the header. */
#include "gpu-machine.h"

#include "gpu/device.h"
#include "gpu/display.h"
#include "renderer/renderers.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_LEN   0x40000u
#define MAX_RECORD   1020u
#define MAX_PENDING  64u
#define RESPONSE_LEN 2048u

/* Lets the waits and fences that are due happen. */
#define MAX_TURNS 64

enum operation {
	CONTROL,
	CURSOR,
	RESET,
	CANCEL,
	MEMORY_TABLE,
	ANSWER_SHMEM,
	HOST,
	DISPLAY,
	ANSWER_DISPLAY,
	OPERATION_COUNT
};

/* What DISPLAY does */
#define DISPLAY_PLUG	    0x01 /* the second display comes or goes */
#define DISPLAY_CHANGE	    0x02 /* its outputs change */
#define DISPLAY_NEGOTIATE   0x04 /* it becomes ready, or is not any more */
#define DISPLAY_TAKE_DMABUF 0x08
#define DISPLAY_CLEAR	    0x10 /* the driver has read the events */
#define DISPLAY_FETCH	    0x20 /* the second display fetches pixels, or does not any more */

/* Lines that are fetched together. */
#define BAND 50

struct request {
	struct gpu_request base;
	uint8_t out[MAX_RECORD];
	uint8_t in[RESPONSE_LEN];
};

struct answer {
	gpu_shmem_done_fn done;
	void *opaque;
};

/* What the second display was asked; one of the three callbacks. */
struct question {
	display_done_fn done;
	display_outputs_fn outputs_done;
	display_edid_fn edid_done;
	void *opaque;
	const uint8_t *pixels;
	size_t pixels_len;
};

struct machine {
	GMainContext *context;
	struct guest_memory *memory;
	int mem_fd;
	struct display fast;
	struct display slow;
	bool has_slow;
	struct gpu_device *device;
	struct answer answers[MAX_PENDING];
	unsigned int answer_count;
	struct question questions[MAX_PENDING];
	unsigned int question_count;
	unsigned int in_flight;
	bool is_next_announced;
	void (*host_act)(uint8_t what);
};

/* The machine of this run; the request hooks have no other way to it. */
static struct machine *machine;
static volatile uint8_t sink;

uint8_t machine_take_byte(struct machine_input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

/* Requests */

static ssize_t request_read(struct gpu_request *base, size_t offset, void *buf, size_t len)
{
	struct request *request = (struct request *)base;
	size_t part = offset < base->out_len ? MIN(len, base->out_len - offset) : 0;

	memcpy(buf, request->out + offset, part);
	return part;
}

static ssize_t request_write(struct gpu_request *base, size_t offset, const void *buf, size_t len)
{
	struct request *request = (struct request *)base;
	size_t part = offset < base->in_len ? MIN(len, base->in_len - offset) : 0;

	memcpy(request->in + offset, buf, part);
	return part;
}

static void request_complete(struct gpu_request *base, size_t written_len)
{
	g_assert(written_len <= base->in_len);
	machine->in_flight--;
	g_free(base);
}

static const struct gpu_request_ops request_ops = {
	.read = request_read,
	.write = request_write,
	.complete = request_complete,
};

/* No request comes now behind one that announced it. */
static void settle_device(void)
{
	if (machine->is_next_announced)
		gpu_device_settle(machine->device);
	machine->is_next_announced = false;
}

static void send_request(const uint8_t *bytes, size_t len, bool is_cursor, bool has_next)
{
	struct request *request;

	if (!is_cursor && !gpu_device_can_take(machine->device)) {
		settle_device();
		return;
	}
	request = g_new0(struct request, 1);
	request->base = (struct gpu_request){.ops = &request_ops,
		.out_len = MAX_RECORD,
		.in_len = len % 7 == 0 ? 16 : sizeof(request->in),
		.has_next = has_next};
	memcpy(request->out, bytes, len);
	machine->in_flight++;
	machine->is_next_announced = has_next;
	if (is_cursor)
		gpu_device_cursor(machine->device, &request->base);
	else
		gpu_device_control(machine->device, &request->base);
}

/* The first display answers at once and reads what it is shown. */

static void take_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height)
{
	g_assert(scanout_id < VIRTIO_GPU_MAX_SCANOUTS);
}

static void look_at_pixels(const struct display_pixels *pixels, const struct gpu_rect *rect)
{
	const uint8_t *data = pixels->data;

	g_assert(rect->width > 0 && rect->height > 0);
	for (uint32_t y = 0; y < rect->height; y++) {
		if (pixels->fetch && y % BAND == 0)
			pixels->fetch(pixels->fetch_opaque, MIN(y + BAND, rect->height));
		sink = data[y * pixels->stride];
		sink = data[y * pixels->stride + (size_t)rect->width * 4 - 1];
	}
}

static int take_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque)
{
	g_assert(display->fetches_pixels || !pixels->fetch);
	look_at_pixels(pixels, rect);
	return 0;
}

static void take_cursor(
	struct display *display, const struct display_cursor *cursor, const uint32_t *pixels)
{
	sink = pixels[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE - 1] & 0xff;
}

static void take_cursor_place(struct display *display, const struct display_cursor *cursor)
{
	g_assert(cursor->scanout_id < VIRTIO_GPU_MAX_SCANOUTS);
}

static const struct display_ops fast_ops = {
	.scanout = take_scanout,
	.update = take_update,
	.cursor_update = take_cursor,
	.cursor_move = take_cursor_place,
	.cursor_hide = take_cursor_place,
};

/* The second one is a socket's: it answers later, and takes dma-bufs when the input says so. */

static int ask(const struct question *question)
{
	if (machine->question_count == MAX_PENDING)
		return -ECONNRESET;
	machine->questions[machine->question_count++] = *question;
	return DISPLAY_PENDING;
}

static int slow_get_outputs(struct display *display, display_outputs_fn done, void *opaque)
{
	return ask(&(struct question){.outputs_done = done, .opaque = opaque});
}

static int slow_get_edid(
	struct display *display, uint32_t scanout_id, display_edid_fn done, void *opaque)
{
	return ask(&(struct question){.edid_done = done, .opaque = opaque});
}

static int slow_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque)
{
	g_assert(display->fetches_pixels || !pixels->fetch);
	look_at_pixels(pixels, rect);
	return ask(&(struct question){.done = done,
		.opaque = opaque,
		.pixels = pixels->data,
		.pixels_len = (rect->height - 1) * pixels->stride + (size_t)rect->width * 4});
}

static int slow_scanout_dmabuf(struct display *display, uint32_t scanout_id,
	const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect)
{
	g_assert(dmabuf->fd >= 0);
	return 0;
}

static int slow_update_dmabuf(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, display_done_fn done, void *opaque)
{
	return ask(&(struct question){.done = done, .opaque = opaque});
}

static bool slow_cancel(struct display *display, void *opaque)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < machine->question_count; i++)
		if (machine->questions[i].opaque != opaque)
			machine->questions[kept++] = machine->questions[i];
	machine->question_count = kept;
	return kept % 2;
}

static const struct display_ops slow_ops = {
	.cancel = slow_cancel,
	.get_outputs = slow_get_outputs,
	.get_edid = slow_get_edid,
	.scanout = take_scanout,
	.update = slow_update,
	.scanout_dmabuf = slow_scanout_dmabuf,
	.update_dmabuf = slow_update_dmabuf,
	.cursor_update = take_cursor,
	.cursor_move = take_cursor_place,
	.cursor_hide = take_cursor_place,
};

static void answer_question(int error)
{
	const struct display_outputs outputs = {
		.output = {{.connected = true, .rect = {.width = 640, .height = 480}}}};
	const struct display_edid edid = {.len = 128};
	struct question question = machine->questions[0];

	if (machine->question_count == 0)
		return;
	machine->question_count--;
	memmove(machine->questions, machine->questions + 1,
		machine->question_count * sizeof(machine->questions[0]));
	/* The pixels are there until the answer. */
	for (size_t i = 0; i < question.pixels_len; i += 4)
		sink = question.pixels[i];
	if (question.outputs_done)
		question.outputs_done(question.opaque, error, error ? NULL : &outputs);
	else if (question.edid_done)
		question.edid_done(question.opaque, error, error ? NULL : &edid);
	else
		question.done(question.opaque, error);
}

static void plug_slow(void)
{
	machine->has_slow = !machine->has_slow;
	if (machine->has_slow)
		gpu_device_add_display(machine->device, &machine->slow);
	else
		gpu_device_remove_display(machine->device, &machine->slow);
}

static void change_display(uint8_t what)
{
	struct gpu_config config;

	if (what & DISPLAY_TAKE_DMABUF)
		machine->slow.accepts_dmabuf = !machine->slow.accepts_dmabuf;
	if (what & DISPLAY_FETCH)
		machine->slow.fetches_pixels = !machine->slow.fetches_pixels;
	if (what & DISPLAY_PLUG)
		plug_slow();
	if (what & DISPLAY_NEGOTIATE && !machine->slow.ready) {
		machine->slow.ready = true;
		if (machine->has_slow)
			gpu_device_display_ready(machine->device, &machine->slow);
	} else if (what & DISPLAY_NEGOTIATE && !machine->has_slow) {
		machine->slow.ready = false;
	}
	if (what & DISPLAY_CHANGE)
		gpu_device_outputs_changed(machine->device);
	if (what & DISPLAY_CLEAR) {
		gpu_device_get_config(machine->device, &config);
		gpu_device_clear_events(machine->device, config.events_read);
	}
}

/* The shared memory region */

static int remember_answer(gpu_shmem_done_fn done, void *opaque)
{
	if (machine->answer_count == MAX_PENDING)
		return -ENOTSUP;
	machine->answers[machine->answer_count++] = (struct answer){done, opaque};
	return 0;
}

static int shmem_map(void *opaque, uint64_t offset, uint64_t len, const struct renderer_blob *blob,
	gpu_shmem_done_fn done, void *done_opaque)
{
	g_assert(blob->fd >= 0);
	return remember_answer(done, done_opaque);
}

static int shmem_unmap(
	void *opaque, uint64_t offset, uint64_t len, gpu_shmem_done_fn done, void *done_opaque)
{
	return remember_answer(done, done_opaque);
}

static const struct gpu_shmem_ops shmem_ops = {.map = shmem_map, .unmap = shmem_unmap};

static void answer_shmem(int error)
{
	struct answer answer = machine->answers[0];

	if (machine->answer_count == 0)
		return;
	machine->answer_count--;
	memmove(machine->answers, machine->answers + 1,
		machine->answer_count * sizeof(machine->answers[0]));
	answer.done(answer.opaque, error);
}

/* The machine */

static void ignore(void *opaque)
{
}

static const struct gpu_device_events device_events = {.resumed = ignore, .config_changed = ignore};

/* @halves: the memory comes as two regions, and what is contiguous for the guest is not for us. */
static void add_memory(bool halves)
{
	const struct guest_memory_region regions[] = {
		{.len = MEMORY_LEN / (halves ? 2 : 1), .uva = 0x10000},
		{.gpa = MEMORY_LEN / 2,
			.len = MEMORY_LEN / 2,
			.uva = 0x100000,
			.fd_offset = MEMORY_LEN / 2},
	};

	for (int i = 0; i <= halves; i++)
		g_assert(guest_memory_add(machine->memory, &regions[i], dup(machine->mem_fd)) == 0);
}

static void change_memory(uint8_t detail)
{
	gpu_device_memory_changing(machine->device);
	guest_memory_clear(machine->memory);
	if (detail & 1)
		add_memory(detail & 2);
	gpu_device_memory_changed(machine->device);
}

static void set_up(const char *mode, const struct renderer_options *from)
{
	const struct gpu_limits limits = {.max = {
						  [GPU_LIMIT_RESOURCES] = 64,
						  [GPU_LIMIT_CONTEXTS] = 16,
						  [GPU_LIMIT_HOSTMEM] = 8 << 20,
						  [GPU_LIMIT_BACKING_ENTRIES] = 64,
						  [GPU_LIMIT_TOTAL_BACKING_ENTRIES] = 256,
						  [GPU_LIMIT_SUBMIT_LEN] = 4096,
						  [GPU_LIMIT_CAPSET_LEN] = 1 << 20,
					  }};
	struct renderer_options options = *from;
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	options.context = machine->context;
	g_assert(renderer_type_find(mode)->create(&options, &renderer, &message) == 0);
	machine->mem_fd = memfd_create("guest", MFD_CLOEXEC);
	g_assert(ftruncate(machine->mem_fd, MEMORY_LEN) == 0);
	machine->memory = guest_memory_create();
	add_memory(false);
	machine->fast = (struct display){
		.ops = &fast_ops, .ready = true, .wants_pixels = true, .fetches_pixels = true};
	machine->slow = (struct display){.ops = &slow_ops, .ready = true, .wants_pixels = true};
	machine->device = gpu_device_create(renderer, machine->memory, &limits, machine->context);
	gpu_device_set_events(machine->device, &device_events, NULL);
	gpu_device_set_shmem(machine->device, &shmem_ops, NULL, 1 << 20);
	gpu_device_add_display(machine->device, &machine->fast);
}

/* Does the device by itself complete first what it has put off? */
static bool settles_itself(enum operation operation)
{
	return operation == CONTROL || operation == CURSOR || operation == RESET ||
	       operation == CANCEL || operation == MEMORY_TABLE;
}

static void run_record(
	enum operation operation, bool has_next, uint8_t detail, const uint8_t *bytes, size_t len)
{
	if (!settles_itself(operation))
		settle_device();
	switch (operation) {
	case CONTROL:
	case CURSOR:
		send_request(bytes, len, operation == CURSOR, has_next && operation == CONTROL);
		break;
	case RESET:
		gpu_device_reset(machine->device);
		break;
	case CANCEL:
		gpu_device_cancel(machine->device);
		break;
	case MEMORY_TABLE:
		change_memory(detail);
		break;
	case ANSWER_SHMEM:
		answer_shmem(detail & 1 ? -EIO : 0);
		break;
	case HOST:
		if (machine->host_act && len > 0)
			machine->host_act(bytes[0]);
		break;
	case DISPLAY:
		change_display(len > 0 ? bytes[0] : 0);
		break;
	case ANSWER_DISPLAY:
		answer_question(detail & 1 ? -ECONNRESET : 0);
		break;
	case OPERATION_COUNT:
		break;
	}
	if (operation != CONTROL)
		machine->is_next_announced = false;
}

static void take_turns(void)
{
	for (int i = 0; i < MAX_TURNS && g_main_context_iteration(machine->context, FALSE); i++)
		;
}

static void run_input(struct machine_input *in)
{
	while (in->len >= 2) {
		const size_t len = MIN(MIN((size_t)in->data[1] * 4, in->len - 2), MAX_RECORD);

		run_record(in->data[0] % OPERATION_COUNT, in->data[0] / OPERATION_COUNT % 2,
			in->data[1], in->data + 2, len);
		in->data += 2 + len;
		in->len -= 2 + len;
		/* The main loop does not turn between two requests. */
		if (!machine->is_next_announced)
			take_turns();
	}
}

static GLogWriterOutput drop_line(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	return G_LOG_WRITER_HANDLED;
}

void machine_init(void)
{
	g_log_set_writer_func(drop_line, NULL, NULL);
}

/* The lowest descriptor that is free: the same before and after, or one was lost. */
static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

void machine_run(const char *mode, const struct renderer_options *options,
	void (*host_act)(uint8_t what), struct machine_input *in)
{
	struct machine m = {.host_act = host_act};
	const int before = lowest_fd();

	machine = &m;
	m.context = g_main_context_new();
	set_up(mode, options);
	run_input(in);
	if (m.has_slow) {
		settle_device();
		gpu_device_remove_display(m.device, &m.slow);
	}
	gpu_device_destroy(m.device);
	/* Whatever was sent has been answered, whatever the guest did. */
	g_assert(m.in_flight == 0);
	g_assert(m.question_count == 0);
	guest_memory_destroy(m.memory);
	close(m.mem_fd);
	g_main_context_unref(m.context);
	g_assert(lowest_fd() == before);
}
