/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A device that is warm allocates nothing for a command. malloc() and its like are counted here, in
 * front of the C library's; GLib is told (G_SLICE) to keep no lists of its own that would hide calls.
 */
#include "gpu-fakes.h"
#include "ring-driver.h"

#include "display/socket.h"
#include "util/lendable.h"
#include "util/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS	    1000
#define WARM_ROUNDS 3
#define GPA	    UINT64_C(0x10000000)
#define RING_SIZE   64

/* The sides of a picture that is just large enough for its transfer to be put off. */
#define SIDE 256
#define LEN  (SIDE * SIDE * 4)

/* The names under which the C library has them besides. */
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *memory, size_t len);

static unsigned int allocations;

void *malloc(size_t len)
{
	allocations++;
	return __libc_malloc(len);
}

void *calloc(size_t count, size_t len)
{
	allocations++;
	return __libc_calloc(count, len);
}

void *realloc(void *memory, size_t len)
{
	allocations++;
	return __libc_realloc(memory, len);
}

static void test_counter(void)
{
	const unsigned int before = allocations;

	g_free(g_malloc(17));
	g_slice_free(struct gpu_rect, g_slice_new(struct gpu_rect));
	g_assert_cmpuint(allocations - before, ==, 2);
}

/* The device */

struct warm {
	struct gpu_fixture f;
	struct flat_request request;
	struct flat_request put_off;
};

/* A display that takes all at once, and a few lines at a time where it can. */
static unsigned int fetches;

static int take_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque)
{
	for (uint32_t end = SIDE / 4; pixels->fetch && end <= rect->height; end += SIDE / 4) {
		pixels->fetch(pixels->fetch_opaque, end);
		fetches++;
	}
	return 0;
}

static const struct display_ops taking_ops = {.update = take_update};

