/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The 2D images around a renderer that has none: 2D resources never reach it, everything else does.
 */
#include "renderer/plain/images.h"
#include "util/turn.h"

#include <errno.h>
#include <string.h>

struct inner {
	struct renderer base;
	unsigned int created, transfers, attached, contexts, destroyed;
};

static struct inner *inner_of(struct renderer *renderer)
{
	return (struct inner *)renderer;
}

static void inner_destroy(struct renderer *renderer)
{
	inner_of(renderer)->destroyed++;
}

static int inner_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	inner_of(renderer)->contexts += ctx_id;
	return -EBUSY;
}

static int inner_create(struct renderer *renderer, struct gpu_resource *resource)
{
	g_assert_cmpint(resource->kind, !=, GPU_RESOURCE_2D);
	inner_of(renderer)->created++;
	return 0;
}

static int inner_attach(struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	g_assert_cmpint(resource->kind, !=, GPU_RESOURCE_2D);
	inner_of(renderer)->attached++;
	return 0;
}

static int inner_transfer(struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource,
	struct gpu_transfer_3d *transfer)
{
	g_assert_cmpint(resource->kind, !=, GPU_RESOURCE_2D);
	inner_of(renderer)->transfers++;
	return 0;
}

static const struct renderer_ops inner_ops = {
	.destroy = inner_destroy,
	.ctx_create = inner_ctx_create,
	.ctx_attach_resource = inner_attach,
	.resource_create = inner_create,
	.transfer_to_host_3d = inner_transfer,
};

static unsigned int signalled;
static uint64_t lost;

static void on_fence(void *opaque, const struct renderer_fence *fence)
{
	g_assert_true(opaque == &signalled);
	signalled += (unsigned int)fence->seqno;
}

static void on_lost(void *opaque, uint64_t capset_mask)
{
	lost |= capset_mask;
}

static const struct renderer_events events = {
	.fence_signalled = on_fence,
	.contexts_lost = on_lost,
};

static struct renderer *wrap(struct inner *inner)
{
	struct renderer *outer;

	*inner = (struct inner){.base = {.ops = &inner_ops, .has_3d = true, .capset_count = 2}};
	outer = renderer_plain_wrap(&inner->base);
	g_assert_nonnull(outer);
	outer->events = &events;
	outer->events_opaque = &signalled;
	return outer;
}

static void test_images_are_kept(void)
{
	const uint32_t backing[4] = {1, 2, 3, 4};
	struct iovec iov = {(void *)(uintptr_t)backing, sizeof(backing)};
	struct gpu_resource resource = {
		.id = 1, .kind = GPU_RESOURCE_2D, .format = 1, .width = 2, .height = 2};
	const struct gpu_rect whole = {0, 0, 2, 2};
	struct inner inner;
	struct renderer *outer = wrap(&inner);
	uint32_t read[4];
	size_t stride;

	g_assert_cmpint(outer->ops->resource_create(outer, &resource), ==, 0);
	resource.iov = &iov;
	resource.iov_count = 1;
	g_assert_cmpint(outer->ops->attach_backing(outer, &resource), ==, 0);
	g_assert_cmpint(outer->ops->ctx_attach_resource(outer, 1, &resource), ==, 0);
	g_assert_cmpint(outer->ops->transfer_to_host_2d(outer, &resource, &whole, 0), ==, 0);
	g_assert_cmpmem(outer->ops->get_pixels(outer, &resource, &stride), sizeof(backing), backing,
		sizeof(backing));
	g_assert_cmpuint(stride, ==, 8);
	g_assert_cmpint(outer->ops->read_rect(outer, &resource, &whole, read, 8), ==, 0);
	g_assert_cmpmem(read, sizeof(read), backing, sizeof(backing));
	g_assert_cmpint(outer->ops->transfer_to_host_3d(outer, 0, &resource, NULL), ==, -EINVAL);
	g_assert_cmpint(outer->ops->export_dmabuf(outer, &resource, NULL), ==, -ENOTSUP);
	outer->ops->ctx_detach_resource(outer, 1, &resource);
	outer->ops->detach_backing(outer, &resource);
	outer->ops->resource_destroy(outer, &resource);
	g_assert_null(resource.renderer_data);
	g_assert_cmpuint(inner.created + inner.attached + inner.transfers, ==, 0);
	outer->ops->destroy(outer);
	g_assert_cmpuint(inner.destroyed, ==, 1);
}

