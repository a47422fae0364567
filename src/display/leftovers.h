/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Display sockets that are over, and that their other side has not read to the end. What is unread is
 * memory of the kernel's, counted as the sender's, up to the size of a send buffer (2 MiB) each. It stays
 * until the other side reads or closes, whatever the sender does. So there is a limit to their number.
 * Main loop's thread only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** With so many there is no new display socket. QEMU leaves none: it closes its end. */
#define DISPLAY_MAX_LEFTOVERS 8

/**
 * struct display_leftovers - Zero at first
 * @fds: owned, the first @count are used
 * @look: looks at them once in a while as long as there are some, or NULL
 */
struct display_leftovers {
	int fds[DISPLAY_MAX_LEFTOVERS];
	unsigned int count;
	GSource *look;
};

/**
 * display_leftovers_add() - A socket is over
 * @fd: a duplicate of its descriptor, taken; its other side sees the end. -1 is fine.
 * @context: main context
 */
void display_leftovers_add(struct display_leftovers *leftovers, int fd, GMainContext *context);

/** display_leftovers_are_full() - Forgets those that were read. Return: whether none may be added. */
bool display_leftovers_are_full(struct display_leftovers *leftovers);

void display_leftovers_finish(struct display_leftovers *leftovers);