static void set_up(struct warm *w, gconstpointer data)
{
	const struct virtio_gpu_mem_entry entry = {htole64(GPA), htole32(LEN), 0};
	const struct gpu_rect whole = {.width = SIDE, .height = SIDE};

	gpu_fixture_set_up(&w->f, NULL);
	/* What it writes down would be counted. */
	w->f.display.base.wants_pixels = false;
	gpu_fixture_add_memory(&w->f, GPA, LEN);
	g_assert_cmphex(gpu_fixture_create_2d(&w->f, 1, SIDE, SIDE), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_attach(&w->f, 1, &entry, 1), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(
		gpu_fixture_set_scanout(&w->f, 0, 1, &whole), ==, VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(gpu_fixture_ctx_create(&w->f, 5, 0), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static void tear_down(struct warm *w, gconstpointer data)
{
	gpu_fixture_tear_down(&w->f, data);
}

/* Sends a command, signals its fence where it has one, and looks at the answer. */
static void answer(struct warm *w, const void *command, size_t len, uint32_t expected)
{
	GArray *fences = w->f.renderer.fences;
	const struct renderer_events *events = w->f.renderer.base.events;

	gpu_fixture_send(&w->f, &w->request, command, len);
	for (guint i = 0; i < fences->len; i++)
		events->fence_signalled(w->f.renderer.base.events_opaque,
			&g_array_index(fences, struct renderer_fence, i));
	gpu_fixture_iterate(&w->f);
	g_array_set_size(fences, 0);
	g_array_set_size(w->f.renderer.transfers, 0);
	g_assert_cmphex(flat_response(&w->request), ==, expected);
}

static void check(struct warm *w, const void *command, size_t len, uint32_t expected)
{
	unsigned int before;

	for (int i = 0; i < WARM_ROUNDS; i++)
		answer(w, command, len, expected);
	before = allocations;
	for (int i = 0; i < ROUNDS; i++)
		answer(w, command, len, expected);
	g_assert_cmpuint(allocations - before, ==, 0);
}

static void test_answer_with_data(struct warm *w, gconstpointer data)
{
	const struct virtio_gpu_get_capset_info command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_GET_CAPSET_INFO)};

	check(w, &command, sizeof(command), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
}

static void test_refusal(struct warm *w, gconstpointer data)
{
	const struct virtio_gpu_get_capset_info command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_GET_CAPSET_INFO),
		.capset_index = htole32(99),
	};

	/* Each of the first few has its line in the log. */
	for (int i = 0; i < 20; i++)
		answer(w, &command, sizeof(command), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	check(w, &command, sizeof(command), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static const struct virtio_gpu_transfer_to_host_2d transfer = {
	.hdr.type = GUINT32_TO_LE(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
	.r = {.width = GUINT32_TO_LE(SIDE), .height = GUINT32_TO_LE(SIDE)},
	.resource_id = GUINT32_TO_LE(1),
};

static const struct virtio_gpu_resource_flush flush = {
	.hdr.type = GUINT32_TO_LE(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
	.r = {.width = GUINT32_TO_LE(SIDE), .height = GUINT32_TO_LE(SIDE)},
	.resource_id = GUINT32_TO_LE(1),
};

static void test_frame(struct warm *w, gconstpointer data)
{
	check(w, &transfer, sizeof(transfer), VIRTIO_GPU_RESP_OK_NODATA);
	check(w, &flush, sizeof(flush), VIRTIO_GPU_RESP_OK_NODATA);
}

static void answer_put_off(struct warm *w)
{
	w->f.has_next = true;
	gpu_fixture_send(&w->f, &w->put_off, &transfer, sizeof(transfer));
	g_assert_cmpuint(w->put_off.completed, ==, 0);
	w->f.has_next = false;
	answer(w, &flush, sizeof(flush), VIRTIO_GPU_RESP_OK_NODATA);
	g_assert_cmphex(flat_response(&w->put_off), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* A transfer that is done together with its flush. */
static void test_put_off(struct warm *w, gconstpointer data)
{
	struct display display = {
		.ops = &taking_ops, .ready = true, .wants_pixels = true, .fetches_pixels = true};
	g_autofree void *image = g_malloc0(LEN);
	unsigned int before;

	w->f.renderer.copies = true;
	w->f.renderer.image = image;
	w->f.renderer.image_stride = (size_t)SIDE * 4;
	gpu_device_add_display(w->f.device, &display);
	for (int i = 0; i < WARM_ROUNDS; i++)
		answer_put_off(w);
	before = allocations;
	fetches = 0;
	for (int i = 0; i < ROUNDS; i++)
		answer_put_off(w);
	g_assert_cmpuint(allocations - before, ==, 0);
	g_assert_cmpuint(fetches, ==, 4 * ROUNDS);
	gpu_device_remove_display(w->f.device, &display);
}

/* @data: further flags. */
static void test_fenced_submit(struct warm *w, gconstpointer data)
{
	const struct {
		struct virtio_gpu_cmd_submit head;
		uint8_t stream[256];
	} command = {
		.head.hdr.type = htole32(VIRTIO_GPU_CMD_SUBMIT_3D),
		.head.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE | GPOINTER_TO_UINT(data)),
		.head.hdr.ctx_id = htole32(5),
		.head.hdr.ring_idx = 3,
		.head.size = htole32(sizeof(command.stream)),
	};

	check(w, &command, sizeof(command), VIRTIO_GPU_RESP_OK_NODATA);
}

/* The rings. @data: whether they are packed. */
static void test_ring(gconstpointer data)
{
	static const struct ring_buffer buffers[] = {
		{RING_DRIVER_GPA + RING_DRIVER_DATA, 64, false},
		{RING_DRIVER_GPA + RING_DRIVER_DATA + 64, 24, true},
	};
	unsigned int before = 0;
	struct ring_driver d;
	uint8_t bytes[64] = {0};
	uint32_t len;
	uint16_t id;

	ring_driver_init(&d, GPOINTER_TO_INT(data), RING_SIZE, 0);
	for (int i = 0; i < WARM_ROUNDS + ROUNDS; i++) {
		struct virtq_chain *chain;

		if (i == WARM_ROUNDS)
			before = allocations;
		g_assert_cmpint(ring_driver_add(&d, buffers, G_N_ELEMENTS(buffers)), >=, 0);
		g_assert_cmpint(virtq_pop(d.vq, &chain), ==, 1);
		g_assert_cmpint(virtq_read(d.vq, chain, 0, bytes, 64), ==, 64);
		g_assert_cmpint(virtq_write(d.vq, chain, 0, bytes, 24), ==, 24);
		virtq_push(d.vq, chain, 24);
		virtq_notify(d.vq);
		g_assert_true(ring_driver_get_used(&d, &id, &len));
	}
	g_assert_cmpuint(allocations - before, ==, 0);
	ring_driver_finish(&d);
}

/* A display's socket */

static void flush_socket(void *opaque)
{
	display_socket_flush(opaque);
}

static const struct display_socket_events socket_events = {.writable = flush_socket};

static void count_done(void *opaque, int error)
{
	++*(unsigned int *)opaque;
}

#define PICTURE_LEN (4u << 20)

/* A frame that waits until it has been read, in a loop that waits as a session's does. */
static void test_lent_frame(void)
{
	static uint8_t received[1 << 20];
	static struct display_socket socket;
	uint8_t *picture = lendable_alloc(PICTURE_LEN);
	GMainContext *context = g_main_context_new();
	unsigned int before = 0, done = 0;
	const struct display_message message = {
		.kind = DISPLAY_MESSAGE_UPDATE,
		.head = "the head of a frame",
		.head_len = 20,
		.fd = -1,
		.pixels = picture,
		.stride = PICTURE_LEN,
		.line_len = PICTURE_LEN,
		.line_count = 1,
		.are_lendable = true,
		.done = count_done,
		.opaque = &done,
	};
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	g_assert_cmpint(source_epoll_begin(context), ==, 0);
	display_socket_init(&socket, fds[0], context, &socket_events, &socket);
	for (unsigned int i = 0; i < WARM_ROUNDS + ROUNDS / 10; i++) {
		if (i == WARM_ROUNDS)
			before = allocations;
		g_assert_cmpint(display_socket_send(&socket, &message), ==, DISPLAY_PENDING);
		while (done == i) {
			(void)recv(fds[1], received, sizeof(received), MSG_DONTWAIT);
			g_main_context_iteration(context, FALSE);
		}
		while (recv(fds[1], received, sizeof(received), MSG_DONTWAIT) > 0)
			;
	}
	g_assert_cmpuint(allocations - before, ==, 0);
	display_socket_finish(&socket);
	source_epoll_end();
	close(fds[1]);
	g_main_context_unref(context);
	lendable_free(picture, PICTURE_LEN);
}

#define ADD(name, data, test)                                                                      \
	g_test_add("/allocations/" name, struct warm, data, set_up, test, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* A refusal's line is no failure. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/allocations/counter", test_counter);
	ADD("answer-with-data", NULL, test_answer_with_data);
	ADD("refusal", NULL, test_refusal);
	ADD("frame", NULL, test_frame);
	ADD("put-off", NULL, test_put_off);
	ADD("fenced-submit", NULL, test_fenced_submit);
	ADD("fenced-submit-on-ring", GUINT_TO_POINTER(VIRTIO_GPU_FLAG_INFO_RING_IDX),
		test_fenced_submit);
	g_test_add_func("/allocations/lent-frame", test_lent_frame);
	g_test_add_data_func("/allocations/split-ring", GINT_TO_POINTER(false), test_ring);
	g_test_add_data_func("/allocations/packed-ring", GINT_TO_POINTER(true), test_ring);
	return g_test_run();
}
