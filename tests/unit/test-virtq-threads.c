/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A driver on a thread of its own, with kicks and notifications suppressed wherever the rules
 * allow it: a wake-up that is lost, or data that is seen too early, shows as an endless wait (which
 * ends the test with a failure) or as a wrong answer.
 */
#include "ring-driver.h"

#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COMMANDS	20000u
#define QUEUE_SIZE	8u
#define WAIT_TIMEOUT_MS 20000

struct device {
	struct ring_driver *driver;
	int kick_fd;
};

static void wait_for(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	/* Far beyond what the whole test takes: only a lost wake-up runs into it. */
	g_assert_cmpint(poll(&poll_fd, 1, WAIT_TIMEOUT_MS), ==, 1);
	ring_driver_signals(fd);
}

static unsigned int serve(struct virtq *vq)
{
	struct virtq_chain *chain;
	unsigned int count = 0;
	uint32_t value;

	virtq_disable_kicks(vq);
	while (virtq_pop(vq, &chain) == 1) {
		g_assert_cmpint(virtq_read(vq, chain, 0, &value, 4), ==, 4);
		value = ~value;
		g_assert_cmpint(virtq_write(vq, chain, 0, &value, 4), ==, 4);
		virtq_push(vq, chain, 4);
		count++;
	}
	virtq_notify(vq);
	return count;
}

static gpointer run_device(gpointer data)
{
	struct device *device = data;
	struct virtq *vq = device->driver->vq;
	unsigned int count = 0;

	while (count < COMMANDS) {
		wait_for(device->kick_fd);
		do
			count += serve(vq);
		while (virtq_enable_kicks(vq));
	}
	return NULL;
}

/* The answers that are there; checks each against what its slot of the data area asked. */
static uint32_t take_answers(struct ring_driver *d, const uint32_t *asked)
{
	uint32_t count = 0, len;
	uint16_t id;

	while (ring_driver_get_used(d, &id, &len)) {
		uint32_t answer;

		memcpy(&answer, d->mem + RING_DRIVER_DATA + id * 16 + 8, 4);
		g_assert_cmpuint(len, ==, 4);
		g_assert_cmphex(answer, ==, ~asked[id]);
		count++;
	}
	return count;
}

/* Where the next chain's data goes is known by its id only afterwards: guess it as the driver does. */
static uint16_t next_id(const struct ring_driver *d)
{
	int id = d->packed ? (int)d->size - 1 : 0;

	while (d->packed ? d->taken[id] != 0 : d->desc_busy[id])
		id += d->packed ? -1 : 1;
	return (uint16_t)id;
}

static void submit(struct ring_driver *d, uint32_t value, uint32_t *asked)
{
	uint16_t id = next_id(d);
	uint64_t gpa = RING_DRIVER_GPA + RING_DRIVER_DATA + id * 16u;
	const struct ring_buffer buffers[] = {{gpa, 4, false}, {gpa + 8, 4, true}};

	asked[id] = value;
	memcpy(d->mem + RING_DRIVER_DATA + id * 16, &value, 4);
	memset(d->mem + RING_DRIVER_DATA + id * 16 + 8, 0, 4);
	g_assert_cmpint(ring_driver_add(d, buffers, 2), ==, id);
}

static void run_driver(struct ring_driver *d, int kick_fd)
{
	uint32_t asked[QUEUE_SIZE] = {0};
	uint32_t sent = 0, answered = 0;

	while (answered < COMMANDS) {
		uint32_t batch = 0, got;

		while (sent < COMMANDS && d->free_count >= 2) {
			submit(d, sent++, asked);
			batch++;
		}
		if (batch > 0 &&
			ring_driver_needs_kick(d, (uint16_t)(d->packed ? 2 * batch : batch)))
			g_assert_cmpint(eventfd_write(kick_fd, 1), ==, 0);
		got = take_answers(d, asked);
		if (got == 0) {
			ring_driver_wait_event(d);
			got = take_answers(d, asked);
		}
		if (got == 0)
			wait_for(d->call_fd);
		answered += got;
	}
}

static void check(bool packed, uint64_t features)
{
	struct ring_driver d;
	struct device device = {.driver = &d, .kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	GThread *thread;

	ring_driver_init(&d, packed, QUEUE_SIZE, features);
	thread = g_thread_new("device", run_device, &device);
	run_driver(&d, device.kick_fd);
	g_thread_join(thread);
	g_assert_false(virtq_is_broken(d.vq));
	g_assert_cmpuint(d.free_count, ==, QUEUE_SIZE);
	close(device.kick_fd);
	ring_driver_finish(&d);
}

static void test_threads(gconstpointer packed)
{
	check(GPOINTER_TO_INT(packed), 0);
	check(GPOINTER_TO_INT(packed), FEATURE(VIRTIO_RING_F_EVENT_IDX));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/virtq/split/threads", GINT_TO_POINTER(false), test_threads);
	g_test_add_data_func("/virtq/packed/threads", GINT_TO_POINTER(true), test_threads);
	return g_test_run();
}
