/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* See the header. */
#include "gpu-fakes.h"

#include "gpu/state.h"
#include "util/iov.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The renderer */

static struct fake_renderer *fake_of(struct renderer *renderer)
{
	return (struct fake_renderer *)renderer;
}

static int fake_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct fake_renderer *fake = fake_of(renderer);

	g_array_append_vals(fake->fences, fence, 1);
	fake->transfers_before = fake->transfers->len;
	return 0;
}

static int fake_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	fake_of(renderer)->resources++;
	return 0;
}

static int fake_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	fake_of(renderer)->resources--;
	return 0;
}

/* The device's clock: it stands still, but for what the renderer's work and a look at it take. */
static gint64 clock_us;
static unsigned int tick_us;

static gint64 get_clock(void)
{
	clock_us += tick_us;
	return clock_us;
}

void gpu_fixture_set_tick(unsigned int us)
{
	tick_us = us;
}

static int fake_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	return fake_of(renderer)->attach_error;
}

static int fake_transfer(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct fake_renderer *fake = fake_of(renderer);
	const size_t line_len = (size_t)rect->width * sizeof(uint32_t);

	clock_us += fake->work_us;
	g_array_append_vals(fake->transfers, rect, 1);
	if (fake->transfer_error < 0 && fake->transfers->len > fake->transfers_good)
		return fake->transfer_error;
	for (uint32_t i = 0; fake->copies && i < rect->height; i++)
		g_assert_cmpuint(
			iov_read(resource->iov, resource->iov_count,
				offset + (uint64_t)i * resource->width * sizeof(uint32_t),
				(uint8_t *)fake->image + (rect->y + i) * fake->image_stride +
					rect->x * sizeof(uint32_t),
				line_len),
			==, line_len);
	return 0;
}

static const void *fake_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	*ret_stride = fake_of(renderer)->image_stride;
	return fake_of(renderer)->image;
}

static int fake_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	clock_us += fake_of(renderer)->work_us;
	fake_of(renderer)->reads++;
	fake_of(renderer)->transfers_before = fake_of(renderer)->transfers->len;
	memset(dst, fake_of(renderer)->fill, stride * rect->height);
	return 0;
}

static int fake_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf)
{
	int error = fake_of(renderer)->dmabuf_error;

	if (error < 0)
		return error;
	*ret_dmabuf = (struct renderer_dmabuf){.fd = memfd_create("dmabuf", MFD_CLOEXEC)};
	return 0;
}

static int fake_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	*ret_blob = (struct renderer_blob){.fd = memfd_create("blob", MFD_CLOEXEC),
		.type = RENDERER_HANDLE_SHM,
		.map_info = 1};
	return 0;
}

static void fake_destroy(struct renderer *renderer)
{
	struct fake_renderer *fake = fake_of(renderer);

	g_assert_cmpuint(fake->resources, ==, 0);
	g_array_free(fake->fences, TRUE);
	g_array_free(fake->transfers, TRUE);
}

static const struct renderer_ops fake_renderer_ops = {
	.destroy = fake_destroy,
	.ctx_attach_resource = fake_ctx_attach_resource,
	.create_fence = fake_create_fence,
	.resource_create = fake_resource_create,
	.resource_destroy = fake_resource_destroy,
	.transfer_to_host_2d = fake_transfer,
	.get_pixels = fake_get_pixels,
	.read_rect = fake_read_rect,
	.export_dmabuf = fake_export_dmabuf,
	.export_blob = fake_export_blob,
};

/* The display */

static struct fake_display *display_of(struct display *display)
{
	return (struct fake_display *)display;
}

static int remember(struct fake_display *fake, const struct fake_pending *pending)
{
	g_array_append_vals(fake->pending, pending, 1);
	return DISPLAY_PENDING;
}

static bool fake_cancel(struct display *display, void *opaque)
{
	struct fake_display *fake = display_of(display);

	fake->cancelled++;
	for (guint i = fake->pending->len; i-- > 0;)
		if (g_array_index(fake->pending, struct fake_pending, i).opaque == opaque)
			g_array_remove_index(fake->pending, i);
	return fake->is_lossy;
}

static int fake_get_outputs(struct display *display, display_outputs_fn done, void *opaque)
{
	const struct fake_pending pending = {.outputs_done = done, .opaque = opaque};

	return remember(display_of(display), &pending);
}

static int fake_get_edid(
	struct display *display, uint32_t scanout_id, display_edid_fn done, void *opaque)
{
	const struct fake_pending pending = {.edid_done = done, .opaque = opaque};

	return remember(display_of(display), &pending);
}

static void fake_scanout(
	struct display *display, uint32_t scanout_id, uint32_t width, uint32_t height)
{
	g_string_append_printf(
		display_of(display)->log, "scanout %u %ux%u\n", scanout_id, width, height);
}

