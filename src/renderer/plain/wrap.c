/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A renderer around another one that has no images of 2D resources: these are kept in plain memory,
 * everything else goes on to the inner one. A hook that the inner renderer leaves out and that is about
 * 2D resources too does what the device would do about it (gpu/renderer_calls.c); one that is not is
 * left out here as well.
 *
 * An inner renderer that has such images after all is given one when a context is to use it. Nothing
 * borrows the plain image at the end of that: gpu/context.c has displays let go of it before each turn.
 */
#include "renderer/plain/images.h"
#include "util/id_table.h"
#include "util/turn.h"

#include <errno.h>

/*
 * @ops: as the inner renderer's, where a hook is not there.
 * @given: set of the ids of 2D resources that are the inner renderer's; NULL where it has none.
 * @giving: a resource that is on its way to it, line by line; NULL for none
 * @giving_data: what the inner renderer keeps of it, whose own pointer is the plain image's still
 * @is_made: the inner renderer has made its side; then @given_lines of it are drawn
 */
struct renderer_plain {
	struct renderer base;
	struct renderer_ops ops;
	struct renderer *inner;
	GHashTable *given;
	struct gpu_resource *giving;
	void *giving_data;
	uint32_t given_lines;
	bool is_made;
};

static struct renderer_plain *plain_of(struct renderer *renderer)
{
	return (struct renderer_plain *)renderer;
}

/* The device knows the outer one only. */
static struct renderer *inner_of(struct renderer *renderer)
{
	struct renderer *inner = plain_of(renderer)->inner;

	inner->turn = renderer->turn;
	return inner;
}

static bool is_given(struct renderer *renderer, const struct gpu_resource *resource)
{
	GHashTable *given = plain_of(renderer)->given;

	return given && g_hash_table_contains(given, GUINT_TO_POINTER(resource->id));
}

static bool is_plain(struct renderer *renderer, const struct gpu_resource *resource)
{
	return resource->kind == GPU_RESOURCE_2D && !is_given(renderer, resource);
}

static void plain_destroy(struct renderer *renderer)
{
	struct renderer *inner = inner_of(renderer);

	inner->ops->destroy(inner);
	g_clear_pointer(&plain_of(renderer)->given, g_hash_table_unref);
	g_free(renderer);
}

static int plain_get_capset(
	struct renderer *renderer, uint32_t capset_id, uint32_t version, void *buf, size_t len)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->get_capset(inner, capset_id, version, buf, len);
}

static int plain_ctx_create(
	struct renderer *renderer, uint32_t ctx_id, uint32_t capset_id, const char *name)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->ctx_create(inner, ctx_id, capset_id, name);
}

static void plain_ctx_destroy(struct renderer *renderer, uint32_t ctx_id)
{
	struct renderer *inner = inner_of(renderer);

	inner->ops->ctx_destroy(inner, ctx_id);
}

static int plain_submit(
	struct renderer *renderer, uint32_t ctx_id, void *commands, size_t len, size_t *done)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->submit(inner, ctx_id, commands, len, done);
}

static int plain_create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->create_fence(inner, fence);
}

static int plain_export_blob(
	struct renderer *renderer, struct gpu_resource *resource, struct renderer_blob *ret_blob)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->export_blob(inner, resource, ret_blob);
}

static int plain_read_blob(struct renderer *renderer, struct gpu_resource *resource,
	uint32_t format, const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct renderer *inner = inner_of(renderer);

	return inner->ops->read_blob(inner, resource, format, rect, dst, stride);
}

/* Draws lines of @image into the inner renderer's, which sees it as the guest's backing meanwhile. */
static int draw_lines(
	struct renderer *inner, struct gpu_resource *resource, void *image, struct gpu_rect *lines)
{
	const struct gpu_resource saved = *resource;
	struct iovec iov = {.iov_base = image, .iov_len = plain_image_len(resource)};
	const uint64_t offset = iov.iov_len / resource->height * lines->y;
	int ret;

	resource->iov = &iov;
	resource->iov_starts = NULL;
	resource->iov_count = 1;
	resource->backing_len = iov.iov_len;
	ret = inner->ops->attach_backing(inner, resource);
	if (ret == 0) {
		ret = inner->ops->transfer_to_host_2d(inner, resource, lines, offset);
		inner->ops->detach_backing(inner, resource);
	}
	resource->iov = saved.iov;
	resource->iov_starts = saved.iov_starts;
	resource->iov_count = saved.iov_count;
	resource->backing_len = saved.backing_len;
	return ret;
}

/* Draws on, for a turn. Return: 0, RENDERER_AGAIN or a negative errno. */
static int draw_image(struct renderer_plain *plain, struct gpu_resource *resource, void *image)
{
	struct renderer *inner = inner_of(&plain->base);
	const uint64_t line_len = plain_image_len(resource) / resource->height;
	const uint32_t max_lines = (uint32_t)MAX(TURN_PART_LEN / line_len, 1);

	while (plain->given_lines < resource->height) {
		struct gpu_rect lines = {
			.y = plain->given_lines,
			.width = resource->width,
			.height = MIN(max_lines, resource->height - plain->given_lines),
		};
		int ret = draw_lines(inner, resource, image, &lines);

		if (ret < 0)
			return ret;
		plain->given_lines += lines.height;
		turn_charge(plain->base.turn, lines.height * line_len);
		if (plain->given_lines < resource->height && turn_is_over(plain->base.turn))
			return RENDERER_AGAIN;
	}
	return 0;
}

