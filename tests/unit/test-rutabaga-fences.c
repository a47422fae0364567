/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * renderer/rutabaga/fences.c and ring.c: fences that the library signals from inside its calls, from
 * threads of its own, and at the end; and the messages that come along with those of a channel.
 */
#include "renderer/rutabaga/cross_domain.h"
#include "renderer/rutabaga/renderer_rutabaga.h"
#include "rutabaga-fake.h"

#include <string.h>

#define GFXSTREAM_CTX 1
#define CHANNEL_CTX   2
#define RING	      7
#define RING_LEN      4096

static GMainContext *main_context;
static struct renderer *renderer;
static struct gpu_resource ring;
static uint8_t guest_pages[RING_LEN];

/* What the device was told: how often, and what last. */
static gint told;
static struct renderer_fence last;
static char last_message[16];

static void fence_signalled(void *opaque, const struct renderer_fence *fence)
{
	last = *fence;
	/* The message is there when the device hears of the fence. */
	memcpy(last_message, guest_pages + sizeof(struct cross_domain_receive),
		sizeof(last_message));
	g_atomic_int_inc(&told);
}

static const struct renderer_events events = {.fence_signalled = fence_signalled};

static void run_loop(void)
{
	while (g_main_context_iteration(main_context, FALSE))
		continue;
}

static void set_up(void)
{
	rutabaga_fake_reset();
	told = 0;
	memset(guest_pages, 0, sizeof(guest_pages));
	main_context = g_main_context_new();
	renderer = rutabaga_fake_renderer(
		RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_GFXSTREAM_VULKAN) |
			RENDERER_RUTABAGA_CAPSET(VIRTIO_GPU_CAPSET_CROSS_DOMAIN),
		main_context, &events, NULL);
	g_assert_cmpint(renderer->ops->ctx_create(renderer, GFXSTREAM_CTX, 0, ""), ==, 0);
}

static void tear_down(void)
{
	renderer->ops->destroy(renderer);
	g_main_context_unref(main_context);
	rutabaga_fake_reset();
}

/* A cross-domain context whose channel is connected, with a ring of @iov. */
static void open_channel(struct iovec *iov, unsigned int count)
{
	struct cross_domain_init init = {
		.header = {.command = CROSS_DOMAIN_INIT, .len = sizeof(init)},
		.query_ring_id = RING,
		.channel_ring_id = RING,
		.channel_type = RUTABAGA_CHANNEL_TYPE_WAYLAND};

	ring = (struct gpu_resource){
		.id = RING,
		.kind = GPU_RESOURCE_BLOB,
		.blob = {.mem = VIRTIO_GPU_BLOB_MEM_GUEST, .size = RING_LEN},
		.iov = iov,
		.iov_count = count,
		.backing_len = RING_LEN,
	};
	g_assert_cmpint(renderer->ops->ctx_create(
				renderer, CHANNEL_CTX, VIRTIO_GPU_CAPSET_CROSS_DOMAIN, ""),
		==, 0);
	g_assert_cmpint(renderer->ops->resource_create(renderer, &ring), ==, 0);
	g_assert_cmpint(renderer->ops->ctx_attach_resource(renderer, CHANNEL_CTX, &ring), ==, 0);
	g_assert_cmpint(
		renderer->ops->submit(renderer, CHANNEL_CTX, &init, sizeof(init), &(size_t){0}), ==,
		0);
}

static void close_channel(void)
{
	renderer->ops->ctx_destroy(renderer, CHANNEL_CTX);
	renderer->ops->resource_destroy(renderer, &ring);
}

static void leave_message(const char *text)
{
	uint8_t *bytes = rutabaga_fake.backing[0].iov_base;
	struct cross_domain_receive *receive = (void *)bytes;

	receive->header.command = CROSS_DOMAIN_RECEIVE;
	receive->data_len = (uint32_t)strlen(text) + 1;
	strcpy((char *)bytes + sizeof(*receive), text);
}

static int create_fence(uint32_t ctx_id, bool has_ring, uint32_t ring_idx, uint64_t seqno)
{
	const struct renderer_fence fence = {has_ring, ctx_id, ring_idx, seqno};

	return renderer->ops->create_fence(renderer, &fence);
}

