/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the tests of gpu/ share: a renderer whose fences signal when a test says so, a display that
 * answers when a test says so, a front-end that maps, requests in flat memory, and a device with all
 * of them.
 */
#pragma once

#include "gpu/device.h"

#include <endian.h>

/**
 * struct fake_renderer - Counts, and does what it is told
 * @fences: struct renderer_fence, in the order of creation
 * @resources: how many there are
 * @attach_error: of ctx_attach_resource()
 * @transfers: struct gpu_rect of each 2D transfer
 * @transfers_before: of these, how many there were at the last read_rect() or create_fence()
 * @transfer_error: of each transfer after the first @transfers_good; 0: none
 * @copies: transfers copy from the backing into @image; else they do nothing
 * @image: what get_pixels() lends of any resource, or NULL
 * @image_stride: bytes
 * @reads: read_rect() calls; each fills lines with @fill
 * @dmabuf_error: what export_dmabuf() returns; 0: a descriptor
 * @work_us: how long each transfer and each reading takes, by the device's clock
 */
struct fake_renderer {
	struct renderer base;
	GArray *fences;
	unsigned int resources;
	int attach_error;
	GArray *transfers;
	unsigned int transfers_before;
	unsigned int transfers_good;
	int transfer_error;
	bool copies;
	void *image;
	size_t image_stride;
	unsigned int reads;
	uint8_t fill;
	int dmabuf_error;
	unsigned int work_us;
};

/** struct fake_pending - A request that a display was given and has not answered */
struct fake_pending {
	display_done_fn done;
	display_outputs_fn outputs_done;
	display_edid_fn edid_done;
	void *opaque;
};

/**
 * struct fake_display - Writes down what it is asked for
 * @log: a line for each hook: "scanout 0 64x32", "update 0 1,2 3x4", "dmabuf 0 ...", "flush 0 ..."
 * @pending: struct fake_pending, oldest first
 * @is_slow: update() and update_dmabuf() are pending; else done at once
 * @is_lossy: cancel() says that something was not begun
 * @error: of update() and update_dmabuf(), which then look at no pixels; 0: none
 * @first_pixel, @last_pixel: of the last update
 * @band: lines that are fetched together; 0: all
 * @fetches: calls of fetch()
 * @canvas: where updates put their pixels, in lines of @canvas_width pixels; NULL: nowhere
 * @cancelled: calls of cancel()
 */
struct fake_display {
	struct display base;
	GString *log;
	GArray *pending;
	bool is_slow;
	bool is_lossy;
	int error;
	uint32_t first_pixel;
	uint32_t last_pixel;
	uint32_t band;
	unsigned int fetches;
	uint32_t *canvas;
	size_t canvas_width;
	unsigned int cancelled;
};

/**
 * struct flat_request - A request in flat memory
 * @order: grows from one completion to the next
 * @long_out: what does not fit into @out, borrowed; else NULL
 */
struct flat_request {
	struct gpu_request base;
	uint8_t out[512];
	uint8_t in[2048];
	unsigned int completed;
	unsigned int order;
	size_t written_len;
	const uint8_t *long_out;
};

/** Size of its region, bytes */
#define FAKE_SHMEM_LEN (UINT64_C(1) << 20)

/** struct fake_shmem - A front-end that maps when a test says so. @mapped: ranges that are. */
struct fake_shmem {
	unsigned int mapped;
	int error;
	GArray *done; /* struct fake_shmem_done, oldest first */
};

struct fake_shmem_done {
	gpu_shmem_done_fn done;
	void *opaque;
};

/** struct gpu_fixture - @has_next: what the control requests say of it */
struct gpu_fixture {
	GMainContext *context;
	struct guest_memory *memory;
	struct fake_renderer renderer;
	struct fake_display display;
	struct fake_shmem shmem;
	struct gpu_device *device;
	unsigned int resumed;
	unsigned int config_changed;
	bool has_next;
};

/** gpu_fixture_set_up() - A device with @limits (NULL: the defaults) and one ready display. */
void gpu_fixture_set_up(struct gpu_fixture *f, const struct gpu_limits *limits);
void gpu_fixture_tear_down(struct gpu_fixture *f, gconstpointer data);

/** gpu_fixture_add_memory() - Guest memory at @gpa. Return: our address of it. */
uint8_t *gpu_fixture_add_memory(struct gpu_fixture *f, uint64_t gpa, uint64_t len);

/** gpu_fixture_iterate() - Let everything that is ready have its turn. */
void gpu_fixture_iterate(struct gpu_fixture *f);

/** gpu_fixture_signal() - Signal the nth fence from another thread, and iterate. */
void gpu_fixture_signal(struct gpu_fixture *f, guint n);

/** gpu_fixture_send() - Give a control request. */
void gpu_fixture_send(
	struct gpu_fixture *f, struct flat_request *request, const void *command, size_t len);

/** gpu_fixture_send_with_room() - The same, with so many writable bytes. */
void gpu_fixture_send_with_room(struct gpu_fixture *f, struct flat_request *request,
	const void *command, size_t len, size_t in_len);

/** gpu_fixture_send_cursor() - Give a request of the cursor queue. */
void gpu_fixture_send_cursor(
	struct gpu_fixture *f, struct flat_request *request, const void *command, size_t len);

/** gpu_fixture_run() - Give a control request, and it is answered at once. Return: the response code. */
uint32_t gpu_fixture_run(struct gpu_fixture *f, const void *command, size_t len);

/** flat_answer() - The header of an answer, which must be there. */
const struct virtio_gpu_ctrl_hdr *flat_answer(const struct flat_request *request);

/** flat_response() - Its response code. */
uint32_t flat_response(const struct flat_request *request);

/* The commands that most tests begin with. Return: the response code. */
uint32_t gpu_fixture_create_2d(struct gpu_fixture *f, uint32_t id, uint32_t width, uint32_t height);
uint32_t gpu_fixture_attach(struct gpu_fixture *f, uint32_t id,
	const struct virtio_gpu_mem_entry *entries, uint32_t count);
uint32_t gpu_fixture_set_scanout(
	struct gpu_fixture *f, uint32_t scanout_id, uint32_t id, const struct gpu_rect *rect);
void gpu_fixture_flush(struct gpu_fixture *f, struct flat_request *request, uint32_t id,
	const struct gpu_rect *rect);
uint32_t gpu_fixture_ctx_create(struct gpu_fixture *f, uint32_t ctx_id, uint32_t capset_id);
uint32_t gpu_fixture_unref(struct gpu_fixture *f, uint32_t id);

/** gpu_fixture_set_tick() - Let each look at the device's clock take so long; 0 at first. */
void gpu_fixture_set_tick(unsigned int us);

/** fake_display_init() - A ready display that wants pixels. */
void fake_display_init(struct fake_display *display);
void fake_display_finish(struct fake_display *display);

/** fake_display_answer() - Answer the oldest request. */
void fake_display_answer(struct fake_display *display, int error);

/** fake_display_expect() - Compare the log with @text, and empty it. */
void fake_display_expect(struct fake_display *display, const char *text);

/** fake_shmem_answer() - Answer the oldest map or unmap. */
void fake_shmem_answer(struct fake_shmem *shmem, int error);
