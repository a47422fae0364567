/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A guest that sends any commands in any order: they enter the device where a session gives them
 * to it, with the null renderer or the 2d one behind, a display that takes pixels and checks that
 * they can be read, and a shared memory region whose other side answers when the input says so.
 *
 * Input: one byte that chooses the renderer, then records of { operation, length / 4, bytes }. What
 * a command says beyond the record's bytes is 0.
 */
#include "display/displays.h"
#include "gpu/device.h"
#include "renderer/renderers.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_LEN  0x40000u
#define MAX_RECORD  256u
#define MAX_PENDING 64u

enum operation { CONTROL, CURSOR, RESET, CANCEL, MEMORY_TABLE, ANSWER_SHMEM, OPERATION_COUNT };

struct input {
	const uint8_t *data;
	size_t len;
};

struct request {
	struct gpu_request base;
	uint8_t out[MAX_RECORD];
	uint8_t in[2048];
};

struct answer {
	gpu_shmem_done_fn done;
	void *opaque;
};

struct machine {
	GMainContext *context;
	struct guest_memory *memory;
	int mem_fd;
	struct display display;
	struct gpu_device *device;
	struct answer answers[MAX_PENDING];
	unsigned int answer_count;
	unsigned int in_flight;
};

/* The machine of this run; the request hooks have no other way to it. */
static struct machine *machine;
static volatile uint8_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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

/* A display that answers at once and reads what it is shown. */

static void take_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height)
{
	g_assert(scanout_id < VIRTIO_GPU_MAX_SCANOUTS);
}

static int take_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque)
{
	const uint8_t *data = pixels->data;

	g_assert(rect->width > 0 && rect->height > 0);
	for (uint32_t y = 0; y < rect->height; y++) {
		sink = data[y * pixels->stride];
		sink = data[y * pixels->stride + rect->width * 4 - 1];
	}
	return 0;
}

static void take_cursor(
	struct display *display, const struct display_cursor *cursor, const uint32_t *pixels)
{
	sink = pixels[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE - 1];
}

static void take_cursor_place(struct display *display, const struct display_cursor *cursor)
{
}

static const struct display_ops display_ops = {
	.scanout = take_scanout,
	.update = take_update,
	.cursor_update = take_cursor,
	.cursor_move = take_cursor_place,
	.cursor_hide = take_cursor_place,
};

static int remember(gpu_shmem_done_fn done, void *opaque)
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
	return remember(done, done_opaque);
}

static int shmem_unmap(
	void *opaque, uint64_t offset, uint64_t len, gpu_shmem_done_fn done, void *done_opaque)
{
	return remember(done, done_opaque);
}

static const struct gpu_shmem_ops shmem_ops = {.map = shmem_map, .unmap = shmem_unmap};

static void resumed(void *opaque)
{
}

static const struct gpu_device_events device_events = {.resumed = resumed};

static void answer_first(int error)
{
	struct answer answer = machine->answers[0];

	if (machine->answer_count == 0)
		return;
	machine->answer_count--;
	memmove(machine->answers, machine->answers + 1,
		machine->answer_count * sizeof(machine->answers[0]));
	answer.done(answer.opaque, error);
}

static void add_memory(void)
{
	const struct guest_memory_region region = {.len = MEMORY_LEN, .uva = 0x10000};

	g_assert(guest_memory_add(machine->memory, &region, dup(machine->mem_fd)) == 0);
}

static void send(const uint8_t *bytes, size_t len, bool is_cursor)
{
	struct request *request = g_new0(struct request, 1);

	if (!is_cursor && !gpu_device_can_take(machine->device)) {
		g_free(request);
		return;
	}
	request->base = (struct gpu_request){.ops = &request_ops,
		.out_len = MAX_RECORD,
		.in_len = len % 7 == 0 ? 16 : sizeof(request->in)};
	memcpy(request->out, bytes, len);
	machine->in_flight++;
	if (is_cursor)
		gpu_device_cursor(machine->device, &request->base);
	else
		gpu_device_control(machine->device, &request->base);
}

static void set_up(const char *mode)
{
	const struct renderer_options options = {.context = machine->context};
	const struct gpu_limits limits = {.max = {
						  [GPU_LIMIT_RESOURCES] = 64,
						  [GPU_LIMIT_CONTEXTS] = 16,
						  [GPU_LIMIT_HOSTMEM] = 8 << 20,
						  [GPU_LIMIT_BACKING_ENTRIES] = 64,
						  [GPU_LIMIT_TOTAL_BACKING_ENTRIES] = 256,
						  [GPU_LIMIT_SUBMIT_LEN] = 4096,
						  [GPU_LIMIT_CAPSET_LEN] = 1 << 20,
					  }};
	struct renderer *renderer = NULL;
	g_autofree char *message = NULL;

	g_assert(renderer_type_find(mode)->create(&options, &renderer, &message) == 0);
	machine->mem_fd = memfd_create("guest", MFD_CLOEXEC);
	g_assert(ftruncate(machine->mem_fd, MEMORY_LEN) == 0);
	machine->memory = guest_memory_create();
	add_memory();
	machine->display =
		(struct display){.ops = &display_ops, .ready = true, .wants_pixels = true};
	machine->device = gpu_device_create(renderer, machine->memory, &limits, machine->context);
	gpu_device_set_events(machine->device, &device_events, NULL);
	gpu_device_set_shmem(machine->device, &shmem_ops, NULL, 1 << 20);
	gpu_device_add_display(machine->device, &machine->display);
}

static void run(struct input *in)
{
	while (in->len >= 2) {
		enum operation operation = in->data[0] % OPERATION_COUNT;
		size_t len = MIN(MIN((size_t)in->data[1] * 4, in->len - 2), MAX_RECORD);
		uint8_t detail = in->data[1];

		switch (operation) {
		case CONTROL:
		case CURSOR:
			send(in->data + 2, len, operation == CURSOR);
			break;
		case RESET:
			gpu_device_reset(machine->device);
			break;
		case CANCEL:
			gpu_device_cancel(machine->device);
			break;
		case MEMORY_TABLE:
			gpu_device_memory_changing(machine->device);
			guest_memory_clear(machine->memory);
			if (detail & 1)
				add_memory();
			gpu_device_memory_changed(machine->device);
			break;
		case ANSWER_SHMEM:
			answer_first(detail & 1 ? -EIO : 0);
			break;
		case OPERATION_COUNT:
			break;
		}
		in->data += 2 + len;
		in->len -= 2 + len;
		while (g_main_context_iteration(machine->context, FALSE))
			;
	}
}

/* Lines would cost more than the commands. */
static GLogWriterOutput drop_line(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	return G_LOG_WRITER_HANDLED;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	g_log_set_writer_func(drop_line, NULL, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	struct machine m = {0};

	if (len < 1)
		return 0;
	machine = &m;
	m.context = g_main_context_new();
	set_up(data[0] & 1 ? "null" : "2d");
	in.data++;
	in.len--;
	run(&in);
	gpu_device_destroy(m.device);
	/* Whatever was sent has been answered, whatever the guest did. */
	g_assert(m.in_flight == 0);
	guest_memory_destroy(m.memory);
	close(m.mem_fd);
	g_main_context_unref(m.context);
	return 0;
}