static void test_the_rest_goes_on(void)
{
	struct gpu_resource resource = {.id = 1, .kind = GPU_RESOURCE_3D, .width = 2, .height = 2};
	const struct renderer_fence fence = {.seqno = 5};
	struct inner inner;
	struct renderer *outer = wrap(&inner);
	size_t stride;

	g_assert_true(outer->has_3d);
	g_assert_cmpuint(outer->capset_count, ==, 2);
	g_assert_cmpint(outer->ops->ctx_create(outer, 7, 0, "x"), ==, -EBUSY);
	g_assert_cmpuint(inner.contexts, ==, 7);
	g_assert_cmpint(outer->ops->resource_create(outer, &resource), ==, 0);
	g_assert_cmpint(outer->ops->ctx_attach_resource(outer, 7, &resource), ==, 0);
	g_assert_cmpint(outer->ops->transfer_to_host_3d(outer, 7, &resource, NULL), ==, 0);
	g_assert_cmpuint(inner.created + inner.attached + inner.transfers, ==, 3);
	/* What the inner renderer leaves out is as if it were left out here. */
	g_assert_null(outer->ops->create_fence);
	g_assert_null(outer->ops->submit);
	g_assert_null(outer->ops->get_pixels(outer, &resource, &stride));
	g_assert_cmpint(outer->ops->read_rect(outer, &resource, NULL, NULL, 0), ==, -ENOTSUP);
	g_assert_cmpint(outer->ops->transfer_from_host_3d(outer, 7, &resource, NULL), ==, 0);
	outer->ops->resource_destroy(outer, &resource);
	inner.base.events->fence_signalled(inner.base.events_opaque, &fence);
	g_assert_cmpuint(signalled, ==, 5);
	inner.base.events->contexts_lost(inner.base.events_opaque, 6);
	g_assert_cmpuint(lost, ==, 6);
	outer->ops->destroy(outer);
}

/* A renderer with images of its own; @image: of the only one. */
struct drawing {
	struct renderer base;
	uint32_t image[4];
	const struct iovec *backing;
	unsigned int contexts;
	int error;
};

static struct drawing *drawing_of(struct renderer *renderer)
{
	return (struct drawing *)renderer;
}

static int drawing_create(struct renderer *renderer, struct gpu_resource *resource)
{
	g_assert_null(resource->renderer_data);
	resource->renderer_data = drawing_of(renderer)->image;
	return 0;
}

static int drawing_destroy_resource(struct renderer *renderer, struct gpu_resource *resource)
{
	g_assert_true(resource->renderer_data == drawing_of(renderer)->image);
	resource->renderer_data = NULL;
	return 0;
}

static int drawing_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	g_assert_null(drawing_of(renderer)->backing);
	drawing_of(renderer)->backing = resource->iov;
	return 0;
}

static void drawing_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	drawing_of(renderer)->backing = NULL;
}

static int drawing_transfer(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct drawing *drawing = drawing_of(renderer);

	g_assert_cmpuint(rect->width * rect->height, ==, 4);
	memcpy(drawing->image, drawing->backing->iov_base, sizeof(drawing->image));
	return drawing->error;
}

static int drawing_ctx_attach(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	drawing_of(renderer)->contexts++;
	return 0;
}

static void drawing_destroy(struct renderer *renderer)
{
}

static const struct renderer_ops drawing_ops = {
	.destroy = drawing_destroy,
	.ctx_attach_resource = drawing_ctx_attach,
	.resource_create = drawing_create,
	.resource_destroy = drawing_destroy_resource,
	.attach_backing = drawing_attach_backing,
	.detach_backing = drawing_detach_backing,
	.transfer_to_host_2d = drawing_transfer,
};

static struct renderer *keep(struct drawing *drawing)
{
	struct renderer *outer;

	*drawing = (struct drawing){.base = {.ops = &drawing_ops}};
	outer = renderer_plain_keep(&drawing->base);
	g_assert_nonnull(outer);
	return outer;
}

