/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Commands of virtio-gpu in a ring: each has a place for its request and one for its answer.
 * Commands are posted, and then run together; one thread uses one queue.
 */
#pragma once

#include "bench/ring.h"

#include <stddef.h>

#define QUEUE_REQUEST_SIZE 512
#define QUEUE_ANSWER_SIZE  1536

/** How long a daemon may take for anything at all. Machines that test are slow at times. */
#define QUEUE_PATIENCE_MS 60000

/**
 * struct queue - One of the device's two
 * @peer_fd: borrowed, the vhost-user socket
 * @requests_gpa, @answers_gpa: places, by the head of the chain
 * @expected: by head, the answer that is right, a VIRTIO_GPU_RESP_*
 * @pending_count: chains in flight
 * @is_polling: the driver looks at the ring until the answers are there, instead of sleeping
 * @last_head: the chain that was answered last
 * @wrong: what was wrong with an answer; g_free()
 */
struct queue {
	struct ring ring;
	struct memory *memory;
	int peer_fd;
	uint64_t requests_gpa;
	uint64_t answers_gpa;
	uint32_t expected[RING_MAX_SIZE];
	unsigned int pending_count;
	bool is_polling;
	uint16_t last_head;
	char *wrong;
};

/** queue_init() - Make one of @size descriptors. Return: 0 or a negative errno. */
int queue_init(struct queue *queue, struct memory *memory, uint16_t size, bool has_event_idx);
void queue_finish(struct queue *queue);

/**
 * struct queue_command - A request, the data that follow it, and the right answer
 * @answer_len: 0 for no room for one; @expected is 0 then
 */
struct queue_command {
	const void *request;
	size_t request_len;
	uint64_t data_gpa;
	uint32_t data_len;
	size_t answer_len;
	uint32_t expected;
};

/** queue_post() - Add a command, not seen by the device yet. More than fit end the program. */
void queue_post(struct queue *queue, const struct queue_command *command);

/**
 * queue_run() - Let the device see what was posted, and wait until all of it is answered
 *
 * Return: 0; -ETIMEDOUT; -EPIPE; -EPROTO for an answer that is not the one expected, in @wrong.
 */
int queue_run(struct queue *queue);

/** queue_publish() - Let the device see what was posted, and do not wait. */
void queue_publish(struct queue *queue);

/** queue_look() - Take the answers that are there. Return: as queue_run(). */
int queue_look(struct queue *queue);

/** queue_forgive() - Forget @wrong: what is posted from now on may be answered as expected. */
void queue_forgive(struct queue *queue);

/** queue_answer() - The answer of the command that was answered last */
const void *queue_answer(const struct queue *queue);