static int fake_done(struct fake_display *fake, display_done_fn done, void *opaque)
{
	const struct fake_pending pending = {.done = done, .opaque = opaque};

	return fake->is_slow ? remember(fake, &pending) : fake->error;
}

/* Takes over a few lines at a time, each as soon as it is said to be there. */
static void take_lines(
	struct fake_display *fake, const struct gpu_rect *rect, const struct display_pixels *pixels)
{
	uint32_t end;

	g_assert_true(fake->base.fetches_pixels || !pixels->fetch);
	for (uint32_t y = 0; y < rect->height; y = end) {
		end = fake->band ? MIN(y + fake->band, rect->height) : rect->height;
		if (pixels->fetch) {
			fake->fetches++;
			pixels->fetch(pixels->fetch_opaque, end);
		}
		for (uint32_t line = y; fake->canvas && line < end; line++)
			memcpy(fake->canvas + (rect->y + line) * fake->canvas_width + rect->x,
				(const uint8_t *)pixels->data + line * pixels->stride,
				rect->width * sizeof(uint32_t));
	}
}

static int fake_update(struct display *display, uint32_t scanout_id, const struct gpu_rect *rect,
	const struct display_pixels *pixels, display_done_fn done, void *opaque)
{
	struct fake_display *fake = display_of(display);
	const uint8_t *last = (const uint8_t *)pixels->data + (rect->height - 1) * pixels->stride +
			      (rect->width - 1) * sizeof(uint32_t);

	g_string_append_printf(fake->log, "update %u %u,%u %ux%u\n", scanout_id, rect->x, rect->y,
		rect->width, rect->height);
	if (fake->error < 0)
		return fake->error;
	take_lines(fake, rect, pixels);
	memcpy(&fake->first_pixel, pixels->data, sizeof(fake->first_pixel));
	memcpy(&fake->last_pixel, last, sizeof(fake->last_pixel));
	return fake_done(fake, done, opaque);
}

static int fake_scanout_dmabuf(struct display *display, uint32_t scanout_id,
	const struct renderer_dmabuf *dmabuf, const struct gpu_rect *rect)
{
	g_string_append_printf(display_of(display)->log, "dmabuf %u %ux%u\n", scanout_id,
		rect->width, rect->height);
	return 0;
}

static int fake_update_dmabuf(struct display *display, uint32_t scanout_id,
	const struct gpu_rect *rect, display_done_fn done, void *opaque)
{
	struct fake_display *fake = display_of(display);

	g_string_append_printf(fake->log, "flush %u %u,%u %ux%u\n", scanout_id, rect->x, rect->y,
		rect->width, rect->height);
	return fake_done(fake, done, opaque);
}

static const struct display_ops fake_display_ops = {
	.cancel = fake_cancel,
	.get_outputs = fake_get_outputs,
	.get_edid = fake_get_edid,
	.scanout = fake_scanout,
	.update = fake_update,
	.scanout_dmabuf = fake_scanout_dmabuf,
	.update_dmabuf = fake_update_dmabuf,
};

void fake_display_init(struct fake_display *display)
{
	*display = (struct fake_display){
		.base = {.ops = &fake_display_ops, .ready = true, .wants_pixels = true},
		.log = g_string_new(NULL),
		.pending = g_array_new(FALSE, FALSE, sizeof(struct fake_pending)),
	};
}

void fake_display_finish(struct fake_display *display)
{
	g_string_free(display->log, TRUE);
	g_array_free(display->pending, TRUE);
}

void fake_display_answer(struct fake_display *display, int error)
{
	static const struct display_outputs outputs = {.output[15] = {.rect.width = 4711}};
	static const struct display_edid edid = {.len = 128, .data = {1, 2, 3}};
	struct fake_pending pending;

	g_assert_cmpuint(display->pending->len, >, 0);
	pending = g_array_index(display->pending, struct fake_pending, 0);
	g_array_remove_index(display->pending, 0);
	if (pending.done)
		pending.done(pending.opaque, error);
	else if (pending.outputs_done)
		pending.outputs_done(pending.opaque, error, error < 0 ? NULL : &outputs);
	else
		pending.edid_done(pending.opaque, error, error < 0 ? NULL : &edid);
}

void fake_display_expect(struct fake_display *display, const char *text)
{
	g_assert_cmpstr(display->log->str, ==, text);
	g_string_truncate(display->log, 0);
}

/* Requests */

static ssize_t flat_read(struct gpu_request *base, size_t offset, void *buf, size_t len)
{
	struct flat_request *request = (struct flat_request *)base;
	size_t part = offset < base->out_len ? MIN(len, base->out_len - offset) : 0;

	memcpy(buf, (request->long_out ? request->long_out : request->out) + offset, part);
	return part;
}