/* The pixels of the image go along, not those that the guest has in its pages by then. */
static void test_given_to_context(void)
{
	uint32_t backing[4] = {1, 2, 3, 4};
	const uint32_t shown[4] = {1, 2, 3, 4};
	struct iovec iov = {backing, sizeof(backing)};
	struct gpu_resource resource = {
		.id = 1, .kind = GPU_RESOURCE_2D, .format = 1, .width = 2, .height = 2};
	const struct gpu_rect whole = {0, 0, 2, 2};
	struct drawing drawing;
	struct renderer *outer = keep(&drawing);
	size_t stride;

	g_assert_cmpint(outer->ops->resource_create(outer, &resource), ==, 0);
	resource.iov = &iov;
	resource.iov_count = 1;
	resource.backing_len = sizeof(backing);
	g_assert_cmpint(outer->ops->attach_backing(outer, &resource), ==, 0);
	g_assert_cmpint(outer->ops->transfer_to_host_2d(outer, &resource, &whole, 0), ==, 0);
	g_assert_true(resource.renderer_data != drawing.image);
	backing[0] = 99;
	/* It may fail, and then nothing has changed. */
	drawing.error = -EIO;
	g_assert_cmpint(outer->ops->ctx_attach_resource(outer, 7, &resource), ==, -EIO);
	g_assert_nonnull(outer->ops->get_pixels(outer, &resource, &stride));
	drawing.error = 0;
	g_assert_cmpint(outer->ops->ctx_attach_resource(outer, 7, &resource), ==, 0);
	g_assert_cmpint(outer->ops->ctx_attach_resource(outer, 8, &resource), ==, 0);
	g_assert_cmpuint(drawing.contexts, ==, 2);
	g_assert_cmpmem(drawing.image, sizeof(drawing.image), shown, sizeof(shown));
	g_assert_null(outer->ops->get_pixels(outer, &resource, &stride));
	/* From now on it is the other one's, with the guest's pages. */
	g_assert_true(resource.iov == &iov && drawing.backing == &iov);
	g_assert_cmpuint(resource.backing_len, ==, sizeof(backing));
	g_assert_cmpint(outer->ops->transfer_to_host_2d(outer, &resource, &whole, 0), ==, 0);
	g_assert_cmpuint(drawing.image[0], ==, 99);
	outer->ops->detach_backing(outer, &resource);
	outer->ops->resource_destroy(outer, &resource);
	/* And the next one of this id is plain again. */
	resource.iov = NULL;
	g_assert_cmpint(outer->ops->resource_create(outer, &resource), ==, 0);
	g_assert_nonnull(outer->ops->get_pixels(outer, &resource, &stride));
	outer->ops->resource_destroy(outer, &resource);
	outer->ops->destroy(outer);
}

/* A large image is given in as many turns as it takes. */
#define LARGE_SIDE 2048

struct slow {
	struct renderer base;
	unsigned int images;
	uint32_t lines;
	unsigned int creates_left;
};

static int slow_create(struct renderer *renderer, struct gpu_resource *resource)
{
	struct slow *slow = (struct slow *)renderer;

	if (slow->creates_left > 0) {
		slow->creates_left--;
		resource->progress++;
		resource->renderer_data = slow;
		return RENDERER_AGAIN;
	}
	resource->renderer_data = slow;
	slow->images++;
	return 0;
}

static int slow_destroy_resource(struct renderer *renderer, struct gpu_resource *resource)
{
	struct slow *slow = (struct slow *)renderer;

	g_assert_true(resource->renderer_data == slow);
	slow->images -= slow->images > 0;
	return 0;
}

static int slow_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	return 0;
}

static void slow_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
}

static int slow_transfer(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct slow *slow = (struct slow *)renderer;

	g_assert_true(resource->renderer_data == slow);
	g_assert_cmpuint(rect->y, ==, slow->lines);
	g_assert_cmpuint(offset, ==, (uint64_t)rect->y * LARGE_SIDE * 4);
	slow->lines += rect->height;
	return 0;
}

static const struct renderer_ops slow_ops = {
	.destroy = drawing_destroy,
	.resource_create = slow_create,
	.resource_destroy = slow_destroy_resource,
	.attach_backing = slow_attach_backing,
	.detach_backing = slow_detach_backing,
	.transfer_to_host_2d = slow_transfer,
};

static gint64 clock_us;

static gint64 count_us(void)
{
	return clock_us += TURN_US;
}