static void check_told(int count, uint32_t ctx_id, uint32_t ring_idx, uint64_t seqno)
{
	g_assert_cmpint(g_atomic_int_get(&told), ==, count);
	g_assert_cmpuint(last.ctx_id, ==, ctx_id);
	g_assert_cmpuint(last.ring_idx, ==, ring_idx);
	g_assert_cmpuint(last.seqno, ==, seqno);
}

static void signal_at_once(const struct rutabaga_fence *fence)
{
	rutabaga_fake.builder.fence_cb(rutabaga_fake.builder.user_data, fence);
}

static void test_from_inside(void)
{
	set_up();
	rutabaga_fake.create_fence = signal_at_once;
	g_assert_cmpint(create_fence(GFXSTREAM_CTX, true, 3, UINT64_C(1) << 40), ==, 0);
	check_told(1, GFXSTREAM_CTX, 3, UINT64_C(1) << 40);
	g_assert_true(last.has_ring);
	g_assert_cmpint(create_fence(0, false, 0, 5), ==, 0);
	check_told(2, 0, 0, 5);
	g_assert_false(last.has_ring);
	rutabaga_fake.create_fence = NULL;
	rutabaga_fake.error = -EINVAL;
	g_assert_cmpint(create_fence(GFXSTREAM_CTX, true, 3, 6), ==, -EINVAL);
	g_assert_cmpint(told, ==, 2);
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

static gpointer signal_in_thread(gpointer opaque)
{
	const struct renderer_fence *fence = opaque;

	rutabaga_fake_signal(fence->ctx_id, fence->ring_idx, fence->has_ring, fence->seqno);
	return NULL;
}

static void signal_from_thread(uint32_t ctx_id, uint32_t ring_idx, uint64_t seqno)
{
	struct renderer_fence fence = {true, ctx_id, ring_idx, seqno};

	g_thread_join(g_thread_new("library", signal_in_thread, &fence));
}

static void test_from_a_thread(void)
{
	set_up();
	for (uint64_t seqno = 1; seqno <= 100; seqno++) {
		g_assert_cmpint(create_fence(GFXSTREAM_CTX, true, 2, seqno), ==, 0);
		signal_from_thread(GFXSTREAM_CTX, 2, seqno);
		check_told((int)seqno, GFXSTREAM_CTX, 2, seqno);
	}
	/* It has 8 bits of the ring's number, and something beside them. */
	signal_from_thread(GFXSTREAM_CTX, 0xabcd0002, 101);
	check_told(101, GFXSTREAM_CTX, 2, 101);
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

/* Where a cross-domain context's rings lead nowhere, the library would lose the fence. */
static void test_off_the_channel(void)
{
	struct iovec iov = {guest_pages, RING_LEN};

	set_up();
	open_channel(&iov, 1);
	g_free(rutabaga_fake_take_log());
	g_assert_cmpint(create_fence(CHANNEL_CTX, true, 0, 1), ==, 0);
	check_told(1, CHANNEL_CTX, 0, 1);
	g_assert_cmpint(create_fence(CHANNEL_CTX, true, 63, 2), ==, 0);
	check_told(2, CHANNEL_CTX, 63, 2);
	close_channel();
	g_assert_cmpint(renderer->ops->ctx_create(
				renderer, CHANNEL_CTX, VIRTIO_GPU_CAPSET_CROSS_DOMAIN, ""),
		==, 0);
	g_assert_cmpint(create_fence(CHANNEL_CTX, true, 1, 3), ==, 0);
	check_told(3, CHANNEL_CTX, 1, 3);
	g_assert_null(strstr(rutabaga_fake.log->str, "fence"));
	renderer->ops->ctx_destroy(renderer, CHANNEL_CTX);
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

static void test_message(void)
{
	struct iovec iov[] = {{guest_pages, 10}, {guest_pages + 10, RING_LEN - 10}};

	set_up();
	open_channel(iov, 2);
	for (uint64_t seqno = 1; seqno <= 2; seqno++) {
		const char *text = seqno == 1 ? "a first one" : "second";

		g_assert_cmpint(create_fence(CHANNEL_CTX, true, 1, seqno), ==, 0);
		leave_message(text);
		signal_from_thread(CHANNEL_CTX, 1, seqno);
		/* The library may use its ring again at once; the guest's is the main loop's. */
		leave_message("XXXXXXXXXXXX");
		g_assert_cmpint(told, ==, seqno - 1);
		run_loop();
		check_told((int)seqno, CHANNEL_CTX, 1, seqno);
		g_assert_cmpstr(last_message, ==, text);
	}
	close_channel();
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

/* The guest's memory changed, and the blob has no pages at the moment. */
static void test_message_without_pages(void)
{
	struct iovec iov = {guest_pages, RING_LEN};

	set_up();
	open_channel(&iov, 1);
	leave_message("lost");
	signal_from_thread(CHANNEL_CTX, 1, 1);
	ring.iov = NULL;
	ring.iov_count = 0;
	run_loop();
	check_told(1, CHANNEL_CTX, 1, 1);
	g_assert_cmpuint(guest_pages[0], ==, 0);
	close_channel();
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

static void test_message_without_ring(void)
{
	struct iovec iov = {guest_pages, RING_LEN};

	set_up();
	open_channel(&iov, 1);
	leave_message("lost");
	signal_from_thread(CHANNEL_CTX, 1, 1);
	renderer->ops->ctx_detach_resource(renderer, CHANNEL_CTX, &ring);
	signal_from_thread(CHANNEL_CTX, 1, 2);
	run_loop();
	check_told(2, CHANNEL_CTX, 1, 2);
	g_assert_cmpuint(guest_pages[0], ==, 0);
	close_channel();
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

/* As the library does for a poll that waits when the context ends. */
static void signal_at_end(uint32_t ctx_id)
{
	signal_from_thread(ctx_id, 1, 1);
}

/* What an ended context's thread left is not for the next one of that number. */
static void test_context_ends(void)
{
	struct iovec iov = {guest_pages, RING_LEN};

	set_up();
	open_channel(&iov, 1);
	leave_message("stale");
	rutabaga_fake.context_destroyed = signal_at_end;
	close_channel();
	rutabaga_fake.context_destroyed = NULL;
	open_channel(&iov, 1);
	run_loop();
	g_assert_cmpint(told, ==, 0);
	g_assert_cmpuint(guest_pages[0], ==, 0);
	close_channel();
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	tear_down();
}

static void signal_all(void)
{
	signal_from_thread(GFXSTREAM_CTX, 2, 1);
	signal_from_thread(CHANNEL_CTX, 1, 1);
	rutabaga_fake_signal(0, 0, false, 1);
}

/* The library's threads go on while it is taken down. */
static void test_renderer_ends(void)
{
	struct iovec iov = {guest_pages, RING_LEN};

	set_up();
	open_channel(&iov, 1);
	leave_message("too late");
	signal_from_thread(CHANNEL_CTX, 1, 1);
	close_channel();
	renderer->ops->ctx_destroy(renderer, GFXSTREAM_CTX);
	rutabaga_fake.finish = signal_all;
	renderer->ops->destroy(renderer);
	run_loop();
	g_assert_cmpint(told, ==, 0);
	g_main_context_unref(main_context);
	rutabaga_fake_reset();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* A message that is lost is told. */
	g_log_set_always_fatal(G_LOG_FATAL_MASK);
	g_test_add_func("/rutabaga/fences/from-inside", test_from_inside);
	g_test_add_func("/rutabaga/fences/from-a-thread", test_from_a_thread);
	g_test_add_func("/rutabaga/fences/off-the-channel", test_off_the_channel);
	g_test_add_func("/rutabaga/fences/message", test_message);
	g_test_add_func("/rutabaga/fences/message-without-pages", test_message_without_pages);
	g_test_add_func("/rutabaga/fences/message-without-ring", test_message_without_ring);
	g_test_add_func("/rutabaga/fences/context-ends", test_context_ends);
	g_test_add_func("/rutabaga/fences/renderer-ends", test_renderer_ends);
	return g_test_run();
}