static ssize_t flat_write(struct gpu_request *base, size_t offset, const void *buf, size_t len)
{
	struct flat_request *request = (struct flat_request *)base;
	size_t part = offset < base->in_len ? MIN(len, base->in_len - offset) : 0;

	memcpy(request->in + offset, buf, part);
	return part;
}

static void flat_complete(struct gpu_request *base, size_t written_len)
{
	static unsigned int order;
	struct flat_request *request = (struct flat_request *)base;

	request->completed++;
	request->order = ++order;
	request->written_len = written_len;
}

static const struct gpu_request_ops flat_ops = {
	.read = flat_read,
	.write = flat_write,
	.complete = flat_complete,
};

const struct virtio_gpu_ctrl_hdr *flat_answer(const struct flat_request *request)
{
	g_assert_cmpuint(request->completed, ==, 1);
	return (const void *)request->in;
}

uint32_t flat_response(const struct flat_request *request)
{
	return le32toh(flat_answer(request)->type);
}

/* Shared memory */

static int shmem_remember(struct fake_shmem *shmem, gpu_shmem_done_fn done, void *opaque)
{
	const struct fake_shmem_done item = {done, opaque};

	g_array_append_vals(shmem->done, &item, 1);
	return 0;
}

static int fake_map(void *opaque, uint64_t offset, uint64_t len, const struct renderer_blob *blob,
	gpu_shmem_done_fn done, void *done_opaque)
{
	struct fake_shmem *shmem = opaque;

	if (shmem->error < 0)
		return shmem->error;
	shmem->mapped++;
	return shmem_remember(shmem, done, done_opaque);
}

static int fake_unmap(
	void *opaque, uint64_t offset, uint64_t len, gpu_shmem_done_fn done, void *done_opaque)
{
	struct fake_shmem *shmem = opaque;

	if (shmem->error < 0)
		return shmem->error;
	shmem->mapped--;
	return shmem_remember(shmem, done, done_opaque);
}

static const struct gpu_shmem_ops fake_shmem_ops = {.map = fake_map, .unmap = fake_unmap};

void fake_shmem_answer(struct fake_shmem *shmem, int error)
{
	struct fake_shmem_done item;

	g_assert_cmpuint(shmem->done->len, >, 0);
	item = g_array_index(shmem->done, struct fake_shmem_done, 0);
	g_array_remove_index(shmem->done, 0);
	item.done(item.opaque, error);
}

/* The device */

static void on_resumed(void *opaque)
{
	((struct gpu_fixture *)opaque)->resumed++;
}

static void on_config_changed(void *opaque)
{
	((struct gpu_fixture *)opaque)->config_changed++;
}

static const struct gpu_device_events events = {
	.resumed = on_resumed,
	.config_changed = on_config_changed,
};

void gpu_fixture_set_up(struct gpu_fixture *f, const struct gpu_limits *limits)
{
	struct gpu_limits defaults;
	const struct renderer_capset capset = {.id = VIRTIO_GPU_CAPSET_VENUS};

	gpu_limits_init(&defaults);
	f->context = g_main_context_new();
	f->memory = guest_memory_create();
	f->renderer = (struct fake_renderer){
		.base = {.ops = &fake_renderer_ops,
			.has_3d = true,
			.has_blob = true,
			.capsets = {capset},
			.capset_count = 1},
		.fences = g_array_new(FALSE, FALSE, sizeof(struct renderer_fence)),
		.transfers = g_array_new(FALSE, FALSE, sizeof(struct gpu_rect)),
		.dmabuf_error = -ENOTSUP,
	};
	f->shmem.done = g_array_new(FALSE, FALSE, sizeof(struct fake_shmem_done));
	fake_display_init(&f->display);
	f->device = gpu_device_create(
		&f->renderer.base, f->memory, limits ? limits : &defaults, f->context);
	f->device->turn.now_us = get_clock;
	tick_us = 0;
	gpu_device_set_events(f->device, &events, f);
	gpu_device_set_shmem(f->device, &fake_shmem_ops, &f->shmem, FAKE_SHMEM_LEN);
	gpu_device_add_display(f->device, &f->display.base);
}

void gpu_fixture_tear_down(struct gpu_fixture *f, gconstpointer data)
{
	gpu_device_destroy(f->device);
	fake_display_finish(&f->display);
	g_array_free(f->shmem.done, TRUE);
	guest_memory_destroy(f->memory);
	g_main_context_unref(f->context);
}

uint8_t *gpu_fixture_add_memory(struct gpu_fixture *f, uint64_t gpa, uint64_t len)
{
	const struct guest_memory_region region = {.gpa = gpa, .len = len, .uva = gpa};
	int fd = memfd_create("guest", MFD_CLOEXEC);

	g_assert_cmpint(ftruncate(fd, (off_t)len), ==, 0);
	g_assert_cmpint(guest_memory_add(f->memory, &region, fd), ==, 0);
	return guest_memory_at_gpa(f->memory, gpa, len);
}