static struct gpu_resource make_large(struct slow *slow, struct turn *turn, struct renderer **outer)
{
	struct gpu_resource resource = {.id = 1,
		.kind = GPU_RESOURCE_2D,
		.format = 1,
		.width = LARGE_SIDE,
		.height = LARGE_SIDE};

	*slow = (struct slow){.base = {.ops = &slow_ops}, .creates_left = 2};
	*outer = renderer_plain_keep(&slow->base);
	*turn = (struct turn){.now_us = count_us};
	(*outer)->turn = turn;
	g_assert_cmpint((*outer)->ops->resource_create(*outer, &resource), ==, 0);
	return resource;
}

static void test_given_in_turns(void)
{
	struct renderer *outer;
	struct turn turn;
	struct slow slow;
	struct gpu_resource resource = make_large(&slow, &turn, &outer);
	unsigned int turns = 0;
	int ret;

	do {
		turn_begin(&turn);
		ret = outer->ops->ctx_attach_resource(outer, 1, &resource);
		turns++;
	} while (ret == RENDERER_AGAIN && turns < LARGE_SIDE);
	g_assert_cmpint(ret, ==, 0);
	/* Two to make it, and one for each MiB. */
	g_assert_cmpuint(turns, ==, 2 + LARGE_SIDE * LARGE_SIDE * 4 / TURN_PART_LEN);
	g_assert_cmpuint(slow.lines, ==, LARGE_SIDE);
	g_assert_cmpuint(resource.progress, ==, 0);
	outer->ops->resource_destroy(outer, &resource);
	g_assert_cmpuint(slow.images, ==, 0);
	outer->ops->destroy(outer);
}

/* The command is cancelled half-way: the image stays plain, and can be drawn into, given again, destroyed. */
static void test_given_half(void)
{
	const struct gpu_rect nothing = {0, 0, 0, 0};
	struct renderer *outer;
	struct turn turn;
	struct slow slow;
	struct gpu_resource resource = make_large(&slow, &turn, &outer);
	size_t stride;

	for (unsigned int i = 0; i < 4; i++) {
		turn_begin(&turn);
		g_assert_cmpint(
			outer->ops->ctx_attach_resource(outer, 1, &resource), ==, RENDERER_AGAIN);
	}
	g_assert_nonnull(outer->ops->get_pixels(outer, &resource, &stride));
	outer->ops->transfer_to_host_2d(outer, &resource, &nothing, 0);
	g_assert_cmpuint(slow.images, ==, 0);
	slow.lines = 0;
	turn_begin(&turn);
	g_assert_cmpint(outer->ops->ctx_attach_resource(outer, 1, &resource), ==, RENDERER_AGAIN);
	g_assert_cmpuint(slow.images, ==, 1);
	outer->ops->resource_destroy(outer, &resource);
	g_assert_cmpuint(slow.images, ==, 0);
	outer->ops->destroy(outer);
}

/* So is giving back the memory of a plain one. */
static void test_freed_in_turns(void)
{
	struct renderer *outer;
	struct turn turn;
	struct slow slow;
	struct gpu_resource resource = make_large(&slow, &turn, &outer);
	unsigned int turns = 0;

	outer->ops->resource_destroy(outer, &resource);
	resource.height = 16 * LARGE_SIDE;
	g_assert_cmpint(outer->ops->resource_create(outer, &resource), ==, 0);
	do {
		turn_begin(&turn);
	} while (outer->ops->resource_destroy(outer, &resource) == RENDERER_AGAIN &&
		 ++turns < LARGE_SIDE);
	g_assert_cmpuint(turns, >, 1);
	g_assert_cmpuint(turns, <, LARGE_SIDE);
	g_assert_null(resource.renderer_data);
	outer->ops->destroy(outer);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/renderer-plain/images-are-kept", test_images_are_kept);
	g_test_add_func("/renderer-plain/the-rest-goes-on", test_the_rest_goes_on);
	g_test_add_func("/renderer-plain/given-to-context", test_given_to_context);
	g_test_add_func("/renderer-plain/given-in-turns", test_given_in_turns);
	g_test_add_func("/renderer-plain/given-half", test_given_half);
	g_test_add_func("/renderer-plain/freed-in-turns", test_freed_in_turns);
	return g_test_run();
}
