/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Requests and answers around a ring. Borrows the guest's memory. */
#include "bench/queue.h"

#include <errno.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>

int queue_init(struct queue *queue, struct memory *memory, uint16_t size, bool has_event_idx)
{
	*queue = (struct queue){.memory = memory, .peer_fd = -1};
	queue->requests_gpa =
		memory_alloc(memory, (uint64_t)QUEUE_REQUEST_SIZE * size, MEMORY_PAGE);
	queue->answers_gpa = memory_alloc(memory, (uint64_t)QUEUE_ANSWER_SIZE * size, MEMORY_PAGE);
	return ring_init(&queue->ring, memory, size, has_event_idx);
}

void queue_finish(struct queue *queue)
{
	ring_finish(&queue->ring);
	g_clear_pointer(&queue->wrong, g_free);
}

static uint64_t request_gpa(const struct queue *queue, uint16_t head)
{
	return queue->requests_gpa + (uint64_t)head * QUEUE_REQUEST_SIZE;
}

static uint64_t answer_gpa(const struct queue *queue, uint16_t head)
{
	return queue->answers_gpa + (uint64_t)head * QUEUE_ANSWER_SIZE;
}

void queue_post(struct queue *queue, const struct queue_command *command)
{
	const uint16_t head = ring_peek_head(&queue->ring);
	struct ring_buffer buffers[3];
	uint16_t count = 0;

	g_assert(command->request_len <= QUEUE_REQUEST_SIZE);
	g_assert(command->answer_len <= QUEUE_ANSWER_SIZE);
	buffers[count++] = (struct ring_buffer){
		request_gpa(queue, head), (uint32_t)command->request_len, false};
	if (command->data_len > 0)
		buffers[count++] =
			(struct ring_buffer){command->data_gpa, command->data_len, false};
	if (command->answer_len > 0)
		buffers[count++] = (struct ring_buffer){
			answer_gpa(queue, head), (uint32_t)command->answer_len, true};
	memcpy(memory_at(queue->memory, request_gpa(queue, head)), command->request,
		command->request_len);
	memset(memory_at(queue->memory, answer_gpa(queue, head)), 0,
		sizeof(struct virtio_gpu_ctrl_hdr));
	queue->expected[head] = command->expected;
	if (ring_add(&queue->ring, buffers, count) < 0)
		g_error("more commands at once than the ring has room for");
	queue->pending_count++;
}

static void check_answer(struct queue *queue, uint16_t head)
{
	const struct virtio_gpu_ctrl_hdr *request =
		memory_at(queue->memory, request_gpa(queue, head));
	const struct virtio_gpu_ctrl_hdr *answer =
		memory_at(queue->memory, answer_gpa(queue, head));

	queue->last_head = head;
	if (answer->type == queue->expected[head] || queue->wrong)
		return;
	queue->wrong =
		g_strdup_printf("command 0x%04x is answered 0x%04x", request->type, answer->type);
}

static int take_answers(struct queue *queue)
{
	int head;

	while ((head = ring_take_used(&queue->ring)) >= 0) {
		check_answer(queue, (uint16_t)head);
		queue->pending_count--;
	}
	return head == -EAGAIN ? 0 : head;
}

static int wait_answer(struct queue *queue)
{
	int ret = 0;

	if (queue->is_polling)
		return ring_wait_used(&queue->ring, queue->peer_fd, QUEUE_PATIENCE_MS);
	if (!ring_want_call(&queue->ring))
		ret = ring_wait_call(&queue->ring, queue->peer_fd, QUEUE_PATIENCE_MS);
	ring_want_no_call(&queue->ring);
	return ret;
}

int queue_run(struct queue *queue)
{
	int ret;

	ring_publish(&queue->ring);
	while (queue->pending_count > 0) {
		ret = wait_answer(queue);
		if (ret < 0)
			return ret;
		ret = take_answers(queue);
		if (ret < 0)
			return ret;
	}
	return queue->wrong ? -EPROTO : 0;
}

void queue_publish(struct queue *queue)
{
	ring_publish(&queue->ring);
}

int queue_look(struct queue *queue)
{
	int ret = take_answers(queue);

	return ret == 0 && queue->wrong ? -EPROTO : ret;
}

void queue_forgive(struct queue *queue)
{
	g_clear_pointer(&queue->wrong, g_free);
}

const void *queue_answer(const struct queue *queue)
{
	return memory_at(queue->memory, answer_gpa(queue, queue->last_head));
}