/* A resource has one pointer for its renderer; the other one's is kept in @giving_data. */
static void swap_data(struct renderer_plain *plain)
{
	struct gpu_resource *resource = plain->giving;
	void *data = resource->renderer_data;

	resource->renderer_data = plain->giving_data;
	plain->giving_data = data;
}

/* It stays plain: the command was cancelled half-way, or failed. */
static void stop_giving(struct renderer_plain *plain)
{
	if (!plain->giving)
		return;
	swap_data(plain);
	plain->giving->progress = 0;
	while (plain->inner->ops->resource_destroy(plain->inner, plain->giving) == RENDERER_AGAIN)
		;
	plain->giving->progress = 0;
	swap_data(plain);
	plain->giving = NULL;
}

/* Makes the inner renderer's side. Return: 0, RENDERER_AGAIN, or a negative errno and it is plain. */
static int make_inner(struct renderer_plain *plain, struct gpu_resource *resource)
{
	int ret;

	if (plain->giving != resource) {
		stop_giving(plain);
		plain->giving = resource;
		plain->giving_data = NULL;
		plain->given_lines = 0;
		plain->is_made = false;
	}
	if (plain->is_made)
		return 0;
	swap_data(plain);
	ret = plain->inner->ops->resource_create(plain->inner, resource);
	swap_data(plain);
	plain->is_made = ret == 0;
	if (ret != RENDERER_AGAIN)
		resource->progress = 0;
	if (ret < 0)
		plain->giving = NULL;
	return ret;
}

/* All is drawn: the plain image can go. Return: 0 or a negative errno. */
static int end_giving(struct renderer_plain *plain, struct gpu_resource *resource)
{
	struct gpu_resource image = *resource;
	int ret = 0;

	swap_data(plain);
	if (resource->iov)
		ret = plain->inner->ops->attach_backing(plain->inner, resource);
	if (ret < 0) {
		swap_data(plain);
		return ret;
	}
	resource->has_lendable_image = false;
	plain->giving = NULL;
	plain_image_destroy(&image, NULL);
	g_hash_table_add(plain->given, GUINT_TO_POINTER(resource->id));
	return 0;
}

/*
 * Makes a plain image the inner renderer's, in as many turns as it takes. Return: 0, RENDERER_AGAIN, or a
 * negative errno and it is plain still.
 */
static int give_image(struct renderer_plain *plain, struct gpu_resource *resource)
{
	void *image = resource->renderer_data;
	int ret = make_inner(plain, resource);

	if (ret != 0)
		return ret;
	swap_data(plain);
	ret = draw_image(plain, resource, image);
	swap_data(plain);
	if (ret == 0)
		ret = end_giving(plain, resource);
	if (ret < 0)
		stop_giving(plain);
	return ret;
}

static int plain_ctx_attach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);
	int ret;

	if (is_plain(renderer, resource)) {
		if (!plain_of(renderer)->given)
			return 0;
		ret = give_image(plain_of(renderer), resource);
		if (ret != 0)
			return ret;
	}
	if (!inner->ops->ctx_attach_resource)
		return 0;
	return inner->ops->ctx_attach_resource(inner, ctx_id, resource);
}

static void plain_ctx_detach_resource(
	struct renderer *renderer, uint32_t ctx_id, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (!is_plain(renderer, resource) && inner->ops->ctx_detach_resource)
		inner->ops->ctx_detach_resource(inner, ctx_id, resource);
}

static int plain_resource_create(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return plain_image_create(resource);
	if (!inner->ops->resource_create)
		return 0;
	return inner->ops->resource_create(inner, resource);
}

static int plain_resource_destroy(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);
	int ret = 0;

	if (plain_of(renderer)->giving == resource)
		stop_giving(plain_of(renderer));
	if (is_plain(renderer, resource))
		return plain_image_destroy(resource, renderer->turn);
	if (inner->ops->resource_destroy)
		ret = inner->ops->resource_destroy(inner, resource);
	if (ret == 0 && plain_of(renderer)->given)
		g_hash_table_remove(plain_of(renderer)->given, GUINT_TO_POINTER(resource->id));
	return ret;
}

static int plain_attach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return 0;
	if (!inner->ops->attach_backing)
		return 0;
	return inner->ops->attach_backing(inner, resource);
}

static void plain_detach_backing(struct renderer *renderer, struct gpu_resource *resource)
{
	struct renderer *inner = inner_of(renderer);

	if (!is_plain(renderer, resource) && inner->ops->detach_backing)
		inner->ops->detach_backing(inner, resource);
}

