/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a Linux guest sends for each frame of a plain framebuffer: TRANSFER_TO_HOST_2D and
 * RESOURCE_FLUSH with one kick, or for a blob RESOURCE_FLUSH with a fence. The next frame is drawn when both are answered; its way to the
 * display goes on beside that, as on a real machine.
 */
#include "bench/frames.h"

#include "bench/clock.h"

#include <errno.h>

#define STEP_WHOLE  128
#define STEP_DAMAGE 32
#define WARM_UP	    0.1

/* The rectangle that changes: it wanders over the picture. */
static struct virtio_gpu_rect next_damage(const struct frames *frames, const struct image *image)
{
	const uint32_t columns = frames->damage ? image->width / frames->damage : 1;
	const uint32_t rows = frames->damage ? image->height / frames->damage : 1;

	if (frames->damage == 0 || frames->number <= 1)
		return image_whole(image);
	return (struct virtio_gpu_rect){.x = frames->number % columns * frames->damage,
		.y = frames->number / columns % rows * frames->damage,
		.width = frames->damage,
		.height = frames->damage};
}

int frames_draw(struct frames *frames)
{
	frames->number++;
	for (uint32_t i = 0; i < frames->output_count; i++) {
		struct image *image = &frames->image[i];
		const struct virtio_gpu_rect rect = next_damage(frames, image);

		/* Of small damage, each pixel is new; of a whole frame, only the last frame's are. */
		if (frames->damage > 0)
			image_fill(image, &rect, frames->seed + i + frames->number);
		image_stamp(image, &rect, frames->number);
		screen_set_newest(&frames->guest->screen, i, frames->number);
		image_post_update(image, frames->guest, &rect);
		frames->flushed_pixels[i] += (uint64_t)rect.width * rect.height;
	}
	return guest_run(frames->guest);
}

int frames_settle(struct frames *frames)
{
	int ret = 0;

	for (uint32_t i = 0; i < frames->output_count && ret == 0; i++)
		ret = screen_wait(&frames->guest->screen, i, frames->flushed_pixels[i]);
	return ret < 0 ? guest_describe(frames->guest, "waiting for a picture", ret) : 0;
}

static void make_image(struct frames *frames, uint32_t output, const struct frames_layout *layout)
{
	struct image *image = &frames->image[output];
	struct virtio_gpu_rect whole;

	image_init(
		image, frames->guest, output + 1, layout->width, layout->height, layout->piece_len);
	image->step = layout->damage > 0 ? STEP_DAMAGE : STEP_WHOLE;
	image->is_blob = layout->is_blob;
	whole = image_whole(image);
	image_fill(image, &whole, layout->seed + output);
	image_post_create(image, frames->guest);
	image_post_scanout(image, frames->guest, output);
	screen_watch(&frames->guest->screen, output, image->step);
}

int frames_start(struct frames *frames, struct guest *guest, const struct frames_layout *layout)
{
	int ret;

	*frames = (struct frames){.guest = guest,
		.damage = layout->damage,
		.seed = layout->seed,
		.output_count = layout->output_count};
	for (uint32_t i = 0; i < layout->output_count; i++)
		make_image(frames, i, layout);
	ret = guest_run(guest);
	if (ret == 0)
		ret = frames_draw(frames);
	if (ret == 0)
		ret = frames_settle(frames);
	if (ret == -ETIMEDOUT && screen_shown_pixels(&guest->screen, 0) == 0)
		ret = -ENODATA;
	return ret;
}

void frames_finish(struct frames *frames)
{
	for (uint32_t i = 0; i < FRAMES_MAX_OUTPUTS; i++)
		image_finish(&frames->image[i]);
}

int frames_check(struct frames *frames)
{
	int ret;

	for (uint32_t i = 0; i < frames->output_count && frames->damage == 0; i++) {
		const struct virtio_gpu_rect whole = image_whole(&frames->image[i]);

		image_fill(&frames->image[i], &whole, frames->seed + i + frames->number);
	}
	ret = frames_draw(frames);
	if (ret == 0)
		ret = frames_settle(frames);
	for (uint32_t i = 0; i < frames->output_count && ret == 0; i++)
		ret = image_compare(&frames->image[i], &frames->guest->screen, i);
	return ret;
}

static uint64_t count_pixels(struct frames *frames)
{
	uint64_t pixels = 0;

	for (uint32_t i = 0; i < frames->output_count; i++)
		pixels += screen_shown_pixels(&frames->guest->screen, i);
	return pixels;
}

static uint64_t frame_pixels(const struct frames *frames)
{
	const struct virtio_gpu_rect rect = next_damage(frames, &frames->image[0]);

	return (uint64_t)rect.width * rect.height;
}

static int draw_until(struct frames *frames, double end)
{
	int ret;

	do
		ret = frames_draw(frames);
	while (ret == 0 && clock_now() < end);
	return ret == 0 ? frames_settle(frames) : ret;
}

int frames_measure(struct frames *frames, double seconds, double *ret_rate)
{
	uint64_t shown;
	double start, now;
	int ret = draw_until(frames, clock_now() + seconds * WARM_UP);

	shown = count_pixels(frames);
	start = clock_now();
	if (ret == 0)
		ret = draw_until(frames, start + seconds);
	now = clock_now();
	*ret_rate = (double)(count_pixels(frames) - shown) / (double)frame_pixels(frames) /
		    (now - start);
	return ret == 0 ? frames_check(frames) : ret;
}