void gpu_fixture_iterate(struct gpu_fixture *f)
{
	while (g_main_context_iteration(f->context, FALSE))
		;
}

static gpointer signal_fence(gpointer data)
{
	struct gpu_fixture *f = ((gpointer *)data)[0];
	struct renderer_fence *fence = ((gpointer *)data)[1];

	f->renderer.base.events->fence_signalled(f->renderer.base.events_opaque, fence);
	return NULL;
}

void gpu_fixture_signal(struct gpu_fixture *f, guint n)
{
	struct renderer_fence fence = g_array_index(f->renderer.fences, struct renderer_fence, n);
	gpointer data[] = {f, &fence};

	g_thread_join(g_thread_new("fence", signal_fence, data));
	gpu_fixture_iterate(f);
}

static void flat_init(
	struct flat_request *request, const void *command, size_t len, size_t in_len, bool has_next)
{
	memset(request, 0, sizeof(*request));
	request->base = (struct gpu_request){
		.ops = &flat_ops, .out_len = len, .in_len = in_len, .has_next = has_next};
	if (len <= sizeof(request->out))
		memcpy(request->out, command, len);
	else
		request->long_out = command;
}

void gpu_fixture_send_with_room(struct gpu_fixture *f, struct flat_request *request,
	const void *command, size_t len, size_t in_len)
{
	flat_init(request, command, len, in_len, f->has_next);
	gpu_device_control(f->device, &request->base);
}

void gpu_fixture_send_cursor(
	struct gpu_fixture *f, struct flat_request *request, const void *command, size_t len)
{
	flat_init(request, command, len, sizeof(request->in), false);
	gpu_device_cursor(f->device, &request->base);
}

void gpu_fixture_send(
	struct gpu_fixture *f, struct flat_request *request, const void *command, size_t len)
{
	gpu_fixture_send_with_room(f, request, command, len, sizeof(request->in));
}

uint32_t gpu_fixture_run(struct gpu_fixture *f, const void *command, size_t len)
{
	struct flat_request request;

	gpu_fixture_send(f, &request, command, len);
	return flat_response(&request);
}

uint32_t gpu_fixture_create_2d(struct gpu_fixture *f, uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_resource_create_2d command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
		.resource_id = htole32(id),
		.format = htole32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
		.width = htole32(width),
		.height = htole32(height),
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}

uint32_t gpu_fixture_attach(struct gpu_fixture *f, uint32_t id,
	const struct virtio_gpu_mem_entry *entries, uint32_t count)
{
	const struct virtio_gpu_resource_attach_backing command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
		.resource_id = htole32(id),
		.nr_entries = htole32(count),
	};
	uint8_t bytes[512];

	g_assert_cmpuint(sizeof(command) + count * sizeof(*entries), <=, sizeof(bytes));
	memcpy(bytes, &command, sizeof(command));
	memcpy(bytes + sizeof(command), entries, count * sizeof(*entries));
	return gpu_fixture_run(f, bytes, sizeof(command) + count * sizeof(*entries));
}

static struct virtio_gpu_rect rect_of(const struct gpu_rect *rect)
{
	return (struct virtio_gpu_rect){
		htole32(rect->x), htole32(rect->y), htole32(rect->width), htole32(rect->height)};
}

uint32_t gpu_fixture_set_scanout(
	struct gpu_fixture *f, uint32_t scanout_id, uint32_t id, const struct gpu_rect *rect)
{
	const struct virtio_gpu_set_scanout command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_SET_SCANOUT),
		.r = rect_of(rect),
		.scanout_id = htole32(scanout_id),
		.resource_id = htole32(id),
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}

void gpu_fixture_flush(struct gpu_fixture *f, struct flat_request *request, uint32_t id,
	const struct gpu_rect *rect)
{
	const struct virtio_gpu_resource_flush command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
		.r = rect_of(rect),
		.resource_id = htole32(id),
	};

	gpu_fixture_send(f, request, &command, sizeof(command));
}

uint32_t gpu_fixture_ctx_create(struct gpu_fixture *f, uint32_t ctx_id, uint32_t capset_id)
{
	const struct virtio_gpu_ctx_create command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE),
		.hdr.ctx_id = htole32(ctx_id),
		.context_init = htole32(capset_id),
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}

uint32_t gpu_fixture_unref(struct gpu_fixture *f, uint32_t id)
{
	const struct virtio_gpu_resource_unref command = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_UNREF),
		.resource_id = htole32(id),
	};

	return gpu_fixture_run(f, &command, sizeof(command));
}