static int plain_transfer_to_host_2d(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, uint64_t offset)
{
	struct renderer *inner = inner_of(renderer);

	/* It is drawn into although the rest of it was not asked for: the command was cancelled. */
	if (plain_of(renderer)->giving == resource)
		stop_giving(plain_of(renderer));
	if (is_plain(renderer, resource))
		return plain_image_transfer(resource, rect, offset);
	if (!inner->ops->transfer_to_host_2d)
		return 0;
	return inner->ops->transfer_to_host_2d(inner, resource, rect, offset);
}

static int plain_transfer_to_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return -EINVAL;
	if (!inner->ops->transfer_to_host_3d)
		return 0;
	return inner->ops->transfer_to_host_3d(inner, ctx_id, resource, transfer);
}

static int plain_transfer_from_host_3d(struct renderer *renderer, uint32_t ctx_id,
	struct gpu_resource *resource, struct gpu_transfer_3d *transfer)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return -EINVAL;
	if (!inner->ops->transfer_from_host_3d)
		return 0;
	return inner->ops->transfer_from_host_3d(inner, ctx_id, resource, transfer);
}

static const void *plain_get_pixels(
	struct renderer *renderer, struct gpu_resource *resource, size_t *ret_stride)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return plain_image_get_pixels(resource, ret_stride);
	if (!inner->ops->get_pixels)
		return NULL;
	return inner->ops->get_pixels(inner, resource, ret_stride);
}

static int plain_read_rect(struct renderer *renderer, struct gpu_resource *resource,
	const struct gpu_rect *rect, void *dst, size_t stride)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return plain_image_read_rect(resource, rect, dst, stride);
	if (!inner->ops->read_rect)
		return -ENOTSUP;
	return inner->ops->read_rect(inner, resource, rect, dst, stride);
}

static int plain_export_dmabuf(struct renderer *renderer, struct gpu_resource *resource,
	struct renderer_dmabuf *ret_dmabuf)
{
	struct renderer *inner = inner_of(renderer);

	if (is_plain(renderer, resource))
		return -ENOTSUP;
	if (!inner->ops->export_dmabuf)
		return -ENOTSUP;
	return inner->ops->export_dmabuf(inner, resource, ret_dmabuf);
}

static const struct renderer_ops plain_ops = {
	.destroy = plain_destroy,
	.get_capset = plain_get_capset,
	.ctx_create = plain_ctx_create,
	.ctx_destroy = plain_ctx_destroy,
	.submit = plain_submit,
	.create_fence = plain_create_fence,
	.export_blob = plain_export_blob,
	.read_blob = plain_read_blob,
	.ctx_attach_resource = plain_ctx_attach_resource,
	.ctx_detach_resource = plain_ctx_detach_resource,
	.resource_create = plain_resource_create,
	.resource_destroy = plain_resource_destroy,
	.attach_backing = plain_attach_backing,
	.detach_backing = plain_detach_backing,
	.transfer_to_host_2d = plain_transfer_to_host_2d,
	.transfer_to_host_3d = plain_transfer_to_host_3d,
	.transfer_from_host_3d = plain_transfer_from_host_3d,
	.get_pixels = plain_get_pixels,
	.read_rect = plain_read_rect,
	.export_dmabuf = plain_export_dmabuf,
};

static void fence_signalled(void *opaque, const struct renderer_fence *fence)
{
	const struct renderer *outer = opaque;

	outer->events->fence_signalled(outer->events_opaque, fence);
}

static void contexts_lost(void *opaque, uint64_t capset_mask)
{
	const struct renderer *outer = opaque;

	outer->events->contexts_lost(outer->events_opaque, capset_mask);
}

static const struct renderer_events inner_events = {
	.fence_signalled = fence_signalled,
	.contexts_lost = contexts_lost,
};

/* Leaves out what the inner renderer leaves out, and has nothing to do with 2D resources. */
static void leave_out(struct renderer_ops *ops, const struct renderer_ops *inner)
{
	if (!inner->get_capset)
		ops->get_capset = NULL;
	if (!inner->ctx_create)
		ops->ctx_create = NULL;
	if (!inner->ctx_destroy)
		ops->ctx_destroy = NULL;
	if (!inner->submit)
		ops->submit = NULL;
	if (!inner->create_fence)
		ops->create_fence = NULL;
	if (!inner->export_blob)
		ops->export_blob = NULL;
	if (!inner->read_blob)
		ops->read_blob = NULL;
}

struct renderer *renderer_plain_keep(struct renderer *inner)
{
	struct renderer *renderer = renderer_plain_wrap(inner);

	if (renderer)
		plain_of(renderer)->given = id_table_new(NULL);
	return renderer;
}

struct renderer *renderer_plain_wrap(struct renderer *inner)
{
	struct renderer_plain *plain = g_try_new0(struct renderer_plain, 1);

	if (!plain)
		return NULL;
	plain->base = *inner;
	plain->ops = plain_ops;
	leave_out(&plain->ops, inner->ops);
	plain->base.ops = &plain->ops;
	plain->inner = inner;
	inner->events = &inner_events;
	inner->events_opaque = &plain->base;
	return &plain->base;
}
